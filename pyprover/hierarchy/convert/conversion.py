"""The whole way: read, check, build, write, and read back what was written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from pyprover.hierarchy.convert.classes import read_classes, read_names
from pyprover.hierarchy.convert.formats import READERS, WRITERS, Reading, format_of_input, format_of_output
from pyprover.hierarchy.convert.graph import Roots, build_graph
from pyprover.hierarchy.convert.indexes import listed_indexes, own_indexes
from pyprover.hierarchy.convert.names import Names
from pyprover.hierarchy.convert.shape import Tree
from pyprover.hierarchy.convert.source import Complaint, ConversionError
from pyprover.hierarchy.convert.text import read_text
from pyprover.hierarchy.convert.tree import build
from pyprover.hierarchy.convert.writers import hier
from pyprover.hierarchy.lattice import Hierarchy
from pyprover.hierarchy.reader import of_bytes


@dataclass(frozen=True)
class Request:
    """What the user asks for; ``output`` only tells a format, nothing is written to it here."""

    input: str
    output: str | None = None
    source_format: str | None = None
    target_format: str | None = None
    classes: str | None = None
    names: str | None = None
    order: str | None = None
    edges: str | None = None
    columns: tuple[str, ...] | None = None
    root: str | None = None
    new_root: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Conversion:
    """The text to write, what it means, and what to tell the user; ``source_nodes`` are counted as they were read."""

    text: str
    source_format: str
    source_nodes: int
    tree: Tree
    hierarchy: Hierarchy
    notes: tuple[Complaint, ...]


def convert(request: Request) -> Conversion:
    """Convert one file. Raises `ConversionError` for mistakes of the user."""
    target = format_of_output(request.output, request.target_format)
    text = read_text(request.input)
    source_format = format_of_input(text, request.source_format)
    _check_options(request, source_format)
    source = READERS[source_format](text, Reading(request.edges, request.columns))
    graph = build_graph(source, Roots(request.root, request.new_root))
    if len(graph.leaves) < 2:
        raise source.refuse("a hierarchy has at least two classes, this file has one")
    labels: dict[str, str] = {}
    if request.classes is not None:
        indexes, labels = listed_indexes(source, graph, read_classes(request.classes))
    else:
        indexes = own_indexes(source, graph, request.order)
    given = read_names(request.names) if request.names is not None else {}
    if given and not any(name in given for node in source.nodes.values() for name in (node.name, *node.aliases)):
        source.note(
            f"{request.names} names nothing in this file", None, "each line has an id of this file, then a name"
        )
    root_name = request.name
    if request.root is None and request.new_root is None:
        root_name = root_name or source.name
    if root_name is None and not source.nodes[graph.root].name:
        root_name = PurePath(request.input).stem
    tree = build(source, graph, indexes, Names(source, given, labels, root_name))
    _check_names(source.file, tree)
    # Our own reader has the last word on every conversion.
    hierarchy = of_bytes(request.input, hier.write(tree).encode())
    writer = WRITERS[target]
    left_out = writer.left_out(tree)
    if left_out:
        source.note(f"{target} does not hold {', '.join(left_out)}: they are left out", None, "hier and json do")
    return Conversion(writer.write(tree), source_format, len(graph.order), tree, hierarchy, tuple(source.notes))


def _check_options(request: Request, source_format: str) -> None:
    """Refuse options that contradict each other or that this format does not have."""

    def refuse(message: str) -> ConversionError:
        return ConversionError([Complaint(None, None, message, "leave out one of them")])

    if request.classes is not None and request.order is not None:
        raise refuse("--classes and --order are two answers to one question")
    if request.root is not None and request.new_root is not None:
        raise refuse("--root and --new-root are two answers to one question")
    for option, value, owner in (("--edges", request.edges, "edges"), ("--columns", request.columns, "table")):
        if value is not None and source_format != owner:
            raise refuse(f"{option} goes with --from {owner}, but {request.input} is read as {source_format}")


def _check_names(file: str, tree: Tree) -> None:
    for name in hier.names_of(tree):
        if any(c < " " or c == "\x7f" for c in name):
            message = f"the name {name!r} has a control character"
            raise ConversionError([Complaint(file, None, message, "remove it from the file")])
