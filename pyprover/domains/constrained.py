"""Constrained zonotopes: zonotopes whose noise symbols satisfy the inequalities of the network's non-linear steps.

A plain zonotope keeps of ``y = relu(x)`` a band along the chord, one new symbol high. Here the symbol also satisfies
``y >= 0``, ``y >= x``, and the chord over the best box known of x; of other functions, the lines or planes of the
linear domain. Centres and generators stay those of the plain zonotope, whatever boxes are known: without multipliers
each bound is the plain one, so that none is looser. What non-linear steps read is bounded under the constraints so far
(`multipliers.py`), and its better boxes give the lines of the next (`bundles.py`).

Where a case of a property holds, its margins are at most 0: half-spaces on the symbols, which tighten boxes and thereby
lines again. What follows from them holds there only (`where_nonpositive`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from pyprover.domains.affine_image import AffineImage, as_network, linearised
from pyprover.domains.bands import band_of
from pyprover.domains.base import TINY, Box, gamma, unit
from pyprover.domains.bundles import Bundle, lines_around
from pyprover.domains.companion import Companion
from pyprover.domains.linear import UNSTABLE, Linearised
from pyprover.domains.multipliers import Constraints, Fresh, HalfSpaces, ascend
from pyprover.domains.noise.base import TooLargeError
from pyprover.domains.planned import Planned
from pyprover.domains.relaxation import Relaxation, Rows
from pyprover.domains.resources import in_force, megabytes
from pyprover.domains.zonotope import fresh_symbols
from pyprover.graph import Graph, Operator

_INNER_STEPS = 12
"""Steps of ascent for the boxes of what non-linear steps read: they are many, and each matters little."""

_STEPS = 30
"""Steps of ascent for forms over the outputs."""

_ROUNDS = 10
"""How often, at most, the boxes of all steps are bounded where a case holds, the last step first."""

_WORTHWHILE = 0.98
"""The share of their widths that boxes may keep after a round for another to follow."""

_PART = 4
"""The part of the memory that is left which constraints may take: ascents need as much again for their rows."""

_ROWS = 256
"""Forms that are bounded at once."""


@dataclass(frozen=True, eq=False)
class Step:
    """A non-linear operator, the best box of what it reads (batch, ...), and its new symbols in each region."""

    op: Operator
    source: int
    box: Box
    bundles: tuple[Bundle, ...]

    def fresh(self, region: int) -> tuple[Fresh, ...]:
        """The constraints on the new symbols of a region."""
        bundle = self.bundles[region]
        below, above = (lines.at(region, bundle.places) for lines in lines_around(self.op, self.box))
        middle = self.box.centre[region].reshape(-1, bundle.centre.shape[1])[bundle.places]
        return bundle.around(below, above, middle)

    def of_region(self, region: int) -> Step:
        """The step in one region, a batch of its own."""
        box = Box(self.box.lower[region : region + 1], self.box.upper[region : region + 1])
        return Step(self.op, self.source, box, (self.bundles[region],))

    @property
    def cells(self) -> Tensor:
        """The flat places of what the own values read, in the one region of its batch: (own * n,)."""
        (bundle,), width = self.bundles, self.bundles[0].centre.shape[1]
        return (bundle.places[:, None] * width + torch.arange(width)).flatten()

    def tightened(self, constraints: Constraints) -> Step:
        """With better boxes where the operator can use them, in the one region of its batch.

        Where constraints leave nothing, a box stays: that nothing is left is shown over the outputs.
        """
        (bundle,), cells = self.bundles, self.cells
        unstable = UNSTABLE[type(self.op)](self.op, self.box).flatten()[cells]
        cells, forms = cells[unstable], bundle.forms.flatten(0, 1)[unstable]
        centre, error = (values.flatten()[unstable] for values in (bundle.centre, bundle.error))
        if not len(cells):
            return self
        found = _ranges(constraints, forms, centre, error)
        shape, (lower, upper) = self.box.lower.shape, (self.box.lower.flatten(), self.box.upper.flatten())
        low, high = torch.maximum(lower[cells], found.lower), torch.minimum(upper[cells], found.upper)
        left = low <= high
        lower = lower.index_copy(0, cells[left], low[left])
        upper = upper.index_copy(0, cells[left], high[left])
        return replace(self, box=Box(lower.reshape(shape), upper.reshape(shape)))


class ConstrainedZonotopes(Companion):
    """The zonotopes of one batch of regions with what is known of their symbols."""

    def __init__(self, graph: Graph, region: Box, check: Callable[[], None]) -> None:
        self.graph = graph
        self.check = check
        self.plain = Planned(graph, region, check, exact=True)
        self.steps: list[Step] = []
        self.constraints = [Constraints()] * len(region.lower)
        self._learnt: dict[int, Box] = {}
        self._next = self._numbers = 0
        self._readers: dict[int, list[Operator]] = {}
        for node in graph.nodes:
            if not node.op.linear:
                self._readers.setdefault(node.inputs[0], []).append(node.op)

    @override
    def tighten(self, value: int, box: Box) -> Box:
        self._advance(value)
        x = self.plain.value(value)
        box = Box(torch.maximum(box.lower, x.box.lower), torch.minimum(box.upper, x.box.upper))
        unstable = [UNSTABLE[type(op)](op, box) for op in self._readers[value]]
        mask = torch.stack(unstable).any(0).flatten(1)
        lower, upper = box.lower.flatten(1).clone(), box.upper.flatten(1).clone()
        for region, constraints in enumerate(self.constraints):
            cells = mask[region].nonzero().flatten()
            if constraints.steps and len(cells):
                forms = x.noise.forms(region, cells)
                numbers = (n[region].flatten()[cells] for n in (x.centre, x.error))
                self.check()
                found = _ranges(constraints, forms, *numbers)
                lower[region, cells] = torch.maximum(lower[region, cells], found.lower)
                upper[region, cells] = torch.minimum(upper[region, cells], found.upper)
        return Box(lower.reshape(box.lower.shape), upper.reshape(box.upper.shape))

    @override
    def learn(self, value: int, box: Box) -> None:
        self._learnt[value] = box

    @override
    def finish(self) -> Sequence[Linearised]:
        self._advance(self.graph.output)
        value = self.plain.value(self.graph.output)
        noise = (self.plain.use(),) * len(self.constraints)
        network = replace(linearised([value], self.plain.symbols), noise=noise)
        return (_under(network, tuple(self.steps), tuple(self.constraints), self.check),)

    def _advance(self, value: int) -> None:
        """Take the steps before a value; the best boxes of what they read are known by then."""
        for position in range(self._next, value):
            node = self.graph.nodes[position]
            if not node.op.linear:
                self._step(node.op, node.inputs[0])
            self.plain.value(position + 1)
        self._next = max(self._next, value)

    def _require_room(self, numbers: int) -> None:
        """Count what the constraints of a step hold; ``TooLargeError`` when all together are too many."""
        self._numbers += numbers
        size, room = 8 * self._numbers, in_force().room().granted // _PART
        if size > room:
            symbols = self.plain.symbols
            raise TooLargeError(f"constraints on {symbols} noise symbols need {megabytes(size)} of {megabytes(room)}")

    def _step(self, op: Operator, source: int) -> None:
        x, first = self.plain.value(source), self.plain.symbols
        band = band_of(op, x.box)
        if band is None:
            return
        fresh = fresh_symbols(op, x.box)
        self._require_room(x.noise.symbols * int(fresh.sum()) * band.slope.shape[-1])
        bundles = tuple(Bundle.of(x, band, fresh, region, first) for region in range(len(fresh)))
        step = Step(op, source, self._learnt[source], bundles)
        self.steps.append(step)
        self.constraints = [
            Constraints((*known.steps, *step.fresh(region))) for region, known in enumerate(self.constraints)
        ]


def _ranges(constraints: Constraints, forms: Tensor, centre: Tensor, error: Tensor) -> Box:
    """Bounds (values,) on ``centre + forms e +- error`` under constraints; forms (values, symbols)."""
    lower, upper = [], []
    forms = functional.pad(forms, (0, max(0, constraints.symbols - forms.shape[1])))
    parts = (torch.split(it, _ROWS // 2) for it in (forms, centre, error))
    for some, middle, radius in zip(*parts, strict=True):
        below, above = ascend(constraints, torch.cat([some, -some]), _INNER_STEPS).bound.chunk(2)
        low, high = middle + below - radius, middle - above + radius
        slack = 8 * unit(middle.dtype) * (middle.abs() + radius)
        lower.append(low - slack - 8 * unit(middle.dtype) * below.abs())
        upper.append(high + slack + 8 * unit(middle.dtype) * above.abs())
    return Box(torch.cat(lower), torch.cat(upper)).widen(torch.zeros((), dtype=centre.dtype))


@dataclass(frozen=True, eq=False)
class Constrained(Relaxation):
    """Outputs that are affine in symbols under constraints, those of each region of a batch."""

    exact: Relaxation
    steps: tuple[Step, ...]
    constraints: tuple[Constraints, ...]
    check: Callable[[], None]

    @property
    @override
    def magnitude(self) -> Tensor:
        return self.exact.magnitude

    @override
    def substitute(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """The forms plus the best multiples found of what is at most 0, constants to whoever differentiates."""
        form, constant = self.exact.substitute(rows)
        more_form, more = torch.zeros_like(form), torch.zeros_like(constant)
        for region in sorted(set(rows.places.sample.tolist())):
            for part in (rows.places.sample == region).nonzero().flatten().split(_ROWS):
                self.check()
                found = ascend(self.constraints[region], form[part], _STEPS)
                more_form[part] = found.form - form[part].detach()
                more[part] = found.constant - found.error
        return form + more_form, constant + more


def _under(
    network: Linearised, steps: tuple[Step, ...], constraints: tuple[Constraints, ...], check: Callable[[], None]
) -> Linearised:
    """An affine image with constraints on its symbols."""
    return replace(network, relaxations={0: Constrained(network.relaxations[0], steps, constraints, check)})


def where_nonpositive(network: Linearised, region: int, margins: Tensor, constants: Tensor) -> Linearised | None:
    """What holds of one region where no margin ``margins . outputs + constants`` is positive, and only there.

    ``margins`` (count, outputs), ``constants`` (count,). ``None`` when the network is no constrained zonotope.
    """
    under = network.relaxations.get(0)
    if not isinstance(under, Constrained):
        return None
    image = network.graph.nodes[0].op
    assert isinstance(image, AffineImage)
    image = AffineImage(image.centre[region : region + 1], image.generators[region : region + 1])
    spaces = _nonpositive(image, margins, constants)
    steps = [step.of_region(region) for step in under.steps]
    for _ in range(_ROUNDS):
        before = _height(steps)
        for place in reversed(range(len(steps))):
            under.check()
            steps[place] = steps[place].tightened(Constraints(_fresh(steps), spaces))
        if _height(steps) > _WORTHWHILE * before:
            break
    return _under(as_network(image), tuple(steps), (Constraints(_fresh(steps)),), under.check)


def _height(steps: Sequence[Step]) -> float:
    """The sum of the widths of the boxes that steps read, at their own values."""
    return sum(float(step.box.radius.flatten()[step.cells].sum()) for step in steps)


def _fresh(steps: Sequence[Step]) -> tuple[Fresh, ...]:
    return tuple(fresh for step in steps for fresh in step.fresh(0))


def _nonpositive(image: AffineImage, margins: Tensor, constants: Tensor) -> HalfSpaces:
    """The symbols of one region for which no margin is positive, rounding included."""
    (centre,), (generators,) = image.centre, image.generators
    normals, offsets = margins @ generators.T, -(margins @ centre + constants)
    size = margins.abs() @ (centre.abs() + generators.abs().sum(0)) + constants.abs()
    terms = 2 * sum(generators.shape) + 8
    return HalfSpaces(normals, offsets + gamma(terms, size.dtype) * size + TINY)
