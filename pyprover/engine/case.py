"""Properties as cases: each is a set of points that must be shown empty.

A *margin* is an affine form of the outputs. A case is the set of points where no margin is positive: f leaves group A
towards class j where ``f_i - f_j <= 0`` for all i in A; an `Avoid` case holds where the opposite of each of its
comparisons is at most 0. A case is empty when some convex combination of its margins is positive everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pyprover.errors import UserError
from pyprover.query import Comparison, Property, Within


@dataclass(frozen=True, slots=True)
class Margin:
    """``sum of weight * output + constant``.

    ``strict``: the case needs it negative, so that 0 already excludes the case. ``loser``: the class that does not win
    where the margin is positive, if it is the lead of one class over another.
    """

    terms: tuple[tuple[int, Fraction], ...]
    constant: Fraction
    strict: bool
    loser: int | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """The points where no margin is positive."""

    margins: tuple[Margin, ...]


@lru_cache(maxsize=1 << 16)
def difference(first: int, second: int) -> Margin:
    """``f_first - f_second``."""
    return Margin(((first, Fraction(1)), (second, Fraction(-1))), Fraction(0), strict=False, loser=second)


def beats(outsider: int, group: Sequence[int]) -> Case:
    """The points where the outsider is at least as good as every class of the group."""
    return Case(tuple(difference(i, outsider) for i in group))


def cases_of(prop: Property, outputs: int) -> tuple[Case, ...]:
    """The cases that must be empty for the property to hold; ``UserError`` on an output that does not exist."""
    if isinstance(prop, Within):
        group = sorted(set(prop.classes))
        _require(group, outputs)
        return tuple(beats(j, group) for j in range(outputs) if j not in set(group))
    for case in prop.cases:
        _require([term.output for comparison in case for term in comparison.terms], outputs)
    return tuple(Case(tuple(_opposite(c) for c in case)) for case in prop.cases)


def _require(used: Sequence[int], outputs: int) -> None:
    for index in used:
        if not 0 <= index < outputs:
            hint = f"outputs are numbered 0 to {outputs - 1}"
            raise UserError(f"output {index} does not exist: the network has {outputs} outputs", hint)


def _opposite(comparison: Comparison) -> Margin:
    weights: dict[int, Fraction] = {}
    for term in comparison.terms:
        weights[term.output] = weights.get(term.output, Fraction(0)) - term.weight
    terms = tuple(sorted((output, weight) for output, weight in weights.items() if weight))
    return Margin(terms, -comparison.constant, comparison.strict)


def violation(prop: Property, outputs: npt.NDArray[np.float64]) -> float:
    """How strictly the property fails at some outputs (n,): positive when it does."""
    if isinstance(prop, Within):
        inside = np.zeros(len(outputs), dtype=bool)
        inside[list(prop.classes)] = True
        return float(outputs[~inside].max(initial=-np.inf) - outputs[inside].max(initial=-np.inf))
    return max((case_violation(case, outputs) for case in cases_of(prop, len(outputs))), default=-np.inf)


def case_violation(case: Case, outputs: npt.NDArray[np.float64]) -> float:
    """How strictly the case holds at some outputs (n,): positive when it does, 0 when a margin is 0."""
    values = (-float(m.constant) - sum(float(w) * float(outputs[k]) for k, w in m.terms) for m in case.margins)
    return min(values, default=np.inf)


@dataclass(frozen=True, eq=False)
class Forms:
    """The margins of several cases in float64, padded to one count; padding is all zero.

    ``weights`` (cases, margins, outputs); ``constants`` and ``valid`` (cases, margins).
    """

    weights: Tensor
    constants: Tensor
    valid: Tensor

    @classmethod
    def of(cls, cases: Sequence[Case], outputs: int) -> Forms:
        """The forms of some cases."""
        width = max((len(case.margins) for case in cases), default=0)
        weights = torch.zeros(len(cases), width, outputs, dtype=torch.float64)
        constants = torch.zeros(len(cases), width, dtype=torch.float64)
        valid = torch.zeros(len(cases), width, dtype=torch.bool)
        for k, case in enumerate(cases):
            count = len(case.margins)
            weights[k, :count], constants[k, :count] = matrix(case.margins, outputs)
            valid[k, :count] = True
        return cls(weights, constants, valid)

    def of_cases(self, rows: Tensor) -> Forms:
        """The forms of some of the cases, in this order."""
        return Forms(self.weights[rows], self.constants[rows], self.valid[rows])

    def violations(self, values: Tensor) -> Tensor:
        """How strictly each case holds at outputs (points, outputs): (points, cases), positive when it does."""
        margins = torch.einsum("cmo,po->pcm", self.weights, values) + self.constants
        return -margins.masked_fill(~self.valid, -torch.inf).amax(2)


def matrix(margins: Sequence[Margin], outputs: int) -> tuple[Tensor, Tensor]:
    """Margins as float64 rows (margins, outputs) and constants (margins,), to nearest."""
    weights = torch.zeros(len(margins), outputs, dtype=torch.float64)
    for row, margin in enumerate(margins):
        for output, weight in margin.terms:
            weights[row, output] = float(weight)
    return weights, torch.tensor([float(margin.constant) for margin in margins], dtype=torch.float64)
