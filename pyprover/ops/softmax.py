"""Logarithms of sums of exponentials: ONNX `Softmax`, `LogSoftmax`, `ReduceLogSumExp`.

``softmax(x)_i = exp(-L(d_i))`` where ``d_ij = x_j - x_i`` and ``L(d) = log sum_j exp(d_j)``: bounds on the differences
are far better than the differences of bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from pyprover.graph import Operator, Shape
from pyprover.ops.axes import as_reduced, move, reduced_axes, rows_of
from pyprover.ops.dense import Dense
from pyprover.ops.elementwise import scaled
from pyprover.ops.functions import Exp
from pyprover.ops.reading import Builder, Source, Variable, tensor
from pyprover.ops.shapes import reshaped

MOST_DIFFERENCES = 128
"""Softmax of more values is refused: its differences are as many as the square."""

_SINGLE_AXIS_OPSET = 13


@dataclass(frozen=True, eq=False)
class LogSumExp(Operator):
    """``log sum_j exp(x_j)`` along the last axis, which goes."""

    linear: ClassVar[bool] = False

    @override
    def shape(self, *inputs: Shape) -> Shape:
        return inputs[0][:-1]

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        return torch.logsumexp(inputs[0], -1)


def read_softmax(source: Source, builder: Builder) -> Variable:
    """ONNX `Softmax`."""
    return _normalised(source, builder, logarithm=False)


def read_log_softmax(source: Source, builder: Builder) -> Variable:
    """ONNX `LogSoftmax`."""
    return _normalised(source, builder, logarithm=True)


def _normalised(source: Source, builder: Builder, *, logarithm: bool) -> Variable:
    """Along one axis; before opset 13, along all axes from the given one on."""
    x = source.variable()
    rank = len(x.shape)
    single = source.opset >= _SINGLE_AXIS_OPSET
    first = source.axis(source.attribute("axis", -1 if single else 1), rank + 1)
    axes = [first] if single else list(range(first, rank))
    order = [*(a for a in range(rank) if a not in axes), *axes]
    moved = move(source, builder, x, order)
    rows = moved.shape[: rank - len(axes)]
    y = _log_softmax(source, builder, reshaped(source, builder, moved, (*rows, prod(moved.shape[len(rows) :]))))
    y = y if logarithm else builder.emit(source, Exp(), y)
    back = sorted(range(rank), key=order.__getitem__)
    return move(source, builder, reshaped(source, builder, y, moved.shape), back)


def _log_softmax(source: Source, builder: Builder, x: Variable) -> Variable:
    """``-L(d_i)`` for each i along the last axis."""
    *rows, count = x.shape
    if count > MOST_DIFFERENCES:
        raise source.unsupported(f"over {count} values; at most {MOST_DIFFERENCES} are supported")
    one = np.eye(count)
    differences = (one[None] - one[:, None]).reshape(count * count, count)
    product = Dense(tensor(differences), tensor(np.zeros(count * count)))
    square = reshaped(source, builder, builder.emit(source, product, x), (*rows, count, count))
    return scaled(source, builder, builder.emit(source, LogSumExp(), square), -1.0)


def read_reduce_log_sum_exp(source: Source, builder: Builder) -> Variable:
    """Over any axes but the batch's."""
    x = source.variable()
    axes = reduced_axes(source, x)
    y = builder.emit(source, LogSumExp(), rows_of(source, builder, x, axes))
    return as_reduced(source, builder, x, y, axes)
