"""The server as a process: recorded transcripts, refusals, caches, memory, and the command line.

A transcript in ``tests/transcripts`` holds requests (``>``), the replies to them (``<``) and the exit status. What
differs from run to run is ``_`` there, and ``$DIR`` is the folder of the test's files. After a wanted change,
``UPDATE_TRANSCRIPTS=1 pytest tests/python/test_server.py`` writes them anew.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from PIL import Image

from pyprover.__main__ import main
from pyprover.engine import Problem
from pyprover.errors import MemoryLimitError, UserError
from pyprover.protocol import codec, messages, sexp
from pyprover.protocol.errors import ProtocolError
from pyprover.protocol.frames import read_frame, write_frame
from pyprover.protocol.server import refusal, serve
from pyprover.protocol.session import in_smaller_batches
from pyprover.query import Ball, DatasetRef, Feature, NetworkRef, Normalization, Query, Range, Within
from pyprover.region import Region
from pyprover.verdict import Answer, Invalid

F = Fraction
TRANSCRIPTS = Path(__file__).parent.parent / "transcripts"

# Four pixels; class 0 is how light the left column is, class 1 the right one, class 2 how dark all is.
COLUMNS = """<ir_version: 8, opset_import: ["": 13]>
columns (float[1,1,2,2] image) => (float[1,3] y)
<float[2,4] w = {1,0,1,0, 0,1,0,1}, float[2] b = {0,0}, float[3,2] v = {1,0, 0,1, -1,-1}, float[3] c = {0,0,1}> {
    flat = Flatten(image)
    sides = Gemm<transB=1>(flat, w, b)
    light = Relu(sides)
    y = Gemm<transB=1>(light, v, c)
}"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder with a network, a dataset that fits, one that does not, and a folder for witnesses."""
    onnx.save(onnx.parser.parse_model(COLUMNS), tmp_path / "columns.onnx")
    images = np.array([[[204, 0], [204, 0]], [[0, 255], [0, 255]], [[128, 127], [128, 127]]], np.uint8)
    np.savez(tmp_path / "test.npz", images=images, labels=np.array([0, 0, 0]), class_names=["left", "right", "dark"])
    np.savez(tmp_path / "wide.npz", images=np.zeros((1, 3, 3), np.uint8), labels=np.array([0]))
    (tmp_path / "witnesses").mkdir()
    return tmp_path


class Server:
    """A prover process; ``ask`` sends a request and yields the replies."""

    def __init__(self) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pyprover", "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        self.asked = 0

    def send(self, payload: bytes) -> None:
        assert self.process.stdin is not None
        write_frame(self.process.stdin, payload)

    def receive(self) -> bytes | None:
        assert self.process.stdout is not None
        return read_frame(self.process.stdout)

    def ask(self, body: messages.Body) -> Iterator[messages.ReplyBody]:
        self.asked += 1
        self.send(sexp.render(codec.encode(messages.Request, messages.Request(self.asked, body))))
        while True:
            payload = self.receive()
            assert payload is not None
            reply: messages.Reply = codec.decode(messages.Reply, sexp.parse(payload))
            assert reply.id == self.asked
            yield reply.body
            if not isinstance(reply.body, Answer):
                return

    def ask_one(self, body: messages.Body) -> messages.ReplyBody:
        (reply,) = self.ask(body)
        return reply

    def hello(self, folder: Path, *, pictures: bool = False, memory_limit: int | None = None) -> messages.ReplyBody:
        witnesses = str(folder / "witnesses")
        return self.ask_one(messages.Hello(1, "test", str(folder), witnesses, pictures, memory_limit, 1, 0))

    def end(self) -> tuple[int, str]:
        """Close the input; return the exit status and standard error."""
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, errors.decode()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(BrokenPipeError):
                if stream is not None:
                    stream.close()


@pytest.fixture
def server() -> Iterator[Server]:
    """Start a process for one test."""
    server = Server()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    """Start a process for several tests; each says Hello anew."""
    server = Server()
    yield server
    status, errors = server.end()
    assert (status, errors) == (0, "")


def network(folder: Path, normalization: Normalization | None = None) -> NetworkRef:
    return NetworkRef(str(folder / "columns.onnx"), normalization)


def samples(folder: Path, source: str = "test.npz") -> DatasetRef:
    return DatasetRef(source, str(folder))


# Transcripts

_VOLATILE = re.compile(r"\((seconds|cpu_seconds|peak_memory|release|digest|message) (\"(?:[^\"\\]|\\.)*\"|[^()\s]+)\)")


def stable(payload: bytes, folder: Path) -> str:
    """Blank what differs between runs; messages are compared where they are not a library's."""
    text = payload.decode().replace(str(folder), "$DIR")
    text = re.sub(r"-[0-9a-f]{8}\.(npy|png)", r"-_.\1", text)

    def blank(match: re.Match[str]) -> str:
        kept = match[1] == "message" and "Traceback" not in match[2]
        return match[0] if kept else f"({match[1]} _)"

    text = re.sub(r"\(steps \(.*?\)\)\)\)", "(steps _)", text)
    text = re.sub(r"\(step (\w+)\) \(margin \([^()]+\)\)", r"(step \1) (margin (_))", text)
    return _VOLATILE.sub(blank, text)


def play(server: Server, folder: Path, lines: list[str]) -> list[str]:
    """Send the requests among ``lines``; return the transcript of what happens."""
    happened = []
    for line in lines:
        if line.startswith("> "):
            happened.append(line)
            server.send(line[2:].replace("$DIR", str(folder)).encode())
            while (payload := server.receive()) is not None:
                happened.append("< " + stable(payload, folder))
                if "(body (Answer " not in happened[-1]:
                    break
        elif line.startswith("#") or not line:
            happened.append(line)
    status, _ = server.end()
    return [*happened, f"exit {status}"]


@pytest.mark.parametrize("path", sorted(TRANSCRIPTS.glob("*.txt")), ids=lambda path: path.stem)
def test_transcripts(server: Server, folder: Path, path: Path) -> None:
    recorded = path.read_text().splitlines()
    happened = play(server, folder, recorded)
    if os.environ.get("UPDATE_TRANSCRIPTS"):
        path.write_text("\n".join(happened) + "\n")
    else:
        assert happened == recorded


def test_there_are_transcripts() -> None:
    assert len(list(TRANSCRIPTS.glob("*.txt"))) >= 4


# Verdicts


def test_verify_answers_every_query(running: Server, folder: Path) -> None:
    running.hello(folder, pictures=True)
    unit = Range(F(0), F(1))
    queries = (
        Query(0, (Ball(samples(folder), 0, F(1, 10)), unit), (Within((0,)), Within((0, 1)))),
        Query(1, (Ball(samples(folder), 1, F(1, 10)), unit), (Within((0,)), Within((0, 1)))),
        Query(2, (Ball(samples(folder), 2, F(1, 10)), unit), (Within((0,)), Within((0, 1)))),
        Query(3, (Range(F(1), F(0)),), (Within((2,)),)),
        Query(4, (unit,), (Within((0, 1, 2)),)),
    )
    *answers, done = running.ask(messages.Verify(network(folder), queries, 20.0, full_matrix=False, domain=None))
    assert isinstance(done, messages.Done)
    assert done.peak_memory > 10**7
    by_query = {answer.query: answer for answer in answers if isinstance(answer, Answer)}
    kinds = {query: [type(o.verdict).__name__ for o in answer.outcomes] for query, answer in by_query.items()}
    assert kinds == {
        0: ["Valid", "Valid"],
        1: ["Invalid", "Valid"],
        2: ["Invalid", "Valid"],
        3: ["Valid"],
        4: ["Valid"],
    }
    assert by_query[3].outcomes[0].step == "empty"
    assert by_query[1].centre == (1,)
    refuted = by_query[2].outcomes[0].verdict
    assert isinstance(refuted, Invalid)
    check_witness(refuted, folder)
    at_centre = by_query[1].outcomes[0].verdict
    assert isinstance(at_centre, Invalid)
    assert at_centre.witness.centre


def check_witness(refuted: Invalid, folder: Path) -> None:
    """The file holds a point of the ball that the command line classifies as the witness says."""
    witness = refuted.witness
    point = np.load(witness.file)
    assert (point.dtype, point.shape) == (np.float32, (1, 2, 2))
    centre = [F(128, 255), F(127, 255)] * 2
    distances = [abs(F(float(value)) - middle) for value, middle in zip(point.ravel(), centre, strict=True)]
    assert max(distances) <= F(1, 10)
    assert witness.distance == float(max(distances))
    result = json.loads(run("replay", str(folder / "columns.onnx"), witness.file, "--json").stdout)
    assert tuple(result["classes"]) == witness.classes == (1,)
    assert result["outputs"][1] - result["outputs"][0] == pytest.approx(witness.margin)
    assert witness.picture is not None
    with Image.open(witness.picture) as picture:
        assert picture.size[0] > 3 * 192


def test_normalised_networks_get_witnesses_in_their_own_units(running: Server, folder: Path) -> None:
    running.hello(folder)
    normalization = Normalization((F(1, 2),), (F(1, 4),))
    features = tuple(Feature(index, F(0), F(1, 8 if index % 2 else 1), False, True) for index in range(4))
    query = Query(0, features, (Within((2,)),))
    answer, _ = running.ask(messages.Verify(network(folder, normalization), (query,), 20.0, False, None))
    assert isinstance(answer, Answer)
    refuted = answer.outcomes[0].verdict
    assert isinstance(refuted, Invalid)
    point = np.load(refuted.witness.file).astype(np.float64).ravel() / 4 + 0.5
    assert point.min() >= 0
    assert (point < [1, 1 / 8, 1, 1 / 8]).all()
    assert refuted.witness.classes == (0,)


def test_predict_gives_maximisers_at_the_samples(running: Server, folder: Path) -> None:
    running.hello(folder)
    indices = tuple(np.arange(1000) % 3)
    reply = running.ask_one(messages.Predict(network(folder), samples(folder), tuple(map(int, indices))))
    assert reply == messages.Predicted(((0,), (1,), (0,)) * 333 + ((0,),))
    normalization = Normalization((F(128, 255),), (F(1),))
    reply = running.ask_one(messages.Predict(network(folder, normalization), samples(folder), (2,)))
    assert reply == messages.Predicted(((2,),))


# Refusals


def test_mistakes_are_refused_and_the_server_goes_on(running: Server, folder: Path) -> None:
    running.hello(folder)
    net, data = network(folder), samples(folder)
    (folder / "columns.card.json").write_text('{"normalization": {"mean": [0.5], "std": [0.25]}}')
    cases: list[tuple[messages.Body, str]] = [
        (messages.DescribeNetwork(NetworkRef(str(folder / "no.onnx"), None)), "no.onnx"),
        (messages.DescribeNetwork(NetworkRef(str(folder / "test.npz"), None)), "test.npz"),
        (messages.DescribeNetwork(network(folder, Normalization((F(0),), (F(1),)))), "stated twice"),
        (messages.DescribeDataset(samples(folder, "no.npz")), "does not exist"),
        (messages.DescribeDataset(samples(folder, "no:test")), "was not found"),
        (messages.Predict(net, data, (0, 3)), "sample 3 does not exist"),
        (messages.Predict(net, samples(folder, "wide.npz"), (0,)), "samples have shape [1, 3, 3]"),
        (verify(net, Query(0, (Ball(data, -1, F(0)),), ())), "sample -1 does not exist"),
        (verify(net, Query(0, (), ())), "has no lower bound"),
        (verify(net, Query(0, (Range(F(0), F(1)),), (Within((3,)),))), "output 3 does not exist"),
        (messages.Verify(net, (), 0.0, False, None), "time limit"),
        (messages.Verify(net, (), 1.0, False, "octagon"), "unknown domain"),
    ]
    for body, words in cases:
        reply = running.ask_one(body)
        assert isinstance(reply, messages.Refused)
        assert (reply.kind, words in reply.message) == ("user", True), reply


def verify(net: NetworkRef, query: Query) -> messages.Verify:
    return messages.Verify(net, (query,), 20.0, full_matrix=False, domain=None)


def test_bugs_are_refused_with_their_traceback() -> None:
    try:
        raise KeyError("ours")
    except KeyError as error:
        reply = refusal(error)
    assert reply.kind == "internal"
    assert "test_server.py" in reply.message
    assert "KeyError: 'ours'" in reply.message


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryLimitError("of ours"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
        RuntimeError("std::bad_alloc"),
    ],
)
def test_exhausted_memory_is_told_from_bugs(error: Exception) -> None:
    assert refusal(error).kind == "memory"
    assert refusal(RuntimeError("mat1 and mat2 shapes cannot be multiplied")).kind == "internal"
    assert refusal(UserError("theirs")).kind == "user"


@pytest.mark.parametrize("capacity", [0, 1, 2, 3, 8])
@pytest.mark.parametrize("count", [1, 5, 8])
def test_batches_shrink_until_they_fit(capacity: int, count: int) -> None:
    region = Region((F(0),), (F(1),), (F(0),), (F(1),))
    problems = [Problem(number, region, ()) for number in range(count)]
    answered: set[int] = set()
    calls: list[int] = []

    def work(part: list[Problem]) -> None:  # answers the first even where the rest is too much
        calls.append(len(part))
        for problem in part[: max(capacity, 1) if len(part) > 1 else capacity]:
            assert problem.query not in answered
            answered.add(problem.query)
        if len(part) > capacity:
            raise MemoryError

    lost = in_smaller_batches(work, problems, answered)  # type: ignore[arg-type]
    assert {problem.query for problem in lost} | answered == set(range(count))
    assert not {problem.query for problem in lost} & answered
    assert capacity == 0 or not lost
    assert len(calls) <= 2 * count


def test_other_errors_are_not_retried() -> None:
    with pytest.raises(KeyError):
        in_smaller_batches(lambda part: {}[0], [], set())


def test_a_memory_limit_holds(server: Server, folder: Path) -> None:
    reply = server.hello(folder, memory_limit=1 << 20)
    assert isinstance(reply, messages.Refused)
    assert reply.kind == "user"
    assert isinstance(server.hello(folder, memory_limit=600 << 20), messages.Welcome)
    with zipfile.ZipFile(folder / "huge.npz", "w") as archive, archive.open("images.npy", "w") as member:
        header = {"descr": "|u1", "fortran_order": False, "shape": (1_000_000, 28, 28)}
        np.lib.format.write_array_header_1_0(member, header)
    refused = server.ask_one(messages.DescribeDataset(samples(folder, "huge.npz")))
    assert isinstance(refused, messages.Refused)
    assert refused.kind == "memory"
    described = server.ask_one(messages.DescribeDataset(samples(folder)))
    assert isinstance(described, messages.Dataset)


# The process


@pytest.mark.parametrize(
    "content",
    [
        b"hello\n",
        b"3\n(a)",
        b"10\n(a)",
        b"1\n(",
        b"52\n((id 1)(body(Describe_dataset((dataset((source a)))))))",
        b"62\n((id 1)(body(Describe_dataset((dataset((source a)(base /))))))   )",
    ],
)
def test_what_is_not_of_the_protocol_is_an_error(content: bytes) -> None:
    replies = io.BytesIO()
    with pytest.raises(ProtocolError):
        serve(io.BytesIO(content), replies)
    assert replies.getvalue() == b""


def test_what_libraries_print_does_not_reach_the_frames(folder: Path) -> None:
    code = (
        "import os, sys; from pyprover.protocol import server as s;"
        "old = s.serve\n"
        "def serve(requests, replies):\n"
        "    print('python'); os.system('echo shell'); os.write(1, b'descriptor\\n'); assert sys.stdin.read() == ''\n"
        "    old(requests, replies)\n"
        "s.serve = serve; s.serve_standard_streams()"
    )
    request = messages.Request(1, messages.Hello(2, "test", None, str(folder), False, None, 1, 0))
    payload = sexp.render(codec.encode(messages.Request, request))
    result = subprocess.run(
        [sys.executable, "-c", code],
        input=b"%d\n%s" % (len(payload), payload),
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert {b"python", b"shell", b"descriptor"} <= set(result.stderr.split())
    header, _, reply = result.stdout.partition(b"\n")
    assert int(header) == len(reply)
    assert b"(kind version)" in reply


def test_a_client_that_is_gone_is_no_bug(server: Server, folder: Path) -> None:
    assert server.process.stdout is not None
    server.process.stdout.close()
    hello = messages.Hello(2, "test", None, str(folder), False, None, 1, 0)
    server.send(sexp.render(codec.encode(messages.Request, messages.Request(1, hello))))
    assert server.process.stdin is not None
    server.process.stdin.close()
    assert server.process.wait(60) == 0
    assert server.process.stderr is not None
    assert server.process.stderr.read() == b""


def test_files_that_change_are_read_again(running: Server, folder: Path) -> None:
    running.hello(folder)
    before = running.ask_one(messages.DescribeDataset(samples(folder)))
    np.savez(folder / "test.npz", images=np.zeros((7, 2, 2), np.uint8), labels=np.zeros(7, np.int64))
    after = running.ask_one(messages.DescribeDataset(samples(folder)))
    assert isinstance(before, messages.Dataset)
    assert isinstance(after, messages.Dataset)
    assert (before.length, after.length) == (3, 7)
    assert before.digest != after.digest


# The command line


@dataclass(frozen=True)
class Result:
    status: int
    stdout: str
    stderr: str


def run(*arguments: str) -> Result:
    """Run the command line in this process."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            status = main(arguments)
        except SystemExit as stop:
            status = int(stop.code or 0)
    return Result(status, out.getvalue(), err.getvalue())


def test_describe(folder: Path) -> None:
    path = str(folder / "columns.onnx")
    (folder / "columns.card.json").write_text('{"normalization": {"mean": ["0.5"], "std": ["0.25"]}}')
    described = json.loads(run("describe", path, "--json").stdout)
    assert described["input_shape"] == [1, 2, 2]
    assert (described["outputs"], described["neurons"], described["opset"]) == (3, 2, 13)
    assert {"name": "Gemm", "count": 2} in described["operators"]
    assert described["normalization_source"] == str(folder / "columns.card.json")
    assert "input shape    1 x 2 x 2\n" in run("describe", path).stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "required: COMMAND"),
        (["prove"], "invalid choice: 'prove'"),
        (["describe", "$DIR/no.onnx"], "no.onnx"),
        (["replay", "$DIR/columns.onnx", "$DIR/no.npy"], "is not an array that can be read"),
        (["replay", "$DIR/columns.onnx", "$DIR/test.npz"], "is an archive, the network takes float32 [1, 2, 2]"),
        (["replay", "$DIR/columns.onnx", "$DIR/flat.npy"], "is float32 [4], the network takes float32 [1, 2, 2]"),
        (["replay", "$DIR/columns.onnx", "$DIR/double.npy"], "is float64 [1, 2, 2]"),
    ],
)
def test_mistakes_on_the_command_line(folder: Path, arguments: list[str], words: str) -> None:
    np.save(folder / "flat.npy", np.zeros(4, np.float32))
    np.save(folder / "double.npy", np.zeros((1, 2, 2)))
    result = run(*(argument.replace("$DIR", str(folder)) for argument in arguments))
    assert result.status == 3
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_help_and_operators() -> None:
    assert "examples:" in run("--help").stdout
    assert {"Conv", "Gemm", "Relu"} <= set(run("operators").stdout.split())
