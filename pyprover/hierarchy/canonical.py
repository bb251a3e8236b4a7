"""The canonical form of a hierarchy: files of one meaning have one form, here and on the OCaml side."""

from __future__ import annotations

from collections.abc import Iterable

from pyprover import sexplib
from pyprover.hierarchy.lattice import ROOT, Hierarchy, Kind


def to_sexp(hierarchy: Hierarchy) -> str:
    """One s-expression in sexplib's shortest writing, as ``caisar-ext hierarchy show --sexp`` prints it.

    Groups and blocks are sorted by their least class, overlays and cuts by name; ``never`` is spelt out in classes.
    """
    nodes = hierarchy.nodes

    def by_class(items: Iterable[int]) -> list[int]:
        return sorted(items, key=lambda i: min(nodes[i].extension))

    written: dict[int, str] = {}
    for i in reversed(range(len(nodes))):
        node = nodes[i]
        if node.kind is Kind.CLASS:
            written[i] = _list(sexplib.atom(node.name), str(min(node.extension)))
        elif node.kind is Kind.GROUP:
            # A group holds its children's text, which nobody else needs: long chains stay cheap in memory.
            written[i] = _list(
                sexplib.atom(node.name), _list(*(written.pop(child) for child in by_class(node.children)))
            )
    overlays = [
        _list(sexplib.atom(nodes[i].name), _list(*(str(c) for c in sorted(nodes[i].extension))))
        for i in sorted(hierarchy.overlays, key=lambda i: nodes[i].name)
    ]
    cuts = [
        _list(sexplib.atom(name), _list(*(sexplib.atom(nodes[block].name) for block in by_class(blocks))))
        for name, blocks in sorted(hierarchy.cuts.items())
    ]
    never = [_list(str(c), str(a)) for c, answers in enumerate(hierarchy.forbidden) for a in sorted(answers)]
    return _list(
        _list("hierarchy", written[ROOT]),
        _list("overlays", _list(*overlays)),
        _list("cuts", _list(*cuts)),
        _list("never", _list(*never)),
    )


def _list(*items: str) -> str:
    return f"({sexplib.joined(items)})"
