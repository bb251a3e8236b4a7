"""Edge lists: one link a row, between blanks, tabs or commas; `class,parent` tables are the same with a header.

A header names its columns, and so the direction: `parent`, `child` (or `class`, `node`, `name`, `id`) and, if there
is one, `index`. Without a header the direction is the user's, or it is found: the column in which no name is
repeated holds the children of a tree; in other graphs, the direction that leaves a single root.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyprover.hierarchy.convert.source import Source, SourceNode
from pyprover.hierarchy.convert.text import Row, Text, delimiter_of, rows_of

PARENT_CHILD, CHILD_PARENT = DIRECTIONS = ("parent-child", "child-parent")
_PARENTS = {"parent", "parents", "superclass", "source"}
_CHILDREN = {"child", "children", "class", "subclass", "node", "name", "id", "target"}


@dataclass(frozen=True)
class _Columns:
    """Which cell is which."""

    parent: int
    child: int
    index: int | None = None


def header_of(row: Row) -> _Columns | None:
    """The columns that a header names, when this row is one."""
    cells = [cell.lower() for cell in row.cells]
    parents = [i for i, cell in enumerate(cells) if cell in _PARENTS]
    children = [i for i, cell in enumerate(cells) if cell in _CHILDREN]
    indexes = [i for i, cell in enumerate(cells) if cell in ("index", "class_index")]
    if len(parents) != 1 or len(children) != 1 or len(cells) != 2 + len(indexes):
        return None
    return _Columns(parents[0], children[0], indexes[0] if indexes else None)


def read(text: Text, direction: str | None) -> Source:
    """Read an edge list; ``direction`` is one of `DIRECTIONS`, or none to have it found and said."""
    source = Source(text.file)
    rows = rows_of(text)
    columns = header_of(rows[0]) if rows else None
    if columns is not None:
        rows = rows[1:]
        _check_direction(text, columns, direction)
    if not rows:
        raise text.refuse("the file has no links", None, "an edge list has a parent and a child on each line")
    _check_width(text, rows, 2 if columns is None or columns.index is None else 3)
    if columns is None:
        columns = _columns(source, text, rows, direction)
    for row in rows:
        _add(source, text, row, columns)
    return source


def _check_direction(text: Text, columns: _Columns, direction: str | None) -> None:
    said = PARENT_CHILD if columns.parent < columns.child else CHILD_PARENT
    if direction is not None and direction != said:
        raise text.refuse(f"the header says {said}", text.line_place(1), f"leave out --edges {direction}")


def _check_width(text: Text, rows: Sequence[Row], width: int) -> None:
    for row in rows:
        if len(row.cells) != width:
            hint = None
            if row.cells[0].startswith("#"):
                hint = "comments are not read: remove this line"
            elif len(row.cells) == 1:
                hint = "a list of classes is no hierarchy: it goes with one, by --classes"
            elif delimiter_of(text) is None and len(row.cells) > width:
                hint = "names with blanks need tabs or commas between the two"
            elif len(row.cells) > width:
                hint = 'a name with a comma goes between "; a table of levels is read by --from table'
            count = f"{len(row.cells)} name" + ("s" if len(row.cells) > 1 else "")
            raise text.refuse(f"expected {width} names on this line, found {count}", text.line_place(row.line), hint)


def _columns(source: Source, text: Text, rows: Sequence[Row], direction: str | None) -> _Columns:
    found = direction or _find_direction(text, [(row.cells[0], row.cells[1]) for row in rows])
    if direction is None:
        first, last = ("a parent", "its child") if found == PARENT_CHILD else ("a child", "its parent")
        hint = f"--edges {found} states it"
        source.note(
            f'each line is read as {first}, then {last}: "{rows[0].cells[0]}", "{rows[0].cells[1]}"', None, hint
        )
    return _Columns(0, 1) if found == PARENT_CHILD else _Columns(1, 0)


def _find_direction(text: Text, pairs: list[tuple[str, str]]) -> str:
    left, right = ([pair[side] for pair in pairs if pair[side]] for side in (0, 1))
    once = [len(set(names)) == len(names) for names in (left, right)]
    if once[0] == once[1]:
        # The roots, were the links to go from left to right, and from right to left.
        tops = [len(set(right) - set(left)), len(set(left) - set(right))]
        if tops == [0, 0]:
            return PARENT_CHILD  # there is a cycle, to be told later
        once = [top == 1 for top in tops]
    if once[0] == once[1]:
        hint = f"state it: --edges {PARENT_CHILD} or --edges {CHILD_PARENT}"
        raise text.refuse("the direction of the links is not clear", None, hint)
    return PARENT_CHILD if once[1] else CHILD_PARENT


def _add(source: Source, text: Text, row: Row, columns: _Columns) -> None:
    place = text.line_place(row.line)
    parent, child = row.cells[columns.parent], row.cells[columns.child]
    if not child:
        raise text.refuse("this line names no child", place)
    if parent:
        source.link(parent, child, place)
    node = source.nodes.setdefault(child, SourceNode(child, place))
    if columns.index is not None and row.cells[columns.index]:
        written = row.cells[columns.index]
        if not (written.isascii() and written.isdigit()):
            raise text.refuse(f'"{written}" is no index', place, "an index is the number of an output, from 0")
        node.index = int(written)
