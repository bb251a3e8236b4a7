"""Tables of levels: one class a row, one column a level (`fine,coarse`; `species,genus,family`), with a header.

The class column is the one in which no value is repeated; the other levels are ordered by their numbers of values,
finest first. A column `LEVEL_index` holds the numbers of LEVEL; those of the class column are the outputs of the
network. Each level becomes a cut.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyprover.hierarchy.convert.source import Source, SourceNode, shorten
from pyprover.hierarchy.convert.text import Row, Text, rows_of

_TOP = "\0top"
_SUFFIX = "_index"


def read(text: Text, columns: Sequence[str] | None) -> Source:
    """Read a table; ``columns`` are the levels to use, the classes first, or none to have them found and said."""
    rows = rows_of(text)
    if len(rows) < 2:
        raise text.refuse("the table is empty" if rows else "the file is empty", None, "a table has a header and rows")
    header, body = rows[0], rows[1:]
    _check(text, header, body)
    source = Source(text.file)
    levels = _levels(source, text, header, body, columns)
    source.nodes[_TOP] = SourceNode("")
    places = [header.cells.index(level) for level in levels]
    indexes = _index_column(header, levels[0])
    reader = _Reader(source, text)
    for row in body:
        key = reader.add([(level, row.cells[i]) for level, i in zip(levels, places, strict=True)], row.line)
        if indexes is not None:
            source.nodes[key].index = _index(text, row, indexes)
    for level, i in zip(levels[1:], places[1:], strict=True):
        blocks = tuple(dict.fromkeys(_key(level, row.cells[i]) for row in body))
        if not all(block in source.nodes for block in blocks):
            source.note(f'level "{level}" has empty cells: it gives groups, but no cut', text.line_place(header.line))
        elif 1 < len(blocks) < len(body):  # as many groups as classes are other names of the classes
            source.cuts[level] = blocks
    return source


class _Reader:
    """Rows become chains of nodes; two chains agree above the first node that they share."""

    def __init__(self, source: Source, text: Text) -> None:
        self.source = source
        self.text = text
        self.above: dict[str, tuple[str, int]] = {}

    def add(self, cells: Sequence[tuple[str, str]], line: int) -> str:
        """One class and what it is in, the class first; an empty cell is a level that it does not have."""
        place, nodes = self.text.line_place(line), self.source.nodes
        level, name = cells[0]
        key = _key(level, name)
        if not name:
            raise self.text.refuse("this line names no class", place)
        if key in nodes:
            message = f'class "{name}" is listed twice (line {self.above[key][1]})'
            raise self.text.refuse(message, place, "a table has one row for each class")
        chain = [(level, value) for level, value in cells if value]
        for level, value in chain:
            nodes.setdefault(_key(level, value), SourceNode(value, place, qualifier=level))
        keys = [*(_key(level, value) for level, value in chain), _TOP]
        for (level, value), child, parent in zip(chain, keys[:-1], keys[1:], strict=True):
            if child not in self.above:
                self.above[child] = (parent, line)
                self.source.link(parent, child, place)
            elif self.above[child][0] != parent:
                first, other = (
                    f'"{nodes[above].name}"' if above != _TOP else "no group"
                    for above in (self.above[child][0], parent)
                )
                message = f'{level} "{value}" is in {first} (line {self.above[child][1]}) and in {other}'
                raise self.text.refuse(message, place, "a group of one level is in one group of the next")
        return key


def _key(level: str, value: str) -> str:
    return f"{level}\0{value}"


def _check(text: Text, header: Row, body: Sequence[Row]) -> None:
    if len(set(header.cells)) != len(header.cells) or not all(header.cells):
        raise text.refuse("the columns need different names", text.line_place(header.line))
    hint = "the first line names the columns"
    for cell, column in zip(header.cells, zip(*(row.cells for row in body), strict=False), strict=False):
        if cell.isdigit() or cell in column:
            raise text.refuse(f'"{cell}" is no name of a column: is this a row?', text.line_place(header.line), hint)
    for row in body:
        if len(row.cells) != len(header.cells):
            message = f"expected {len(header.cells)} cells on this line, found {len(row.cells)}"
            raise text.refuse(message, text.line_place(row.line), hint)


def _index_column(header: Row, level: str) -> int | None:
    names = (level + _SUFFIX, "index")
    return next((header.cells.index(name) for name in names if name in header.cells), None)


def _levels(
    source: Source, text: Text, header: Row, body: Sequence[Row], columns: Sequence[str] | None
) -> Sequence[str]:
    if columns is not None:
        unknown = [name for name in columns if name not in header.cells]
        if unknown:
            known = f"the columns are {shorten(header.cells, 12)}"
            raise text.refuse(f"there is no column {shorten(unknown)}", text.line_place(header.line), known)
        return columns
    levels = [name for name in header.cells if not name.endswith(_SUFFIX) and name != "index"]
    counts = {name: len({row.cells[header.cells.index(name)] for row in body}) for name in levels}
    levels.sort(key=lambda name: -counts[name])
    if not levels or counts[levels[0]] != len(body):
        hint = "one row for each class; --columns CLASS,GROUP,... states the levels, the classes first"
        raise text.refuse("no column has a different value on every line", text.line_place(header.line), hint)
    hint = f"--columns {','.join(levels)} states them"
    source.note(f"the levels are {shorten(levels, 12)}, the classes first", text.line_place(header.line), hint)
    return levels


def _index(text: Text, row: Row, column: int) -> int:
    written = row.cells[column]
    if not (written.isascii() and written.isdigit()):
        raise text.refuse(f'"{written}" is no index', text.line_place(row.line), "the number of an output, from 0")
    return int(written)
