"""Maxima over windows: ONNX `MaxPool`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from pyprover.graph import Operator, Shape
from pyprover.ops.gather import pick
from pyprover.ops.reading import Builder, Source, Variable
from pyprover.ops.window import Pair, Window, as_before, as_plane, plane_size, read_window, rounded_up, window_count


@dataclass(frozen=True, eq=False)
class MaxPool(Operator):
    """The maximum over each window; padding never wins."""

    linear: ClassVar[bool] = False
    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)

    @override
    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        if len(x) != 3:
            raise ValueError(f"two spatial axes are supported, the shape is {x}")
        if any(2 * pad > kernel for pad, kernel in zip(self.padding, self.kernel, strict=True)):
            raise ValueError("padding of more than half a window")
        plane = (
            window_count(size + 2 * pad, kernel, stride, dilation)
            for size, pad, kernel, stride, dilation in zip(
                x[1:], self.padding, self.kernel, self.stride, self.dilation, strict=True
            )
        )
        return (x[0], *plane)

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        return functional.max_pool2d(inputs[0], self.kernel, self.stride, self.padding, self.dilation)

    def winners(self, x: Tensor) -> Tensor:
        """Row-major place, in its channel's plane, of each window's maximum: int64, the shape of the result."""
        _, places = functional.max_pool2d_with_indices(x, self.kernel, self.stride, self.padding, self.dilation)
        return places


def read_max_pool(source: Source, builder: Builder) -> Variable:
    """One and two spatial axes; where padding differs on opposite sides, or is wide, cells at the border are repeated.

    A window that reaches over the border holds the border's cell next to it, so that copies of it change no maximum.
    """
    source.require("storage_order", 0)
    x = source.variable()
    plane = as_plane(source, builder, x)
    window = read_window(source, source.attribute("kernel_shape", []), plane_size(x))
    if source.attribute("ceil_mode", 0):
        window = rounded_up(window, plane_size(x))
    wide = any(2 * pad > kernel for pad, kernel in zip(window.pads, window.kernel * 2, strict=True))
    if wide or not window.symmetric:
        plane, window = _repeated(source, builder, plane, window)
    op = MaxPool(window.kernel, window.stride, (window.pads[0], window.pads[1]), window.dilation)
    return as_before(source, builder, x, builder.emit(source, op, plane))


def _repeated(source: Source, builder: Builder, plane: Variable, window: Window) -> tuple[Variable, Window]:
    """The plane with its border repeated as far as the window's padding goes, and the window without padding."""
    sides = [(window.pads[axis], window.pads[axis + 2]) for axis in (0, 1)]
    for axis, ((before, after), size, apart) in enumerate(
        zip(sides, window.kernel, window.dilation, strict=True), start=1
    ):
        if (before or after) and (apart > 1 or max(before, after) >= size):
            raise source.unsupported(f"pads = {list(window.pads)} with dilations, or as wide as the window")
        cells = np.arange(-before, plane.shape[axis] + after).clip(0, plane.shape[axis] - 1)
        plane = pick(source, builder, plane, axis, cells.tolist())
    return plane, replace(window, pads=(0, 0, 0, 0))
