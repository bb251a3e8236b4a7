"""A network as a small immutable graph: the only form that the domains and the search know.

Values are numbered: value 0 is the network's input, and the node at position ``k`` of ``Graph.nodes`` computes value
``k + 1``. Nodes are in topological order. Shapes never hold the batch axis; tensors always have it first. The last
value is the network's output, flat: shape ``(outputs,)``. Parameters are float64. As a network is read and kept, large
ones are float32 where the file has them so: ``Graph.operator`` gives what a forward step needs, ``Graph.to`` all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from functools import cached_property
from math import prod
from typing import ClassVar, TypeVar

import torch
from torch import Tensor

Shape = tuple[int, ...]

_Op = TypeVar("_Op", bound="Operator")


class Operator(ABC):
    """One operation; a frozen dataclass whose tensor fields are its parameters."""

    linear: ClassVar[bool]
    """Affine in its inputs (true) or in need of a relaxation (false)."""

    needs_axes: ClassVar[bool] = True
    """Whether each input must have an axis beside the batch."""

    @abstractmethod
    def shape(self, *inputs: Shape) -> Shape:
        """Shape of the result; raises ``ValueError`` when the inputs do not fit."""

    @abstractmethod
    def forward(self, *inputs: Tensor) -> Tensor:
        """The result on tensors ``(batch, *shape)`` of the parameters' type."""


def cast(op: _Op, dtype: torch.dtype) -> _Op:
    """The operator with its parameters in another floating-point type."""
    changed = {f.name: v.to(dtype) for f in fields(op) if isinstance(v := getattr(op, f.name), Tensor)}  # type: ignore[arg-type]
    return replace(op, **changed) if changed else op  # type: ignore[type-var]


LARGE = 1 << 20
"""Numbers of a parameter that is worth keeping in float32."""


@dataclass(frozen=True, eq=False)
class Node:
    """An operator applied to earlier values; ``name`` is the ONNX node's, for messages."""

    op: Operator
    inputs: tuple[int, ...]
    shape: Shape
    name: str


@dataclass(frozen=True, eq=False)
class Graph:
    """A network with one input and one flat output."""

    input_shape: Shape
    nodes: tuple[Node, ...]

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """Shape of each value."""
        return (self.input_shape, *(node.shape for node in self.nodes))

    @property
    def output(self) -> int:
        """The number of the output's value."""
        return len(self.nodes)

    @property
    def outputs(self) -> int:
        """How many outputs the network has."""
        return prod(self.shapes[self.output])

    @property
    def neurons(self) -> int:
        """Units of non-linear operators."""
        return sum(prod(node.shape) for node in self.nodes if not node.op.linear)

    @cached_property
    def last_use(self) -> tuple[int, ...]:
        """For each value the last node position that reads it (its own for the output)."""
        last = list(range(-1, len(self.nodes)))
        for position, node in enumerate(self.nodes):
            for value in node.inputs:
                last[value] = position
        return tuple(last)

    @cached_property
    def _types(self) -> tuple[frozenset[torch.dtype], ...]:
        """The floating-point types of each operator's parameters."""
        return tuple(
            frozenset(
                value.dtype
                for f in fields(node.op)  # type: ignore[arg-type]
                if isinstance(value := getattr(node.op, f.name), Tensor) and value.is_floating_point()
            )
            for node in self.nodes
        )

    def operator(self, position: int, dtype: torch.dtype) -> Operator:
        """The operator of a node for values of a type: a passing copy where its parameters are kept in another."""
        op = self.nodes[position].op
        return op if self._types[position] <= {dtype} else cast(op, dtype)

    def to(self, dtype: torch.dtype) -> Graph:
        """The same graph with its parameters in another floating-point type."""
        return Graph(self.input_shape, tuple(replace(node, op=cast(node.op, dtype)) for node in self.nodes))

    def forward(self, x: Tensor) -> Tensor:
        """Outputs ``(batch, outputs)`` on inputs ``(batch, *input_shape)``, computed in the type of the inputs."""
        values: dict[int, Tensor] = {0: x}
        for position, node in enumerate(self.nodes):
            values[position + 1] = self.operator(position, x.dtype).forward(*(values[i] for i in node.inputs))
            for i in set(node.inputs):
                if self.last_use[i] == position:
                    del values[i]
        return values[self.output]
