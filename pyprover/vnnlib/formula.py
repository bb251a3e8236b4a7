"""What a VNN-LIB file says, in exact numbers: a formula over the inputs and outputs of one network.

Both versions of the language are read into these types. A property describes *counterexamples*: the network satisfies
it when no input makes the formula true.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from pyprover.mistakes import Mistake, Place


class FormulaError(Exception):
    """One mistake of the user, or one thing that is not supported, at its place; readers turn it into a message."""

    def __init__(self, mistake: Mistake) -> None:
        super().__init__(mistake.message)
        self.mistake = mistake


def refuse(place: Place, message: str, hint: str | None = None) -> FormulaError:
    """The error to raise for what is wrong at a place."""
    return FormulaError(Mistake(place, message, hint))


@dataclass(frozen=True, slots=True)
class Sum:
    """``sum of weight * input + sum of weight * output + constant``; indices are row-major, from 0."""

    inputs: Mapping[int, Fraction]
    outputs: Mapping[int, Fraction]
    constant: Fraction

    def plus(self, other: Sum, factor: Fraction) -> Sum:
        """``self + factor * other``."""
        return Sum(
            _added(self.inputs, other.inputs, factor),
            _added(self.outputs, other.outputs, factor),
            self.constant + factor * other.constant,
        )

    def times(self, factor: Fraction) -> Sum:
        """``factor * self``."""
        return ZERO.plus(self, factor)

    @property
    def is_constant(self) -> bool:
        """Whether no variable is left."""
        return not self.inputs and not self.outputs


def _added(left: Mapping[int, Fraction], right: Mapping[int, Fraction], factor: Fraction) -> Mapping[int, Fraction]:
    if not right:
        return left
    weights = dict(left)
    for index, weight in right.items():
        weights[index] = weights.get(index, Fraction(0)) + factor * weight
    return {index: weight for index, weight in weights.items() if weight}


ZERO = Sum({}, {}, Fraction(0))


@dataclass(frozen=True, slots=True)
class Atom:
    """``sum >= 0``, or ``sum > 0`` when strict."""

    sum: Sum
    strict: bool
    place: Place


@dataclass(frozen=True, slots=True)
class And:
    """All of the parts."""

    parts: tuple[Formula, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of the parts."""

    parts: tuple[Formula, ...]


Formula = Atom | And | Or

# The sign of ``left - right`` in ``sum >= 0`` and the strictness, for each order relation.
_ORDERS = {">=": (1, False), ">": (1, True), "<=": (-1, False), "<": (-1, True)}
RELATIONS = (*_ORDERS, "=", "!=")


def compare(relation: str, left: Sum, right: Sum, place: Place) -> Formula:
    """``left relation right``, where the relation is one of `RELATIONS`."""
    if relation in _ORDERS:
        sign, strict = _ORDERS[relation]
        greater, lesser = (left, right) if sign > 0 else (right, left)
        return Atom(greater.plus(lesser, Fraction(-1)), strict, place)
    sides = (compare(order, left, right, place) for order in ((">=", "<=") if relation == "=" else (">", "<")))
    return And(tuple(sides)) if relation == "=" else Or(tuple(sides))


def negate(formula: Formula) -> Formula:
    """What holds where the formula does not; strictness flips exactly."""
    match formula:
        case Atom():
            return Atom(formula.sum.times(Fraction(-1)), not formula.strict, formula.place)
        case And():
            return Or(tuple(map(negate, formula.parts)))
        case Or():
            return And(tuple(map(negate, formula.parts)))


@dataclass(frozen=True, slots=True)
class Specification:
    """A file's formula, with the numbers of inputs and outputs that it declares."""

    file: str
    inputs: int
    outputs: int
    formula: Formula
