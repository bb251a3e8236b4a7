"""Backward linear bounds (CROWN, DeepPoly): a form over a value is rewritten, step by step, into one over the input.

Rows are lower bounds only; an upper bound is the opposite of the lower bound of the opposite row. Rows of a batch are
one flat list in which each names its region.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from pyprover.domains.activations import relu_lines, relu_unstable, s_shaped_lines, s_shaped_unstable
from pyprover.domains.base import TINY, Box
from pyprover.domains.curves import CURVES, curve_lines, curve_unstable
from pyprover.domains.interval import absolute
from pyprover.domains.maxima import max_pool_members, max_pool_unstable
from pyprover.domains.planes import log_sum_exp_planes, log_sum_exp_unstable, product_planes, product_unstable
from pyprover.domains.relaxation import Relaxation, Rows
from pyprover.domains.steps import round_lines, round_unstable
from pyprover.graph import Graph, Operator, Shape
from pyprover.ops import (
    Add,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Gather,
    LogSumExp,
    MaxPool,
    Pad,
    Product,
    Relu,
    Reshape,
    Round,
    Scale,
    Sigmoid,
    Tanh,
    Transpose,
)

BLOCK_BYTES = 2 << 20
"""Memory that one block of backward rows may hold in its widest value: little, so that it stays in the cache."""

Adjoint = Callable[[Any, Tensor, tuple[Shape, ...]], tuple[list[Tensor], Tensor | None]]
"""(operator, forms (rows, *shape), input shapes) -> forms over each input, constants (rows,) or None."""


def _dense(op: Dense, coef: Tensor, _shapes: tuple[Shape, ...]) -> tuple[list[Tensor], Tensor]:
    return [coef @ op.weight], (coef @ op.bias[:, None]).flatten(1).sum(1)


def _conv(op: Conv, coef: Tensor, shapes: tuple[Shape, ...]) -> tuple[list[Tensor], Tensor]:
    """The transposed convolution; input cells that no window touches get zero."""
    missing = [
        size - ((count - 1) * stride - 2 * pad + dilation * (kernel - 1) + 1)
        for size, count, stride, pad, dilation, kernel in zip(
            shapes[0][1:], coef.shape[2:], op.stride, op.padding, op.dilation, op.weight.shape[2:], strict=True
        )
    ]
    back = functional.conv_transpose2d(coef, op.weight, None, op.stride, op.padding, missing, op.groups, op.dilation)
    return [back], coef.sum((2, 3)) @ op.bias


def _conv_transpose(op: ConvTranspose, coef: Tensor, _shapes: tuple[Shape, ...]) -> tuple[list[Tensor], Tensor]:
    back = functional.conv2d(coef, op.weight, None, op.stride, op.padding, op.dilation, op.groups)
    return [back], coef.sum((2, 3)) @ op.bias


def _scale(op: Scale, coef: Tensor, _shapes: tuple[Shape, ...]) -> tuple[list[Tensor], Tensor]:
    return [coef * op.factor], (coef * op.offset).flatten(1).sum(1)


def _add(_op: Add, coef: Tensor, shapes: tuple[Shape, ...]) -> tuple[list[Tensor], None]:
    return [coef] * len(shapes), None


def _reshape(_op: Reshape, coef: Tensor, shapes: tuple[Shape, ...]) -> tuple[list[Tensor], None]:
    return [coef.reshape(-1, *shapes[0])], None


def _transpose(op: Transpose, coef: Tensor, _shapes: tuple[Shape, ...]) -> tuple[list[Tensor], None]:
    inverse = sorted(range(len(op.order)), key=op.order.__getitem__)
    return [coef.permute(0, *(axis + 1 for axis in inverse))], None


def _concat(op: Concat, coef: Tensor, shapes: tuple[Shape, ...]) -> tuple[list[Tensor], None]:
    return list(torch.split(coef, [shape[op.axis] for shape in shapes], dim=op.axis + 1)), None


def _pad(op: Pad, coef: Tensor, shapes: tuple[Shape, ...]) -> tuple[list[Tensor], None]:
    """What was added is cut off again, axis by axis from the last."""
    for back, (start, size) in enumerate(zip(op.widths[::2], reversed(shapes[0]), strict=False), start=1):
        coef = coef.narrow(-back, start, size)
    return [coef], None


def _gather(op: Gather, coef: Tensor, shapes: tuple[Shape, ...]) -> tuple[list[Tensor], None]:
    """What was picked goes back to its place; cells picked twice get the sum."""
    back = torch.zeros(len(coef), *shapes[0], dtype=coef.dtype)
    return [back.index_add(op.axis + 1, op.places, coef)], None


ADJOINTS: Mapping[type[Operator], Adjoint] = {
    Add: _add,
    Concat: _concat,
    Conv: _conv,
    ConvTranspose: _conv_transpose,
    Dense: _dense,
    Gather: _gather,
    Pad: _pad,
    Reshape: _reshape,
    Scale: _scale,
    Transpose: _transpose,
}

RELAXATIONS: Mapping[type[Operator], Callable[[Any, Box], Relaxation]] = {
    LogSumExp: log_sum_exp_planes,
    MaxPool: max_pool_members,
    Product: product_planes,
    Relu: relu_lines,
    Round: round_lines,
    Sigmoid: s_shaped_lines,
    Tanh: s_shaped_lines,
    **dict.fromkeys(CURVES, curve_lines),
}

UNSTABLE: Mapping[type[Operator], Callable[[Any, Box], Tensor]] = {
    LogSumExp: log_sum_exp_unstable,
    MaxPool: max_pool_unstable,
    Product: product_unstable,
    Relu: relu_unstable,
    Round: round_unstable,
    Sigmoid: s_shaped_unstable,
    Tanh: s_shaped_unstable,
    **dict.fromkeys(CURVES, curve_unstable),
}
"""Where a tighter box of the operator's input would tighten its relaxation: masks of the input's shape."""


@dataclass(frozen=True, eq=False)
class Linearised:
    """A network with its relaxations over a batch of regions.

    ``relaxations`` by node position, for non-linear nodes. ``slack`` by node position: the relative rounding error of
    the node's sums times their magnitude, (batch,); ``input_slack`` likewise for the input's box.
    """

    graph: Graph
    input: Box
    relaxations: Mapping[int, Relaxation]
    slack: Sequence[Tensor | None]
    input_slack: Tensor

    @property
    def output_slack(self) -> Tensor:
        """The slack of the last step that is not a mere move: it bounds the size of the outputs too."""
        return next((slack for slack in reversed(self.slack) if slack is not None), self.input_slack)


def rewrite(network: Linearised, value: int, rows: Rows) -> tuple[Tensor, Tensor]:
    """Forms over the input (rows, *input_shape) and constants (rows,) that never exceed the rows, rounding included."""
    graph, pending = network.graph, {value: rows.coef}
    total = torch.zeros(len(rows.coef), dtype=rows.coef.dtype)
    error = torch.zeros_like(total)
    for position in range(value - 1, -1, -1):
        coef = pending.pop(position + 1, None)
        if coef is None:
            continue
        node = graph.nodes[position]
        slack = network.slack[position]
        if slack is not None:
            error = error + rows.places.of(slack) * _norm(coef)
        if node.op.linear:
            shapes = tuple(graph.shapes[v] for v in node.inputs)
            forms, constant = ADJOINTS[type(node.op)](node.op, coef, shapes)
        else:
            form, constant = network.relaxations[position].substitute(Rows(rows.places, coef))
            forms = [form]
        if constant is not None:
            total = total + constant
        for source, form in zip(node.inputs, forms, strict=True):
            pending[source] = pending[source] + form if source in pending else form
    error = error + rows.places.of(network.input_slack) * _norm(pending[0])
    return pending[0], total - 2 * error - TINY


def lower_bounds(network: Linearised, value: int, rows: Rows) -> Tensor:
    """For each row a lower bound of its form over its region: (rows,), rounding included.

    Differentiable in ``rows.coef``: the gradient of a row is the value's point at which the relaxation is least.
    """
    form, constant = rewrite(network, value, rows)
    box = network.input
    bounds = constant + rows.places.dot(form, box.centre) - rows.places.dot(form.abs(), box.radius)
    return torch.where(bounds.isnan(), -torch.inf, bounds)  # a relaxation that is not finite says nothing


def first_sensitivity(graph: Graph) -> Tensor:
    """By how much a unit of each feature can move the values before the first relaxation, summed: (features,)."""
    first = next((node for node in graph.nodes if not node.op.linear), None)
    value = graph.output if first is None else first.inputs[0]
    pending = {value: torch.ones(1, *graph.shapes[value], dtype=torch.float64)}
    for position in range(value - 1, -1, -1):
        coef = pending.pop(position + 1, None)
        if coef is None:
            continue
        node = graph.nodes[position]
        shapes = tuple(graph.shapes[v] for v in node.inputs)
        forms, _ = ADJOINTS[type(node.op)](absolute(node.op), coef, shapes)
        for source, form in zip(node.inputs, forms, strict=True):
            pending[source] = pending[source] + form if source in pending else form
    return pending[0].flatten()


def _norm(coef: Tensor) -> Tensor:
    return coef.abs().flatten(1).sum(1)  # several times as fast as torch.linalg.vector_norm


def block_size(graph: Graph, value: int) -> int:
    """How many rows over a value to take at once, so that memory stays flat."""
    widest = max(prod(shape) for shape in graph.shapes[: value + 1])
    return max(32, BLOCK_BYTES // (8 * widest))
