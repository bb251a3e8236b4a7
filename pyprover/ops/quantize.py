"""Rounding to integers: ONNX `Round`, `QuantizeLinear`, `DequantizeLinear`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor
from typing_extensions import override

from pyprover.ops.activation import Activation
from pyprover.ops.elementwise import ONE, ZERO, Scale
from pyprover.ops.functions import Clip
from pyprover.ops.reading import Builder, Constant, Source, Variable, tensor


@dataclass(frozen=True, eq=False)
class Round(Activation):
    """The nearest integer, the even one of two.

    Its gradient is passed on as if it were the identity (Bengio et al., arXiv 1308.3432), so that searches can climb.
    The value is exact all the same: so are ``r - x`` by Sterbenz's lemma, and the sum r.
    """

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        return x + (x.round() - x).detach()


def read_round(source: Source, builder: Builder) -> Variable:
    """ONNX `Round`."""
    return builder.emit(source, Round(), source.variable())


def read_quantize(source: Source, builder: Builder) -> Variable:
    """``round(x / scale) + zero``, clipped to what the type of ``zero`` holds: uint8 when it is left out."""
    x = source.variable()
    source.require("block_size", 0)
    source.require("output_dtype", 0)
    zero = source.optional_constant(2)
    zero = np.zeros((), dtype=np.uint8) if zero is None else zero
    if not np.issubdtype(zero.dtype, np.integer):
        raise source.unsupported(f"the type {zero.dtype}")
    limits = np.iinfo(zero.dtype)
    steps = builder.emit(source, Scale(1.0 / _along(source, x, source.constant(1)), ZERO), x)
    rounded = builder.emit(source, Scale(ONE, _along(source, x, zero)), builder.emit(source, Round(), steps))
    return builder.emit(source, Clip(float(limits.min), float(limits.max)), rounded)


def read_dequantize(source: Source, builder: Builder) -> Variable:
    """``(x - zero) scale``."""
    x = source.variable()
    source.require("block_size", 0)
    scale, zero = _along(source, x, source.constant(1)), source.optional_constant(2)
    offset = ZERO if zero is None else -scale * _along(source, x, zero)
    return builder.emit(source, Scale(scale, offset), x)


def _along(source: Source, x: Variable, constant: Constant) -> Tensor:
    """One number, or one for each place along the attribute's axis."""
    if constant.size == 1:
        return tensor(constant.reshape(()))
    axis = source.axis(source.attribute("axis", 1), len(x.shape) + 1)
    return tensor(constant.reshape(-1, *(1 for _ in x.shape[axis + 1 :])))
