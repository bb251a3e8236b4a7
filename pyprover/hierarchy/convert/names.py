"""Names for people: distinct, and none of them lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set

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
        """Name each set of classes: it has keys of the source, the first of which names it, and further names.

        A class keeps a name that no other class has, a group one that nothing else has; others are told apart.
        """
        names: dict[Classes, list[str]] = {}
        for classes, (keys, extra) in groups.items():
            own = [self._root] if classes == root and self._root is not None else []
            names[classes] = list(dict.fromkeys([*own, *(name for key in keys for name in self._known[key]), *extra]))
        count = Counter((candidates[0], len(classes) == 1) for classes, candidates in names.items())

        def plain(classes: Classes) -> bool:
            name, single = names[classes][0], len(classes) == 1
            return count[name, single] == 1 and (single or not count[name, True])

        taken: set[str] = set()
        changed: list[str] = []
        for classes in sorted(names, key=lambda classes: not plain(classes)):
            name = names[classes][0]
            if not plain(classes):
                name = self._told_apart(name, groups[classes][0], classes, taken)
                changed.append(name)
            taken.add(name)
            self._names[classes] = name
            self._aliases[classes] = tuple(alias for alias in names[classes] if alias != name)
        if changed:
            self._source.note(f"names that were given twice are told apart: {shorten(changed)}")

    def _told_apart(self, name: str, keys: Sequence[str], classes: Classes, taken: Set[str]) -> str:
        """This name with the qualifier of the node, and with a number when that is taken too."""
        qualifier = "class" if len(classes) == 1 else "group"
        if keys:
            node = self._source.nodes[keys[0]]
            qualifier = node.qualifier or (node.name if node.name not in ("", name) else qualifier)
        found, number = f"{name} ({qualifier})", 1
        while found in taken:
            number += 1
            found = f"{name} ({qualifier}, {number})"
        return found

    def of(self, classes: Classes) -> str:
        """The name of a set of classes that has one."""
        return self._names[classes]

    def aliases(self, classes: Classes) -> tuple[str, ...]:
        """Its other names."""
        return self._aliases[classes]
