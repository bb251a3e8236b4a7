"""Comments, strings, numbers and operators, as Why3's lexer takes them."""

from __future__ import annotations

import re
from decimal import Decimal

from lark import Token

# What has a meaning in WhyML and none in the profile.
_FOREIGN_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
        abstract absurd alias any assert assume at axiom break by check clone coinductive continue diverges do
        done downto ensures epsilon exception for fun ghost inductive invariant label lemma match meta mutable
        old partial private pure raise raises reads rec requires return returns scope so to try val variant
        while with writes
        """,
    )
)
_FOREIGN_SIGNS = frozenset(["<-", "..", "|", "&"])


class BadText(Exception):
    """What no token can hold: ``length`` code points from ``start``."""

    def __init__(self, start: int, length: int, message: str) -> None:
        super().__init__(message)
        self.start = start
        self.length = length
        self.message = message


# What can hold or start a comment.
LANDMARKS = re.compile(r'"(?:[^"\\]|\\[\s\S])*"|"|\[@[^\n\]]*\]|\(\*\)|\(\*')

# Words and signs.

_KINDS = (("OP1", "=<>~"), ("OP2", "+-"), ("OP3", "*/\\%"))


def classify(token: Token) -> Token:
    """The same token with the type that the grammar gives it: what a lexer's rules alone cannot tell."""
    if token.type == "LIDENT" and token in _FOREIGN_WORDS:
        return Token.new_borrow_pos("FOREIGN", token, token)
    if token.type == "FOREIGN" and token[0] == ")":
        return Token.new_borrow_pos("CLOSING", token, token)
    if token.type != "FOREIGN" or token[0] in "{};]" or token in _FOREIGN_SIGNS:
        return token
    # An operator's loosest kind of sign decides its level.
    kind = next((kind for kind, signs in _KINDS if set(signs) & set(token)), None)
    return Token.new_borrow_pos(kind or ("OPPREF" if token[0] in "!?" else "OP4"), token, token)


# Strings.

_PIECE = re.compile(
    r"(?P<plain>[ !#-\[\]-~]+)|\\(?:\r*\n[ \t]*|(?P<decimal>[01]\d\d|2[0-4]\d|25[0-5])|x(?P<hexadecimal>[0-9a-fA-F]{2})"
    r"|o(?P<octal>[0-3][0-7]{2})|(?P<letter>[\\nrtb'\"]))"
)
_LETTERS = {"n": b"\n", "r": b"\r", "t": b"\t", "b": b"\b"}


def read_string(text: str, start: int) -> str:
    """The value of the string whose opening quote is at ``start``; `BadText` when it is wrong or not closed."""
    value: list[bytes] = []
    position = start + 1
    while position < len(text) and text[position] != '"':
        piece = _PIECE.match(text, position)
        if piece is None:
            if text[position] != "\\":
                raise BadText(position, 1, "strings hold printable ASCII and escapes")
            if position + 1 < len(text):
                raise BadText(position, 2, "no escape begins so")
            break
        value.append(_bytes_of(piece))
        position = piece.end()
    if position >= len(text) or text[position] != '"':
        raise BadText(len(text), 0, "a string is not closed")
    return b"".join(value).decode("utf-8", "surrogateescape")


def _bytes_of(piece: re.Match[str]) -> bytes:
    plain, decimal, hexadecimal, octal, letter = piece.groups()
    if plain is not None:
        return plain.encode()
    if letter is not None:
        return _LETTERS.get(letter, letter.encode())
    for digits, base in ((decimal, 10), (hexadecimal, 16), (octal, 8)):
        if digits is not None:
            return bytes([int(digits, base)])
    return b""


# Numbers.

_BASES = {"x": 16, "o": 8, "b": 2}
_DECIMAL_REAL = re.compile(r"(?P<whole>\d*)(?:\.(?P<fraction>\d*))?(?:[eE](?P<exponent>[-+]?\d+))?")
_HEXADECIMAL_REAL = re.compile(r"0[xX](?P<whole>[^.pP]*)(?:\.(?P<fraction>[^pP]*))?(?:[pP](?P<exponent>[-+]?\d+))?")


def integer_value(text: str) -> int:
    """The value of an integer's text."""
    digits = text.replace("_", "")
    base = _BASES.get(digits[1:2].lower(), 10)
    return _natural(digits if base == 10 else digits[2:], base)


def real_value(text: str) -> tuple[int, int, int]:
    """Significand, power of 2 and power of 5 of a real's text, as `syntax.Real` holds them."""
    hexadecimal = text[:2].lower() == "0x"
    found = (_HEXADECIMAL_REAL if hexadecimal else _DECIMAL_REAL).fullmatch(text)
    assert found is not None
    fraction, exponent = found["fraction"] or "", int(found["exponent"] or 0)
    significand = _natural(found["whole"] + fraction, 16 if hexadecimal else 10)
    if significand == 0:
        return 0, 0, 0
    twos, fives = (exponent - 4 * len(fraction), 0) if hexadecimal else (exponent - len(fraction),) * 2
    significand, more_twos = _without(significand, 2)
    significand, more_fives = _without(significand, 5)
    return significand, twos + more_twos, fives + more_fives


def _natural(digits: str, base: int) -> int:
    # Python's limit on the length of decimal texts does not hold for decimals.
    return int(Decimal(digits)) if base == 10 else int(digits, base)


def _without(number: int, factor: int) -> tuple[int, int]:
    count = 0
    while number % factor == 0:
        number //= factor
        count += 1
    return number, count
