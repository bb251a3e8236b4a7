"""From the text of a specification to its syntax tree."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path

from lark import Lark, Token, UnexpectedCharacters, UnexpectedToken
from lark.parsers.lalr_interactive_parser import InteractiveParser

from pyprover.comments import without_comments
from pyprover.mistakes import Mistake, MistakesError, Place
from pyprover.specification import lexical, syntax
from pyprover.specification.builder import new_builder
from pyprover.specification.pieces import BadToken, place_of

GRAMMAR = Path(__file__).resolve().parents[2] / "grammar" / "whyml.lark"
OUTSIDE = "is outside the profile"
_HINT = "a specification holds use, type, constant, function, predicate and goal; see grammar/whyml.md"


class SpecificationError(MistakesError):
    """One or several mistakes in a specification."""


def parse(file: str, text: str) -> syntax.File:
    """The syntax tree of ``text``, forms outside the profile included; ``file`` is its name in messages.

    Raises:
        SpecificationError: the text is not of the language; only the first mistake is told.

    """
    blanked = without_comments(text, lexical.LANDMARKS)
    last = Token("$END", "", start_pos=0, line=1, column=1, end_line=1, end_column=1, end_pos=0)
    parser = _parser().parse_interactive(blanked)
    tokens = _tokens(parser, blanked)
    try:
        for last in tokens:
            parser.feed_token(last)
        last = _end(blanked)
        tree = parser.feed_token(last)
    except UnexpectedToken:
        mistake = _sooner(parser) or _later(blanked, last, tokens) or _bad_token(last, _accepted(parser))
        raise SpecificationError(file, [mistake]) from None
    except UnexpectedCharacters as bad:
        raise SpecificationError(file, [_bad_characters(blanked, bad)]) from None
    except lexical.BadText as bad:
        raise SpecificationError(file, [_bad_text(blanked, bad)]) from None
    except BadToken as bad:
        raise SpecificationError(file, [bad.at(place_of(last))]) from None
    assert isinstance(tree, syntax.File)
    return tree


@functools.cache
def _parser() -> Lark:
    return Lark(
        GRAMMAR.read_text(encoding="utf-8"),
        parser="lalr",
        lexer="basic",
        maybe_placeholders=False,
        transformer=new_builder(),
    )


def _tokens(parser: InteractiveParser, text: str) -> Iterator[Token]:
    for token in parser.lexer_thread.lex(parser.parser_state):  # type: ignore[no-untyped-call]
        classified = lexical.classify(token)
        _check(text, classified)
        yield classified


def _check(text: str, token: Token) -> None:
    start = token.start_pos or 0
    if token.type == "STRING":
        lexical.read_string(text, start)
    elif text.startswith("(*", start) and not text.startswith("(*)", start):
        raise lexical.BadText(start, 2, "this comment is not closed")


def _end(text: str) -> Token:
    place = _place_at(text, len(text), 0)
    return Token(
        "$END", "", start_pos=len(text), line=place.line, column=place.column, end_line=place.line,
        end_column=place.column, end_pos=len(text),
    )  # fmt: skip


def _place_at(text: str, start: int, length: int) -> Place:
    before = text[:start]
    line, column = before.count("\n") + 1, start - before.rfind("\n")
    return Place(line, column, line, column + max(length, 1) - 1)


def _bad_text(text: str, bad: lexical.BadText) -> Mistake:
    return Mistake(_place_at(text, bad.start, bad.length), bad.message)


def _bad_token(token: Token, accepted: set[str]) -> Mistake:
    # Words of the profile that also begin declarations, or types of a range, outside it.
    declares = token.type in ("LET", "IMPORT") and "GOAL" in accepted
    ranges = token in ("range", "float") and "NEVER" in accepted
    if token.type == "FOREIGN" or declares or ranges:
        return Mistake(place_of(token), f'"{token}" {OUTSIDE}', _HINT)
    found = "the end of the file" if token.type == "$END" else f'"{token}"'
    hint = "what is missing or wrong stands just before"
    return Mistake(place_of(token), f"syntax error: {found} makes no sense here", hint)


def _accepted(parser: InteractiveParser) -> set[str]:
    accepted: set[str] = parser.accepts()  # type: ignore[no-untyped-call]
    return accepted


def _sooner(parser: InteractiveParser) -> Mistake | None:
    """Why3 tells of a whole declaration outside of a theory, and of ``let f ref``, before the token that comes next."""
    values = parser.parser_state.value_stack
    if not values or not (isinstance(values[-1], syntax.Declaration) or values[-1] == "ref"):
        return None
    place = Place(1, 1, 1, 1)
    for probe in (Token("$END", ""), Token("EQUAL", "=", line=1, column=1)):
        with contextlib.suppress(UnexpectedToken):
            try:
                parser.copy().feed_token(probe)  # type: ignore[no-untyped-call]
            except BadToken as bad:
                return bad.at(place) if bad.place else None
    return None


def _later(text: str, last: Token, tokens: Iterator[Token]) -> Mistake | None:
    """At a theory inside a theory Why3 reads one token more, and tells of a wrong one instead."""
    if last.type in ("THEORY", "MODULE"):
        try:
            next(tokens, None)
        except UnexpectedCharacters as bad:
            return _bad_characters(text, bad)
        except lexical.BadText as bad:
            return _bad_text(text, bad)
    return None


def _bad_characters(text: str, bad: UnexpectedCharacters) -> Mistake:
    start: int = bad.pos_in_stream  # type: ignore[assignment]
    rest = text[start:]
    if rest.startswith('"'):
        try:
            lexical.read_string(text, start)
        except lexical.BadText as cause:
            return _bad_text(text, cause)
    shown = f" '{rest[0]}'" if "!" <= rest[0] <= "~" else ""
    return Mistake(_place_at(text, start, 1), f"unexpected character{shown}")
