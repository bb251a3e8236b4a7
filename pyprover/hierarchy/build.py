"""From a syntax tree whose names are sound to the lattice."""

from __future__ import annotations

from dataclasses import dataclass, field

from pyprover.hierarchy import syntax
from pyprover.hierarchy.lattice import Classes, Hierarchy, Kind, Node


@dataclass
class _Draft:
    name: syntax.Name
    parent: int | None
    index: int | None = None
    children: list[int] = field(default_factory=list)


def build(file: str, tree: syntax.File) -> Hierarchy:
    """The hierarchy that ``tree`` describes; `checks.check_names` has no complaint about it."""
    nodes = _tree_nodes(_preorder(tree))
    by_name = {node.name: i for i, node in enumerate(nodes)}
    for declaration in tree.declarations:
        if isinstance(declaration, syntax.Overlay):
            extension: Classes = frozenset().union(*(nodes[by_name[m.text]].extension for m in declaration.members))
            by_name[declaration.name.text] = len(nodes)
            nodes.append(
                Node(declaration.name.text, Kind.OVERLAY, None, (), extension, 0, place=declaration.name.place)
            )
    leaves = {min(node.extension): i for i, node in enumerate(nodes) if node.kind is Kind.CLASS}
    never = tuple(
        (by_name[pair.reference.text], by_name[pair.answer.text])
        for pair in tree.declarations
        if isinstance(pair, syntax.Never)
    )
    forbidden: list[Classes] = [frozenset()] * len(leaves)
    for reference, answer in never:
        for class_index in nodes[reference].extension:
            forbidden[class_index] |= nodes[answer].extension
    return Hierarchy(
        file=file,
        nodes=tuple(nodes),
        leaves=tuple(leaves[i] for i in range(len(leaves))),
        by_name=by_name,
        cuts={
            cut.name.text: tuple(by_name[block.text] for block in cut.blocks)
            for cut in tree.declarations
            if isinstance(cut, syntax.Cut)
        },
        never=never,
        forbidden=tuple(forbidden),
    )


def _preorder(tree: syntax.File) -> list[_Draft]:
    """The nodes of the tree, parents first; by a stack, for groups may be nested deeper than Python calls."""
    drafts: list[_Draft] = []
    top = syntax.Group(tree.name, tuple(m for m in tree.declarations if isinstance(m, syntax.Class | syntax.Group)))
    waiting: list[tuple[syntax.Member, int | None]] = [(top, None)]
    while waiting:
        member, parent = waiting.pop()
        if parent is not None:
            drafts[parent].children.append(len(drafts))
        if isinstance(member, syntax.Class):
            drafts.append(_Draft(member.name, parent, member.index))
        else:
            waiting.extend((below, len(drafts)) for below in reversed(member.members))
            drafts.append(_Draft(member.name, parent))
    return drafts


def _tree_nodes(drafts: list[_Draft]) -> list[Node]:
    """The same nodes with extensions and heights, computed from the leaves up."""
    extensions: list[Classes] = [frozenset() for _ in drafts]
    heights = [0] * len(drafts)
    for i in reversed(range(len(drafts))):
        draft = drafts[i]
        if draft.index is not None:
            extensions[i] = frozenset({draft.index})
        else:
            extensions[i] = frozenset().union(*(extensions[child] for child in draft.children))
            heights[i] = 1 + max(heights[child] for child in draft.children)
    return [
        Node(
            name=draft.name.text,
            kind=Kind.GROUP if draft.index is None else Kind.CLASS,
            parent=draft.parent,
            children=tuple(draft.children),
            extension=extension,
            height=height,
            place=draft.name.place,
        )
        for draft, extension, height in zip(drafts, extensions, heights, strict=True)
    ]
