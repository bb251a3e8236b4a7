"""What a reader of ONNX nodes works with: the node (`Source`), its operands, the graph so far (`Builder`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pyprover.errors import UnsupportedOperator
from pyprover.graph import LARGE, Node, Operator, Shape

Constant = npt.NDArray[Any]


@dataclass(frozen=True)
class Variable:
    """A value that depends on the network's input; ``shape`` without the batch axis."""

    value: int
    shape: Shape


Operand = Variable | Constant


def tensor(array: Constant) -> Tensor:
    """A parameter from a constant: float64, or float32 when it is a large one in that type."""
    kept = array.dtype == np.float32 and array.size >= LARGE
    return torch.from_numpy(np.array(array, dtype=np.float32 if kept else np.float64))


def widened(array: Constant) -> Constant:
    """Floating-point constants as float64, others as they are."""
    return array.astype(np.float64) if np.issubdtype(array.dtype, np.floating) else array


@dataclass
class Builder:
    """The graph under construction."""

    nodes: list[Node] = field(default_factory=list)

    def emit(self, source: Source, op: Operator, *inputs: Variable) -> Variable:
        """Add a node; a misfit of shapes is reported at the ONNX node."""
        if op.needs_axes and any(v.shape == () for v in inputs):
            raise source.unsupported("it works on one number without an axis; keep the axis (keepdims=1)")
        try:
            shape = op.shape(*(v.shape for v in inputs))
        except (ValueError, RuntimeError) as error:
            raise source.unsupported(str(error)) from None
        self.nodes.append(Node(op, tuple(v.value for v in inputs), shape, source.name))
        return Variable(len(self.nodes), shape)


@dataclass(frozen=True)
class Source:
    """One ONNX node: its operator, its attributes, its operands (``None``: an optional one left out).

    ``given`` are the operands in the types of the file, ``outputs`` is how many results it has.
    """

    name: str
    operator: str
    opset: int
    attributes: Mapping[str, Any]
    given: tuple[Operand | None, ...]
    outputs: int = 1

    @property
    def operands(self) -> tuple[Operand | None, ...]:
        """All operands, constants as float64."""
        return tuple(self.optional(index) for index in range(len(self.given)))

    def unsupported(self, detail: str = "") -> UnsupportedOperator:
        """The error that names this node."""
        return UnsupportedOperator(self.operator, self.opset, self.name, detail)

    def attribute(self, name: str, default: Any) -> Any:
        """An attribute, or its default."""
        return self.attributes.get(name, default)

    def real(self, name: str, default: float) -> float:
        """A number; a default, too, is the float32 that an attribute would be."""
        return float(np.float32(self.attribute(name, default)))

    def require(self, name: str, *allowed: object) -> None:
        """Refuse the node when the attribute is present with a value that is not allowed."""
        if name in self.attributes and self.attributes[name] not in allowed:
            raise self.unsupported(f"{name} = {self.attributes[name]!r}")

    def optional(self, index: int) -> Operand | None:
        """The operand, or ``None`` when it was left out."""
        operand = self.given[index] if index < len(self.given) else None
        return widened(operand) if isinstance(operand, np.ndarray) else operand

    def variable(self, index: int = 0) -> Variable:
        """The operand, which must depend on the network's input."""
        operand = self.optional(index)
        if not isinstance(operand, Variable):
            raise self.unsupported(f"operand {index + 1} must depend on the network's input")
        return operand

    def constant(self, index: int) -> Constant:
        """The operand, which must not depend on the network's input."""
        operand = self.optional(index)
        if operand is None or isinstance(operand, Variable):
            raise self.unsupported(f"operand {index + 1} must be constant")
        return operand

    def weight(self, index: int) -> Constant:
        """A constant for those that do no arithmetic on it: a large one in float32 stays so."""
        operand = self.given[index] if index < len(self.given) else None
        large = isinstance(operand, np.ndarray) and operand.dtype == np.float32 and operand.size >= LARGE
        return operand if large else self.constant(index)  # type: ignore[return-value]

    def optional_constant(self, index: int) -> Constant | None:
        """The operand when present; it must not depend on the network's input."""
        return None if self.optional(index) is None else self.constant(index)

    def axis(self, axis: int, rank: int) -> int:
        """An ONNX axis as an axis of the shape without the batch; ``rank`` counts the batch."""
        inner = (axis + rank if axis < 0 else axis) - 1
        if not 0 <= inner < rank - 1:
            raise self.unsupported(f"axis {axis} is the batch axis or out of range")
        return inner


Reader = Callable[[Source, Builder], Variable | tuple[Variable, ...]]
"""From a node to its first result, or to all of them when any may be used."""
