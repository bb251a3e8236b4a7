"""A property as questions to the engine: boxes of inputs, each with the cases of outputs to avoid there.

The formula is brought into disjunctive normal form. Disjuncts with the same bounds on the inputs share a region.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, product
from math import prod

import numpy as np

from pyprover.errors import UserError
from pyprover.mistakes import MistakesError
from pyprover.query import Avoid, Comparison, Term
from pyprover.region import Region
from pyprover.vnnlib.formula import And, Atom, Formula, FormulaError, Or, Specification, refuse

_MOST_CASES = 100_000

_Edge = tuple[Fraction, bool]  # a bound, and whether it is excluded
_Bounds = Mapping[tuple[int, bool], _Edge]  # by input, and whether the bound is the upper one


@dataclass(frozen=True, slots=True)
class Question:
    """The property holds where no case holds at any point of any region."""

    region: Region
    avoid: Avoid


def questions(specification: Specification) -> tuple[Question, ...]:
    """The regions that must avoid their cases; none when the formula is false whatever the network.

    Raises ``UserError``: an input without bounds, a constraint on several inputs or on inputs and outputs together,
    and more than 100,000 disjuncts.
    """
    common: list[Atom] = []
    choices: list[Or] = []
    _flatten(specification.formula, common, choices)
    try:
        always = _split(common)
        disjuncts = [[_split(atoms) for atoms in _disjuncts(choice, specification.file)] for choice in choices]
    except FormulaError as error:
        raise MistakesError(specification.file, [error.mistake]) from None
    if always is None:
        return ()
    possible = [[part for part in parts if part is not None] for parts in disjuncts]
    _require_few(prod(map(len, possible)), specification.file)
    base = _Box(specification, always.bounds)
    cases: dict[tuple[tuple[tuple[int, bool], _Edge], ...], list[tuple[Comparison, ...]]] = {}
    for chosen in product(*possible):
        bounds = _tightest(chain.from_iterable(part.bounds.items() for part in chosen))
        key = tuple(sorted(bounds.items()))
        comparisons = chain(always.comparisons, *(part.comparisons for part in chosen))
        cases.setdefault(key, []).append(tuple(comparisons))
    return tuple(Question(base.region(dict(key)), Avoid(tuple(avoided))) for key, avoided in cases.items())


def _flatten(formula: Formula, common: list[Atom], choices: list[Or]) -> None:
    match formula:
        case Atom():
            common.append(formula)
        case Or(parts=(only,)):
            _flatten(only, common, choices)
        case Or():
            choices.append(formula)
        case And():
            for part in formula.parts:
                _flatten(part, common, choices)


def _disjuncts(formula: Formula, file: str) -> list[tuple[Atom, ...]]:
    """The disjunctive normal form."""
    match formula:
        case Atom():
            return [(formula,)]
        case Or():
            parts = [_disjuncts(part, file) for part in formula.parts]
            _require_few(sum(map(len, parts)), file)
            return [atoms for part in parts for atoms in part]
        case And():
            parts = [_disjuncts(part, file) for part in formula.parts]
            _require_few(prod(map(len, parts)), file)
            return [tuple(chain.from_iterable(chosen)) for chosen in product(*parts)]


def _require_few(count: int, file: str) -> None:
    if count > _MOST_CASES:
        raise UserError(f"{file}: the formula has more than {_MOST_CASES:,} cases when its disjunctions are multiplied")


@dataclass(frozen=True, slots=True)
class _Part:
    """A conjunction, its atoms on inputs apart from those on outputs."""

    bounds: _Bounds
    comparisons: tuple[Comparison, ...]


def _split(atoms: Sequence[Atom]) -> _Part | None:
    """A conjunction in parts; ``None`` when one of its atoms is false whatever the variables."""
    bounds: list[tuple[tuple[int, bool], _Edge]] = []
    comparisons: list[Comparison] = []
    for atom in atoms:
        if atom.sum.inputs:
            bounds.append(_bound(atom))
        elif atom.sum.outputs:
            terms = tuple(Term(output, weight) for output, weight in sorted(atom.sum.outputs.items()))
            comparisons.append(Comparison(terms, atom.sum.constant, atom.strict))
        elif atom.sum.constant < 0 or (atom.strict and not atom.sum.constant):
            return None
    return _Part(_tightest(bounds), tuple(comparisons))


def _bound(atom: Atom) -> tuple[tuple[int, bool], _Edge]:
    """``weight * input + constant >= 0`` as a bound."""
    if atom.sum.outputs:
        raise refuse(atom.place, "a constraint on inputs and outputs together is not supported")
    if len(atom.sum.inputs) > 1:
        raise refuse(atom.place, "a constraint on several inputs is not supported", "inputs may be bounded one by one")
    ((index, weight),) = atom.sum.inputs.items()
    value = -atom.sum.constant / weight
    if abs(value) > _LARGEST:
        raise refuse(atom.place, "a bound beyond the range of float32, the type of the network's input")
    return (index, weight < 0), (value, atom.strict)


_LARGEST = Fraction(float(np.finfo(np.float32).max))


def _tightest(bounds: Iterable[tuple[tuple[int, bool], _Edge]]) -> dict[tuple[int, bool], _Edge]:
    tightest: dict[tuple[int, bool], _Edge] = {}
    for side, edge in bounds:
        old = tightest.get(side)
        tightest[side] = edge if old is None else _tighter(side, old, edge)
    return tightest


def _tighter(side: tuple[int, bool], first: _Edge, second: _Edge) -> _Edge:
    """The tighter of two edges; of equal bounds the one that is excluded."""
    if first[0] == second[0]:
        return max(first, second)
    return min(first, second) if side[1] else max(first, second)


@dataclass(frozen=True, slots=True)
class _Box:
    """The bounds that every disjunct shares."""

    specification: Specification
    bounds: _Bounds

    def region(self, own: _Bounds) -> Region:
        """The box, with a disjunct's own bounds."""
        bounds = _tightest(chain(self.bounds.items(), own.items())) if own else self.bounds
        low, high = (self._edges(bounds, upper) for upper in (False, True))
        lower, upper = (tuple(value for value, _ in edges) for edges in (low, high))
        return Region(
            lower,
            upper,
            centre=tuple((a + b) / 2 for a, b in zip(lower, upper, strict=True)),
            scale=(Fraction(1),) * len(lower),
            strict_lower=frozenset(i for i, (_, strict) in enumerate(low) if strict),
            strict_upper=frozenset(i for i, (_, strict) in enumerate(high) if strict),
        )

    def _edges(self, bounds: _Bounds, upper: object) -> list[_Edge]:
        edges = [bounds.get((index, bool(upper))) for index in range(self.specification.inputs)]
        found = [edge for edge in edges if edge is not None]
        if len(found) < len(edges):
            name = f"input {edges.index(None)}"
            raise UserError(f"{self.specification.file}: {name} has no {'upper' if upper else 'lower'} bound")
        return found
