"""Boxes tightened by search: each end of a neuron's interval is bounded over the leaves of a tree of its own.

The trees split ReLUs before the neuron, whose boxes were tightened first; an end is the least bound of its leaves. To
tighten all intervals, layer by layer, with more than a relaxation is what Tjeng, Xiao and Tedrake do with
mixed-integer programs (*Evaluating robustness of neural networks with mixed integer programming*, arXiv 1711.07356);
here leaves have the bounds of beta-CROWN (`pyprover.domains.branching`), and trees end when they have cost enough. The
boxes hold in the whole region, so that all that is asked about it shares them.
"""

from __future__ import annotations

from math import inf

import torch
from torch import Tensor

from pyprover.domains.analysis import RegionBounds
from pyprover.domains.base import Box
from pyprover.domains.branching import Branching
from pyprover.domains.linear import Linearised, block_size
from pyprover.domains.optimised import Spare, through
from pyprover.engine.ascent import Ascent, SubProblems, halves, joined
from pyprover.engine.case import Forms
from pyprover.engine.waiting import Waiting
from pyprover.graph import Graph
from pyprover.ops import Relu

_FIRST_STEPS = 20
_STEPS = 8

_MOST_ROWS = 512
_BLOCKS_AT_ONCE = 4
"""Sub-problems bounded at once, in blocks of the analysis: float32, and little of their memory is the widest value."""

_LEAST_GAIN = 0.01
"""Boxes whose widths shrink by less than this part, all together, are not worth what they cost."""


def searchable(graph: Graph) -> bool:
    """Whether a search may pay: there are ReLUs, and maps of neurons nowhere.

    Behind convolutions only the last layers could be tightened: 4 % in 4 seconds for one of 33 neurons (oval21, base).
    """
    curved = [node for node in graph.nodes if not node.op.linear]
    return any(isinstance(node.op, Relu) for node in curved) and all(len(node.shape) == 1 for node in curved)


def search_boxes(bounds: RegionBounds, graph32: Graph, rounds: int, spare: Spare) -> RegionBounds | None:
    """Bounds on one region (a batch of one) whose boxes are never looser, or ``None`` where little is gained.

    Each tree grows for so many rounds; rounds that go on from the boxes of fewer cost less than those from none.
    ``graph32`` is the graph in float32. Only boxes of flat values are tightened.
    """
    before = after = 0.0

    def improved(network: Linearised, value: int, box: Box, unstable: Tensor) -> Box:
        nonlocal before, after
        if len(network.graph.shapes[value]) > 1 or not spare():
            return box
        branching = Branching(_up_to(network, value), 0, Graph(graph32.input_shape, graph32.nodes[:value]))
        if branching.neurons == 0 or not bool(unstable.any()):
            return box
        found = _narrowed(branching, box, unstable, rounds, spare)
        before += float((box.upper - box.lower)[unstable].sum())
        after += float((found.upper - found.lower)[unstable].sum())
        return found

    with torch.no_grad():
        found = RegionBounds(through(bounds.linearised, improved))
    return found if after < (1 - _LEAST_GAIN) * before else None


def _up_to(network: Linearised, value: int) -> RegionBounds:
    """What is known of the network that ends with a value."""
    graph = Graph(network.graph.input_shape, network.graph.nodes[:value])
    lines = {position: lines for position, lines in network.relaxations.items() if position < value}
    return RegionBounds(Linearised(graph, network.input, lines, network.slack[:value], network.input_slack))


def _narrowed(branching: Branching, box: Box, unstable: Tensor, rounds: int, spare: Spare) -> Box:
    """The box (1, neurons) of the outputs of what is branched, tightened where they are unstable."""
    graph = branching.bounds.linearised.graph
    rows = min(_MOST_ROWS, _BLOCKS_AT_ONCE * block_size(graph, graph.output))
    lower, upper = box.lower.flatten().clone(), box.upper.flatten().clone()
    for neurons in torch.split(unstable.flatten().nonzero().flatten(), rows // 4):
        if spare():
            trees = _Trees(branching, neurons, rows)
            trees.grow(rounds, spare)
            below, above = trees.ends().chunk(2)
            lower[neurons] = torch.maximum(lower[neurons], below)
            upper[neurons] = torch.minimum(upper[neurons], -above)
    return Box(lower.reshape(box.lower.shape), upper.reshape(box.upper.shape))


class _Trees:
    """The trees of some neurons, two each: first those of the lower ends, then those of the upper ends, negated.

    What waits is split further. ``least`` (ends,): the least float64 bound of the leaves that do not.
    """

    def __init__(self, branching: Branching, neurons: Tensor, rows: int) -> None:
        count = len(neurons)
        weights = torch.zeros(2 * count, 1, branching.bounds.linearised.graph.outputs, dtype=torch.float64)
        weights[torch.arange(count), 0, neurons] = 1.0
        weights[torch.arange(count, 2 * count), 0, neurons] = -1.0
        constants = torch.zeros(2 * count, 1, dtype=torch.float64)
        self.ascent = Ascent(branching, Forms(weights, constants, torch.ones_like(constants, dtype=torch.bool)))
        self.least = torch.full((2 * count,), inf, dtype=torch.float64)
        self.waiting = Waiting()
        self.rows = rows
        self._bound(joined([self.ascent.root(end, 0) for end in range(2 * count)]), _FIRST_STEPS)

    def grow(self, rounds: int, spare: Spare) -> None:
        """Split the worst leaves of each end, but for neurons that one end shows to be stable."""
        for _ in range(rounds):
            ends = self._unsettled()
            count = int(ends.sum())
            if not count or self.waiting.full or not spare():
                break
            self._bound(halves(*self.waiting.take_each(ends, max(1, self.rows // (2 * count)))), _STEPS)

    def ends(self) -> Tensor:
        """A lower bound of each end (ends,), rounding included. Nothing waits after that."""
        everything = torch.ones_like(self.least, dtype=torch.bool)
        while len(self.waiting):
            leaves, _ = self.waiting.take(everything, self.rows)
            self._settle(leaves, self.ascent.conclude(leaves))
        return self.least

    def _unsettled(self) -> Tensor:
        """Ends that splits may move, of neurons that may be unstable: mask (ends,)."""
        waiting = torch.zeros_like(self.least, dtype=torch.bool)
        waiting[list(self.waiting.cases())] = True
        stable = (~waiting & (self.least > 0)).reshape(2, -1).any(0)
        return waiting & ~stable.repeat(2)

    def _bound(self, some: SubProblems, steps: int) -> None:
        """Bound sub-problems; those that are positive, or have nothing left to hold, are leaves for good."""
        found, last = self.ascent.climb(some, steps, 0.0)
        free = found.phase == 0
        last_ones = ~free.any(1)
        bound = torch.full((len(found),), -inf, dtype=torch.float64)
        concluded = last_ones | (found.bound > 0)
        if bool(concluded.any()):
            bound[concluded] = self.ascent.conclude(found.only(concluded))
        done = last_ones | (bound > 0)
        self._settle(found.only(done), bound[done])
        if not bool(done.all()):
            self.waiting.put(found.only(~done), torch.where(free, last.cost, inf)[~done].argmin(1))

    def _settle(self, leaves: SubProblems, bound: Tensor) -> None:
        self.least.scatter_reduce_(0, leaves.case, bound, "amin")
