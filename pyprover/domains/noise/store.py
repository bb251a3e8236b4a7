"""Where the blocks of split noise live: in memory, or in files that no name leads to.

A file on disk has no name from the start (``O_TMPFILE``), or loses it before anything is written: the system frees its
space when the last descriptor is closed. So nothing is left behind however a process ends, ``kill -9`` included;
nothing has to be found and removed at the next start, and processes that share a directory cannot meet. On a network
file system a machine that goes down may leave ``.nfs*`` files, which its server removes.

Blocks are read into memory of their own, not mapped: what is resident is what is worked on.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from typing_extensions import override

from pyprover.domains.noise.base import Noise, TooLargeError
from pyprover.domains.noise.leaves import with_leaves
from pyprover.errors import UserError


@dataclass
class Usage:
    """What went through a store: bytes held now and at most, and bytes and blocks written and read."""

    held: int = 0
    peak: int = 0
    written: int = 0
    read: int = 0
    blocks_written: int = 0
    blocks_read: int = 0

    def add(self, size: int) -> None:
        """Count a block that was written."""
        self.held += size
        self.peak = max(self.peak, self.held)
        self.written += size
        self.blocks_written += 1

    def get(self, size: int) -> None:
        """Count a block that was read."""
        self.read += size
        self.blocks_read += 1


class Shelf(ABC):
    """The blocks of one value, numbered from 0 as they come; their room is free when nothing refers to the shelf."""

    def __init__(self, usage: Usage) -> None:
        self._usage = usage
        self._blocks: list[Noise | None] = []
        self._sizes: list[int] = []
        weakref.finalize(self, _release, usage, self._sizes)

    def add(self, block: Noise | None) -> None:
        """Keep the next block; ``None`` if it moves nothing. ``TooLargeError`` when there is no room."""
        held, size = (None, 0) if block is None else self._held(block.bare())
        self._blocks.append(held)
        self._sizes.append(size)
        if held is not None:
            self._usage.add(size)

    def get(self, number: int) -> Noise | None:
        """A block, or ``None`` for those that move nothing or were never added; ``TooLargeError`` when it was lost."""
        held = self._blocks[number] if number < len(self._blocks) else None
        if held is None:
            return None
        self._usage.get(self._sizes[number])
        return self._whole(held)

    @property
    @abstractmethod
    def bytes(self) -> int:
        """What the blocks take in memory."""

    @abstractmethod
    def _held(self, block: Noise) -> tuple[Noise, int]:
        """What stays in memory of a block, and how many bytes it takes in the store."""

    @abstractmethod
    def _whole(self, held: Noise) -> Noise:
        """The block of which this stayed in memory."""


def _release(usage: Usage, sizes: list[int]) -> None:
    usage.held -= sum(sizes)


class Store(ABC):
    """A place for blocks; ``usage`` counts what goes through it."""

    def __init__(self) -> None:
        self.usage = Usage()

    @abstractmethod
    def shelf(self) -> Shelf:
        """An empty shelf. ``TooLargeError`` when there is no room."""


class Memory(Store):
    """Blocks stay in memory."""

    @override
    def shelf(self) -> Shelf:
        return _MemoryShelf(self.usage)


class _MemoryShelf(Shelf):
    @property
    @override
    def bytes(self) -> int:
        return sum(self._sizes)

    @override
    def _held(self, block: Noise) -> tuple[Noise, int]:
        return block, block.bytes

    @override
    def _whole(self, held: Noise) -> Noise:
        return held


class Disk(Store):
    """Blocks are in files of a directory, one file a value. ``UserError`` when none can be made there.

    Their storage must be a dataclass that holds its numbers in tensors, in its fields or those of dataclasses, tuples
    and lists in them. A directory of a file system in memory (``tmpfs``) saves nothing.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.directory = directory
        try:
            tempfile.TemporaryFile(dir=directory).close()
        except OSError as error:
            hint = "name a directory that exists and can be written to"
            raise UserError(f"noise cannot be kept in {str(directory)!r}: {error.strerror}", hint) from error

    @override
    def shelf(self) -> Shelf:
        return _DiskShelf(self.usage, self.directory)


@dataclass(frozen=True)
class _Span:
    """A tensor in a file: where it starts, what it is, and the sum of its numbers read as integers.

    A write that the system puts off and then cannot do is not always told; the sum notices.
    """

    start: int
    shape: torch.Size
    dtype: torch.dtype
    device: torch.device
    total: int


class _DiskShelf(Shelf):
    """The tensors of blocks one after another in a file; the rest of a block stays in memory."""

    def __init__(self, usage: Usage, directory: Path) -> None:
        super().__init__(usage)
        self._directory = directory
        self._end = 0
        try:
            file = tempfile.TemporaryFile(buffering=0, dir=directory)  # noqa: SIM115 -- closed with the shelf
        except OSError as error:
            raise self._failure(error.strerror) from error
        self._descriptor = file.fileno()
        weakref.finalize(self, file.close)

    @property
    @override
    def bytes(self) -> int:
        return 0

    @override
    def _held(self, block: Noise) -> tuple[Noise, int]:
        start = self._end
        held: Noise = with_leaves(block, Tensor, self._written)
        size = self._end - start
        if 2 * size < block.bytes:
            raise TypeError(f"{type(block).__name__} has numbers outside of tensors, which would stay in memory")
        return held, size

    @override
    def _whole(self, held: Noise) -> Noise:
        block: Noise = with_leaves(held, _Span, self._read)
        return block

    def _written(self, leaf: Tensor) -> _Span:
        tensor = leaf.detach().cpu().contiguous()
        span = _Span(self._end, tensor.shape, tensor.dtype, leaf.device, _total(tensor))
        rest = _octets(tensor)
        try:
            while rest:
                count = os.pwrite(self._descriptor, rest, self._end)
                rest = rest[count:]
                self._end += count
        except OSError as error:
            raise self._failure(error.strerror) from error
        return span

    def _read(self, span: _Span) -> Tensor:
        tensor = torch.empty(span.shape, dtype=span.dtype)
        rest, place = _octets(tensor), span.start
        try:
            while rest and (count := os.preadv(self._descriptor, [rest], place)):
                rest = rest[count:]
                place += count
        except OSError as error:
            raise self._failure(error.strerror) from error
        if rest or _total(tensor) != span.total:
            raise self._failure("what was read is not what was written")
        return tensor.to(span.device)

    def _failure(self, reason: str | None) -> TooLargeError:
        held = f"{self._usage.held / 2**20:.0f} MiB of noise are kept there"
        return TooLargeError(f"no more noise can be kept in {str(self._directory)!r}: {reason}; {held}")


_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def _total(tensor: Tensor) -> int:
    return int(tensor.flatten().view(_INTEGERS[tensor.element_size()]).sum())


def _octets(tensor: Tensor) -> memoryview:
    """The memory of a contiguous tensor."""
    return tensor.flatten().view(torch.uint8).numpy().data
