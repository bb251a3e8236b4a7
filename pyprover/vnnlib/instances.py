"""Sets of instances: the ``instances.csv`` of VNN-COMP, and a results file that survives any interruption."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from pyprover.errors import UserError

ANSWERS = ("unsat", "sat", "unknown", "timeout", "error")
DECIDED = ("unsat", "sat")


@dataclass(frozen=True, slots=True)
class Instance:
    """A line of ``instances.csv``: paths as written there, relative to ``folder``; ``limit`` in seconds."""

    folder: Path
    network: str
    prop: str
    limit: float

    @property
    def key(self) -> tuple[str, str]:
        """What names the instance in a results file."""
        return self.network, self.prop

    def files(self) -> tuple[Path, Path]:
        """The files; the official lists leave out the ``.gz`` of compressed ones."""
        network, prop = (_existing(self.folder / name) for name in self.key)
        return network, prop


def _existing(path: Path) -> Path:
    compressed = path.with_name(path.name + ".gz")
    return compressed if not path.exists() and compressed.exists() else path


def read_instances(path: Path, limit: float | None) -> list[Instance]:
    """The instances of a file, in its order; ``limit`` replaces the limits written there."""
    try:
        with path.open(newline="") as stream:
            lines = [(reader.line_num, line) for reader in [csv.reader(stream)] for line in reader if any(line)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    return [_instance(path, number, line, limit) for number, line in lines]


def _instance(path: Path, number: int, line: list[str], limit: float | None) -> Instance:
    if len(line) not in (2, 3):
        raise UserError(f"{path}:{number}: {len(line)} fields, not network, property and time limit")
    network, prop, *seconds = (field.strip() for field in line)
    if limit is None:
        limit = _positive(seconds[0]) if seconds else None
    if limit is None:
        raise UserError(f"{path}:{number}: no time limit in seconds", "--time-limit gives one for all")
    return Instance(path.parent, network, prop, limit)


def _positive(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 < seconds < float("inf") else None


@dataclass(frozen=True, slots=True)
class Row:
    """What one run showed: times in seconds, the peak of resident memory in MiB, the version of the code."""

    network: str
    prop: str
    answer: str
    wall_s: float
    cpu_s: float
    peak_mb: float
    limit_s: float
    commit: str

    @property
    def key(self) -> tuple[str, str]:
        """As `Instance.key`."""
        return self.network, self.prop


_HEADER = ["network", "property", *(field.name for field in fields(Row)[2:])]


def _row(network: str, prop: str, answer: str, *rest: str) -> Row:
    *numbers, commit = rest
    wall, cpu, peak, limit = map(float, numbers)
    if answer not in ANSWERS:
        raise ValueError(f"{answer!r} is no answer")
    return Row(network, prop, answer, wall, cpu, peak, limit, commit)


class Results:
    """A CSV file of rows, each written at once and whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def start(cls, path: Path) -> Results:
        """A new file; ``UserError`` when there is one already."""
        if path.exists():
            raise UserError(f"{path} exists", "--resume goes on with it; remove it to start anew")
        results = cls(path)
        results._write(_HEADER)
        return results

    @classmethod
    def resume(cls, path: Path) -> Results:
        """An earlier file to go on with, or a new one; a last line that was cut off is removed."""
        if not path.exists():
            return cls.start(path)
        data = path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            os.truncate(path, len(whole))
        results = cls(path)
        if not whole:
            results._write(_HEADER)
        results.rows()
        return results

    def rows(self) -> list[Row]:
        """What the file holds; ``UserError`` when it is no results file."""
        try:
            with self._path.open(newline="") as stream:
                header, *lines = csv.reader(stream)
            if header != _HEADER:
                raise ValueError("another header")
            return [_row(*line) for line in lines]
        except (OSError, ValueError, TypeError) as error:
            raise UserError(f"{self._path} is no results file: {error}") from error

    def add(self, row: Row) -> None:
        """Append a row, and wait until it is on the disk."""
        self._write(astuple(row))

    def _write(self, values: Iterable[object]) -> None:
        line = io.StringIO(newline="")
        csv.writer(line, lineterminator="\n").writerow(values)
        try:
            with self._path.open("ab", buffering=0) as stream:
                stream.write(line.getvalue().encode())  # one write: a reader sees all of the line or nothing
                os.fsync(stream.fileno())
        except OSError as error:
            raise UserError(f"{self._path} cannot be written: {error.strerror}") from error
