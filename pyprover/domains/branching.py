"""Sub-problems of a region: some ReLUs are held active or inactive, the others keep the lines of the whole region.

A held ReLU is linear, and its condition ``s x >= 0`` (s = 1 active, -1 inactive) enters a lower bound with a
multiplier: for every beta >= 0 the least of ``f`` where the condition holds is at least the least of ``f - beta s x``
over the region. Wang et al., *Beta-CROWN*, arXiv 2103.06624. Lower slopes of the others may be any between the two
slopes of the ReLU. Bounds of a sub-problem hold there and nowhere else.

What distinguishes sub-problems are two tensors (sub-problems, neurons) over the neurons that are unstable in the
region. ``phase``: 1 active, -1 inactive, 0 not held. ``value``: the lower slope of those not held, the multiplier beta
>= 0 of those held. Sub-problems may also have boxes of their own for neurons behind the first layer of ReLUs
(`pyprover.domains.narrowing`): two more tensors, the ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from pyprover.domains.activations import BoxedLines
from pyprover.domains.analysis import RegionBounds
from pyprover.domains.base import Box, gamma
from pyprover.domains.linear import Linearised, rewrite
from pyprover.domains.relaxation import Lines, Places, Relaxation, Rows
from pyprover.graph import Graph
from pyprover.ops import Relu
from pyprover.rounding import down32, up32

_R = TypeVar("_R", bound=Relaxation)


@dataclass(frozen=True, eq=False)
class Layer:
    """The unstable neurons of one ReLU node.

    ``places`` are their flat places in its value, ``part`` their part of what is known of all neurons, ``boxed`` that
    of the boxes of sub-problems, when there are any. ``chord`` and ``offset`` make their upper lines, ``size`` bounds
    their |x|; ``slopes`` (1, values) are those of all other neurons.
    """

    position: int
    leak: float
    places: Tensor
    part: slice
    chord: Tensor
    offset: Tensor
    size: Tensor
    slopes: Tensor
    boxed: slice | None = None

    def upper_lines(self, box: Box) -> tuple[Tensor, Tensor]:
        """Slopes and offsets over boxes of all boxed neurons (rows, boxed): each (rows, neurons), or (neurons,)."""
        if self.boxed is None:
            return self.chord, self.offset
        lower, upper = (side[:, self.boxed].to(self.chord.dtype) for side in (box.lower, box.upper))
        least = torch.finfo(lower.dtype).tiny  # where it matters, the neuron is held
        chord = (upper - self.leak * lower) / (upper - lower).clamp(min=least)
        return chord, lower * (self.leak - chord)


class _Held(torch.autograd.Function):
    """The forms over a ReLU's input for forms over its value, and their constants; see ``HeldLines``."""

    @staticmethod
    def forward(ctx: Any, coef: Tensor, value: Tensor, lines: HeldLines) -> tuple[Tensor, Tensor]:
        layer = lines.layer
        form = coef * layer.slopes
        some = coef[:, layer.places]
        positive = some.clamp(min=0)
        negative = some - positive
        lower = torch.where(lines.free, value, lines.upper)
        part = torch.addcmul(negative * lines.upper, positive, lower)
        form[:, layer.places] = part.addcmul_(value, lines.phase, value=-1)
        ctx.lines = lines
        ctx.save_for_backward(some, lower)
        lines.costs.append(negative * lines.offset)
        return form, lines.costs[-1].sum(1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        form_grad, constant_grad = gradients
        lines: HeldLines = ctx.lines
        some, lower = ctx.saved_tensors
        back = form_grad * lines.layer.slopes
        part = form_grad[:, lines.layer.places]
        positive = some > 0
        slope = torch.where(positive, lower, lines.upper)
        offset = torch.where(positive, 0.0, lines.offset)
        back[:, lines.layer.places] = torch.addcmul(part * slope, constant_grad[:, None], offset)
        return back, part * torch.where(lines.free, some.clamp(min=0), -lines.phase), None


@dataclass(frozen=True, eq=False)
class HeldLines(Relaxation):
    """The lines of one ReLU node, row r in sub-problem r; all tensors (sub-problems, neurons of the layer).

    ``upper`` and ``offset`` make the upper lines, 1 or the leak and 0 where held; ``free`` tells where not held.
    ``costs`` receives what the upper lines cost each row.
    """

    layer: Layer
    phase: Tensor
    free: Tensor
    upper: Tensor
    offset: Tensor
    value: Tensor
    costs: list[Tensor]

    @classmethod
    def of(cls, layer: Layer, phase: Tensor, box: Box) -> HeldLines:
        """The lines for some phases and boxes, without values yet."""
        phase = phase[:, layer.part].to(layer.chord.dtype)
        free = phase == 0
        fixed = torch.where(phase > 0, torch.ones_like(phase), layer.leak)
        chord, offset = layer.upper_lines(box)
        return cls(layer, phase, free, torch.where(free, chord, fixed), torch.where(free, offset, 0.0), phase, [])

    @property
    @override
    def magnitude(self) -> Tensor:
        raise NotImplementedError("the rounding of held lines is counted by Branching")

    @override
    def substitute(self, rows: Rows) -> tuple[Tensor, Tensor]:
        form, constant = _Held.apply(rows.coef.flatten(1), self.value, self)  # type: ignore[no-untyped-call]
        if rows.coef.dtype == torch.float64:  # the products and differences with multipliers are rounded, too
            moved = (self.value * self.phase).abs() @ self.layer.size
            constant = constant - gamma(8, torch.float64) * moved
        return form.reshape(rows.coef.shape), constant


@dataclass(frozen=True, eq=False)
class Bounded:
    """Lower bounds of forms over the outputs, row r in sub-problem r.

    ``value`` (rows,); ``form`` (rows, *input_shape), the bounding form over the input, whose least value over the
    region that is; ``cost`` (rows, neurons), by how much the upper line of each neuron lowers the bound, at most 0.
    """

    value: Tensor
    form: Tensor
    cost: Tensor


class Branching:
    """One region of a batch, ready to be split at its unstable ReLUs.

    ``slope`` (neurons,) float32: the lower slopes to begin with. ``boxes`` (1, boxed) float32: what is known of the
    neurons that may get boxes of their own: with ``boxed``, all behind the first layer of ReLUs, otherwise none.
    Bounds come in the type of the forms asked about: those in float64 cover rounding, those in float32 do not.
    """

    def __init__(
        self,
        bounds: RegionBounds,
        place: int,
        graph32: Graph,
        *,
        boxed: bool = False,
    ) -> None:
        whole = bounds.linearised
        self.bounds, self.place = bounds, place
        self.layers: dict[torch.dtype, list[Layer]] = {}
        self.networks: dict[torch.dtype, Linearised] = {}
        layers = _layers(whole, place)
        if boxed:
            layers = _with_boxes(layers, whole)
        for graph, dtype in ((whole.graph, torch.float64), (graph32, torch.float32)):
            lines = {p: _taken(r, place, dtype) for p, r in whole.relaxations.items()}
            box = Box(*(side[place : place + 1].to(dtype) for side in (whole.input.lower, whole.input.upper)))
            slack: list[Tensor | None] = [None] * len(whole.slack)
            input_slack = torch.zeros(1, dtype=dtype)
            if dtype == torch.float64:
                slack, input_slack = _slack(whole, place, layers), whole.input_slack[place : place + 1]
            self.layers[dtype] = [_converted(layer, dtype) for layer in layers]
            self.networks[dtype] = Linearised(graph, box, lines, slack, input_slack)
        self.neurons = sum(len(layer.places) for layer in layers)
        self.leak = torch.cat([torch.zeros(0), *(_leaks(layer) for layer in layers)])
        self.slope = torch.cat([torch.zeros(0), *(self._slope(layer) for layer in layers)]).maximum(self.leak)
        ends = [self._ends(layer) for layer in layers if layer.boxed is not None]
        self.boxes = Box(*(torch.cat([torch.zeros(1, 0), *(end[k] for end in ends)], 1) for k in (0, 1)))

    def _ends(self, layer: Layer) -> tuple[Tensor, Tensor]:
        """The boxes of a layer's neurons, outward in float32: each (1, neurons)."""
        lines = self.networks[torch.float64].relaxations[layer.position]
        assert isinstance(lines, BoxedLines)
        lower, upper = (side.flatten()[layer.places].numpy() for side in (lines.lower, lines.upper))
        return torch.from_numpy(down32(lower))[None], torch.from_numpy(up32(upper))[None]

    def _slope(self, layer: Layer) -> Tensor:
        lines = self.networks[torch.float32].relaxations[layer.position]
        assert isinstance(lines, Lines)
        return lines.lower_slope.flatten()[layer.places]

    @property
    def box(self) -> Box:
        """The region in float64, (1, *input_shape)."""
        return self.networks[torch.float64].input

    def phases(self, phase: Tensor) -> dict[int, Tensor]:
        """The phases (neurons,) of one sub-problem by node position, each over all values of the node, flat."""
        found = {}
        for layer in self.layers[torch.float64]:
            found[layer.position] = torch.zeros(layer.slopes.shape[1], dtype=torch.float64)
            found[layer.position][layer.places] = phase[layer.part].to(torch.float64)
        return found

    def held(self, phase: Tensor, dtype: torch.dtype, box: Box | None = None) -> Held:
        """Sub-problems with phases (sub-problems, neurons) and boxes (sub-problems, boxed)."""
        lines = [HeldLines.of(layer, phase, box or self.boxes) for layer in self.layers[dtype]]
        return Held(self.networks[dtype], lines)


@dataclass(frozen=True, eq=False)
class Held:
    """Sub-problems, by their phases."""

    network: Linearised
    lines: Sequence[HeldLines]

    def bounds(self, coef: Tensor, value: Tensor) -> Bounded:
        """Lower bounds of forms over the outputs (sub-problems, outputs), with values (sub-problems, neurons).

        Differentiable in both, but for the costs.
        """
        whole = self.network
        costs: list[list[Tensor]] = []
        relaxations = dict(whole.relaxations)
        for lines in self.lines:
            costs.append([])
            relaxations[lines.layer.position] = replace(lines, value=value[:, lines.layer.part], costs=costs[-1])
        network = Linearised(whole.graph, whole.input, relaxations, whole.slack, whole.input_slack)
        rows = Rows(Places(torch.zeros(len(coef), dtype=torch.int64)), coef)
        form, constant = rewrite(network, network.graph.output, rows)
        box = network.input
        bound = constant + rows.places.dot(form, box.centre) - rows.places.dot(form.abs(), box.radius)
        seen = [c[0] if c else torch.zeros_like(p.upper) for c, p in zip(costs, self.lines, strict=True)]
        cost = torch.cat([coef.new_zeros(len(coef), 0), *seen], 1).detach()
        return Bounded(torch.where(bound.isnan(), -torch.inf, bound), form.detach(), cost)


def _layers(network: Linearised, place: int) -> list[Layer]:
    """The ReLU nodes of which some neuron is unstable in a region."""
    layers, count = [], 0
    for position, whole in sorted(network.relaxations.items()):
        op = network.graph.nodes[position].op
        if not (isinstance(op, Relu) and isinstance(whole, Lines) and whole.lower_offset is None):
            continue
        lines = _taken(whole, place, torch.float64)
        unstable = (lines.upper_offset != 0) | (lines.lower_slope != lines.upper_slope)
        places = unstable.flatten().nonzero().flatten()
        if not len(places):
            continue
        part = slice(count, count := count + len(places))
        chord, offset, size = (
            values.flatten()[places] for values in (lines.upper_slope, lines.upper_offset, lines.size)
        )
        layers.append(Layer(position, op.slope, places, part, chord, offset, size, lines.upper_slope.flatten(1)))
    return layers


def _with_boxes(layers: Sequence[Layer], network: Linearised) -> list[Layer]:
    """The layers, those whose sub-problems may have boxes marked: none where some box is not known."""
    first = min(network.relaxations)
    if not all(isinstance(network.relaxations[layer.position], BoxedLines) for layer in layers):
        return list(layers)
    found, count = [], 0
    for layer in layers:
        behind = slice(count, count + (len(layer.places) if layer.position > first else 0))
        found.append(replace(layer, boxed=behind if layer.position > first else None))
        count = behind.stop
    return found


def _leaks(layer: Layer) -> Tensor:
    """The least slope of each neuron in float32, rounded up: a lower slope below it is not sound."""
    return torch.full((len(layer.places),), float(up32(np.array([layer.leak]))[0]))


def _converted(layer: Layer, dtype: torch.dtype) -> Layer:
    names = ("chord", "offset", "size", "slopes")
    return replace(layer, **{name: getattr(layer, name).to(dtype) for name in names})


def _slack(whole: Linearised, place: int, layers: Sequence[Layer]) -> list[Tensor | None]:
    """The region's slack, with lower slopes of up to 1 in the layers that can be held."""
    slack = [None if values is None else values[place : place + 1] for values in whole.slack]
    for layer in layers:
        lines, known = whole.relaxations[layer.position], slack[layer.position]
        assert isinstance(lines, Lines)
        most = (lines.size[place] + lines.upper_offset[place].abs()).amax()
        slack[layer.position] = None if known is None else known * (most / lines.magnitude[place]).clamp(min=1)
    return slack


def _taken(relaxation: _R, place: int, dtype: torch.dtype) -> _R:
    """The part of a relaxation that is about one region of its batch."""

    def one(values: Tensor) -> Tensor:
        part = values[place : place + 1]
        return part.to(dtype) if part.is_floating_point() else part

    values = {f.name: getattr(relaxation, f.name) for f in fields(relaxation)}  # type: ignore[arg-type]
    changed = {name: one(value) for name, value in values.items() if isinstance(value, Tensor)}
    return replace(relaxation, **changed)  # type: ignore[type-var]
