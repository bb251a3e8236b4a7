"""One analysis of the network over a batch of regions: bounds that all questions about the regions share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import final

import torch
from torch import Tensor

from pyprover.domains import interval
from pyprover.domains.affine_image import linearised
from pyprover.domains.base import TINY, Box, gamma
from pyprover.domains.companion import Alone, Companion
from pyprover.domains.constrained import ConstrainedZonotopes
from pyprover.domains.interval import linear_magnitude, rounding
from pyprover.domains.linear import RELAXATIONS, UNSTABLE, Linearised
from pyprover.domains.noise.base import TooLargeError
from pyprover.domains.planned import Planned, regions_at_once
from pyprover.domains.products import Zonotopes, meet, with_intervals
from pyprover.domains.refined import refined
from pyprover.domains.relaxation import Relaxation
from pyprover.domains.zonotope import Zonotope
from pyprover.graph import Graph, Operator
from pyprover.ops import Add, Concat, Conv, Dense, Pad, Reshape, Scale, Transpose
from pyprover.verdict import NoiseUse

Check = Callable[[], None]
"""Called now and then; raises when time is up."""

ALONE = Alone()


@final
@dataclass(frozen=True, eq=False)
class RegionBounds:
    """What holds everywhere in each region of a batch, whatever is asked about it."""

    linearised: Linearised


@final
@dataclass(frozen=True, eq=False)
class PartBounds:
    """What holds in parts of regions: conditional bounds, which no other question may use."""

    linearised: Linearised


def bound_regions(domain: str, graph: Graph, regions: Box, check: Check) -> RegionBounds:
    """The analysis of whole regions (batch, *input_shape) in a domain of ``ANALYSES``."""
    return RegionBounds(ANALYSES[domain](graph, regions, check))


def bound_parts(graph: Graph, parts: Box, check: Check, companion: Companion = ALONE) -> PartBounds:
    """The linear analysis of parts of regions (batch, *input_shape)."""
    return PartBounds(linear_bounds(graph, parts, check, companion))


def interval_bounds(graph: Graph, region: Box, check: Check) -> Linearised:
    """Intervals up to the last non-linear operator; what is linear after it, over the box of its input."""
    check()
    head, tail = _cut(graph)
    return linear_bounds(tail, interval.propagate(head, region), check)


def _cut(graph: Graph) -> tuple[Graph, Graph]:
    """The graph up to its last non-linear operator, and the rest (nothing when that would read earlier values)."""
    at = max((position + 1 for position, node in enumerate(graph.nodes) if not node.op.linear), default=0)
    rest = graph.nodes[at:]
    if any(value < at for node in rest for value in node.inputs):
        at, rest = graph.output, ()
    moved = tuple(replace(node, inputs=tuple(value - at for value in node.inputs)) for node in rest)
    return Graph(graph.input_shape, graph.nodes[:at]), Graph(graph.shapes[at], moved)


def linear_bounds(graph: Graph, region: Box, check: Check, companion: Companion = ALONE) -> Linearised:
    """The network with its relaxations over regions (batch, *input_shape).

    The input of each non-linear operator gets linear bounds, where they can matter, intersected with intervals, and
    with what a companion knows.
    """
    boxes: list[Box] = [region]
    relaxations: dict[int, Relaxation] = {}
    slack: list[Tensor | None] = []
    flat_gamma = gamma(2 * region.lower[0].numel() + 8, region.lower.dtype)
    network = Linearised(graph, region, relaxations, slack, flat_gamma * (region.size.flatten(1).amax(1) + TINY))
    tight = _tight(graph)
    for position, node in enumerate(graph.nodes):
        if not node.op.linear:
            (source,) = node.inputs
            if source not in tight:
                boxes[source] = companion.tighten(source, boxes[source])
                unstable = partial(UNSTABLE[type(node.op)], node.op)
                boxes[source] = refined(network, source, boxes[source], unstable, check)
                tight.add(source)
            companion.learn(source, boxes[source])
            relaxations[position] = RELAXATIONS[type(node.op)](node.op, boxes[source])
        inputs = tuple(boxes[v] for v in node.inputs)
        result = interval.step(node.op, inputs)
        magnitude = _magnitude(node.op, inputs, relaxations.get(position))
        slack.append(None if magnitude is None else rounding(inputs, result.lower, graph.output) * magnitude)
        boxes.append(result)
    return network


def zonotope_bounds(graph: Graph, region: Box, check: Check) -> Linearised:
    """Zonotopes up to the outputs; ``TooLargeError`` when one region alone needs too much memory."""
    size = regions_at_once(graph, region)
    parts = zip(torch.split(region.lower, size), torch.split(region.upper, size), strict=True)
    found = [part for lower, upper in parts for part in _zonotopes(graph, Box(lower, upper), check)]
    return replace(
        linearised([value for value, _ in found]), noise=tuple(use for value, use in found for _ in value.centre)
    )


def _zonotopes(graph: Graph, region: Box, check: Check) -> list[tuple[Zonotope, NoiseUse]]:
    """The outputs over regions together, or over each alone when they do not fit, and how their noise was kept."""
    planned = Planned(graph, region, check)
    try:
        return [(planned.value(graph.output), planned.use())]
    except TooLargeError:
        if len(region.lower) == 1:
            raise
    parts = zip(torch.split(region.lower, 1), torch.split(region.upper, 1), strict=True)
    return [found for lower, upper in parts for found in _zonotopes(graph, Box(lower, upper), check)]


def constrained_bounds(graph: Graph, region: Box, check: Check) -> Linearised:
    """Constrained zonotopes up to the outputs; ``TooLargeError`` when the regions together need too much memory."""
    return with_intervals(graph, region, ConstrainedZonotopes(graph, region, check))


def product_bounds(
    domain: Callable[[Graph, Box, Check], Companion], graph: Graph, region: Box, check: Check
) -> Linearised:
    """Another domain together with linear bounds; ``TooLargeError`` when the other needs too much memory."""
    companion = domain(graph, region, check)
    return meet([linear_bounds(graph, region, check, companion), *companion.finish()])


ANALYSES: Mapping[str, Callable[[Graph, Box, Check], Linearised]] = {
    "interval": interval_bounds,
    "linear": linear_bounds,
    "zonotope": zonotope_bounds,
    "constrained_zonotope": constrained_bounds,
    "zonotope+linear": partial(product_bounds, Zonotopes),
    "constrained_zonotope+linear": partial(product_bounds, ConstrainedZonotopes),
}
"""The domains by name (`names.py`). Bounds on forms of the outputs come from a backward pass over what they give."""

FORWARD = frozenset({"zonotope"})
"""The domains that take one operator at a time, so that a network as it is stored will do (`Graph.operator`)."""

CASCADE = ("interval", "linear")
"""The domains that are tried when none is asked for, cheapest first.

Zonotopes are not among them: on the examples they add nothing at more than twenty times the cost (`bench/domains.py`).
"""


def _magnitude(op: Operator, inputs: tuple[Box, ...], relaxation: Relaxation | None) -> Tensor | None:
    """The scale (batch,) of what is added up in rewriting one unit of a form; ``None`` where values only move.

    A concatenation adds up the forms over a value that it holds twice.
    """
    if isinstance(op, Reshape | Transpose | Pad):
        return None
    return linear_magnitude(op, inputs).flatten(1).amax(1) if relaxation is None else relaxation.magnitude


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
