"""Functions of one variable, value by value: `Relu`, `LeakyRelu`, `PRelu`, `Abs`, `Sigmoid`, `Tanh`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from pyprover.graph import Operator, Shape
from pyprover.ops.elementwise import aligned
from pyprover.ops.reading import Builder, Source, Variable, tensor


@dataclass(frozen=True, eq=False)
class Activation(Operator):
    """A function applied to each value."""

    linear: ClassVar[bool] = False

    @override
    def shape(self, *inputs: Shape) -> Shape:
        return inputs[0]


@dataclass(frozen=True, eq=False)
class Relu(Activation):
    """``max(x, slope * x)`` with 0 <= slope < 1; slope 0 is the ReLU, more is the leaky one."""

    slope: float = 0.0

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        return functional.leaky_relu(inputs[0], self.slope) if self.slope else inputs[0].relu()


@dataclass(frozen=True, eq=False)
class PRelu(Activation):
    """``x`` above 0, ``slope * x`` below; any slope, which broadcasts to the shape of x (no batch axis)."""

    slope: Tensor

    @override
    def shape(self, *inputs: Shape) -> Shape:
        if np.broadcast_shapes(inputs[0], tuple(self.slope.shape)) != inputs[0]:
            raise ValueError(f"slopes of shape {tuple(self.slope.shape)} do not fit the shape {inputs[0]}")
        return inputs[0]

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        return torch.where(inputs[0] > 0, inputs[0], self.slope * inputs[0])


@dataclass(frozen=True, eq=False)
class Sigmoid(Activation):
    """``1 / (1 + exp(-x))``."""

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        return torch.sigmoid(inputs[0])


@dataclass(frozen=True, eq=False)
class Tanh(Activation):
    """The hyperbolic tangent."""

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        return torch.tanh(inputs[0])


def read_relu(source: Source, builder: Builder) -> Variable:
    """ONNX `Relu`."""
    return builder.emit(source, Relu(), source.variable())


def read_leaky_relu(source: Source, builder: Builder) -> Variable:
    """ONNX `LeakyRelu`; a slope outside [0, 1) makes it a `PRelu`."""
    slope = source.real("alpha", 0.01)
    op = Relu(slope) if 0.0 <= slope < 1.0 else PRelu(tensor(np.array(slope)))
    return builder.emit(source, op, source.variable())


def read_prelu(source: Source, builder: Builder) -> Variable:
    """ONNX `PRelu`, with constant slopes."""
    x = source.variable()
    return builder.emit(source, PRelu(aligned(source, source.constant(1), x)), x)


def read_abs(source: Source, builder: Builder) -> Variable:
    """ONNX `Abs`: slope -1 below 0."""
    return builder.emit(source, PRelu(tensor(np.array(-1.0))), source.variable())


def read_sigmoid(source: Source, builder: Builder) -> Variable:
    """ONNX `Sigmoid`."""
    return builder.emit(source, Sigmoid(), source.variable())


def read_tanh(source: Source, builder: Builder) -> Variable:
    """ONNX `Tanh`."""
    return builder.emit(source, Tanh(), source.variable())
