"""Transposed convolutions: ONNX `ConvTranspose`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from pyprover.graph import Operator, Shape
from pyprover.ops.gather import pick
from pyprover.ops.reading import Builder, Source, Variable, tensor
from pyprover.ops.window import Pair, Window, as_before, as_plane, pair, plane_size, read_window, share


@dataclass(frozen=True, eq=False)
class ConvTranspose(Operator):
    """The transpose of a convolution, and a bias; ``weight`` is (in, out/groups, kh, kw).

    ``padding`` is cut off on each side, then ``extra`` rows and columns of what lies beyond are kept at the end.
    """

    linear: ClassVar[bool] = True
    weight: Tensor
    bias: Tensor
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    extra: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1

    @override
    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        channels, out, *kernel = self.weight.shape
        if len(x) != 3 or x[0] != channels or channels % self.groups:
            raise ValueError(f"{channels} channels in {self.groups} groups expected, the shape is {x}")
        if any(more >= step for more, step in zip(self.extra, self.stride, strict=True)):
            raise ValueError(f"output_padding {self.extra} is not smaller than the strides {self.stride}")
        height, width = (
            (n - 1) * step + (size - 1) * apart + 1 - 2 * pad + more
            for n, step, size, apart, pad, more in zip(
                x[1:], self.stride, kernel, self.dilation, self.padding, self.extra, strict=True
            )
        )
        if min(height, width) < 1:
            raise ValueError("nothing is left of the result")
        return (out * self.groups, height, width)

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        return functional.conv_transpose2d(
            inputs[0], self.weight, self.bias, self.stride, self.padding, self.extra, self.groups, self.dilation
        )


def read_conv_transpose(source: Source, builder: Builder) -> Variable:
    """One and two dimensions; what is cut off unequally is cut off by a choice of cells."""
    x, weight, bias = source.variable(), source.weight(1), source.optional_constant(2)
    if len(x.shape) != weight.ndim - 1:
        raise source.unsupported(f"the weight {weight.shape} does not fit the shape {x.shape}")
    groups = source.attribute("group", 1)
    plane = as_plane(source, builder, x)
    window = read_window(source, weight.shape[2:], plane_size(x))
    given = source.attribute("output_padding", [0] * (weight.ndim - 2))
    extra = pair((0, *given) if len(given) == 1 else given)
    top, left, bottom, right = _cut(source, window, plane_size(x), extra)
    # a side that is cut by less than nothing shows what lies beyond: that is what `extra` is
    more = (max(0, -bottom), max(0, -right))
    common = (max(0, min(top, bottom)), max(0, min(left, right)))
    op = ConvTranspose(
        weight=tensor(weight.reshape(*weight.shape[:2], *window.kernel)),
        bias=tensor(np.zeros(weight.shape[1] * groups) if bias is None else bias),
        stride=window.stride,
        padding=common,
        extra=more,
        dilation=window.dilation,
        groups=groups,
    )
    y = builder.emit(source, op, plane)
    for axis, before, after, both in ((1, top, bottom, common[0]), (2, left, right, common[1])):
        y = pick(source, builder, y, axis, range(before - both, y.shape[axis] - (max(0, after) - both)))
    return as_before(source, builder, x, y)


def _cut(source: Source, window: Window, size: Pair, extra: Pair) -> tuple[int, int, int, int]:
    """How much is cut off at the top, left, bottom, right, by ``pads``, ``output_shape`` or ``auto_pad``."""
    mode = source.attribute("auto_pad", "NOTSET")
    wanted = source.attribute("output_shape", None)
    if wanted is None and mode in ("NOTSET", "VALID"):
        top, left, bottom, right = window.pads
        return top, left, bottom - extra[0], right - extra[1]
    if wanted is None:
        wanted = [n * step for n, step in zip(size, window.stride, strict=True)]
    elif len(wanted) == 1:
        wanted = [1, *wanted]
    totals = [
        (n - 1) * step + span + more - out
        for n, step, span, more, out in zip(size, window.stride, window.extent, extra, wanted, strict=True)
    ]
    if min(totals) < 0:
        raise source.unsupported(f"output_shape = {wanted} is larger than what the operator can fill")
    top, left, bottom, right = share(mode, totals)
    return top, left, bottom - extra[0], right - extra[1]
