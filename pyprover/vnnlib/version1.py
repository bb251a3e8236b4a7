"""VNN-LIB 1.0: the part of SMT-LIB that benchmarks use, with inputs ``X_0, X_1, ...`` and outputs ``Y_0, Y_1, ...``.

The ``vnnlib`` package reads version 2.0 only. Literals are kept as text until they are exact.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, reduce

from pyprover.mistakes import Place
from pyprover.vnnlib.formula import RELATIONS, And, Formula, Or, Specification, Sum, compare, negate, refuse
from pyprover.vnnlib.literals import decimal

_TOKEN = re.compile(r';[^\n]*|"[^"]*"|[()]|[^\s();"]+')
_VARIABLE = re.compile(r"([XY])_(0|[1-9]\d*)", re.ASCII)
_IGNORED = {"set-logic", "set-info", "set-option", "check-sat", "get-model", "exit"}
_DEEPEST = 200  # brackets in brackets; Python's own recursion has a limit


@dataclass(frozen=True, slots=True)
class _Word:
    """A token, and where it starts in the text."""

    text: str
    start: int


@dataclass(frozen=True, slots=True)
class _List:
    """What stands between two brackets; ``start`` is the opening one's."""

    items: list[_Node]
    start: int


_Node = _Word | _List


def read(file: str, text: str) -> Specification:
    """Read the text of a file; ``FormulaError`` at the first mistake."""
    return _Reader(text).specification(file)


@dataclass(eq=False)
class _Reader:
    text: str
    variables: dict[str, Sum] = field(default_factory=dict)
    highest: dict[str, int] = field(default_factory=lambda: {"X": -1, "Y": -1})

    def specification(self, file: str) -> Specification:
        parts: list[Formula] = []
        for command in self._nodes():
            self._command(command, parts)
        inputs, outputs = (self._count(letter) for letter in "XY")
        return Specification(file, inputs, outputs, And(tuple(parts)))

    def _count(self, letter: str) -> int:
        count = self.highest[letter] + 1
        missing = next((k for k in range(count) if f"{letter}_{k}" not in self.variables), None)
        if missing is not None or not count:
            end = self._place(_Word("", max(len(self.text) - 1, 0)))
            raise refuse(end, f"{letter}_{missing or 0} is not declared")
        return count

    def _nodes(self) -> list[_Node]:
        """The lists and words of the text."""
        stack: list[_List] = [_List([], 0)]
        for match in _TOKEN.finditer(self.text):
            token = match[0]
            if token == "(":
                stack.append(_List([], match.start()))
                if len(stack) > _DEEPEST:
                    raise refuse(self._place(stack[-1]), f"brackets more than {_DEEPEST} deep")
            elif token == ")":
                if len(stack) == 1:
                    raise refuse(self._place(_Word(token, match.start())), "a closing bracket that nothing opened")
                done = stack.pop()
                stack[-1].items.append(done)
            elif token[0] != ";":
                stack[-1].items.append(_Word(token, match.start()))
        if len(stack) > 1:
            raise refuse(self._place(stack[-1]), "this bracket is not closed")
        return stack[0].items

    def _command(self, node: _Node, parts: list[Formula]) -> None:
        head, arguments = self._applied(node)
        match head, arguments:
            case "assert", [formula]:
                parts.append(self._formula(formula))
            case ("declare-const", [_Word() as name, sort]) | ("declare-fun", [_Word() as name, _List([]), sort]):
                self._declare(name, sort)
            case (("assert" | "declare-const" | "declare-fun"), _):
                raise refuse(self._place(node), f"malformed {head}")
            case _ if head not in _IGNORED:
                raise refuse(self._place(node), f"the command {head!r} is not supported")

    def _declare(self, name: _Word, sort: _Node) -> None:
        if not isinstance(sort, _Word) or sort.text not in ("Real", "Float"):
            raise refuse(self._place(sort), "variables are declared as Real")
        match = _VARIABLE.fullmatch(name.text)
        if match is None:
            hint = "inputs are X_0, X_1, ... and outputs Y_0, Y_1, ..."
            raise refuse(self._place(name), f"{name.text!r} is not the name of an input or output", hint)
        if name.text in self.variables:
            raise refuse(self._place(name), f"{name.text} is declared twice")
        letter, index = match[1], int(match[2])
        weights = {index: Fraction(1)}
        self.variables[name.text] = Sum(weights, {}, Fraction(0)) if letter == "X" else Sum({}, weights, Fraction(0))
        self.highest[letter] = max(self.highest[letter], index)

    def _formula(self, node: _Node) -> Formula:
        if isinstance(node, _Word) and node.text in ("true", "false"):
            return And(()) if node.text == "true" else Or(())
        head, arguments = self._applied(node)
        if head in ("and", "or"):
            parts = tuple(map(self._formula, arguments))
            return And(parts) if head == "and" else Or(parts)
        if head == "not" and len(arguments) == 1:
            return negate(self._formula(arguments[0]))
        if head in RELATIONS and len(arguments) == 2:
            left, right = map(self._sum, arguments)
            return compare(head, left, right, self._place(node))
        if head in RELATIONS or head == "not":
            raise refuse(self._place(node), f"{head!r} takes {'one formula' if head == 'not' else 'two sides'}")
        known = ", ".join(("and", "or", "not", *RELATIONS[:-1]))
        raise refuse(self._place(node), f"the connective {head!r} is not supported", f"supported: {known}")

    def _sum(self, node: _Node) -> Sum:
        if isinstance(node, _Word):
            return self._leaf(node)
        head, arguments = self._applied(node)
        values = [self._sum(argument) for argument in arguments]
        if not values:
            raise refuse(self._place(node), f"{head!r} of nothing")
        match head:
            case "+":
                return reduce(lambda left, right: left.plus(right, Fraction(1)), values)
            case "-" if len(values) == 1:
                return values[0].times(Fraction(-1))
            case "-":
                return reduce(lambda left, right: left.plus(right, Fraction(-1)), values)
            case "*":
                return reduce(lambda left, right: self._product(node, left, right), values)
            case "/":
                return reduce(lambda left, right: self._quotient(node, left, right), values)
        raise refuse(self._place(node), f"the function {head!r} is not supported", "supported: +, -, *, / by constants")

    def _leaf(self, word: _Word) -> Sum:
        if word.text in self.variables:
            return self.variables[word.text]
        value = decimal(word.text)
        if value is not None:
            return Sum({}, {}, value)
        if _VARIABLE.fullmatch(word.text):
            raise refuse(self._place(word), f"{word.text} is not declared")
        raise refuse(self._place(word), f"{word.text!r} is neither a variable nor a decimal number")

    def _product(self, node: _Node, left: Sum, right: Sum) -> Sum:
        if left.is_constant:
            return right.times(left.constant)
        if right.is_constant:
            return left.times(right.constant)
        raise refuse(self._place(node), "a product of variables: only linear constraints are supported")

    def _quotient(self, node: _Node, left: Sum, right: Sum) -> Sum:
        if not right.is_constant:
            raise refuse(self._place(node), "a division by a variable: only linear constraints are supported")
        if not right.constant:
            raise refuse(self._place(node), "a division by zero")
        return left.times(1 / right.constant)

    def _applied(self, node: _Node) -> tuple[str, Sequence[_Node]]:
        """The head of a list, and the rest."""
        if isinstance(node, _Word):
            raise refuse(self._place(node), f"{node.text!r} where a list in brackets is due")
        if not node.items or not isinstance(node.items[0], _Word):
            raise refuse(self._place(node), "a list that starts with no name")
        return node.items[0].text, node.items[1:]

    def _place(self, node: _Node) -> Place:
        line = bisect_left(self._ends, node.start)
        column = node.start - (self._ends[line - 1] if line else -1)
        width = len(node.text) if isinstance(node, _Word) else 1
        return Place(line + 1, column, line + 1, column + max(width, 1) - 1)

    @cached_property
    def _ends(self) -> list[int]:
        """Where lines end."""
        return [match.start() for match in re.finditer("\n", self.text)]
