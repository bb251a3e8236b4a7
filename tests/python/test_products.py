"""Products of domains: what they contain, that they are no looser than their parts, how they are named."""

from __future__ import annotations

import re
from itertools import permutations
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pyprover.domains.analysis import ANALYSES, linear_bounds, zonotope_bounds
from pyprover.domains.base import Box
from pyprover.domains.linear import Linearised, lower_bounds
from pyprover.domains.names import ALIASES, SIMPLE, canonical
from pyprover.domains.products import Zonotopes, meet, parts_of, with_intervals
from pyprover.domains.relaxation import Places, Rows
from pyprover.errors import UserError
from pyprover.graph import Graph
from pyprover.query import Within
from pyprover.verdict import Valid
from tests.python.networks import dense, toy
from tests.python.test_domains import (
    NETWORKS,
    assert_contains,
    graph_of,
    never,
    output_bounds,
    outputs_at,
    points_in,
    seeds,
    some_box,
)
from tests.python.test_engine import box_region, run
from tests.python.test_zonotope import opened

pytestmark = pytest.mark.usefixtures("few_steps")
DRIVER = Path(__file__).parents[2] / "caisar_ext/lib/proving/provers/pyprover.driver"


def radii(network: Linearised) -> Tensor:
    """The sum of the widths of the outputs, for each region."""
    found = output_bounds(network)
    return (found.upper - found.lower).sum(1)


def neuron_boxes(graph: Graph, box: Box, companion: Zonotopes) -> list[Box]:
    """The boxes that a companion and the linear analysis agree on, where they are told."""
    told: list[Box] = []
    learn = companion.learn

    def listening(value: int, found: Box) -> None:
        told.append(found)
        learn(value, found)

    companion.learn = listening  # type: ignore[method-assign]
    linear_bounds(graph, box, never, companion)
    return told


@pytest.mark.parametrize("kind", list(NETWORKS))
@settings(max_examples=8, deadline=None)
@given(seed=seeds, width=st.sampled_from([1e-3, 0.1, 0.5, 2.0]))
def test_a_meet_takes_the_better_bound_of_each_form(kind: str, seed: int, width: float) -> None:
    graph = graph_of(NETWORKS[kind](seed))
    box = some_box(graph, seed, 1.0, width)
    parts = [linear_bounds(graph, box, never), zonotope_bounds(graph, box, never)]
    found, (one, other) = output_bounds(meet(parts)), (output_bounds(part) for part in parts)
    torch.testing.assert_close(found.lower, torch.maximum(one.lower, other.lower), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(found.upper, torch.minimum(one.upper, other.upper), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", list(NETWORKS))
@settings(max_examples=8, deadline=None)
@given(seed=seeds, width=st.sampled_from([1e-3, 0.1, 0.5, 2.0]))
def test_boxes_in_a_product_lie_within_those_of_the_linear_domain(kind: str, seed: int, width: float) -> None:
    graph = graph_of(NETWORKS[kind](seed))
    box = some_box(graph, seed, 1.0, width)
    together = neuron_boxes(graph, box, Zonotopes(graph, box, never))
    first = together[0]
    alone = linear_bounds(graph, box, never)
    position = next(p for p, node in enumerate(graph.nodes) if not node.op.linear)
    size: Tensor = alone.relaxations[position].size  # type: ignore[attr-defined]
    assert bool((first.size <= size * (1 + 1e-12)).all())
    values = outputs_at(graph, points_in(box, seed))
    assert_contains(output_bounds(ANALYSES["zonotope+linear"](graph, box, never)), values)


def test_products_are_tighter_than_their_parts() -> None:
    total = dict.fromkeys(ANALYSES, 0.0)
    for seed in range(6):
        graph = graph_of(dense([5, 16, 16, 16, 3], seed))
        box = some_box(graph, seed, 1.0, 0.2, count=3)
        for name, analysis in ANALYSES.items():
            total[name] += float(radii(analysis(graph, box, never)).sum())
    assert total["zonotope+linear"] < 0.99 * min(total["zonotope"], total["linear"])
    assert total["constrained_zonotope+linear"] <= (1 + 1e-9) * total["constrained_zonotope"]
    assert total["constrained_zonotope"] < total["zonotope"] < total["interval"]


def test_a_zonotope_alone_is_the_one_of_the_table() -> None:
    graph = graph_of(NETWORKS["residual"](2))
    box = some_box(graph, 4, 1.0, 0.2, count=3)
    alone = output_bounds(with_intervals(graph, box, Zonotopes(graph, box, never)))
    table = output_bounds(zonotope_bounds(graph, box, never))
    torch.testing.assert_close(alone.lower, table.lower, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(alone.upper, table.upper, rtol=1e-9, atol=1e-9)


def test_the_gradient_of_a_bound_is_a_point_of_the_better_part() -> None:
    """What ascent on weights needs: a step against a row's gradient changes its bound by the gradient's square."""
    graph = graph_of(dense([4, 8, 8, 3], 3))
    network = ANALYSES["zonotope+linear"](graph, some_box(graph, 3, 1.0, 0.3, count=2), never)
    coef = torch.tensor([[1.0, -1.0, 0.0], [0.5, 0.2, -0.7]], dtype=torch.float64, requires_grad=True)
    places = Places(torch.arange(2))
    bound = lower_bounds(network, 1, Rows(places, coef))
    (slope,) = torch.autograd.grad(bound.sum(), coef)
    step = 1e-6
    moved = lower_bounds(network, 1, Rows(places, (coef - step * slope).detach()))
    torch.testing.assert_close((bound.detach() - moved) / step, slope.square().sum(1), rtol=1e-3, atol=1e-6)


def test_parts_are_found_again() -> None:
    graph = graph_of(dense([4, 6, 3], 0))
    box = some_box(graph, 0, 1.0, 0.3)
    assert len(parts_of(ANALYSES["constrained_zonotope+linear"](graph, box, never))) == 2
    assert len(parts_of(ANALYSES["linear"](graph, box, never))) == 1


def test_every_combination_of_domains_has_an_analysis() -> None:
    words = [*SIMPLE, *ALIASES]
    for count in (1, 2, 3):
        for names in permutations(words, count):
            assert canonical("+".join(names)) in ANALYSES
    assert {canonical(name) for name in ANALYSES} == set(ANALYSES)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("crown", "linear"),
        ("deeppoly", "linear"),
        ("linear+zonotope", "zonotope+linear"),
        ("deepz+crown", "zonotope+linear"),
        ("interval+zonotope", "zonotope"),
        ("box+ibp", "interval"),
        ("linear+zonotope+constrained_zonotope", "constrained_zonotope+linear"),
    ],
)
def test_names(written: str, meant: str) -> None:
    assert canonical(written) == meant


@pytest.mark.parametrize("name", ["octagon", "zonotope+", "linear+octagon", "", "Zonotope"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="unknown domain") as caught:
        canonical(name)
    for known in (*SIMPLE, *ALIASES):
        assert known in str(caught.value.hint)


def test_the_driver_knows_the_same_names() -> None:
    (listed,) = re.findall(r"\(domains \(([^)]*)\)\)", DRIVER.read_text())
    assert set(listed.split()) == {*SIMPLE, *ALIASES}


@pytest.mark.parametrize("name", ["zonotope+linear", "deeppoly+constrained_zonotope", "crown"])
def test_engines_take_names(name: str, tmp_path: Path) -> None:
    region = box_region([-1, -1], [1, 1])
    (outcome,) = run(opened(toy(), tmp_path), [(region, [Within((0, 1))])], domain=name).outcomes()
    assert (outcome.verdict, outcome.step) == (Valid(), canonical(name))
