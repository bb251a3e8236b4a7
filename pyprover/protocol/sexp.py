r"""S-expressions in the lexical conventions of Jane Street's ``sexplib``, as far as messages use them.

An atom is text, always: ``nil``, ``007``, ``1/3`` and ``'a`` are atoms like any other; the type of a field says how
to read one. Bytes that are not UTF-8 (in file names) travel as ``\ddd`` escapes and are held as Python holds them in
paths, by the ``surrogateescape`` convention. Comments, which no message needs, are refused.
"""

from __future__ import annotations

import re
from typing import TypeAlias

import sexpdata  # type: ignore[import-untyped]

from pyprover.protocol.errors import ProtocolError

Sexp: TypeAlias = "str | list[Sexp]"

_BLANK = r" \t\n\r\f"
_BARE = re.compile(rf'[^{_BLANK}()";]+')
_QUOTED = re.compile(r'"((?:[^"\\]++|\\.)*+)"', re.DOTALL)
_ESCAPE = re.compile(rb"\\(?:(\d{3})|x([0-9a-fA-F]{2})|([ntbr\\\"'])|(\r?\n[ \t]*)|([\dx])|.)", re.DOTALL)
_LETTERS = {b"n": b"\n", b"t": b"\t", b"b": b"\b", b"r": b"\r"}

# Two characters mean something to sexpdata and nothing to sexplib. They pass through its parser as code points that
# decoded text never holds.
_HIDE = str.maketrans("'\v", "\ud800\ud801")
_SHOW = str.maketrans("\ud800\ud801", "'\v")


class _Parser(sexpdata.Parser):  # type: ignore[misc]
    """The parser of sexpdata with sexplib's atoms and with round brackets only."""

    def __init__(self, text: str) -> None:
        super().__init__(text.translate(_HIDE), line_comment="")
        self.brackets = {"(": ")"}
        self.closing_brackets = {")"}

    def parse_str(self, i: int) -> tuple[int, str]:
        """Read the quoted atom that starts at ``i``; return its end and its text."""
        match = _QUOTED.match(self.string, i)
        if match is None:
            raise ProtocolError(f"the quoted atom at character {i} does not end")
        text = match[1].translate(_SHOW)
        return match.end(), _unescape(text) if "\\" in text else text

    def parse_atom(self, i: int) -> tuple[int, str]:
        """Read the bare atom that starts at ``i``; return its end and its text."""
        match = _BARE.match(self.string, i)
        if match is None:
            raise ProtocolError(f"unexpected {self.string[i]!r} at character {i}")
        text = match[0].translate(_SHOW)
        if "#|" in text or "|#" in text:
            raise ProtocolError(f"a comment at character {i}: messages have none")
        return match.end(), text


def _unescape(text: str) -> str:
    def replace(match: re.Match[bytes]) -> bytes:
        decimal, hexadecimal, letter, continued, bad = match.groups()
        if bad is not None or (decimal is not None and int(decimal) > 255):
            raise ProtocolError(
                f"the escape {match[0].decode()!r} is not three decimal or x and two hexadecimal digits"
            )
        if decimal is not None:
            return bytes([int(decimal)])
        if hexadecimal is not None:
            return bytes.fromhex(hexadecimal.decode())
        if letter is not None:
            return _LETTERS.get(letter, letter)
        return match[0] if continued is None else b""

    return _ESCAPE.sub(replace, text.encode()).decode("utf-8", "surrogateescape")


def parse(payload: bytes) -> Sexp:
    """Read the one s-expression of a payload; ``ProtocolError`` when it is anything else."""
    try:
        found: list[Sexp] = _Parser(payload.decode("utf-8")).parse()
    except UnicodeDecodeError as error:
        raise ProtocolError(f"the payload is not UTF-8: {error}") from error
    except (sexpdata.ExpectClosingBracket, sexpdata.ExpectNothing) as error:
        raise ProtocolError(f"brackets do not match: {str(error)[:200]}") from error
    except RecursionError as error:
        raise ProtocolError("the payload is nested too deeply") from error
    if len(found) != 1:
        raise ProtocolError(f"{len(found)} s-expressions in one payload")
    return found[0]


_PLAIN = re.compile(r"(?!.*(?:#\||\|#))[!#-'*-:<-\[\]-~]+")
_SPECIAL = re.compile('[\x00-\x1f"\\\\\x7f\udc80-\udcff]')
_NAMED = {"\n": "\\n", "\t": "\\t", "\b": "\\b", "\r": "\\r", '"': '\\"', "\\": "\\\\"}


def render(sexp: Sexp) -> bytes:
    """Write ``sexp`` as a payload."""
    pieces: list[str] = []
    _render(sexp, pieces)
    return "".join(pieces).encode("utf-8", "replace")


def _render(sexp: Sexp, pieces: list[str]) -> None:
    if isinstance(sexp, str):
        pieces.append(sexp if _PLAIN.fullmatch(sexp) else _quote(sexp))
        return
    pieces.append("(")
    for index, item in enumerate(sexp):
        if index:
            pieces.append(" ")
        _render(item, pieces)
    pieces.append(")")


def _quote(text: str) -> str:
    def escape(match: re.Match[str]) -> str:
        return _NAMED.get(match[0]) or f"\\{ord(match[0]) & 0xFF:03d}"

    return f'"{_SPECIAL.sub(escape, text)}"'
