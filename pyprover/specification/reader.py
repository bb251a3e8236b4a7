"""From a specification's file to its syntax tree, held to the profile."""

from __future__ import annotations

from pathlib import Path

from pyprover.errors import UserError
from pyprover.mistakes import Mistake
from pyprover.specification import syntax
from pyprover.specification.canonical import foreigners
from pyprover.specification.parser import OUTSIDE, SpecificationError, parse


def read_file(path: Path) -> syntax.File:
    """Read a specification.

    Raises:
        UserError: the file cannot be read.
        SpecificationError: it does not parse (one mistake), or leaves the profile (every form that does).

    """
    try:
        raw = path.read_bytes()
    except IsADirectoryError:
        raise UserError(f"cannot read {path}: it is a directory") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    return of_bytes(str(path), raw)


def of_bytes(file: str, raw: bytes) -> syntax.File:
    """The same for the content of a file; ``file`` is its name in messages.

    Bytes that are not UTF-8 may stand in comments only.
    """
    tree = parse(file, raw.decode("utf-8", "surrogateescape"))
    if outside := foreigners(tree):
        raise SpecificationError(file, [Mistake(form.place, f"{form.what} {OUTSIDE}") for form in outside])
    return tree
