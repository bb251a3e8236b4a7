"""VNN-LIB 2.0, read by the ``vnnlib`` package: one network, one input and one output tensor, linear constraints."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from fractions import Fraction
from functools import reduce
from math import prod
from typing import TYPE_CHECKING

import vnnlib

from pyprover.mistakes import Place
from pyprover.vnnlib.formula import And, Formula, Or, Specification, Sum, compare, refuse
from pyprover.vnnlib.literals import decimal

if TYPE_CHECKING:
    from vnnlib._core import Node  # in the package's stubs only

_RELATIONS: tuple[tuple[type[vnnlib.Comparison], str], ...] = (
    (vnnlib.GreaterEqual, ">="),
    (vnnlib.GreaterThan, ">"),
    (vnnlib.LessEqual, "<="),
    (vnnlib.LessThan, "<"),
    (vnnlib.Equal, "="),
    (vnnlib.NotEqual, "!="),
)
_REAL = ("F32", "Real")
_POSITION = re.compile(r"line (\d+)(?:, column (\d+))?")


def read(file: str, text: str) -> Specification:
    """Read the text of a file; ``FormulaError`` at the first mistake."""
    try:
        query = vnnlib.parse_query_string(text)
    except vnnlib.VNNLibException as error:
        raise _refusal(str(error)) from None
    inputs, outputs = _declared(query)
    return Specification(file, inputs, outputs, And(tuple(_formula(part.expr) for part in query.assertions)))


def _refusal(message: str) -> Exception:
    """The package's message, which is JSON or one line, as an error of ours."""
    try:
        first = json.loads(message)["errors"][0]
    except (ValueError, LookupError, TypeError):
        match = _POSITION.search(message)
        line, column = (int(match[1]), int(match[2] or 1)) if match else (1, 1)
        hint = "numbers are written without exponent in VNN-LIB 2.0" if message.endswith("'e'") else None
        what = message.splitlines()[0].removeprefix("Parse error: ")
        return refuse(Place(line, column, line, column), what, hint)
    place = _line(int(first["line"]))
    return refuse(place, f"{first['message']}: {first['offendingSymbol']}", first["hint"])


def _line(line: int) -> Place:
    return Place(line, 1, line, 1)


def _declared(query: vnnlib.Query) -> tuple[int, int]:
    """The numbers of inputs and outputs."""
    if len(query.networks) != 1:
        raise refuse(_line(1), f"{len(query.networks)} networks: only properties of one network are supported")
    (network,) = query.networks
    if network.hidden:
        raise refuse(_line(1), f"hidden tensor {network.hidden[0].name}: only inputs and outputs are supported")
    for kind, tensors in (("input", network.inputs), ("output", network.outputs)):
        if len(tensors) != 1:
            raise refuse(_line(1), f"{len(tensors)} {kind} tensors: only one is supported")
        if tensors[0].dtype.name not in _REAL:
            raise refuse(_line(1), f"{tensors[0].name} is {tensors[0].dtype.name}: only real and float32 are supported")
    return prod(network.inputs[0].shape), prod(network.outputs[0].shape)


def _formula(node: vnnlib.BoolExpr) -> Formula:
    if isinstance(node, vnnlib.And):
        return And(tuple(map(_formula, node.args)))
    if isinstance(node, vnnlib.Or):
        return Or(tuple(map(_formula, node.args)))
    relation = next((name for kind, name in _RELATIONS if isinstance(node, kind)), None)
    if relation is None or not isinstance(node, vnnlib.Comparison):
        raise refuse(_line(1), f"the formula {node} is not supported")
    return compare(relation, _sum(node.lhs), _sum(node.rhs), _place(node))


def _sum(node: vnnlib.ArithExpr) -> Sum:
    match node:
        case vnnlib.Var():
            return _variable(node)
        case vnnlib.Literal():
            value = decimal(node.lexeme)
            if value is None:
                raise refuse(_place(node), f"{node.lexeme!r} is not a decimal number")
            return Sum({}, {}, value)
        case vnnlib.Negate():
            return _sum(node.expr).times(Fraction(-1))
        case vnnlib.Plus():
            return reduce(lambda left, right: left.plus(right, Fraction(1)), map(_sum, node.args))
        case vnnlib.Minus():
            return reduce(lambda left, right: left.plus(right, Fraction(-1)), map(_sum, node.rest), _sum(node.head))
        case vnnlib.Multiply():
            return reduce(lambda left, right: _product(node, left, right), map(_sum, node.args))
    raise refuse(_place(node), f"the term {node} is not supported")


def _product(node: vnnlib.ArithExpr, left: Sum, right: Sum) -> Sum:
    if left.is_constant:
        return right.times(left.constant)
    if right.is_constant:
        return left.times(right.constant)
    raise refuse(_place(node), "a product of variables: only linear constraints are supported")


def _variable(node: vnnlib.Var) -> Sum:
    weights = {_row_major(node.indices, node.shape): Fraction(1)}
    if node.kind == vnnlib.SymbolKind.Input:
        return Sum(weights, {}, Fraction(0))
    return Sum({}, weights, Fraction(0))


def _row_major(indices: Sequence[int], shape: Sequence[int]) -> int:
    return reduce(lambda flat, pair: flat * pair[1] + pair[0], zip(indices, shape, strict=True), 0)


def _place(node: Node) -> Place:
    """The line of the first variable or literal below a node: the package keeps no other."""
    while not isinstance(node, vnnlib.Var | vnnlib.Literal):
        children = node.children()
        if not children:
            return _line(1)
        node = children[0]
    return _line(node.line)
