"""Reduced products: domains that go through a network together, and bound forms over its outputs each on its own.

At each non-linear step the boxes of what it reads are intersected, and every domain relaxes the step over the result.
Over the outputs the better of their bounds counts, form by form. Cousot and Cousot, *Systematic design of program
analysis frameworks*, POPL 1979, section 10.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar, final

import torch
from torch import Tensor
from typing_extensions import override

from pyprover.domains import interval
from pyprover.domains.affine_image import linearised
from pyprover.domains.base import Box, gamma
from pyprover.domains.companion import Companion
from pyprover.domains.linear import Linearised, rewrite
from pyprover.domains.planned import Planned
from pyprover.domains.relaxation import Relaxation, Rows
from pyprover.graph import Graph, Node, Operator, Shape


@final
class Zonotopes(Companion):
    """Plain zonotopes of one batch of regions, relaxed over the best boxes."""

    def __init__(self, graph: Graph, region: Box, check: Callable[[], None]) -> None:
        self._propagation = Planned(graph, region, check)
        self._output = graph.output

    @override
    def tighten(self, value: int, box: Box) -> Box:
        own = self._propagation.value(value).box
        return Box(torch.maximum(box.lower, own.lower), torch.minimum(box.upper, own.upper))

    @override
    def learn(self, value: int, box: Box) -> None:
        self._propagation.learn(value, box)

    @override
    def finish(self) -> Sequence[Linearised]:
        outputs = linearised([self._propagation.value(self._output)])
        return (replace(outputs, noise=(self._propagation.use(),) * len(outputs.input.lower)),)


def with_intervals(graph: Graph, region: Box, companion: Companion) -> Linearised:
    """A domain alone: its boxes intersected with intervals, step by step."""
    boxes = [region]
    for node in graph.nodes:
        if not node.op.linear:
            (source,) = node.inputs
            boxes[source] = companion.tighten(source, boxes[source])
            companion.learn(source, boxes[source])
        boxes.append(interval.step(node.op, tuple(boxes[value] for value in node.inputs)))
    return meet(companion.finish())


@dataclass(frozen=True, eq=False)
class _Either(Operator):
    """Stands for several networks that compute the same outputs; its input is theirs, one after the other."""

    linear: ClassVar[bool] = False
    parts: tuple[Graph, ...]

    @property
    def widths(self) -> list[int]:
        """How many features each network has."""
        return [prod(part.input_shape) for part in self.parts]

    @override
    def shape(self, *inputs: Shape) -> Shape:
        if inputs != ((sum(self.widths),),):
            raise ValueError(f"{sum(self.widths)} features do not fit the shapes {inputs}")
        return (self.parts[0].outputs,)

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        part = self.parts[0]
        return part.forward(inputs[0][:, : self.widths[0]].reshape(-1, *part.input_shape))


@dataclass(frozen=True, eq=False)
class _Best(Relaxation):
    """Of several analyses of the same regions, for each form the one with the better bound."""

    parts: tuple[Linearised, ...]

    @property
    @override
    def magnitude(self) -> Tensor:
        return torch.zeros(len(self.parts[0].input.lower), dtype=self.parts[0].input.lower.dtype)

    @override
    def substitute(self, rows: Rows) -> tuple[Tensor, Tensor]:
        forms, constants, bounds = [], [], []
        for part in self.parts:
            form, constant = rewrite(part, part.graph.output, rows)
            box = part.input
            least = constant + rows.places.dot(form, box.centre) - rows.places.dot(form.abs(), box.radius)
            forms.append(form.flatten(1))
            constants.append(constant)
            bounds.append(torch.where(least.isnan(), -torch.inf, least).detach())
        best = torch.stack(bounds).argmax(0)
        forms = [torch.where((best == k)[:, None], form, 0.0) for k, form in enumerate(forms)]
        return torch.cat(forms, dim=1), torch.stack(constants).gather(0, best[None])[0]


def meet(parts: Sequence[Linearised]) -> Linearised:
    """Several analyses of the same regions as one, over their inputs side by side; at least one."""
    if len(parts) == 1:
        return parts[0]
    op = _Either(tuple(part.graph for part in parts))
    lower, upper = (
        torch.cat([side.flatten(1) for side in sides], dim=1)
        for sides in zip(*((part.input.lower, part.input.upper) for part in parts), strict=True)
    )
    box = Box(lower, upper)
    graph = Graph((lower.shape[1],), (Node(op, (0,), (parts[0].graph.outputs,), "product"),))
    slack = gamma(2 * lower.shape[1] + 8, lower.dtype) * box.size.amax(1)
    output_slack = torch.stack([part.output_slack for part in parts]).amax(0)
    noise = tuple(use for part in parts for use in part.noise)
    return Linearised(graph, box, {0: _Best(tuple(parts))}, [output_slack], slack, noise)


def parts_of(network: Linearised) -> tuple[Linearised, ...]:
    """The analyses that meet in one; itself when it is no product."""
    best = network.relaxations.get(0)
    return best.parts if isinstance(best, _Best) else (network,)
