"""What an analysis may use beside time: memory, a folder for noise, noise symbols.

A memory limit is a matter of the process, not of one domain: it is in force for all that runs inside
``Resources.force()``, as a precision is in a context of `decimal`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pyprover.domains.noise.base import TooLargeError
from pyprover.domains.noise.store import Disk
from pyprover.errors import UserError
from pyprover.memory import held_memory

DEFAULT_ROOM = 1 << 30
"""Bytes for one analysis where no limit is given."""

_RESERVED = 16
"""This part of a limit is left alone: what an analysis holds beside its large tensors, and gaps of the allocator."""


@dataclass(frozen=True)
class Room:
    """``granted`` bytes, taken by what the process has grown since it held ``held``."""

    granted: int
    held: int

    def left(self) -> int:
        """How many bytes may still be taken."""
        return self.granted - max(0, held_memory() - self.held)

    def binding(self) -> AbstractContextManager[None]:
        """Make `require` heed this room."""
        return _setting(_ROOM, self)


_ROOM: ContextVar[Room | None] = ContextVar("room", default=None)


def require(size: int, purpose: str) -> None:
    """Raise ``TooLargeError`` before so many bytes are taken, when the room that is binding has fewer left."""
    room = _ROOM.get()
    if room is not None and size > room.left():
        raise TooLargeError(f"{purpose} need {megabytes(size)}, {megabytes(max(0, room.left()))} are left")


@dataclass(frozen=True)
class Resources:
    """``memory``: bytes that the whole process may hold, ``None`` for ``DEFAULT_ROOM`` beyond what it holds now.

    ``folder``: where parts of the noise may be written, ``None`` for nowhere. ``symbols``: the most noise symbols of
    a region that zonotopes keep, ``None`` for all.
    """

    memory: int | None = None
    folder: Path | None = None
    symbols: int | None = None

    @classmethod
    def asked(cls, memory: int | None, folder: Path | None, symbols: int | None) -> Resources:
        """What a user asks for; ``UserError`` for what cannot be."""
        if memory is not None and memory < 1:
            raise UserError(f"a memory limit of {memory} bytes: it must be positive")
        if symbols is not None and symbols < 0:
            raise UserError(f"{symbols} noise symbols: at least 0 are needed")
        if folder is not None:
            Disk(folder)
        return cls(memory, folder, symbols)

    def room(self) -> Room:
        """What is left of the limit now."""
        held = held_memory()
        if self.memory is None:
            return Room(DEFAULT_ROOM, held)
        return Room(max(0, self.memory - self.memory // _RESERVED - held), held)

    def force(self) -> AbstractContextManager[None]:
        """Let analyses begun inside have these resources."""
        return _setting(_IN_FORCE, self)


_IN_FORCE: ContextVar[Resources] = ContextVar("resources", default=Resources())  # noqa: B039 -- it is immutable


def in_force() -> Resources:
    """What analyses may use here and now."""
    return _IN_FORCE.get()


_Setting = TypeVar("_Setting")


@contextmanager
def _setting(variable: ContextVar[_Setting], value: _Setting) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def megabytes(size: float) -> str:
    """A size for a reader."""
    return f"{size / 2**20:.0f} MiB" if size >= 10 << 20 else f"{size / 2**20:.1f} MiB"
