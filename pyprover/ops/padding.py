"""Values set among others: ONNX `Pad`, `Concat`."""

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
from pyprover.ops.elementwise import Add, Scale
from pyprover.ops.gather import pick
from pyprover.ops.reading import Builder, Constant, Source, Variable, tensor

_COPIES = {"reflect": "reflect", "edge": "edge", "wrap": "wrap"}


@dataclass(frozen=True, eq=False)
class Pad(Operator):
    """Zeros around the last axes: before and after, from the last axis backwards (left, right, top, bottom, ...)."""

    linear: ClassVar[bool] = True
    widths: tuple[int, ...]

    @override
    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        if len(self.widths) > 2 * len(x):
            raise ValueError(f"padding of {len(self.widths) // 2} axes does not fit the shape {x}")
        around = [a + b for a, b in zip(self.widths[::2], self.widths[1::2], strict=True)]
        kept = len(x) - len(around)
        return (*x[:kept], *(n + more for n, more in zip(x[kept:], reversed(around), strict=True)))

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        return functional.pad(inputs[0], self.widths)


@dataclass(frozen=True, eq=False)
class Concat(Operator):
    """Values side by side along ``axis``, which does not count the batch axis."""

    linear: ClassVar[bool] = True
    axis: int

    @override
    def shape(self, *inputs: Shape) -> Shape:
        frames = {(*x[: self.axis], *x[self.axis + 1 :]) for x in inputs}
        if len(frames) != 1:
            raise ValueError(f"the shapes {inputs} do not fit along axis {self.axis}")
        return (*inputs[0][: self.axis], sum(x[self.axis] for x in inputs), *inputs[0][self.axis + 1 :])

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        return torch.cat(inputs, dim=self.axis + 1)


def read_pad(source: Source, builder: Builder) -> Variable:
    """Any axes but the batch's: a constant around them, or copies of their own cells; negative widths cut off."""
    mode = source.attribute("mode", "constant")
    if mode != "constant" and mode not in _COPIES:
        raise source.unsupported(f"mode = {mode!r}")
    x, value = source.variable(), source.optional_constant(2)
    fill = source.attribute("value", 0.0) if value is None else float(np.asarray(value).reshape(-1)[0])
    if not np.isfinite(fill):
        raise source.unsupported(f"cells of {fill}")
    sides = _sides(source, len(x.shape) + 1)
    if sides[0] != (0, 0):
        raise source.unsupported(f"pads = {sides} touch the batch axis")
    inner = sides[1:]
    if mode != "constant":
        return _copied(source, builder, inner, _COPIES[mode])
    for axis, (before, after) in enumerate(inner):
        x = pick(source, builder, x, axis, range(max(0, -before), x.shape[axis] - max(0, -after)))
    return framed(source, builder, x, [(max(0, b), max(0, a)) for b, a in inner], fill)


def _sides(source: Source, rank: int) -> list[tuple[int, int]]:
    """Cells before and after each axis, the batch's first."""
    given, listed = source.optional_constant(1), source.optional_constant(3)
    pads = [int(n) for n in (source.attribute("pads", []) if given is None else given)]
    axes = list(range(rank)) if listed is None else [int(a) % rank for a in listed]
    if len(pads) != 2 * len(axes):
        raise source.unsupported(f"pads = {pads} do not fit {len(axes)} axes")
    sides = [(0, 0)] * rank
    for axis, before, after in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True):
        sides[axis] = (before, after)
    return sides


def _copied(source: Source, builder: Builder, sides: Sequence[tuple[int, int]], mode: str) -> Variable:
    """Padding by cells of the operand itself."""
    x = source.variable()
    for axis, side in enumerate(sides):
        if min(side) < 0 or (mode != "edge" and max(side) >= x.shape[axis] + (mode == "wrap")):
            raise source.unsupported(f"mode = {mode!r} by {side} of an axis of length {x.shape[axis]}")
        x = pick(source, builder, x, axis, np.pad(np.arange(x.shape[axis]), side, mode=mode).tolist())  # type: ignore[call-overload]
    return x


def framed(source: Source, builder: Builder, x: Variable, sides: Sequence[tuple[int, int]], fill: float) -> Variable:
    """``x`` with cells of one value before and after each axis, the batch not counted."""
    if not any(before or after for before, after in sides):
        return x
    y = builder.emit(source, Pad(tuple(n for side in reversed(sides) for n in side)), x)
    if fill == 0.0:
        return y
    around = np.pad(np.zeros(x.shape), sides, constant_values=fill)
    return builder.emit(source, Scale(torch.ones((), dtype=torch.float64), tensor(around)), y)


def read_concat(source: Source, builder: Builder) -> Variable:
    """Values side by side along any axis but the batch's; constants may be among them."""
    first = next(o for o in source.operands if isinstance(o, Variable))
    axis = source.axis(source.attribute("axis", 1), len(first.shape) + 1)
    if all(isinstance(o, Variable) for o in source.operands):
        return builder.emit(source, Concat(axis), *(source.variable(i) for i in range(len(source.operands))))
    return _among_constants(source, builder, axis)


def _among_constants(source: Source, builder: Builder, axis: int) -> Variable:
    """The sum of the values, each with zeros around it, and of the constants likewise."""
    parts: list[Variable | Constant] = []
    for operand in source.operands:
        if operand is None or (not isinstance(operand, Variable) and operand.shape[:1] != (1,)):
            raise source.unsupported("a constant operand does not keep the batch axis first")
        parts.append(operand if isinstance(operand, Variable) else operand[0])
    whole = sum(part.shape[axis] for part in parts)
    placed, offset, start = [], np.zeros(()), 0
    for part in parts:
        sides = [(0, 0)] * len(part.shape)
        sides[axis] = (start, whole - start - part.shape[axis])
        start += part.shape[axis]
        if isinstance(part, Variable):
            placed.append(framed(source, builder, part, sides, 0.0))
        else:
            offset = offset + np.pad(part.astype(np.float64), sides)
    total = placed[0] if len(placed) == 1 else builder.emit(source, Add(), *placed)
    return builder.emit(source, Scale(torch.ones((), dtype=torch.float64), tensor(offset)), total)
