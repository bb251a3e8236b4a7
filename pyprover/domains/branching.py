"""Sub-problems of a region: some ReLUs are held active or inactive, the others keep the lines of the whole region.

A held ReLU is linear, and its condition ``s x >= 0`` (s = 1 active, -1 inactive) enters a lower bound with a
multiplier: for every beta >= 0 the least of ``f`` where the condition holds is at least the least of ``f - beta s x``
over the region. Wang et al., *Beta-CROWN*, arXiv 2103.06624. Lower slopes of the others may be any between the two
slopes of the ReLU. Bounds of a sub-problem hold there and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TypeVar

import torch
from torch import Tensor
from typing_extensions import override

from pyprover.domains.analysis import RegionBounds
from pyprover.domains.base import Box
from pyprover.domains.linear import Linearised, rewrite
from pyprover.domains.relaxation import Lines, Places, Relaxation, Rows
from pyprover.ops import Relu

_R = TypeVar("_R", bound=Relaxation)


@dataclass(frozen=True, eq=False)
class HeldLines(Relaxation):
    """Lines of which some stand under a condition: ``multiplier`` is ``beta s``, (batch, *shape) as the lines."""

    lines: Lines
    multiplier: Tensor

    @property
    @override
    def magnitude(self) -> Tensor:
        return self.lines.magnitude

    @override
    def substitute(self, rows: Rows) -> tuple[Tensor, Tensor]:
        form, constant = self.lines.substitute(rows)
        return form - rows.places.of(self.multiplier), constant


@dataclass(frozen=True, eq=False)
class Choice:
    """What distinguishes sub-problems, each (sub-problems, neurons) over the neurons that can be held.

    ``phase``: 1 active, -1 inactive, 0 not held. ``slope``: lower slopes of those not held. ``multiplier``: the beta
    >= 0 of those held. ``offset``: upper offsets, those of the region where not held and 0 where held; the gradient
    of a bound with respect to it is what the ReLU's upper line costs.
    """

    phase: Tensor
    slope: Tensor
    multiplier: Tensor
    offset: Tensor


@dataclass(frozen=True, eq=False)
class _Layer:
    """The unstable neurons of one node: their flat places in its value, and their part of a choice."""

    position: int
    leak: float
    places: Tensor
    part: slice


class Branching:
    """One region of a batch, ready to be split at its unstable ReLUs."""

    def __init__(self, bounds: RegionBounds, place: int) -> None:
        self.network = bounds.linearised
        self.place = place
        self.layers: list[_Layer] = []
        count = 0
        for position, relaxation in sorted(self.network.relaxations.items()):
            op = self.network.graph.nodes[position].op
            if isinstance(op, Relu) and isinstance(relaxation, Lines):
                places = relaxation.upper_offset[place].flatten().nonzero().flatten()
                self.layers.append(_Layer(position, op.slope, places, slice(count, count + len(places))))
                count += len(places)
        self.neurons = count
        leaks = [torch.full((len(layer.places),), layer.leak, dtype=torch.float64) for layer in self.layers]
        self.leak = torch.cat(leaks or [torch.zeros(0, dtype=torch.float64)])

    def root(self) -> Choice:
        """The region itself, as one sub-problem in which nothing is held."""
        slope, offset = self._gather("lower_slope"), self._gather("upper_offset")
        nothing = torch.zeros(1, self.neurons, dtype=offset.dtype)
        return Choice(nothing, slope, nothing, offset)

    def _gather(self, name: str) -> Tensor:
        parts = [self._lines(layer).__dict__[name][self.place].flatten()[layer.places] for layer in self.layers]
        return torch.cat([torch.zeros(0, dtype=torch.float64), *parts])[None]

    def _lines(self, layer: _Layer) -> Lines:
        lines = self.network.relaxations[layer.position]
        assert isinstance(lines, Lines)
        return lines

    def bounds(self, coef: Tensor, choice: Choice) -> tuple[Tensor, Tensor]:
        """Lower bounds (rows,) of forms over the outputs (rows, outputs), row r in sub-problem r.

        With the corner of the region (rows, *input_shape) where each is least. Differentiable in all but the phases.
        """
        count = len(coef)
        network = self._sub_problems(choice, count)
        rows = Rows(Places(torch.arange(count)), coef)
        form, constant = rewrite(network, network.graph.output, rows)
        box = network.input
        bound = constant + rows.places.dot(form, box.centre) - rows.places.dot(form.abs(), box.radius)
        return bound, torch.where(form.detach() > 0, box.lower, box.upper)

    def _sub_problems(self, choice: Choice, count: int) -> Linearised:
        """The network over the region, once for each sub-problem."""
        whole = self.network
        relaxations = {p: _repeated(r, self.place, count) for p, r in whole.relaxations.items()}
        for layer in self.layers:
            relaxations[layer.position] = self._held(layer, choice, relaxations[layer.position])

        def one(values: Tensor) -> Tensor:
            return values[self.place].expand(count, *values.shape[1:])

        return Linearised(
            whole.graph,
            Box(one(whole.input.lower), one(whole.input.upper)),
            relaxations,
            [None if slack is None else one(slack) for slack in whole.slack],
            one(whole.input_slack),
        )

    def _held(self, layer: _Layer, choice: Choice, lines: Relaxation) -> HeldLines:
        assert isinstance(lines, Lines)
        phase = choice.phase[:, layer.part]
        fixed = torch.where(phase > 0, 1.0, layer.leak).to(phase.dtype)

        def placed(old: Tensor, new: Tensor) -> Tensor:
            return old.flatten(1).index_copy(1, layer.places, new).reshape(old.shape)

        free = lines.upper_slope.flatten(1)[:, layer.places]
        changed = replace(
            lines,
            lower_slope=placed(lines.lower_slope, torch.where(phase == 0, choice.slope[:, layer.part], fixed)),
            upper_slope=placed(lines.upper_slope, torch.where(phase == 0, free, fixed)),
            upper_offset=placed(lines.upper_offset, choice.offset[:, layer.part]),
        )
        multiplier = placed(torch.zeros_like(lines.upper_slope), choice.multiplier[:, layer.part] * phase)
        return HeldLines(changed, multiplier)


def _repeated(relaxation: _R, place: int, count: int) -> _R:
    """A relaxation over one region of its batch, as often as there are sub-problems."""
    values = {f.name: getattr(relaxation, f.name) for f in fields(relaxation)}  # type: ignore[arg-type]
    changed = {
        name: value[place].expand(count, *value.shape[1:])
        for name, value in values.items()
        if isinstance(value, Tensor)
    }
    return replace(relaxation, **changed)  # type: ignore[type-var]
