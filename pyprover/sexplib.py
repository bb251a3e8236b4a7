"""S-expressions in the shortest writing, as sexplib's ``to_string_mach`` prints them."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Printable ASCII without `"`, `(`, `)`, `;` and `\`.
_BARE = re.compile(r"[!#-'*-:<-\[\]-~]+")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b"}


def atom(text: str) -> str:
    """One atom; bytes that are not UTF-8 are held by the ``surrogateescape`` convention."""
    if _BARE.fullmatch(text) and "#|" not in text and "|#" not in text:
        return text
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    if " " <= character < "\x7f" or character in _ESCAPES:
        return _ESCAPES.get(character, character)
    return "".join(f"\\{byte:03d}" for byte in character.encode("utf-8", "surrogateescape"))


def joined(items: Iterable[str]) -> str:
    """Written items and brackets in a row: only two bare atoms need a space between them."""
    written: list[str] = []
    for item in items:
        if written and item[0] not in '(")' and written[-1][-1] not in '()"':
            written.append(" ")
        written.append(item)
    return "".join(written)
