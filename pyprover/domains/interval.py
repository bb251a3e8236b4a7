"""Intervals: each value bounded on its own.

Gowal et al., *On the effectiveness of interval bound propagation for training verifiably robust models*, arXiv
1810.12715.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from math import prod

import torch
from torch import Tensor

from pyprover.domains.base import FUNCTION_ULPS, Box, gamma, unit
from pyprover.domains.curves import CURVES, curve_range
from pyprover.domains.planes import log_sum_exp_range, product_range
from pyprover.domains.steps import round_range
from pyprover.graph import Graph, Operator
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

Transformer = Callable[[Operator, tuple[Box, ...]], Box]

_OFFSETS = ("bias", "offset")


def absolute(op: Operator) -> Operator:
    """The operator with the absolute values of its parameters: ``|W| x + |b|``."""
    return _changed(op, lambda _, value: value.abs())


def homogeneous(op: Operator) -> Operator:
    """The operator without its constant part: ``W x``."""
    return _changed(op, lambda name, value: torch.zeros_like(value) if name in _OFFSETS else value)


def counted(op: Operator) -> Operator:
    """The operator that counts, where each input is 1, the terms of each sum: a constant of 0 adds none."""
    return _changed(op, lambda _, value: (value != 0).to(value.dtype))


def _changed(op: Operator, change: Callable[[str, Tensor], Tensor]) -> Operator:
    values = {f.name: getattr(op, f.name) for f in fields(op)}  # type: ignore[arg-type]
    changed = {name: change(name, value) for name, value in values.items() if isinstance(value, Tensor)}
    return replace(op, **changed)  # type: ignore[type-var]


def linear_magnitude(op: Operator, boxes: tuple[Box, ...]) -> Tensor:
    """``|W| |x| + |b|``, (batch, *shape): the scale of what is summed in a linear operator."""
    return absolute(op).forward(*(box.size for box in boxes))


def rounding(boxes: tuple[Box, ...], result: Tensor, more: int = 0) -> float:
    """Relative error of the sums in one step, from and to values of these shapes, either way, and of some more sums."""
    terms = sum(prod(box.lower.shape[1:]) for box in boxes) + prod(result.shape[1:])
    return gamma(terms + more + 8, result.dtype)


def fan_in(op: Operator, boxes: tuple[Box, ...]) -> int:
    """How many products each sum of a linear operator has, at most."""
    if isinstance(op, Conv | Dense):
        return op.weight[0].numel()
    if isinstance(op, Add | Scale):
        return len(boxes)
    return sum(prod(box.lower.shape[1:]) for box in boxes)


def affine(op: Operator, boxes: tuple[Box, ...]) -> Box:
    """``W c + b -+ |W| r`` with c and r the centre and the radius, widened by the rounding of the sums."""
    centre = op.forward(*(box.centre for box in boxes))
    radius = homogeneous(absolute(op)).forward(*(box.radius for box in boxes))
    magnitude = linear_magnitude(op, boxes)
    return Box(centre - radius, centre + radius).widen(gamma(fan_in(op, boxes) + 8, centre.dtype) * magnitude)


def monotone(op: Operator, boxes: tuple[Box, ...]) -> Box:
    """The operator at both ends, for what moves, copies or compares values: exact."""
    return Box(op.forward(*(box.lower for box in boxes)), op.forward(*(box.upper for box in boxes)))


def monotone_rounded(op: Operator, boxes: tuple[Box, ...]) -> Box:
    """The function at both ends, widened by the error of its evaluation."""
    box = monotone(op, boxes)
    return box.widen(2 * FUNCTION_ULPS * unit(box.lower.dtype) * box.size)


TRANSFORMERS: dict[type[Operator], Transformer] = {
    Add: affine,
    Concat: monotone,
    Conv: affine,
    ConvTranspose: affine,
    Dense: affine,
    Gather: monotone,
    LogSumExp: log_sum_exp_range,
    MaxPool: monotone,
    Pad: monotone,
    Product: product_range,
    Relu: monotone_rounded,
    Reshape: monotone,
    Round: round_range,
    Scale: affine,
    Sigmoid: monotone_rounded,
    Tanh: monotone_rounded,
    Transpose: monotone,
    **dict.fromkeys(CURVES, curve_range),
}


def step(op: Operator, boxes: tuple[Box, ...]) -> Box:
    """The box of the operator's result."""
    return TRANSFORMERS[type(op)](op, boxes)


def propagate(graph: Graph, box: Box) -> Box:
    """The box of the outputs (batch, outputs), from the box of the input (batch, *input_shape)."""
    boxes: dict[int, Box] = {0: box}
    for position, node in enumerate(graph.nodes):
        boxes[position + 1] = step(graph.operator(position, box.lower.dtype), tuple(boxes[v] for v in node.inputs))
        for v in set(node.inputs):
            if graph.last_use[v] == position:
                del boxes[v]
    return boxes[graph.output]
