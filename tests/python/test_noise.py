"""Every storage of noise against the dense one: the same numbers, whatever the network and wherever they are asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import product
from typing import Any

import pytest
import torch
from onnx import helper
from torch import Tensor

from pyprover.domains.base import Box
from pyprover.domains.noise.base import Noise
from pyprover.domains.noise.dense import DenseNoise
from pyprover.domains.zonotope import Propagation, Zonotope
from pyprover.graph import Graph
from pyprover.ops import OPERATORS
from tests.python.networks import ZOO_CASES, Recipe, residual
from tests.python.noise_storages import STORAGES
from tests.python.random_graphs import random_graph
from tests.python.test_domains import GRAPHS, assert_contains, graph_of, never, points_in, some_box

OTHERS = [name for name in STORAGES if name != "dense"]
SEEDS = range(18)


drawn = cache(random_graph)


def regions(graph: Graph, seed: int) -> Box:
    """Three boxes: all of one may be unstable, few cells of another; one cell of the third moves at all."""
    box = some_box(graph, seed, 1.0, 1.0, count=3)
    width = torch.tensor([0.8, 0.02, 0.3], dtype=torch.float64).reshape(-1, *[1] * len(graph.input_shape))
    radius = width * box.radius
    radius[2] *= torch.arange(radius[2].numel()).reshape(radius[2].shape) == seed % radius[2].numel()
    return Box(box.centre - radius, box.centre + radius)


def values(graph: Graph, region: Box, storage: str) -> list[Zonotope]:
    """All values of a network."""
    propagation = Propagation(graph, region, never, STORAGES[storage])
    return [propagation.value(k) for k in range(len(graph.shapes))]


@cache
def dense_values(graph: Graph, seed: int) -> list[Zonotope]:
    return values(graph, regions(graph, seed), "dense")


def assert_same_noise(found: Noise, expected: Noise) -> None:
    """Generators, their sums, and forms, up to 1e-9 of the largest radius."""
    assert found.symbols == expected.symbols
    assert found.bytes >= 0
    close(found.radius, expected.radius, expected.radius)
    close(found.dense(), expected.dense(), expected.radius)
    for region in range(len(expected.radius)):
        cells = torch.arange(expected.radius[0].numel()).flip(0)[::3]
        close(found.forms(region, cells), expected.forms(region, cells), expected.radius)


def close(found: Tensor, expected: Tensor, size: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9 * float(size.max()) + 1e-150)


def assert_same(found: Zonotope, expected: Zonotope) -> None:
    assert_same_noise(found.noise, expected.noise)
    for name in ("lower", "upper"):
        close(getattr(found.box, name), getattr(expected.box, name), expected.size)
    close(found.centre, expected.centre, expected.size)
    close(found.error, expected.error, expected.size)


@pytest.mark.parametrize("storage", OTHERS)
@pytest.mark.parametrize("seed", SEEDS)
def test_random_networks(storage: str, seed: int) -> None:
    graph = drawn(seed)
    for found, expected in zip(values(graph, regions(graph, seed), storage), dense_values(graph, seed), strict=True):
        assert_same(found, expected)


@pytest.mark.slow
@pytest.mark.parametrize("storage", OTHERS)
@pytest.mark.parametrize("seed", range(1000, 1400))
def test_more_random_networks(storage: str, seed: int) -> None:
    graph = random_graph(seed, steps=12)
    expected = values(graph, regions(graph, seed), "dense")
    for mine, theirs in zip(values(graph, regions(graph, seed), storage), expected, strict=True):
        assert_same(mine, theirs)


def operator_cases() -> Iterator[Any]:
    """Storages that split another leave what operators do to it: one form of each is enough to see that."""
    for storage, (name, k) in product(OTHERS, ZOO_CASES):
        marks = [pytest.mark.slow] if storage.startswith("blocks") and k > 0 else []
        yield pytest.param(storage, name, k, marks=marks)


@pytest.mark.parametrize(("storage", "name", "k"), list(operator_cases()))
def test_every_operator(storage: str, name: str, k: int) -> None:
    graph = GRAPHS[name, k]
    for found, expected in zip(values(graph, regions(graph, k), storage), dense_values(graph, k), strict=True):
        assert_same(found, expected)


def test_the_random_networks_have_all_that_they_should() -> None:
    found = {type(node.op).__name__ for seed in SEEDS for node in drawn(seed).nodes}
    missing = {op.__name__ for op in OPERATORS if op.linear} - found
    assert not missing
    assert {"MaxPool", "Product", "Relu", "Sigmoid"} <= found
    shared = [seed for seed in SEEDS if any(len(node.inputs) > 1 for node in drawn(seed).nodes)]
    assert len(shared) > len(SEEDS) // 3


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("seed", SEEDS[::2])
def test_values_hold_what_networks_compute(storage: str, seed: int) -> None:
    """Bounds contain them, in float32 too; there, two storages differ by rounding."""
    single = drawn(seed).to(torch.float32)
    graph, box = single.to(torch.float64), regions(drawn(seed), seed)
    box = Box(box.lower.float(), box.upper.float())
    exact = Box(box.lower.double(), box.upper.double())
    points = points_in(exact, seed)
    truth = graph.forward(points.flatten(0, 1)).reshape(*points.shape[:2], graph.outputs)
    assert_contains(values(graph, exact, storage)[-1].box, truth)
    found, plain = (values(single, box, name)[-1] for name in (storage, "dense"))
    assert_contains(Box(found.box.lower.double(), found.box.upper.double()), truth)
    slack = found.error + plain.error + 1e-5 * plain.size
    assert bool(((found.noise.radius - plain.noise.radius).abs() <= slack).all())


@pytest.mark.parametrize("storage", STORAGES)
def test_what_is_shared_cancels(storage: str) -> None:
    """Two branches that compute the same: their difference is none, symbols of the branches' end left out."""
    graph = graph_of(residual(1))
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["a"], ["r"]),
        helper.make_node("Conv", ["r", "v"], ["b"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Conv", ["r", "v"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Sub", ["b", "c"], ["y"]),
    ]
    weights = {name: graph.nodes[0].op.weight.float().numpy() for name in "w"}  # type: ignore[attr-defined]
    weights["v"] = weights["w"].transpose(1, 0, 2, 3).copy()
    graph = graph_of(Recipe((1, 6, 6), nodes, weights))
    region = regions(graph, 2)
    *_, joined, last = values(graph, region, storage)
    assert float(joined.noise.radius.max()) < 1e-12
    assert float(last.box.size.max()) < 1e-11
    assert last.noise.symbols > 36


def shuffled(noise: Noise, shape: tuple[int, ...], seed: int) -> dict[str, Callable[[Noise], Noise]]:
    """Each step of the interface at random arguments, for noise of values (batch, channels, height, width)."""
    generator = torch.Generator().manual_seed(seed)
    batch, channels, height, width = len(noise.radius), *shape

    def some(*size: int) -> Tensor:
        return torch.randn(batch, *size, generator=generator, dtype=torch.float64)

    fresh, slope, radius, weights = some(*shape) > 0.5, some(*shape), some(*shape).abs(), some(*shape)
    fresh[0] = False
    places = torch.randint(height * width, (batch, channels, 6), generator=generator)
    first = noise.symbols + 2
    small = (some(channels, 2, 3), first, some(channels, 2, 3).abs(), some(channels, 2, 3) > 0)
    return {
        "scaled": lambda it: it.scaled(slope),
        "scaled by zeros": lambda it: it.scaled(slope.clamp(min=0)),
        "combined": lambda it: it.combined(weights),
        "extended": lambda it: it.extended(first, radius, fresh),
        "banded": lambda it: it.banded(slope, first, radius, fresh),
        "selected": lambda it: it.selected(places, (channels, 2, 3)),
        "in turn": lambda it: it.selected(places, (channels, 2, 3)).banded(*small),
    }


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("seed", range(3))
def test_each_step_of_the_interface(storage: str, seed: int) -> None:
    """On values in the middle of a network: the same as on their generators as one tensor."""
    graph = graph_of(residual(seed))
    for value in values(graph, regions(graph, seed), storage)[:6]:
        noise, plain = value.noise, DenseNoise(value.noise.dense())
        shape = tuple(value.centre.shape[1:])
        for name, step in shuffled(noise, shape, seed).items():
            found, expected = step(noise), step(plain)
            assert found.symbols == expected.symbols, name
            assert_same_noise(found, expected)
        places = torch.arange(4).expand(*shape[:1], -1).expand(len(value.centre), -1, -1)
        anchor, plain_anchor = (it.selected(places.flip(2), (shape[0], 2, 2)) for it in (noise, plain))
        close(noise.spread(places, anchor), plain.spread(places, plain_anchor), plain.radius)


@pytest.mark.parametrize("storage", STORAGES)
def test_noise_never_changes(storage: str) -> None:
    """What a value holds is the same after others were made of it."""
    graph, seed = drawn(3), 3
    found = values(graph, regions(graph, seed), storage)
    before = [value.noise.dense().clone() for value in found]
    for value in found:
        shape = tuple(value.centre.shape[1:])
        if len(shape) == 3:
            for step in shuffled(value.noise, shape, seed).values():
                step(value.noise)
    for value, generators in zip(found, before, strict=True):
        assert torch.equal(value.noise.dense(), generators)
