"""Nested JSON and YAML.

Three shapes, which may be mixed: names as keys, `{"animal": {"cat": null, "dog": 5}}`, a number being the index of
a class; lists of members, `{"animal": ["cat", "dog"]}`; and objects, `{"name": "animal", "children": [{"name":
"cat", "index": 3}]}`. In objects, `group` or `class` may stand for `name`, and `members` for `children`.

A document may hold the tree in a field `tree`, beside a `name` of the hierarchy: what `caisar-ext hierarchy show
--json` prints is one, with its `overlays`, `cuts` and `never`.
"""

from __future__ import annotations

from collections import deque

from pyprover.hierarchy.convert.documents import Document, Fields, Items, Scalar, read_json, read_yaml
from pyprover.hierarchy.convert.source import Source, SourceNode, SourceOverlay
from pyprover.hierarchy.convert.text import Text

_TOP = ""
_FIELDS = {"file", "ok", "mistakes", "name", "depth", "tree", "overlays", "cuts", "never"}


def read_nested_json(text: Text) -> Source:
    """Read nested JSON."""
    return _read(text, read_json(text))


def read_nested_yaml(text: Text) -> Source:
    """Read nested YAML."""
    return _read(text, read_yaml(text))


def _read(text: Text, document: Document) -> Source:
    source = Source(text.file)
    tree = document.get("tree") if isinstance(document, Fields) and _has_tree_field(document) else None
    if tree is None or not isinstance(document, Fields):
        _Reader(source, text).tree(document)
        return source
    name = document.get("name")
    if isinstance(name, Scalar) and name.value not in (None, ""):
        source.name = str(name.value)
    _Reader(source, text).tree(tree)
    _read_beside(source, text, document)
    return source


def _has_tree_field(document: Fields) -> bool:
    """Whether `tree` is a field of the document, not a group of trees among other groups."""
    return all(
        key.value in _FIELDS and (key.value == "tree" or not isinstance(value, Fields))
        for key, value in document.fields
    )


class _Reader:
    """Nodes and links of a nested document, by a queue: documents may be deeper than Python calls."""

    def __init__(self, source: Source, text: Text) -> None:
        self.source = source
        self.text = text
        self.waiting: deque[tuple[Document, str]] = deque()

    def tree(self, document: Document) -> None:
        # The top is the root when it is one object or one key; otherwise it is a root without a name.
        if not isinstance(document, Fields) or (_name_of(document) is None and len(document.fields) != 1):
            self.source.nodes[_TOP] = SourceNode("", document.place)
            self.members(document, _TOP)
        else:
            self.members(document, None)
        while self.waiting:
            below, parent = self.waiting.popleft()
            self.members(below, parent)

    def members(self, document: Document, parent: str | None) -> None:
        """What stands below ``parent``."""
        match document:
            case Items(()) | Fields(()):
                name = f'group "{parent}"' if parent else "the tree"
                hint = "a class has null, or the index of its output"
                raise self.text.refuse(f"{name} is empty", document.place, hint)
            case Items(items):
                for item in items:
                    self.member(item, parent)
            case Fields(fields) as mapping if _name_of(mapping) is None:
                for key, value in fields:
                    self.add(key, value, parent)
            case Fields() as item:
                self.object(item, parent)
            case Scalar(value):
                raise self.text.refuse(f"expected a group, found {value}", document.place, "a group lists its members")

    def member(self, item: Document, parent: str | None) -> None:
        """One member of a list."""
        if isinstance(item, Fields):
            self.members(item, parent)
        elif isinstance(item, Scalar) and item.value is not None:
            self.add(Scalar(str(item.value), item.place), Scalar(None, item.place), parent)
        else:
            raise self.text.refuse("expected a name or a group", item.place)

    def object(self, item: Fields, parent: str | None) -> None:
        name = _name_of(item)
        assert name is not None
        below = item.get("children") or item.get("members")
        if below is None or (isinstance(below, Items) and not below.items and item.get("group") is None):
            self.refuse_members(item, name)
            index = item.get("index") or Scalar(None, name.place)
            self.add(name, index, parent)
        else:
            self.add(name, below, parent)
        aliases = item.get("aliases")
        if isinstance(aliases, Items):
            found = tuple(str(alias.value) for alias in aliases.items if isinstance(alias, Scalar))
            self.source.nodes[str(name.value)].aliases = found

    def refuse_members(self, item: Fields, name: Scalar) -> None:
        """An object that holds objects in another field is no class."""
        for key, value in item.fields:
            if isinstance(value, Fields) or (
                isinstance(value, Items) and any(isinstance(i, Fields) for i in value.items)
            ):
                message = f'"{name.value}" has no children, but objects in its field "{key.value}"'
                raise self.text.refuse(message, key.place, "the members of a group are its children")

    def add(self, name: Scalar, below: Document, parent: str | None) -> None:
        """One node, and its members to be read later."""
        key = str(name.value)
        if not key:
            raise self.text.refuse("a name has at least one character", name.place)
        known = self.source.nodes.get(key)
        # A class may be in several groups.
        again = isinstance(below, Scalar) and known is not None and known.index == below.value and parent is not None
        if known is not None and not again:
            line = f" (line {known.place.line})" if known.place else ""
            raise self.text.refuse(f'"{key}" is already the name of a node{line}', name.place, "names are different")
        node = self.source.nodes.setdefault(key, SourceNode(key, name.place))
        if parent is not None:
            self.source.link(parent, key, name.place)
        if isinstance(below, Scalar):
            if below.value is not None and not isinstance(below.value, int):
                hint = "a class has null, or the index of its output"
                raise self.text.refuse(f'"{key}" has "{below.value}" below it', below.place, hint)
            if below.value is not None and below.value < 0:
                raise self.text.refuse(f'the index of "{key}" is negative', below.place)
            node.index = below.value
        else:
            self.waiting.append((below, key))


def _name_of(mapping: Fields) -> Scalar | None:
    """The name of an object; none for a mapping from names."""
    for key in ("group", "class", "name"):
        found = mapping.get(key)
        if isinstance(found, Scalar) and isinstance(found.value, str):
            return found
    return None


def _read_beside(source: Source, text: Text, document: Fields) -> None:
    """Overlays, cuts and never pairs, as `caisar-ext hierarchy show --json` writes them."""
    by_index = {node.index: key for key, node in source.nodes.items() if node.index is not None}
    for item in _list(document, "overlays"):
        classes = [c.value for c in _list(item, "classes") if isinstance(c, Scalar)]
        unknown = [c for c in classes if not isinstance(c, int) or c not in by_index]
        if unknown or not classes:
            raise text.refuse("the classes of this overlay are not indexes of the tree's", item.place)
        source.overlays.append(
            SourceOverlay(_string(text, item, "overlay"), tuple(by_index[c] for c in classes if isinstance(c, int)))
        )
    for item in _list(document, "cuts"):
        blocks = tuple(str(block.value) for block in _list(item, "blocks") if isinstance(block, Scalar))
        unknown_blocks = [block for block in blocks if block not in source.nodes]
        if unknown_blocks:
            raise text.refuse(f'this cut has an unknown block "{unknown_blocks[0]}"', item.place)
        source.cuts[_string(text, item, "cut")] = blocks
    overlays = {overlay.name for overlay in source.overlays}
    for item in _list(document, "never"):
        pair = (_string(text, item, "reference"), _string(text, item, "answer"))
        for name in pair:
            if name not in source.nodes and name not in overlays:
                raise text.refuse(f'this never pair has an unknown name "{name}"', item.place)
        source.never.append(pair)


def _list(item: Document, key: str) -> tuple[Document, ...]:
    found = item.get(key) if isinstance(item, Fields) else None
    return found.items if isinstance(found, Items) else ()


def _string(text: Text, item: Document, key: str) -> str:
    found = item.get(key) if isinstance(item, Fields) else None
    if not isinstance(found, Scalar) or found.value in (None, ""):
        raise text.refuse(f"this object has no {key}", item.place)
    return str(found.value)
