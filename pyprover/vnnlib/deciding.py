"""Deciding one property of one network: what ``python -m pyprover vnnlib`` does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from math import prod
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pyprover.domains.resources import Resources
from pyprover.engine import Network, Problem, Settings, verify
from pyprover.errors import UserError
from pyprover.memory import is_out_of_memory
from pyprover.verdict import Answer, Invalid, NoiseUse, Timeout, Valid, Verdict, Witness
from pyprover.vnnlib.cases import Question, questions
from pyprover.vnnlib.reading import read
from pyprover.witness import Checked

Result = Literal["unsat", "sat", "unknown", "timeout"]
_BATCH = 32  # regions tried together


@dataclass(frozen=True, eq=False)
class Counterexample:
    """A point where the formula holds: flat float32 inputs and ONNX Runtime's outputs there."""

    inputs: NDArray[np.float32]
    outputs: NDArray[np.float32]

    def __str__(self) -> str:
        """The form of VNN-COMP; the decimals are exact."""
        values = [("X", self.inputs), ("Y", self.outputs)]
        lines = [
            f"({letter}_{k} {Decimal(value)})" for letter, row in values for k, value in enumerate(row.ravel().tolist())
        ]
        return "(" + "\n".join(lines) + ")\n"


@dataclass(frozen=True, eq=False)
class Decision:
    """``unsat``: no input makes the formula true. ``reason`` says why a property stays ``unknown``.

    ``noise``: how zonotopes kept their noise, with the step that used them, each once.
    """

    result: Result
    counterexample: Counterexample | None = None
    reason: str | None = None
    noise: tuple[tuple[str, NoiseUse], ...] = ()


class _FoundError(Exception):
    """One region is refuted, which decides all; never leaves this module."""


@dataclass(eq=False)
class _Run:
    """The answers of one property's regions so far, and the counterexample."""

    network: Network
    verdicts: dict[int, Verdict] = field(default_factory=dict)
    noise: dict[tuple[str, NoiseUse], None] = field(default_factory=dict)
    point: NDArray[np.float32] | None = None

    def store(self, _: Problem, point: NDArray[np.float32], checked: Checked) -> Witness:
        """Keep a checked counterexample."""
        self.point = point
        return Witness("", None, checked.classes, checked.margin, checked.distance, checked.centre)

    def emit(self, answer: Answer) -> None:
        """Note an answer; the first refuted region ends the run."""
        (outcome,) = answer.outcomes
        self.verdicts[answer.query] = outcome.verdict
        self.noise.update({(step.name, step.noise): None for step in answer.steps if step.noise is not None})
        if isinstance(outcome.verdict, Invalid):
            raise _FoundError

    def decision(self) -> Decision:
        """What the answers together mean."""
        if self.point is not None:
            outputs = self.network.replayer.outputs(self.point[None])[0]
            return Decision("sat", Counterexample(self.point, outputs))
        open_ = [verdict for verdict in self.verdicts.values() if not isinstance(verdict, Valid)]
        if not open_:
            return Decision("unsat")
        if any(isinstance(verdict, Timeout) for verdict in open_):
            return Decision("timeout")
        return Decision("unknown", reason=getattr(open_[0], "reason", None) or getattr(open_[0], "message", None))


def pose(network: Network, file: Path) -> tuple[Question, ...]:
    """The questions of a property file; ``UserError`` when it cannot be read, or does not fit the network."""
    specification = read(file)
    for name, declared, real in (
        ("input", specification.inputs, prod(network.stored.input_shape)),
        ("output", specification.outputs, network.stored.outputs),
    ):
        if declared != real:
            raise UserError(f"{file} declares {declared} {name}s, the network has {real}")
    return questions(specification)


def decide(
    network: Network,
    asked: Sequence[Question],
    deadline: float,
    seed: int = 0,
    resources: Resources | None = None,
    domain: str | None = None,
) -> Decision:
    """Decide whether some region holds a counterexample, by ``deadline``, a moment of ``time.monotonic()``."""
    run = _Run(network)
    settings = Settings(0.0, run.store, domain=domain, seed=seed, resources=resources or Resources())
    try:
        for first in range(0, len(asked), _BATCH):
            _verify(run, asked[first:], first, deadline, settings)
    except _FoundError:
        pass
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return Decision("unknown", reason="out of memory", noise=tuple(run.noise))
    return replace(run.decision(), noise=tuple(run.noise))


def _verify(run: _Run, waiting: Sequence[Question], first: int, deadline: float, settings: Settings) -> None:
    """Try the first of the waiting regions, in their share of the time that is left."""
    share = max(0.0, deadline - time.monotonic()) / len(waiting)
    problems = [
        Problem(first + place, question.region, (question.avoid,)) for place, question in enumerate(waiting[:_BATCH])
    ]
    verify(run.network, problems, replace(settings, time_limit=share), run.emit)
