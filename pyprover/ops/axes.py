"""Linear maps along axes: a matrix applied to one, sums and means over several (`ReduceSum`, `ReduceMean`)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from pyprover.ops.dense import Dense
from pyprover.ops.reading import Builder, Constant, Source, Variable, tensor
from pyprover.ops.shapes import Transpose, reshaped


def apply_along(source: Source, builder: Builder, x: Variable, axis: int, matrix: Constant) -> Variable:
    """A matrix (new cells, old cells) applied along an axis, the batch not counted."""
    rank = len(x.shape)
    order = [a for a in range(rank) if a != axis]
    product = Dense(tensor(matrix), tensor(np.zeros(len(matrix))))
    y = builder.emit(source, product, move(source, builder, x, [*order, axis]))
    return move(source, builder, y, [*range(axis), rank - 1, *range(axis, rank - 1)])


def move(source: Source, builder: Builder, x: Variable, order: Sequence[int]) -> Variable:
    """Axes permuted, the batch not counted; no node when they stay."""
    if list(order) == list(range(len(x.shape))):
        return x
    return builder.emit(source, Transpose(tuple(order)), x)


def read_reduce_sum(source: Source, builder: Builder) -> Variable:
    """The sum over any axes but the batch's."""
    return _reduce(source, builder, mean=False)


def read_reduce_mean(source: Source, builder: Builder) -> Variable:
    """The mean over any axes but the batch's."""
    return _reduce(source, builder, mean=True)


def read_global_average_pool(source: Source, builder: Builder) -> Variable:
    """The mean of each channel over all spatial axes, which stay with length one."""
    x = source.variable()
    return _weigh(source, builder, x, list(range(1, len(x.shape))), mean=True)


def _reduce(source: Source, builder: Builder, *, mean: bool) -> Variable:
    x = source.variable()
    gone = reduced_axes(source, x)
    if not gone:
        return x
    return _weigh(source, builder, x, gone, mean=mean)


def reduced_axes(source: Source, x: Variable) -> list[int]:
    """The axes that a reduction names, the batch not counted; none when it may and does name none."""
    given = source.optional_constant(1)
    axes = source.attribute("axes", []) if given is None else [int(a) for a in given]
    if not axes and not source.attribute("noop_with_empty_axes", 0):
        raise source.unsupported("without axes it would include the batch axis")
    return sorted({source.axis(a, len(x.shape) + 1) for a in axes})


def _weigh(source: Source, builder: Builder, x: Variable, axes: Sequence[int], *, mean: bool) -> Variable:
    """The sum or mean over axes."""
    rows = rows_of(source, builder, x, axes)
    count = rows.shape[-1]
    weight = np.full((1, count), 1.0 / count if mean else 1.0)
    y = builder.emit(source, Dense(tensor(weight), tensor(np.zeros(1))), rows)
    return as_reduced(source, builder, x, y, axes)


def rows_of(source: Source, builder: Builder, x: Variable, axes: Sequence[int]) -> Variable:
    """``x`` as (rows, count): along each row what a reduction over axes takes together."""
    kept = [a for a in range(len(x.shape)) if a not in axes]
    moved = move(source, builder, x, [*kept, *axes])
    return reshaped(source, builder, moved, (prod(x.shape[a] for a in kept), prod(x.shape[a] for a in axes)))


def as_reduced(source: Source, builder: Builder, x: Variable, y: Variable, axes: Sequence[int]) -> Variable:
    """``y``, one value for each of the rows of ``x``, in the shape that the reduction gives."""
    if source.attribute("keepdims", 1):
        return reshaped(source, builder, y, tuple(1 if a in axes else n for a, n in enumerate(x.shape)))
    return reshaped(source, builder, y, tuple(n for a, n in enumerate(x.shape) if a not in axes))
