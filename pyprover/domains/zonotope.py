"""Zonotopes: each value is an affine function of noise symbols in [-1, 1], which values share.

Singh et al., *Fast and effective robustness certification*, NeurIPS 2018 (DeepZ); de Figueiredo and Stolfi, *Affine
arithmetic: concepts and applications*, Numerical Algorithms 37, 2004. A value is

    x = centre + sum_k e_k generator_k + r,    |e_k| <= 1,    |r| <= error

with e shared by all values of a region, and r not. The error holds what rounding adds: a linear step moves it by
``|W|`` and adds ``2 gamma(n) (|W| s + |b|)`` with ``s = |centre| + sum_k |generator_k| + error``. That covers the sums
of the centre, of the error itself, and of each generator, whose own share is at most ``gamma(n) |W| |generator_k|``; n
counts the products of a sum, and the symbols. With each value goes a box, which is intersected with intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any

import torch
from torch import Tensor

from pyprover.domains import interval
from pyprover.domains.bands import Band, band_of
from pyprover.domains.base import TINY, Box, gamma, unit
from pyprover.domains.interval import absolute, homogeneous
from pyprover.domains.linear import UNSTABLE
from pyprover.domains.maxima import max_pool_members, window_members
from pyprover.domains.noise import BUDGET, DenseNoise, image
from pyprover.graph import Graph, Operator
from pyprover.ops import OPERATORS, Concat, Gather, MaxPool, Pad, Reshape, Transpose

_TERMS = 64
"""More than the roundings on the way of one value through one band."""


@dataclass(frozen=True, eq=False)
class Zonotope:
    """A value of a batch of regions: ``centre`` and ``error`` are (batch, *shape), ``box`` contains it too."""

    centre: Tensor
    noise: DenseNoise
    error: Tensor
    box: Box

    @cached_property
    def size(self) -> Tensor:
        """``|centre| + sum of |generators| + error``."""
        return self.centre.abs() + self.noise.radius + self.error

    def unsqueezed(self) -> Zonotope:
        """With a last axis of length one."""
        box = Box(self.box.lower.unsqueeze(-1), self.box.upper.unsqueeze(-1))
        return Zonotope(self.centre.unsqueeze(-1), self.noise.unsqueezed(), self.error.unsqueeze(-1), box)

    def within(self, box: Box) -> Zonotope:
        """With the intersection of another box and the zonotope's own as its box."""
        radius = self.noise.radius + self.error
        own = Box(self.centre - radius, self.centre + radius)
        own = own.widen(gamma(self.noise.symbols + 8, radius.dtype) * self.size)
        return replace(self, box=Box(torch.maximum(box.lower, own.lower), torch.minimum(box.upper, own.upper)))


Transformer = Callable[[Any, tuple[Zonotope, ...], int], Zonotope]
"""(operator, inputs, number of the first new symbol) -> the result, not yet ``within`` its intervals."""


def from_box(box: Box) -> Zonotope:
    """One symbol for each value that is not a point."""
    return _independent(box, 0)


def _independent(box: Box, first: int) -> Zonotope:
    """A value that shares no symbol with another."""
    error = 4 * unit(box.lower.dtype) * box.size + TINY
    noise = DenseNoise.none(box.centre).extended(first, box.radius, box.lower < box.upper)
    return Zonotope(box.centre, noise, error, box)


def affine(op: Operator, inputs: tuple[Zonotope, ...], _first: int) -> Zonotope:
    """Centre and generators through the operator, the error through its absolute values; exact but for rounding."""
    centre = op.forward(*(x.centre for x in inputs))
    noise = image(op, [x.noise for x in inputs], tuple(centre.shape[1:]))
    terms = sum(prod(x.centre.shape[1:]) for x in inputs) + prod(centre.shape[1:]) + noise.symbols + 8
    magnitude = absolute(op).forward(*(x.size for x in inputs))
    error = homogeneous(absolute(op)).forward(*(x.error for x in inputs))
    error = error + 2 * gamma(terms, centre.dtype) * magnitude + TINY
    return Zonotope(centre, noise, error, inputs[0].box)


def move(op: Operator, inputs: tuple[Zonotope, ...], _first: int) -> Zonotope:
    """Values moved or copied, without arithmetic."""
    centre = op.forward(*(x.centre for x in inputs))
    noise = image(op, [x.noise for x in inputs], tuple(centre.shape[1:]))
    return Zonotope(centre, noise, op.forward(*(x.error for x in inputs)), inputs[0].box)


def banded(op: Operator, inputs: tuple[Zonotope, ...], first: int) -> Zonotope:
    """A function in a band; half its height is a new symbol's. Where there is no band, only the interval is known."""
    (x,) = inputs
    band = band_of(op, x.box)
    if band is None:
        return _independent(interval.step(op, (x.box,)), first)
    return _in_band(along(band, x), band, fresh_symbols(op, x.box), first)


def along(band: Band, x: Zonotope) -> Zonotope:
    """A value with the last axis along which the band's planes go."""
    return x if band.slope.ndim == x.centre.ndim else x.unsqueezed()


def fresh_symbols(op: Operator, box: Box) -> Tensor:
    """Where the operator's result gets symbols of their own, over the box of its input: mask of the result's shape."""
    unstable = UNSTABLE[type(op)](op, box)
    return unstable.any(-1) if tuple(unstable.shape[1:]) != op.shape(tuple(unstable.shape[1:])) else unstable


def _in_band(x: Zonotope, band: Band, fresh: Tensor, first: int) -> Zonotope:
    """A value in a band around x: the half-width is a new symbol's where ``fresh`` holds, and error elsewhere."""
    half = band.high / 2 - band.low / 2
    slope = band.slope.abs()
    error = (slope * x.error).sum(-1) + torch.where(fresh, 0.0, half.abs())
    terms = _TERMS + 2 * slope.shape[-1]
    error = error + gamma(terms, half.dtype) * (band.magnitude + (slope * x.size).sum(-1)) + TINY
    centre = (band.slope * x.centre).sum(-1) + (band.low / 2 + band.high / 2)
    return Zonotope(centre, x.noise.combined(band.slope).extended(first, half, fresh), error, x.box)


def maximum(op: MaxPool, inputs: tuple[Zonotope, ...], first: int) -> Zonotope:
    """One member plus the most by which others exceed it; or, where that is narrower, the interval of the maximum."""
    (x,) = inputs
    chosen = max_pool_members(op, x.box)
    best, shape = chosen.best, op.shape(tuple(x.centre.shape[1:]))
    anchor = Zonotope(
        _at(x.centre, best).reshape(-1, *shape),
        x.noise.gathered(best, shape),
        _at(x.error, best).reshape(-1, *shape),
        x.box,
    )
    lead = torch.zeros_like(anchor.centre)
    for places in window_members(op, x.box).T.unbind():
        lead = torch.maximum(lead, _lead(x, anchor, places))
    decided = chosen.decided.reshape(lead.shape)
    lead = torch.where(decided, 0.0, lead)
    band = Band(torch.ones_like(lead).unsqueeze(-1), torch.zeros_like(lead), lead, lead)
    return _in_band(anchor.unsqueezed(), band.or_interval(op, x.box), ~decided, first)


def _lead(x: Zonotope, anchor: Zonotope, places: Tensor) -> Tensor:
    """The most by which the members at places (windows,) can exceed the anchors: (batch, channels, *windows)."""
    shape = tuple(anchor.centre.shape[1:])
    inside = places < prod(x.centre.shape[2:])
    index = places.where(inside, torch.zeros_like(places)).expand(*x.centre.shape[:2], -1)
    difference = x.noise.gathered(index, shape).minus(anchor.noise)
    centre = _at(x.centre, index).reshape(-1, *shape) - anchor.centre
    most = centre + difference.radius + _at(x.error, index).reshape(-1, *shape) + anchor.error
    size = _at(x.size, index).reshape(-1, *shape) + anchor.size
    most = most + gamma(x.noise.symbols + _TERMS, most.dtype) * size + TINY
    return most.masked_fill(~inside.reshape(shape[1:]), -torch.inf)


def _at(values: Tensor, places: Tensor) -> Tensor:
    return values.flatten(2).gather(2, places)


TRANSFORMERS: Mapping[type[Operator], Transformer] = {
    **{op: affine if op.linear else banded for op in OPERATORS},
    **dict.fromkeys((Concat, Gather, Pad, Reshape, Transpose), move),
    MaxPool: maximum,
}
"""What is not named is exact when it is affine, and between the lines of the linear domain when it is not."""


def regions_at_once(graph: Graph) -> int:
    """How many regions fit into the noise's budget, whatever is unstable; at least one."""
    symbols = prod(graph.input_shape) + graph.neurons
    return max(1, BUDGET // (8 * symbols * max(prod(shape) for shape in graph.shapes)))


class Propagation:
    """The values over one batch of regions, each computed when it is first asked for, forgotten after its last use.

    ``symbols``: how many the values computed so far have together.
    """

    def __init__(self, graph: Graph, region: Box, check: Callable[[], None]) -> None:
        self.graph = graph
        self.check = check
        self._values: dict[int, Zonotope] = {0: from_box(region)}
        self.symbols = self._values[0].noise.symbols
        self._next = 0

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
        result = TRANSFORMERS[type(node.op)](node.op, inputs, self.symbols)
        values[position + 1] = result.within(interval.step(node.op, tuple(x.box for x in inputs)))
        self.symbols = max(self.symbols, result.noise.symbols)
        for v in set(node.inputs):
            if self.graph.last_use[v] == position:
                del values[v]


def propagate(graph: Graph, region: Box, check: Callable[[], None]) -> Zonotope:
    """The outputs over a box of the input (batch, *input_shape); ``TooLargeError`` when they need too much memory."""
    return Propagation(graph, region, check).value(graph.output)
