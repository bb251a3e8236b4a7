"""Our own language, `grammar/hierarchy.md`; its comments are not read."""

from __future__ import annotations

from pyprover.hierarchy.convert.source import Complaint, ConversionError, Source, SourceNode, SourceOverlay
from pyprover.hierarchy.convert.text import Text
from pyprover.hierarchy.lattice import Hierarchy, Kind
from pyprover.hierarchy.mistakes import HierarchyError
from pyprover.hierarchy.reader import of_bytes


def read(text: Text) -> Source:
    """Read a hierarchy; the one that is read keeps the order of its members."""
    try:
        return of_hierarchy(of_bytes(text.file, text.content.encode()))
    except HierarchyError as error:
        raise ConversionError(Complaint(error.file, m.place, m.message, m.hint) for m in error.mistakes) from None


def of_hierarchy(hierarchy: Hierarchy) -> Source:
    """The same nodes and links, overlays spelt out in classes."""
    source = Source(hierarchy.file, name=hierarchy.name)
    nodes = hierarchy.nodes
    for node in nodes:
        if node.kind is Kind.OVERLAY:
            members = tuple(nodes[hierarchy.leaves[c]].name for c in sorted(node.extension))
            source.overlays.append(SourceOverlay(node.name, members))
            continue
        index = min(node.extension) if node.kind is Kind.CLASS else None
        source.nodes[node.name] = SourceNode(node.name, node.place, index)
    for node in nodes:
        for child in node.children:
            source.link(node.name, nodes[child].name, nodes[child].place)
    source.cuts = {name: tuple(nodes[block].name for block in blocks) for name, blocks in hierarchy.cuts.items()}
    source.never = [(nodes[reference].name, nodes[answer].name) for reference, answer in hierarchy.never]
    return source
