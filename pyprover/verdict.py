"""Verdicts, as the protocol page defines them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Witness:
    """A checked counterexample; see ``grammar/protocol.md`` for each field."""

    file: str
    picture: str | None
    classes: tuple[int, ...]
    margin: float
    distance: float
    centre: bool


@dataclass(frozen=True, slots=True)
class Valid:
    """The property holds everywhere in the region."""


@dataclass(frozen=True, slots=True)
class Invalid:
    """The property fails at ``witness``, replayed in ONNX Runtime."""

    witness: Witness


@dataclass(frozen=True, slots=True)
class Unknown:
    """Undecided: ``reason`` says why (``bound``, ``tie``, ``rounding`` ...)."""

    reason: str


@dataclass(frozen=True, slots=True)
class Timeout:
    """Undecided: the time limit came first."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Undecided: something broke; ``message`` is for the user."""

    message: str


Verdict = Valid | Invalid | Unknown | Timeout | Failure


@dataclass(frozen=True, slots=True)
class Outcome:
    """Verdict on one property, the step that decided it, and the best proven margin (None: no bound)."""

    verdict: Verdict
    step: str
    margin: float | None


@dataclass(frozen=True, slots=True)
class Reached:
    """A class that some property forbids and that was seen to win."""

    class_index: int
    witness: Witness


@dataclass(frozen=True, slots=True)
class NoiseUse:
    """How a zonotope analysis kept its noise; see ``grammar/protocol.md`` for each field."""

    storage: str
    reason: str
    symbols: int
    predicted: int
    peak: int
    boxed: float

    def __str__(self) -> str:
        """For a reader."""
        boxed = f", {self.boxed:.0%} of the outputs' width without symbols" if self.boxed else ""
        took = f"{self.predicted / 2**20:.0f} MiB predicted, {self.peak / 2**20:.0f} MiB taken"
        return f"noise {self.storage}, {self.symbols} symbols at the outputs{boxed}; {took}; {self.reason}"


@dataclass(frozen=True, slots=True)
class Step:
    """CPU seconds of one step of the cascade, and how its noise was kept where it had some."""

    name: str
    seconds: float
    noise: NoiseUse | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """All that is known about one query."""

    query: int
    outcomes: tuple[Outcome, ...]
    centre: tuple[int, ...]
    impossible: tuple[int, ...]
    reached: tuple[Reached, ...]
    seconds: float
    steps: tuple[Step, ...]
