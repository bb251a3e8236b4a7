"""Boxes refined by linear bounds: one row for each side of a neuron that can matter, in blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from pyprover.domains.base import Box
from pyprover.domains.linear import BLOCK_BYTES, Linearised, block_size, patch_bounds
from pyprover.domains.patches import Anchors, Crop, Patch
from pyprover.domains.relaxation import Lines, Places
from pyprover.domains.transposed import reached
from pyprover.graph import Shape
from pyprover.ops import Add, Conv, Scale

OWN_ROWS = 12
"""Regions with fewer rows on average share blocks of whole rows, for which what is known of regions is copied.

Without convolutions that costs so little that only regions that fill blocks have blocks of their own.
"""

FILLED = 8
"""Part of a block that a region's rows must fill to have one of their own: many small regions share them."""

TILE_ROWS = 64
"""Rows wanted in a tile of a map: fewer are slower to compute each, more have larger patches."""

MOST_ANCHORED = 0.4
"""Part of the values before a map that a neuron may reach for patches of its own to pay: they are gathered."""


def refined(
    network: Linearised, value: int, box: Box, unstable: Callable[[Box], Tensor], check: Callable[[], None]
) -> Box:
    """The box of a value with linear bounds where ``unstable`` says that they matter, and where they are better.

    The side closer to zero comes first: it settles most values, which then need no other.
    """
    mask = unstable(box).flatten(1)
    sides = torch.where(box.centre.flatten(1) >= 0, 1.0, -1.0).to(box.lower.dtype)
    box = _bounded(network, value, box, mask * sides, check)
    mask = mask & unstable(box).flatten(1)
    return _bounded(network, value, box, mask * -sides, check)


def _bounded(network: Linearised, value: int, box: Box, sides: Tensor, check: Callable[[], None]) -> Box:
    """The box with linear lower bounds where ``sides`` (batch, neurons) is 1, upper ones where it is -1."""
    lower, upper = box.lower.flatten(1).clone(), box.upper.flatten(1).clone()
    sample, neuron = sides.nonzero(as_tuple=True)
    asked = _Sides(sample, neuron, sides[sample, neuron])
    bound = torch.empty_like(asked.side)
    for rows, form in _blocks(network, value, asked, len(sides)):
        check()
        some = asked.only(rows)
        bound[rows] = patch_bounds(network, value, Places(some.sample), form(network.graph.shapes[value], some))
    below, above = asked.side > 0, asked.side < 0
    at = (sample[below], neuron[below])
    lower[at] = torch.maximum(lower[at], bound[below])
    at = (sample[above], neuron[above])
    upper[at] = torch.minimum(upper[at], -bound[above])
    return Box(lower.reshape(box.lower.shape), upper.reshape(box.upper.shape))


@dataclass(frozen=True, eq=False)
class _Sides:
    """Sides (1 lower, -1 upper) of neurons, flat places in a value, each of a region: all (rows,)."""

    sample: Tensor
    neuron: Tensor
    side: Tensor

    def only(self, rows: Tensor) -> _Sides:
        """Some of them."""
        return _Sides(self.sample[rows], self.neuron[rows], self.side[rows])


_Form = Callable[[Shape, _Sides], Patch]
"""(shape of the value, sides) -> a form about each."""


def _blocks(network: Linearised, value: int, asked: _Sides, regions: int) -> Iterator[tuple[Tensor, _Form]]:
    """Rows to bound at once, and how to write them."""
    count = len(asked.sample)
    if not count:
        return
    shape, size = network.graph.shapes[value], block_size(network.graph, value)
    groups = [torch.arange(count)]
    form: _Form = _whole
    reach = _reach(network, value)
    if reach is not None:
        size, form = max(size, BLOCK_BYTES // (8 * reach)), _anchored
    elif any(isinstance(node.op, Conv) for node in network.graph.nodes[:value]):
        if count >= OWN_ROWS * regions:
            groups = [group for rows in _runs(asked.sample) for group in _tiles(rows, asked.neuron[rows], shape)]
            form = _cropped if len(shape) == 3 else _flat
    elif 2 * count >= size * regions:
        groups = list(_runs(asked.sample))
    for group in groups:
        for rows in torch.chunk(group, -(-len(group) // size)):
            yield rows, form


def _whole(shape: Shape, asked: _Sides) -> Patch:
    """Forms of rows about any regions, the rows outermost in memory."""
    coef = asked.side.new_zeros(len(asked.neuron), prod(shape))
    coef[torch.arange(len(asked.neuron)), asked.neuron] = asked.side
    return Patch(coef.reshape(-1, *shape))


def _flat(shape: Shape, asked: _Sides) -> Patch:
    """Forms of rows about one region, the rows innermost in memory."""
    coef = asked.side.new_zeros(prod(shape), len(asked.neuron))
    coef[asked.neuron, torch.arange(len(asked.neuron))] = asked.side
    return Patch(coef.reshape(*shape, -1).movedim(-1, 0))


def _cropped(shape: Shape, asked: _Sides) -> Patch:
    """Forms about one region within the least crop of a map that contains them."""
    channel, down, across = _places(asked.neuron, shape)
    crop = Crop((int(down.amin()), int(across.amin())), (int(down.amax()) + 1, int(across.amax()) + 1))
    coef = asked.side.new_zeros(shape[0], *crop.size, len(asked.neuron))
    coef[channel, down - crop.start[0], across - crop.start[1], torch.arange(len(asked.neuron))] = asked.side
    return Patch(coef.movedim(-1, 0), crop)


def _anchored(shape: Shape, asked: _Sides) -> Patch:
    """Forms about one cell of a map each."""
    channel, down, across = _places(asked.neuron, shape)
    coef = asked.side.new_zeros(shape[0], len(asked.neuron))
    coef[channel, torch.arange(len(asked.neuron))] = asked.side
    return Patch(coef[:, None, None].movedim(-1, 0), Crop((0, 0), (1, 1)), Anchors(asked.sample, down, across))


def _reach(network: Linearised, value: int) -> int | None:
    """The most values of one map that a neuron of a map depends on; ``None`` where patches of its own do not pay."""
    graph, pending = network.graph, {value: Crop((0, 0), (1, 1))}
    touched, whole, most = 0, 0, 0
    for position in range(value - 1, -1, -1):
        crop = pending.pop(position + 1, None)
        if crop is None:
            continue
        node = graph.nodes[position]
        local = isinstance(node.op, Conv | Add | Scale) or isinstance(network.relaxations.get(position), Lines)
        if len(node.shape) != 3 or not local:
            return None
        crop = reached(node.op, crop) if isinstance(node.op, Conv) else crop
        for source in node.inputs:
            joined = pending[source].joined(crop) if source in pending else crop
            pending[source] = joined
            most = max(most, graph.shapes[source][0] * prod(joined.size))
            touched += graph.shapes[source][0] * prod(joined.size)
            whole += prod(graph.shapes[source])
    return most if touched <= MOST_ANCHORED * whole else None


def _places(neuron: Tensor, shape: Shape) -> tuple[Tensor, Tensor, Tensor]:
    """Channel, row and column of flat places; ``torch.unravel_index`` takes half a second to be imported."""
    _, height, width = shape
    return neuron // (height * width), neuron // width % height, neuron % width


def _runs(key: Tensor) -> tuple[Tensor, ...]:
    """The places of each value of a sorted key."""
    counts = torch.unique_consecutive(key, return_counts=True)[1]
    return torch.split(torch.arange(len(key)), counts.tolist())


def _tiles(rows: Tensor, neuron: Tensor, shape: Shape) -> list[Tensor]:
    """Rows about neurons of one value, by the square of a map that they lie in; squares as small as leaves enough."""
    if len(shape) != 3:
        return [rows]
    _, height, width = shape
    edge = 1
    while -(-height // edge) * -(-width // edge) * TILE_ROWS > len(rows) and edge < max(height, width):
        edge *= 2
    _, down, across = _places(neuron, shape)
    tile = down // edge * width + across // edge
    order = tile.argsort(stable=True)
    return [rows[order[run]] for run in _runs(tile[order])]
