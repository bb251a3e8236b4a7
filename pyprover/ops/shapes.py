"""Moves without arithmetic: reshaping, transposing, and the operators that do nothing."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from onnx import TensorProto
from torch import Tensor
from typing_extensions import override

from pyprover.graph import Operator, Shape
from pyprover.ops.reading import Builder, Source, Variable


@dataclass(frozen=True, eq=False)
class Reshape(Operator):
    """The same values, row-major, in another shape."""

    linear: ClassVar[bool] = True
    needs_axes: ClassVar[bool] = False
    target: Shape

    @override
    def shape(self, *inputs: Shape) -> Shape:
        if prod(inputs[0]) != prod(self.target):
            raise ValueError(f"{prod(inputs[0])} values do not fit the shape {self.target}")
        return self.target

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        return inputs[0].reshape(len(inputs[0]), *self.target)


@dataclass(frozen=True, eq=False)
class Transpose(Operator):
    """Axes permuted; ``order`` does not count the batch axis."""

    linear: ClassVar[bool] = True
    order: tuple[int, ...]

    @override
    def shape(self, *inputs: Shape) -> Shape:
        if sorted(self.order) != list(range(len(inputs[0]))):
            raise ValueError(f"the order {self.order} does not fit the shape {inputs[0]}")
        return tuple(inputs[0][axis] for axis in self.order)

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        return inputs[0].permute(0, *(axis + 1 for axis in self.order))


def reshaped(source: Source, builder: Builder, x: Variable, target: Shape) -> Variable:
    """``x`` in another shape; no node when it has it."""
    return x if x.shape == target else builder.emit(source, Reshape(target), x)


def read_reshape(source: Source, builder: Builder) -> Variable:
    """To a constant shape that keeps the batch axis first."""
    x = source.variable()
    old = (1, *x.shape)
    new = [int(n) for n in source.constant(1)]
    if 0 in new and source.attribute("allowzero", 0):
        raise source.unsupported("an axis of length 0")
    if any(n == 0 and i >= len(old) for i, n in enumerate(new)):
        raise source.unsupported(f"the target shape {new} copies an axis that the operand does not have")
    new = [old[i] if n == 0 else n for i, n in enumerate(new)]
    if new.count(-1) == 1 and (known := -prod(new)) > 0 and prod(old) % known == 0:
        new[new.index(-1)] = prod(old) // known
    if not new or new[0] != 1:
        raise source.unsupported(f"the target shape {new} does not keep the batch axis first")
    return builder.emit(source, Reshape(tuple(new[1:])), x)


def read_flatten(source: Source, builder: Builder) -> Variable:
    """The axes before ``axis`` into one, the others into one; the first must have length one, as the batch has."""
    x = source.variable()
    rank, axis = len(x.shape) + 1, source.attribute("axis", 1)
    first = axis + rank if axis < 0 else axis
    before = prod((1, *x.shape)[:first])
    if before != 1:
        raise source.unsupported(f"axis = {axis}")
    return builder.emit(source, Reshape((prod(x.shape),)), x)


def _axes(source: Source) -> list[int] | None:
    """Axes given as an operand (opset 13 and later) or as an attribute."""
    given = source.optional_constant(1)
    if given is not None:
        return [int(a) for a in given.reshape(-1)]
    axes: list[int] | None = source.attribute("axes", None)
    return axes


def read_squeeze(source: Source, builder: Builder) -> Variable:
    """Axes of length one removed."""
    x, axes = source.variable(), _axes(source)
    if axes is None:
        raise source.unsupported("without axes it would remove the batch axis")
    gone = {source.axis(a, len(x.shape) + 1) for a in axes}
    return builder.emit(source, Reshape(tuple(n for i, n in enumerate(x.shape) if i not in gone)), x)


def read_unsqueeze(source: Source, builder: Builder) -> Variable:
    """Axes of length one inserted."""
    x, axes = source.variable(), _axes(source) or []
    rank = len(x.shape) + 1 + len(axes)
    new = {source.axis(a, rank) for a in axes}
    rest = iter(x.shape)
    return builder.emit(source, Reshape(tuple(1 if i in new else next(rest) for i in range(rank - 1))), x)


def read_transpose(source: Source, builder: Builder) -> Variable:
    """Axes permuted, the batch kept first."""
    x = source.variable()
    order = source.attribute("perm", list(range(len(x.shape), -1, -1)))
    if order[0] != 0:
        raise source.unsupported(f"perm = {order} moves the batch axis")
    return builder.emit(source, Transpose(tuple(a - 1 for a in order[1:])), x)


def read_depth_to_space(source: Source, builder: Builder) -> Variable:
    """Channels spread over squares of cells, in either order of the channels."""
    x, side = source.variable(), source.attribute("blocksize", 0)
    mode = source.attribute("mode", "DCR")
    if len(x.shape) != 3 or x.shape[0] % side**2 or mode not in ("DCR", "CRD"):
        raise source.unsupported(f"blocks of {side}, mode {mode!r}, shape {x.shape}")
    depth, height, width = x.shape[0] // side**2, *x.shape[1:]
    frame = (side, side, depth) if mode == "DCR" else (depth, side, side)
    order = (2, 3, 0, 4, 1) if mode == "DCR" else (0, 3, 1, 4, 2)
    blocks = builder.emit(source, Transpose(order), builder.emit(source, Reshape((*frame, height, width)), x))
    return builder.emit(source, Reshape((depth, height * side, width * side)), blocks)


def read_space_to_depth(source: Source, builder: Builder) -> Variable:
    """Squares of cells gathered into channels."""
    x, side = source.variable(), source.attribute("blocksize", 0)
    if len(x.shape) != 3 or any(n % side for n in x.shape[1:]):
        raise source.unsupported(f"blocks of {side}, shape {x.shape}")
    depth, height, width = x.shape[0], x.shape[1] // side, x.shape[2] // side
    cells = builder.emit(source, Reshape((depth, height, side, width, side)), x)
    blocks = builder.emit(source, Transpose((2, 4, 0, 1, 3)), cells)
    return builder.emit(source, Reshape((depth * side**2, height, width)), blocks)


def read_identity(source: Source, _builder: Builder) -> Variable:
    """`Identity`, and `Dropout` in its inference form: the operand itself."""
    source.require("training_mode", 0)
    training = source.optional(2)
    if source.operator == "Dropout" and training is not None and (isinstance(training, Variable) or training.any()):
        raise source.unsupported("training mode")
    return source.variable()


def read_cast(source: Source, _builder: Builder) -> Variable:
    """A cast between floating-point types that loses no more than the network's own arithmetic does."""
    source.require("to", TensorProto.FLOAT, TensorProto.DOUBLE)
    return source.variable()
