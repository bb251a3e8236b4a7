"""One analysis of the network over a batch of regions: bounds that all questions about the regions share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from pyprover.domains import interval
from pyprover.domains.base import Box, gamma
from pyprover.domains.interval import linear_magnitude, rounding
from pyprover.domains.linear import RELAXATIONS, UNSTABLE, Linearised, block_size, lower_bounds
from pyprover.domains.relaxation import Relaxation, Rows
from pyprover.graph import Graph
from pyprover.ops import Add, Concat, Conv, Dense, Pad, Reshape, Scale, Transpose

Check = Callable[[], None]
"""Called now and then; raises when time is up."""


@final
@dataclass(frozen=True, eq=False)
class RegionBounds:
    """What holds everywhere in each region of a batch, whatever is asked about it.

    Bounds on forms of the outputs come from a backward pass over ``linearised``: the whole network, or the linear
    operators at its end over the box of their input.
    """

    linearised: Linearised


def interval_bounds(graph: Graph, region: Box, check: Check) -> RegionBounds:
    """Intervals up to the last non-linear operator, over regions (batch, *input_shape)."""
    check()
    head, tail = _cut(graph)
    return _linear_bounds(tail, interval.propagate(head, region), check)


def linear_bounds(graph: Graph, region: Box, check: Check) -> RegionBounds:
    """Backward linear bounds over regions (batch, *input_shape).

    The input of each non-linear operator gets linear bounds, where they can matter, intersected with intervals.
    """
    return _linear_bounds(graph, region, check)


ANALYSES: Mapping[str, Callable[[Graph, Box, Check], RegionBounds]] = {
    "interval": interval_bounds,
    "linear": linear_bounds,
}
"""The domains by name, cheapest first."""


def _cut(graph: Graph) -> tuple[Graph, Graph]:
    """The graph up to its last non-linear operator, and the rest (nothing when that would read earlier values)."""
    at = max((position + 1 for position, node in enumerate(graph.nodes) if not node.op.linear), default=0)
    rest = graph.nodes[at:]
    if any(value < at for node in rest for value in node.inputs):
        at, rest = graph.output, ()
    moved = tuple(replace(node, inputs=tuple(value - at for value in node.inputs)) for node in rest)
    return Graph(graph.input_shape, graph.nodes[:at]), Graph(graph.shapes[at], moved)


def _linear_bounds(graph: Graph, region: Box, check: Check) -> RegionBounds:
    boxes: list[Box] = [region]
    relaxations: dict[int, Relaxation] = {}
    slack: list[Tensor] = []
    flat_gamma = gamma(2 * region.lower[0].numel() + 8, region.lower.dtype)
    network = Linearised(graph, region, relaxations, slack, flat_gamma * region.size.flatten(1).amax(1))
    tight = _tight(graph)
    for position, node in enumerate(graph.nodes):
        if not node.op.linear:
            (source,) = node.inputs
            if source not in tight:
                mask = UNSTABLE[type(node.op)](node.op, boxes[source])
                boxes[source] = _refined(network, source, boxes[source], _Ask(mask, check))
                tight.add(source)
            relaxations[position] = RELAXATIONS[type(node.op)](node.op, boxes[source])
        inputs = tuple(boxes[v] for v in node.inputs)
        result = interval.step(node.op, inputs)
        if node.op.linear:
            magnitude = linear_magnitude(node.op, inputs).flatten(1).amax(1)
        else:
            magnitude = relaxations[position].magnitude
        slack.append(rounding(inputs, result.lower) * magnitude)
        boxes.append(result)
    return RegionBounds(network)


def _tight(graph: Graph) -> set[int]:
    """Values whose interval is already the best: linear bounds cannot improve it.

    An interval is exact after moves and scalings of independent values, and after one mixing operator on top of them.
    """
    independent, exact = {0}, {0}
    for value, node in enumerate(graph.nodes, start=1):
        inputs = set(node.inputs)
        if isinstance(node.op, Scale | Reshape | Transpose | Pad | Concat) and len(inputs) == len(node.inputs):
            independent |= {value} if inputs <= independent and len(inputs) == 1 else set()
            exact |= {value} if inputs <= exact else set()
        elif isinstance(node.op, Dense | Conv | Add) and inputs <= independent and len(inputs) == 1:
            exact.add(value)
    return exact


@dataclass(frozen=True, eq=False)
class _Ask:
    """Which values of a batch to bound, (batch, *shape), and the check between blocks."""

    mask: Tensor
    check: Check


def _refined(network: Linearised, value: int, box: Box, ask: _Ask) -> Box:
    """The box of a value with linear bounds where the mask says, and where they are better."""
    lower, upper = box.lower.flatten(1).clone(), box.upper.flatten(1).clone()
    for sample, neuron in _one_hot_blocks(block_size(network.graph, value) // 2, ask.mask.flatten(1)):
        ask.check()
        count = len(sample)
        coef = torch.zeros(2 * count, lower.shape[1], dtype=lower.dtype)
        index = torch.arange(count)
        coef[index, neuron] = 1
        coef[index + count, neuron] = -1
        both = torch.cat([sample, sample])
        rows = Rows(both, coef.reshape(-1, *box.lower.shape[1:]), single=bool(sample[0] == sample[-1]))
        bound = lower_bounds(network, value, rows)
        lower[sample, neuron] = torch.maximum(lower[sample, neuron], bound[:count])
        upper[sample, neuron] = torch.minimum(upper[sample, neuron], -bound[count:])
    return Box(lower.reshape(box.lower.shape), upper.reshape(box.upper.shape))


def _one_hot_blocks(size: int, mask: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Samples and neurons where the mask (batch, neurons) is true, in blocks of a size at most.

    A sample with many rows has blocks of its own, so that its relaxation need not be copied for each row.
    """
    sample, neuron = mask.nonzero(as_tuple=True)
    if len(sample) > 4 * len(mask):
        ends = torch.cumsum(mask.sum(1), 0).tolist()
        starts = [0, *ends[:-1]]
    else:
        starts, ends = [0], [len(sample)]
    for start, end in zip(starts, ends, strict=True):
        for first in range(start, end, size):
            last = min(first + size, end)
            yield sample[first:last], neuron[first:last]
