"""Arithmetic, value by value: `Add`, `Sub`, `Neg`, `Sum`, `BatchNormalization`, `ai.onnx.ml.Scaler`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from pyprover.graph import Operator, Shape
from pyprover.ops.broadcast import expand
from pyprover.ops.reading import Builder, Constant, Source, Variable, tensor


@dataclass(frozen=True, eq=False)
class Scale(Operator):
    """``y = factor * x + offset``; both broadcast to the shape of x (no batch axis)."""

    linear: ClassVar[bool] = True
    factor: Tensor
    offset: Tensor

    @override
    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        if np.broadcast_shapes(x, tuple(self.factor.shape), tuple(self.offset.shape)) != x:
            raise ValueError(f"a constant does not fit the shape {x}")
        return x

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        return inputs[0] * self.factor + self.offset


@dataclass(frozen=True, eq=False)
class Add(Operator):
    """The sum of values of one shape."""

    linear: ClassVar[bool] = True

    @override
    def shape(self, *inputs: Shape) -> Shape:
        if len(set(inputs)) != 1:
            raise ValueError(f"the operands have different shapes: {inputs}")
        return inputs[0]

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        total = inputs[0]
        for x in inputs[1:]:
            total = total + x
        return total


ONE = torch.ones((), dtype=torch.float64)
ZERO = torch.zeros((), dtype=torch.float64)


def add(source: Source, builder: Builder, *values: Variable) -> Variable:
    """The sum of values, broadcast together."""
    target = common_shape(source, [value.shape for value in values])
    return builder.emit(source, Add(), *(expand(source, builder, value, target) for value in values))


def common_shape(source: Source, shapes: Sequence[Shape]) -> Shape:
    """The shape, batch axis included, to which values of these shapes are broadcast."""
    try:
        return np.broadcast_shapes(*((1, *shape) for shape in shapes))
    except ValueError:
        raise source.unsupported(f"the operands have the shapes {', '.join(map(str, shapes))}") from None


def scaled(source: Source, builder: Builder, x: Variable, factor: float) -> Variable:
    """``factor * x``."""
    return builder.emit(source, Scale(ONE * factor, ZERO), x)


def aligned(source: Source, constant: Constant, x: Variable) -> Tensor:
    """A constant operand without its batch axis, which may not be larger than ``x``."""
    rank = len(x.shape) + 1
    if constant.ndim == rank and constant.shape[0] == 1:
        constant = constant[0]
    if constant.ndim >= rank:
        raise source.unsupported(f"a constant of shape {constant.shape} does not fit the shape {x.shape}")
    return tensor(constant)


def _beside(source: Source, builder: Builder, x: Variable, constant: Constant) -> tuple[Variable, Tensor]:
    """A value and a constant, broadcast together."""
    x = expand(source, builder, x, constant.shape)
    return x, aligned(source, constant, x)


def shifted(source: Source, builder: Builder, x: Variable, factor: Tensor, constant: Constant) -> Variable:
    """``factor * x + constant``, broadcast together."""
    x, offset = _beside(source, builder, x, constant)
    return builder.emit(source, Scale(factor, offset), x)


def multiplied(source: Source, builder: Builder, x: Variable, constant: Constant) -> Variable:
    """``constant * x``, broadcast together."""
    x, factor = _beside(source, builder, x, constant)
    return builder.emit(source, Scale(factor, ZERO), x)


def read_add(source: Source, builder: Builder) -> Variable:
    """Two values, or a value and a constant."""
    first, second = source.operands
    if isinstance(first, Variable) and isinstance(second, Variable):
        return add(source, builder, first, second)
    x, constant = (source.variable(0), source.constant(1)) if isinstance(first, Variable) else swapped(source)
    return shifted(source, builder, x, ONE, constant)


def read_sub(source: Source, builder: Builder) -> Variable:
    """Two values, or a value and a constant on either side."""
    first, second = source.operands
    if isinstance(first, Variable) and isinstance(second, Variable):
        return add(source, builder, first, scaled(source, builder, second, -1.0))
    if isinstance(first, Variable):
        return shifted(source, builder, first, ONE, -source.constant(1))
    x, constant = swapped(source)
    return shifted(source, builder, x, -ONE, constant)


def read_neg(source: Source, builder: Builder) -> Variable:
    """The opposite."""
    return scaled(source, builder, source.variable(), -1.0)


def read_sum(source: Source, builder: Builder) -> Variable:
    """Any number of values; constants among them are added to the sum of the others."""
    values = [operand for operand in source.operands if isinstance(operand, Variable)]
    total = values[0] if len(values) == 1 else add(source, builder, *values)
    for operand in source.operands:
        if operand is not None and not isinstance(operand, Variable):
            total = shifted(source, builder, total, ONE, operand)
    return total


def read_mean(source: Source, builder: Builder) -> Variable:
    """The mean of any number of values and constants."""
    return scaled(source, builder, read_sum(source, builder), 1.0 / len(source.operands))


def read_where(source: Source, builder: Builder) -> Variable:
    """Cells of two values or constants, chosen by a constant condition."""
    chosen = source.constant(0).astype(np.float64)
    total, offset = [], np.zeros(())
    for operand, mask in ((source.optional(1), chosen), (source.optional(2), 1.0 - chosen)):
        if isinstance(operand, Variable):
            total.append(multiplied(source, builder, operand, mask))
        elif operand is not None:
            offset = mask * operand
    x = total[0] if len(total) == 1 else add(source, builder, *total)
    return x if offset.ndim == 0 and not offset else shifted(source, builder, x, ONE, offset)


def read_scaler(source: Source, builder: Builder) -> Variable:
    """``(x - offset) scale`` along the last axis: `ai.onnx.ml.Scaler`, the standardisation of scikit-learn."""
    shift, factor = (
        tensor(np.array(source.attribute(name, default))) for name, default in (("offset", 0), ("scale", 1))
    )
    return builder.emit(source, Scale(factor, -shift * factor), source.variable())


def read_batch_normalization(source: Source, builder: Builder) -> Variable:
    """The inference form, as one factor and one offset a channel, computed in float64."""
    source.require("training_mode", 0)
    source.require("spatial", 1)
    x = source.variable()
    scale, shift, mean, variance = (source.constant(i).astype(np.float64) for i in range(1, 5))
    factor = scale / np.sqrt(variance + source.real("epsilon", 1e-5))
    offset = shift - mean * factor
    plane = (-1, *(1 for _ in x.shape[1:]))
    return builder.emit(source, Scale(tensor(factor.reshape(plane)), tensor(offset.reshape(plane))), x)


def swapped(source: Source) -> tuple[Variable, Constant]:
    """The second operand, a value, and the first, a constant."""
    return source.variable(1), source.constant(0)
