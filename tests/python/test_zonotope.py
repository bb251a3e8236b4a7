"""Zonotopes: what they contain, what they are exact on, what they share, and what they refuse."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper
from torch import Tensor

from pyprover.domains import interval
from pyprover.domains.affine_image import linearised
from pyprover.domains.analysis import interval_bounds, zonotope_bounds
from pyprover.domains.base import Box
from pyprover.domains.zonotope import Zonotope, from_box, propagate
from pyprover.engine import Network
from pyprover.graph import Graph, Node
from pyprover.ops import MaxPool
from pyprover.query import Within
from pyprover.verdict import Valid
from tests.python.networks import ZOO_CASES, Recipe, dense, save, toy
from tests.python.test_domains import (
    GRAPHS,
    NETWORKS,
    assert_contains,
    graph_of,
    magnitudes,
    never,
    output_bounds,
    outputs_at,
    points_in,
    seeds,
    some_box,
    widths,
)
from tests.python.test_engine import box_region, run


def prefixes(graph: Graph) -> list[Graph]:
    """The graphs that end at each of the values but the input."""
    return [Graph(graph.input_shape, graph.nodes[: k + 1]) for k in range(len(graph.nodes))]


def hull(value: Zonotope) -> Box:
    """What centre, noise and error allow, without the box that goes with them."""
    everything = torch.full_like(value.centre, torch.inf)
    return value.within(Box(-everything, everything)).box


def assert_holds(graph: Graph, box: Box, seed: int) -> None:
    """Each value of the graph, at points of the box, is in its zonotope and in its box."""
    points = points_in(box, seed)
    for prefix in prefixes(graph):
        found = propagate(prefix, box, never)
        values = prefix.forward(points.flatten(0, 1)).reshape(len(points), *found.centre.shape)
        assert_contains(hull(found), values)
        assert_contains(found.box, values)


@pytest.mark.parametrize(("name", "k"), ZOO_CASES)
@settings(max_examples=8, deadline=None)
@given(seed=seeds, magnitude=magnitudes, width=widths)
def test_every_value_of_every_operator(name: str, k: int, seed: int, magnitude: float, width: float) -> None:
    graph = GRAPHS[name, k]
    assert_holds(graph, some_box(graph, seed, magnitude, width), seed)


@pytest.mark.parametrize("kind", list(NETWORKS))
@settings(max_examples=10, deadline=None)
@given(seed=seeds, magnitude=magnitudes, width=widths)
def test_every_value_of_networks(kind: str, seed: int, magnitude: float, width: float) -> None:
    graph = graph_of(NETWORKS[kind](seed))
    assert_holds(graph, some_box(graph, seed, magnitude, width), seed)


@pytest.mark.parametrize("kind", list(NETWORKS))
@settings(max_examples=10, deadline=None)
@given(seed=seeds, width=st.sampled_from([1e-3, 0.1, 0.5, 2.0]))
def test_every_box_lies_within_its_interval(kind: str, seed: int, width: float) -> None:
    graph = graph_of(NETWORKS[kind](seed))
    box = some_box(graph, seed, 1.0, width)
    for prefix in prefixes(graph):
        inner, outer = propagate(prefix, box, never).box, interval.propagate(prefix, box)
        slack = 1e-9 * (1 + outer.size)
        assert bool((inner.lower >= outer.lower - slack).all())
        assert bool((inner.upper <= outer.upper + slack).all())


@settings(max_examples=25, deadline=None)
@given(seed=seeds, width=st.sampled_from([0.01, 0.1, 0.3]))
def test_zonotopes_are_tighter_on_average(seed: int, width: float) -> None:
    graph = graph_of(dense([5, 16, 16, 3], seed))
    box = some_box(graph, seed, 1.0, width, count=8)
    found, boxes = output_bounds(zonotope_bounds(graph, box, never)), output_bounds(interval_bounds(graph, box, never))
    assert float((found.upper - found.lower).sum()) <= float((boxes.upper - boxes.lower).sum()) * (1 + 1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, magnitude=st.sampled_from([1e-6, 1.0, 1e6]), width=st.sampled_from([1e-6, 0.1, 10.0]))
def test_affine_networks_are_exact(seed: int, magnitude: float, width: float) -> None:
    """Two products in a row: the least and largest output are at corners."""
    graph = graph_of(dense([4, 9, 3], seed, activation="Identity"))
    box = some_box(graph, seed, magnitude, width, count=2)
    corners = torch.tensor(list(product([0.0, 1.0], repeat=4)), dtype=torch.float64)
    values = outputs_at(graph, box.lower + (box.upper - box.lower) * corners[:, None])
    found = output_bounds(zonotope_bounds(graph, box, never))
    assert_contains(found, values)
    scale = 1e-9 * float(values.abs().max() + magnitude)
    torch.testing.assert_close(found.lower, values.amin(0), rtol=0, atol=scale)
    torch.testing.assert_close(found.upper, values.amax(0), rtol=0, atol=scale)


def cancelling(activation: str) -> Graph:
    """``h - h`` where h is a function of the input."""
    nodes = [helper.make_node(activation, ["x"], ["h"]), helper.make_node("Sub", ["h", "h"], ["y"])]
    return graph_of(Recipe((6,), nodes, {}))


@pytest.mark.parametrize("activation", ["Neg", "Relu", "LeakyRelu", "Sigmoid", "Tanh"])
def test_what_is_shared_cancels(activation: str) -> None:
    graph = cancelling(activation)
    box = some_box(graph, 3, 1.0, 2.0)
    found = output_bounds(zonotope_bounds(graph, box, never))
    assert float(found.size.max()) < 1e-12
    assert float(interval.propagate(graph, box).size.max()) > 1e-3


def test_branches_do_not_share_their_symbols() -> None:
    """relu(x) + relu(-x) = |x|: with one symbol for both bands, errors would cancel that do not."""
    nodes = [
        helper.make_node("Neg", ["x"], ["n"]),
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Relu", ["n"], ["b"]),
        helper.make_node("Sub", ["a", "b"], ["d"]),
        helper.make_node("Add", ["a", "b"], ["s"]),
        helper.make_node("Concat", ["d", "s"], ["y"], axis=1),
    ]
    graph = graph_of(Recipe((2,), nodes, {}))
    box = Box(torch.full((1, 2), -1.0, dtype=torch.float64), torch.full((1, 2), 3.0, dtype=torch.float64))
    found = output_bounds(zonotope_bounds(graph, box, never))
    assert_contains(found, outputs_at(graph, points_in(box, 0, count=200)))
    assert_contains(found, torch.tensor([-1.0, 3.0, 0.0, 3.0], dtype=torch.float64)[[0, 0, 2, 2]])


def test_only_what_is_unstable_has_a_symbol() -> None:
    graph = graph_of(dense([4, 12, 9, 3], 2))
    box = some_box(graph, 2, 1.0, 0.2, count=3)
    free = (box.lower < box.upper).sum(1)
    hidden = [propagate(Graph(graph.input_shape, graph.nodes[:k]), box, never).box for k in (1, 3)]
    unstable = [((value.lower < 0) & (value.upper > 0)).sum(1) for value in hidden]
    found = propagate(graph, box, never).noise
    most = int(free.max()) + int(unstable[0].max()) + int(unstable[1].max())
    assert found.symbols == most
    assert int(unstable[0].max()) < 12


def test_a_point_needs_no_symbol() -> None:
    graph = graph_of(dense([4, 12, 9, 3], 2))
    assert propagate(graph, some_box(graph, 2, 1.0, 0.0), never).noise.symbols == 0


@settings(max_examples=40, deadline=None)
@given(seed=seeds, geometry=st.sampled_from([(2, 2, 0, 1), (3, 1, 1, 1), (2, 1, 0, 2), (3, 2, 1, 2)]), width=widths)
def test_maxima(seed: int, geometry: tuple[int, int, int, int], width: float) -> None:
    kernel, stride, padding, dilation = geometry
    op = MaxPool((kernel, kernel), (stride, stride), (padding, padding), (dilation, dilation))
    shape = (2, 7, 6)
    graph = Graph(shape, (Node(op, (0,), op.shape(shape), "pool"),))
    box = some_box(graph, seed, 1.0, width, count=3)
    assert_holds(graph, box, seed)


def test_a_maximum_knows_that_its_members_move_together() -> None:
    """The larger of x and x + 0.1 is x + 0.1, however wide the region: an interval cannot tell."""
    weight = np.array([[[[1]]], [[[1]]]], dtype=np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"]),
        helper.make_node("Reshape", ["c", "s"], ["r"]),
        helper.make_node("MaxPool", ["r"], ["m"], kernel_shape=[2, 1]),
        helper.make_node("Reshape", ["m", "flat"], ["f"]),
        helper.make_node("Reshape", ["x", "flat"], ["g"]),
        helper.make_node("Sub", ["f", "g"], ["y"]),
    ]
    constants = {
        "w": weight,
        "b": np.array([0, 0.125], dtype=np.float32),
        "s": np.array([1, 1, 2, 1], dtype=np.int64),
        "flat": np.array([1, 1], dtype=np.int64),
    }
    graph = graph_of(Recipe((1, 1, 1), nodes, constants))
    one = torch.ones(1, 1, 1, 1, dtype=torch.float64)
    found = output_bounds(zonotope_bounds(graph, Box(-one, one), never))
    assert_contains(found, torch.tensor([[0.125]], dtype=torch.float64))
    assert float(found.size.max()) < 0.126


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_rewritten_forms_are_those_of_the_zonotope(seed: int) -> None:
    """The network that stands for a zonotope computes its points, error symbols included."""
    generator = torch.Generator().manual_seed(seed)
    graph = graph_of(dense([4, 7, 3], seed))
    value = propagate(graph, some_box(graph, seed, 1.0, 0.5, count=3), never)
    value = replace(value, error=torch.rand(3, 3, generator=generator, dtype=torch.float64))
    network = linearised([value])
    noise = 2 * torch.rand(200, *network.input.lower.shape, generator=generator, dtype=torch.float64) - 1
    points = torch.stack([network.graph.forward(e) for e in (*noise, *noise.sign())])
    bounds = output_bounds(network)
    assert_contains(bounds, points)
    radius = value.noise.radius + value.error
    torch.testing.assert_close(bounds.upper, value.centre + radius, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(bounds.lower, value.centre - radius, rtol=1e-9, atol=1e-9)


def opened(recipe: Recipe, folder: Path) -> Network:
    return Network.open(save(recipe, folder / "net.onnx"))


def dense_grid(graph: Graph, lower: list[float], upper: list[float]) -> Tensor:
    """Outputs on a grid of a region of two features."""
    axes = [torch.linspace(a, b, 60, dtype=torch.float64) for a, b in zip(lower, upper, strict=True)]
    return graph.forward(torch.cartesian_prod(*axes))


@pytest.mark.parametrize("activation", ["Relu", "LeakyRelu", "Sigmoid", "Tanh"])
def test_what_is_valid_stands_on_a_grid(activation: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    proven = 0
    for seed in range(6):
        network = opened(dense([2, 8, 8, 3], seed, activation=activation, scale=2.0), tmp_path)
        corners = [(c, r) for c in rng.uniform(-2, 2, (6, 2)) for r in (0.02, 0.1, 0.4)]
        bounds = [((c - r).tolist(), (c + r).tolist()) for c, r in corners]
        groups = [Within((0,)), Within((1,)), Within((2,)), Within((0, 1)), Within((1, 2))]
        found = run(network, [(box_region(*sides), groups) for sides in bounds], domain="zonotope")
        for k, sides in enumerate(bounds):
            answers = set(dense_grid(network.graph, *sides).argmax(1).tolist())
            for group, outcome in zip(groups, found.outcomes(k), strict=True):
                if isinstance(outcome.verdict, Valid):
                    assert answers <= set(group.classes)
                    proven += 1
    assert proven > 100


def test_groups_are_proven_by_combinations(tmp_path: Path) -> None:
    """No class of the group alone can be shown to beat the outsider."""
    region = box_region([-1, -1], [1, 1])
    (outcome,) = run(opened(toy(), tmp_path), [(region, [Within((0, 1))])], domain="zonotope").outcomes()
    assert (outcome.verdict, outcome.step) == (Valid(), "zonotope")


def test_the_input_of_a_zonotope_is_its_box() -> None:
    box = some_box(Graph((5,), ()), 1, 1.0, 0.5)
    value = from_box(box)
    torch.testing.assert_close(hull(value).lower, box.lower, rtol=1e-12, atol=1e-12)
    assert_contains(hull(value), torch.stack([box.lower, box.upper]))
