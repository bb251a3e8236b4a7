"""The table of formats, and how the format of a file is found when it is not stated."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from pyprover.hierarchy.convert.readers import edges, hier, nested, newick, node_link, table
from pyprover.hierarchy.convert.shape import Tree
from pyprover.hierarchy.convert.source import Complaint, ConversionError, Source
from pyprover.hierarchy.convert.text import Text, delimiter_of, rows_of
from pyprover.hierarchy.convert.writers import dot as write_dot
from pyprover.hierarchy.convert.writers import hier as write_hier
from pyprover.hierarchy.convert.writers import json as write_json
from pyprover.hierarchy.convert.writers import newick as write_newick


@dataclass(frozen=True)
class Reading:
    """What a user may say of a file: the direction of its links, the columns of its levels."""

    edges: str | None = None
    columns: Sequence[str] | None = None


READERS: dict[str, Callable[[Text, Reading], Source]] = {
    "hier": lambda text, _: hier.read(text),
    "edges": lambda text, reading: edges.read(text, reading.edges),
    "table": lambda text, reading: table.read(text, reading.columns),
    "node-link": lambda text, _: node_link.read(text),
    "json": lambda text, _: nested.read_nested_json(text),
    "yaml": lambda text, _: nested.read_nested_yaml(text),
    "newick": lambda text, _: newick.read(text),
}


@dataclass(frozen=True)
class Writer:
    """How to write a format, and whether it holds less than the tree, its overlays, cuts, never pairs and aliases."""

    write: Callable[[Tree], str]
    left_out: Callable[[Tree], list[str]]


def _nothing(_: Tree) -> list[str]:
    return []


def _cuts(tree: Tree) -> list[str]:
    return ["cuts"] if tree.cuts else []


def _beside(tree: Tree) -> list[str]:
    beside = {"overlays": tree.overlays, "cuts": tree.cuts, "never pairs": tree.never}
    return [name for name, items in beside.items() if items]


WRITERS = {
    "hier": Writer(write_hier.write, _nothing),
    "json": Writer(write_json.write, _nothing),
    "dot": Writer(write_dot.write, _cuts),
    "newick": Writer(write_newick.write, _beside),
}

_NODES = re.compile(r'"nodes"\s*:\s*\[')
_SUFFIXES = {
    ".hier": "hier",
    ".json": "json",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".nwk": "newick",
    ".newick": "newick",
    ".tree": "newick",
    ".dot": "dot",
    ".gv": "dot",
}


def format_of_output(file: str | None, stated: str | None) -> str:
    """The format that is stated, or that of the file's suffix; `hier` for standard output."""
    found = stated or ("hier" if file is None else _SUFFIXES.get(PurePath(file).suffix.lower(), ""))
    return _known(found, WRITERS, "--to", file)


def format_of_input(text: Text, stated: str | None) -> str:
    """The format that is stated, or found by the suffix and, for tables and JSON, in the text."""
    if stated is not None:
        return _known(stated, READERS, "--from", text.file)
    suffix = PurePath(text.file).suffix.lower()
    found = _SUFFIXES.get(suffix)
    if found == "json":
        return "node-link" if _NODES.search(text.content) and '"source"' in text.content else "json"
    if found is None and suffix in (".csv", ".tsv", ".txt", ".edges", ""):
        found = _format_of_rows(text)
    return _known(found or "", READERS, "--from", text.file)


def _format_of_rows(text: Text) -> str:
    """Edges or a table: two columns that share names are links, more than two are levels."""
    rows = rows_of(text)
    if not rows:
        raise text.refuse("the file is empty")
    if edges.header_of(rows[0]) is not None or delimiter_of(text) != ",":
        return "edges"
    if len(rows[0].cells) > 2:
        return "table"
    left, right = ({row.cells[side] for row in rows if len(row.cells) > side} for side in (0, 1))
    if left & right:
        return "edges"
    raise text.refuse(
        "are these links or levels?", text.line_place(rows[0].line), "state it: --from edges or --from table"
    )


def _known(
    name: str,
    table: dict[str, object] | dict[str, Callable[[Text, Reading], Source]] | dict[str, Writer],
    option: str,
    file: str | None,
) -> str:
    if name in table:
        return name
    known = ", ".join(table)
    message = f'unknown format "{name}"' if name else f"the format of {file} is not known by its name"
    raise ConversionError([Complaint(None, None, message, f"state one: {option} {known}")])
