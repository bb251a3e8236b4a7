"""From the text of a hierarchy to its syntax tree: what is written, nothing resolved or checked."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypeAlias

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedToken, v_args

from pyprover.comments import without_comments
from pyprover.hierarchy.mistakes import HierarchyError
from pyprover.mistakes import Mistake, Place

GRAMMAR = Path(__file__).resolve().parents[2] / "grammar" / "hierarchy.lark"


@dataclass(frozen=True)
class Name:
    """A name, without its quotes."""

    text: str
    place: Place


@dataclass(frozen=True)
class Class:
    """``class NAME = INDEX``."""

    name: Name
    index: int
    index_place: Place


@dataclass(frozen=True)
class Group:
    """``group NAME { members }``."""

    name: Name
    members: tuple[Member, ...]


@dataclass(frozen=True)
class Overlay:
    """``overlay NAME = { members }``."""

    name: Name
    members: tuple[Name, ...]


@dataclass(frozen=True)
class Cut:
    """``cut NAME = { blocks }``."""

    name: Name
    blocks: tuple[Name, ...]


@dataclass(frozen=True)
class Never:
    """``never REFERENCE -> ANSWER``."""

    reference: Name
    answer: Name


Member: TypeAlias = Class | Group
Declaration: TypeAlias = Class | Group | Overlay | Cut | Never


@dataclass(frozen=True)
class File:
    """``hierarchy NAME { declarations }``."""

    name: Name
    declarations: tuple[Declaration, ...]


def parse(file: str, text: str) -> File:
    """The syntax tree of ``text``; ``file`` is its name in messages.

    Raises:
        HierarchyError: the text is not of the language; only the first mistake is told.

    """
    try:
        tree = _parser().parse(without_comments(text, _LANDMARKS))
    except _BadToken as bad:
        raise HierarchyError(file, [bad.mistake]) from None
    except UnexpectedCharacters as bad:
        raise HierarchyError(file, [_unexpected_character(text, bad)]) from None
    except UnexpectedToken as bad:
        raise HierarchyError(file, [_unexpected_token(bad)]) from None
    assert isinstance(tree, File)
    return tree


# What can hold or start a comment.
_LANDMARKS = re.compile(r'"(?:[^"\\\n]|\\[^\n])*"|\(\*\)|\(\*')

# Tokens.


class _BadToken(Exception):
    """A token of the right shape whose content is wrong."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(message)
        self.mistake = Mistake(place, message)


def _place(token: Token) -> Place:
    line, column = token.line or 1, token.column or 1
    return Place(line, column, token.end_line or line, max((token.end_column or column) - 1, column))


def _unquote(token: Token) -> Token:
    place = _place(token)

    def refuse(offset: int, message: str) -> NoReturn:
        raise _BadToken(Place(place.line, place.column + offset, place.line, place.column + offset), message)

    body = token[1:-1]
    for found in re.finditer(r'\\["\\]|\\|[\x00-\x1f\x7f]', body):
        if found.group() == "\\":
            refuse(found.start() + 1, 'a backslash in a name is followed by " or \\')
        if len(found.group()) == 1:
            refuse(found.start() + 1, "a name has no control characters")
    if not body:
        raise _BadToken(place, "a name has at least one character")
    return token.update(value=re.sub(r"\\(.)", r"\1", body))


def _short_index(token: Token) -> Token:
    if len(token) > 9:
        raise _BadToken(_place(token), "this index is too large")
    return token


@v_args(inline=True)
class _Builder(Transformer[Token, File]):
    """Syntax tree from the bottom up, while parsing: no recursion, however deep the groups."""

    def name(self, token: Token) -> Name:
        return Name(str(token), _place(token))

    def names(self, *names: Name) -> tuple[Name, ...]:
        return names

    def class_(self, name: Name, index: Token) -> Class:
        return Class(name, int(index), _place(index))

    def group(self, name: Name, *members: Member) -> Group:
        return Group(name, members)

    def start(self, name: Name, *declarations: Declaration) -> File:
        return File(name, declarations)

    overlay = Overlay
    cut = Cut
    never = Never


@functools.cache
def _parser() -> Lark:
    callbacks: dict[str, Callable[[Token], Token]] = {"QUOTED": _unquote, "INDEX": _short_index}
    return Lark(
        GRAMMAR.read_text(encoding="utf-8"),
        parser="lalr",
        lexer="basic",
        maybe_placeholders=False,
        transformer=_Builder(),
        lexer_callbacks=callbacks,
    )


# Messages.

# Every terminal, in the order in which a message lists them. Two of them are names.
_LABELS = {
    "HIERARCHY": '"hierarchy"',
    "GROUP": '"group"',
    "CLASS": '"class"',
    "OVERLAY": '"overlay"',
    "CUT": '"cut"',
    "NEVER": '"never"',
    "WORD": "a name",
    "INDEX": "an index",
    "EQUAL": '"="',
    "LBRACE": '"{"',
    "RBRACE": '"}"',
    "COMMA": '","',
    "ARROW": '"->"',
    "$END": "the end of the file",
}
_KEYWORDS = {"HIERARCHY", "GROUP", "CLASS", "OVERLAY", "CUT", "NEVER"}


def _one_of(items: Sequence[str]) -> str:
    return " or ".join([*([", ".join(items[:-1])] if len(items) > 1 else []), *items[-1:]])


def _unexpected_token(bad: UnexpectedToken) -> Mistake:
    token = bad.token
    expected = _one_of([label for terminal, label in _LABELS.items() if terminal in bad.accepts])
    if token.type in ("WORD", "QUOTED"):
        found = f'the name "{token}"'
    elif token.type == "INDEX":
        found = f"the index {int(token)}"
    else:
        found = _LABELS[token.type]
    hint = None
    if token.type in _KEYWORDS and "WORD" in bad.accepts:
        hint = "to use a keyword as a name, put it between double quotes"
    elif token.type == "$END" and "RBRACE" in bad.accepts:
        hint = "a { is not closed"
    return Mistake(_place(token), f"syntax error: expected {expected}, found {found}", hint)


def _unexpected_character(text: str, bad: UnexpectedCharacters) -> Mistake:
    place = Place(bad.line, bad.column, bad.line, bad.column)
    rest = text[bad.pos_in_stream :]
    if rest.startswith("(*") and not rest.startswith("(*)"):
        return Mistake(
            Place(bad.line, bad.column, bad.line, bad.column + 1), "this comment is not closed", "end it with *)"
        )
    if rest.startswith('"'):
        return Mistake(place, "this name is not closed", 'end it with " on the same line')
    shown = f" '{rest[0]}'" if "!" <= rest[0] <= "~" else ""
    hint = "a name with other characters than letters, digits, _ and ' goes between double quotes"
    return Mistake(place, f"unexpected character{shown}", hint)
