"""By how much an evaluation in float32 can differ from the network over the reals, anywhere in a region.

Forward error analysis (Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd edition, chapter 3). Let x be the
values of the network over the reals at a float32 point, and x' those that a runtime computes. An operator gives
``x'_out = f(x'_in) + e``: a sum of n products, in any order, with or without fused multiply-add, has ``|e| <= gamma(n)
(|W| |x'_in| + |b|)``, with gamma for float32. The difference at the outputs is ``sum_k J_k e_k`` over all operators k,
where J_k is a product of matrices and of secant slopes between x and x'. A row of it is bounded from the outputs
backward as an interval, centre and radius: the slope of a stable ReLU is known, of others it is between its two slopes.
Where only ranges matter, ``|x' - x|`` is bounded forward (``drift``), by absolute values alone.

What is assumed of the runtime: no transform of Winograd or Strassen; constants may be multiplied together beforehand,
and a division may be a product with the inverse (``_SPARE``); ``sigmoid`` and ``tanh`` are right within ``_FUNCTION``,
which is three times what ONNX Runtime was seen to do; subnormal results may be flushed to zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pyprover.domains import interval
from pyprover.domains.activations import BoxedLines, slope_range
from pyprover.domains.base import Box, gamma, unit
from pyprover.domains.interval import absolute, counted, homogeneous
from pyprover.domains.linear import Linearised
from pyprover.graph import Graph, Node, Operator
from pyprover.ops import OPERATORS, Clip, Concat, Gather, MaxPool, Pad, PRelu, Relu, Reshape, Sigmoid, Tanh, Transpose

_SPARE = 4
_FUNCTION = 16 * unit(torch.float32)
_FLUSHED = torch.finfo(torch.float32).tiny
_MOST = torch.finfo(torch.float32).max / 2
_AT_ONCE = 64  # rows, so that memory stays flat
_OWN = 1 + 1e-9
"""Covers the rounding of the analysis itself: its sums are of terms that are not negative."""

_MOVES = (Concat, Gather, Pad, Reshape, Transpose)

Slopes = Callable[[Any, Box], tuple[Tensor, Tensor]]
"""(operator, box) -> the least and the greatest slope of a secant between two points of the box."""


def _relu_slopes(op: Relu, box: Box) -> tuple[Tensor, Tensor]:
    one = torch.ones_like(box.lower)
    return torch.where(box.lower >= 0, one, op.slope), torch.where(box.upper <= 0, op.slope, one)


def _prelu_slopes(op: PRelu, box: Box) -> tuple[Tensor, Tensor]:
    one = torch.ones_like(box.lower)
    below = torch.where(box.lower >= 0, one, op.slope)
    above = torch.where(box.upper <= 0, op.slope, one)
    return torch.minimum(below, above), torch.maximum(below, above)


def _clip_slopes(op: Clip, box: Box) -> tuple[Tensor, Tensor]:
    inside, outside = (box.lower >= op.low) & (box.upper <= op.high), (box.upper <= op.low) | (box.lower >= op.high)
    return inside.to(box.lower.dtype), (~outside).to(box.lower.dtype)


_SLOPES: Mapping[type[Operator], Slopes] = {
    Clip: _clip_slopes,
    PRelu: _prelu_slopes,
    Relu: _relu_slopes,
    Sigmoid: slope_range,
    Tanh: slope_range,
}

SUPPORTED: tuple[type[Operator], ...] = (*(op for op in OPERATORS if op.linear), MaxPool, *_SLOPES)
"""The operators whose evaluation in float32 has a bound here."""


@dataclass(frozen=True, eq=False)
class _Step:
    """What a node adds: ``own`` (batch, *shape), the error of its evaluation, ``None`` when it has none.

    ``slopes`` (batch, *shape) of its secants, for what is applied value by value. After a maximum ``own`` holds the
    drift of its input as well.
    """

    own: Tensor | None
    slopes: tuple[Tensor, Tensor] | None = None


def evaluation_error(network: Linearised, check: Callable[[], None]) -> Tensor:
    """For each region, the most by which float32 outputs differ from the network's: (batch, outputs), or infinity.

    ``network`` is the linear analysis of the regions; its operators must be ``SUPPORTED``.
    """
    with torch.no_grad():
        steps = _forward(network)
        one = torch.eye(network.graph.outputs, dtype=torch.float64)
        rows = [
            torch.cat([_backward(network.graph, steps, region, part, check) for part in torch.split(one, _AT_ONCE)])
            for region in range(len(network.input.lower))
        ]
        return torch.stack(rows)


def _forward(network: Linearised) -> list[_Step]:
    graph = network.graph
    boxes, drift, steps = [network.input], [torch.zeros_like(network.input.lower)], []
    for position, node in enumerate(graph.nodes):
        relaxation = network.relaxations.get(position)
        if isinstance(relaxation, BoxedLines):
            boxes[node.inputs[0]] = relaxation.box
        inputs = tuple(boxes[v] for v in node.inputs)
        moved = tuple(drift[v] for v in node.inputs)
        reach = tuple(Box(box.lower - d, box.upper + d) for box, d in zip(inputs, moved, strict=True))
        step, after = _step(node, reach, moved)
        steps.append(step)
        drift.append(after)
        boxes.append(interval.step(node.op, inputs))
    return steps


def _step(node: Node, reach: tuple[Box, ...], drift: tuple[Tensor, ...]) -> tuple[_Step, Tensor]:
    """A node's step, and the drift of its result."""
    op = node.op
    if isinstance(op, _MOVES):
        return _Step(None), op.forward(*drift)
    if op.linear:
        own = _sum_error(op, reach)
        return _Step(own), homogeneous(absolute(op)).forward(*drift) * _OWN + own
    if isinstance(op, MaxPool):
        moved = op.forward(*drift)
        return _Step(moved), moved
    low, high = _SLOPES[type(op)](op, reach[0])
    steepest = torch.maximum(low.abs(), high.abs())
    own = _function_error(op, reach[0])
    return _Step(own, (low, high)), (steepest * drift[0] + own) * _OWN


def _function_error(op: Operator, reach: Box) -> Tensor:
    """The error of a function's own evaluation; comparisons are exact, a slope below 0 is a product."""
    if isinstance(op, Sigmoid | Tanh):
        return torch.full_like(reach.lower, _FUNCTION)
    slope = op.slope if isinstance(op, Relu | PRelu) else 0.0
    below = torch.where(reach.lower < 0, slope * reach.size, 0.0).abs()
    return gamma(_SPARE, torch.float32) * below + _FLUSHED * (below > 0)


def _sum_error(op: Operator, reach: tuple[Box, ...]) -> Tensor:
    """``gamma(n) (|W| |x| + |b|)``, (batch, *shape), n being the terms of each sum."""
    size = absolute(op).forward(*(box.size for box in reach))
    terms = counted(op).forward(*(torch.ones_like(box.lower[:1]) for box in reach))
    product = (terms + _SPARE) * unit(torch.float32)
    relative = torch.where(product < 0.5, product / (1 - product), torch.inf)
    error = (relative * size + terms * _FLUSHED) * _OWN
    return torch.where(size < _MOST, error, torch.inf).nan_to_num(nan=torch.inf, posinf=torch.inf)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Rows that lie within ``radius`` of ``centre``; both (rows, *shape)."""

    centre: Tensor
    radius: Tensor

    def plus(self, other: _Rows | None) -> _Rows:
        """The sum."""
        return self if other is None else _Rows(self.centre + other.centre, self.radius + other.radius)

    def scaled(self, low: Tensor, high: Tensor) -> _Rows:
        """Times numbers between two others (*shape)."""
        ends = self.centre - self.radius, self.centre + self.radius
        products = torch.stack([end * slope for end in ends for slope in (low, high)])
        least, most = products.amin(0), products.amax(0)
        return _Rows((least + most) / 2, (most - least) / 2)


def _backward(graph: Graph, steps: list[_Step], region: int, coef: Tensor, check: Callable[[], None]) -> Tensor:
    """The sum of what each step adds to forms over the outputs (rows, outputs): (rows,)."""
    pending = {graph.output: _Rows(coef, torch.zeros_like(coef))}
    total = torch.zeros(len(coef), dtype=torch.float64)
    for position in range(graph.output - 1, -1, -1):
        check()
        node, step = graph.nodes[position], steps[position]
        rows = pending.pop(position + 1, None)
        if rows is None:
            continue
        if step.own is not None:
            total = total + ((rows.centre.abs() + rows.radius) * step.own[region]).flatten(1).sum(1)
        if isinstance(node.op, MaxPool):
            continue
        if step.slopes is not None:
            before = [rows.scaled(*(slope[region] for slope in step.slopes))]
        else:
            before = _adjoint(graph, node, rows)
        for source, part in zip(node.inputs, before, strict=True):
            pending[source] = part.plus(pending.get(source))
    return (total * _OWN).nan_to_num(nan=torch.inf, posinf=torch.inf)


def _adjoint(graph: Graph, node: Node, rows: _Rows) -> list[_Rows]:
    """Rows over the inputs of a linear node, the rounding of their own sums in the radius."""
    count = len(rows.centre)
    shapes = [graph.shapes[v] for v in node.inputs]
    terms = rows.centre[0].numel() + sum(torch.Size(shape).numel() for shape in shapes) + len(graph.nodes) + 8
    spread = rows.radius + gamma(terms, torch.float64) * rows.centre.abs()

    def back(op: Operator, coef: Tensor) -> tuple[Tensor, ...]:
        with torch.enable_grad():
            inputs = [torch.zeros(count, *shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
            return torch.autograd.grad(op.forward(*inputs), inputs, coef.reshape(count, *node.shape))

    return [
        _Rows(centre, radius * _OWN)
        for centre, radius in zip(back(node.op, rows.centre), back(absolute(node.op), spread), strict=True)
    ]
