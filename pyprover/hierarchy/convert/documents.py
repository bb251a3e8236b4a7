"""JSON and YAML documents whose parts know their places.

The standard JSON reader forgets where things stand, so JSON has a small grammar here; strings and numbers are still
decoded by the standard reader. YAML is read by PyYAML up to its node graph, which has places.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from typing import TypeAlias

import yaml
from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedToken

from pyprover.hierarchy.convert.text import Text
from pyprover.mistakes import Place


@dataclass(frozen=True)
class Scalar:
    """A string, a whole number, or none; other numbers and truth values are given as they are written."""

    value: str | int | None
    place: Place


@dataclass(frozen=True)
class Items:
    """A sequence."""

    items: tuple[Document, ...]
    place: Place


@dataclass(frozen=True)
class Fields:
    """A mapping, in the order of the text; keys are distinct."""

    fields: tuple[tuple[Scalar, Document], ...]
    place: Place

    def get(self, name: str) -> Document | None:
        """The value of a key."""
        return next((value for key, value in self.fields if key.value == name), None)


Document: TypeAlias = Scalar | Items | Fields


def read_json(text: Text) -> Document:
    """Parse JSON. Raises `ConversionError` at the first mistake."""
    if not text.content.strip():
        raise text.refuse("the file is empty")
    try:
        document = _json_parser().parse(text.content)
    except UnexpectedCharacters as bad:
        place = Place(bad.line, bad.column, bad.line, bad.column)
        raise text.refuse("not JSON: unexpected character", place) from None
    except UnexpectedToken as bad:
        end = bad.token.type == "$END"
        found = "the file ends too early" if end else f"unexpected {bad.token}"
        lines = text.content.count("\n") + 1
        place = text.line_place(lines) if end else _token_place(bad.token)
        raise text.refuse(f"not JSON: {found}", place, "a comma, a quote or a bracket may be missing") from None
    assert isinstance(document, Scalar | Items | Fields)
    return _checked(text, document)


_JSON = r"""
?start: value
?value: STRING -> text | NUMBER -> number | CONSTANT -> constant
      | LIST [value ("," value)*] "]" -> items | OBJECT [pair ("," pair)*] "}" -> fields
pair: STRING ":" value
STRING: /"(?:[^"\\\x00-\x1f]|\\(?:["\\\/bfnrt]|u[0-9a-fA-F]{4}))*"/
NUMBER: /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/
CONSTANT: "true" | "false" | "null"
LIST: "["
OBJECT: "{"
%ignore /[ \t\r\n]+/
"""


def _token_place(token: Token) -> Place:
    line, column = token.line or 1, token.column or 1
    return Place(line, column, token.end_line or line, max((token.end_column or column) - 1, column))


class _JsonBuilder(Transformer[Token, Document]):
    """Documents from the bottom up, while parsing: no recursion."""

    def text(self, children: list[Token]) -> Scalar:
        # A lone surrogate is legal JSON but no text.
        decoded = json.loads(children[0]).encode("utf-8", "replace").decode("utf-8")
        return Scalar(decoded, _token_place(children[0]))

    def number(self, children: list[Token]) -> Scalar:
        token = children[0]
        whole = token.lstrip("-").isdigit() and len(token) < 19
        return Scalar(int(token) if whole else str(token), _token_place(token))

    def constant(self, children: list[Token]) -> Scalar:
        return Scalar(None if children[0] == "null" else str(children[0]), _token_place(children[0]))

    def pair(self, children: list[Token | Document]) -> tuple[Scalar, Document]:
        key, value = children
        assert isinstance(key, Token)
        assert isinstance(value, Scalar | Items | Fields)
        return self.text([key]), value

    def items(self, children: list[Token | Document]) -> Items:
        opening, *items = children
        assert isinstance(opening, Token)
        return Items(tuple(item for item in items if not isinstance(item, Token)), _token_place(opening))

    def fields(self, children: list[Token | tuple[Scalar, Document]]) -> Fields:
        opening, *pairs = children
        assert isinstance(opening, Token)
        return Fields(tuple(pair for pair in pairs if not isinstance(pair, Token)), _token_place(opening))


@functools.cache
def _json_parser() -> Lark:
    return Lark(
        _JSON,
        parser="lalr",
        lexer="basic",
        maybe_placeholders=False,
        transformer=_JsonBuilder(),
    )


def read_yaml(text: Text) -> Document:
    """Parse one YAML document. Parts that are repeated by an alias are refused: copies may be without end."""
    try:
        root = yaml.compose(text.content, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as bad:
        place = None
        if bad.problem_mark is not None:
            line, column = bad.problem_mark.line + 1, bad.problem_mark.column + 1
            place = Place(line, column, line, column)
        raise text.refuse(f"not YAML: {bad.problem}", place) from None
    except yaml.reader.ReaderError as bad:
        before = text.content[: bad.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise text.refuse("not YAML: a control character", Place(line, column, line, column)) from None
    except RecursionError:
        raise text.refuse("this YAML is nested too deep", None, "write it as JSON or as an edge list") from None
    if root is None:
        raise text.refuse("the file is empty")
    return _checked(text, _of_yaml(text, root, set()))


def _of_yaml(text: Text, node: yaml.Node, seen: set[yaml.Node]) -> Document:
    start, end = node.start_mark, node.end_mark
    one_line = start.line == end.line
    last = max(end.column, start.column + 1) if one_line else start.column + 1
    place = Place(start.line + 1, start.column + 1, start.line + 1, last)
    if not isinstance(node, yaml.ScalarNode):
        if node in seen:
            raise text.refuse("this part is repeated by a YAML alias", place, "write it out where it is meant")
        seen.add(node)
    if isinstance(node, yaml.MappingNode):
        pairs = []
        for key, value in node.value:
            name = _of_yaml(text, key, seen)
            if not isinstance(name, Scalar):
                raise text.refuse("a key is a name, not a list or a mapping", name.place)
            # A name is what is written: a class may be called `yes` or `3`.
            pairs.append((Scalar(key.value, name.place), _of_yaml(text, value, seen)))
        return Fields(tuple(pairs), place)
    if isinstance(node, yaml.SequenceNode):
        return Items(tuple(_of_yaml(text, item, seen) for item in node.value), place)
    if node.tag.endswith(":null"):
        return Scalar(None, place)
    if node.tag.endswith(":int") and node.value.isascii() and node.value.isdigit() and len(node.value) < 19:
        return Scalar(int(node.value), place)
    return Scalar(str(node.value), place)


def _checked(text: Text, document: Document) -> Document:
    """Refuse keys that are written twice: readers of these formats commonly drop one of the two."""
    waiting = [document]
    while waiting:
        match waiting.pop():
            case Fields(fields):
                first: dict[str | int | None, Scalar] = {}
                for key, value in fields:
                    if key.value in first:
                        line = first[key.value].place.line
                        raise text.refuse(f'"{key.value}" is written twice here (line {line})', key.place, "remove one")
                    first[key.value] = key
                    waiting.append(value)
            case Items(items):
                waiting.extend(items)
            case Scalar():
                pass
    return document
