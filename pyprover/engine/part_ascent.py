"""Open cases on parts of a region: lower slopes of ReLUs and weights of margins ascend together, a row a case and part.

The bound that is kept is one that was computed, in float64 with its rounding; the ascent only chooses where.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pyprover.domains.analysis import PartBounds
from pyprover.domains.parts import PartRows
from pyprover.engine.case import Forms
from pyprover.engine.weights import project, rounding_error

_STEPS = 12
_RATE = 0.3
"""Slopes lie between 0 and 1, and the signs of their gradients seldom change: long steps close most in three."""

_TARGET = 0.05
_HOPE = 2.0
"""A row whose bound would not reach 0 with so many times what it has gained is left."""
_PATIENCE = 3


@dataclass(frozen=True, eq=False)
class Reached:
    """Where the ascent of rows ended.

    ``bound`` (rows,); ``form`` (rows, features), the bounding form over the input; ``moves`` (rows, features): by how
    much the bound would rise if a feature's radius became 0, the boxes shrinking with it, to first order.
    """

    bound: Tensor
    form: Tensor
    moves: Tensor


def ascend(bounds: PartBounds, forms: Forms, part: Tensor, margin: Tensor) -> Reached:
    """Raise the bounds of cases, row r about part ``part[r]``, starting with all weight on margin ``margin[r]``.

    ``forms`` has one case a row.
    """
    climb = _Climb(PartRows.of(bounds, part), forms, margin)
    for step in range(_STEPS):
        climb.step()
        if step % _PATIENCE == _PATIENCE - 1 and not climb.drop():
            break
    return climb.reached()


class _Climb:
    """The state of one ascent; ``active``: the rows that go on, of which all that is not a result is kept."""

    def __init__(self, rows: PartRows, forms: Forms, margin: Tensor) -> None:
        self.all_rows, self.rows, self.forms = rows, rows, forms
        count = len(margin)
        self.active = torch.arange(count)
        self.weights = torch.zeros(forms.valid.shape, dtype=torch.float64)
        self.weights[self.active, margin] = 1
        self.slopes = rows.slopes()
        self.first, self.second = torch.zeros_like(self.slopes), torch.zeros_like(self.slopes)
        self.count = 0
        self.bound = torch.full((count,), -torch.inf, dtype=torch.float64)
        self.start = self.bound
        self.form = torch.zeros(count, rows.network.input.lower[0].numel(), dtype=torch.float64)
        self.cost = torch.zeros_like(self.slopes)

    def step(self) -> None:
        """Bound the active rows, keep what is better, move slopes and weights."""
        chord, offset = self.rows.chords()
        weights, slopes, chord, offset = (
            values.detach().requires_grad_() for values in (self.weights, self.slopes, chord, offset)
        )
        forms = self.forms
        with torch.enable_grad():
            tuned = self.rows.bounds(torch.einsum("rm,rmo->ro", weights, forms.weights), slopes, (chord, offset))
            value = tuned.value + (weights * forms.constants).sum(1)
            by_weight, by_slope, by_chord, by_offset = torch.autograd.grad(
                value.sum(), [weights, slopes, chord, offset], materialize_grads=True
            )
        self.weights, self.slopes, value = weights.detach(), slopes.detach(), value.detach()
        value = value - rounding_error(self.rows.network.output_slack, forms, self.weights)
        better = value > self.bound[self.active]
        chosen = self.active[better]
        self.bound[chosen] = value[better]
        self.form[chosen] = tuned.form.flatten(1)[better]
        self.cost[chosen] = self.rows.interval_costs(by_chord, by_offset)[better]
        if self.count == 0:
            self.start = self.bound.clone()
        self._move_slopes(by_slope)
        self._move_weights(by_weight, value)

    def drop(self) -> bool:
        """Leave rows that are excluded and rows without hope; whether any is left."""
        bound, start = self.bound[self.active], self.start[self.active]
        keep = (bound <= 0) & (bound + _HOPE * (bound - start) > 0)
        if bool(keep.all()):
            return True
        self.active, self.rows, self.forms = self.active[keep], self.rows.only(keep), self.forms.of_cases(keep)
        self.weights, self.slopes = self.weights[keep], self.slopes[keep]
        self.first, self.second = self.first[keep], self.second[keep]
        return len(self.active) > 0

    def _move_slopes(self, gradient: Tensor) -> None:
        """A step of Adam (Kingma and Ba, arXiv 1412.6980), for unstable ReLUs."""
        self.count += 1
        self.first = self.first.lerp(gradient, 0.1)
        self.second = self.second.lerp(gradient.square(), 0.001)
        size = (self.second / (1 - 0.999**self.count)).sqrt() + 1e-300
        moved = self.slopes + _RATE / (1 - 0.9**self.count) * self.first / size
        moved = torch.maximum(moved, self.rows.leak).clamp(max=1.0)
        self.slopes = torch.where(self.rows.unstable, moved, self.slopes)

    def _move_weights(self, gradient: Tensor, value: Tensor) -> None:
        """A step along the gradient to where a bound just above zero may be (Polyak)."""
        valid = self.forms.valid
        if valid.shape[1] < 2:
            return
        centred = (gradient - (gradient * valid).sum(1, keepdim=True) / valid.sum(1, keepdim=True)) * valid
        missing = _TARGET * value.abs() - value
        length = missing.clamp(min=0) / centred.square().sum(1).clamp(min=1e-30)
        self.weights = project(self.weights + length[:, None] * centred, valid)

    def reached(self) -> Reached:
        """The best of each row."""
        radius = self.all_rows.network.input.radius.flatten(1)
        moves = self.form.abs() * radius + torch.einsum("rn,rfn->rf", self.cost, self.all_rows.shares())
        return Reached(self.bound, self.form, moves.clamp(min=0))
