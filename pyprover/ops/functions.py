"""More functions of one variable: `Clip`, `Elu`, `Gelu`, `Exp`, `Log`, `Pow` and the like."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from pyprover.ops.activation import Activation
from pyprover.ops.elementwise import Scale
from pyprover.ops.reading import Builder, Source, Variable, tensor

MOST_EXPONENT = 8
"""Powers up to this one are read."""

_SELU_ALPHA = 1.67326319217681884765625
_SELU_GAMMA = 1.05070102214813232421875


@dataclass(frozen=True, eq=False)
class Clip(Activation):
    """``min(max(x, low), high)`` with low <= high; either may be infinite."""

    low: float
    high: float

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        return inputs[0].clamp(self.low, self.high)


@dataclass(frozen=True, eq=False)
class Elu(Activation):
    """``x`` above 0, ``alpha (exp(x) - 1)`` below; alpha >= 0."""

    alpha: float

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        return functional.elu(inputs[0], self.alpha)


@dataclass(frozen=True, eq=False)
class HardSwish(Activation):
    """``x`` times ``x / 6 + 1/2`` clipped to [0, 1]."""

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        return inputs[0] * (inputs[0] / 6 + 0.5).clamp(0, 1)


@dataclass(frozen=True, eq=False)
class Gelu(Activation):
    """``x`` times the normal distribution function at x."""

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        return inputs[0] * normal_distribution(inputs[0])


def normal_distribution(x: Tensor) -> Tensor:
    """The probability that a standard normal variable is at most x; accurate in the lower tail."""
    return torch.erfc(x * -math.sqrt(0.5)) / 2


@dataclass(frozen=True, eq=False)
class Erf(Activation):
    """The error function."""

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        return torch.erf(inputs[0])


@dataclass(frozen=True, eq=False)
class Softplus(Activation):
    """``log(1 + exp(x))``."""

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        return torch.logaddexp(inputs[0], torch.zeros_like(inputs[0]))


@dataclass(frozen=True, eq=False)
class Exp(Activation):
    """The exponential function."""

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        return inputs[0].exp()


@dataclass(frozen=True, eq=False)
class Log(Activation):
    """The natural logarithm; no bounds where the operand may be negative."""

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        return inputs[0].log()


@dataclass(frozen=True, eq=False)
class Sqrt(Activation):
    """The square root; no bounds where the operand may be negative."""

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        return inputs[0].sqrt()


@dataclass(frozen=True, eq=False)
class Reciprocal(Activation):
    """``1 / x``; no bounds where the operand may be 0."""

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        return inputs[0].reciprocal()


@dataclass(frozen=True, eq=False)
class Power(Activation):
    """``x`` to a natural power, 2 or more."""

    exponent: int

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        return inputs[0] ** self.exponent


@dataclass(frozen=True, eq=False)
class Sign(Activation):
    """-1 below 0, 0 at 0, 1 above."""

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        return inputs[0].sign()


def read_clip(source: Source, builder: Builder) -> Variable:
    """ONNX `Clip`, its bounds constant: attributes before opset 11, operands since."""
    low, high = (
        float(
            source.attribute(name, default) if (given := source.optional_constant(k)) is None else given.reshape(())[()]
        )
        for k, name, default in ((1, "min", -math.inf), (2, "max", math.inf))
    )
    if not low <= high:
        raise source.unsupported(f"min = {low} exceeds max = {high}")
    return builder.emit(source, Clip(low, high), source.variable())


def read_elu(source: Source, builder: Builder) -> Variable:
    """ONNX `Elu`."""
    return _emit_elu(source, builder, source.real("alpha", 1.0))


def read_selu(source: Source, builder: Builder) -> Variable:
    """ONNX `Selu`: an `Elu` times gamma."""
    y = _emit_elu(source, builder, source.real("alpha", _SELU_ALPHA))
    gamma = np.array(source.real("gamma", _SELU_GAMMA))
    return builder.emit(source, Scale(tensor(gamma), tensor(np.array(0.0))), y)


def _emit_elu(source: Source, builder: Builder, alpha: float) -> Variable:
    if alpha < 0:
        raise source.unsupported(f"alpha = {alpha}; alpha >= 0 is supported")
    return builder.emit(source, Elu(alpha), source.variable())


def read_hard_sigmoid(source: Source, builder: Builder) -> Variable:
    """ONNX `HardSigmoid`: ``alpha x + beta`` clipped to [0, 1]."""
    factor, offset = (tensor(np.array(source.real(name, default))) for name, default in (("alpha", 0.2), ("beta", 0.5)))
    return builder.emit(source, Clip(0.0, 1.0), builder.emit(source, Scale(factor, offset), source.variable()))


def read_gelu(source: Source, builder: Builder) -> Variable:
    """ONNX `Gelu` in its exact form."""
    source.require("approximate", "none")
    return builder.emit(source, Gelu(), source.variable())


def read_pow(source: Source, builder: Builder) -> Variable:
    """ONNX `Pow` with one constant exponent: a small integer, or a half."""
    x, given = source.variable(), source.constant(1)
    if given.size != 1:
        raise source.unsupported("exponents that differ")
    exponent = float(given.reshape(())[()])
    if exponent == 0.5:
        return builder.emit(source, Sqrt(), x)
    if not exponent.is_integer() or not 1 <= abs(exponent) <= MOST_EXPONENT:
        raise source.unsupported(f"exponent {exponent}; 0.5 and integers up to {MOST_EXPONENT} but 0 are supported")
    if abs(exponent) != 1:
        x = builder.emit(source, Power(int(abs(exponent))), x)
    return builder.emit(source, Reciprocal(), x) if exponent < 0 else x


def read_function(function: type[Activation]) -> Callable[[Source, Builder], Variable]:
    """The reader of an ONNX operator without attributes."""
    return lambda source, builder: builder.emit(source, function(), source.variable())
