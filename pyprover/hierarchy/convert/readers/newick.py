"""Newick trees, `((cat,dog)mammal,bird)animal;`, as phylogenetics and hierarchical clustering write them.

Names stand after their group; odd ones are between single quotes, doubled inside. Underscores are kept. Branch
lengths and comments are left out, but `[&&NHX:index=3]` is the index of a class. Groups without a name are
numbered, and so are those whose name is a number without quotes: commonly the support of a branch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from pyprover.hierarchy.convert.source import Source, SourceNode
from pyprover.hierarchy.convert.text import Text
from pyprover.mistakes import Place

_TOKEN = re.compile(
    r"(?P<blank>\s+)|(?P<comment>\[[^\]]*\])|(?P<mark>[(),;])|(?P<length>:\s*[^\s()\[\]':;,]+)"
    r"|(?P<quoted>'(?:[^']|'')*')|(?P<bare>[^\s()\[\]':;,]+)"
)
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_INDEX = re.compile(r"\[&&NHX(?::[^\]]*)?:index=([0-9]+)[:\]]")


@dataclass
class _Clade:
    place: Place
    name: str | None = None
    index: int | None = None
    members: list[_Clade] = field(default_factory=list)


def read(text: Text) -> Source:
    """Read one tree."""
    root = _parse(text)
    source = Source(text.file)
    unnamed = 0
    keys: dict[int, str] = {}
    clades = _preorder(root)
    names = {clade.name for clade in clades}
    for clade in clades:
        if clade.name is None:
            unnamed += clade is not root
            name = "" if clade is root else _fresh(names, unnamed)
        else:
            name = clade.name
        if name in source.nodes:
            first = source.nodes[name].place
            line = f" ({first})" if first else ""
            raise text.refuse(f'"{name}" is already the name of a node{line}', clade.place, "names are different")
        keys[id(clade)] = name
        source.nodes[name] = SourceNode(name, clade.place, clade.index)
    for clade in clades:
        for member in clade.members:
            source.link(keys[id(clade)], keys[id(member)], member.place)
    if unnamed:
        many = f"{unnamed} groups have" if unnamed > 1 else "1 group has"
        source.note(f"{many} no name; they are numbered in the order of the file: clade_1, ...")
    return source


def _fresh(names: set[str | None], number: int) -> str:
    name = f"clade_{number}"
    while name in names:
        name += "'"
    return name


def _preorder(root: _Clade) -> list[_Clade]:
    found, waiting = [], [root]
    while waiting:
        clade = waiting.pop()
        found.append(clade)
        waiting.extend(reversed(clade.members))
    return found


@dataclass(frozen=True)
class _Token:
    kind: str  # mark, quoted, bare or comment
    text: str
    place: Place


def _tokens(text: Text) -> Iterator[_Token]:
    """Everything but blanks and branch lengths."""
    content, position = text.content, 0
    while position < len(content):
        found = _TOKEN.match(content, position)
        place = _place(content, position)
        if found is None:
            raise text.refuse(f"not Newick: unexpected {content[position]}", place, "quotes and brackets come in pairs")
        position = found.end()
        if found.lastgroup not in (None, "blank", "length"):
            yield _Token(found.lastgroup, found.group(), place)


def _parse(text: Text) -> _Clade:
    """The tree, by a stack of the groups that are open."""
    open_groups: list[_Clade] = []
    current: _Clade | None = None  # the clade whose name may follow
    closed = False
    for token in _tokens(text):
        if token.kind == "comment":
            index = _INDEX.search(token.text)
            if index and current is not None:
                current.index = int(index.group(1))
        elif closed:
            raise text.refuse("not Newick: something follows the end of the tree", token.place, "a file holds one tree")
        elif token.kind == "mark":
            current = _mark(text, token, current, open_groups)
            closed = token.text == ";"
        else:
            _name(text, token, current)
    if open_groups:
        raise text.refuse("not Newick: this ( is not closed", open_groups[-1].place)
    if current is None:
        raise text.refuse("the file is empty")
    if not closed:
        end = max(number for number, line in enumerate(text.lines, 1) if line.strip())
        raise text.refuse("not Newick: the tree has no ; at its end", text.line_place(end))
    return current


def _name(text: Text, token: _Token, current: _Clade | None) -> None:
    """The name of the clade that was just opened or closed."""
    if current is None or current.name is not None:
        message = f"not Newick: unexpected name {token.text}"
        raise text.refuse(message, token.place, "a name with blanks stands between ' and '")
    if token.kind == "bare" and current.members and _NUMBER.fullmatch(token.text):
        return
    current.name = token.text[1:-1].replace("''", "'") if token.kind == "quoted" else token.text
    current.place = token.place
    if not current.name:
        raise text.refuse("a name has at least one character", token.place)


def _mark(text: Text, token: _Token, current: _Clade | None, groups: list[_Clade]) -> _Clade:
    """What a parenthesis, comma or semicolon does; returns the clade whose name may follow."""
    mark, place = token.text, token.place
    if mark == "(":
        if current is not None and (current.members or current.name is not None or not groups):
            raise text.refuse("not Newick: unexpected (", place, "a group's name stands after its )")
        group = current if current is not None else _Clade(place)
        groups.append(group)
        first = _Clade(place)
        group.members.append(first)
        return first
    if current is not None and current.name is None and not current.members and (groups or mark == ";"):
        raise text.refuse("not Newick: a name is missing", place, "every class has a name")
    if mark == ";":
        if groups:
            raise text.refuse("not Newick: this ( is not closed", groups[-1].place)
        if current is None:
            raise text.refuse("not Newick: the tree is empty", place)
        return current
    if not groups:
        raise text.refuse(f"not Newick: {mark} without a (", place)
    if mark == ")":
        return groups.pop()
    sibling = _Clade(place)
    groups[-1].members.append(sibling)
    return sibling


def _place(content: str, position: int) -> Place:
    line, column = content.count("\n", 0, position) + 1, position - content.rfind("\n", 0, position)
    return Place(line, column, line, column)
