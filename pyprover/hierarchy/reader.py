"""From a hierarchy file to `lattice.Hierarchy`."""

from __future__ import annotations

from pathlib import Path

from pyprover.errors import UserError
from pyprover.hierarchy.build import build
from pyprover.hierarchy.checks import check_extensions, check_names
from pyprover.hierarchy.lattice import Hierarchy
from pyprover.hierarchy.mistakes import HierarchyError
from pyprover.hierarchy.syntax import parse
from pyprover.mistakes import Mistake, Place


def read_file(path: Path) -> Hierarchy:
    """Read and check a hierarchy.

    Raises:
        UserError: the file cannot be read.
        HierarchyError: it is wrong: one mistake when it does not parse, otherwise every mistake that can be told
            without guessing.

    """
    try:
        raw = path.read_bytes()
    except IsADirectoryError:
        raise UserError(f"cannot read {path}: it is a directory") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    return of_bytes(str(path), raw)


def of_bytes(file: str, raw: bytes) -> Hierarchy:
    """The same for the content of a file; ``file`` is its name in messages."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        mistake = Mistake(Place(line, column, line, column), "the text is not UTF-8", "save the file in UTF-8")
        raise HierarchyError(file, [mistake]) from None
    tree = parse(file, text)
    if mistakes := check_names(tree):
        raise HierarchyError(file, mistakes)
    hierarchy = build(file, tree)
    if mistakes := check_extensions(hierarchy, tree):
        raise HierarchyError(file, mistakes)
    return hierarchy
