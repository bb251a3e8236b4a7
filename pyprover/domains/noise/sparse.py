"""Sparse noise: what is not zero, row by row (CSR, `scipy.sparse`), until a layer makes all depend on all.

A coefficient takes 12 bytes in float64. `torch.sparse` has 64-bit indices, so that one takes 16, no faster product, and
no way to add, to scale or to stack: it was not taken. Convolutions are products with their own sparse matrix, made for
each use (a sixth of the time of the product) and not kept; where it would be large beside the noise, or an operator
has none, some symbols at a time are made dense, taken through, and made sparse again. The result of a matrix along the
last axis is dense noise, and so is what would take no less when sparse.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array, hstack, vstack  # type: ignore[import-untyped]
from torch import Tensor
from typing_extensions import override

from pyprover.domains.interval import homogeneous
from pyprover.domains.noise.base import Noise
from pyprover.domains.noise.dense import DenseNoise, require_room
from pyprover.domains.noise.sparse_maps import conv_matrices, moves, numbers, selection, sums
from pyprover.domains.noise.sparse_parts import Part, as_dense
from pyprover.graph import Operator, Shape
from pyprover.ops import Add, Conv, Dense, Reshape, Scale

_ROWS = 512
"""Rows of a part, about: what a step needs on its way is that of one part."""

_DENSE_FROM = 1.0
"""The share of what dense noise would take from which on it is made dense."""

_SMALL = 16 << 20
"""Bytes of the matrix of a convolution that are held at once in any case; more where the noise itself takes more."""


@dataclass(frozen=True, eq=False)
class SparseNoise(Noise):
    """``like``: a value without entries, (batch, 0) in the type of the numbers; ``known``: how many symbols."""

    like: Tensor
    shape: Shape
    known: int
    parts: tuple[Part, ...]

    @classmethod
    def none(cls, like: Tensor) -> SparseNoise:
        """No symbols, for a value (batch, *shape)."""
        return cls(like.new_empty(len(like), 0), tuple(like.shape[1:]), 0, ())

    @property
    @override
    def symbols(self) -> int:
        return self.known

    @cached_property
    @override
    def radius(self) -> Tensor:
        total = np.zeros((len(self.like), prod(self.shape)))
        for part in self.parts:
            total += part.radius()
        return torch.from_numpy(total).to(self.like.dtype).reshape(-1, *self.shape)

    @property
    @override
    def bytes(self) -> int:
        return sum(part.bytes for part in self.parts)

    @override
    def through(self, op: Operator, others: Sequence[SparseNoise], shape: Shape) -> Noise:
        operands = (self, *others)
        result = replace(self, shape=shape, known=max(noise.known for noise in operands), parts=())
        if isinstance(op, Reshape):
            return replace(result, parts=self.parts)
        if isinstance(op, Scale):
            return self.scaled(op.factor.expand(len(self.like), *self.shape))
        if isinstance(op, Dense):
            return result.densely(op, self)
        return result.holding(_images(op, operands, shape))

    def convolved(self, op: Conv) -> Iterator[Part] | None:
        """The parts through a convolution, by products with its matrix; ``None`` where that would be large."""
        plane = prod(self.shape[1:])
        touched = np.zeros(plane, dtype=bool)
        for part in self.parts:
            touched[part.matrix.indices % plane] = True
        matrices = conv_matrices(op, self.shape, touched, max(_SMALL, self.bytes // 4))
        if matrices is None:
            return None
        blocks = [deque(part.times([matrix]) for part in self.parts) for matrix in matrices]
        return (
            replace(part, matrix=hstack([block.popleft().matrix for block in blocks], format="csr"))
            for part in self.parts
        )

    @property
    def kind(self) -> Any:
        """The type of the numbers, as NumPy has it."""
        return self.like.numpy().dtype

    def holding(self, images: Iterable[Iterable[Part]]) -> Noise:
        """The sum of what several operands give, part by part; dense where that takes no more."""
        found: dict[tuple[int, int], Part] = {}
        for image in images:
            for part in image:
                known = found.get(part.key)
                found[part.key] = part if known is None else replace(part, matrix=known.matrix + part.matrix)
        held = [found[key] for key in sorted(found) if found[key].matrix.nnz]
        whole = len(self.like) * self.known * prod(self.shape) * self.like.element_size()
        if sum(part.bytes for part in held) <= _DENSE_FROM * whole:
            return replace(self, parts=tuple(held))
        found.clear()
        return DenseNoise(self._filled(held))

    def _filled(self, held: list[Part]) -> Tensor:
        """All generators as one tensor; the parts are let go of on the way."""
        shape = (len(self.like), self.known, prod(self.shape))
        require_room(self.like, self.known, self.shape)
        result = self.like.new_zeros(shape)
        while held:
            part = held.pop()
            for region, rows in enumerate(result[:, part.first : part.first + part.count].unbind()):
                part.rows(region).toarray(out=rows.numpy())
        return result.reshape(*shape[:2], *self.shape)

    def densely(self, op: Operator, operand: SparseNoise) -> DenseNoise:
        """Dense generators of the result of an operator that is like this one."""
        require_room(self.like, self.known, self.shape)
        result = self.like.new_zeros(len(self.like), self.known, *self.shape)
        op = homogeneous(op)
        for part in operand.parts:
            for region in range(len(self.like)):
                for first, rows in as_dense(part.rows(region), operand.shape):
                    start = part.first + first
                    result[region, start : start + len(rows)] = op.forward(rows)
        return DenseNoise(result)

    def image(self, op: Operator, part: Part, shape: Shape) -> Part:
        """Symbols through an operator as dense ones, a few at a time."""
        op = homogeneous(op)
        images = [csr_array(numbers(op.forward(rows))) for _, rows in as_dense(part.matrix, self.shape, prod(shape))]
        return replace(part, matrix=vstack(images, format="csr"))

    @override
    def scaled(self, slope: Tensor) -> SparseNoise:
        factors = numbers(slope)
        parts = (part.scaled(factors) for part in self.parts)
        return replace(self, parts=tuple(part for part in parts if part.matrix.nnz))

    @override
    def combined(self, weights: Tensor) -> Noise:
        matrix = sums(prod(self.shape), self.shape[-1], self.kind)
        factors = numbers(weights)
        result = replace(self, shape=self.shape[:-1], parts=())
        return result.holding([(part.scaled(factors).times([matrix]) for part in self.parts)])

    @override
    def extended(self, first: int, radius: Tensor, fresh: Tensor) -> SparseNoise:
        mask, sizes = numbers(fresh), numbers(radius)
        batch, width = mask.shape
        region, place = np.nonzero(mask)
        number = (np.cumsum(mask, axis=1) - 1)[region, place]
        count = int(mask.sum(axis=1).max())
        parts, step = [], max(1, _ROWS // batch)
        for start in range(0, count, step):
            size = min(step, count - start)
            mine = (number >= start) & (number < start + size)
            row, column = region[mine] * size + number[mine] - start, place[mine]
            starts = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=batch * size))]).astype(np.int32)
            content = (sizes[region[mine], column], column.astype(np.int32), starts)
            parts.append(Part(first + start, size, csr_array(content, shape=(batch * size, width))))
        return replace(self, known=first + count, parts=(*self.parts, *parts))

    @override
    def selected(self, places: Tensor, shape: Shape) -> SparseNoise:
        matrices = self._selections(places)
        return replace(self, shape=shape, parts=tuple(part.times(matrices) for part in self.parts))

    def _selections(self, places: Tensor) -> list[csr_array]:
        """The matrix of a selection at places (batch, channels, count), of each region, or one for all alike."""
        channels, plane = self.shape[0], prod(self.shape[1:])
        cells = numbers(places + plane * torch.arange(channels)[:, None])
        cells = cells[:1] if (cells == cells[:1]).all() else cells
        target = np.arange(cells.shape[1])
        return [selection(mine, target, (prod(self.shape), len(target)), self.kind) for mine in cells]

    @override
    def spread(self, places: Tensor, anchor: SparseNoise) -> Tensor:
        matrices = self._selections(places)
        theirs = {part.key: part for part in anchor.parts}
        total = np.zeros((len(self.like), prod(anchor.shape)))
        for part in self.parts:
            mine, other = part.times(matrices), theirs.pop(part.key, None)
            difference = mine if other is None else replace(mine, matrix=mine.matrix - other.matrix)
            total += difference.radius()
        for part in theirs.values():
            total += part.radius()
        return torch.from_numpy(total).to(self.like.dtype).reshape(-1, *anchor.shape)

    @override
    def forms(self, region: int, cells: Tensor) -> Tensor:
        result = self.like.new_zeros(self.known, len(cells))
        for part in self.parts:
            result[part.first : part.first + part.count] = torch.from_numpy(
                part.rows(region)[:, cells.numpy()].toarray()
            )
        return result.T

    @override
    def dense(self) -> Tensor:
        return self._filled(list(self.parts))


def _images(op: Operator, operands: Sequence[SparseNoise], shape: Shape) -> Iterable[Iterable[Part]]:
    """What each operand gives, part by part."""
    if isinstance(op, Add):
        return [noise.parts for noise in operands]
    first = operands[0]
    matrices = moves(op, [noise.shape for noise in operands], first.kind)
    if matrices is not None:
        pairs = zip(operands, matrices, strict=True)
        return ((part.times([matrix]) for part in noise.parts) for noise, matrix in pairs)
    convolved = first.convolved(op) if isinstance(op, Conv) else None
    return [(first.image(op, part, shape) for part in first.parts) if convolved is None else convolved]
