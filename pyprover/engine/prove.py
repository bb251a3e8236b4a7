"""The proving steps: bounds on margins from one analysis of a batch of regions, cheapest first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from pyprover.domains.analysis import Check, RegionBounds
from pyprover.domains.base import Box, unit
from pyprover.domains.linear import block_size, lower_bounds
from pyprover.domains.relaxation import Rows
from pyprover.engine.case import Case, Margin, matrix
from pyprover.engine.network import Network
from pyprover.engine.problem import Progress
from pyprover.engine.weights import Ask, combine

Cases = Callable[[Progress], list[Case]]
"""The cases of a problem that are worth excluding now."""

_CASES_AT_ONCE = 64


def open_cases(progress: Progress, *, unless_noted: bool = False) -> list[Case]:
    """The cases of properties without an outcome; those of properties that only touch a failure may be left out."""
    chosen = [k for k in progress.open if not (unless_noted and progress.notes[k])]
    return [case for k in chosen for case in progress.cases[k] if not progress.ledger.excludes(case)]


def class_cases(progress: Progress) -> list[Case]:
    """For the full matrix: that a forbidden class wins."""
    return [progress.wins(label) for label in progress.pending_classes()]


def regions(problems: Sequence[Progress], network: Network) -> Box:
    """Boxes (batch, *input_shape), float64, that contain the regions."""
    boxes = [progress.problem.region.outward() for progress in problems]
    shape = (len(boxes), *network.graph.input_shape)
    lower, upper = (np.stack([box[side] for box in boxes]).reshape(shape) for side in (0, 1))
    return Box(torch.from_numpy(lower), torch.from_numpy(upper))


def exclude(bounds: RegionBounds, batch: Sequence[Progress], cases: Cases, check: Check) -> None:
    """Try to show cases empty: by the margin that is largest at the centre, by any margin, by a combination."""
    with torch.no_grad():
        _bound_margins(bounds, batch, lambda p: [_likeliest(p, c) for c in cases(p) if c.margins], check)
        _bound_margins(bounds, batch, lambda p: [m for c in cases(p) for m in c.margins], check)
        _combine(bounds, batch, cases, check)


def _likeliest(progress: Progress, case: Case) -> Margin:
    outputs = progress.centre_outputs
    if outputs is None:
        return case.margins[0]

    def at_centre(margin: Margin) -> float:
        return float(margin.constant) + sum(float(weight) * float(outputs[k]) for k, weight in margin.terms)

    return max(case.margins, key=at_centre)


def _bound_margins(
    bounds: RegionBounds, batch: Sequence[Progress], margins: Callable[[Progress], list[Margin]], check: Check
) -> None:
    """Record the lower bounds of margins that have none from this analysis yet."""
    network = bounds.linearised
    dtype = network.input.lower.dtype
    asked = [(k, m) for k, progress in enumerate(batch) for m in dict.fromkeys(margins(progress))]
    size = block_size(network.graph, network.graph.output)
    for first in range(0, len(asked), size):
        check()
        block = asked[first : first + size]
        coef, constant = matrix([margin for _, margin in block], network.graph.outputs)
        sample = torch.tensor([k for k, _ in block])
        rows = Rows(sample, coef, single=bool(sample[0] == sample[-1]))
        lower = lower_bounds(network, network.graph.output, rows)
        found = (lower + constant - 4 * unit(dtype) * (constant.abs() + lower.abs())).tolist()
        for (k, margin), bound in zip(block, found, strict=True):
            batch[k].ledger.record(bounds, [({margin: 1.0}, bound)])


def _combine(bounds: RegionBounds, batch: Sequence[Progress], cases: Cases, check: Check) -> None:
    """Record combinations for cases that no single margin excludes."""
    asked = [(k, case) for k, progress in enumerate(batch) for case in cases(progress) if len(case.margins) > 1]
    for first in range(0, len(asked), _CASES_AT_ONCE):
        check()
        block = asked[first : first + _CASES_AT_ONCE]
        asks = [Ask(case, k, batch[k].ledger.best_margin(case)) for k, case in block]
        for (k, _), found in zip(block, combine(bounds.linearised, asks), strict=True):
            batch[k].ledger.record(bounds, [(found.weights, found.bound)])
