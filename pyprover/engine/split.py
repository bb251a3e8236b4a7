"""Bisection of the input: what linear bounds leave open on a region, they may decide on its parts.

For few features only. Parts are boxes, halved along the feature without which the open bounds would be best, to first
order: the coefficient in the bound times the radius (the smears of Wang et al., *Formal security analysis of neural
networks using symbolic intervals*, arXiv 1804.10829) and what the lines around ReLUs cost, in proportion to the part
of their intervals that the feature makes up. Bounds on a part hold there and nowhere else; a case is excluded once it
is on every part of a cover of the region.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import isfinite, prod

import numpy as np
import torch
from torch import Tensor

from pyprover.domains.analysis import Check, PartBounds
from pyprover.domains.base import Box, unit
from pyprover.domains.linear import lower_bounds
from pyprover.domains.parts import Known, analyse_parts
from pyprover.domains.relaxation import Places, Rows
from pyprover.engine.case import Case, Forms
from pyprover.engine.ledger import Cover
from pyprover.engine.network import Network
from pyprover.engine.part_ascent import ascend
from pyprover.engine.problem import Progress
from pyprover.engine.refute import Refuter

MOST_FEATURES = 16
"""Regions with more free features are not bisected: halving one of so many changes too little."""

_PARTS_AT_ONCE = 256
_ROWS_BYTES = 128 << 20
_BYTES_A_VALUE = 200
"""Memory that parts, or rows of an ascent, may take together, and what one takes for each value of the network."""

_CANDIDATES_AT_ONCE = 2

_MOST_INHERITED = 4096
"""Neurons of networks whose parts inherit boxes: those of more would fill the memory while parts wait."""

Wanted = Callable[[Progress], list[Case]]


def few_features(progress: Progress) -> bool:
    """Whether the region has few enough free features to be bisected."""
    lower, upper = progress.problem.region.outward()
    return int((lower < upper).sum()) <= MOST_FEATURES


def split(progress: Progress, wanted: Wanted, refuter: Refuter, check: Check) -> None:
    """Bisect until each wanted case is excluded or no longer wanted; ``check`` raises to end it before."""
    bisection = _Bisection(refuter.network, progress, tuple(wanted(progress)))
    while bisection.parts:
        check()
        parts = bisection.take()
        bounded = bisection.bound(parts, check)
        parts = bisection.settle(bounded)
        bisection.refute(parts, bounded.form, refuter)
        alive = set(wanted(progress))
        bisection.halve(parts.only(torch.tensor([case in alive for case in bisection.cases])), bounded.moves)
    bisection.cover(set(wanted(progress)))


@dataclass(frozen=True, eq=False)
class Parts:
    """Boxes (parts, features), float64, the cases that are open on each, (parts, cases), and what is known inside."""

    lower: Tensor
    upper: Tensor
    todo: Tensor
    known: Known

    def __len__(self) -> int:
        return len(self.lower)

    def only(self, cases: Tensor) -> Parts:
        """With the other cases closed."""
        return replace(self, todo=self.todo & cases)

    def rows(self, rows: Tensor | slice) -> Parts:
        """Some of the parts."""
        known = {value: Box(box.lower[rows], box.upper[rows]) for value, box in self.known.items()}
        return Parts(self.lower[rows], self.upper[rows], self.todo[rows], known)


def _joined(parts: Sequence[Parts]) -> Parts:
    """All of several, of which the same is known."""
    known = {
        value: Box(torch.cat([p.known[value].lower for p in parts]), torch.cat([p.known[value].upper for p in parts]))
        for value in parts[0].known
    }
    lower, upper, todo = (torch.cat([getattr(p, name) for p in parts]) for name in ("lower", "upper", "todo"))
    return Parts(lower, upper, todo, known)


@dataclass(frozen=True, eq=False)
class Bounded:
    """The best bound on each open case, ``value`` (parts, cases), +inf where closed.

    ``form`` (parts, cases, features) is its form over the input, and ``moves``, of the same shape, what each feature
    costs it; both are 0 where the case is closed or excluded.
    """

    parts: Parts
    value: Tensor
    form: Tensor
    moves: Tensor


class _Bisection:
    """The waiting parts of a region, and for each case the least bound on the parts where it is excluded."""

    def __init__(self, network: Network, progress: Progress, cases: tuple[Case, ...]) -> None:
        self.network = network
        self.progress = progress
        self.cases = cases
        self.forms = Forms.of(cases, network.graph.outputs)
        self.least = torch.full((len(cases),), torch.inf, dtype=torch.float64)
        self.unfinished = torch.zeros(len(cases), dtype=torch.bool)
        self.at_once = max(1, _ROWS_BYTES // (_BYTES_A_VALUE * sum(prod(shape) for shape in network.graph.shapes)))
        lower, upper = (torch.from_numpy(side)[None] for side in progress.problem.region.outward())
        self.parts = [Parts(lower, upper, torch.ones(1, len(cases), dtype=torch.bool), {})] if cases else []

    def take(self) -> Parts:
        """The parts that were halved last, a block of them at most: depth first, so that few wait."""
        most, taken = min(_PARTS_AT_ONCE, self.at_once), [self.parts.pop()]
        while self.parts and sum(map(len, taken)) + len(self.parts[-1]) <= most:
            taken.append(self.parts.pop())
        parts = _joined(taken)
        if len(parts) > most:
            self.parts.append(parts.rows(slice(most, None)))
            parts = parts.rows(slice(most))
        return parts

    def bound(self, parts: Parts, check: Check) -> Bounded:
        """Bound each open case by the best of its margins, and where that is not enough by ascent."""
        shape = (-1, *self.network.graph.input_shape)
        box = Box(parts.lower.reshape(shape), parts.upper.reshape(shape))
        with torch.no_grad():
            bounds, known = analyse_parts(self.network.graph, box, parts.known, check)
            value, best = self._margins(bounds, parts).max(2)
            value = value.masked_fill(~parts.todo, torch.inf)
            form = torch.zeros(*value.shape, parts.lower.shape[1], dtype=value.dtype)
            moves = torch.zeros_like(form)
            for row in torch.split((value <= 0).nonzero(), self.at_once):
                if not len(row):
                    break
                check()
                part, case = row.unbind(1)
                reached = ascend(bounds, self.forms.of_cases(case), part, best[part, case])
                value[part, case] = torch.maximum(value[part, case], reached.bound)
                form[part, case], moves[part, case] = reached.form, reached.moves
            moves[value > 0] = 0.0
        inherited = known if self.network.graph.neurons <= _MOST_INHERITED else {}
        return Bounded(replace(parts, known=inherited), value, form, moves)

    def _margins(self, bounds: PartBounds, parts: Parts) -> Tensor:
        """Bounds (parts, cases, margins) of the margins of open cases, -inf elsewhere."""
        asked = parts.todo[..., None] & self.forms.valid
        part, case, margin = asked.nonzero(as_tuple=True)
        network = bounds.linearised
        least = lower_bounds(network, network.graph.output, Rows(Places(part), self.forms.weights[case, margin]))
        offset = self.forms.constants[case, margin]
        least = least + offset - 4 * unit(least.dtype) * (offset.abs() + least.abs())
        value = torch.full(asked.shape, -torch.inf, dtype=least.dtype)
        value[part, case, margin] = least
        return value

    def settle(self, bounded: Bounded) -> Parts:
        """The parts without the cases that are excluded there."""
        excluded = bounded.parts.todo & (bounded.value > 0)
        self.least = torch.minimum(self.least, torch.where(excluded, bounded.value, torch.inf).amin(0))
        return bounded.parts.only(~excluded)

    def refute(self, parts: Parts, form: Tensor, refuter: Refuter) -> None:
        """Try the middle of open parts, and the corners where their bounds are least."""
        open_parts = parts.todo.any(1).nonzero().flatten()
        inward = self.progress.inward
        if not len(open_parts) or inward is None:
            return
        chosen = parts.todo[open_parts].to(torch.int64).argmax(1)
        lower, upper = parts.lower[open_parts], parts.upper[open_parts]
        corners = torch.where(form[open_parts, chosen] > 0, lower, upper)
        points = np.concatenate([(lower / 2 + upper / 2).numpy(), corners.numpy()]).astype(np.float32)
        points = np.clip(points, *inward).reshape(-1, *self.network.graph.input_shape)
        violated = self.forms.violations(torch.from_numpy(self.network.exact_outputs(points)))
        scores = violated.masked_fill(~parts.todo[open_parts].repeat(2, 1), -torch.inf).amax(1)
        for row in scores.argsort(descending=True)[:_CANDIDATES_AT_ONCE].tolist():
            if scores[row] > 0:
                refuter.try_point(self.progress, points[row], "split")

    def halve(self, parts: Parts, moves: Tensor) -> None:
        """Put the halves of open parts among those that wait; what cannot be halved leaves its cases open."""
        radius = parts.upper / 2 - parts.lower / 2
        gain = (moves * parts.todo[..., None]).sum(1)
        gain = torch.where(gain.amax(1, keepdim=True) > 0, gain, radius)
        feature = torch.where(radius > 0, gain, -torch.inf).argmax(1)
        row = torch.arange(len(feature))
        middle = (parts.lower + (parts.upper - parts.lower) / 2)[row, feature]
        divisible = (parts.lower[row, feature] < middle) & (middle < parts.upper[row, feature])
        self.unfinished |= (parts.todo & ~divisible[:, None]).any(0)
        kept = parts.todo.any(1) & divisible
        left_upper, right_lower = parts.upper.clone(), parts.lower.clone()
        left_upper[row, feature] = right_lower[row, feature] = middle
        if bool(kept.any()):
            self.parts += [replace(parts, upper=left_upper).rows(kept), replace(parts, lower=right_lower).rows(kept)]

    def cover(self, wanted: set[Case]) -> None:
        """Record the cases that are excluded on every part."""
        done = {
            case: float(least)
            for case, least, unfinished in zip(self.cases, self.least, self.unfinished, strict=True)
            if case in wanted and not unfinished and isfinite(least)
        }
        self.progress.ledger.record_cover(Cover(done))
