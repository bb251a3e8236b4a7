"""From a graph of groups and classes to a tree with overlays.

Every name keeps its meaning: its set of classes below it in the source. A node with several parents stays below the
first. The other parents then have classes that the tree does not put below them, so they, and those above them that
lose classes, leave the tree and become overlays; what else they held moves up to the next group. Nodes of equal
sets become one, named by the lowest; the other names are its aliases.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from pyprover.hierarchy.convert.graph import Graph
from pyprover.hierarchy.convert.names import Names
from pyprover.hierarchy.convert.shape import Node, Overlay, Tree
from pyprover.hierarchy.convert.source import Source, shorten
from pyprover.hierarchy.lattice import Classes


@dataclass
class _Group:
    """What stands for one set of classes: the key of the lowest node, then those of its aliases."""

    keys: list[str]
    extra: list[str]  # names of overlays of the source with the same classes


def build(source: Source, graph: Graph, indexes: dict[str, int], names: Names) -> Tree:
    """The hierarchy of a graph whose leaves have ``indexes``; notes in ``source`` tell what was changed."""
    return _Builder(source, graph, indexes, names).tree()


class _Builder:
    def __init__(self, source: Source, graph: Graph, indexes: dict[str, int], names: Names) -> None:
        self.source = source
        self.graph = graph
        self.indexes = indexes
        self.names = names
        self.meaning = graph.extensions(graph.children, indexes)
        self.parent = {child: parents[0] for child, parents in graph.parents.items() if parents}
        first: dict[str, list[str]] = defaultdict(list)
        for parent, children in graph.children.items():
            first[parent] = [child for child in children if self.parent[child] == parent]
        held = graph.extensions(first, indexes)
        # The tree keeps the nodes that hold in it all that they hold in the source. The root always does.
        self.kept = {key for key in graph.order if held[key] == self.meaning[key]}
        self.by_classes: dict[Classes, _Group] = {}
        self.overlay_sets: list[Classes] = []

    def tree(self) -> Tree:
        """Group the nodes by their classes, name the groups, then build from the leaves up."""
        lost = [key for key in self.graph.order if key not in self.kept]
        # From the leaves up: the lowest node of a chain comes first.
        for key in reversed([key for key in self.graph.order if key in self.kept]):
            self.by_classes.setdefault(self.meaning[key], _Group([], [])).keys.append(key)
        tree_sets = set(self.by_classes)
        for key in lost:
            self.overlay(self.meaning[key]).keys.append(key)
        self.add_overlays()
        self.names.give(
            {classes: (group.keys, group.extra) for classes, group in self.by_classes.items()},
            root=self.meaning[self.graph.root],
        )
        nodes = self.nodes(tree_sets)
        root = nodes[self.meaning[self.graph.root]]
        overlays = tuple(self.shape_of_overlay(classes, nodes) for classes in self.overlay_sets)
        self.tell(lost)
        return Tree(root, overlays, self.cuts(nodes), self.never())

    def overlay(self, classes: Classes) -> _Group:
        if classes not in self.by_classes:
            self.overlay_sets.append(classes)
        return self.by_classes.setdefault(classes, _Group([], []))

    def add_overlays(self) -> None:
        """Overlays of the source, by the classes of their members that are still there."""
        for overlay in self.source.overlays:
            classes: Classes = frozenset().union(*(self.meaning.get(key, frozenset()) for key in overlay.members))
            if classes:
                self.overlay(classes).extra.append(overlay.name)
            else:
                self.source.note(f'overlay "{overlay.name}" has no class in this tree; it is left out')

    def nodes(self, tree_sets: set[Classes]) -> dict[Classes, Node]:
        """A node for each set of classes of the tree, children in the order of the source."""
        made: dict[Classes, Node] = {}
        order = [key for key in self.graph.order if key in self.kept]
        for key in order:
            classes = self.meaning[key]
            if classes not in made:
                index = min(classes) if len(classes) == 1 else None
                made[classes] = Node(self.names.of(classes), index, [], self.names.aliases(classes))
                above = self.next_kept(key)
                if above is not None:
                    made[self.meaning[above]].children.append(made[classes])
        assert set(made) == tree_sets
        return made

    def next_kept(self, key: str) -> str | None:
        """The nearest node above in the tree."""
        above = self.parent.get(key)
        while above is not None and above not in self.kept:
            above = self.parent.get(above)
        return above

    def shape_of_overlay(self, classes: Classes, nodes: dict[Classes, Node]) -> Overlay:
        """The largest nodes of the tree inside, in the order of the tree."""
        members: list[str] = []
        waiting = [self.meaning[self.graph.root]]
        by_name = {node.name: extension for extension, node in nodes.items()}
        while waiting:
            extension = waiting.pop()
            if extension <= classes:
                members.append(nodes[extension].name)
            elif extension & classes:
                waiting.extend(by_name[child.name] for child in reversed(nodes[extension].children))
        return Overlay(self.names.of(classes), tuple(members), tuple(sorted(classes)), self.names.aliases(classes))

    def cuts(self, nodes: dict[Classes, Node]) -> dict[str, tuple[str, ...]]:
        """Cuts of the source that are still disjoint nodes of the tree that cover its classes."""
        cuts = {}
        for name, blocks in self.source.cuts.items():
            sets = list(dict.fromkeys(self.meaning[key] for key in blocks if key in self.meaning))
            total = sum(len(classes) for classes in sets)
            covered: Classes = frozenset().union(*sets)
            if all(classes in nodes for classes in sets) and total == len(covered) == len(self.indexes):
                cuts[name] = tuple(nodes[classes].name for classes in sets)
            else:
                self.source.note(f'cut "{name}" is no cut of the tree any more; it is left out')
        return cuts

    def never(self) -> tuple[tuple[str, str], ...]:
        """Pairs of the source between nodes that are still there."""
        overlays = {overlay.name: overlay.members for overlay in self.source.overlays}

        def name(key: str) -> str | None:
            members = overlays.get(key, (key,))
            classes: Classes = frozenset().union(*(self.meaning.get(member, frozenset()) for member in members))
            return self.names.of(classes) if classes else None

        pairs = []
        for reference, answer in self.source.never:
            pair = (name(reference), name(answer))
            if pair[0] is None or pair[1] is None:
                self.source.note(f'never "{reference}" -> "{answer}" is between classes that are left out')
            else:
                pairs.append((pair[0], pair[1]))
        return tuple(pairs)

    def tell(self, lost: list[str]) -> None:
        """What the user should know of the changes."""
        several = [key for key in self.graph.order if len(self.graph.parents[key]) > 1]
        if several:
            kept = "; ".join(
                f'"{self.names.shown(key)}" stays in "{self.names.shown(self.graph.parents[key][0])}"'
                for key in several[:3]
            )
            more = f"; and {len(several) - 3} more" if len(several) > 3 else ""
            count = f"{len(several)} nodes have" if len(several) > 1 else "1 node has"
            self.source.note(f"{count} several parents: {kept}{more}", None, "the first parent in the file is kept")
        if lost:
            message = f"beside the tree, as overlays: {shorten(map(self.names.shown, lost))}"
            self.source.note(message, None, "overlays have no level; every name keeps its classes")
        merged = [
            group
            for group in reversed(self.by_classes.values())
            if len({*map(self.names.shown, group.keys), *group.extra}) > 1
        ]
        if merged:
            kept_names = [self.names.shown(group.keys[0]) if group.keys else group.extra[0] for group in merged]
            count = "1 node has" if len(merged) == 1 else f"{len(merged)} nodes have"
            self.source.note(f"{count} the same classes as others, whose names become aliases: {shorten(kept_names)}")
