"""The two checks of a hierarchy: names and indexes on the syntax tree, then sets of classes on the lattice."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from pyprover.hierarchy import syntax
from pyprover.hierarchy.lattice import ROOT, Classes, Hierarchy, Kind
from pyprover.mistakes import Mistake


def check_names(tree: syntax.File) -> list[Mistake]:
    """Every mistake in names and indexes, in no order."""
    return _Names(tree).found


class _Names:
    """The names declared so far, and the mistakes found."""

    def __init__(self, tree: syntax.File) -> None:
        self.found: list[Mistake] = []
        self.known: dict[str, tuple[str, syntax.Name]] = {}
        self.classes: list[syntax.Class] = []
        self.declare("the hierarchy", tree.name)
        # The tree first: lists may name what stands below them.
        self.declare_tree([m for m in tree.declarations if isinstance(m, syntax.Class | syntax.Group)])
        for declaration in tree.declarations:
            if isinstance(declaration, syntax.Overlay):
                self.declare("an overlay", declaration.name)
        if not self.classes:
            self.report(
                tree.name,
                f'hierarchy "{tree.name.text}" has no class',
                "declare one class for each output: class NAME = INDEX",
            )
        self.check_references(tree)
        self.check_indexes()

    def report(self, name: syntax.Name, message: str, hint: str | None) -> None:
        self.found.append(Mistake(name.place, message, hint))

    def declare(self, kind: str, name: syntax.Name) -> None:
        if name.text in self.known:
            other, first = self.known[name.text]
            self.report(
                name,
                f'"{name.text}" is already the name of {other} (line {first.place.line})',
                "the hierarchy, its groups, classes and overlays all have different names",
            )
        else:
            self.known[name.text] = (kind, name)

    def declare_tree(self, members: list[syntax.Member]) -> None:
        waiting = members[::-1]
        while waiting:
            member = waiting.pop()
            if isinstance(member, syntax.Class):
                self.declare("a class", member.name)
                self.classes.append(member)
            else:
                self.declare("a group", member.name)
                if not member.members:
                    self.report(member.name, f'group "{member.name.text}" is empty', "add a class to it, or remove it")
                waiting.extend(reversed(member.members))

    def resolve(self, name: syntax.Name) -> str | None:
        if name.text in self.known:
            return self.known[name.text][0]
        near = difflib.get_close_matches(name.text, self.known, n=1)
        self.report(name, f'unknown name "{name.text}"', f'did you mean "{near[0]}"?' if near else None)
        return None

    def check_references(self, tree: syntax.File) -> None:
        cuts: dict[str, syntax.Name] = {}
        for declaration in tree.declarations:
            match declaration:
                case syntax.Overlay(name, members):
                    self.check_list("overlay", name, members)
                case syntax.Cut(name, blocks):
                    if name.text in cuts:
                        first = cuts[name.text].place.line
                        self.report(name, f'cut "{name.text}" is already declared (line {first})', "rename one")
                    cuts[name.text] = name
                    self.check_list("cut", name, blocks)
                case syntax.Never(reference, answer):
                    self.resolve(reference)
                    self.resolve(answer)
                case syntax.Class() | syntax.Group():
                    pass

    def check_list(self, what: str, owner: syntax.Name, members: tuple[syntax.Name, ...]) -> None:
        if not members:
            self.report(owner, f'{what} "{owner.text}" is empty', "list its members between the braces")
        seen: set[str] = set()
        for member in members:
            if member.text in seen:
                self.report(member, f'"{member.text}" is listed twice', "remove one")
            elif self.resolve(member) == "an overlay":
                hint = f"the members of {what}s are groups and classes of the tree"
                self.report(member, f'"{member.text}" is an overlay', hint)
            seen.add(member.text)

    def check_indexes(self) -> None:
        count = len(self.classes)
        taken: dict[int, syntax.Name] = {}
        wrong: list[tuple[syntax.Class, str]] = []
        for item in self.classes:
            if item.index in taken:
                first = taken[item.index]
                message = f'index {item.index} is already that of "{first.text}" (line {first.place.line})'
                wrong.append((item, message))
            elif item.index >= count:
                message = f"index {item.index} is out of range: the indexes of {count} classes are 0 to {count - 1}"
                wrong.append((item, message))
            else:
                taken[item.index] = item.name
        free = [str(i) for i in range(count) if i not in taken]
        hint = "not used: " + ", ".join([*free[:10], *(["..."] if len(free) > 10 else [])])
        self.found += [Mistake(item.index_place, message, hint) for item, message in wrong]


def check_extensions(hierarchy: Hierarchy, tree: syntax.File) -> list[Mistake]:
    """Every mistake in the sets of classes, in no order; the names are sound."""
    found = [*_single_children(hierarchy), *_repeated_overlays(hierarchy)]
    for declaration in tree.declarations:
        if isinstance(declaration, syntax.Cut):
            found += _check_cut(hierarchy, declaration)
        elif isinstance(declaration, syntax.Never):
            found += _check_never(hierarchy, declaration)
    return found


def _single_children(hierarchy: Hierarchy) -> Iterator[Mistake]:
    # In a tree, a node has the classes of another only when it has a single child.
    for node in hierarchy.nodes:
        if len(node.children) == 1:
            child = hierarchy.nodes[node.children[0]]
            message = f'"{node.name}" has the same classes as "{child.name}"'
            yield Mistake(node.place, message, "add a class to it, or keep one of the two")


def _repeated_overlays(hierarchy: Hierarchy) -> Iterator[Mistake]:
    # Of nodes with one child, the child stands for both: it comes last in preorder.
    seen = {node.extension: node for node in hierarchy.nodes if node.kind is not Kind.OVERLAY}
    for i in hierarchy.overlays:
        overlay = hierarchy.nodes[i]
        other = seen.setdefault(overlay.extension, overlay)
        if other is not overlay:
            message = f'"{overlay.name}" has the same classes as "{other.name}"'
            yield Mistake(overlay.place, message, "use the other name")


def _check_cut(hierarchy: Hierarchy, cut: syntax.Cut) -> Iterator[Mistake]:
    earlier: list[int] = []
    for block in cut.blocks:
        node = hierarchy.by_name[block.text]
        for other in earlier:
            if hierarchy.extension(node) & hierarchy.extension(other):
                message = f'"{hierarchy.nodes[other].name}" and "{block.text}" overlap in cut "{cut.name.text}"'
                yield Mistake(block.place, message, "the blocks of a cut are disjoint")
        earlier.append(node)
    covered: Classes = frozenset().union(*(hierarchy.extension(node) for node in earlier))
    missing = ", ".join(f'"{hierarchy.nodes[node].name}"' for node in _outside(hierarchy, covered))
    if missing:
        message = f'cut "{cut.name.text}" leaves out {missing}'
        yield Mistake(cut.name.place, message, "the blocks of a cut cover the classes")


def _outside(hierarchy: Hierarchy, classes: Classes) -> Iterator[int]:
    """The largest nodes of the tree that hold none of these classes."""
    waiting = [ROOT]
    while waiting:
        node = waiting.pop()
        if classes.isdisjoint(hierarchy.extension(node)):
            yield node
        else:
            waiting.extend(reversed(hierarchy.nodes[node].children))


def _check_never(hierarchy: Hierarchy, pair: syntax.Never) -> Iterator[Mistake]:
    reference, answer = (hierarchy.by_name[name.text] for name in (pair.reference, pair.answer))
    both = hierarchy.extension(reference) & hierarchy.extension(answer)
    if both:
        place = pair.reference.place.to(pair.answer.place)
        message = f'never: "{hierarchy.class_names[min(both)]}" is on both sides'
        yield Mistake(place, message, "a class is always a right answer to itself")
