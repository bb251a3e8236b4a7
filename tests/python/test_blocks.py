"""Split noise: which blocks are read, written and worked on."""

from __future__ import annotations

from pathlib import Path
from weakref import WeakSet

import pytest
import torch
from torch import Tensor

from pyprover.domains.base import Box
from pyprover.domains.noise.base import Noise
from pyprover.domains.noise.blocks import BlockNoise, Split, width_within
from pyprover.domains.noise.dense import DenseNoise
from pyprover.domains.noise.store import Disk, Memory, Store
from pyprover.domains.zonotope import Propagation, propagate
from pyprover.graph import Graph, Node, Operator
from pyprover.ops import Add, Conv, Dense, MaxPool, Relu, Reshape
from tests.python.test_domains import never

WIDTH = 16
SHAPE = (2, 6, 6)
"""72 entries, all of them free: five blocks of symbols."""


def chain(*ops: Operator) -> Graph:
    """Operators one after the other."""
    graph = Graph(SHAPE, ())
    for op in ops:
        last = graph.shapes[-1]
        graph = Graph(SHAPE, (*graph.nodes, Node(op, (graph.output,), op.shape(last), "")))
    return graph


def conv(seed: int) -> Conv:
    generator = torch.Generator().manual_seed(seed)
    weight, bias = (torch.randn(*size, generator=generator, dtype=torch.float64) for size in ((2, 2, 3, 3), (2,)))
    return Conv(weight / 4, bias / 4, (1, 1), (1, 1))


def dense(entries: int) -> Dense:
    weight = torch.randn(8, entries, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return Dense(weight, torch.zeros(8, dtype=torch.float64))


NETWORK = chain(conv(0), Relu(), conv(1), Relu(), Reshape((72,)), dense(72), Relu(), dense(8))


def region() -> Box:
    """Two boxes of which no side is a point."""
    centre = torch.rand(2, *SHAPE, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 0.5
    return Box(centre - 0.2, centre + 0.2)


def traced(graph: Graph, store: Store, width: int = WIDTH) -> list[tuple[int, int, int]]:
    """After each node: the symbols of its value, and how many blocks it has read and written."""
    propagation = Propagation(graph, region(), never, Split(DenseNoise.none, width, store))
    found, usage = [], store.usage
    for k in range(1, len(graph.shapes)):
        before = usage.blocks_read, usage.blocks_written
        value = propagation.value(k)
        found.append((value.noise.symbols, usage.blocks_read - before[0], usage.blocks_written - before[1]))
    return found


def blocks(symbols: int) -> int:
    return -(-symbols // WIDTH)


def test_a_layer_reads_and_writes_its_noise_once() -> None:
    """What is fresh is not read; activations and moves touch nothing."""
    first, relu, second, other, moved, third, last, out = traced(NETWORK, Memory())
    assert first == (72, 0, blocks(72))
    assert second == (relu[0], blocks(72), blocks(relu[0]))
    assert third == (other[0], blocks(relu[0]), blocks(other[0]))
    assert out == (last[0], blocks(other[0]), blocks(last[0]))
    for symbols, read, written in (relu, other, moved, last):
        assert symbols > 72
        assert (read, written) == (0, 0)


def test_a_maximum_reads_its_noise_once_for_all_members() -> None:
    graph = chain(conv(0), MaxPool((2, 2), (2, 2)), Reshape((18,)), dense(18))
    _, pool, moved, out = traced(graph, Memory())
    assert pool[1:] == (blocks(72), 0)
    assert moved[1:] == (0, 0)
    assert out == (pool[0], blocks(72), blocks(pool[0]))


def test_a_sum_reads_each_operand_once() -> None:
    trunk = chain(conv(0), conv(1))
    graph = Graph(SHAPE, (*trunk.nodes, Node(Add(), (1, 2), SHAPE, "")))
    assert traced(graph, Memory())[2] == (72, 2 * blocks(72), blocks(72))


def test_blocks_that_move_nothing_are_not_there() -> None:
    """The symbols of one branch do not exist in the other."""
    nodes = [
        Node(conv(0), (0,), SHAPE, ""),
        Node(Relu(), (1,), SHAPE, ""),
        Node(conv(1), (2,), SHAPE, ""),
        Node(conv(2), (0,), SHAPE, ""),
        Node(Relu(), (4,), SHAPE, ""),
        Node(conv(3), (5,), SHAPE, ""),
    ]
    found = traced(Graph(SHAPE, tuple(nodes)), Memory(), width=1)
    both, first = found[4][0], found[1][0]
    assert both > first > 72
    assert found[5] == (both, 72, 72 + both - first)


def test_two_scalings_do_not_wait_together() -> None:
    """The second would cost a rounding that no one pays for: the first is carried out."""
    store = Memory()
    noise: Noise = Split(DenseNoise.none, WIDTH, store)(torch.zeros(1, *SHAPE, dtype=torch.float64))
    one = torch.ones(1, *SHAPE, dtype=torch.float64)
    noise = noise.extended(0, one, one > 0).scaled(2 * one).extended(72, one, one > 0)
    assert store.usage.blocks_written == 0
    noise = noise.banded(3 * one, 144, one, one > 0)
    assert store.usage.blocks_written == blocks(144)
    expected = torch.cat([k * torch.eye(72, dtype=torch.float64) for k in (6, 3, 1)])
    assert torch.equal(noise.dense().reshape(216, 72), expected)
    assert torch.equal(noise.radius.flatten(), expected.sum(0))


def test_no_more_than_three_blocks_are_worked_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    living: WeakSet[DenseNoise] = WeakSet()
    counts = []
    plain = DenseNoise.__init__

    def counted(self: DenseNoise, generators: Tensor) -> None:
        plain(self, generators)
        living.add(self)
        tensors = [noise.generators for noise in living if isinstance(noise.generators, Tensor)]  # others are on disk
        counts.append(len({tensor.data_ptr() for tensor in tensors if tensor.numel()}))

    monkeypatch.setattr(DenseNoise, "__init__", counted)
    propagate(NETWORK, region(), never, Split(DenseNoise.none, 4, Disk(tmp_path)))
    assert len(counts) > 100
    assert 2 <= max(counts) <= 3


@pytest.mark.parametrize("size", [1, 1000, 10**6])
def test_blocks_are_as_large_as_is_said(size: int) -> None:
    width = width_within(size, NETWORK, 2, torch.float64)
    store = Memory()
    propagation = Propagation(NETWORK, region(), never, Split(DenseNoise.none, width, store))
    for k in range(1, len(NETWORK.shapes)):
        noise = propagation.value(k).noise
        assert isinstance(noise, BlockNoise)
        sizes = [] if noise.shelf is None else noise.shelf._sizes
        assert width == 1 or max(sizes, default=0) <= size
    assert 2 * 72 * 8 * (width + 1) > size
