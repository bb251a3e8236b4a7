"""Lists of classes and of names.

A list of classes says which node is which output: a text with one name a line, output 0 first; or JSON, which is a
list of names, a list of `[index, id, name]`, `{"0": ["id", "name"]}`, `{"0": "name"}` or `{"name": 0}`. A list of
names gives names to ids: a text with an id, a blank, tab or comma and the name on each line; JSON `{"id": "name"}`,
or a list of classes.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyprover.hierarchy.convert.documents import Document, Fields, Items, Scalar, read_json
from pyprover.hierarchy.convert.text import Text, read_text
from pyprover.mistakes import Place


@dataclass(frozen=True)
class Entry:
    """One class of a list. ``label`` is its name for people, when the list has both."""

    key: str
    label: str | None
    index: int
    place: Place


@dataclass(frozen=True)
class ClassList:
    """The classes, in the order of their indexes, which are 0 to n-1."""

    file: str
    entries: tuple[Entry, ...]


def read_classes(file: str) -> ClassList:
    """Read a list of classes; raises `ConversionError` with the place of the first mistake."""
    text = read_text(file)
    entries = _json_entries(text) if file.endswith(".json") else _text_entries(text)
    if not entries:
        raise text.refuse("the list of classes is empty", None, "one name a line, output 0 first")
    keys: dict[str, Entry] = {}
    indexes: dict[int, Entry] = {}
    for entry in entries:
        if entry.key in keys:
            line = keys[entry.key].place.line
            raise text.refuse(
                f'class "{entry.key}" is listed twice (line {line})', entry.place, "classes are different"
            )
        if entry.index in indexes:
            message = f'index {entry.index} is already that of "{indexes[entry.index].key}"'
            raise text.refuse(message, entry.place, "indexes are different")
        if not 0 <= entry.index < len(entries):
            known = f"the indexes of {len(entries)} classes are 0 to {len(entries) - 1}"
            raise text.refuse(f"index {entry.index} is out of range: {known}", entry.place)
        keys[entry.key] = indexes[entry.index] = entry
    return ClassList(file, tuple(indexes[i] for i in range(len(entries))))


def read_names(file: str) -> dict[str, str]:
    """Read a list of names: from ids to names."""
    text = read_text(file)
    names: dict[str, str] = {}
    for key, name, place in _json_names(text) if file.endswith(".json") else _text_names(text):
        if key in names:
            raise text.refuse(f'"{key}" has a name already: "{names[key]}"', place, "an id has one name")
        names[key] = name
    if not names:
        raise text.refuse("the list of names is empty", None, "each line has an id, a tab and a name")
    return names


def _text_entries(text: Text) -> list[Entry]:
    lines = [line.strip() for line in text.lines]
    while lines and not lines[-1]:
        lines.pop()
    for number, line in enumerate(lines, 1):
        if not line:
            hint = "each line is a class: an empty one would shift those that follow"
            raise text.refuse("this line names no class", text.line_place(number), hint)
    return [Entry(line, None, i, text.line_place(i + 1)) for i, line in enumerate(lines)]


def _text_names(text: Text) -> list[tuple[str, str, Place]]:
    found = []
    for number, line in enumerate(text.lines, 1):
        if not line.strip():
            continue
        mark = next(
            (mark for mark in ("\t", ",") if mark in line and text.file.endswith(".csv") >= (mark == ",")), None
        )
        key, *rest = line.strip().split(mark, 1)
        if not rest or not rest[0].strip():
            raise text.refuse(f'"{key}" has no name on this line', text.line_place(number), "an id, a tab, a name")
        found.append((key.strip(), rest[0].strip(), text.line_place(number)))
    return found


_SHAPES = 'a list of classes is ["name"], [[0, "id", "name"]], {"0": ["id", "name"]}, {"0": "name"} or {"name": 0}'


def _json_entries(text: Text) -> list[Entry]:
    match read_json(text):
        case Items(items):
            return [_entry(text, item, i) for i, item in enumerate(items)]
        case Fields(fields):
            return [_field_entry(text, key, value) for key, value in fields]
        case Scalar(_, place):
            raise text.refuse("this is no list of classes", place, _SHAPES)


def _entry(text: Text, item: Document, position: int) -> Entry:
    """A name by its position, or ``[index, id]`` or ``[index, id, name]``."""
    match item:
        case Scalar(str(name), place):
            return Entry(name, None, position, place)
        case Items((Scalar(int(index)), Scalar(str(key))), place):
            return Entry(key, None, index, place)
        case Items((Scalar(int(index)), Scalar(str(key)), Scalar(str(label))), place):
            return Entry(key, label, index, place)
    raise text.refuse("this is no class", item.place, _SHAPES)


def _field_entry(text: Text, key: Scalar, value: Document) -> Entry:
    name = str(key.value)
    number = int(name) if name.isascii() and name.isdigit() and len(name) < 10 else None
    match value:
        case Scalar(int(index)):
            return Entry(name, None, index, key.place)
        case Scalar(str(label)) if number is not None:
            return Entry(label, None, number, key.place)
        case Items((Scalar(str(identity)), Scalar(str(label)))) if number is not None:
            return Entry(identity, label, number, key.place)
    raise text.refuse("this is no class", key.place, _SHAPES)


def _json_names(text: Text) -> list[tuple[str, str, Place]]:
    document = read_json(text)
    if isinstance(document, Fields):
        plain = [
            (str(key.value), value.value, key.place) for key, value in document.fields if isinstance(value, Scalar)
        ]
        strings = [(key, value, place) for key, value, place in plain if isinstance(value, str)]
        if len(strings) == len(document.fields):
            return strings
    return [(entry.key, entry.label or entry.key, entry.place) for entry in _json_entries(text)]
