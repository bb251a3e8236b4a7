"""The adjoint of a convolution: what each cell sends to each offset of the kernel, added where it belongs.

With the rows innermost in memory the first is one large matrix product, and the second adds long runs of numbers: in
float64 two to three times as fast as the transposed convolution of torch. Only what a patch can reach is computed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from pyprover.domains.patches import Crop, Patch, has_rows_last
from pyprover.graph import Shape
from pyprover.ops import Conv

PART_BYTES = 16 << 20
"""Memory for what is sent; beyond it, a few offsets of the kernel at a time."""


def transposed(op: Conv, patch: Patch, shape: Shape) -> Patch:
    """Forms over the input, of this shape, that have on it the effect of a patch on the output; without the bias."""
    if patch.anchors is not None and patch.crop is not None:
        target = reached(op, patch.crop)
        return Patch(_sent(op, patch.coef, patch.crop, target), target, patch.anchors.through(op.stride)).masked(shape)
    if not has_rows_last(patch.coef):
        return Patch(_by_torch(op, patch.whole(op.shape(shape)), shape))
    whole = Crop.whole(shape)
    if patch.crop is None:
        return Patch(_sent(op, patch.coef, Crop.whole(op.shape(shape)), whole))
    target = reached(op, patch.crop).clipped(shape)
    return Patch(_sent(op, patch.coef, patch.crop, target), None if target == whole else target)


def reached(op: Conv, source: Crop) -> Crop:
    """The cells of the input, counted without padding, that the windows of a crop of the output read."""
    spans = []
    for axis in (0, 1):
        first, last = (at * op.stride[axis] - op.padding[axis] for at in (source.start[axis], source.stop[axis] - 1))
        spans.append((first, last + (op.weight.shape[2 + axis] - 1) * op.dilation[axis] + 1))
    (top, bottom), (left, right) = spans
    return Crop((top, left), (bottom, right))


def _sent(op: Conv, coef: Tensor, source: Crop, target: Crop) -> Tensor:
    result: Tensor = _Transposed.apply(coef, _Routes(op, source, target))  # type: ignore[no-untyped-call]
    return result


def _by_torch(op: Conv, coef: Tensor, shape: Shape) -> Tensor:
    """For rows that are outermost in memory; input cells that no window touches get zero."""
    missing = [
        size - ((count - 1) * stride - 2 * pad + dilation * (kernel - 1) + 1)
        for size, count, stride, pad, dilation, kernel in zip(
            shape[1:], coef.shape[2:], op.stride, op.padding, op.dilation, op.weight.shape[2:], strict=True
        )
    ]
    return functional.conv_transpose2d(coef, op.weight, None, op.stride, op.padding, missing, op.groups, op.dilation)


@dataclass(frozen=True, eq=False)
class _Routes:
    """Which cells of the output (in ``source``) reach which of the input (in ``target``), by offset of the kernel."""

    op: Conv
    source: Crop
    target: Crop

    def chunks(self, cells: int, size: int) -> Iterator[tuple[int, int]]:
        """Offsets of the kernel, counted row by row, from first to before last, in parts that fit into memory.

        ``cells``: how many numbers each channel sends to one offset; ``size``: the bytes of one.
        """
        _, inputs, height, width = self.op.weight.shape
        count = max(1, PART_BYTES // (size * cells * inputs * self.op.groups))
        for first in range(0, height * width, count):
            yield first, min(first + count, height * width)

    def weight(self, first: int, last: int) -> Tensor:
        """The kernel at some offsets: (groups, outputs, inputs * offsets)."""
        kernel = self.op.weight.flatten(2)[:, :, first:last]
        return kernel.reshape(self.op.groups, -1, kernel.shape[1] * (last - first))

    def route(self, offset: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Cells that send to an offset, and cells that receive, along both axes."""
        down, across = divmod(offset, self.op.weight.shape[3])
        (here, there), (here_too, there_too) = self._along(0, down), self._along(1, across)
        return (here, here_too), (there, there_too)

    def _along(self, axis: int, offset: int) -> tuple[slice, slice]:
        step, count = self.op.stride[axis], self.source.size[axis]
        first = self.source.start[axis] * step - self.op.padding[axis] + offset * self.op.dilation[axis]
        first -= self.target.start[axis]
        start = max(0, -(first // step))
        stop = max(start, min(count, -((first - self.target.size[axis]) // step)))
        return slice(start, stop), slice(first + start * step, max(0, first + (stop - 1) * step + 1), step)


class _Transposed(torch.autograd.Function):
    """(coef (rows, channels, *source), routes) -> (rows, channels, *target); rows innermost in memory."""

    @staticmethod
    @override
    def forward(ctx: Any, coef: Tensor, routes: _Routes) -> Tensor:
        ctx.routes = routes
        sent = coef.movedim(0, -1)
        groups, inputs = routes.op.groups, routes.op.weight.shape[1]
        result = coef.new_zeros(groups, inputs, *routes.target.size, len(coef))
        for first, last in routes.chunks(sent[0].numel(), coef.element_size()):
            parts = routes.weight(first, last).mT @ sent.reshape(groups, -1, sent[0].numel())
            parts = parts.reshape(groups, inputs, last - first, *sent.shape[1:])
            for offset in range(first, last):
                here, there = routes.route(offset)
                result[:, :, *there] += parts[:, :, offset - first, *here]
        return result.flatten(0, 1).movedim(-1, 0)

    @staticmethod
    @override
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        routes: _Routes = ctx.routes
        groups, inputs = routes.op.groups, routes.op.weight.shape[1]
        rows = len(gradients[0])
        gradient = gradients[0].movedim(0, -1).reshape(groups, inputs, *routes.target.size, rows)
        shape = (*routes.source.size, rows)
        cells = shape[0] * shape[1] * shape[2]
        result = gradient.new_zeros(groups, routes.op.weight.shape[0] // groups, cells)
        for first, last in routes.chunks(cells, gradient.element_size()):
            parts = gradient.new_zeros(groups, inputs, last - first, *shape)
            for offset in range(first, last):
                here, there = routes.route(offset)
                parts[:, :, offset - first, *here] = gradient[:, :, *there]
            result += routes.weight(first, last) @ parts.reshape(groups, -1, cells)
        return result.reshape(-1, *shape).movedim(-1, 0), None
