"""Commands in processes of their own: time limits enforced from outside, costs from the kernel's accounts.

This module and its callers stay light: the peak of a child counts from the moment it is forked, so that a large
parent would hide it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Generic, TypeVar

Name = TypeVar("Name")

GRACE = 15.0
"""Seconds after its time limit at which a process is killed: one step of an analysis may take that long."""
_POLL = 0.02


@dataclass(frozen=True, slots=True)
class Task(Generic[Name]):
    """A command line; ``name`` is the caller's, ``limit`` the seconds after which it is expected to have ended."""

    name: Name
    command: Sequence[str]
    limit: float
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Ended(Generic[Name]):
    """``status`` is negative for a process that a signal ended; times in seconds, ``peak`` in bytes."""

    task: Task[Name]
    status: int
    overran: bool
    stdout: str
    stderr: str
    wall: float
    cpu: float
    peak: int


@dataclass(eq=False)
class _Running(Generic[Name]):
    task: Task[Name]
    process: subprocess.Popen[bytes]
    stdout: IO[bytes]
    stderr: IO[bytes]
    started: float = field(default_factory=time.monotonic)
    overran: bool = False

    @classmethod
    def start(cls, task: Task[Name]) -> _Running[Name]:
        stdout, stderr = (tempfile.TemporaryFile() for _ in range(2))  # noqa: SIM115 -- read and closed at the end
        environment = {**os.environ, **task.environment}
        process = subprocess.Popen(
            task.command,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env=environment,
            start_new_session=True,  # a group of its own, to be killed with all that it started
        )
        return cls(task, process, stdout, stderr)

    def poll(self) -> Ended[Name] | None:
        """What the process did once it has ended; a process that overruns is killed."""
        wall = time.monotonic() - self.started
        pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
        if not pid:
            if wall > self.task.limit + GRACE and not self.overran:
                self.overran = True
                self.kill()
            return None
        self.process.returncode = os.waitstatus_to_exitcode(status)
        out, err = (_text(stream) for stream in (self.stdout, self.stderr))
        cpu = usage.ru_utime + usage.ru_stime
        return Ended(self.task, self.process.returncode, self.overran, out, err, wall, cpu, usage.ru_maxrss * 1024)

    def kill(self) -> None:
        """End the process and what it started."""
        os.killpg(self.process.pid, signal.SIGKILL)

    def abandon(self) -> None:
        """Kill, and wait for the end."""
        self.kill()
        self.process.wait()


def _text(stream: IO[bytes]) -> str:
    with stream:
        stream.seek(0)
        return stream.read().decode(errors="replace")


def run_all(tasks: Iterable[Task[Name]], jobs: int, report: Callable[[Ended[Name]], None]) -> None:
    """Run the tasks in their order, ``jobs`` at a time; ``report`` each as it ends.

    SIGTERM ends the caller as Ctrl-C does, by ``KeyboardInterrupt``, so that no process is left behind.
    """
    waiting = iter(tasks)
    running: list[_Running[Name]] = []
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while True:
            running += map(_Running.start, islice(waiting, jobs - len(running)))
            if not running:
                return
            time.sleep(_POLL)
            for one in list(running):
                ended = one.poll()
                if ended is not None:
                    running.remove(one)
                    report(ended)
    finally:
        for one in running:
            one.abandon()
        signal.signal(signal.SIGTERM, before)


def code_version() -> str:
    """The commit of the code, ``+`` when files of the package differ from it; without git, the release."""
    folder = Path(__file__).resolve().parent

    def git(*arguments: str) -> str | None:
        command = ["git", "-C", str(folder), *arguments]
        try:
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        except (OSError, subprocess.CalledProcessError):
            return None

    commit = git("rev-parse", "--short=12", "HEAD")
    if commit is None:
        from importlib import metadata

        return metadata.version("pyprover")
    return commit + ("+" if git("status", "--porcelain", "--untracked-files=no", "--", ".") else "")
