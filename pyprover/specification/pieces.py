"""What the builder passes from rule to rule besides nodes of the tree, and the mistakes that it finds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from lark import Token

from pyprover.mistakes import Mistake, Place
from pyprover.specification import syntax
from pyprover.specification.syntax import Foreign, Name, Type, Variable

NAMELESS = "a variable without a name"
# The suffix of (+)'x, which only Why3 itself may declare.
RESERVED = re.compile("'[A-Za-z]")


class BadToken(Exception):
    """A mistake that the grammar does not see; without a place, it shows at the token that comes next."""

    def __init__(self, message: str, place: Place | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.hint = hint

    def at(self, next_place: Place) -> Mistake:
        """The mistake, once it is known which token comes next."""
        return Mistake(self.place or next_place, self.message, self.hint)


def place_of(token: Token) -> Place:
    """The stretch of ``token``."""
    line, column = token.line or 1, token.column or 1
    end_line, end_column = token.end_line or line, (token.end_column or column) - 1
    return Place(line, column, end_line, end_column if end_line > line else max(end_column, column))


@dataclass(frozen=True)
class Spelling:
    """A name that is used, with the theories before it, or an operator between parentheses."""

    text: str
    place: Place


@dataclass(frozen=True)
class Attribute:
    """``[@text]``."""

    text: str
    place: Place


@dataclass(frozen=True)
class Untyped:
    """Parameters without a type; ``place`` is where that shows."""

    place: Place


@dataclass(frozen=True)
class Unnamed:
    """A type where parameters are expected; of a function bound by ``let``, one word is a name instead."""

    type: Type


@dataclass(frozen=True)
class Pattern:
    """What a ``let`` binds: a name with the types around it, or (without a name) a form outside the profile."""

    name: Name | None
    types: tuple[Type, ...]
    place: Place


Form: TypeAlias = "tuple[Variable | Foreign, ...] | Untyped | Unnamed"


def named(text: str, attributes: tuple[Attribute, ...], place: Place) -> Name:
    """A declared or bound name with its attributes."""
    return Name(text, tuple(attribute.text for attribute in attributes), place)


def variables(names: tuple[Name, ...], type_: Type | None) -> tuple[Variable | Foreign, ...]:
    """Names with one type, or what is outside the profile in their places."""
    # ``ref`` is no name: it says that the names after it are references.
    return tuple(
        Foreign(NAMELESS, name.place) if name.text in ("_", "ref") else Variable(name, type_) for name in names
    )


def type_place(type_: Type) -> Place:
    """Where a type stands."""
    return type_.name.place if isinstance(type_, syntax.TypeVariable) else type_.place
