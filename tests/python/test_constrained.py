"""Constrained zonotopes: what they contain, that they are never looser than plain ones, what is known where."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper
from torch import Tensor

from pyprover.domains import constrained
from pyprover.domains.analysis import ANALYSES, PartBounds, bound_regions, zonotope_bounds
from pyprover.domains.base import Box
from pyprover.domains.constrained import ConstrainedZonotopes, where_nonpositive
from pyprover.domains.linear import Linearised
from pyprover.domains.multipliers import Constraints, Fresh, HalfSpaces, Sheaf, ascend, first_shares, rewrite_with
from pyprover.domains.noise.base import TooLargeError
from pyprover.domains.products import with_intervals
from pyprover.domains.resources import DEFAULT_ROOM
from pyprover.engine.case import beats
from pyprover.engine.conditional import bounds_where
from pyprover.engine.ledger import Ledger
from pyprover.graph import Graph
from pyprover.query import Within
from pyprover.verdict import Valid
from tests.python.networks import Recipe, dense, residual, toy
from tests.python.test_domains import (
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
from tests.python.test_zonotope import dense_grid, opened

DOMAINS = ["constrained_zonotope", "constrained_zonotope+linear"]


pytestmark = pytest.mark.usefixtures("few_steps")


def analysed(graph: Graph, box: Box) -> Linearised:
    return ANALYSES["constrained_zonotope"](graph, box, never)


@pytest.mark.parametrize("kind", list(NETWORKS))
@settings(max_examples=8, deadline=None)
@given(seed=seeds, magnitude=st.sampled_from([1e-6, 1.0, 1e4]), width=st.sampled_from([1e-6, 0.1, 0.5, 2.0]))
def test_never_looser_than_the_plain_zonotope(kind: str, seed: int, magnitude: float, width: float) -> None:
    graph = graph_of(NETWORKS[kind](seed))
    box = some_box(graph, seed, magnitude, width)
    plain, found = output_bounds(zonotope_bounds(graph, box, never)), output_bounds(analysed(graph, box))
    assert bool((found.lower >= plain.lower).all())
    assert bool((found.upper <= plain.upper).all())


def test_all_lines_below_a_relu_are_used() -> None:
    """``relu(x)``, ``relu(x) - x / 2`` and ``relu(x) - x`` are least 0 on [-1, 1]; each line alone misses some."""
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("Mul", ["x", "half"], ["h"]),
        helper.make_node("Sub", ["r", "h"], ["m"]),
        helper.make_node("Sub", ["r", "x"], ["d"]),
        helper.make_node("Concat", ["r", "m", "d"], ["y"], axis=1),
    ]
    graph = graph_of(Recipe((1,), nodes, {"half": np.float32(0.5)}))
    one = torch.ones(1, 1, dtype=torch.float64)
    least = {name: output_bounds(ANALYSES[name](graph, Box(-one, one), never)).lower[0] for name in ANALYSES}
    assert float(least["zonotope"][2]) == pytest.approx(-0.5)
    assert float(least["linear"][1]) == pytest.approx(-0.5)
    torch.testing.assert_close(least["constrained_zonotope"], torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_strictly_tighter_than_zonotopes_and_lines(seed: int) -> None:
    graph = graph_of(dense([5, 16, 16, 3], seed))
    box = some_box(graph, seed, 1.0, 0.3, count=2)
    widths = {}
    for name in ("zonotope", "linear", "constrained_zonotope"):
        found = output_bounds(ANALYSES[name](graph, box, never))
        widths[name] = float((found.upper - found.lower).sum())
    assert widths["constrained_zonotope"] < 0.98 * min(widths["zonotope"], widths["linear"])


def some_constraints(seed: int) -> tuple[Constraints, Tensor]:
    """Random lines around the last two of five symbols and a half-space; points (count, 5) that satisfy them."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> Tensor:
        return 2 * torch.rand(*shape, generator=generator, dtype=torch.float64) - 1

    start = torch.zeros(1, dtype=torch.int64)
    steps = []
    for first in (3, 4):
        forms = random(1, first)
        sheaves = (Sheaf(random(2, 1), random(2, 1) + shift, start) for shift in (-0.7, 0.7))
        steps.append(Fresh(first, forms, forms.abs().sum(1), *sheaves))
    spaces = HalfSpaces(random(1, 5), random(1) + 0.5)
    points = random(20000, 5)
    kept = (points @ spaces.normals.T <= spaces.offsets).all(1)
    for step in steps:
        xi, own = points[:, : step.first] @ step.forms.T, points[:, step.first, None]
        kept &= (own >= (xi * step.lower.slope[:, 0] + step.lower.offset[:, 0])).all(1)
        kept &= (own <= (xi * step.upper.slope[:, 0] + step.upper.offset[:, 0])).all(1)
    return Constraints(tuple(steps), spaces), points[kept]


@settings(max_examples=40, deadline=None)
@given(seed=seeds)
def test_any_multipliers_are_sound(seed: int) -> None:
    constraints, points = some_constraints(seed)
    generator = torch.Generator().manual_seed(seed + 1)
    forms = torch.randn(7, 5, generator=generator, dtype=torch.float64)
    values = points @ forms.T
    shares = [3 * torch.rand(s.shape, generator=generator, dtype=torch.float64) for s in first_shares(constraints, 7)]
    for found in (rewrite_with(constraints, forms, shares), ascend(constraints, forms, 10)):
        assert bool((found.bound <= values).all())
        rewritten = points @ found.form.T + found.constant
        assert bool((rewritten <= values + found.error).all())
    free = -forms.abs().sum(1)
    assert bool((ascend(constraints, forms, 10).bound >= free - 1e-12).all())


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("kind", list(NETWORKS))
@settings(max_examples=6, deadline=None)
@given(seed=seeds, magnitude=magnitudes, width=widths)
def test_conditional_bounds_hold_where_the_case_does(
    domain: str, kind: str, seed: int, magnitude: float, width: float
) -> None:
    graph = graph_of(NETWORKS[kind](seed))
    box = some_box(graph, seed, magnitude, width)
    values = outputs_at(graph, points_in(box, seed, count=300))
    case = beats(0, [1])
    bounds = bound_regions(domain, graph, box, never)
    for place in range(2):
        part = bounds_where(bounds, place, case)
        assert isinstance(part, PartBounds)
        held = values[:, place][values[:, place, 0] >= values[:, place, 1]]
        assert_contains(output_bounds(part.linearised), held[:, None])


def test_conditional_bounds_are_tighter() -> None:
    """Where an output is as low as it gets, little of the region is left, and the boxes of neurons are smaller."""
    graph = graph_of(dense([4, 12, 12, 3], 1))
    box = some_box(graph, 1, 1.0, 0.5, count=1)
    network = analysed(graph, box)
    least = outputs_at(graph, points_in(box, 0, count=2000))[..., 0].amin()
    margin = torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64)
    part = where_nonpositive(network, 0, margin, -least[None])
    assert part is not None
    whole, held = output_bounds(network), output_bounds(part)
    assert float(held.upper[0, 0] - held.lower[0, 0]) < 0.95 * float(whole.upper[0, 0] - whole.lower[0, 0])


def test_the_layout_of_boxes_does_not_matter() -> None:
    """Boxes of maps may lie in memory with channels last."""
    graph = graph_of(residual(3))
    box = some_box(graph, 5, 1.0, 0.2, count=1)
    companion = ConstrainedZonotopes(graph, box, never)
    with_intervals(graph, box, companion)
    step, (known,) = companion.steps[1], companion.constraints
    half = torch.full((6,), -0.5, dtype=torch.float64)  # the first six symbols are at most -1/2
    constraints = Constraints(known.steps, HalfSpaces(torch.eye(6, known.symbols, dtype=torch.float64), half))
    last = Box(*(side.contiguous(memory_format=torch.channels_last) for side in (step.box.lower, step.box.upper)))
    one, other = step.tightened(constraints).box, replace(step, box=last).tightened(constraints).box
    torch.testing.assert_close(one.lower, other.lower)
    torch.testing.assert_close(one.upper, other.upper)
    assert bool((one.lower > step.box.lower).any())


def test_conditional_bounds_do_not_enter_the_ledger() -> None:
    graph = graph_of(dense([4, 12, 12, 3], 1))
    bounds = bound_regions("constrained_zonotope", graph, some_box(graph, 1, 1.0, 0.5, count=1), never)
    part = bounds_where(bounds, 0, beats(0, [1]))
    with pytest.raises(TypeError, match="PartBounds do not hold in the whole region"):
        Ledger().record(part, [])  # type: ignore[arg-type]


def test_other_domains_know_nothing_of_cases() -> None:
    graph = graph_of(dense([4, 6, 3], 1))
    bounds = bound_regions("zonotope", graph, some_box(graph, 1, 1.0, 0.5), never)
    assert bounds_where(bounds, 0, beats(0, [1])) is None


@pytest.mark.parametrize("activation", ["Relu", "Sigmoid"])
def test_what_is_valid_stands_on_a_grid(activation: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    proven: dict[str, int] = {}
    for seed in range(3):
        network = opened(dense([2, 8, 8, 3], seed, activation=activation, scale=2.0), tmp_path)
        corners = [(c, r) for c in rng.uniform(-2, 2, (4, 2)) for r in (0.1, 0.4)]
        bounds = [((c - r).tolist(), (c + r).tolist()) for c, r in corners]
        groups = [Within((0,)), Within((1,)), Within((2,)), Within((0, 1))]
        for domain in ("zonotope", *DOMAINS):
            found = run(network, [(box_region(*sides), groups) for sides in bounds], domain=domain)
            for k, sides in enumerate(bounds):
                answers = set(dense_grid(network.graph, *sides).argmax(1).tolist())
                for group, outcome in zip(groups, found.outcomes(k), strict=True):
                    if isinstance(outcome.verdict, Valid):
                        assert answers <= set(group.classes)
                        proven[domain] = proven.get(domain, 0) + 1
    assert proven["zonotope"] <= proven["constrained_zonotope"] <= proven["constrained_zonotope+linear"]


def test_too_many_constraints_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of two regions fits where both together do not."""
    graph = graph_of(dense([4, 12, 12, 3], 1))
    box = some_box(graph, 1, 1.0, 1.0, count=2)
    companion = ConstrainedZonotopes(graph, box, never)
    with_intervals(graph, box, companion)
    needs = [sum(8 * step.bundles[k].forms.numel() for step in companion.steps) for k in range(2)]
    assert min(needs) > 0
    monkeypatch.setattr(constrained, "_PART", DEFAULT_ROOM // max(needs))
    with pytest.raises(TooLargeError, match=r"constraints on \d+ noise symbols need 0.0 MiB of 0.0 MiB"):
        analysed(graph, box)
    for k in range(2):
        analysed(graph, Box(box.lower[k : k + 1], box.upper[k : k + 1]))


def test_groups_are_proven_by_combinations(tmp_path: Path) -> None:
    region = box_region([-1, -1], [1, 1])
    (outcome,) = run(opened(toy(), tmp_path), [(region, [Within((0, 1))])], domain="constrained_zonotope").outcomes()
    assert (outcome.verdict, outcome.step) == (Valid(), "constrained_zonotope")
