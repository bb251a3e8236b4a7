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
from typing_extensions import override

from pyprover.domains.affine_image import linearised
from pyprover.domains.bands import band_of
from pyprover.domains.base import Box, unit
from pyprover.domains.bundles import Bundle, lines_around
from pyprover.domains.companion import Companion
from pyprover.domains.linear import UNSTABLE, Linearised
from pyprover.domains.multipliers import Constraints, Fresh, ascend
from pyprover.domains.relaxation import Relaxation, Rows
from pyprover.domains.zonotope import Propagation, along, fresh_symbols
from pyprover.graph import Graph, Operator

_INNER_STEPS = 6
"""Steps of ascent for the boxes of what non-linear steps read: they are many, and each matters little."""

_STEPS = 30
"""Steps of ascent for forms over the outputs."""

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


class ConstrainedZonotopes(Companion):
    """The zonotopes of one batch of regions with what is known of their symbols."""

    def __init__(self, graph: Graph, region: Box, check: Callable[[], None]) -> None:
        self.graph = graph
        self.check = check
        self.plain = Propagation(graph, region, check)
        self.steps: list[Step] = []
        self.constraints = [Constraints()] * len(region.lower)
        self._learnt: dict[int, Box] = {}
        self._next = 0
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
                forms = x.noise.padded(self.plain.symbols).forms(region, cells)
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
        network = linearised([replace(value, noise=value.noise.padded(self.plain.symbols))])
        (exact,) = network.relaxations.values()
        under = Constrained(exact, tuple(self.steps), tuple(self.constraints), self.check)
        return (replace(network, relaxations={0: under}),)

    def _advance(self, value: int) -> None:
        """Take the steps before a value; the best boxes of what they read are known by then."""
        for position in range(self._next, value):
            node = self.graph.nodes[position]
            if not node.op.linear:
                self._step(node.op, node.inputs[0])
            self.plain.value(position + 1)
        self._next = max(self._next, value)

    def _step(self, op: Operator, source: int) -> None:
        x, first = self.plain.value(source), self.plain.symbols
        band = band_of(op, x.box)
        if band is None:
            return
        fresh, around = fresh_symbols(op, x.box), along(band, x)
        bundles = tuple(Bundle.of(around, band, fresh, region, first) for region in range(len(fresh)))
        step = Step(op, source, self._learnt[source], bundles)
        self.steps.append(step)
        self.constraints = [
            Constraints((*known.steps, *step.fresh(region))) for region, known in enumerate(self.constraints)
        ]


def _ranges(constraints: Constraints, forms: Tensor, centre: Tensor, error: Tensor) -> Box:
    """Bounds (values,) on ``centre + forms e +- error`` under constraints; forms (values, symbols)."""
    lower, upper = [], []
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
