"""The syntax tree of a specification: what is written, nothing resolved or typed. Every node has its place."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

from pyprover.mistakes import Place


@dataclass(frozen=True)
class Name:
    """A name that is declared or bound, with the attributes after it; an operator as Why3 spells it: ``infix +``."""

    text: str
    attributes: tuple[str, ...]
    place: Place


@dataclass(frozen=True)
class Foreign:
    """A form of WhyML outside the profile, where a type, a term or a parameter is expected."""

    what: str
    place: Place


# Types


@dataclass(frozen=True)
class TypeVariable:
    """``'a``."""

    name: Name


@dataclass(frozen=True)
class NamedType:
    """``name`` or ``name argument ...``."""

    path: str
    arguments: tuple[Type, ...]
    place: Place


Type: TypeAlias = TypeVariable | NamedType | Foreign


@dataclass(frozen=True)
class Variable:
    """``name: type``, in parameters and quantifiers; in the latter the type may be absent."""

    name: Name
    type: Type | None


# Terms


@dataclass(frozen=True)
class Integer:
    """An integer, of any base."""

    value: int
    place: Place


@dataclass(frozen=True)
class Real:
    """``significand * 2**twos * 5**fives``, exactly; the significand is divisible by neither 2 nor 5, or all are 0."""

    significand: int
    twos: int
    fives: int
    place: Place

    @property
    def value(self) -> Fraction:
        """The number; as large as its exponent says."""
        return self.significand * Fraction(2) ** self.twos * Fraction(5) ** self.fives


@dataclass(frozen=True)
class Text:
    """A string; bytes that are not UTF-8 are held by the ``surrogateescape`` convention."""

    value: str
    place: Place


@dataclass(frozen=True)
class Truth:
    """``true`` or ``false``."""

    value: Literal["true", "false"]
    place: Place


@dataclass(frozen=True)
class Reference:
    """A name that is used, with the theories before it: ``T.x``."""

    path: str
    place: Place


@dataclass(frozen=True)
class Operation:
    """An operator other than comparisons and connectives: ``infix +``, ``prefix -``, ``mixfix []`` ..."""

    operator: str
    arguments: tuple[Term, ...]
    place: Place


@dataclass(frozen=True)
class Application:
    """``function argument``."""

    function: Term
    argument: Term
    place: Place


@dataclass(frozen=True)
class Comparison:
    """``left operator right``; in a chain, ``right`` is a comparison too."""

    operator: str
    left: Term
    right: Term
    place: Place


@dataclass(frozen=True)
class Connective:
    """``left connective right``: ``and``, ``and_then``, ``or``, ``or_else``, ``implies``, ``iff``."""

    connective: str
    left: Term
    right: Term
    place: Place


@dataclass(frozen=True)
class Closed:
    """A comparison or a connective between parentheses, which end a chain."""

    term: Comparison | Connective
    place: Place


@dataclass(frozen=True)
class Negation:
    """``not term``."""

    term: Term
    place: Place


@dataclass(frozen=True)
class Conditional:
    """``if condition then yes else no``."""

    condition: Term
    yes: Term
    no: Term
    place: Place


@dataclass(frozen=True)
class Let:
    """``let name = value in body``."""

    name: Name
    value: Term
    body: Term
    place: Place


@dataclass(frozen=True)
class Quantified:
    """``quantifier variables. body``."""

    quantifier: Literal["forall", "exists"]
    variables: tuple[Variable | Foreign, ...]
    body: Term
    place: Place


@dataclass(frozen=True)
class Attributed:
    """``[@attribute] term``."""

    attribute: str
    term: Term
    place: Place


@dataclass(frozen=True)
class Typed:
    """``term : type``."""

    term: Term
    type: Type
    place: Place


Term: TypeAlias = (
    Integer
    | Real
    | Text
    | Truth
    | Reference
    | Operation
    | Application
    | Comparison
    | Connective
    | Closed
    | Negation
    | Conditional
    | Let
    | Quantified
    | Attributed
    | Typed
    | Foreign
)


# Declarations. Their place is that of their first word.


@dataclass(frozen=True)
class Use:
    """``use theory as name, ...``; ``how`` is ``plain``, ``import`` or ``export``."""

    how: str
    theories: tuple[tuple[str, Name | None], ...]
    place: Place


@dataclass(frozen=True)
class TypeDeclaration:
    """``type name 'a ... = definition``."""

    name: Name
    variables: tuple[Name, ...]
    definition: Type | None
    place: Place


@dataclass(frozen=True)
class Function:
    """``function name (parameters) : type = body``; a constant is a function without parameters."""

    name: Name
    parameters: tuple[Variable | Foreign, ...]
    type: Type
    body: Term | None
    place: Place


@dataclass(frozen=True)
class Predicate:
    """``predicate name (parameters) = body``."""

    name: Name
    parameters: tuple[Variable | Foreign, ...]
    body: Term | None
    place: Place


@dataclass(frozen=True)
class Goal:
    """``goal name : formula``."""

    name: Name
    formula: Term
    place: Place


Declaration: TypeAlias = Use | TypeDeclaration | Function | Predicate | Goal


@dataclass(frozen=True)
class Theory:
    """``theory name declarations end``."""

    name: Name
    declarations: tuple[Declaration, ...]


@dataclass(frozen=True)
class File:
    """All theories of a file, in order."""

    theories: tuple[Theory, ...]


Node: TypeAlias = File | Theory | Declaration | Variable | Type | Term | Name
