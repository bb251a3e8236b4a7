"""Boxes of sub-problems, narrowed to where a case holds: in the half-space that the bound of the case leaves.

A sub-problem whose bound ``b < 0`` is the least value of a form ``a x + c`` over the region can hold a counterexample
only where ``a x + c <= 0``. When the bound is near 0, that is little of the region: a corner. For every gamma >= 0 the
least of ``f x + k``, a lower bound of a neuron, is there at least that of ``f x + k + gamma (a x + c)`` over the whole
region. Narrower boxes lift the bound, which narrows boxes; what a sub-problem has found holds for its halves.

This is what INVPROP does before anything is split (Kotha et al., *Provably bounding neural network preimages*, arXiv
2302.01404). In a sub-problem gamma alone is searched for. The forms of neurons hold in the region, and are tuned for a
half-space like those of the sub-problems at hand: that is as good as forms of each sub-problem's own, nearly.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor
from typing_extensions import override

from pyprover.domains.activations import BoxedLines
from pyprover.domains.base import Box, gamma
from pyprover.domains.branching import Bounded, Branching, Layer
from pyprover.domains.linear import block_size
from pyprover.domains.optimised import ASCENT_STEPS, Sides, Spare, Tunable, ascend, both_sides

_READS = 40_000
_LEAST = 8
"""In each layer of each sub-problem, the neurons whose upper lines cost most: as many as together read so much."""

_FACTORS = (3.0, 8.0, 24.0)
"""Multipliers tried, where 1 makes both forms equally large over the region: most often the best is among these."""

_REACH = 40.0
_FIRST = 0.15
_RATE = 0.1
"""The largest multiplier that forms are tuned with, in the same unit; the part of it to begin with, and its steps."""

_MOST_VALUES = 1 << 24
"""Layers whose forms have more coefficients, before those that are 0 are left out, are left as they are: 64 MiB."""

_VALUES_AT_ONCE = 1 << 19
"""Coefficients that are combined at once: 2 MiB, which stay in the cache."""

_UNDERFLOW = 1e-37
"""More than all that float32 loses by underflow in one sum."""


class Narrowing:
    """What narrows the boxes of the sub-problems of a region that are about one case.

    ``typical``: bounds of some of the sub-problems; the forms of neurons are tuned to the half-space that these leave
    on average, and hold everywhere. Layers whose forms do not fit into ``most_bytes`` are left as they are, the first
    ones before the last. ``spare`` says whether there is time to tune.
    """

    def __init__(self, branching: Branching, typical: Bounded, most_bytes: int, spare: Spare) -> None:
        self.input = branching.box
        self.layers: list[tuple[Layer, _Forms]] = []
        half_space = _HalfSpaces.of(typical, self.input).mean()
        for layer in reversed(branching.layers[torch.float64]):
            forms = None if layer.boxed is None else _Forms.of(branching, layer, half_space, spare)
            if forms is not None and forms.bytes <= most_bytes:
                most_bytes -= forms.bytes
                self.layers.append((layer, forms))

    @staticmethod
    def work(branching: Branching) -> int:
        """About how many evaluations of sub-problems tuning costs."""
        return 2 * ASCENT_STEPS * branching.boxes.lower.shape[1]

    def narrow(self, phase: Tensor, box: Box, bounded: Bounded) -> tuple[Tensor, Box, Tensor]:
        """Phases and boxes where the case holds, and where nothing is left: mask (sub-problems,).

        ``phase`` (sub-problems, neurons) int8 and ``box`` (sub-problems, boxed) float32 as in
        `pyprover.domains.branching`; ``bounded``: the sub-problems' bounds, in float64. Neurons that turn out to be
        stable are held.
        """
        half_spaces = _HalfSpaces.of(bounded, self.input)
        phase, lower, upper = phase.clone(), box.lower.clone(), box.upper.clone()
        for layer, forms in self.layers:
            assert layer.boxed is not None
            most = max(_LEAST, _READS // forms.index.shape[1])
            chosen = bounded.cost[:, layer.part].topk(min(most, len(layer.places)), dim=1, largest=False).indices
            least = half_spaces.least(forms, chosen)
            below, above = lower[:, layer.boxed], upper[:, layer.boxed]
            below.scatter_reduce_(1, chosen, least[..., 0], "amax")
            above.scatter_reduce_(1, chosen, -least[..., 1], "amin")
            stable = torch.where(below >= 0, 1, torch.where(above <= 0, -1, 0)).to(phase.dtype)
            part = phase[:, layer.part]
            part.copy_(torch.where(part == 0, stable, part))
        return phase, Box(lower, upper), (lower > upper).any(1)


@dataclass(frozen=True, eq=False)
class _HalfSpaces:
    """Where a form is at most 0, one in each sub-problem, in float32.

    Inputs are counted from the centre of the region in units of its radius. ``coef`` (rows, inputs), ``size`` (rows,)
    their sums of absolute values, ``bound`` (rows,) the least of each form.
    """

    coef: Tensor
    size: Tensor
    bound: Tensor

    @classmethod
    def of(cls, bounded: Bounded, box: Box) -> _HalfSpaces:
        coef = (bounded.form.flatten(1) * box.radius.flatten()).float()
        return cls(coef, coef.abs().sum(1), bounded.value.float())

    def mean(self) -> _HalfSpaces:
        coef = self.coef.mean(0, keepdim=True)
        return _HalfSpaces(coef, coef.abs().sum(1), self.bound.mean(0, keepdim=True))

    def least(self, forms: _Forms, chosen: Tensor) -> Tensor:
        """Lower bounds of the forms about chosen neurons (rows, chosen): (rows, chosen, 2), rounding included."""
        rows = max(1, _VALUES_AT_ONCE // (chosen.shape[1] * forms.coef[0].numel()))
        parts = [slice(first, first + rows) for first in range(0, len(chosen), rows)]
        return torch.cat([self._only(part)._least(forms, chosen[part]) for part in parts])

    def _only(self, rows: slice) -> _HalfSpaces:
        return _HalfSpaces(self.coef[rows], self.size[rows], self.bound[rows])

    def _least(self, forms: _Forms, chosen: Tensor) -> Tensor:
        """Of some rows.

        What is read from float64 differs from that by a unit of float32, which the term for sums covers: twice as many
        are counted as there are.
        """
        coef, constant = forms.coef[chosen], forms.constant[chosen]
        own = self.coef.gather(1, forms.index[chosen].flatten(1)).reshape(*chosen.shape, 1, -1)
        size, reached = coef.abs().sum(3), own.abs().sum(3)
        bound, scale = self.bound[:, None, None], size / self.size[:, None, None]
        terms = gamma(2 * (coef.shape[3] + 16), torch.float32)
        best = constant - size - terms * (constant.abs() + size) - _UNDERFLOW
        for factor in _FACTORS:
            multiplier = factor * scale
            joint = torch.addcmul(coef, own, multiplier[..., None]).abs_().sum(3)
            used = constant.abs() + size + multiplier * (bound.abs() + reached)
            value = constant + multiplier * (bound + reached) - joint - terms * used - _UNDERFLOW * (1 + multiplier)
            best = torch.where(value > best, value, best)
        return best.nan_to_num(nan=-torch.inf, posinf=-torch.inf)


@dataclass(frozen=True, eq=False)
class _Forms:
    """Forms below the neurons of a layer and below their opposites, in float32, over the inputs that they read.

    Inputs are counted as in `_HalfSpaces`: ``coef`` (neurons, 2, reads), ``constant`` (neurons, 2); ``index`` (neurons,
    reads) are places in the flat input.
    """

    index: Tensor
    coef: Tensor
    constant: Tensor

    @property
    def bytes(self) -> int:
        """What they take."""
        return self.index.nbytes + self.coef.nbytes + self.constant.nbytes

    @classmethod
    def of(cls, branching: Branching, layer: Layer, half_space: _HalfSpaces, spare: Spare) -> _Forms | None:
        """Those of a layer, with the lines that bound best in a half-space; ``None`` when they are too many."""
        network = branching.networks[torch.float64]
        (source,) = network.graph.nodes[layer.position].inputs
        features = prod(network.graph.input_shape)
        if 2 * len(layer.places) * features > _MOST_VALUES:
            return None
        lines = network.relaxations[layer.position]
        assert isinstance(lines, BoxedLines)
        exact = Tunable.of(network)
        rough, width = exact.rough(), (lines.upper - lines.lower).flatten().float()
        coefs, constants = [], []
        for places in torch.split(layer.places, max(1, 2 * block_size(network.graph, source))):
            sides = _SidesBehind(exact, rough, source, both_sides(places, network.graph.shapes[source]), half_space)
            parameters = ascend(sides, width[places], spare)
            with torch.no_grad():
                coef, constant = sides.forms(torch.arange(2 * len(places)), parameters.double())
            coefs.append(coef.float().reshape(2, len(places), features).transpose(0, 1))
            constants.append(constant.float().reshape(2, len(places)).T)
        coef = torch.cat(coefs)
        read = (coef != 0).any(1)
        index = read.byte().argsort(1, descending=True)[:, : int(read.sum(1).amax())]
        return cls(index, coef.gather(2, index[:, None].expand(-1, 2, -1)), torch.cat(constants))


@dataclass(frozen=True, eq=False)
class _SidesBehind(Sides):
    """Forms bounded in a half-space; the last parameter is its multiplier, in units of ``_REACH``."""

    half_space: _HalfSpaces

    @override
    def start(self) -> Tensor:
        return torch.cat([super().start(), torch.tensor([_FIRST])])

    @override
    def rates(self) -> Tensor:
        return torch.cat([super().rates(), torch.tensor([_RATE])])

    def forms(self, rows: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Forms over the input, counted as in `_HalfSpaces` (rows, inputs), and constants (rows,)."""
        tunable = self.exact if parameters.dtype == torch.float64 else self.rough
        form, constant = tunable.forms(self.value, self.coef[rows].to(parameters.dtype), parameters[:, :-1])
        box = tunable.network.input
        return form.flatten(1) * box.radius.flatten(), constant + form.flatten(1) @ box.centre.flatten()

    @override
    def bounds(self, rows: Tensor, parameters: Tensor) -> Tensor:
        coef, constant = self.forms(rows, parameters)
        behind = self.half_space
        scale = _REACH * coef.detach().abs().sum(1) / behind.size
        multiplier = parameters[:, -1] * scale
        joint = (coef + multiplier[:, None] * behind.coef).abs().sum(1)
        return constant + multiplier * (behind.bound + behind.size) - joint
