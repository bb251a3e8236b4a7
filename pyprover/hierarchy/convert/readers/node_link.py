"""Node-link JSON, as networkx writes it: `{"nodes": [{"id", "label"}], "links": [{"source", "target"}]}`.

Neural-backed decision trees (Wan et al., ICLR 2021) come so; their `contraction` of a node holds the nodes that
were merged into it, whose names become aliases. networkx 3.4 and newer write `edges` for `links`.
"""

from __future__ import annotations

from pyprover.hierarchy.convert.documents import Document, Fields, Items, Scalar, read_json
from pyprover.hierarchy.convert.source import Source, SourceNode
from pyprover.hierarchy.convert.text import Text
from pyprover.mistakes import Place

_HINT = "a node is an object with an id, a link one with a source and a target"


def read(text: Text) -> Source:
    """Read a graph; its links go from groups to their members."""
    document = read_json(text)
    source = Source(text.file)
    if not isinstance(document, Fields) or not isinstance(document.get("nodes"), Items):
        raise text.refuse("not a node-link document: it has no list of nodes", document.place, _HINT)
    directed = document.get("directed")
    if isinstance(directed, Scalar) and directed.value == "false":
        raise text.refuse("this graph is undirected", directed.place, "links go from a group to its members")
    for item in _items(text, document, "nodes"):
        _add_node(source, text, item)
    for item in _items(text, document, "links" if document.get("links") else "edges"):
        place = item.place
        ends = [_name(text, item, key) for key in ("source", "target")]
        for end in ends:
            if end not in source.nodes:
                raise text.refuse(f'no node has the id "{end}"', place, "every end of a link is listed in nodes")
        source.link(ends[0], ends[1], place)
    return source


def _items(text: Text, document: Fields, key: str) -> tuple[Document, ...]:
    found = document.get(key)
    if not isinstance(found, Items):
        raise text.refuse(f"not a node-link document: it has no list of {key}", document.place, _HINT)
    return found.items


def _name(text: Text, item: Document, key: str) -> str:
    found = item.get(key) if isinstance(item, Fields) else None
    if not isinstance(found, Scalar) or found.value in (None, ""):
        raise text.refuse(f"this object has no {key}", item.place, _HINT)
    return str(found.value)


def _label(fields: Document) -> str | None:
    found = fields.get("label") if isinstance(fields, Fields) else None
    return str(found.value) if isinstance(found, Scalar) and found.value not in (None, "") else None


def _add_node(source: Source, text: Text, item: Document) -> None:
    key, label, place = _name(text, item, "id"), _label(item), item.place
    if key in source.nodes:
        known = source.nodes[key].place
        raise text.refuse(f'the id "{key}" is already that of a node{_line(known)}', place, "ids are different")
    merged = item.get("contraction") if isinstance(item, Fields) else None
    aliases = [key] if label is not None else []
    if isinstance(merged, Fields):
        for name, fields in merged.fields:
            aliases += [alias for alias in (_label(fields), str(name.value)) if alias is not None]
    source.nodes[key] = SourceNode(label or key, place, aliases=tuple(aliases), qualifier=key)


def _line(place: Place | None) -> str:
    return f" (line {place.line})" if place else ""
