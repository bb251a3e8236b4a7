"""Matrix products: ONNX `Gemm` and `MatMul` with a constant matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from pyprover.graph import Node, Operator, Shape
from pyprover.ops.elementwise import Scale
from pyprover.ops.reading import Builder, Source, Variable, tensor


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


def read_gemm(source: Source, builder: Builder) -> Variable:
    """``alpha A B + beta C`` with constant B and C."""
    source.require("transA", 0)
    weight = source.constant(1).astype(np.float64) * float(source.attribute("alpha", 1.0))
    weight = weight if source.attribute("transB", 0) else weight.T
    offset = source.optional_constant(2)
    bias = np.zeros(weight.shape[0])
    if offset is not None:
        bias = np.broadcast_to(offset.astype(np.float64).reshape(-1), bias.shape) * float(source.attribute("beta", 1.0))
    return builder.emit(source, Dense(tensor(weight), tensor(bias)), source.variable())


def read_matmul(source: Source, builder: Builder) -> Variable:
    """``A B`` with a constant matrix B."""
    weight = source.constant(1)
    if weight.ndim != 2:
        raise source.unsupported(f"the constant operand has {weight.ndim} axes, not 2")
    return builder.emit(source, Dense(tensor(weight.T), tensor(np.zeros(weight.shape[1]))), source.variable())


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
