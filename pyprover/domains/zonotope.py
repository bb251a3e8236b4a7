"""Zonotopes: each value is an affine function of noise symbols in [-1, 1], which values share.

Singh et al., *Fast and effective robustness certification*, NeurIPS 2018 (DeepZ); de Figueiredo and Stolfi, *Affine
arithmetic: concepts and applications*, Numerical Algorithms 37, 2004. A value is

    x = centre + sum_k e_k generator_k + r,    |e_k| <= 1,    |r| <= error

with e shared by all values of a region, and r not. The error holds what rounding adds: a linear step moves it by
``|W|`` and adds ``2 gamma(n + 8) (|W| s + |b|)`` with ``s = |centre| + sum_k |generator_k| + error``, n being the
products of a sum. That covers the centre, the error itself, and each generator, whose own share is at most ``gamma(n)
|W| |generator_k|``; the 2 covers the rounding of s, whose sums have one term a symbol. With each value goes a box,
which is intersected with intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any

import torch
from torch import Tensor

from pyprover.domains import interval
from pyprover.domains.bands import Band, band_of
from pyprover.domains.base import TINY, Box, gamma, unit
from pyprover.domains.interval import absolute, fan_in, homogeneous
from pyprover.domains.linear import UNSTABLE
from pyprover.domains.maxima import contested, max_pool_members, window_members
from pyprover.domains.noise.base import Noise
from pyprover.domains.noise.dense import DenseNoise
from pyprover.domains.noise.reach import Activity
from pyprover.domains.noise.reduction import largest, only, strongest
from pyprover.domains.noise.storage import Storage, image
from pyprover.graph import Graph, Operator
from pyprover.ops import OPERATORS, Concat, Gather, MaxPool, Pad, Reshape, Transpose

_TERMS = 64
"""More than the roundings on the way of one value through one band."""


@dataclass(frozen=True, eq=False)
class Zonotope:
    """A value of a batch of regions: ``centre`` and ``error`` are (batch, *shape), ``box`` contains it too."""

    centre: Tensor
    noise: Noise
    error: Tensor
    box: Box

    @cached_property
    def size(self) -> Tensor:
        """``|centre| + sum of |generators| + error``."""
        return self.centre.abs() + self.noise.radius + self.error

    def within(self, box: Box) -> Zonotope:
        """With the intersection of another box and the zonotope's own as its box."""
        radius = self.noise.radius + self.error
        own = Box(self.centre - radius, self.centre + radius)
        own = own.widen(gamma(self.noise.symbols + 8, radius.dtype) * self.size)
        return replace(self, box=Box(torch.maximum(box.lower, own.lower), torch.minimum(box.upper, own.upper)))

    def only(self, numbers: Tensor) -> Zonotope:
        """With the symbols of these numbers (batch, count), ascending, renumbered; all others become error."""
        noise, dropped = only(self.noise, numbers)
        total = self.error + dropped
        slack = gamma(self.noise.symbols + 8, total.dtype) * total + TINY
        return replace(self, noise=noise, error=total + slack)


@dataclass(frozen=True)
class Fresh:
    """Where new symbols come from: the number of the first, and the storage of values that have no others.

    ``most``: how many a value may get at once, the largest; what has none is error. ``None`` for all.
    """

    first: int
    storage: Storage
    most: int | None = None

    def among(self, mask: Tensor, radius: Tensor) -> Tensor:
        """Of the entries in a mask (batch, *shape), those that get a symbol; ``radius`` is what each would have."""
        return mask if self.most is None else largest(radius, mask, self.most)


Transformer = Callable[[Any, tuple[Zonotope, ...], Fresh], Zonotope]
"""(operator, inputs, new symbols) -> the result, not yet ``within`` its intervals."""


def from_box(box: Box, storage: Storage = DenseNoise.none, most: int | None = None) -> Zonotope:
    """One symbol for each value that is not a point, at most so many."""
    return _independent(box, Fresh(0, storage, most))


def _independent(box: Box, fresh: Fresh) -> Zonotope:
    """A value that shares no symbol with another."""
    own = fresh.among(box.lower < box.upper, box.radius)
    error = 4 * unit(box.lower.dtype) * box.size + torch.where(own, 0.0, box.radius) + TINY
    noise = fresh.storage(box.centre).extended(fresh.first, box.radius, own)
    return Zonotope(box.centre, noise, error, box)


def affine(op: Operator, inputs: tuple[Zonotope, ...], _fresh: Fresh) -> Zonotope:
    """Centre and generators through the operator, the error through its absolute values; exact but for rounding."""
    centre = op.forward(*(x.centre for x in inputs))
    noise = image(op, [x.noise for x in inputs], tuple(centre.shape[1:]))
    terms = fan_in(op, tuple(x.box for x in inputs)) + 8
    magnitude = absolute(op).forward(*(x.size for x in inputs))
    error = homogeneous(absolute(op)).forward(*(x.error for x in inputs))
    error = error + 2 * gamma(terms, centre.dtype) * magnitude + TINY
    return Zonotope(centre, noise, error, inputs[0].box)


def move(op: Operator, inputs: tuple[Zonotope, ...], _fresh: Fresh) -> Zonotope:
    """Values moved or copied, without arithmetic."""
    centre = op.forward(*(x.centre for x in inputs))
    noise = image(op, [x.noise for x in inputs], tuple(centre.shape[1:]))
    return Zonotope(centre, noise, op.forward(*(x.error for x in inputs)), inputs[0].box)


def banded(op: Operator, inputs: tuple[Zonotope, ...], fresh: Fresh) -> Zonotope:
    """A function in a band; half its height is a new symbol's. Where there is no band, only the interval is known."""
    (x,) = inputs
    band = band_of(op, x.box)
    if band is None:
        return _independent(interval.step(op, (x.box,)), fresh)
    return _in_band(x, band, fresh_symbols(op, x.box), fresh)


def fresh_symbols(op: Operator, box: Box) -> Tensor:
    """Where the operator's result gets symbols of their own, over the box of its input: mask of the result's shape."""
    unstable = UNSTABLE[type(op)](op, box)
    return unstable.any(-1) if tuple(unstable.shape[1:]) != op.shape(tuple(unstable.shape[1:])) else unstable


def _in_band(x: Zonotope, band: Band, unstable: Tensor, fresh: Fresh) -> Zonotope:
    """A value in a band around x: the half-width is a new symbol's where ``unstable`` holds, and error elsewhere."""
    half = band.high / 2 - band.low / 2
    unstable = fresh.among(unstable, half)
    alone = band.slope.ndim > x.centre.ndim  # each value has a line of its own, not a plane over a last axis

    def along(values: Tensor) -> Tensor:
        return values.unsqueeze(-1) if alone else values

    slope = band.slope.abs()
    error = (slope * along(x.error)).sum(-1) + torch.where(unstable, 0.0, half.abs())
    terms = _TERMS + 2 * slope.shape[-1]
    error = error + gamma(terms, half.dtype) * (band.magnitude + (slope * along(x.size)).sum(-1)) + TINY
    centre = (band.slope * along(x.centre)).sum(-1) + (band.low / 2 + band.high / 2)
    if alone:
        noise = x.noise.banded(band.slope.squeeze(-1), fresh.first, half, unstable)
    else:
        noise = x.noise.combined(band.slope).extended(fresh.first, half, unstable)
    return Zonotope(centre, noise, error, x.box)


def maximum(op: MaxPool, inputs: tuple[Zonotope, ...], fresh: Fresh) -> Zonotope:
    """One member plus the most by which others exceed it; or, where that is narrower, the interval of the maximum."""
    (x,) = inputs
    chosen = max_pool_members(op, x.box)
    best, shape = chosen.best, op.shape(tuple(x.centre.shape[1:]))
    anchor = Zonotope(
        _at(x.centre, best).reshape(-1, *shape),
        x.noise.selected(best, shape),
        _at(x.error, best).reshape(-1, *shape),
        x.box,
    )
    lead = torch.zeros_like(anchor.centre)
    for each in _leads(x, anchor, window_members(op, x.box)):
        lead = torch.maximum(lead, each)
    decided = chosen.decided.reshape(lead.shape)
    lead = torch.where(decided, 0.0, lead)
    band = Band(torch.ones_like(lead).unsqueeze(-1), torch.zeros_like(lead), lead, lead)
    return _in_band(anchor, band.or_interval(op, x.box), contested(op, x.box), fresh)


def _leads(x: Zonotope, anchor: Zonotope, windows: Tensor) -> Iterator[Tensor]:
    """The most by which each member of windows (windows, members) can exceed the anchors: (batch, channels, *windows).

    Members are flat places in a plane, beyond its end where a window has fewer.
    """
    shape = tuple(anchor.centre.shape[1:])
    inside = [places < prod(x.centre.shape[2:]) for places in windows.T]
    members = [
        places.where(here, 0).expand(*x.centre.shape[:2], -1) for places, here in zip(windows.T, inside, strict=True)
    ]
    for index, here, spread in zip(members, inside, x.noise.spreads(members, anchor.noise), strict=True):
        centre = _at(x.centre, index).reshape(-1, *shape) - anchor.centre
        most = centre + spread + _at(x.error, index).reshape(-1, *shape) + anchor.error
        size = _at(x.size, index).reshape(-1, *shape) + anchor.size
        most = most + gamma(x.noise.symbols + _TERMS, most.dtype) * size + TINY
        yield most.masked_fill(~here.reshape(shape[1:]), -torch.inf)


def _at(values: Tensor, places: Tensor) -> Tensor:
    return values.flatten(2).gather(2, places)


TRANSFORMERS: Mapping[type[Operator], Transformer] = {
    **{op: affine if op.linear else banded for op in OPERATORS},
    **dict.fromkeys((Concat, Gather, Pad, Reshape, Transpose), move),
    MaxPool: maximum,
}
"""What is not named is exact when it is affine, and between the lines of the linear domain when it is not."""


class Propagation:
    """The values over one batch of regions, each computed when it is first asked for, forgotten after its last use.

    ``most``: the most symbols of a value, to which dense noise is reduced; ``None`` for all. ``before`` is called with
    the position of each step and what it does to the noise, and may raise ``TooLargeError``.
    ``symbols``: how many the values computed so far have together.
    """

    def __init__(
        self,
        graph: Graph,
        region: Box,
        check: Callable[[], None],
        storage: Storage = DenseNoise.none,
        most: int | None = None,
        before: Callable[[int, Activity], None] | None = None,
    ) -> None:
        self.graph = graph
        self.check = check
        self._storage = storage
        self._most = most
        self._before = before
        self._values: dict[int, Zonotope] = {0: from_box(region, storage, most)}
        self.symbols = self._values[0].noise.symbols
        self._next = 0

    @property
    def live(self) -> Sequence[Zonotope]:
        """The values computed so far that are still to be read."""
        return tuple(self._values.values())

    def value(self, number: int) -> Zonotope:
        """A value that is still to be read; ``TooLargeError`` when it needs too much memory."""
        while self._next < number:
            self.check()
            self._step(self._next)
            self._next += 1
        return self._values[number]

    def learn(self, number: int, box: Box) -> None:
        """Take a box inside that of a value: operators that read it are relaxed over it."""
        self._values[number] = replace(self.value(number), box=box)

    def _step(self, position: int) -> None:
        node, values = self.graph.nodes[position], self._values
        inputs = tuple(values[v] for v in node.inputs)
        boxes = tuple(x.box for x in inputs)
        op = self.graph.operator(position, inputs[0].centre.dtype)
        bounds = interval.step(op, boxes)
        if self._before is not None:
            self._before(position, activity(op, boxes, bounds))
        result = TRANSFORMERS[type(op)](op, inputs, Fresh(self.symbols, self._storage, self._most))
        for v in set(node.inputs):
            if self.graph.last_use[v] == position:
                del values[v]
        del inputs  # the generators that nothing reads any more
        values[position + 1] = result.within(bounds)
        self.symbols = max(self.symbols, result.noise.symbols)
        if self._most is not None:
            self._reduce(position + 1, self._most)

    def _reduce(self, number: int, most: int) -> None:
        """Keep the symbols that move a value most, in all values: they share them."""
        numbers = strongest(self._values[number].noise, most)
        if numbers is not None:
            for value in list(self._values):
                self._values[value] = self._values[value].only(numbers)
            self.symbols = max(value.noise.symbols for value in self._values.values())


def activity(op: Operator, boxes: tuple[Box, ...], result: Box) -> Activity:
    """What an operator does to the noise of a region of the batch, at most, over the boxes of its inputs and result."""
    if op.linear:
        return Activity()
    (box,) = boxes
    fresh = contested(op, box) if isinstance(op, MaxPool) else fresh_symbols(op, box)
    moving = (result.radius > 2 * TINY).flatten(1).double().mean(1)
    return Activity(int(fresh.flatten(1).sum(1).max()), float(moving.max()))


def propagate(graph: Graph, region: Box, check: Callable[[], None], storage: Storage = DenseNoise.none) -> Zonotope:
    """The outputs over a box of the input (batch, *input_shape); ``TooLargeError`` when they need too much memory."""
    return Propagation(graph, region, check, storage).value(graph.output)
