"""From a flat sequence of operands and operators to a tree, by the table of precedences in `grammar/whyml.md`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pyprover.specification.syntax import Term

ATTRIBUTE, TYPE, IMPLICATION, DISJUNCTION, CONJUNCTION, NEGATION, COMPARISON, SUM, PRODUCT, OTHER, PREFIX = range(11)
_TO_THE_RIGHT = frozenset([IMPLICATION, DISJUNCTION, CONJUNCTION, COMPARISON])


@dataclass(frozen=True)
class Prefix:
    """An operator before its operand."""

    level: int
    apply: Callable[[Term], Term]


@dataclass(frozen=True)
class Infix:
    """An operator between its operands."""

    level: int
    apply: Callable[[Term, Term], Term]


@dataclass(frozen=True)
class Cast:
    """``: type``, after its operand."""

    apply: Callable[[Term], Term]


Item = Prefix | Infix | Cast | Term


def shape(items: Iterable[Item]) -> Term:
    """The tree of a sequence; no recursion, however long it is."""
    operators: list[Prefix | Infix] = []
    operands: list[Term] = []

    def reduce_above(level: int) -> None:
        """Apply what binds tighter than ``level``, or as tight where that level groups to the left."""
        while operators and (
            operators[-1].level > level or (operators[-1].level == level and level not in _TO_THE_RIGHT)
        ):
            operator = operators.pop()
            right = operands.pop()
            operands.append(
                operator.apply(right) if isinstance(operator, Prefix) else operator.apply(operands.pop(), right)
            )

    for item in items:
        match item:
            case Prefix():
                operators.append(item)
            case Infix():
                reduce_above(item.level)
                operators.append(item)
            case Cast():
                reduce_above(TYPE)
                operands.append(item.apply(operands.pop()))
            case _:
                operands.append(item)
    reduce_above(ATTRIBUTE)
    (term,) = operands
    return term
