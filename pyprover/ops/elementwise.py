"""Arithmetic, value by value: `Add`, `Sub`, `Mul`, `Div`, `Neg`, `Sum`, `BatchNormalization`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from pyprover.graph import Operator, Shape
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


def _aligned(source: Source, constant: Constant, x: Variable) -> Tensor:
    """A constant operand without its batch axis."""
    rank = len(x.shape) + 1
    if constant.ndim == rank and constant.shape[0] == 1:
        constant = constant[0]
    if constant.ndim >= rank:
        raise source.unsupported(f"a constant of shape {constant.shape} does not fit the shape {x.shape}")
    return tensor(constant)


def _emit_scale(source: Source, builder: Builder, x: Variable, factor: Tensor, offset: Tensor) -> Variable:
    return builder.emit(source, Scale(factor, offset), x)


_ONE = torch.ones((), dtype=torch.float64)
_ZERO = torch.zeros((), dtype=torch.float64)


def read_add(source: Source, builder: Builder) -> Variable:
    """Two values, or a value and a constant."""
    first, second = source.operands
    if isinstance(first, Variable) and isinstance(second, Variable):
        return builder.emit(source, Add(), first, second)
    x, constant = (source.variable(0), source.constant(1)) if isinstance(first, Variable) else _swapped(source)
    return _emit_scale(source, builder, x, _ONE, _aligned(source, constant, x))


def read_sub(source: Source, builder: Builder) -> Variable:
    """Two values, or a value and a constant on either side."""
    first, second = source.operands
    if isinstance(first, Variable) and isinstance(second, Variable):
        return builder.emit(source, Add(), first, _emit_scale(source, builder, second, -_ONE, _ZERO))
    if isinstance(first, Variable):
        return _emit_scale(source, builder, first, _ONE, -_aligned(source, source.constant(1), first))
    x, constant = _swapped(source)
    return _emit_scale(source, builder, x, -_ONE, _aligned(source, constant, x))


def read_mul(source: Source, builder: Builder) -> Variable:
    """A value and a constant."""
    x, constant = (
        (source.variable(0), source.constant(1)) if isinstance(source.operands[0], Variable) else _swapped(source)
    )
    return _emit_scale(source, builder, x, _aligned(source, constant, x), _ZERO)


def read_div(source: Source, builder: Builder) -> Variable:
    """A value divided by a constant."""
    x, constant = source.variable(0), _aligned(source, source.constant(1), source.variable(0))
    if bool((constant == 0).any()):
        raise source.unsupported("division by zero")
    return _emit_scale(source, builder, x, 1.0 / constant, _ZERO)


def read_neg(source: Source, builder: Builder) -> Variable:
    """The opposite."""
    return _emit_scale(source, builder, source.variable(), -_ONE, _ZERO)


def read_sum(source: Source, builder: Builder) -> Variable:
    """Any number of values."""
    return builder.emit(source, Add(), *(source.variable(i) for i in range(len(source.operands))))


def read_batch_normalization(source: Source, builder: Builder) -> Variable:
    """The inference form, as one factor and one offset a channel, computed in float64."""
    source.require("training_mode", 0)
    x = source.variable()
    scale, shift, mean, variance = (source.constant(i).astype(np.float64) for i in range(1, 5))
    factor = scale / np.sqrt(variance + float(source.attribute("epsilon", 1e-5)))
    offset = shift - mean * factor
    plane = (-1, *(1 for _ in x.shape[1:]))
    return _emit_scale(source, builder, x, tensor(factor.reshape(plane)), tensor(offset.reshape(plane)))


def _swapped(source: Source) -> tuple[Variable, Constant]:
    return source.variable(1), source.constant(0)
