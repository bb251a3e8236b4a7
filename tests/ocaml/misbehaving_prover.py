"""A prover that proves nothing and misbehaves on request: for the tests of the worker pool.

It speaks the real protocol with the standard library alone. Each query names in the source of its dataset what to do
(``BEHAVIOURS``); ``--start`` says how to misbehave before that. Every process writes its number into
``WITNESS_DIR/pids``, so that a test can see whether one is left.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

Sexp = str | list["Sexp"]

TOKEN = re.compile(rb'\s*(?:([()])|"((?:[^"\\]|\\.)*)"|([^\s()"]+))', re.DOTALL)
ESCAPES = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b"}


def unescape(match: re.Match[bytes]) -> bytes:
    """One escape of an OCaml string."""
    escape = match[1]
    return bytes([int(escape)]) if len(escape) == 3 else ESCAPES.get(escape, escape)


def parse(text: bytes) -> Sexp:
    """Read one s-expression."""
    stack: list[list[Sexp]] = [[]]
    for bracket, quoted, bare in TOKEN.findall(text):
        if bracket == b"(":
            stack.append([])
        elif bracket == b")":
            done = stack.pop()
            stack[-1].append(done)
        else:
            atom = bare or re.sub(rb"\\(\d{3}|.)", unescape, quoted, flags=re.DOTALL)
            stack[-1].append(atom.decode())
    return stack[0][0]


def fields(record: Sexp) -> dict[str, Sexp]:
    """Return a record as a dictionary."""
    return dict(record)  # type: ignore[arg-type]


class EndOfBatch(Exception):
    """The request is answered in full."""


class Prover:
    """The state of one conversation."""

    def __init__(self) -> None:
        self.out = os.fdopen(os.dup(1), "wb", buffering=0)
        os.dup2(2, 1)
        self.id = "0"
        self.folder = Path()
        self.request_length = 0

    def send_bytes(self, data: bytes) -> None:
        """Write all of the bytes, whatever they are."""
        while data:
            data = data[self.out.write(data) :]

    def send_frame(self, payload: str) -> None:
        """Write one frame."""
        data = payload.encode()
        self.send_bytes(b"%d\n%s" % (len(data), data))

    def reply(self, body: str) -> None:
        """Reply to the present request."""
        self.send_frame(f"((id {self.id})(body {body}))")

    def answer(self, query: str, verdict: str = "Valid", step: str = "interval", properties: int = 1) -> None:
        """Answer a query, with the length of the request in the place of the centre's classes."""
        outcomes = f"((verdict {verdict})(step {step})(margin (0x1p-3)))" * properties
        self.reply(
            f"(Answer((query {query})(outcomes({outcomes}))(centre({self.request_length}))(impossible())(reached())"
            "(seconds 0x1p-4)(steps())))"
        )

    def refuse(self, kind: str, message: str) -> None:
        """Refuse the request, which ends it."""
        self.reply(f'(Refused((kind {kind})(message "{message}")(hint("try again"))))')
        raise EndOfBatch

    def log_pid(self, pid: int) -> None:
        """Let the tests look for this process later."""
        with (self.folder / "pids").open("a") as log:
            log.write(f"{pid}\n")

    def grandchild(self) -> None:
        """Start a process that keeps this one's channels open."""
        self.log_pid(subprocess.Popen(["sleep", "600"], stdout=self.out).pid)


def die_of(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(60)


def hang(prover: Prover, query: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    prover.grandchild()
    print("about to hang", file=sys.stderr, flush=True)
    time.sleep(600)


def crash_with_grandchild(prover: Prover, query: str) -> None:
    prover.grandchild()
    die_of(signal.SIGSEGV)


def exit_with_words(prover: Prover, query: str) -> None:
    print("Traceback (most recent call last):\nZeroDivisionError: division by zero\n", file=sys.stderr, flush=True)
    os._exit(3)


def say_much(prover: Prover, query: str) -> None:
    print("stray print\n" * 100_000, flush=True)
    prover.answer(query)


def answer_with_wrong_id(prover: Prover, query: str) -> None:
    prover.id = "99999"
    prover.answer(query)


def answer_twice(prover: Prover, query: str) -> None:
    prover.answer(query)
    prover.answer(query)


def sleep_then_answer(prover: Prover, query: str) -> None:
    time.sleep(0.3)
    prover.answer(query)


def half_a_frame(prover: Prover, query: str) -> None:
    prover.send_bytes(b"5000\n((id 1)(body")
    os._exit(0)


def close_then_exit(prover: Prover, query: str) -> None:
    prover.out.close()
    time.sleep(0.1)
    os._exit(5)


def eat_memory(prover: Prover, query: str) -> None:
    hoard = bytearray(300 * 2**20)
    time.sleep(600)
    del hoard


# Each returns after having answered the query, or does not return, or leaves the conversation broken.
BEHAVIOURS: dict[str, Callable[[Prover, str], None]] = {
    "ok": lambda prover, query: prover.answer(query),
    "sleep": sleep_then_answer,
    "unknown": lambda prover, query: prover.answer(query, verdict="(Unknown((reason tie)))"),
    "abort": lambda prover, query: die_of(signal.SIGABRT),
    "kill": lambda prover, query: die_of(signal.SIGKILL),
    "exit": exit_with_words,
    "hang": hang,
    "crash-with-grandchild": crash_with_grandchild,
    "garbage": lambda prover, query: prover.send_bytes(b"hello world, this is not a frame\n"),
    "bad-sexp": lambda prover, query: prover.send_frame(f"((id {prover.id})(body(Done"),
    "wrong-type": lambda prover, query: prover.reply("(Answer((query three)))"),
    "unknown-field": lambda prover, query: prover.reply("(Done((cpu_seconds 0x0p+0)(peak_memory 1)(colour red)))"),
    "oversized": lambda prover, query: prover.send_bytes(b"99999999\n(("),
    "half-a-frame": half_a_frame,
    "close-then-exit": close_then_exit,
    "noise": say_much,
    "huge": lambda prover, query: prover.answer(query, step="x" * 3_000_000),
    "wrong-id": answer_with_wrong_id,
    "wrong-query": lambda prover, query: prover.answer("424242"),
    "wrong-count": lambda prover, query: prover.answer(query, properties=2),
    "twice": answer_twice,
    "done-early": lambda prover, query: prover.reply("(Done((cpu_seconds 0x0p+0)(peak_memory 1)))"),
    "wrong-kind": lambda prover, query: prover.reply("(Predicted((maximisers())))"),
    "refuse-user": lambda prover, query: prover.refuse("user", "index 7 is out of range"),
    "refuse-memory": lambda prover, query: prover.refuse("memory", "cannot allocate the noise"),
    "refuse-internal": lambda prover, query: prover.refuse("internal", "KeyError: 3"),
    "eat-memory": eat_memory,
}


def behave(prover: Prover, behaviour: str, query: str) -> None:
    """Do what is asked; ``X once`` is ``ok`` from the second time on."""
    name, _, once = behaviour.partition(" ")
    if once:
        flag = prover.folder / f"{name}-{query}"
        name = "ok" if flag.exists() else name
        flag.touch()
    BEHAVIOURS[name](prover, query)


def behaviour_of(query: dict[str, Sexp]) -> str:
    """Read the behaviour from the source of the query's first bound, a ball."""
    ball = fields(query["region"][0][1])
    return str(fields(ball["dataset"])["source"])


def verify(prover: Prover, request: dict[str, Sexp]) -> None:
    """Behave as each query says."""
    for item in request["queries"]:
        query = fields(item)
        behave(prover, behaviour_of(query), str(query["query"]))
    prover.reply("(Done((cpu_seconds 0x1p-1)(peak_memory 1000)))")


def describe(prover: Prover, source: str) -> None:
    """Describe a dataset: ``behaviour`` first, if the name is one."""
    if source in BEHAVIOURS and source != "ok":
        BEHAVIOURS[source](prover, "0")
    elif source == "missing":
        prover.refuse("user", "no such file: missing")
    else:
        prover.reply(
            '(Dataset((length 2)(shape(3 4 4))(labels(0 1))(class_names("polar bear" dog))(arrays(images))(digest 0f)))'
        )


def is_first(folder: Path) -> bool:
    """Whether no other process has asked before: creating a file is atomic, two that start together cannot both be."""
    try:
        (folder / "first").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def greet(prover: Prover, hello: dict[str, Sexp], start: str) -> None:
    """Answer Hello, in the manner of ``--start``."""
    prover.folder = Path(str(hello["witness_dir"]))
    prover.log_pid(os.getpid())
    if start == "slow":
        time.sleep(0.7)
    elif start == "silent":
        time.sleep(600)
    elif start == "die":
        sys.exit("ModuleNotFoundError: No module named 'torch'")
    elif start == "garbage":
        prover.send_bytes(b"Welcome!\n")
    elif start == "refuse":
        prover.refuse("user", "no such data folder")
    elif start == "second-dies" and not is_first(prover.folder):
        sys.exit("the second dies")
    version = 4 if start == "version" else hello["version"]
    prover.reply(f"(Welcome((version {version})(prover misbehaving)(release 0.1)(rounding none)))")


def handle(prover: Prover, constructor: str, request: dict[str, Sexp], start: str) -> None:
    """Handle one request."""
    if constructor == "Hello":
        greet(prover, request, start)
    elif constructor == "Verify":
        verify(prover, request)
    elif constructor == "Describe_dataset":
        describe(prover, str(fields(request["dataset"])["source"]))
    else:
        prover.refuse("internal", f"{constructor} is not for this prover")


def main() -> None:
    """Serve requests until the end of the standard input."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--start", default="well")
    start = parser.parse_args().start
    prover = Prover()
    inp = os.fdopen(0, "rb")
    while header := inp.readline():
        payload = inp.read(int(header))
        prover.request_length = len(payload)
        message = fields(parse(payload))
        prover.id = str(message["id"])
        constructor, record = list(message["body"])
        with contextlib.suppress(EndOfBatch):
            handle(prover, str(constructor), fields(record), start)


if __name__ == "__main__":
    main()
