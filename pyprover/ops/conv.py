"""Convolutions, and the pool that is one: ONNX `Conv`, `AveragePool`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from pyprover.graph import Operator, Shape
from pyprover.ops.elementwise import Scale
from pyprover.ops.padding import Pad
from pyprover.ops.reading import Builder, Source, Variable, tensor
from pyprover.ops.window import Pair, Window, as_before, as_plane, plane_size, read_window, rounded_up, window_count

UNFOLDED = 64 << 20
"""Bytes that a convolution may unfold at once: in float64, torch makes a column of each window of a whole batch."""


@dataclass(frozen=True, eq=False)
class Conv(Operator):
    """Two-dimensional convolution, zeros on opposite sides alike; ``weight`` is (out, in/groups, kh, kw)."""

    linear: ClassVar[bool] = True
    weight: Tensor
    bias: Tensor
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1

    @override
    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        if len(x) != 3 or x[0] != self.weight.shape[1] * self.groups:
            raise ValueError(f"{self.weight.shape[1] * self.groups} channels expected, the shape is {x}")
        out = [
            window_count(size + 2 * pad, kernel, stride, dilation)
            for size, pad, kernel, stride, dilation in zip(
                x[1:], self.padding, self.weight.shape[2:], self.stride, self.dilation, strict=True
            )
        ]
        return (self.weight.shape[0], *out)

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        (x,) = inputs
        height, width = self.shape(tuple(x.shape[1:]))[1:]
        at_once = max(1, UNFOLDED // max(1, len(x) * self.unfolded(width)))
        if x.dtype != torch.float64 or at_once >= height:
            return functional.conv2d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)
        return torch.cat([self._rows(x, first, min(first + at_once, height)) for first in range(0, height, at_once)], 2)

    def unfolded(self, places: int) -> int:
        """Bytes of the columns into which torch unfolds the windows of so many places, in float64."""
        return 8 * self.groups * self.weight[0].numel() * places

    def _rows(self, x: Tensor, first: int, last: int) -> Tensor:
        """Rows of the result, from the rows of the input that they read."""
        start = first * self.stride[0] - self.padding[0]
        end = (last - 1) * self.stride[0] - self.padding[0] + (self.weight.shape[2] - 1) * self.dilation[0] + 1
        above, below = max(0, min(end, 0) - start), max(0, end - max(start, x.shape[2]))
        strip = functional.pad(x[:, :, max(0, start) : max(0, end)], (0, 0, above, below))
        padding = (0, self.padding[1])
        return functional.conv2d(strip, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


def read_conv(source: Source, builder: Builder) -> Variable:
    """One- and two-dimensional convolutions; unequal padding becomes a `Pad` of its own."""
    x, weight = source.variable(), source.weight(1)
    bias = source.optional_constant(2)
    offset = tensor(np.zeros(weight.shape[0]) if bias is None else bias)
    if len(x.shape) != weight.ndim - 1:
        raise source.unsupported(f"the weight {weight.shape} does not fit the shape {x.shape}")
    plane = as_plane(source, builder, x)
    window = read_window(source, weight.shape[2:], plane_size(x))
    kernels = tensor(weight.reshape(*weight.shape[:2], *window.kernel))
    conv = Conv(kernels, offset, groups=source.attribute("group", 1))
    return as_before(source, builder, x, _emit_conv(source, builder, plane, conv, window))


def _emit_conv(source: Source, builder: Builder, x: Variable, conv: Conv, window: Window) -> Variable:
    top, left, bottom, right = window.pads
    padding = (top, left)
    if not window.symmetric:
        x, padding = builder.emit(source, Pad((left, right, top, bottom)), x), (0, 0)
    placed = Conv(conv.weight, conv.bias, window.stride, padding, window.dilation, conv.groups)
    return builder.emit(source, placed, x)


def _mean(channels: int, kernel: Pair) -> Conv:
    """The convolution that averages each channel over the window."""
    weight = torch.full((channels, 1, *kernel), 1.0 / (kernel[0] * kernel[1]), dtype=torch.float64)
    return Conv(weight, torch.zeros(channels, dtype=torch.float64), groups=channels)


def read_average_pool(source: Source, builder: Builder) -> Variable:
    """A mean over windows; where cells do not count, the mean of the others is scaled up."""
    x = source.variable()
    plane = as_plane(source, builder, x)
    own = read_window(source, source.attribute("kernel_shape", []), plane_size(x))
    window = rounded_up(own, plane_size(x)) if source.attribute("ceil_mode", 0) else own
    y = _emit_conv(source, builder, plane, _mean(plane.shape[0], window.kernel), window)
    counted = own.pads if source.attribute("count_include_pad", 0) else (0, 0, 0, 0)
    if window.pads != counted:
        part = _counted_part(plane_size(x), window, counted)
        y = builder.emit(source, Scale(1.0 / part, torch.zeros_like(part)), y)
    return as_before(source, builder, x, y)


def _counted_part(size: Pair, window: Window, counted: Sequence[int]) -> Tensor:
    """The part of each window's cells that count, (1, height, width)."""
    top, left, bottom, right = (every - own for every, own in zip(window.pads, counted, strict=True))
    height, width = size[0] + counted[0] + counted[2], size[1] + counted[1] + counted[3]
    ones = functional.pad(torch.ones(1, height, width, dtype=torch.float64), (left, right, top, bottom))
    mean = replace(_mean(1, window.kernel), stride=window.stride, dilation=window.dilation)
    return mean.forward(ones[None])[0]
