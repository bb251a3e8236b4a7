"""Cells picked along one axis: ONNX `Gather` with constant indices, `Slice`, `Split`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import ClassVar

import torch
from torch import Tensor
from typing_extensions import override

from pyprover.graph import Operator, Shape
from pyprover.ops.reading import Builder, Source, Variable
from pyprover.ops.shapes import reshaped


@dataclass(frozen=True, eq=False)
class Gather(Operator):
    """``y[.., i, ..] = x[.., indices[i], ..]`` along ``axis``, which does not count the batch axis."""

    linear: ClassVar[bool] = True
    axis: int
    indices: tuple[int, ...]

    @override
    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        size = x[self.axis]
        if not self.indices:
            raise ValueError("nothing is left of the operand")
        outside = next((i for i in self.indices if not 0 <= i < size), None)
        if outside is not None:
            raise ValueError(f"index {outside} is outside an axis of length {size}")
        return (*x[: self.axis], len(self.indices), *x[self.axis + 1 :])

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        return inputs[0].index_select(self.axis + 1, self.places)

    @cached_property
    def places(self) -> Tensor:
        """The indices, int64: no parameter, so that it keeps its type."""
        with torch.inference_mode(mode=False):  # it is kept, and searches differentiate through it
            return torch.tensor(self.indices)


def pick(source: Source, builder: Builder, x: Variable, axis: int, indices: Sequence[int]) -> Variable:
    """Cells of ``x`` along an axis (the batch not counted); no node when they are all of it, in order."""
    if list(indices) == list(range(x.shape[axis])):
        return x
    return builder.emit(source, Gather(axis, tuple(int(i) for i in indices)), x)


def read_gather(source: Source, builder: Builder) -> Variable:
    """Constant indices of any rank, along any axis but the batch's."""
    x, indices = source.variable(), source.constant(1)
    axis = source.axis(source.attribute("axis", 0), len(x.shape) + 1)
    size = x.shape[axis]
    flat = [int(i) + size if i < 0 else int(i) for i in indices.reshape(-1)]
    y = pick(source, builder, x, axis, flat)
    return reshaped(source, builder, y, (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


def read_slice(source: Source, builder: Builder) -> Variable:
    """Ranges given as operands (opset 10 and later) or as attributes; the batch axis must be kept whole."""
    x = source.variable()
    rank = len(x.shape) + 1
    starts, ends, axes, steps = (_ranges(source, k, name) for k, name in enumerate(("starts", "ends", "axes", "steps")))
    if starts is None or ends is None:
        raise source.unsupported("no range is given")
    axes = list(range(len(starts))) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step == 0:
            raise source.unsupported("a step of 0")
        extent = slice(start, end, step)  # ONNX counts and clamps as Python does
        if axis in (0, -rank):
            if not range(1)[extent]:
                raise source.unsupported("the batch axis would be empty")
            continue
        inner = source.axis(axis, rank)
        x = pick(source, builder, x, inner, range(x.shape[inner])[extent])
    return x


def _ranges(source: Source, index: int, name: str) -> list[int] | None:
    """Starts, ends, axes or steps, wherever the opset keeps them."""
    given = source.optional_constant(index + 1)
    values = source.attribute(name, None) if given is None else given.reshape(-1)
    return None if values is None else [int(n) for n in values]


def read_split(source: Source, builder: Builder) -> tuple[Variable, ...]:
    """Consecutive parts along an axis: of given lengths, or as equal as they can be."""
    x = source.variable()
    axis = source.axis(source.attribute("axis", 0), len(x.shape) + 1)
    size = x.shape[axis]
    given = source.optional_constant(1)
    lengths = source.attribute("split", None) if given is None else [int(n) for n in given]
    if lengths is None:
        longest = -(-size // source.outputs)
        lengths = [min(longest, max(0, size - k * longest)) for k in range(source.outputs)]
    if len(lengths) != source.outputs or sum(lengths) != size:
        raise source.unsupported(f"parts of lengths {list(lengths)} do not make up an axis of length {size}")
    edges = pairwise((0, *accumulate(lengths)))
    return tuple(pick(source, builder, x, axis, range(start, end)) for start, end in edges)
