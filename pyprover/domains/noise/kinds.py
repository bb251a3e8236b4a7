"""Cost models of the storages of noise: what each holds in memory and on disk, and how much work it is.

All sizes are of one region. ``reach`` says what its symbols reach (`reach.py`), ``item`` how many bytes a number has.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from typing_extensions import override

from pyprover.domains.noise.blocks import MOVES, Split
from pyprover.domains.noise.dense import DenseNoise
from pyprover.domains.noise.reach import Reach
from pyprover.domains.noise.sparse import SparseNoise
from pyprover.domains.noise.storage import Storage
from pyprover.domains.noise.store import Disk, Memory
from pyprover.domains.noise.windows import WindowNoise
from pyprover.graph import Operator
from pyprover.ops import MaxPool, Reshape, Scale

CHUNK = 8 << 20
"""Bytes that a step needs on its way, about: storages work on some symbols at a time."""

_INDEX_BYTES = 4

_FRAME_BYTES = 12
"""For the number and the corner of a window."""


class Kind(ABC):
    """A storage before it holds anything."""

    @property
    @abstractmethod
    def name(self) -> str:
        """For reports."""

    @property
    @abstractmethod
    def pace(self) -> float:
        """The time of a product of coefficients, relative to that of dense noise."""

    @abstractmethod
    def delay(self, result: Reach) -> float:
        """Seconds that a step takes however little it computes, about."""

    @property
    @abstractmethod
    def storage(self) -> Storage:
        """What makes such noise."""

    @abstractmethod
    def entries(self, reach: Reach) -> int:
        """How many coefficients are held of a value."""

    @abstractmethod
    def held(self, reach: Reach, item: int) -> int:
        """What the noise of a value takes in memory."""

    @abstractmethod
    def copied(self, reach: Reach, item: int) -> int:
        """What scaling a value, or adding symbols to it, makes a copy of."""

    @abstractmethod
    def passing(self, inputs: Sequence[Reach], result: Reach, item: int) -> int:
        """What a step needs on its way, beside its inputs and its result."""

    @abstractmethod
    def written(self, reach: Reach, item: int) -> int:
        """What the noise of a value takes on disk."""

    @abstractmethod
    def shares(self, op: Operator | None, inputs: Sequence[Reach]) -> bool:
        """Whether the result of an operator (``None``: the input) holds nothing large beside what its operand holds."""


class _Whole(Kind):
    """A storage that has all noise of a value in memory; unless it says otherwise, each value has its own."""

    @override
    def copied(self, reach: Reach, item: int) -> int:
        return self.held(reach, item)

    @override
    def passing(self, inputs: Sequence[Reach], result: Reach, item: int) -> int:
        return min(self.held(result, item), CHUNK)

    @override
    def written(self, reach: Reach, item: int) -> int:
        return 0

    @override
    def shares(self, op: Operator | None, inputs: Sequence[Reach]) -> bool:
        return False


@final
@dataclass(frozen=True)
class DenseKind(_Whole):
    """One tensor a value."""

    @property
    @override
    def name(self) -> str:
        return "dense"

    @property
    @override
    def pace(self) -> float:
        return 1.0

    @override
    def delay(self, result: Reach) -> float:
        return 2e-4

    @property
    @override
    def storage(self) -> Storage:
        return DenseNoise.none

    @override
    def entries(self, reach: Reach) -> int:
        return reach.symbols * reach.values

    @override
    def held(self, reach: Reach, item: int) -> int:
        return self.entries(reach) * item


@final
@dataclass(frozen=True)
class SparseKind(_Whole):
    """Coefficients that are not zero, with the number of their column; dense where that takes no less."""

    @property
    @override
    def name(self) -> str:
        return "sparse"

    @property
    @override
    def pace(self) -> float:
        return 2.0

    @override
    def delay(self, result: Reach) -> float:
        return 4e-3

    @property
    @override
    def storage(self) -> Storage:
        return SparseNoise.none

    @override
    def entries(self, reach: Reach) -> int:
        return reach.nonzero

    @override
    def held(self, reach: Reach, item: int) -> int:
        rows = reach.nonzero * (item + _INDEX_BYTES) + reach.symbols * _INDEX_BYTES
        return min(rows, reach.symbols * reach.values * item)

    @override
    def passing(self, inputs: Sequence[Reach], result: Reach, item: int) -> int:
        return CHUNK


@final
@dataclass(frozen=True)
class WindowKind(_Whole):
    """Windows of maps, each group with a scale and a sum for each entry; dense where values are no maps any more."""

    @property
    @override
    def name(self) -> str:
        return "patch"

    @property
    @override
    def pace(self) -> float:
        return 1.5

    @override
    def delay(self, result: Reach) -> float:
        return 4e-3

    @property
    @override
    def storage(self) -> Storage:
        return WindowNoise.none

    @override
    def entries(self, reach: Reach) -> int:
        return reach.cells

    @override
    def held(self, reach: Reach, item: int) -> int:
        frames = sum(group.count for group in reach.groups if group.window is not None) * _FRAME_BYTES
        sums = reach.values * item * (len(reach.groups) + 1) if reach.windowed else 0
        return reach.cells * item + frames + sums

    @override
    def copied(self, reach: Reach, item: int) -> int:
        return reach.values * item if reach.windowed else self.held(reach, item)

    @override
    def shares(self, op: Operator | None, inputs: Sequence[Reach]) -> bool:
        entrywise = (
            op is not None and (not op.linear or isinstance(op, Reshape | Scale)) and not isinstance(op, MaxPool)
        )
        return entrywise and all(reach.windowed for reach in inputs)


@final
@dataclass(frozen=True)
class SplitKind(Kind):
    """Blocks of symbols in another storage, in memory, or in files of a folder."""

    inner: Kind
    width: int
    folder: Path | None

    @property
    @override
    def name(self) -> str:
        return f"{self.inner.name} in blocks {'in memory' if self.folder is None else 'on disk'}"

    @property
    @override
    def pace(self) -> float:
        return 1.1 * self.inner.pace

    @override
    def delay(self, result: Reach) -> float:
        return -(-result.symbols // self.width) * (1e-3 + self.inner.delay(result))

    @property
    @override
    def storage(self) -> Storage:
        return Split(self.inner.storage, self.width, Memory() if self.folder is None else Disk(self.folder))

    @override
    def entries(self, reach: Reach) -> int:
        return self.inner.entries(reach)

    @override
    def held(self, reach: Reach, item: int) -> int:
        return 0 if self.folder is not None else self.inner.held(reach, item)

    @override
    def written(self, reach: Reach, item: int) -> int:
        return 0 if self.folder is None else self.inner.held(reach, item)

    @override
    def copied(self, reach: Reach, item: int) -> int:
        return 0

    @override
    def passing(self, inputs: Sequence[Reach], result: Reach, item: int) -> int:
        """Blocks of the operands with what waiting steps make of them; then that, and the block of the result.

        Blocks in memory are counted where they are held, those of symbols that have just appeared are made at once.
        """
        last = self.inner.passing(inputs, result, item)
        made = [self._block(self.inner.copied, reach, item) for reach in inputs]
        if self.folder is None:
            return sum(made) + last
        read = [self._block(self.inner.held, reach, item) for reach in inputs]
        made = [max(pair) for pair in zip(made, read, strict=True)]
        reading = [sum(made[: k + 1]) + read[k] * (len(reach.groups) > 1) for k, reach in enumerate(inputs)]
        return max(*reading, sum(made) + self._block(self.inner.held, result, item)) + last

    def _block(self, size: Callable[[Reach, int], int], reach: Reach, item: int) -> int:
        return size(reach, item) * min(self.width, reach.symbols) // max(1, reach.symbols)

    @override
    def shares(self, op: Operator | None, inputs: Sequence[Reach]) -> bool:
        return op is None or not op.linear or isinstance(op, MOVES)
