"""Linear operators as sparse matrices (entries of the operand, entries of the result), for noise in rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array  # type: ignore[import-untyped]
from torch import Tensor
from torch.nn import functional

from pyprover.graph import Operator, Shape
from pyprover.ops import Concat, Conv, Gather, Pad, Transpose

Array = NDArray[Any]

NONZERO_BYTES = 12
"""What a coefficient in float64 takes with its index."""


def moves(op: Operator, shapes: Sequence[Shape], dtype: Any) -> list[csr_array] | None:
    """One matrix for each operand of an operator that only moves, copies and drops entries; ``None`` for others.

    The operator is applied to the numbers of the entries, from 1: a 0 of the result is an entry of padding.
    """
    if not isinstance(op, Transpose | Gather | Pad | Concat):
        return None
    sizes = [prod(shape) for shape in shapes]
    ends = np.cumsum(sizes)
    numbered = [
        torch.arange(1 + end - size, 1 + end).reshape(1, *shape)
        for size, end, shape in zip(sizes, ends.tolist(), shapes, strict=True)
    ]
    source = op.forward(*numbered).flatten().numpy() - 1
    (place,) = np.nonzero(source >= 0)
    whole = selection(source[place], place, (int(ends[-1]), len(source)), dtype)
    return [whole[end - size : end] for size, end in zip(sizes, ends.tolist(), strict=True)]


def selection(source: Array, target: Array, shape: tuple[int, int], dtype: Any) -> csr_array:
    """The matrix that copies entries ``source`` to entries ``target``."""
    return csr_array((np.ones(len(source), dtype), (source, target)), shape=shape)


def sums(count: int, width: int, dtype: Any) -> csr_array:
    """The matrix that adds up each ``width`` of ``count`` entries."""
    indices = np.arange(count, dtype=np.int32) // width
    return csr_array((np.ones(count, dtype), indices, np.arange(count + 1)), shape=(count, count // width))


@dataclass(frozen=True)
class _Routes:
    """Which cells of the input's plane reach which of the result's, ordered by the first: three arrays (routes,).

    ``source`` and ``target`` are flat places in a plane, ``offset`` is one in the kernel.
    """

    source: Array
    offset: Array
    target: Array

    @classmethod
    def of(cls, op: Conv, plane: Shape, touched: Array) -> _Routes:
        """Of a convolution on planes (height, width), from places that are ``touched`` (height * width,)."""
        places = torch.arange(1.0, 1 + prod(plane), dtype=torch.float64).reshape(1, 1, *plane)
        down, across = op.padding
        padded = functional.pad(places, (across, across, down, down))
        kernel: Any = op.weight.shape[2:]
        windows = functional.unfold(padded, kernel, op.dilation, 0, op.stride)[0].to(torch.int64).numpy() - 1
        offset, target = np.nonzero(windows >= 0)
        source = windows[offset, target]
        here = touched[source]
        source, offset, target = source[here], offset[here], target[here]
        order = np.argsort(source, kind="stable")
        return cls(source[order], offset[order], target[order])


def conv_matrices(op: Conv, shape: Shape, touched: Array, limit: int) -> Iterator[csr_array] | None:
    """The matrix of a convolution for some of its output channels after others, each in at most so many bytes.

    Only rows of places in a plane that are ``touched`` (height * width,) hold anything. ``None`` where one channel
    needs more than the limit.
    """
    routes = _Routes.of(op, shape[1:], touched)
    each = NONZERO_BYTES * len(routes.source) * op.weight.shape[1]
    if op.groups > 1:
        return iter([_conv_matrix(op, shape, routes)]) if each * op.weight.shape[0] <= limit else None
    count = limit // max(1, each)
    if not count:
        return None
    channels = torch.split(op.weight, count), torch.split(op.bias, count)
    parts = (replace(op, weight=weight, bias=bias) for weight, bias in zip(*channels, strict=True))
    return (_conv_matrix(part, shape, routes) for part in parts)


def _conv_matrix(op: Conv, shape: Shape, routes: _Routes) -> csr_array:
    """Written at once as it is held; what is built on the way is small beside it."""
    outs, ins = op.weight.shape[0] // op.groups, op.weight.shape[1]
    result = op.shape(shape)
    plane, cells, count = prod(shape[1:]), prod(result[1:]), len(routes.source)
    kernel = op.weight.flatten(2).numpy()
    data = np.empty((shape[0], count, outs), kernel.dtype)
    indices = np.empty((shape[0], count, outs), np.int32)
    for channel in range(shape[0]):
        group = channel // ins
        block = kernel[group * outs : (group + 1) * outs, channel % ins]
        data[channel] = block.T[routes.offset]
        indices[channel] = routes.target[:, None] + cells * np.arange(group * outs, (group + 1) * outs)
    lengths = np.tile(outs * np.bincount(routes.source, minlength=plane), shape[0])
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return csr_array((data.ravel(), indices.ravel(), starts), shape=(prod(shape), prod(result)))


def numbers(values: Tensor) -> Array:
    """Values (batch, *shape) as an array (batch, entries)."""
    return values.flatten(1).contiguous().numpy()
