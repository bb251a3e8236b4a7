"""What a reader makes of a file: nodes and links as they are written, nothing resolved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pyprover.mistakes import Place


@dataclass(frozen=True)
class Complaint:
    """Something to tell the user about ``file``, or about a place in it; ``hint`` says what to do next."""

    file: str | None
    place: Place | None
    message: str
    hint: str | None = None


class ConversionError(Exception):
    """One or several mistakes of the user."""

    def __init__(self, complaints: Iterable[Complaint]) -> None:
        self.complaints = tuple(complaints)
        super().__init__("; ".join(complaint.message for complaint in self.complaints))


@dataclass
class SourceNode:
    """A node of the source. ``qualifier`` tells it from others of the same name; aliases are its other names."""

    name: str
    place: Place | None = None
    index: int | None = None
    aliases: tuple[str, ...] = ()
    qualifier: str | None = None


@dataclass(frozen=True)
class Link:
    """``child`` is directly below ``parent``; both are keys of `Source.nodes`."""

    parent: str
    child: str
    place: Place | None = None


@dataclass(frozen=True)
class SourceOverlay:
    """A group beside the tree: the union of its members."""

    name: str
    members: tuple[str, ...]


@dataclass
class Source:
    """A directed graph from groups to classes. Keys of ``nodes`` are the reader's; users see names.

    ``cuts`` are named lists of keys; ``never`` are pairs (reference, answer) of keys or names of overlays; ``notes``
    are warnings about what the reader decided.
    """

    file: str
    name: str | None = None
    nodes: dict[str, SourceNode] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    overlays: list[SourceOverlay] = field(default_factory=list)
    cuts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    never: list[tuple[str, str]] = field(default_factory=list)
    notes: list[Complaint] = field(default_factory=list)

    def refuse(self, message: str, place: Place | None = None, hint: str | None = None) -> ConversionError:
        """The error of a single mistake in this file."""
        return ConversionError([Complaint(self.file, place, message, hint)])

    def note(self, message: str, place: Place | None = None, hint: str | None = None) -> None:
        """Warn the user about this file."""
        self.notes.append(Complaint(self.file, place, message, hint))

    def link(self, parent: str, child: str, place: Place | None = None) -> None:
        """Add a link; both ends become nodes, at this place, when they are not yet."""
        for end in (parent, child):
            self.nodes.setdefault(end, SourceNode(end, place))
        self.links.append(Link(parent, child, place))


def shorten(items: Iterable[str], limit: int = 5) -> str:
    """The first names between quotes, and how many more there are."""
    listed = list(items)
    rest = [f"{len(listed) - limit} more"] if len(listed) > limit else []
    return ", ".join([f'"{item}"' for item in listed[:limit]] + rest)
