"""Newick: the tree, and the indexes of its classes as `[&&NHX:index=3]`; nothing of what stands beside the tree."""

from __future__ import annotations

import re

from pyprover.hierarchy.convert.shape import Node, Tree

# A bare number would be read as the support of a branch.
_BARE = re.compile(r"(?![-+.\d])[^\s()\[\]':;,]+")


def write(tree: Tree) -> str:
    """One line; by a stack, for trees may be deeper than Python calls."""
    parts: list[str] = []
    waiting: list[str | Node] = [tree.root]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            parts.append(item)
        elif item.index is not None:
            parts.append(f"{_spelling(item.name)}[&&NHX:index={item.index}]")
        else:
            parts.append("(")
            waiting.append(f"){_spelling(item.name)}")
            for i, child in reversed(list(enumerate(item.children))):
                waiting.append(child)
                if i:
                    waiting.append(",")
    return "".join([*parts, ";\n"])


def _spelling(name: str) -> str:
    if _BARE.fullmatch(name):
        return name
    doubled = name.replace("'", "''")
    return f"'{doubled}'"
