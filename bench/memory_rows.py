"""The rows of `bench/memory.py`, and the file that holds them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """A measurement; sizes in MiB, times in seconds. ``layers``: what is held after each step, apart by spaces.

    ``predicted``: the peak by the cost model, told how many symbols appear; NaN for storages that are not planned.

    ``difference``: the most by which a bound of an output differs from the dense one, relative to the largest bound;
    NaN where dense noise was not measured.
    """

    network: str
    storage: str
    base: float
    peak: float
    predicted: float
    holds: float
    largest: float
    cpu: float
    wall: float
    symbols: int
    difference: float
    commit: str
    layers: str

    @property
    def key(self) -> tuple[str, str]:
        """What was measured."""
        return self.network, self.storage


def read(path: Path) -> list[Row]:
    """The rows of an earlier run."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        kinds = {"float": float, "int": int, "str": str}
        return [Row(**{f.name: kinds[str(f.type)](line[f.name]) for f in fields(Row)}) for line in csv.DictReader(file)]


def write(path: Path, rows: Sequence[Row]) -> None:
    """All rows, or the file as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, [f.name for f in fields(Row)])
        table.writeheader()
        table.writerows({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in asdict(row).items()} for row in rows)
    part.replace(path)
