"""A hierarchy that is ready to be written: names are final and distinct, extensions too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass
class Node:
    """A class (``index`` is its output, no children) or a group. ``aliases`` are names of the same set of classes."""

    name: str
    index: int | None
    children: list[Node]
    aliases: tuple[str, ...]


@dataclass(frozen=True)
class Overlay:
    """A group beside the tree: ``members`` are names of nodes of the tree, ``classes`` their indexes."""

    name: str
    members: tuple[str, ...]
    classes: tuple[int, ...]
    aliases: tuple[str, ...]


@dataclass(frozen=True)
class Tree:
    """The tree, and what stands beside it; cuts and ``never`` are made of names."""

    root: Node
    overlays: tuple[Overlay, ...]
    cuts: dict[str, tuple[str, ...]]
    never: tuple[tuple[str, str], ...]


def preorder(root: Node) -> Iterator[tuple[Node, int]]:
    """Every node with its depth, parents first; by a stack, for trees may be deeper than Python calls."""
    waiting = [(root, 0)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        waiting.extend((child, depth + 1) for child in reversed(node.children))
