"""Names for people: distinct, and none of them lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyprover.hierarchy.convert.source import Source, shorten
from pyprover.hierarchy.lattice import Classes


class Names:
    """Names of the nodes of a source, and of the sets of classes that nodes stand for.

    ``given`` are names by id or by name of the source, from a list of names; ``labels`` are those of the list of
    classes, by key. ``root`` is the name of the hierarchy, when it is not that of the root.
    """

    def __init__(self, source: Source, given: Mapping[str, str], labels: Mapping[str, str], root: str | None) -> None:
        self._source = source
        self._root = root
        self._names: dict[Classes, str] = {}
        self._aliases: dict[Classes, tuple[str, ...]] = {}
        self._known: dict[str, list[str]] = {}
        for key, node in source.nodes.items():
            own = [name for name in (node.name, *node.aliases) if name]
            known = next((given[name] for name in own if name in given), labels.get(key))
            self._known[key] = list(dict.fromkeys([known, *own] if known else own))

    def shown(self, key: str) -> str:
        """The name of a node of the source, in messages."""
        return self._known[key][0] if self._known[key] else "the root"

    def give(self, groups: Mapping[Classes, tuple[Sequence[str], Sequence[str]]], root: Classes) -> None:
        """Name each set of classes: it has keys of the source, the first of which names it, and further names."""
        taken: dict[str, Classes] = {}
        changed: list[str] = []
        # The root first: it may have a name of its own.
        for classes in sorted(groups, key=lambda classes: classes != root):
            keys, extra = groups[classes]
            candidates = [name for key in keys for name in self._known[key]] + list(extra)
            if classes == root and self._root is not None:
                candidates.insert(0, self._root)
            name = self._free(candidates[0], keys, classes, taken)
            if name != candidates[0]:
                changed.append(name)
            taken[name] = classes
            self._names[classes] = name
            self._aliases[classes] = tuple(alias for alias in dict.fromkeys(candidates) if alias != name)
        if changed:
            self._source.note(f"names that were given twice are told apart: {shorten(changed)}")

    def _free(self, name: str, keys: Sequence[str], classes: Classes, taken: Mapping[str, Classes]) -> str:
        """This name, or one that also has the qualifier of the node, or a number."""
        qualifier = "class" if len(classes) == 1 else "group"
        if keys:
            node = self._source.nodes[keys[0]]
            qualifier = node.qualifier or (node.name if node.name not in ("", name) else qualifier)
        found, number = name, 1
        while found in taken:
            found = f"{name} ({qualifier})" if number == 1 else f"{name} ({qualifier}, {number})"
            number += 1
        return found

    def of(self, classes: Classes) -> str:
        """The name of a set of classes that has one."""
        return self._names[classes]

    def aliases(self, classes: Classes) -> tuple[str, ...]:
        """Its other names."""
        return self._aliases[classes]
