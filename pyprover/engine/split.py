"""Bisection of the input: what linear bounds leave open on a region, they may decide on its parts.

For few features only. Parts are boxes, halved along the feature that moves the open bounds most: its radius times its
coefficient in the bounds (as the smears of Wang et al., *Formal security analysis of neural networks using symbolic
intervals*, arXiv 1804.10829) and times its weight in the first layer. Bounds on a part hold there and nowhere else; a
case is excluded once it is on every part of a cover of the region.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite

import numpy as np
import torch
from torch import Tensor

from pyprover.domains.analysis import Check, PartBounds, bound_parts
from pyprover.domains.base import TINY, Box, unit
from pyprover.domains.linear import first_sensitivity, rewrite
from pyprover.domains.relaxation import Places, Rows
from pyprover.engine.case import Case, Forms
from pyprover.engine.ledger import Cover
from pyprover.engine.network import Network
from pyprover.engine.problem import Progress
from pyprover.engine.refute import Refuter
from pyprover.engine.weights import Ask, combine

MOST_FEATURES = 16
"""Regions with more free features are not bisected: halving one of so many changes too little."""

_PARTS_AT_ONCE = 128
_ASCENT_STEPS = 3
_SPREAD = 0.3
"""Weight of the features' first effect beside their coefficients: a coefficient is 0 where steep slopes cancel."""

_CANDIDATES_AT_ONCE = 2

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
        bound, form = bisection.bound(parts, check)
        parts = bisection.settle(parts, bound)
        bisection.refute(parts, form, refuter)
        alive = set(wanted(progress))
        bisection.halve(parts.only(torch.tensor([case in alive for case in bisection.cases])), form)
    bisection.cover(set(wanted(progress)))


@dataclass(frozen=True, eq=False)
class _Parts:
    """Boxes (parts, features), float64, and the cases that are open on each: (parts, cases)."""

    lower: Tensor
    upper: Tensor
    todo: Tensor

    def only(self, cases: Tensor) -> _Parts:
        """With the other cases closed."""
        return _Parts(self.lower, self.upper, self.todo & cases)


class _Bisection:
    """The waiting parts of a region, and for each case the least bound on the parts where it is excluded."""

    def __init__(self, network: Network, progress: Progress, cases: tuple[Case, ...]) -> None:
        self.network = network
        self.progress = progress
        self.cases = cases
        self.forms = Forms.of(cases, network.graph.outputs)
        self.least = torch.full((len(cases),), torch.inf, dtype=torch.float64)
        self.unfinished = torch.zeros(len(cases), dtype=torch.bool)
        lower, upper = (torch.from_numpy(side)[None] for side in progress.problem.region.outward())
        self.sensitivity = first_sensitivity(network.graph)
        self.parts = [_Parts(lower, upper, torch.ones(1, len(cases), dtype=torch.bool))] if cases else []

    def take(self) -> _Parts:
        """The parts that were halved last, a block of them at most: depth first, so that few wait."""
        parts = self.parts.pop()
        while self.parts and len(parts.lower) + len(self.parts[-1].lower) <= _PARTS_AT_ONCE:
            more = self.parts.pop()
            parts = _Parts(
                *(torch.cat([getattr(p, side) for p in (parts, more)]) for side in ("lower", "upper", "todo"))
            )
        if len(parts.lower) > _PARTS_AT_ONCE:
            self.parts.append(_rows(parts, slice(_PARTS_AT_ONCE, None)))
            parts = _rows(parts, slice(_PARTS_AT_ONCE))
        return parts

    def bound(self, parts: _Parts, check: Check) -> tuple[Tensor, Tensor]:
        """The best bound on each open case (parts, cases), and its form over the input (parts, cases, features)."""
        with torch.no_grad():
            bounds = bound_parts(self.network.graph, self._box(parts), check)
            value, form = self._margins(bounds, parts)
            best = value.argmax(2)
            bound = value.amax(2)
            form = form.gather(2, best[..., None, None].expand(*best.shape, 1, form.shape[3])).squeeze(2)
            part, case = (parts.todo & (bound <= 0) & (self.forms.valid.sum(1) > 1)).nonzero(as_tuple=True)
            if len(part):
                places = zip(case.tolist(), part.tolist(), best[part, case].tolist(), strict=True)
                found = combine(bounds.linearised, [Ask(self.cases[c], p, m) for c, p, m in places], _ASCENT_STEPS)
                combined = torch.tensor([combination.bound for combination in found], dtype=bound.dtype)
                bound[part, case] = torch.maximum(bound[part, case], combined)
        return bound, form

    def _margins(self, bounds: PartBounds, parts: _Parts) -> tuple[Tensor, Tensor]:
        """Bounds (parts, cases, margins) and forms (parts, cases, margins, features) of the margins of open cases."""
        asked = parts.todo[..., None] & self.forms.valid
        part, case, margin = asked.nonzero(as_tuple=True)
        rows = Rows(Places(part), self.forms.weights[case, margin])
        network = bounds.linearised
        form, constant = rewrite(network, network.graph.output, rows)
        least = (
            constant + rows.places.dot(form, network.input.centre) - rows.places.dot(form.abs(), network.input.radius)
        )
        offset = self.forms.constants[case, margin]
        least = least + offset - 4 * unit(least.dtype) * (offset.abs() + least.abs())
        value = torch.full(asked.shape, -torch.inf, dtype=least.dtype)
        value[part, case, margin] = least
        spread = torch.zeros(*asked.shape, parts.lower.shape[1], dtype=least.dtype)
        spread[part, case, margin] = form.flatten(1)
        return value, spread

    def _box(self, parts: _Parts) -> Box:
        shape = (-1, *self.network.graph.input_shape)
        return Box(parts.lower.reshape(shape), parts.upper.reshape(shape))

    def settle(self, parts: _Parts, bound: Tensor) -> _Parts:
        """The parts without the cases that are excluded there."""
        excluded = parts.todo & (bound > 0)
        self.least = torch.minimum(self.least, torch.where(excluded, bound, torch.inf).amin(0))
        return _Parts(parts.lower, parts.upper, parts.todo & ~excluded)

    def refute(self, parts: _Parts, form: Tensor, refuter: Refuter) -> None:
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

    def halve(self, parts: _Parts, form: Tensor) -> None:
        """Put the halves of open parts among those that wait; what cannot be halved leaves its cases open."""
        radius = parts.upper / 2 - parts.lower / 2
        moves = (form.abs() * parts.todo[..., None]).sum(1) * radius
        spread = self.sensitivity * radius
        share = _SPREAD * moves.sum(1, keepdim=True).clamp(min=TINY) / spread.sum(1, keepdim=True).clamp(min=TINY)
        feature = (moves + share * spread).argmax(1)
        row = torch.arange(len(feature))
        middle = (parts.lower + (parts.upper - parts.lower) / 2)[row, feature]
        divisible = (parts.lower[row, feature] < middle) & (middle < parts.upper[row, feature])
        self.unfinished |= (parts.todo & ~divisible[:, None]).any(0)
        kept = parts.todo.any(1) & divisible
        left_upper, right_lower = parts.upper.clone(), parts.lower.clone()
        left_upper[row, feature] = right_lower[row, feature] = middle
        halves = (_Parts(parts.lower, left_upper, parts.todo), _Parts(right_lower, parts.upper, parts.todo))
        if bool(kept.any()):
            self.parts += [_rows(half, kept) for half in halves]

    def cover(self, wanted: set[Case]) -> None:
        """Record the cases that are excluded on every part."""
        done = {
            case: float(least)
            for case, least, unfinished in zip(self.cases, self.least, self.unfinished, strict=True)
            if case in wanted and not unfinished and isfinite(least)
        }
        self.progress.ledger.record_cover(Cover(done))


def _rows(parts: _Parts, rows: Tensor | slice) -> _Parts:
    return _Parts(parts.lower[rows], parts.upper[rows], parts.todo[rows])
