"""Linear forms over noise symbols, bounded where the symbols satisfy linear inequalities.

The symbols e of a region are in [-1, 1]. Around the own symbols of a non-linear step go lines over what the step reads,

    lower_slope xi + lower_offset <= e_own <= upper_slope xi + upper_offset,     xi = forms e,

where xi needs earlier symbols only; and half-spaces ``normals e <= offsets`` over all symbols may hold. For every
choice of multipliers at least 0 the least value of a form over the box where all this holds is at least that of

    form + multipliers . (inequalities)

over the box alone (weak duality), which is ``constant - |form'|_1``. No multipliers at all give the bound of the
zonotope. A form that has v on an own symbol uses its lower lines with the multipliers ``share v`` where v > 0, and its
upper ones where v < 0; when the shares of a symbol sum to 1, it is gone from the form. The search for good shares may
be as rough as it likes: what is concluded is the value of one choice, rounding included.

Scott et al., *Constrained zonotopes: a new tool for set-based estimation and fault detection*, Automatica 69, 2016;
Lemesle et al., *Neural network verification with PyRAT*, arXiv 2410.23903.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from pyprover.domains.base import TINY, gamma

_RATE = 0.2
_TERMS = 64
"""More than the roundings of one multiplier on its way into a form."""


@dataclass(frozen=True, eq=False)
class Sheaf:
    """Lines on one side of own symbols: ``slope`` and ``offset`` (lines, own); to begin with, ``start`` (own,)."""

    slope: Tensor
    offset: Tensor
    start: Tensor

    @cached_property
    def single(self) -> Sheaf:
        """The same in float32."""
        return Sheaf(self.slope.float(), self.offset.float(), self.start)

    def first_shares(self, rows: int) -> Tensor:
        """All of each symbol to the line to begin with: (lines, rows, own)."""
        lines = torch.arange(len(self.slope))[:, None]
        return (lines == self.start).to(self.slope.dtype)[:, None].expand(-1, rows, -1)


@dataclass(frozen=True, eq=False)
class Fresh:
    """The own symbols of one step in one region, numbered from ``first``, with the lines below and above them.

    ``forms`` (own, known): xi over the first ``known`` symbols; ``radius`` (own,) their sums of absolute values.
    """

    first: int
    forms: Tensor
    radius: Tensor
    lower: Sheaf
    upper: Sheaf

    @cached_property
    def single(self) -> Fresh:
        """The same in float32."""
        return Fresh(self.first, self.forms.float(), self.radius.float(), self.lower.single, self.upper.single)


@dataclass(frozen=True, eq=False)
class HalfSpaces:
    """``normals e <= offsets``: (count, symbols) and (count,)."""

    normals: Tensor
    offsets: Tensor

    @cached_property
    def single(self) -> HalfSpaces:
        """The same in float32."""
        return HalfSpaces(self.normals.float(), self.offsets.float())


@dataclass(frozen=True, eq=False)
class Constraints:
    """What is known of the symbols of one region beside their box: own symbols in ascending order, and half-spaces."""

    steps: tuple[Fresh, ...] = ()
    spaces: HalfSpaces | None = None

    @property
    def symbols(self) -> int:
        """How many symbols they are about, the first ones."""
        own = max((fresh.first + len(fresh.forms) for fresh in self.steps), default=0)
        return own if self.spaces is None else self.spaces.normals.shape[1]

    @cached_property
    def single(self) -> Constraints:
        """The same in float32, to search with."""
        return Constraints(tuple(fresh.single for fresh in self.steps), self.spaces and self.spaces.single)


@dataclass(frozen=True, eq=False)
class Rewritten:
    """Forms (rows, symbols) and constants (rows,) that never exceed the given ones where the constraints hold.

    ``error``: the rounding of both, (rows,), not yet subtracted.
    """

    form: Tensor
    constant: Tensor
    error: Tensor

    @property
    def bound(self) -> Tensor:
        """A lower bound over the box: (rows,)."""
        share = 1 + gamma(self.form.shape[1] + 4, self.form.dtype)
        return self.constant - share * self.form.abs().sum(1) - self.error


Shares = list[Tensor]
"""For each step, from the first, (lines, rows, own) below and above; last, with half-spaces, (rows, count)."""


def first_shares(constraints: Constraints, rows: int) -> Shares:
    """The lines to begin with, no half-spaces."""
    sheaves = [sheaf for step in constraints.steps for sheaf in (step.lower, step.upper)]
    shares = [sheaf.first_shares(rows) for sheaf in sheaves]
    if constraints.spaces is not None:
        shares.append(constraints.spaces.offsets.new_zeros(rows, len(constraints.spaces.offsets)))
    return shares


@dataclass(eq=False)
class _Rewriting:
    """Forms (rows, symbols) on their way through the constraints, last step first.

    ``used`` (rows,), where it is wanted, grows by the absolute values of all that is added up: the scale of the
    rounding.
    """

    form: Tensor
    constant: Tensor
    used: Tensor | None

    def add_spaces(self, spaces: HalfSpaces, shares: Tensor) -> None:
        """Add multiples of what is at most 0, with shares (rows, count) in units of the form."""
        scale = spaces.normals.abs().sum(1).clamp(min=TINY)
        multiplier = shares * (self.form.abs().sum(1, keepdim=True) / scale)
        if self.used is not None:
            self.used = self.used + multiplier @ (scale + spaces.offsets.abs())
        self.form = self.form + multiplier @ spaces.normals
        self.constant = self.constant - multiplier @ spaces.offsets

    def step(self, fresh: Fresh, lower: Tensor, upper: Tensor) -> None:
        """Replace parts of own symbols by their lines, with shares (lines, rows, own)."""
        form, end = self.form, fresh.first + len(fresh.forms)
        own = form[:, fresh.first : end]
        weight, rest = torch.zeros_like(own), own
        if self.used is not None:
            self.used = self.used + 2 * own.abs().sum(1)
        for sheaf, side, share in ((fresh.lower, own.clamp(min=0), lower), (fresh.upper, own.clamp(max=0), upper)):
            for slope, offset, part in zip(sheaf.slope, sheaf.offset, share, strict=True):
                multiplier = part * side
                weight, rest = weight + multiplier * slope, rest - multiplier
                self.constant = self.constant + multiplier @ offset
                if self.used is not None:
                    self.used = self.used + multiplier.abs() @ (slope.abs() * fresh.radius + offset.abs())
        known = fresh.forms.shape[1]
        parts = (form[:, :known] + weight @ fresh.forms, form[:, known : fresh.first], rest, form[:, end:])
        self.form = torch.cat(parts, dim=1)

    def run(self, constraints: Constraints, shares: Sequence[Tensor]) -> None:
        """Use all constraints."""
        if constraints.spaces is not None:
            self.add_spaces(constraints.spaces, shares[-1])
        for place, fresh in reversed(list(enumerate(constraints.steps))):
            self.step(fresh, shares[2 * place], shares[2 * place + 1])


def rewrite_with(constraints: Constraints, form: Tensor, shares: Sequence[Tensor]) -> Rewritten:
    """Forms (rows, symbols) with multipliers, and the rounding of all that."""
    rewriting = _Rewriting(form, form.new_zeros(len(form)), form.abs().sum(1))
    rewriting.run(constraints, shares)
    assert rewriting.used is not None
    terms = form.shape[1] + sum(len(fresh.forms) for fresh in constraints.steps) + _TERMS
    return Rewritten(rewriting.form, rewriting.constant, 2 * gamma(terms, form.dtype) * rewriting.used + TINY)


def ascend(constraints: Constraints, form: Tensor, steps: int) -> Rewritten:
    """The best rewriting found of each form (rows, symbols), never worse than without constraints.

    Tried are no shares, the lines to begin with, and where so many steps of ascent lead from these, in float32.
    """
    nothing = form.new_zeros(len(form))
    best = Rewritten(form, nothing, nothing)
    if not constraints.steps and constraints.spaces is None:
        return best
    with torch.inference_mode(mode=False), torch.no_grad():
        start = first_shares(constraints, len(form))
        tried = (start, _ascended(constraints, form, start, steps)) if steps else (start,)
        for shares in tried:
            best = _better(best, rewrite_with(constraints, form, shares))
    return best


def _better(best: Rewritten, found: Rewritten) -> Rewritten:
    """Of each form the rewriting with the better bound; what is not a number is never better."""
    better = found.bound > best.bound
    return Rewritten(
        torch.where(better[:, None], found.form, best.form),
        torch.where(better, found.constant, best.constant),
        torch.where(better, found.error, best.error),
    )


def _ascended(constraints: Constraints, form: Tensor, start: Shares, steps: int) -> Shares:
    """Shares after steps of Adam."""
    single, low = constraints.single, form.detach().to(torch.float32)
    shares = [share.to(torch.float32, copy=True).requires_grad_() for share in start]
    optimiser = torch.optim.Adam(shares, lr=_RATE, maximize=True)
    for _ in range(steps):
        with torch.enable_grad():
            rewriting = _Rewriting(low, low.new_zeros(len(low)), None)
            rewriting.run(single, shares)
            optimiser.zero_grad()
            (rewriting.constant - rewriting.form.abs().sum(1)).sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        for share in shares:
            share.clamp_(min=0)
            if share.ndim == 3:
                share /= share.sum(0).clamp(min=1)
    return [share.detach().to(form.dtype) for share in shares]
