"""The hierarchy of a classifier's classes: a tree whose leaves are the classes, and overlays beside it.

A *class* is an output index of the network. A *node* is a class, a group of the tree, the root or an overlay, and is
written as its position in `Hierarchy.nodes`. The *extension* of a node is its set of classes; no two nodes have the
same one, so that on the tree lowest common ancestor and extension form a Galois insertion.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from pyprover.mistakes import Place

Classes: TypeAlias = frozenset[int]

ROOT = 0


class Kind(enum.Enum):
    """What a node is; the root is a group."""

    CLASS = "class"
    GROUP = "group"
    OVERLAY = "overlay"


@dataclass(frozen=True)
class Node:
    """One node; ``children`` in the order of the file, ``height`` (0 for a class) for nodes of the tree only."""

    name: str
    kind: Kind
    parent: int | None
    children: tuple[int, ...]
    extension: Classes
    height: int
    place: Place


@dataclass(frozen=True)
class Up:
    """The level of the k-th ancestors, counted from the class itself at 0; the root when there are fewer."""

    k: int

    def __post_init__(self) -> None:
        if self.k < 0:
            raise ValueError(f"up {self.k}: the level is negative")


@dataclass(frozen=True)
class Cut:
    """The level of the blocks of a named cut."""

    name: str


Level: TypeAlias = Up | Cut


@dataclass(frozen=True)
class Hierarchy:
    """A checked hierarchy; `pyprover.hierarchy.reader` makes them.

    ``nodes``: the tree in preorder, then the overlays. ``leaves``: the node of each class. ``never``: pairs of nodes
    (reference, answer). ``forbidden``: for each class, the answers that they forbid for it; never the class itself.
    An unknown name or cut is a `KeyError`, a class out of range an `IndexError`.
    """

    file: str
    nodes: tuple[Node, ...]
    leaves: tuple[int, ...]
    by_name: Mapping[str, int]
    cuts: Mapping[str, tuple[int, ...]]
    never: tuple[tuple[int, int], ...]
    forbidden: tuple[Classes, ...]

    @property
    def name(self) -> str:
        """Of the hierarchy, which is its root's."""
        return self.nodes[ROOT].name

    @property
    def class_names(self) -> tuple[str, ...]:
        """By index."""
        return tuple(self.nodes[leaf].name for leaf in self.leaves)

    @property
    def overlays(self) -> tuple[int, ...]:
        """The groups beside the tree, in the order of the file."""
        return tuple(i for i, node in enumerate(self.nodes) if node.kind is Kind.OVERLAY)

    @property
    def depth(self) -> int:
        """The least k for which ``Up(k)`` is the root for every class."""
        return self.nodes[ROOT].height

    def extension(self, node: int) -> Classes:
        """Gamma: the classes of a node, never empty."""
        return self.nodes[node].extension

    def ancestors(self, class_index: int) -> tuple[int, ...]:
        """From the class itself to the root."""
        chain = []
        node: int | None = self._leaf(class_index)
        while node is not None:
            chain.append(node)
            node = self.nodes[node].parent
        return tuple(chain)

    def lowest_common_ancestor(self, classes: Iterable[int]) -> int | None:
        """Alpha: the smallest node of the tree that contains all these classes; none for the empty set (the bottom)."""
        wanted = frozenset(classes)
        if not wanted:
            return None
        return next(node for node in self.ancestors(min(wanted)) if wanted <= self.extension(node))

    def minimal_groups(self, classes: Iterable[int]) -> tuple[int, ...]:
        """The groups, overlays included, that contain all these classes and have no smaller such group inside."""
        wanted = frozenset(classes)
        ancestor = self.lowest_common_ancestor(wanted)
        if ancestor is None:
            return ()
        candidates = [ancestor, *(node for node in self.overlays if wanted <= self.extension(node))]
        return tuple(
            node for node in candidates if not any(self.extension(other) < self.extension(node) for other in candidates)
        )

    def at_level(self, level: Level, class_index: int) -> int:
        """The ancestor of a class at a level."""
        chain = self.ancestors(class_index)
        if isinstance(level, Up):
            return chain[min(level.k, len(chain) - 1)]
        blocks = self.cuts[level.name]
        return next(node for node in chain if node in blocks)

    def within(self, level: Level, *, reference: int, answer: int) -> bool:
        """Whether the answer is in the reference's ancestor at this level; ignores ``never``."""
        return answer in self.extension(self.at_level(level, reference))

    def allowed(self, level: Level, class_index: int) -> Classes:
        """The extension of the class's ancestor at this level, minus what is forbidden for the class."""
        return self.extension(self.at_level(level, class_index)) - self.forbidden[class_index]

    def severity(self, *, reference: int, answer: int) -> int:
        """How bad a mistake is: ``depth + 1`` for a forbidden pair, else the height of the lowest common ancestor.

        The latter is the measure of Bertinetto et al., "Making Better Mistakes", CVPR 2020; 0 for the right answer.
        """
        self._leaf(answer)
        ancestor = self.lowest_common_ancestor({reference, answer})
        assert ancestor is not None
        return self.depth + 1 if answer in self.forbidden[reference] else self.nodes[ancestor].height

    def _leaf(self, class_index: int) -> int:
        if class_index < 0:
            raise IndexError(f"class {class_index} is negative")
        return self.leaves[class_index]
