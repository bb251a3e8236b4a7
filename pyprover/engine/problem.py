"""What the engine is asked, and what it knows so far about one query."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property

import numpy as np
import numpy.typing as npt

from pyprover.domains.base import LARGEST
from pyprover.domains.resources import Resources
from pyprover.engine.case import Case, Margin, beats, case_violation, cases_of
from pyprover.engine.ledger import Ledger
from pyprover.query import Deployment, Property, Within
from pyprover.region import Region
from pyprover.verdict import (
    Answer,
    Invalid,
    NoiseUse,
    Outcome,
    Reached,
    Step,
    Timeout,
    Unknown,
    Valid,
    Verdict,
    Witness,
)
from pyprover.witness import Checked


@dataclass(frozen=True, eq=False)
class Problem:
    """One query, its region resolved: what must hold there."""

    query: int
    region: Region
    properties: tuple[Property, ...]


Store = Callable[[Problem, npt.NDArray[np.float32], Checked], Witness]
"""Saves a checked counterexample (*input_shape)."""


@dataclass(frozen=True, eq=False)
class Settings:
    """How to verify.

    ``time_limit``: wall-clock seconds a query; a batch shares its queries' time. ``full_matrix``: go on after
    verdicts until each forbidden class is reached, impossible, or left open. ``domain``: the only one to prove with,
    or ``None`` for all. ``deployment``: what a proof covers. ``resources``: what analyses may use beside time.
    """

    time_limit: float
    store: Store
    full_matrix: bool = False
    domain: str | None = None
    seed: int = 0
    deployment: Deployment = Deployment.REAL
    resources: Resources = field(default_factory=Resources)


@dataclass(eq=False)
class Progress:
    """What is known about one problem; ``notes`` per property: why it stays open although a candidate was found.

    ``seconds`` and ``noise`` by the step that took them, or kept it. ``refused``: why a domain could not be used.
    ``allowance``: by how much each output of the deployed network can differ, which the cases leave room for; ``None``
    when only the network over the reals is asked about.
    """

    problem: Problem
    cases: tuple[tuple[Case, ...], ...]
    classes: int
    outcomes: list[Outcome | None]
    notes: list[str | None]
    ledger: Ledger = field(default_factory=Ledger)
    centre: tuple[int, ...] = ()
    centre_outputs: npt.NDArray[np.float64] | None = None
    reached: dict[int, Witness] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    noise: dict[str, NoiseUse] = field(default_factory=dict)
    last_step: str = "centre"
    expired: bool = False
    refused: str | None = None
    allowance: tuple[Fraction, ...] | None = None

    @classmethod
    def start(cls, problem: Problem, classes: int) -> Progress:
        """Nothing known; ``UserError`` when a property does not fit the network."""
        count = len(problem.properties)
        cases = tuple(cases_of(prop, classes) for prop in problem.properties)
        return cls(problem, cases, classes, [None] * count, [None] * count)

    @cached_property
    def inward(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]] | None:
        """The largest float32 box inside the region."""
        return self.problem.region.inward()

    def leave_room(self, error: Sequence[float]) -> None:
        """From now on ask for margins that exceed what errors of the outputs can take from them."""
        self.allowance = tuple(Fraction(min(e, LARGEST)) for e in error)
        self.cases = tuple(tuple(map(self._with_room, cases)) for cases in self.cases)
        if self.centre_outputs is not None:
            for k in self.open:
                self.note_hidden(k, self.centre_outputs)

    def _room(self, margin: Margin) -> Fraction:
        assert self.allowance is not None
        return sum((abs(weight) * self.allowance[k] for k, weight in margin.terms), Fraction(0))

    def _with_room(self, case: Case) -> Case:
        """The case with each margin less what rounding can take from it."""
        if self.allowance is None:
            return case
        return Case(tuple(replace(m, constant=m.constant - self._room(m)) for m in case.margins))

    def note_hidden(self, index: int, outputs: npt.NDArray[np.float64]) -> None:
        """Note that at some point, with these outputs, rounding hides whether the property holds."""
        if self.allowance is not None and any(case_violation(case, outputs) >= 0 for case in self.cases[index]):
            self.notes[index] = self.notes[index] or "rounding"

    @property
    def open(self) -> list[int]:
        """Properties without an outcome."""
        return [k for k, outcome in enumerate(self.outcomes) if outcome is None]

    def forbidden(self) -> set[int]:
        """Classes that some property forbids."""
        groups = [set(p.classes) for p in self.problem.properties if isinstance(p, Within)]
        return {j for j in range(self.classes) if any(j not in group for group in groups)}

    def wins(self, label: int) -> Case:
        """The points where a class is a maximiser."""
        return self._with_room(beats(label, [i for i in range(self.classes) if i != label]))

    def pending_classes(self) -> list[int]:
        """Forbidden classes neither reached nor proven unable to win."""
        return sorted(self.forbidden() - set(self.reached) - self.ledger.losers())

    def decide(self, index: int, verdict: Verdict, step: str) -> None:
        """Settle a property."""
        self.outcomes[index] = Outcome(verdict, step, self.margin(index))

    def severity(self, classes: Iterable[int]) -> int:
        """How bad answers are: the size of the largest set of classes, of those that must not be left, without them."""
        answers = set(classes)
        sets = (set(p.classes) for p in self.problem.properties if isinstance(p, Within))
        return max((len(allowed) for allowed in sets if not allowed & answers), default=0)

    def witnesses(self) -> list[tuple[int, Witness]]:
        """The witnesses of refuted properties."""
        verdicts = ((k, outcome.verdict) for k, outcome in enumerate(self.outcomes) if outcome is not None)
        return [(k, verdict.witness) for k, verdict in verdicts if isinstance(verdict, Invalid)]

    def replace_witness(self, index: int, witness: Witness) -> None:
        """Refute a refuted property by another witness."""
        outcome = self.outcomes[index]
        assert outcome is not None
        self.outcomes[index] = replace(outcome, verdict=Invalid(witness))

    def settle_proven(self, step: str) -> None:
        """Settle the properties all of whose cases are excluded."""
        for k in self.open:
            if all(self.ledger.excludes(case) for case in self.cases[k]):
                self.decide(k, Valid(), step)

    def settle_rest(self) -> None:
        """Settle what is left as undecided."""
        for k in self.open:
            note = self.notes[k] or self.refused or ("rounding" if self._needs_room(k) else "bound")
            verdict: Verdict = Timeout() if self.expired else Unknown(note)
            self.decide(k, verdict, self.last_step)

    def _needs_room(self, index: int) -> bool:
        """Whether the property is proven but for the room that was left."""
        if self.allowance is None:
            return False
        rooms = {case: min(map(self._room, case.margins), default=Fraction(0)) for case in self.cases[index]}
        known = {case: self.ledger.margin(case) for case in rooms}
        return all(m is not None and m + rooms[case] > 0 for case, m in known.items())

    def margin(self, index: int) -> float | None:
        """The least margin over the property's cases, each the best known; ``None`` when one is not known."""
        known = [self.ledger.margin(case) for case in self.cases[index]]
        margins = [m for m in known if m is not None and np.isfinite(m)]
        return min(margins) if margins and len(margins) == len(known) else None

    def answer(self) -> Answer:
        """What is known, as the protocol says it."""
        return Answer(
            query=self.problem.query,
            outcomes=tuple(outcome for outcome in self.outcomes if outcome is not None),
            centre=self.centre,
            impossible=tuple(sorted(self.ledger.losers())),
            reached=tuple(Reached(label, self.reached[label]) for label in sorted(self.reached)),
            seconds=sum(self.seconds.values()),
            steps=tuple(Step(name, seconds, self.noise.get(name)) for name, seconds in self.seconds.items()),
        )


@contextmanager
def stopwatch(step: str, sharers: Sequence[Progress]) -> Iterator[None]:
    """Charge the CPU seconds spent inside, in equal shares."""
    for progress in sharers:
        progress.last_step = step
    start = time.process_time()
    try:
        yield
    finally:
        share = (time.process_time() - start) / max(1, len(sharers))
        for progress in sharers:
            progress.seconds[step] = progress.seconds.get(step, 0.0) + share


class OutOfTimeError(Exception):
    """The time limit was reached; never leaves the engine."""


@dataclass(frozen=True)
class Deadline:
    """A moment of the monotonic clock."""

    moment: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """So many seconds from now."""
        return cls(time.monotonic() + seconds)

    def share(self, sharers: int) -> Deadline:
        """The moment when the first of several equal parts of the time left ends."""
        now = time.monotonic()
        return Deadline(now + max(0.0, self.moment - now) / sharers)

    def within(self, seconds: float) -> Deadline:
        """The moment after so many seconds, or this one when it comes first."""
        return Deadline(min(self.moment, time.monotonic() + seconds))

    def spare(self) -> bool:
        """Whether any time is left."""
        return time.monotonic() < self.moment

    def check(self) -> None:
        """Raise when the moment has passed."""
        if time.monotonic() > self.moment:
            raise OutOfTimeError
