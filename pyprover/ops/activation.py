"""Functions of one variable, value by value: `Relu`, `LeakyRelu`, `Sigmoid`, `Tanh`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from pyprover.graph import Operator, Shape
from pyprover.ops.reading import Builder, Source, Variable


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
    """ONNX `LeakyRelu`, with a slope between 0 and 1."""
    slope = float(source.attribute("alpha", 0.01))
    if not 0.0 <= slope < 1.0:
        raise source.unsupported(f"alpha = {slope}; 0 <= alpha < 1 is supported")
    return builder.emit(source, Relu(slope), source.variable())


def read_sigmoid(source: Source, builder: Builder) -> Variable:
    """ONNX `Sigmoid`."""
    return builder.emit(source, Sigmoid(), source.variable())


def read_tanh(source: Source, builder: Builder) -> Variable:
    """ONNX `Tanh`."""
    return builder.emit(source, Tanh(), source.variable())
