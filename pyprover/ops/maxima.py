"""Maxima and minima as pools: ONNX `Max`, `Min`, `ReduceMax`, `ReduceMin`, `GlobalMaxPool`."""

from __future__ import annotations

from math import prod

from pyprover.ops.activation import Relu
from pyprover.ops.axes import as_reduced, reduced_axes, rows_of
from pyprover.ops.elementwise import ONE, scaled, shifted
from pyprover.ops.pool import MaxPool
from pyprover.ops.reading import Builder, Constant, Source, Variable
from pyprover.ops.shapes import reshaped
from pyprover.ops.stack import stack


def read_max(source: Source, builder: Builder) -> Variable:
    """The largest of any number of values and constants."""
    return _largest(source, builder, 1.0)


def read_min(source: Source, builder: Builder) -> Variable:
    """The smallest of any number of values and constants: the opposite of the largest opposite."""
    return _largest(source, builder, -1.0)


def _largest(source: Source, builder: Builder, sign: float) -> Variable:
    values = [_signed(source, builder, x, sign) for x in source.operands if isinstance(x, Variable)]
    y = values[0] if len(values) == 1 else _greatest(source, builder, stack(source, builder, values))
    for constant in source.operands:
        if constant is not None and not isinstance(constant, Variable):
            y = _at_least(source, builder, y, sign * constant)
    return _signed(source, builder, y, sign)


def _signed(source: Source, builder: Builder, x: Variable, sign: float) -> Variable:
    return x if sign > 0 else scaled(source, builder, x, sign)


def _at_least(source: Source, builder: Builder, x: Variable, constant: Constant) -> Variable:
    """``max(x, c) = relu(x - c) + c``."""
    above = builder.emit(source, Relu(), shifted(source, builder, x, ONE, -constant))
    return shifted(source, builder, above, ONE, constant)


def _greatest(source: Source, builder: Builder, x: Variable) -> Variable:
    """The maximum along the last axis, which goes."""
    *rows, count = x.shape
    plane = reshaped(source, builder, x, (1, prod(rows), count))
    return reshaped(source, builder, builder.emit(source, MaxPool((1, count), (1, count)), plane), (*rows,))


def read_reduce_max(source: Source, builder: Builder) -> Variable:
    """The maximum over any axes but the batch's."""
    return _reduced(source, builder, 1.0)


def read_reduce_min(source: Source, builder: Builder) -> Variable:
    """The minimum over any axes but the batch's."""
    return _reduced(source, builder, -1.0)


def _reduced(source: Source, builder: Builder, sign: float) -> Variable:
    x = source.variable()
    axes = reduced_axes(source, x)
    y = _greatest(source, builder, rows_of(source, builder, _signed(source, builder, x, sign), axes))
    return as_reduced(source, builder, x, _signed(source, builder, y, sign), axes)


def read_global_max_pool(source: Source, builder: Builder) -> Variable:
    """The maximum of each channel over all spatial axes, which stay with length one."""
    x = source.variable()
    axes = range(1, len(x.shape))
    return as_reduced(source, builder, x, _greatest(source, builder, rows_of(source, builder, x, axes)), axes)
