"""A VNN-LIB file, compressed or not, of either version, to its formula."""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path

from pyprover.errors import UserError
from pyprover.mistakes import MistakesError
from pyprover.vnnlib import version1
from pyprover.vnnlib.formula import FormulaError, Specification

_VERSION = re.compile(r"(?:\s|;[^\n]*)*\(\s*vnnlib-version\b")


def read(path: Path) -> Specification:
    """Read a property; ``UserError`` for a file that cannot be read, with the place of what is wrong in it."""
    text = contents(path).decode("utf-8", "replace")
    try:
        if _VERSION.match(text):
            from pyprover.vnnlib import version2  # the package is loaded where a file needs it

            return version2.read(str(path), text)
        return version1.read(str(path), text)
    except FormulaError as error:
        raise MistakesError(str(path), [error.mistake]) from None


def contents(path: Path) -> bytes:
    """The bytes of a file, decompressed when its name ends in ``.gz``."""
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if path.suffix == ".gz" else data
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path} cannot be read: {reason}") from error
