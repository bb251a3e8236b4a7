"""Boxes tightened by search hold everywhere, are never looser, and approach the exact ones."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprover.domains.analysis import Check, RegionBounds, bound_regions
from pyprover.domains.base import Box
from pyprover.domains.optimised import one_region
from pyprover.engine import Network, Problem, Settings, cascade, verify
from pyprover.engine.ascent import SubProblems
from pyprover.engine.box_search import search_boxes
from pyprover.engine.branch import Site, branch
from pyprover.engine.problem import Deadline
from pyprover.engine.refute import Refuter
from pyprover.engine.waiting import Waiting
from pyprover.graph import Graph
from pyprover.query import Within
from pyprover.verdict import Answer, Valid
from tests.python.networks import dense, save
from tests.python.oracle import Oracle
from tests.python.rationals import Rational
from tests.python.test_branch import ball, keep
from tests.python.test_domains import assert_contains, never, points_in, seeds, some_box
from tests.python.test_optimised import GRAPHS, always, inputs_of_nodes, known_boxes
from tests.python.test_rounding import chain, corners, region, spreads


def searched(graph: Graph, box: Box, rounds: int) -> tuple[RegionBounds, RegionBounds | None]:
    """The linear analysis of the first region of a batch, and what a search makes of it."""
    bounds = RegionBounds(one_region(bound_regions("linear", graph, box, never).linearised, 0))
    return bounds, search_boxes(bounds, graph.to(torch.float32), rounds, always)


@pytest.mark.parametrize("name", list(GRAPHS))
@settings(max_examples=4, deadline=None)
@given(seed=seeds, width=st.sampled_from([0.05, 0.3, 1.0]), rounds=st.sampled_from([0, 3, 40]))
def test_boxes_hold_and_are_never_looser(name: str, seed: int, width: float, rounds: int) -> None:
    graph = GRAPHS[name]
    box = some_box(graph, seed, 1.0, width, count=1)
    bounds, found = searched(graph, box, rounds)
    if found is None:
        return
    before, after = known_boxes(bounds), known_boxes(found)
    inputs = inputs_of_nodes(graph, points_in(box, seed, 200)[:, 0])
    assert set(after) == set(before)
    for position, tight in after.items():
        assert bool((tight.lower >= before[position].lower).all())
        assert bool((tight.upper <= before[position].upper).all())
        assert_contains(tight, inputs[position])


@pytest.mark.parametrize("slope", [0.0, 0.01])
@settings(max_examples=8, deadline=None)
@given(seed=seeds, spread=spreads, width=st.sampled_from([1e-3, 0.5, 2.0]))
def test_boxes_hold_exactly(slope: float, seed: int, spread: int, width: float) -> None:
    """In rational arithmetic, on networks whose sums cancel."""
    graph = chain(seed, [3, 6, 5, 3], spread, slope)
    box = region(seed, graph, spread, width)
    _, found = searched(graph, box, 10)
    if found is None:
        return
    exact = Rational(graph)
    for point in corners(box, seed):
        values = exact.values(point)
        for position, tight in known_boxes(found).items():
            reads = values[graph.nodes[position].inputs[0]]
            for value, lower, upper in zip(reads, tight.lower[0].tolist(), tight.upper[0].tolist(), strict=True):
                assert lower == -np.inf or Fraction(lower) <= value
                assert upper == np.inf or value <= Fraction(upper)


def test_most_of_the_gap_to_the_exact_box_is_closed(tmp_path: Path) -> None:
    """The network that ends before the last ReLU has the same weights; its outputs are what that ReLU reads."""
    widths, gaps = [4, 10, 10, 6], np.zeros(2)
    for seed in range(2):
        oracle_file = save(dense(widths, seed, scale=1.5), tmp_path / f"before{seed}.onnx")
        graph = Network.open(save(dense([*widths, 3], seed, scale=1.5), tmp_path / f"net{seed}.onnx")).graph
        centre = torch.from_numpy(np.random.default_rng(seed).normal(size=(1, 4)))
        box = Box(centre - 0.5, centre + 0.5)
        bounds, found = searched(graph, box, 40)
        assert found is not None
        last = max(known_boxes(bounds))
        before, after = known_boxes(bounds)[last], known_boxes(found)[last]
        oracle = Oracle(oracle_file, box.lower[0].numpy(), box.upper[0].numpy())
        still = (after.lower < 0) & (after.upper > 0)  # the other ends need not be exact
        for sign, ends in ((1.0, (before.lower, after.lower)), (-1.0, (-before.upper, -after.upper))):
            for neuron in range(widths[-1]):
                least = oracle.least([(sign * np.eye(widths[-1])[neuron], 0.0)])
                assert float(ends[1][0, neuron]) <= least.high + 1e-6
                if still[0, neuron]:
                    gaps += [least.high - float(end[0, neuron]) for end in ends]
    assert gaps[1] < 0.25 * gaps[0]


def test_without_time_or_relus_nothing_is_found() -> None:
    for name, spare in (("dense", lambda: False), ("tanh", always)):
        graph = GRAPHS[name]
        bounds = bound_regions("linear", graph, some_box(graph, 0, 1.0, 0.5, count=1), never)
        assert search_boxes(bounds, graph.to(torch.float32), 5, spare) is None


def test_a_deadline_has_spare_time_until_it_is_reached() -> None:
    assert Deadline.after(60.0).spare()
    assert not Deadline.after(-1.0).spare()


def test_of_each_case_the_worst_are_taken() -> None:
    generator = torch.Generator().manual_seed(0)
    bound, case = -torch.rand(200, generator=generator), torch.randint(0, 4, (200,), generator=generator)
    waiting = Waiting()
    nothing = torch.zeros(200, 3)
    waiting.put(
        SubProblems(case, nothing.to(torch.int8), nothing, nothing, nothing, nothing[:, :1], bound), torch.arange(200)
    )
    taken, neuron = waiting.take_each(torch.tensor([True, False, True, True]), 7)
    for k, expected in ((0, 7), (1, 0), (2, 7), (3, 7)):
        worst = bound.masked_fill(case != k, torch.inf).argsort()[:expected]
        assert neuron[taken.case == k].tolist() == worst.tolist()
    assert len(waiting) == 200 - 21


def test_better_boxes_are_what_later_branching_starts_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Branching that gives up twice is followed by a search for boxes, and then decides on those."""
    network = Network.open(save(dense([20, 40, 40, 40, 3], 0, scale=1.5), tmp_path / "net.onnx"))
    sites: list[Site] = []

    def late(site: Site, refuter: Refuter, check: Check) -> None:
        sites.append(site)
        if len(sites) > 2:
            branch(site, refuter, check)

    monkeypatch.setattr(cascade, "branch", late)
    problem = Problem(0, ball(np.random.default_rng(0).normal(size=20), 0.2), (Within((0, 1)),))
    answers: list[Answer] = []
    verify(network, [problem], Settings(300.0, keep), answers.append)
    assert answers[0].outcomes[0].verdict == Valid()
    assert answers[0].outcomes[0].step == "branch"
    before, after = (known_boxes(site.bounds) for site in sites[1:3])
    last = max(before)
    assert float(after[last].radius.sum()) < 0.95 * float(before[last].radius.sum())
