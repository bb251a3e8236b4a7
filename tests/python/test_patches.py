"""Patches compute what whole rows compute, in whatever way a form is cropped, anchored or joined."""

from __future__ import annotations

from contextlib import ExitStack
from math import prod
from random import Random
from unittest.mock import patch as patched

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pyprover.domains import refined, transposed
from pyprover.domains.analysis import linear_bounds
from pyprover.domains.base import Box
from pyprover.domains.linear import Linearised, lower_bounds, patch_bounds, rewrite
from pyprover.domains.patches import Anchors, Crop, Patch, has_rows_last
from pyprover.domains.relaxation import Places, Rows
from pyprover.domains.transposed import reached
from pyprover.graph import Graph, Node, Operator
from pyprover.ops import Add, Conv, ConvTranspose, Dense, MaxPool, Pad, Relu, Reshape, Scale, Sigmoid

seeds = st.integers(0, 2**31)


def random(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


class Maker:
    """A random network of maps, built node by node."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        torch.manual_seed(seed)
        self.input_shape = (self.random.randint(1, 3), self.random.randint(6, 11), self.random.randint(6, 11))
        self.nodes: list[Node] = []

    def shape(self, value: int) -> tuple[int, ...]:
        return self.input_shape if value == 0 else self.nodes[value - 1].shape

    def put(self, op: Operator, *inputs: int) -> int:
        self.nodes.append(Node(op, inputs, op.shape(*(self.shape(v) for v in inputs)), type(op).__name__))
        return len(self.nodes)

    def pair(self, low: int, high: int) -> tuple[int, int]:
        return self.random.randint(low, high), self.random.randint(low, high)

    def convolution(self, shape: tuple[int, ...]) -> Conv:
        channels, *plane = shape
        groups = self.random.choice([g for g in (1, 2, 3) if channels % g == 0])
        kernel = [self.random.randint(1, min(4, size)) for size in plane]
        dilation = [
            2 if k > 1 and 2 * k <= size and self.random.random() < 0.3 else 1
            for k, size in zip(kernel, plane, strict=True)
        ]
        weight = random(groups * self.random.randint(1, 3), channels // groups, *kernel)
        bias = random(len(weight))
        return Conv(weight, bias, self.pair(1, 2), self.pair(0, 2), (dilation[0], dilation[1]), groups)

    def convolved(self, value: int) -> int:
        return self.put(self.convolution(self.shape(value)), value)

    def residual(self, value: int) -> int:
        channels = self.shape(value)[0]
        first, second = (Conv(random(channels, channels, 3, 3), random(channels), padding=(1, 1)) for _ in range(2))
        return self.put(Add(), self.put(second, self.put(Relu(), self.put(first, value))), value)

    def downward(self, value: int) -> int:
        """Two convolutions of different reach that are added."""
        channels = self.shape(value)[0]
        wide = Conv(random(2, channels, 3, 3), random(2), (2, 2), (1, 1))
        narrow = Conv(random(2, channels, 1, 1), random(2), (2, 2))
        return self.put(Add(), self.put(wide, value), self.put(narrow, value))

    def uneven(self, value: int) -> int:
        """Two paths of different strides to one value."""
        channels, height, width = self.shape(value)
        if height % 2 or width % 2:
            return self.convolved(value)
        narrow = self.put(Conv(random(2, channels, 2, 2), random(2), (2, 2)), value)
        spread = self.put(ConvTranspose(random(2, 2, 2, 2), random(2), (2, 2)), narrow)
        return self.put(Add(), spread, self.put(Conv(random(2, channels, 1, 1), random(2)), value))

    def scaled(self, value: int) -> int:
        channels, _, width = self.shape(value)
        return self.put(Scale(random(channels, 1, self.random.choice([1, width])), random(channels, 1, 1)), value)

    def padded(self, value: int) -> int:
        return self.put(Pad((0, 1, 2, 0)), value)

    def pooled(self, value: int) -> int:
        if min(self.shape(value)[1:]) < 2:
            return self.convolved(value)
        return self.put(MaxPool((2, 2), (1, 1), (0, 0), (1, 1)), value)

    def network(self) -> Graph:
        value = self.convolved(0)
        steps = [self.convolved] * 3 + [
            self.residual,
            self.downward,
            self.uneven,
            self.scaled,
            self.padded,
            self.pooled,
        ]
        for _ in range(self.random.randint(1, 4)):
            value = self.put(self.random.choice([Relu(), Relu(), Relu(0.1), Sigmoid()]), value)
            value = self.random.choice(steps)(value)
        value = self.put(Relu(), value)
        size = prod(self.shape(value))
        value = self.put(Dense(random(4, size), random(4)), self.put(Reshape((size,)), value))
        self.put(Dense(random(3, 4), random(3)), self.put(Relu(), value))
        return Graph(self.input_shape, tuple(self.nodes))


def boxes(graph: Graph, seed: int, radius: float, count: int = 2) -> Box:
    torch.manual_seed(seed)
    centre = torch.randn(count, *graph.input_shape, dtype=torch.float64)
    return Box(centre - radius, centre + radius)


def with_blocks(anchored: float, own_rows: int, tile_rows: int, graph: Graph, box: Box) -> Linearised:
    """The analysis with forms of neurons built in one of the ways."""
    names = {"MOST_ANCHORED": anchored, "OWN_ROWS": own_rows, "TILE_ROWS": tile_rows}
    with ExitStack() as stack:
        for name, number in names.items():
            stack.enter_context(patched.object(refined, name, number))
        return linear_bounds(graph, box, lambda: None)


WAYS = {"anchored": (2.0, 0, 1), "tiles": (0.0, 0, 1), "larger tiles": (0.0, 0, 4), "one crop": (0.0, 0, 10**9)}


@pytest.mark.parametrize("way", list(WAYS))
@settings(max_examples=20, deadline=None)
@given(seed=seeds, radius=st.sampled_from([1e-3, 0.05, 0.4]))
def test_patches_give_the_bounds_of_whole_rows(way: str, seed: int, radius: float) -> None:
    graph = Maker(seed).network()
    box = boxes(graph, seed, radius)
    whole = with_blocks(0.0, 10**9, 1, graph, box)
    found = with_blocks(*WAYS[way], graph, box)
    assert whole.relaxations.keys() == found.relaxations.keys()
    for position, relaxation in whole.relaxations.items():
        for name in ("lower_slope", "upper_slope", "upper_offset", "size", "ceiling"):
            if hasattr(relaxation, name):
                torch.testing.assert_close(
                    getattr(found.relaxations[position], name), getattr(relaxation, name), rtol=1e-9, atol=1e-9
                )
    unit = torch.eye(3, dtype=torch.float64)
    rows = Rows(Places(torch.zeros(3, dtype=torch.int64)), unit)
    at_most = graph.forward(points(box, 40)).amin(0)
    bounds = lower_bounds(found, graph.output, rows)
    torch.testing.assert_close(bounds, lower_bounds(whole, graph.output, rows), rtol=1e-9, atol=1e-9)
    assert bool((bounds <= at_most).all())


def points(box: Box, count: int) -> Tensor:
    """Points of the first region."""
    share = torch.rand(count, *box.lower.shape[1:], dtype=torch.float64)
    share[: count // 2] = share[: count // 2].round()
    return box.lower[0] + (box.upper[0] - box.lower[0]) * share


@settings(max_examples=150, deadline=None)
@given(seed=seeds, memory=st.sampled_from([1, 2000, 1 << 24]))
def test_a_transposed_convolution_is_that_of_torch(seed: int, memory: int) -> None:
    """With its gradient, for rows innermost in memory and crops of any size; in one product or in many."""
    maker = Maker(seed)
    op, shape = maker.convolution(maker.input_shape), maker.input_shape
    produced = op.shape(shape)
    top, left = (maker.random.randrange(size) for size in produced[1:])
    stop = maker.random.randint(top + 1, produced[1]), maker.random.randint(left + 1, produced[2])
    crop = Crop((top, left), stop)
    coef = torch.randn(produced[0], *crop.size, maker.random.randint(2, 5), dtype=torch.float64).movedim(-1, 0)
    coef.requires_grad_()
    assert has_rows_last(coef)
    with patched.object(transposed, "PART_BYTES", memory):
        found = transposed.transposed(op, Patch(coef, crop), shape).whole(shape)
        outside = Patch(coef, crop).whole(produced).contiguous()
        wanted = transposed.transposed(op, Patch(outside), shape).coef
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-9)
        towards = torch.randn_like(wanted)
        gradients = [torch.autograd.grad((forms * towards).sum(), coef)[0] for forms in (found, wanted)]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-9)


def test_anchored_patches_are_zero_outside_the_map() -> None:
    """What a window reads of the padding must not count: not in norms, not in biases of convolutions below."""
    torch.manual_seed(1)
    op = Conv(torch.randn(2, 3, 3, 3, dtype=torch.float64), torch.zeros(2, dtype=torch.float64), (2, 2), (1, 1))
    corner = torch.zeros(2, dtype=torch.int64)
    coef = torch.randn(2, 2, 1, 1, dtype=torch.float64)
    patch = Patch(coef, Crop((0, 0), (1, 1)), Anchors(corner, corner, corner))
    back = transposed.transposed(op, patch, (3, 8, 8))
    assert back.crop == Crop((-1, -1), (2, 2)) == reached(op, Crop((0, 0), (1, 1)))
    assert not bool(back.coef[:, :, 0].any())
    assert not bool(back.coef[:, :, :, 0].any())
    whole = transposed.transposed(op, Patch(patch.whole((2, 4, 4)).contiguous()), (3, 8, 8))
    torch.testing.assert_close(back.whole((3, 8, 8)), whole.coef)


def test_rows_innermost_in_memory_stay_so() -> None:
    """A layout lost on the way would not be wrong, only slow."""
    maker = Maker(11)
    value = maker.put(Relu(), maker.residual(maker.put(Relu(), maker.convolved(0))))
    flat = maker.put(Reshape((prod(maker.shape(value)),)), value)
    maker.put(Dense(random(3, prod(maker.shape(value))), random(3)), flat)
    graph = Graph(maker.input_shape, tuple(maker.nodes))
    box = boxes(graph, 3, 0.1, count=1)
    network = linear_bounds(graph, box, lambda: None)
    coef = torch.randn(3, 6, dtype=torch.float64).T
    form, _ = rewrite(network, graph.output, Rows(Places(torch.zeros(6, dtype=torch.int64)), coef))
    assert has_rows_last(form)
    first = torch.zeros(6, dtype=torch.int64)
    torch.testing.assert_close(
        patch_bounds(network, graph.output, Places(first), Patch(coef)),
        patch_bounds(network, graph.output, Places(first), Patch(coef.contiguous())),
        rtol=1e-9,
        atol=1e-9,
    )


def test_regions_of_dense_networks_share_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of a split come in large batches with few neurons each: one pass for all of them, not one for each."""
    torch.manual_seed(0)
    ops = [
        Dense(random(9, 4), random(9)),
        Relu(),
        Dense(random(9, 9), random(9)),
        Relu(),
        Dense(random(3, 9), random(3)),
    ]
    shapes = [(9,), (9,), (9,), (9,), (3,)]
    nodes = [Node(op, (k,), shape, "") for k, (op, shape) in enumerate(zip(ops, shapes, strict=True))]
    graph = Graph((4,), tuple(nodes))
    calls: list[int] = []

    def counting(network: Linearised, value: int, places: Places, patch: Patch) -> Tensor:
        calls.append(len(patch.coef))
        return patch_bounds(network, value, places, patch)

    monkeypatch.setattr(refined, "patch_bounds", counting)
    linear_bounds(graph, boxes(graph, 0, 0.5, count=60), lambda: None)
    assert sum(calls) > 60
    assert len(calls) <= 2
