"""Optimised linear bounds (alpha-CROWN): of all sound lines around the operators, those that bound best.

Xu et al., *Fast and complete: enabling complete verification with rapid and massively parallel incomplete verifiers*,
arXiv 2011.13824; for S-shaped functions the points of the tangents take the place of the slopes. Each row has lines of
its own, and boxes are tightened from the first operator to the last, so that each ascent works on what the ones before
gave. Ascent is in float32; the bounds are then computed in float64, with the lines found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

import torch
from torch import Tensor

from pyprover.domains.activations import BoxedLines
from pyprover.domains.analysis import RegionBounds
from pyprover.domains.base import Box
from pyprover.domains.families import Family, family_of, in_float32, mapped
from pyprover.domains.linear import RELAXATIONS, UNSTABLE, Linearised, block_size, lower_bounds, rewrite
from pyprover.domains.relaxation import Places, Rows

Left = Callable[[], float]
"""How many seconds are left to improve what is sound already."""

Spare = Callable[[], bool]
"""Whether there are any."""

_DECAY = 0.95
_FIRST_MOMENT, _SECOND_MOMENT = 0.9, 0.999
_TINY = 1e-8

ASCENT_STEPS = 20
_CHECK_EVERY = 5
_LEAST_GAIN = 0.02
"""Rows that gained less than this part of their interval between two checks are left as they are."""

_BLOCKS_AT_ONCE = 4
"""Rows of one ascent, in blocks of the analysis: float32, and most of its memory is not the widest value's."""


@dataclass(frozen=True, eq=False)
class Tunable:
    """A network over one region (batch 1), with the families that its relaxations belong to.

    A row's parameters are those of all families, one after the other in the order of the nodes.
    """

    network: Linearised
    families: Mapping[int, Family]

    @classmethod
    def of(cls, network: Linearised) -> Tunable:
        """The families by node position, in ascending order."""
        nodes = network.graph.nodes
        found = {p: family_of(nodes[p].op, relaxation) for p, relaxation in sorted(network.relaxations.items())}
        return cls(network, {p: family for p, family in found.items() if family is not None})

    def rates(self, value: int) -> Tensor:
        """The first step of ascent for each parameter (parameters,)."""
        return torch.cat(
            [torch.zeros(0), *(torch.full_like(f.start, f.rate) for p, f in self.families.items() if p < value)]
        )

    def rough(self) -> Tunable:
        """The same in float32, without terms for rounding: to search with."""
        return Tunable(_rough(self.network), {p: family.rough() for p, family in self.families.items()})

    def start(self, value: int) -> Tensor:
        """The parameters (parameters,) of the analysis, of what comes before a value."""
        starts = [family.start for p, family in self.families.items() if p < value]
        return torch.cat([torch.zeros(0, dtype=self.network.input.lower.dtype), *starts])

    def bounds(self, value: int, coef: Tensor, parameters: Tensor) -> Tensor:
        """Lower bounds (rows,) of forms over a value (rows, *shape) with the lines that each row's parameters say.

        Differentiable in the forms and in the parameters (rows, parameters).
        """
        return lower_bounds(self._with_lines(value, parameters), value, _about_one_region(coef))

    def forms(self, value: int, coef: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Forms over the input (rows, *input_shape) and constants (rows,) that have these bounds."""
        return rewrite(self._with_lines(value, parameters), value, _about_one_region(coef))

    def _with_lines(self, value: int, parameters: Tensor) -> Linearised:
        relaxations, first = dict(self.network.relaxations), 0
        for position, family in self.families.items():
            if position < value:
                last = first + len(family.start)
                relaxations[position] = family.lines(parameters[:, first:last])
                first = last
        return replace(self.network, relaxations=relaxations)


def _about_one_region(coef: Tensor) -> Rows:
    return Rows(Places(torch.zeros(len(coef), dtype=torch.int64)), coef)


class Adam:
    """Steps of Kingma and Ba, *Adam*, arXiv 1412.6980, upward, with rates that decay; rows can be left out."""

    def __init__(self, parameters: Tensor, rates: Tensor) -> None:
        self.first, self.second = torch.zeros_like(parameters), torch.zeros_like(parameters)
        self.rates = rates
        self.count = 0

    def keep(self, rows: Tensor) -> None:
        """Go on with some rows (a mask)."""
        self.first, self.second = self.first[rows], self.second[rows]

    def step(self, parameters: Tensor, gradient: Tensor) -> Tensor:
        """The parameters after one step, in [0, 1]."""
        self.first.lerp_(gradient, 1 - _FIRST_MOMENT)
        self.second.lerp_(gradient.square(), 1 - _SECOND_MOMENT)
        self.count += 1
        rate = _DECAY ** (self.count - 1) / (1 - _FIRST_MOMENT**self.count)
        size = (self.second / (1 - _SECOND_MOMENT**self.count)).sqrt_().add_(_TINY)
        return torch.addcdiv(parameters, self.first * self.rates, size, value=rate).clamp_(0.0, 1.0)


@dataclass(frozen=True, eq=False)
class Sides:
    """Forms over a value (rows, *shape) to be bounded below; the type of the parameters says in which precision."""

    exact: Tunable
    rough: Tunable
    value: int
    coef: Tensor

    def start(self) -> Tensor:
        """The first parameters in float32: (parameters,)."""
        return self.rough.start(self.value)

    def rates(self) -> Tensor:
        """The first step of each parameter: (parameters,)."""
        return self.rough.rates(self.value)

    def bounds(self, rows: Tensor, parameters: Tensor) -> Tensor:
        """Lower bounds of some rows: (rows,)."""
        tunable = self.exact if parameters.dtype == torch.float64 else self.rough
        return tunable.bounds(self.value, self.coef[rows].to(parameters.dtype), parameters)


def tighten(bounds: RegionBounds, place: int, left: Left) -> RegionBounds:
    """Bounds on one region of a batch whose boxes, where known, are never looser: a batch of one.

    Each operator gets an equal share of the time that is left when its turn comes.
    """
    network = one_region(bounds.linearised, place)
    waiting = len(network.relaxations)

    def improved(network: Linearised, value: int, box: Box, unstable: Tensor) -> Box:
        nonlocal waiting
        reserved = left() * (1 - 1 / waiting)
        waiting -= 1
        exact = Tunable.of(network)
        if not len(exact.start(value)):
            return box
        rough, size = exact.rough(), block_size(network.graph, value)
        return tightened(lambda coef: Sides(exact, rough, value, coef), box, unstable, size, lambda: left() > reserved)

    return RegionBounds(through(network, improved))


def through(network: Linearised, improved: Callable[[Linearised, int, Box, Tensor], Box]) -> Linearised:
    """The network with lines over better boxes, one operator after the other.

    ``improved`` (network so far, value, its box, which neurons matter) gives the box of an operator's input.
    """
    nodes = network.graph.nodes
    done: dict[int, Box] = {}
    for position in sorted(network.relaxations):
        old, op = network.relaxations[position], nodes[position].op
        if isinstance(old, BoxedLines):
            (source,) = nodes[position].inputs
            if source not in done:
                done[source] = improved(network, source, old.box, UNSTABLE[type(op)](op, old.box))
            lines = RELAXATIONS[type(op)](op, done[source])
            network = replace(network, relaxations={**network.relaxations, position: lines})
    return network


def tightened(sides_of: Callable[[Tensor], Sides], box: Box, unstable: Tensor, size: int, spare: Spare) -> Box:
    """A box tightened where neurons are unstable, by forms about both sides of as many as ``size`` allows at once.

    Those that reach farthest to both sides of 0 come first. ``sides_of`` (rows, *shape) gives what is bounded. The ends
    may cross where no point is left.
    """
    lower, upper = box.lower.flatten().clone(), box.upper.flatten().clone()
    neurons = unstable.flatten().nonzero().flatten()
    neurons = neurons[torch.minimum(-lower, upper)[neurons].argsort(descending=True)]
    for chosen in torch.split(neurons, max(1, _BLOCKS_AT_ONCE * size // 2)):
        if len(chosen) and spare():
            sides = sides_of(both_sides(chosen, box.lower.shape[1:]))
            width = upper[chosen] - lower[chosen]
            parameters = ascend(sides, width.float(), spare)
            with torch.no_grad():
                below, above = sides.bounds(torch.arange(2 * len(chosen)), parameters.double()).chunk(2)
            lower[chosen] = torch.maximum(lower[chosen], below)
            upper[chosen] = torch.minimum(upper[chosen], -above)
    return Box(lower.reshape(box.lower.shape), upper.reshape(box.upper.shape))


def both_sides(neurons: Tensor, shape: Sequence[int]) -> Tensor:
    """Forms (2 neurons, *shape) over a value of a shape: each neuron, then the opposite of each."""
    count = len(neurons)
    coef = torch.zeros(2 * count, prod(shape), dtype=torch.float64)
    coef[torch.arange(count), neurons] = 1.0
    coef[torch.arange(count, 2 * count), neurons] = -1.0
    return coef.reshape(-1, *shape)


def ascend(sides: Sides, width: Tensor, spare: Spare) -> Tensor:
    """The best parameters found for the two sides of neurons: (2 neurons, parameters).

    A neuron is left once a side shows it stable, a row once it hardly gains; ``width`` (neurons,) is the scale.
    """
    best = sides.start().repeat(2 * len(width), 1)
    best_bound = torch.full((len(best),), -torch.inf)
    last_check = best_bound.clone()
    active, parameters = torch.arange(len(best)), best
    adam = Adam(parameters, sides.rates())
    for step in range(ASCENT_STEPS):
        parameters = parameters.detach().requires_grad_()
        with torch.enable_grad():
            bound = sides.bounds(active, parameters)
            (gradient,) = torch.autograd.grad(bound.sum(), parameters)
        better = bound > best_bound[active]
        best_bound[active[better]] = bound.detach()[better]
        best[active[better]] = parameters.detach()[better]
        if not spare():
            break
        parameters = adam.step(parameters.detach(), gradient)
        if step % _CHECK_EVERY == _CHECK_EVERY - 1:
            stable = (best_bound.reshape(2, -1) > 0).any(0).repeat(2)
            gaining = best_bound - last_check > _LEAST_GAIN * width.repeat(2)
            last_check = best_bound.clone()
            keep = (gaining & ~stable)[active]
            active, parameters = active[keep], parameters[keep]
            adam.keep(keep)
            if not len(active):
                break
    return best


def one_region(network: Linearised, place: int) -> Linearised:
    """One region of a batch, as a batch of one."""

    def one(values: Tensor) -> Tensor:
        return values[place : place + 1]

    return Linearised(
        network.graph,
        Box(one(network.input.lower), one(network.input.upper)),
        {p: mapped(one, relaxation) for p, relaxation in network.relaxations.items()},
        [None if slack is None else one(slack) for slack in network.slack],
        one(network.input_slack),
    )


def _rough(network: Linearised) -> Linearised:
    return Linearised(
        network.graph.to(torch.float32),
        Box(in_float32(network.input.lower), in_float32(network.input.upper)),
        {p: mapped(in_float32, relaxation) for p, relaxation in network.relaxations.items()},
        [None] * len(network.slack),
        torch.zeros(1),
    )
