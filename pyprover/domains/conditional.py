"""Linear bounds that hold only where a case does: each may lean on the margins of the case, none of which is positive.

Kotha et al., *Provably bounding neural network preimages*, arXiv 2302.01404 (INVPROP): for every gamma >= 0, the least
of a neuron z where all margins m are at most 0 is at least the least of ``z + gamma . m`` over the region. The
multipliers ascend together with the lines. Ends that cross show that the case holds nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from typing_extensions import override

from pyprover.domains.analysis import PartBounds, RegionBounds
from pyprover.domains.base import Box, unit
from pyprover.domains.linear import Linearised, block_size
from pyprover.domains.optimised import Sides, Spare, Tunable, through, tightened
from pyprover.graph import Graph, Node
from pyprover.ops import Concat

_RATE = 0.1
_REACH = 2.0
"""The multiplier 1 stands for so many widths of the neuron, divided by how far the margins can fall below 0."""


@dataclass(frozen=True, eq=False)
class Condition:
    """Margins ``weights @ outputs + constants`` that are at most 0: (margins, outputs) and (margins,).

    ``depth``: how far below 0 the largest of them may be, as far as is known.
    """

    weights: Tensor
    constants: Tensor
    depth: float


@dataclass(frozen=True, eq=False)
class _SidesWhere(Sides):
    """Forms over the outputs followed by a value; the last parameters are multipliers, in units of ``scale`` (rows,).

    ``slack`` is the network's ``output_slack``, which pays for the rounding of the margins' sums.
    """

    condition: Condition
    scale: Tensor
    slack: Tensor

    @override
    def start(self) -> Tensor:
        return torch.cat([super().start(), torch.zeros(len(self.condition.weights))])

    @override
    def rates(self) -> Tensor:
        return torch.cat([super().rates(), torch.full((len(self.condition.weights),), _RATE)])

    @override
    def bounds(self, rows: Tensor, parameters: Tensor) -> Tensor:
        weights, constants = (v.to(parameters.dtype) for v in (self.condition.weights, self.condition.constants))
        margins, outputs = weights.shape
        tunable = self.exact if parameters.dtype == torch.float64 else self.rough
        gamma = parameters[:, -margins:] * self.scale[rows, None].to(parameters.dtype)
        own = self.coef[rows].to(parameters.dtype)
        coef = torch.cat([gamma @ weights, own], 1)
        bound = tunable.bounds(self.value, coef, parameters[:, :-margins]) + gamma @ constants
        share = max(1.0, (margins + 2) / (outputs + 8))
        sums = share * self.slack.to(parameters.dtype) * (gamma @ weights.abs().sum(1))
        return bound - sums - 2 * (margins + 2) * unit(parameters.dtype) * (gamma @ constants.abs())


def tighten_where(bounds: RegionBounds | PartBounds, condition: Condition, spare: Spare) -> PartBounds | None:
    """Bounds on the part of one region (a batch of one) where the condition holds; ``None`` when there is none.

    Only boxes of flat values are tightened: on the maps of convolutions it took most of the time for nearly nothing.
    """
    network = bounds.linearised
    empty = False

    def improved(network: Linearised, value: int, box: Box, unstable: Tensor) -> Box:
        nonlocal empty
        if empty or len(network.graph.shapes[value]) > 1 or not spare():
            return box
        seen = _with_value(network, value)
        exact = Tunable.of(seen)
        rough, size = exact.rough(), block_size(seen.graph, seen.graph.output)
        width = (box.upper - box.lower).flatten()

        def sides_of(coef: Tensor) -> Sides:
            scale = _REACH / condition.depth * coef.abs() @ width
            return _SidesWhere(exact, rough, seen.graph.output, coef, condition, scale, network.output_slack)

        found = tightened(sides_of, box, unstable, size, spare)
        empty = bool((found.lower > found.upper).any())
        return box if empty else found

    tight = through(network, improved)
    return None if empty else PartBounds(tight)


def _with_value(network: Linearised, value: int) -> Linearised:
    """The network with a flat value after its outputs."""
    graph = network.graph
    (size,) = graph.shapes[value]
    both = Node(Concat(0), (graph.output, value), (graph.outputs + size,), "")
    return replace(network, graph=Graph(graph.input_shape, (*graph.nodes, both)), slack=[*network.slack, None])
