"""The proving steps: bounds on margins from one analysis of a batch of regions, cheapest first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np
import torch

from pyprover.domains.analysis import Check, RegionBounds
from pyprover.domains.base import Box, unit
from pyprover.domains.linear import block_size, lower_bounds
from pyprover.domains.relaxation import Places, Rows
from pyprover.engine.case import Case, Margin, matrix
from pyprover.engine.network import Network
from pyprover.engine.problem import Progress
from pyprover.engine.weights import Ask, combine

Goals = Callable[[Progress], list[list[Case]]]
"""What is worth excluding now: lists of cases; a list is worth something when all of it is excluded."""

_GRADIENT_BYTES = 64 << 20
_BYTES_A_VALUE = 48


def open_goals(progress: Progress) -> list[list[Case]]:
    """For each property without an outcome, the cases that are not excluded yet."""
    return [[c for c in progress.cases[k] if not progress.ledger.excludes(c)] for k in progress.open]


def class_goals(progress: Progress) -> list[list[Case]]:
    """For the full matrix: that a forbidden class wins, each on its own."""
    return [[progress.wins(label)] for label in progress.pending_classes()]


def regions(problems: Sequence[Progress], network: Network) -> Box:
    """Boxes (batch, *input_shape), float64, that contain the regions."""
    boxes = [progress.problem.region.outward() for progress in problems]
    shape = (len(boxes), *network.stored.input_shape)
    lower, upper = (np.stack([box[side] for box in boxes]).reshape(shape) for side in (0, 1))
    return Box(torch.from_numpy(lower), torch.from_numpy(upper))


def exclude(bounds: RegionBounds, batch: Sequence[Progress], goals: Goals, check: Check) -> None:
    """Try to show cases empty: by the margin that is largest at the centre, by any margin, by a combination."""
    attempt = _Attempt(bounds, batch, goals, check)
    with torch.no_grad():
        attempt.bound_margins(lambda progress, case: [_likeliest(progress, case)])
        attempt.bound_margins(lambda _, case: case.margins)
        attempt.combine_margins()


@dataclass(frozen=True, eq=False)
class _Attempt:
    """The use of one analysis; ``done`` holds the margins that were bounded, with the place of their region."""

    bounds: RegionBounds
    batch: Sequence[Progress]
    goals: Goals
    check: Check
    done: set[tuple[int, Margin]] = field(default_factory=set)

    def bound_margins(self, choose: Callable[[Progress, Case], Iterable[Margin]]) -> None:
        """Record lower bounds of the margins chosen for each case."""
        asked: dict[tuple[int, Margin], None] = {}
        for place, progress in enumerate(self.batch):
            cases = [case for goal in self.goals(progress) for case in goal if case.margins]
            asked.update(dict.fromkeys((place, margin) for case in cases for margin in choose(progress, case)))
        fresh = [entry for entry in asked if entry not in self.done]
        graph = self.bounds.linearised.graph
        size = block_size(graph, graph.output)
        for first in range(0, len(fresh), size):
            self.check()
            self._bound_block(fresh[first : first + size])
        self.done.update(fresh)

    def _bound_block(self, asked: Sequence[tuple[int, Margin]]) -> None:
        network = self.bounds.linearised
        coef, constant = matrix([margin for _, margin in asked], network.graph.outputs)
        rows = Rows(Places(torch.tensor([place for place, _ in asked])), coef)
        lower = lower_bounds(network, network.graph.output, rows)
        found = lower + constant - 4 * unit(lower.dtype) * (constant.abs() + lower.abs())
        for (place, margin), bound in zip(asked, found.tolist(), strict=True):
            self.batch[place].ledger.record(self.bounds, [({margin: 1.0}, bound)])

    def combine_margins(self) -> None:
        """Record combinations for cases that no margin alone excludes.

        The worst case of a goal comes first: when it stays, the goal is lost, and the others are not tried.
        """
        graph = self.bounds.linearised.graph
        size = max(1, _GRADIENT_BYTES // (_BYTES_A_VALUE * sum(prod(shape) for shape in graph.shapes)))
        waiting = [(place, self._worst_first(p, goal)) for place, p in enumerate(self.batch) for goal in self.goals(p)]
        waiting = [(place, goal) for place, goal in waiting if goal]
        while waiting:
            for first in range(0, len(waiting), size):
                self.check()
                self._combine_block([(place, goal[0]) for place, goal in waiting[first : first + size]])
            waiting = [
                (place, rest) for place, (tried, *rest) in waiting if rest and self.batch[place].ledger.excludes(tried)
            ]

    def _worst_first(self, progress: Progress, goal: list[Case]) -> list[Case]:
        """The goal's cases in ascending order of their bounds; none when a case has nothing to combine."""
        if any(len(case.margins) < 2 for case in goal):
            return []
        return sorted(goal, key=lambda case: progress.ledger.margin(case) or 0.0)

    def _combine_block(self, asked: Sequence[tuple[int, Case]]) -> None:
        asks = [Ask(case, place, self.batch[place].ledger.best_margin(case)) for place, case in asked]
        for (place, _), found in zip(asked, combine(self.bounds.linearised, asks), strict=True):
            self.batch[place].ledger.record(self.bounds, [(found.weights, found.bound)])


def _likeliest(progress: Progress, case: Case) -> Margin:
    """The case's margin that is largest at the centre of the region."""
    outputs = progress.centre_outputs
    if outputs is None:
        return case.margins[0]

    def at_centre(margin: Margin) -> float:
        return float(margin.constant) + sum(float(weight) * float(outputs[k]) for k, weight in margin.terms)

    return max(case.margins, key=at_centre)
