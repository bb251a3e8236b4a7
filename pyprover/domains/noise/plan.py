"""Which storage of noise to use: what each would hold and cost, told from what symbols reach (`reach.py`).

A forecast goes through the network once. At each step it counts the noise of all values that are still to be read, that
of the result, what the step needs on its way, and the plain tensors of a step. Told how many symbols appear, it is as
exact before a run as during it; before, their number is estimated from above (`domains.planned`). What fits into the
room is tried first, the fastest first; then the rest, the smallest first, since an estimate may be too high.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from math import prod
from pathlib import Path

from torch import Tensor

from pyprover.domains.noise.kinds import DenseKind, Kind, SparseKind, SplitKind, WindowKind
from pyprover.domains.noise.reach import Activity, Reach, fan_out, reach_of_input, through
from pyprover.graph import Graph, Node
from pyprover.ops import Conv
from pyprover.ops.conv import UNFOLDED

_PLAIN = 30
"""Tensors of a value's size that a step holds beside noise, at most.

Centres, errors and boxes of operand and result with what they keep of themselves (middles, radii, sizes); slopes and
radii of new symbols; what is made on the way.
"""

_BLOCK_PART = 32
"""The part of the room that a block of split noise may take: some eight are in memory at once."""

_NONE = Activity()

_LIBRARIES = 8 << 20
"""What libraries allocate for themselves when they are first used, about."""

_DISK_SECONDS = 1.5e-9
"""For a byte that is written and read once more, about."""

_PRODUCT_SECONDS = 4e-10
"""For a product of two numbers in dense noise, about."""


@dataclass(frozen=True)
class Batch:
    """How many regions are analysed together, and how many bytes a number has."""

    regions: int = 1
    item: int = 8

    def widest(self, graph: Graph) -> int:
        """Bytes of the largest value."""
        return self.regions * self.item * max(prod(shape) for shape in graph.shapes)

    def plain(self, graph: Graph) -> int:
        """Bytes that some step needs beside noise, at most."""
        own = max((_own(node, self) for node in graph.nodes), default=0)
        return _PLAIN * self.widest(graph) + own + _LIBRARIES


@dataclass(frozen=True)
class Layer:
    """One step: bytes of noise in memory and on disk, in all values still to be read, and all that the step needs."""

    noise: int
    disk: int
    need: int


@dataclass(frozen=True)
class Forecast:
    """What an analysis would need with one storage; ``seconds`` only compare storages."""

    kind: Kind
    layers: tuple[Layer, ...]
    seconds: float

    @cached_property
    def peak(self) -> int:
        """The most memory at any step, in bytes."""
        return max((layer.need for layer in self.layers), default=0)

    @cached_property
    def disk(self) -> int:
        """The most on disk at any step, in bytes."""
        return max((layer.disk for layer in self.layers), default=0)


class Account:
    """What one storage needs, step by step; ``reaches`` of the values so far."""

    def __init__(self, graph: Graph, kind: Kind, batch: Batch, free: int) -> None:
        """``free``: how many entries of the input are no points."""
        self.graph = graph
        self.kind = kind
        self.batch = batch
        self.reaches = [reach_of_input(graph.input_shape, free)]
        self.seconds = 0.0
        self._holders: list[int | None] = [None if kind.shares(None, ()) else 0]

    def step(self, position: int, activity: Activity = _NONE) -> Layer:
        """The next step, and what it does to the noise."""
        node, item = self.graph.nodes[position], self.batch.item
        inputs = [self.reaches[value] for value in node.inputs]
        result = through(node.op, inputs, node.shape)
        result = result.after(activity, position + 1)
        self.reaches.append(result)
        shared = self.kind.shares(node.op, inputs)
        self._holders.append(self._holders[node.inputs[0]] if shared else position + 1)
        products = sum(map(self.kind.entries, inputs)) * fan_out(node.op) * self.kind.pace
        written = 0 if shared else self.kind.written(result, item)
        self.seconds += self.batch.regions * (products * _PRODUCT_SECONDS + written * _DISK_SECONDS)
        self.seconds += 0 if shared else self.kind.delay(result)
        return self._layer(position, inputs, result)

    def _layer(self, position: int, inputs: Sequence[Reach], result: Reach) -> Layer:
        item, last_use = self.batch.item, self.graph.last_use
        live = {self._holders[v] for v in range(position + 1) if last_use[v] >= position} | {self._holders[-1]}
        held = [self.reaches[holder] for holder in live if holder is not None]
        noise = sum(self.kind.held(reach, item) for reach in held)
        disk = sum(self.kind.written(reach, item) for reach in held)
        plain = _PLAIN * max(reach.values for reach in (*inputs, result)) * item
        need = noise + self.kind.passing(inputs, result, item) + plain
        regions = self.batch.regions
        need = regions * need + _own(self.graph.nodes[position], self.batch) + _LIBRARIES
        return Layer(regions * noise, regions * disk, need)


def reaches(graph: Graph, free: int, active: Mapping[int, Activity]) -> Sequence[Reach]:
    """What the symbols of a region reach of each value."""
    account = Account(graph, DenseKind(), Batch(), free)
    for position in range(len(graph.nodes)):
        account.step(position, active.get(position, _NONE))
    return account.reaches


def forecast(graph: Graph, kind: Kind, batch: Batch, free: int, active: Mapping[int, Activity]) -> Forecast:
    """What a storage would need; ``active``: what happens to the noise of a region at node positions."""
    account = Account(graph, kind, batch, free)
    layers = tuple(account.step(position, active.get(position, _NONE)) for position in range(len(graph.nodes)))
    return Forecast(kind, layers, account.seconds)


def _own(node: Node, batch: Batch) -> int:
    """Bytes that an operator needs for itself: absolute parameters, and what convolutions in float64 unfold."""
    op = node.op
    tensors = (getattr(op, f.name) for f in fields(op) if isinstance(getattr(op, f.name), Tensor))  # type: ignore[arg-type]
    size: int = sum(8 * tensor.numel() for tensor in tensors)
    if isinstance(op, Conv) and batch.item == 8:
        size += min(batch.regions * op.unfolded(prod(node.shape[1:])), UNFOLDED)
    return size


def kinds(known: Sequence[Reach], batch: Batch, room: int, folder: Path | None) -> tuple[Kind, ...]:
    """The storages worth a forecast, for what symbols reach; on disk only where a folder is given."""
    plain: tuple[Kind, ...] = (DenseKind(), SparseKind(), WindowKind())
    split = []
    for inner in (plain[0], plain[-1]):
        symbol = max(inner.held(reach, batch.item) / max(1, reach.symbols) for reach in known)
        width = max(1, int(room / (_BLOCK_PART * batch.regions * max(1.0, symbol))))
        split += [SplitKind(inner, width, place) for place in {None, folder}]
    return (*plain, *split)


def ranked(forecasts: Sequence[Forecast], room: int) -> tuple[Forecast, ...]:
    """Those that fit into the room, the fastest first, then the others, the smallest first."""
    fitting = sorted((f for f in forecasts if f.peak <= room), key=lambda f: f.seconds)
    return (*fitting, *sorted((f for f in forecasts if f.peak > room), key=lambda f: f.peak))
