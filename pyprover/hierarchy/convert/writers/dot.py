"""A drawing for Graphviz: groups are boxes, overlays dashed, `never` pairs red. Cuts are not drawn."""

from __future__ import annotations

from collections.abc import Iterable

from pyprover.hierarchy.convert.shape import Tree, preorder


def write(tree: Tree) -> str:
    """A directed graph from groups to members; `index` of a node is the output of the class."""
    lines = [f"digraph {_quoted(tree.root.name)} {{", "  rankdir=LR", "  node [shape=box]"]
    nodes = [node for node, _ in preorder(tree.root)]
    for node in nodes:
        own = f"shape=ellipse, index={node.index}" if node.index is not None else ""
        lines.append(f"  {_quoted(node.name)}{_attributes(own, _tooltip(node.aliases))}")
    lines += [f"  {_quoted(node.name)} -> {_quoted(child.name)}" for node in nodes for child in node.children]
    for overlay in tree.overlays:
        lines.append(f"  {_quoted(overlay.name)}{_attributes('style=dashed', _tooltip(overlay.aliases))}")
        lines += [f"  {_quoted(overlay.name)} -> {_quoted(member)} [style=dashed]" for member in overlay.members]
    red = '[color=red, constraint=false, label="never"]'
    lines += [f"  {_quoted(reference)} -> {_quoted(answer)} {red}" for reference, answer in tree.never]
    return "\n".join([*lines, "}", ""])


def _attributes(*parts: str) -> str:
    written = ", ".join(part for part in parts if part)
    return f" [{written}]" if written else ""


def _tooltip(aliases: Iterable[str]) -> str:
    shown = ", ".join(aliases)
    return f"tooltip={_quoted(shown)}" if shown else ""


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
