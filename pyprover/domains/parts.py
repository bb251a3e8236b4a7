"""Parts of regions: their analysis starts from what holds in the parts that hold them, and ends in lines to be tuned.

A part lies inside its parent, so the parent's boxes hold in it too. Lower slopes of unstable ReLUs may be any between
the two slopes of the ReLU (alpha in Xu et al., *Fast and complete*, arXiv 2011.13824): each row may have its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from math import prod
from typing import TypeVar

import torch
from torch import Tensor
from typing_extensions import override

from pyprover.domains.activations import BoxedLines
from pyprover.domains.analysis import Check, PartBounds, bound_parts
from pyprover.domains.base import TINY, Box
from pyprover.domains.companion import Companion
from pyprover.domains.interval import homogeneous
from pyprover.domains.linear import Linearised, rewrite
from pyprover.domains.relaxation import Lines, Relaxation, Rows, each_its_own
from pyprover.graph import Graph
from pyprover.ops import Relu

_R = TypeVar("_R", bound=Relaxation)

Known = Mapping[int, Box]
"""By value, boxes (parts, *shape) of what non-linear operators read."""


class _Inherited(Companion):
    """What is known of the parts already, and what the analysis makes of it."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self.learnt: dict[int, Box] = {}

    @override
    def tighten(self, value: int, box: Box) -> Box:
        known = self.known.get(value)
        if known is None:
            return box
        return Box(torch.maximum(box.lower, known.lower), torch.minimum(box.upper, known.upper))

    @override
    def learn(self, value: int, box: Box) -> None:
        self.learnt[value] = box

    @override
    def finish(self) -> Sequence[Linearised]:
        return ()


def analyse_parts(graph: Graph, parts: Box, known: Known, check: Check) -> tuple[PartBounds, Known]:
    """The linear analysis of parts (batch, *input_shape) of which boxes may be known, and the boxes found."""
    inherited = _Inherited(known)
    return bound_parts(graph, parts, check, inherited), inherited.learnt


@dataclass(frozen=True, eq=False)
class Tuned:
    """Bounds of forms over the outputs (rows,): ``form`` (rows, *input_shape) is the bounding form over the input."""

    value: Tensor
    form: Tensor


@dataclass(frozen=True, eq=False)
class PartRows:
    """The network once for each of several rows, ready to be bounded with lower slopes of the row's own.

    Neurons are those of all ReLUs, one node after the other.
    """

    network: Linearised

    @classmethod
    def of(cls, bounds: PartBounds, part: Tensor) -> PartRows:
        """Row r about part ``part[r]``."""
        return cls(bounds.linearised).only(part)

    def only(self, rows: Tensor) -> PartRows:
        """Some of the rows."""
        whole = self.network
        return PartRows(
            Linearised(
                whole.graph,
                Box(whole.input.lower[rows], whole.input.upper[rows]),
                {p: _taken(relaxation, rows) for p, relaxation in whole.relaxations.items()},
                [None if slack is None else slack[rows] for slack in whole.slack],
                whole.input_slack[rows],
            )
        )

    @cached_property
    def lines(self) -> Mapping[int, BoxedLines]:
        """The lines of ReLUs by node position."""
        nodes = self.network.graph.nodes
        found = sorted(self.network.relaxations.items())
        return {p: r for p, r in found if isinstance(nodes[p].op, Relu) and isinstance(r, BoxedLines)}

    @cached_property
    def unstable(self) -> Tensor:
        """Where lines of ReLUs are not exact: mask (rows, neurons), the nodes one after the other."""
        return self._joined([r.upper_slope != r.lower_slope for r in self.lines.values()]) > 0

    @cached_property
    def leak(self) -> Tensor:
        """The least slope of each neuron: (neurons,)."""
        nodes = self.network.graph.nodes
        ops = {p: nodes[p].op for p in self.lines}
        slopes = {p: op.slope for p, op in ops.items() if isinstance(op, Relu)}
        parts = [torch.full((1, prod(nodes[p].shape)), a, dtype=torch.float64) for p, a in slopes.items()]
        return self._joined(parts)

    def slopes(self) -> Tensor:
        """The lower slopes of the analysis: (rows, neurons)."""
        return self._joined([r.lower_slope for r in self.lines.values()])

    def chords(self) -> tuple[Tensor, Tensor]:
        """Slopes and offsets of the upper lines, each (rows, neurons)."""
        lines = self.lines.values()
        return self._joined([r.upper_slope for r in lines]), self._joined([r.upper_offset for r in lines])

    def interval_costs(self, by_slope: Tensor, by_offset: Tensor) -> Tensor:
        """By how much a bound would rise if a neuron's interval shrank to a point, to first order: (rows, neurons).

        From the gradients of the bound in the slope and the offset of its upper line, over [l, u] of width w: these
        are ``(u - a l) / w`` and ``(a - 1) l u / w``, where a is the leak.
        """
        lower, upper = (self._joined([getattr(r, side) for r in self.lines.values()]) for side in ("lower", "upper"))
        cost = by_slope * (upper + lower) - by_offset * (upper.square() + lower.square())
        return torch.where(self.unstable, (1 - self.leak) * cost / (2 * (upper - lower)), 0.0)

    def _joined(self, parts: Sequence[Tensor]) -> Tensor:
        rows = len(parts[0]) if parts else len(self.network.input.lower)
        return torch.cat([torch.zeros(rows, 0, dtype=torch.float64), *(part.flatten(1) for part in parts)], 1)

    def bounds(self, coef: Tensor, slopes: Tensor, chords: tuple[Tensor, Tensor]) -> Tuned:
        """Lower bounds of forms over the outputs (rows, outputs), rounding included, with lower slopes (rows, neurons).

        Differentiable in all; ``chords`` are those of the analysis, and arguments for that.
        """
        relaxations: dict[int, Relaxation] = dict(self.network.relaxations)
        sizes = [lines.lower_slope[0].numel() for lines in self.lines.values()]
        tuned = zip(*(torch.split(values, sizes, 1) for values in (slopes, *chords)), strict=True)
        for (position, lines), (lower, upper, offset) in zip(self.lines.items(), tuned, strict=True):
            shape = lines.lower_slope.shape
            relaxations[position] = replace(
                lines,
                lower_slope=lower.reshape(shape),
                upper_slope=upper.reshape(shape),
                upper_offset=offset.reshape(shape),
            )
        network = replace(self.network, relaxations=relaxations)
        places, box = each_its_own(len(coef)), network.input
        form, constant = rewrite(network, network.graph.output, Rows(places, coef))
        value = constant + places.dot(form, box.centre) - places.dot(form.abs(), box.radius)
        return Tuned(torch.where(value.isnan(), -torch.inf, value), form.detach())

    def shares(self) -> Tensor:
        """Which part of each neuron's interval each feature makes up: (rows, features, neurons), with sums of 1.

        In proportion to the change of the neuron's input when the feature alone goes from end to end.
        """
        graph, radius = self.network.graph, self.network.input.radius.flatten(1)
        rows, features = radius.shape
        values: list[Tensor] = [radius.diag_embed().reshape(-1, *graph.input_shape)]
        found = [radius.new_zeros(rows, features, 0)]
        for position, node in enumerate(graph.nodes):
            sources = [values[v] for v in node.inputs]
            if position in self.lines:
                box = self.lines[position].box
                width = (box.upper - box.lower).flatten(1).clamp(min=TINY)
                found.append(2 * sources[0].abs().reshape(rows, features, -1) / width[:, None])
            relaxation = self.network.relaxations.get(position)
            if isinstance(relaxation, Lines):
                values.append(sources[0] * relaxation.upper_slope.repeat_interleave(features, 0))
            else:
                values.append(homogeneous(node.op).forward(*sources))
        return torch.cat(found, 2)


def _taken(relaxation: _R, rows: Tensor) -> _R:
    """The part of a relaxation that some regions of its batch have, in this order."""
    values = {f.name: getattr(relaxation, f.name) for f in fields(relaxation)}  # type: ignore[arg-type]
    changed = {name: value[rows] for name, value in values.items() if isinstance(value, Tensor)}
    return replace(relaxation, **changed)  # type: ignore[type-var]
