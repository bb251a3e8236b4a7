"""A reader of VNN-LIB 1.0 and an evaluation of its formulas, to check those of `pyprover.vnnlib`.

Formulas are evaluated exactly, in rationals, and on batches of points, as tensors with gradients.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, reduce
from operator import add, mul, sub
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

Node = str | list["Node"]
"""A word, or what stands between two brackets."""


def parsed(text: str) -> list[Node]:
    """The brackets of a VNN-LIB file."""
    stack: list[list[Node]] = [[]]
    for token in re.findall(r"[()]|[^\s()]+", re.sub(r";.*", "", text)):
        if token == "(":
            stack.append([])
        elif token == ")":
            done = stack.pop()
            stack[-1].append(done)
        else:
            stack[-1].append(token)
    return stack[0]


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": add,
    "-": sub,
    "*": mul,
    ">=": sub,
    "<=": lambda left, right: right - left,
}


@dataclass(frozen=True)
class Algebra:
    """What formulas are evaluated in: how a literal is read, and the lesser and the greater of two values."""

    number: Callable[[str], Any]
    least: Callable[[Any, Any], Any]
    most: Callable[[Any, Any], Any]


EXACT = Algebra(Fraction, min, max)
TENSORS = Algebra(float, torch.minimum, torch.maximum)


def slack(node: Node, values: Mapping[str, Any], algebra: Algebra) -> Any:
    """By how much a formula holds, with ``values`` for the variables; negative where it does not."""
    if isinstance(node, str):
        return values[node] if node in values else algebra.number(node)
    head, *parts = node
    found = [slack(part, values, algebra) for part in parts]
    if head == "-" and len(found) == 1:
        return -found[0]
    return reduce({"and": algebra.least, "or": algebra.most, **_ARITHMETIC}[str(head)], found)


@dataclass(frozen=True)
class Formulas:
    """A property: all of ``formulas`` hold at a counterexample."""

    formulas: list[Node]

    @classmethod
    def read(cls, path: Path) -> Formulas:
        """Read VNN-LIB 1.0, compressed or not."""
        text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
        asserted = [node[1] for node in parsed(text) if node[0] == "assert"]
        return cls([part for node in asserted for part in _conjuncts(node)])

    @cached_property
    def box(self) -> tuple[list[Fraction], list[Fraction]]:
        """The bounds of the inputs."""
        lower: dict[int, Fraction] = {}
        upper: dict[int, Fraction] = {}
        for node in self.formulas:
            if _bounds_input(node):
                relation, name, value = map(str, node)
                k, bound = int(name[2:]), Fraction(value)
                if relation == "<=":
                    upper[k] = min(bound, upper.get(k, bound))
                else:
                    lower[k] = max(bound, lower.get(k, bound))
        return [lower[k] for k in range(len(lower))], [upper[k] for k in range(len(upper))]

    @cached_property
    def others(self) -> list[Node]:
        """What does not bound a single input."""
        return [node for node in self.formulas if not _bounds_input(node)]

    def slack_at(self, inputs: Sequence[Fraction], outputs: Sequence[Fraction]) -> Fraction:
        """By how much the property holds at a point, exactly; -1 outside the box."""
        inside = all(low <= x <= high for low, x, high in zip(self.box[0], inputs, self.box[1], strict=True))
        values = {f"{letter}_{k}": v for letter, row in (("X", inputs), ("Y", outputs)) for k, v in enumerate(row)}
        found: Fraction = slack(["and", *self.others], values, EXACT)
        return found if inside else Fraction(-1)

    def targets(self, outputs: Tensor) -> Tensor:
        """Slacks (targets, points) at outputs (points, outputs): a row for each way of the first disjunction."""
        values = {f"Y_{k}": column for k, column in enumerate(outputs.unbind(1))}
        split = next((node for node in self.others if node[0] == "or"), None)
        rest = [slack(node, values, TENSORS)[None] for node in self.others if node is not split]
        alternatives = [] if split is None else [torch.stack([slack(part, values, TENSORS) for part in split[1:]])]
        found: Tensor = reduce(torch.minimum, alternatives + rest)
        return found


def _conjuncts(node: Node) -> list[Node]:
    return [it for part in node[1:] for it in _conjuncts(part)] if node[0] == "and" else [node]


def _bounds_input(node: Node) -> bool:
    return len(node) == 3 and str(node[1]).startswith("X_") and isinstance(node[2], str) and node[2][0] not in "XY"
