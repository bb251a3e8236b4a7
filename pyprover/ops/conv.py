"""Convolutions, and the pools that are convolutions: ONNX `Conv`, `AveragePool`, `GlobalAveragePool`, `ReduceMean`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from pyprover.graph import Operator, Shape
from pyprover.ops.elementwise import Scale
from pyprover.ops.reading import Builder, Source, Variable, tensor
from pyprover.ops.shapes import Pad, Reshape

Pair = tuple[int, int]


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
        return functional.conv2d(
            inputs[0], self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups
        )


def window_count(size: int, kernel: int, stride: int, dilation: int = 1) -> int:
    """How many windows fit into ``size`` padded cells."""
    count = (size - dilation * (kernel - 1) - 1) // stride + 1
    if count < 1:
        raise ValueError(f"a window of {kernel} does not fit into {size} cells")
    return count


@dataclass(frozen=True)
class Window:
    """Geometry of a sliding window, common to convolutions and pools; ``pads`` is top, left, bottom, right."""

    kernel: Pair
    stride: Pair
    pads: tuple[int, int, int, int]
    dilation: Pair

    @property
    def symmetric(self) -> bool:
        """Opposite sides are padded alike."""
        return self.pads[:2] == self.pads[2:]


def read_window(source: Source, kernel: Sequence[int], size: Sequence[int]) -> Window:
    """The window that the attributes describe, for a plane of the given size."""
    if len(kernel) != 2:
        raise source.unsupported(f"{len(kernel)} spatial axes; two are supported")
    if source.attribute("ceil_mode", 0):
        raise source.unsupported("ceil_mode = 1")
    stride = pair(source.attribute("strides", [1, 1]))
    dilation = pair(source.attribute("dilations", [1, 1]))
    mode = source.attribute("auto_pad", "NOTSET")
    if mode == "NOTSET":
        top, left, bottom, right = source.attribute("pads", [0, 0, 0, 0])
    elif mode == "VALID":
        top = left = bottom = right = 0
    elif mode in ("SAME_UPPER", "SAME_LOWER"):
        total = [
            max(0, (-(-n // s) - 1) * s + (k - 1) * d + 1 - n)
            for n, s, k, d in zip(size, stride, kernel, dilation, strict=True)
        ]
        less, more = [t // 2 for t in total], [t - t // 2 for t in total]
        (top, left), (bottom, right) = (less, more) if mode == "SAME_UPPER" else (more, less)
    else:
        raise source.unsupported(f"auto_pad = {mode!r}")
    if min(top, left, bottom, right) < 0:
        raise source.unsupported("negative padding")
    return Window(pair(kernel), stride, (top, left, bottom, right), dilation)


def pair(values: Sequence[int]) -> Pair:
    """Two integers."""
    first, second = values
    return int(first), int(second)


def read_conv(source: Source, builder: Builder) -> Variable:
    """One- and two-dimensional convolutions; unequal padding becomes a `Pad` of its own."""
    x, weight = source.variable(), source.constant(1)
    bias = source.optional_constant(2)
    offset = tensor(np.zeros(weight.shape[0]) if bias is None else bias)
    if weight.ndim == 3:
        return _read_conv1d(source, builder, tensor(weight), offset)
    if len(x.shape) != weight.ndim - 1:
        raise source.unsupported(f"the weight {weight.shape} does not fit the shape {x.shape}")
    window = read_window(source, weight.shape[2:], x.shape[1:])
    return _emit_conv(source, builder, x, Conv(tensor(weight), offset, groups=source.attribute("group", 1)), window)


def _emit_conv(source: Source, builder: Builder, x: Variable, conv: Conv, window: Window) -> Variable:
    top, left, bottom, right = window.pads
    padding = (top, left)
    if not window.symmetric:
        x, padding = builder.emit(source, Pad((left, right, top, bottom)), x), (0, 0)
    placed = Conv(conv.weight, conv.bias, window.stride, padding, window.dilation, conv.groups)
    return builder.emit(source, placed, x)


def _read_conv1d(source: Source, builder: Builder, weight: Tensor, bias: Tensor) -> Variable:
    x = source.variable()
    if source.attribute("auto_pad", "NOTSET") != "NOTSET" or len(x.shape) != 2:
        raise source.unsupported("only explicit padding in one dimension")
    before, after = source.attribute("pads", [0, 0])
    window = Window(
        (1, weight.shape[2]),
        (1, *source.attribute("strides", [1])),
        (0, before, 0, after),
        (1, *source.attribute("dilations", [1])),
    )
    plane = builder.emit(source, Reshape((x.shape[0], 1, x.shape[1])), x)
    conv = Conv(weight.unsqueeze(2), bias, groups=source.attribute("group", 1))
    y = _emit_conv(source, builder, plane, conv, window)
    return builder.emit(source, Reshape((y.shape[0], y.shape[2])), y)


def _mean(channels: int, kernel: Pair) -> Conv:
    """The convolution that averages each channel over the window."""
    weight = torch.full((channels, 1, *kernel), 1.0 / (kernel[0] * kernel[1]), dtype=torch.float64)
    return Conv(weight, torch.zeros(channels, dtype=torch.float64), groups=channels)


def read_average_pool(source: Source, builder: Builder) -> Variable:
    """A mean over windows; where padding does not count, border cells are scaled up."""
    x = source.variable()
    if len(x.shape) != 3:
        raise source.unsupported(f"two spatial axes are supported, the shape is {x.shape}")
    window = read_window(source, source.attribute("kernel_shape", []), x.shape[1:])
    y = _emit_conv(source, builder, x, _mean(x.shape[0], window.kernel), window)
    if not any(window.pads) or source.attribute("count_include_pad", 0):
        return y
    ones = Builder()
    _emit_conv(source, ones, Variable(0, (1, *x.shape[1:])), _mean(1, window.kernel), window)
    share = torch.ones(1, 1, *x.shape[1:], dtype=torch.float64)
    for node in ones.nodes:
        share = node.op.forward(share)
    return builder.emit(source, Scale(1.0 / share[0], torch.zeros_like(share[0])), y)


def read_global_average_pool(source: Source, builder: Builder) -> Variable:
    """The mean of each channel, shape (channels, 1, 1)."""
    x = source.variable()
    if len(x.shape) != 3:
        raise source.unsupported(f"two spatial axes are supported, the shape is {x.shape}")
    return builder.emit(source, _mean(x.shape[0], pair(x.shape[1:])), x)


def read_reduce_mean(source: Source, builder: Builder) -> Variable:
    """The mean over both spatial axes."""
    x = source.variable()
    given = source.optional_constant(1)
    axes = source.attribute("axes", []) if given is None else [int(a) for a in given]
    if len(x.shape) != 3 or sorted(a % 4 for a in axes) != [2, 3]:
        raise source.unsupported("only the mean over both spatial axes")
    y = read_global_average_pool(source, builder)
    return y if source.attribute("keepdims", 1) else builder.emit(source, Reshape((x.shape[0],)), y)
