"""The canonical form of a syntax tree, here and on the OCaml side: `grammar/whyml.md` describes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

from pyprover import sexplib
from pyprover.specification import syntax
from pyprover.specification.syntax import Foreign, Name, Node

# A bracket, a written atom, or a node to be written in its place.
_Part: TypeAlias = str | Node


def to_sexp(tree: syntax.File) -> str:
    """One s-expression, as ``caisar-ext spec --sexp`` prints it, of a tree without `syntax.Foreign`."""
    return sexplib.joined(part for part in _unfold(tree) if isinstance(part, str))


def foreigners(tree: syntax.File) -> list[Foreign]:
    """What is outside the profile, in the order of the tree; what a form holds is not looked at."""
    return [part for part in _unfold(tree) if isinstance(part, Foreign)]


def _unfold(tree: Node) -> Iterator[str | Foreign]:
    """Everything to be written, in order; by a stack, for terms may be nested deeper than Python calls."""
    waiting: list[_Part] = [tree]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str | Foreign):
            yield part
        else:
            waiting.extend(reversed(_FORMS[type(part)](part)))


def _form(*items: _Part | Sequence[_Part]) -> list[_Part]:
    parts: list[_Part] = ["("]
    for item in items:
        if isinstance(item, list | tuple):
            parts.extend(item)
        else:
            parts.append(item)  # type: ignore[arg-type]
    return [*parts, ")"]


def _list(nodes: Iterable[_Part]) -> list[_Part]:
    return ["(", *nodes, ")"]


def _name(name: Name) -> list[_Part]:
    written = sexplib.atom(name.text)
    return _form(written, [sexplib.atom(text) for text in name.attributes]) if name.attributes else [written]


def _number(value: int) -> str:
    # Python's limit on the length of decimal texts does not hold for decimals.
    return f"{Decimal(value):f}"


def _optional(node: _Part | None) -> list[_Part]:
    return [] if node is None else [node]


def _use(node: syntax.Use) -> list[_Part]:
    used: list[_Part] = []
    for path, name in node.theories:
        used += [sexplib.atom(path)] if name is None else _form("as", sexplib.atom(path), name)
    return _form("use", node.how, used)


def _variable(node: syntax.Variable) -> list[_Part]:
    return [node.name] if node.type is None else _form("typed", node.name, node.type)


def _type(node: syntax.NamedType) -> list[_Part]:
    path = sexplib.atom(node.path)
    return _form(path, node.arguments) if node.arguments else [path]


def _function(node: syntax.Function) -> list[_Part]:
    return _form("function", node.name, _list(node.parameters), node.type, _optional(node.body))


_FORMS: dict[type, Callable[[Any], list[_Part]]] = {
    syntax.File: lambda node: _list(node.theories),
    syntax.Theory: lambda node: _form("theory", node.name, node.declarations),
    Name: _name,
    syntax.Variable: _variable,
    syntax.TypeVariable: lambda node: [node.name],
    syntax.NamedType: _type,
    syntax.Use: _use,
    syntax.TypeDeclaration: lambda node: _form("type", node.name, _list(node.variables), _optional(node.definition)),
    syntax.Function: _function,
    syntax.Predicate: lambda node: _form("predicate", node.name, _list(node.parameters), _optional(node.body)),
    syntax.Goal: lambda node: _form("goal", node.name, node.formula),
    syntax.Integer: lambda node: _form("int", _number(node.value)),
    syntax.Real: lambda node: _form("real", _number(node.significand), str(node.twos), str(node.fives)),
    syntax.Text: lambda node: _form("string", sexplib.atom(node.value)),
    syntax.Truth: lambda node: [node.value],
    syntax.Reference: lambda node: [sexplib.atom(node.path)],
    syntax.Operation: lambda node: _form("operator", sexplib.atom(node.operator), node.arguments),
    syntax.Application: lambda node: _form("apply", node.function, node.argument),
    syntax.Comparison: lambda node: _form("compare", sexplib.atom(node.operator), node.left, node.right),
    syntax.Connective: lambda node: _form(node.connective, node.left, node.right),
    syntax.Closed: lambda node: _form("closed", node.term),
    syntax.Negation: lambda node: _form("not", node.term),
    syntax.Conditional: lambda node: _form("if", node.condition, node.yes, node.no),
    syntax.Let: lambda node: _form("let", node.name, node.value, node.body),
    syntax.Quantified: lambda node: _form(node.quantifier, _list(node.variables), node.body),
    syntax.Attributed: lambda node: _form("attribute", sexplib.atom(node.attribute), node.term),
    syntax.Typed: lambda node: _form("typed", node.term, node.type),
}
