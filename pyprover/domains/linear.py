"""Backward linear bounds (CROWN, DeepPoly): a form over a value is rewritten, step by step, into one over the input.

Rows are lower bounds only; an upper bound is the opposite of the lower bound of the opposite row. Rows of a batch are
one flat list in which each names its region.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor

from pyprover.domains.activations import relu_lines, relu_unstable, s_shaped_lines, s_shaped_unstable
from pyprover.domains.adjoints import ADJOINTS
from pyprover.domains.base import TINY, Box
from pyprover.domains.curves import CURVES, curve_lines, curve_unstable
from pyprover.domains.maxima import max_pool_members, max_pool_unstable
from pyprover.domains.patches import Patch
from pyprover.domains.planes import log_sum_exp_planes, log_sum_exp_unstable, product_planes, product_unstable
from pyprover.domains.relaxation import Places, Relaxation, Rows, each_its_own
from pyprover.domains.resources import in_force
from pyprover.domains.steps import round_lines, round_unstable
from pyprover.graph import Graph, Operator
from pyprover.ops import LogSumExp, MaxPool, Product, Relu, Round, Sigmoid, Tanh
from pyprover.verdict import NoiseUse

BLOCK_BYTES = 4 << 20
"""Memory that one block of backward rows may hold in its widest value: little, so that it stays in the cache."""

_ROW_COPIES = 8
"""What a row needs at most, in units of the widest value: itself, its parts by sign, images, those of other paths."""

_UNTOUCHED = 64 << 20
"""Bytes for rows that every memory limit leaves room for, so that what is left need not be asked."""

RELAXATIONS: Mapping[type[Operator], Callable[[Any, Box], Relaxation]] = {
    LogSumExp: log_sum_exp_planes,
    MaxPool: max_pool_members,
    Product: product_planes,
    Relu: relu_lines,
    Round: round_lines,
    Sigmoid: s_shaped_lines,
    Tanh: s_shaped_lines,
    **dict.fromkeys(CURVES, curve_lines),
}

UNSTABLE: Mapping[type[Operator], Callable[[Any, Box], Tensor]] = {
    LogSumExp: log_sum_exp_unstable,
    MaxPool: max_pool_unstable,
    Product: product_unstable,
    Relu: relu_unstable,
    Round: round_unstable,
    Sigmoid: s_shaped_unstable,
    Tanh: s_shaped_unstable,
    **dict.fromkeys(CURVES, curve_unstable),
}
"""Where a tighter box of the operator's input would tighten its relaxation: masks of the input's shape."""


@dataclass(frozen=True, eq=False)
class Linearised:
    """A network with its relaxations over a batch of regions.

    ``relaxations`` by node position, for non-linear nodes. ``slack`` by node position: the relative rounding error of
    the node's sums times their magnitude, (batch,); ``input_slack`` likewise for the input's box. ``noise``: how
    zonotopes, if there are any, kept their noise, one entry a region.
    """

    graph: Graph
    input: Box
    relaxations: Mapping[int, Relaxation]
    slack: Sequence[Tensor | None]
    input_slack: Tensor
    noise: tuple[NoiseUse, ...] = ()

    @property
    def output_slack(self) -> Tensor:
        """The slack of the last step that is not a mere move: it bounds the size of the outputs too."""
        return next((slack for slack in reversed(self.slack) if slack is not None), self.input_slack)


def rewrite(network: Linearised, value: int, rows: Rows) -> tuple[Tensor, Tensor]:
    """Forms over the input (rows, *input_shape) and constants (rows,) that never exceed the rows, rounding included."""
    patch, constant = _rewritten(network, value, rows.places, Patch(rows.coef))
    return patch.whole(network.graph.input_shape), constant


def lower_bounds(network: Linearised, value: int, rows: Rows) -> Tensor:
    """For each row a lower bound of its form over its region: (rows,), rounding included.

    Differentiable in ``rows.coef``: the gradient of a row is the value's point at which the relaxation is least.
    """
    return patch_bounds(network, value, rows.places, Patch(rows.coef))


def patch_bounds(network: Linearised, value: int, places: Places, patch: Patch) -> Tensor:
    """For each row of a patch of a value a lower bound over its region: (rows,), rounding included."""
    patch, constant = _rewritten(network, value, places, patch)
    centre, radius = network.input.centre, network.input.radius
    part = patch.part(network.graph.input_shape)
    if part is not None:
        centre, radius = part.of(centre), part.of(radius)
    if patch.anchors is not None:
        places = each_its_own(len(patch.coef))
    bounds = constant + places.dot(patch.coef, centre) - places.dot(patch.coef.abs(), radius)
    return torch.where(bounds.isnan(), -torch.inf, bounds)  # a relaxation that is not finite says nothing


def _rewritten(network: Linearised, value: int, places: Places, patch: Patch) -> tuple[Patch, Tensor]:
    """A patch of the input and constants (rows,) that never exceed the patch given, rounding included."""
    graph, pending = network.graph, {value: patch}
    norms: dict[int, Tensor] = {}
    total = patch.coef.new_zeros(len(patch.coef))
    error = torch.zeros_like(total)
    for position in range(value - 1, -1, -1):
        form = pending.pop(position + 1, None)
        if form is None:
            continue
        slack, norm = network.slack[position], norms.pop(position + 1, None)
        if slack is not None:
            norm = _norm(form.coef) if norm is None else norm
            error = error + places.of(slack) * norm
        sources, constant = _through(network, position, places, form)
        if constant is not None:
            total = total + constant
        for source, more in zip(graph.nodes[position].inputs, sources, strict=True):
            joined = source in pending
            pending[source] = pending[source].plus(more, graph.shapes[source]) if joined else more
            norms.pop(source, None)
            gain = network.relaxations[position].gain if position in network.relaxations and not joined else None
            if gain is not None and norm is not None:
                norms[source] = places.of(gain) * norm
    error = error + places.of(network.input_slack) * _norm(pending[0].coef)
    return pending[0], total - 2 * error - TINY


def _through(network: Linearised, position: int, places: Places, patch: Patch) -> tuple[Sequence[Patch], Tensor | None]:
    """Forms over a node's inputs instead of its result, and constants (rows,); rounding is left out."""
    node = network.graph.nodes[position]
    if node.op.linear:
        return ADJOINTS[type(node.op)](node.op, patch, tuple(network.graph.shapes[v] for v in node.inputs))
    relaxation = network.relaxations[position]
    part = patch.part(node.shape)
    cropped = None if part is None else relaxation.cropped(part)
    if cropped is None:
        form, constant = relaxation.substitute(Rows(places, patch.whole(node.shape)))
        return [Patch(form)], constant
    if patch.anchors is not None:
        places = each_its_own(len(patch.coef))
    form, constant = cropped.substitute(Rows(places, patch.coef))
    return [patch.with_coef(form)], constant


def _norm(coef: Tensor) -> Tensor:
    return coef.abs().flatten(1).sum(1)  # several times as fast as torch.linalg.vector_norm


def block_size(graph: Graph, value: int) -> int:
    """How many rows over a value to take at once, so that memory stays flat; fewer than 32 only under a limit."""
    row = 8 * max(prod(shape) for shape in graph.shapes[: value + 1])
    wanted, resources = max(32, BLOCK_BYTES // row), in_force()
    if resources.memory is None or wanted * _ROW_COPIES * row < _UNTOUCHED:
        return wanted
    return max(1, min(wanted, resources.room().granted // (_ROW_COPIES * row)))
