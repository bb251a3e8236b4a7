"""Which class is which output of the network: never guessed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from pyprover.hierarchy.convert.classes import ClassList, Entry
from pyprover.hierarchy.convert.graph import Graph
from pyprover.hierarchy.convert.source import Complaint, ConversionError, Source
from pyprover.mistakes import Place

_SHOWN = 5


def first_of(complaints: Sequence[Complaint]) -> list[Complaint]:
    """The first few; the last of them says how many more there are."""
    if len(complaints) <= _SHOWN:
        return list(complaints)
    last = complaints[_SHOWN - 1]
    more = f"{last.message} (and {len(complaints) - _SHOWN} more like this)"
    return [*complaints[: _SHOWN - 1], Complaint(last.file, last.place, more, last.hint)]


def listed_indexes(source: Source, graph: Graph, classes: ClassList) -> tuple[dict[str, int], dict[str, str]]:
    """The indexes of the leaves in a list of classes, and its labels; both by key of the source.

    The classes of the list are exactly the leaves. One is found by its id, its name or another name of the node.
    """
    found: dict[str, Entry] = {}
    absent, inner = [], []
    leaves = set(graph.leaves)
    by_name: dict[str, list[str]] = defaultdict(list)
    for key in graph.order:
        node = source.nodes[key]
        for name in {key, node.name, *node.aliases}:
            by_name[name].append(key)
    for entry in classes.entries:
        keys = by_name.get(entry.key) or by_name.get(entry.label or "") or []
        matches = [key for key in keys if key in leaves and key not in found]
        if matches:
            found[matches[0]] = entry
        elif keys:
            count = len(graph.children[keys[0]])
            message = (
                f'class "{entry.key}" is a group of {count} in {source.file}'
                if count
                else f'class "{entry.key}" is "{source.nodes[keys[0]].name}", which has another index already'
            )
            hint = "a class has no members: put it below itself, under another name"
            inner.append(Complaint(classes.file, entry.place, message, hint if count else None))
        else:
            message = f'class "{entry.key}" is not in {source.file}'
            hint = "the classes of the list are the leaves of the tree; ids and names may be told by --names"
            absent.append(Complaint(classes.file, entry.place, message, hint))
    extra = [
        Complaint(
            source.file,
            source.nodes[key].place,
            f'"{source.nodes[key].name}" has no members, but is not a class of {classes.file}',
            "remove it, or add it to the list of classes",
        )
        for key in graph.leaves
        if key not in found
    ]
    if absent or inner or extra:
        raise ConversionError([*first_of(absent), *first_of(inner), *first_of(extra)])
    labels = {key: entry.label for key, entry in found.items() if entry.label is not None}
    return {key: entry.index for key, entry in found.items()}, labels


def own_indexes(source: Source, graph: Graph, order: str | None) -> dict[str, int]:
    """The indexes of ``order``, `appearance` or `sorted`; without a rule, those that the source has."""
    leaves = graph.leaves
    with_index = [key for key in leaves if source.nodes[key].index is not None]
    if order is not None:
        if with_index:
            source.note(f"the indexes in this file are replaced by --order {order}")
        ranked = leaves if order == "appearance" else sorted(leaves, key=lambda key: source.nodes[key].name)
        return {key: i for i, key in enumerate(ranked)}
    if not with_index:
        hint = "--classes FILE lists them, output 0 first; --order sorted or --order appearance states a rule"
        raise source.refuse("this file does not say which class is which output of the network", None, hint)
    return _check_own(source, graph, leaves)


def _check_own(source: Source, graph: Graph, leaves: list[str]) -> dict[str, int]:
    indexes: dict[str, int] = {}
    count = len(leaves)
    owner: dict[int, str] = {}
    complaints = []
    for key in leaves:
        node = source.nodes[key]
        if node.index is None:
            message = f'class "{node.name}" has no index, others have one'
        elif node.index in owner:
            message = f'index {node.index} of "{node.name}" is already that of "{source.nodes[owner[node.index]].name}"'
        elif node.index >= count:
            message = f'index {node.index} of "{node.name}" is out of range: {count} classes have 0 to {count - 1}'
        else:
            owner[node.index], indexes[key] = key, node.index
            continue
        complaints.append(Complaint(source.file, node.place, message, "--classes FILE states them instead"))
    inner = [key for key in graph.order if graph.children[key] and source.nodes[key].index is not None]
    for key in inner:
        node = source.nodes[key]
        message = f'"{node.name}" has an index and members: it is a class and a group'
        hint = "a class has no members: put it below itself, under another name"
        complaints.append(Complaint(source.file, node.place, message, hint))
    if complaints:
        complaints.sort(key=lambda complaint: complaint.place or Place(0, 0, 0, 0))
        raise ConversionError(first_of(complaints))
    return indexes
