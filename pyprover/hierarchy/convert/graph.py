"""The links of a source, checked: one root, no cycle, nothing twice."""

from __future__ import annotations

import difflib
import graphlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pyprover.hierarchy.convert.source import Link, Source, SourceNode, shorten
from pyprover.hierarchy.lattice import Classes


@dataclass
class Graph:
    """An acyclic graph below ``root``. ``order`` has parents before children, in the order of the file otherwise."""

    root: str
    children: dict[str, list[str]]
    parents: dict[str, list[str]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)

    @property
    def leaves(self) -> list[str]:
        """Nodes without children, in the order of the tree."""
        return [key for key in self.order if not self.children[key]]

    def extensions(self, children: Mapping[str, Sequence[str]], indexes: Mapping[str, int]) -> dict[str, Classes]:
        """The classes below each node when ``children``, a part of this graph's links, are followed."""
        found: dict[str, Classes] = {}
        for key in reversed(self.order):
            own: Classes = frozenset({indexes[key]}) if key in indexes else frozenset()
            found[key] = own.union(*(found[child] for child in children.get(key, ())))
        return found


@dataclass(frozen=True)
class Roots:
    """What the user says of the root: the name of a node to start from, or of a new one above all others."""

    root: str | None = None
    new_root: str | None = None


NEW_ROOT = "\0new root"


def build_graph(source: Source, roots: Roots) -> Graph:
    """The graph below the root that was asked for, or the only one."""
    if not source.nodes:
        raise source.refuse("the file has no classes")
    children: dict[str, list[str]] = {key: [] for key in source.nodes}
    parents: dict[str, list[str]] = {key: [] for key in source.nodes}
    known: dict[tuple[str, str], Link] = {}
    for link in source.links:
        first = known.setdefault((link.parent, link.child), link)
        if first is not link:
            line = f" (line {first.place.line})" if first.place else ""
            above, below = source.nodes[link.parent].name, source.nodes[link.child].name
            raise source.refuse(
                f'"{below}" is already below "{above}"{line}', link.place, "remove one of the two lines"
            )
        children[link.parent].append(link.child)
        parents[link.child].append(link.parent)
    _check_cycles(source, parents, known)
    graph = Graph(_root(source, roots, children, parents), children)
    _restrict(graph, parents)
    return graph


def _check_cycles(source: Source, parents: dict[str, list[str]], links: dict[tuple[str, str], Link]) -> None:
    try:
        graphlib.TopologicalSorter(parents).prepare()
    except graphlib.CycleError as error:
        cycle: list[str] = error.args[1]
        # From the node that comes first in the file.
        order = {key: i for i, key in enumerate(source.nodes)}
        start = min(range(len(cycle) - 1), key=lambda i: order[cycle[i]])
        cycle = [*cycle[start:-1], *cycle[:start], cycle[start]]
        names = [source.nodes[key].name for key in cycle]
        shown = names if len(names) <= 12 else [*names[:8], "...", *names[-3:]]
        place = links[cycle[0], cycle[1]].place
        message = f"the links make a cycle: {' -> '.join(shown)}"
        raise source.refuse(message, place, "a hierarchy has none: remove a link") from None


def _root(source: Source, roots: Roots, children: dict[str, list[str]], parents: dict[str, list[str]]) -> str:
    tops = [key for key in source.nodes if not parents[key]]
    if roots.root is not None:
        found = roots.root
        by_name = [key for key, node in source.nodes.items() if found in (key, node.name, *node.aliases)]
        if not by_name:
            near = difflib.get_close_matches(found, (node.name for node in source.nodes.values()), n=1)
            hint = f'did you mean "{near[0]}"?' if near else f"at the top: {shorten(names_of(source, tops))}"
            raise source.refuse(f'there is no node "{found}"', None, hint)
        if len(by_name) > 1:
            raise source.refuse(f'{len(by_name)} nodes are called "{found}"', None, "name the root by its id")
        return by_name[0]
    if roots.new_root is not None:
        source.nodes[NEW_ROOT] = SourceNode(roots.new_root)
        children[NEW_ROOT] = tops
        parents[NEW_ROOT] = []
        for top in tops:
            parents[top].append(NEW_ROOT)
        return NEW_ROOT
    if len(tops) == 1:
        return tops[0]
    leaves = sum(not below for below in children.values())
    hint = "--root NAME keeps what is below one of them, --new-root NAME puts a root above them all"
    if leaves < len(tops):
        hint = "are these the classes? then the direction is the other one: see --edges"
    shown = shorten(names_of(source, tops))
    raise source.refuse(f"{len(tops)} nodes have no parent: {shown}", source.nodes[tops[1]].place, hint)


def names_of(source: Source, keys: Sequence[str]) -> list[str]:
    """Their names as the source has them."""
    return [source.nodes[key].name for key in keys]


def _restrict(graph: Graph, parents: dict[str, list[str]]) -> None:
    """Keep what is below the root; fill in parents and order."""
    seen = {graph.root}
    found = [graph.root]
    waiting = list(reversed(graph.children[graph.root]))
    while waiting:
        key = waiting.pop()
        if key not in seen:
            seen.add(key)
            found.append(key)
            waiting.extend(reversed(graph.children[key]))
    graph.children = {key: graph.children[key] for key in found}
    graph.parents = {key: [parent for parent in parents[key] if parent in seen] for key in found}
    graph.parents[graph.root] = []
    graph.order = _parents_first(graph, found)


def _parents_first(graph: Graph, preorder: list[str]) -> list[str]:
    """A topological order that keeps to the preorder where it can: on a tree they are the same."""
    missing = {key: len(graph.parents[key]) for key in preorder}
    ready, order = [graph.root], []
    while ready:
        key = ready.pop()
        order.append(key)
        for child in reversed(graph.children[key]):
            missing[child] -= 1
            if missing[child] == 0:
                ready.append(child)
    return order
