"""Windows of noise symbols: what convolutions, pools and sums make of them is what they make of whole maps."""

from __future__ import annotations

from itertools import product
from math import prod

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from pyprover.domains.base import Box
from pyprover.domains.noise.base import Noise, TooLargeError
from pyprover.domains.noise.dense import DenseNoise
from pyprover.domains.noise.frames import plane_of
from pyprover.domains.noise.storage import Storage, image
from pyprover.domains.noise.window_conv import Line
from pyprover.domains.noise.window_maps import Joined, Picked, Term
from pyprover.domains.noise.windows import WindowNoise
from pyprover.domains.resources import Room
from pyprover.domains.zonotope import Propagation
from pyprover.graph import Graph, Node, Operator, Shape
from pyprover.memory import held_memory
from pyprover.ops import Add, Concat, Conv, Dense, Gather, MaxPool, Pad, Reshape, Scale, Transpose
from tests.python.random_graphs import random_graph
from tests.python.test_domains import never, some_box

Draw = st.DrawFn
BATCH = 2
STORAGES = [WindowNoise.none, WindowNoise.thrifty]
storages = st.sampled_from(STORAGES)
seeds = st.integers(0, 2**16)


def drawn(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def noise_of(storage: Storage, shape: Shape, seed: int, part: float = 0.4) -> Noise:
    """A symbol for some entries of a value; the regions have other ones."""
    generator = torch.Generator().manual_seed(seed)
    radius = drawn(generator, BATCH, *shape).abs()
    fresh = torch.rand(BATCH, *shape, generator=generator) < part
    return storage(radius).extended(0, radius, fresh)


def after(noise: Noise, op: Operator, *others: Noise) -> Noise:
    shape = op.shape(*(tuple(each.radius.shape[1:]) for each in (noise, *others)))
    return image(op, [noise, *others], shape)


def assert_same(found: Noise, expected: Noise) -> None:
    assert found.symbols == expected.symbols
    size = 1e-12 * float(1 + expected.radius.max())
    torch.testing.assert_close(found.dense(), expected.dense(), rtol=0, atol=size)
    torch.testing.assert_close(found.radius, expected.radius, rtol=0, atol=size * (1 + found.symbols))


def banded(noise: Noise, seed: int) -> Noise:
    """A layer of neurons, some with a symbol of their own, some dead."""
    generator = torch.Generator().manual_seed(seed)
    slope = drawn(generator, *noise.radius.shape).clamp(min=0)
    fresh = torch.rand(noise.radius.shape, generator=generator) < 0.2
    return noise.banded(slope, noise.symbols, slope + 0.1, fresh)


@st.composite
def convolutions(draw: Draw, ins: int, plane: tuple[int, int]) -> Conv:
    """Any geometry that fits a plane; kernels, strides and dilations differ along the axes."""
    kernel, stride, padding, dilation = (
        (draw(st.integers(*ends)), draw(st.integers(*ends))) for ends in ((1, 4), (1, 3), (0, 3), (1, 2))
    )
    groups = draw(st.sampled_from([g for g in (1, 2, ins) if ins % g == 0]))
    outs = groups * draw(st.integers(1, 2))
    generator = torch.Generator().manual_seed(draw(seeds))
    weight, bias = drawn(generator, outs, ins // groups, *kernel), drawn(generator, outs)
    spans = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
    assume(all(n + 2 * p > span for n, p, span in zip(plane, padding, spans, strict=True)))
    return Conv(weight, bias, stride, padding, dilation, groups)


@settings(max_examples=80, deadline=None)
@given(data=st.data(), storage=storages, seed=seeds)
def test_convolutions(data: st.DataObject, storage: Storage, seed: int) -> None:
    """Two in a row, and neurons between them."""
    shape = (data.draw(st.sampled_from([1, 2, 4])), data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9)))
    first = data.draw(convolutions(shape[0], shape[1:]))
    channels, *plane = first.shape(shape)
    second = data.draw(convolutions(channels, (plane[0], plane[1])))
    found, expected = (
        after(banded(after(noise_of(each, shape, seed), first), seed), second) for each in (storage, DenseNoise.none)
    )
    assert isinstance(found, WindowNoise)
    assert_same(found, expected)
    cells = sum(group.size for group in found.groups)
    assert cells <= expected.dense().numel()


@settings(max_examples=200, deadline=None)
@given(
    size=st.integers(1, 9),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 4),
    padding=st.integers(0, 3),
    dilation=st.integers(1, 3),
    extent=st.integers(1, 9),
)
def test_taps_are_the_sum_of_a_convolution(
    size: int, kernel: int, stride: int, padding: int, dilation: int, extent: int
) -> None:
    """Output o reads cell ``stride o - padding + dilation u`` by tap u: each such pair in a window occurs once."""
    outputs = (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
    assume(outputs >= 1 and extent <= size)
    line = Line(outputs, kernel, stride, padding, dilation)
    starts = torch.arange(size - extent + 1)
    reached, count = line.reached(starts, extent)
    for start, first in zip(starts.tolist(), reached.tolist(), strict=True):
        assert 0 <= first <= outputs - count
        found = []
        for u in range(kernel):
            cells, into = line.tap(u, start + padding - stride * first, extent, count)
            pairs = zip(range(extent)[cells], range(count)[into], strict=True)
            found += [(start + r, first + i, u) for r, i in pairs]
        expected = [
            (cell, o, u)
            for o, u in product(range(outputs), range(kernel))
            if start <= (cell := stride * o - padding + dilation * u) < start + extent
        ]
        assert sorted(found) == sorted(expected)


def test_windows_are_receptive_fields() -> None:
    """One symbol in the middle, under two convolutions: lines 4 to 6 and columns 4 to 8, then 2 to 3 and 2 to 4."""
    shape = (1, 11, 13)
    radius = torch.ones(1, *shape, dtype=torch.float64)
    fresh = torch.zeros_like(radius, dtype=torch.bool)
    fresh[0, 0, 5, 6] = True
    noise = WindowNoise.none(radius).extended(0, radius, fresh)
    none = torch.zeros(1, dtype=torch.float64)
    wide = Conv(torch.ones(1, 1, 3, 5, dtype=torch.float64), none, padding=(1, 2))
    strided = Conv(torch.ones(1, 1, 3, 3, dtype=torch.float64), none, stride=(2, 2), padding=(1, 1))
    once = after(noise, wide)
    twice = after(once, strided)
    assert isinstance(once, WindowNoise)
    assert isinstance(twice, WindowNoise)
    assert [group.frame.size for group in once.groups] == [(3, 5)]
    assert [group.frame.size for group in twice.groups] == [(2, 3)]
    assert torch.equal(twice.radius[0, 0].nonzero().amin(0), torch.tensor([2, 2]))


@settings(max_examples=25, deadline=None)
@given(
    storage=storages,
    seed=seeds,
    geometry=st.sampled_from([(2, 2, 0, 1), (3, 2, 1, 1), (3, 1, 1, 1), (2, 3, 1, 1), (2, 1, 0, 2)]),
)
def test_maxima(storage: Storage, seed: int, geometry: tuple[int, int, int, int]) -> None:
    kernel, stride, padding, dilation = geometry
    shape = (2, 8, 7)
    pool = MaxPool((kernel, kernel), (stride, stride), (padding, padding), (dilation, dilation))
    generator = torch.Generator().manual_seed(seed)
    conv = Conv(drawn(generator, 2, 2, 3, 3), drawn(generator, 2), padding=(1, 1))
    graph = Graph(shape, (Node(conv, (0,), shape, "conv"), Node(pool, (1,), pool.shape(shape), "pool")))
    box = some_box(graph, seed, 1.0, 0.3, count=3)
    found, expected = (Propagation(graph, box, never, each).value(2) for each in (storage, DenseNoise.none))
    assert isinstance(found.noise, WindowNoise)
    assert_same(found.noise, expected.noise)
    torch.testing.assert_close(found.box.upper, expected.box.upper, rtol=0, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(storage=storages, seed=seeds, op=st.sampled_from([Add(), Concat(0), Concat(1), Concat(2)]))
def test_values_joined(storage: Storage, seed: int, op: Operator) -> None:
    """Branches of other depths: one knows symbols that the other does not, and their windows differ."""
    generator = torch.Generator().manual_seed(seed)
    first, second = (Conv(drawn(generator, 2, 2, 3, 3), drawn(generator, 2), padding=(1, 1)) for _ in range(2))

    def joined(each: Storage) -> Noise:
        x = noise_of(each, (2, 6, 5), seed)
        y = after(banded(after(x, first), seed), second)
        return after(after(x, op, y), op, after(y, op, x)) if op == Add() else after(x, op, y)

    found = joined(storage)
    assert isinstance(found, WindowNoise)
    assert_same(found, joined(DenseNoise.none))


MOVES: dict[str, Operator] = {
    "padded": Pad((1, 2, 0, 3)),
    "padded channels": Pad((0, 1, 2, 0, 1, 1)),
    "scaled": Scale(torch.tensor([[[2.0]], [[-3.0]]], dtype=torch.float64), torch.zeros((), dtype=torch.float64)),
    "picked": Gather(1, (4, 4, 1)),
    "turned": Transpose((1, 0, 2)),
    "another plane": Reshape((3, 5, 4)),
}


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("name", MOVES)
def test_values_moved(storage: Storage, name: str) -> None:
    """Whatever moves entries, a convolution of the result is right."""
    op, shape = MOVES[name], (2, 6, 5)
    generator = torch.Generator().manual_seed(5)
    conv = Conv(drawn(generator, 2, op.shape(shape)[0], 2, 3), drawn(generator, 2), padding=(1, 0))
    found, expected = (after(after(noise_of(each, shape, 3), op), conv) for each in (storage, DenseNoise.none))
    assert isinstance(found, WindowNoise)
    assert_same(found, expected)


@pytest.mark.parametrize("shape", [(), (7,), (3, 4), (2, 3, 4), (2, 3, 4, 5)])
def test_the_plane_of_a_shape(shape: Shape) -> None:
    plane = plane_of(shape)
    assert len(plane) == 3
    assert prod(plane) == prod(shape)


@pytest.mark.parametrize("storage", STORAGES)
def test_a_dense_layer_gives_dense_noise(storage: Storage) -> None:
    generator = torch.Generator().manual_seed(0)
    conv = Conv(drawn(generator, 3, 2, 3, 3), drawn(generator, 3), stride=(2, 1))
    layer = Dense(drawn(generator, 4, 36), drawn(generator, 4))
    steps = [conv, Reshape((36,)), layer]
    found, expected = noise_of(storage, (2, 9, 5), 0), noise_of(DenseNoise.none, (2, 9, 5), 0)
    for op in steps:
        found, expected = after(found, op), after(expected, op)
    assert isinstance(found, DenseNoise)
    assert_same(found, expected)


def test_other_symbols_of_the_same_numbers() -> None:
    """Branches that number symbols alike, for other entries: the symbols are the same, their sum is right."""
    x = noise_of(WindowNoise.none, (2, 4, 4), 0)
    generator = torch.Generator().manual_seed(1)
    radius, plain = drawn(generator, *x.radius.shape).abs(), DenseNoise(x.dense())
    for seed in range(3):
        first, second = (torch.rand(radius.shape, generator=generator) < 0.3 + 0.1 * seed for _ in range(2))
        found, expected = (
            after(each.extended(x.symbols, radius, first), Add(), each.extended(x.symbols, radius, second))
            for each in (x, plain)
        )
        assert_same(found, expected)


def test_neurons_write_no_window_again() -> None:
    noise = noise_of(WindowNoise.none, (2, 6, 5), 0)
    assert isinstance(noise, WindowNoise)
    more = banded(banded(noise, 1), 2)
    assert isinstance(more, WindowNoise)
    assert more.groups[0].leaves() == noise.groups[0].leaves()


@pytest.mark.parametrize("seed", range(6))
def test_what_is_not_held_is_the_same(seed: int) -> None:
    """All values of a random network, whether windows are held or computed when they are read."""
    graph = random_graph(seed)
    region = some_box(graph, seed, 1.0, 0.2, count=2)
    held, light = (Propagation(graph, region, never, storage) for storage in STORAGES)
    for number in range(len(graph.shapes)):
        found, expected = light.value(number), held.value(number)
        assert_same(found.noise, expected.noise)
        torch.testing.assert_close(found.box.lower, expected.box.lower, rtol=1e-9, atol=1e-9)


def test_less_is_held() -> None:
    """Of three convolutions that widen windows more than they narrow the map, only the first operand is in memory."""
    generator = torch.Generator().manual_seed(0)
    noise = {storage: noise_of(storage, (2, 20, 20), 0, part=1.0) for storage in STORAGES}
    for _ in range(2):
        conv = Conv(drawn(generator, 2, 2, 3, 3), drawn(generator, 2), padding=(1, 1))
        noise = {storage: after(each, conv) for storage, each in noise.items()}
    held, light = noise.values()
    assert held.bytes > 800 * 2 * 25 * 8
    assert light.bytes < held.bytes / 5


def test_too_large_windows_are_refused() -> None:
    """Before they are computed."""
    noise = noise_of(WindowNoise.none, (4, 40, 40), 0, part=1.0)
    conv = Conv(torch.ones(64, 4, 5, 5, dtype=torch.float64), torch.zeros(64, dtype=torch.float64), padding=(2, 2))
    with Room(granted=64 << 20, held=held_memory()).binding(), pytest.raises(TooLargeError, match="windows of 6400"):
        after(noise, conv)


def test_one_region_alone() -> None:
    """A region of which nothing moves beside another."""
    radius = torch.ones(2, 1, 3, 3, dtype=torch.float64)
    fresh = torch.zeros_like(radius, dtype=torch.bool)
    fresh[1] = True
    box = Box(-radius, radius)
    noise = WindowNoise.none(box.centre).extended(0, box.radius, fresh)
    assert noise.symbols == 9
    assert float(noise.radius[0].abs().max()) == 0.0
    assert torch.equal(noise.forms(1, torch.arange(9)), torch.eye(9, dtype=torch.float64))


def test_windows_that_nothing_reads_stay_near() -> None:
    """Cells picked on even lines, less those picked on odd ones: a symbol is read by one of both, if at all."""
    noise = noise_of(WindowNoise.none, (1, 8, 8), 0, part=1.0)
    assert isinstance(noise, WindowNoise)
    (group,) = noise.groups
    cells = torch.arange(64).view(8, 8)
    even, odd = (cells[k::2, k::2].reshape(1, 1, 16).expand(BATCH, -1, -1) for k in (0, 1))
    gap = Joined.of([Term(Picked.of(group, places, (1, 4, 4))) for places in (even, odd)], (1, 4, 4))
    assert max(gap.frame.size) <= 2
