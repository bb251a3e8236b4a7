"""The product with a matrix along the last axis, and the bias that belongs to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from pyprover.graph import Node, Operator, Shape
from pyprover.ops.elementwise import Scale
from pyprover.ops.padding import Concat


@dataclass(frozen=True, eq=False)
class Dense(Operator):
    """``y = x W^T + b`` along the last axis; ``weight`` is (out, in), ``bias`` (out,)."""

    linear: ClassVar[bool] = True
    weight: Tensor
    bias: Tensor

    @override
    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        out, width = self.weight.shape
        if not x or x[-1] != width:
            raise ValueError(f"a matrix with {width} columns does not fit the shape {x}")
        return (*x[:-1], out)

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        return functional.linear(inputs[0], self.weight, self.bias)


_LARGEST = 1 << 24
"""Numbers of a matrix beyond which it is taken in parts, so that what is made of it on the way stays small."""


def in_parts(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """The nodes with the products of large matrices as several, side by side; the result of the last node is last."""
    parts: list[Node] = []
    renumbered = [0]
    for node in nodes:
        inputs = tuple(renumbered[value] for value in node.inputs)
        if isinstance(node.op, Dense) and node.op.weight.numel() > _LARGEST:
            rows = max(1, _LARGEST // (4 * node.op.weight.shape[1]))
            first = len(parts) + 1
            for weight, bias in zip(torch.split(node.op.weight, rows), torch.split(node.op.bias, rows), strict=True):
                parts.append(Node(Dense(weight, bias), inputs, (*node.shape[:-1], len(weight)), node.name))
            inputs = tuple(range(first, len(parts) + 1))
            node = replace(node, op=Concat(len(node.shape) - 1))
        parts.append(replace(node, inputs=inputs))
        renumbered.append(len(parts))
    return tuple(parts)


def fuse_bias(nodes: Sequence[Node]) -> list[Node]:
    """The nodes with `MatMul` then `Add` of a row read as one product; a product used by nothing else is left dead."""
    fused: list[Node] = []
    for node in nodes:
        producer = fused[node.inputs[0] - 1] if node.inputs[0] > 0 else None
        if isinstance(node.op, Scale) and producer is not None and isinstance(producer.op, Dense):
            bias = _as_bias(node.op, producer.op)
            if bias is not None:
                node = replace(node, op=Dense(producer.op.weight, bias), inputs=producer.inputs)
        fused.append(node)
    return fused


def _as_bias(scale: Scale, dense: Dense) -> Tensor | None:
    """The offset as a bias of the product, when that is exact: nothing is scaled, no bias is there yet."""
    offset, size = scale.offset, dense.bias.numel()
    if bool((scale.factor != 1).any()) or bool(dense.bias.any()) or offset.numel() not in (1, size):
        return None
    if offset.numel() == size and offset.shape[-1:] != dense.bias.shape:
        return None
    return offset.reshape(-1).expand(size).clone()
