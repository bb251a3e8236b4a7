"""The search: stays in its region, repeats itself, finds what is there."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprover.attack.gradient import Effort, Found, Targets, search
from pyprover.attack.objective import LeaveGroup, MeetCase, Objective
from pyprover.graph import Graph
from pyprover.load import load
from tests.python.networks import dense, residual, save


def never() -> None:
    """No time limit."""


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    path = tmp_path_factory.mktemp("attack") / "net.onnx"
    return load(save(dense([6, 20, 20, 4], 0, scale=1.6), path)).graph.to(torch.float32)


def around(objective: Objective, graph: Graph, count: int, radius: float, seed: int = 0) -> Targets:
    centre = torch.randn(count, *graph.input_shape, generator=torch.Generator().manual_seed(seed))
    return Targets(objective, centre - radius, centre + radius, centre)


def groups(*members: tuple[int, ...]) -> LeaveGroup:
    mask = torch.zeros(len(members), 4, dtype=torch.bool)
    for row, classes in enumerate(members):
        mask[row, list(classes)] = True
    return LeaveGroup(mask)


def test_objectives_by_hand() -> None:
    outputs = torch.tensor([[1.0, 4.0, 2.0, -3.0]]).repeat(2, 1)
    target = torch.tensor([0, 1])
    assert groups((0, 2), (1,)).values(outputs, target).tolist() == [2.0, -2.0]
    weights = torch.tensor([[[1.0, 0, 0, 0], [0, 0, 1, 0]], [[0, 1, 0, 1], [0, 0, 0, 0]]])
    constants = torch.tensor([[0.5, -3.0], [0.0, torch.inf]])
    assert MeetCase(weights, constants).values(outputs, target).tolist() == [-1.0, 1.0]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), radius=st.sampled_from([0.0, 1e-6, 0.3, 5.0]), starts=st.integers(0, 3))
def test_points_lie_in_their_boxes_and_have_their_values(graph: Graph, seed: int, radius: float, starts: int) -> None:
    targets = around(groups((0,), (1, 2), (3,)), graph, 3, radius, seed)
    found = search(graph, targets, Effort(starts, 6, seed), never)
    assert bool((found.points >= targets.lower).all())
    assert bool((found.points <= targets.upper).all())
    values = targets.objective.values(graph.forward(found.points), torch.arange(3))
    torch.testing.assert_close(values, found.values, rtol=1e-4, atol=1e-5)


def test_never_worse_than_the_centre(graph: Graph) -> None:
    targets = around(groups((0,), (1,), (2,), (3,)), graph, 4, 0.1)
    at_centre = targets.objective.values(graph.forward(targets.centre), torch.arange(4))
    found = search(graph, targets, Effort(2, 10), never)
    assert bool((found.values >= at_centre - 1e-6).all())


def test_the_same_seed_gives_the_same_points(graph: Graph) -> None:
    targets = around(groups((0,), (1,)), graph, 2, 0.02)
    runs = [search(graph, targets, Effort(3, 8, seed), never) for seed in (7, 7, 8)]
    assert torch.equal(runs[0].points, runs[1].points)
    assert not torch.equal(runs[0].points, runs[2].points)


def test_it_climbs(graph: Graph) -> None:
    """Against sampling: gradient steps find at least what ten times as many random points find."""
    targets = around(groups((0,), (1,), (2,), (3,)), graph, 4, 0.5, seed=3)
    found = search(graph, targets, Effort(4, 20), never)
    for k in range(4):
        share = torch.rand(1000, *graph.input_shape, generator=torch.Generator().manual_seed(k))
        points = targets.lower[k] + (targets.upper[k] - targets.lower[k]) * share
        values = targets.objective.values(graph.forward(points), torch.full((1000,), k))
        assert found.values[k] >= min(float(values.max()), 1e-4)


def test_corners_are_tried_when_features_are_few(tmp_path: Path) -> None:
    """A linear network is extreme at a corner; without any gradient step it is found."""
    graph = load(save(dense([4, 3], 2), tmp_path / "net.onnx")).graph.to(torch.float32)
    objective = MeetCase(torch.tensor([[[1.0, -1.0, 0.5]]]), torch.zeros(1, 1))
    targets = around(objective, graph, 1, 1.0)
    found = search(graph, targets, Effort(0, 0), never)
    bits = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 4)
    corners = targets.lower + (targets.upper - targets.lower) * bits
    best = objective.values(graph.forward(corners), torch.zeros(16, dtype=torch.int64)).max()
    assert found.values[0] == pytest.approx(float(best), rel=1e-5)


def test_small_blocks_search_every_target(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyprover.attack.gradient._BLOCK_BYTES", 1)
    found = search(graph, around(groups((0,), (1,), (2,)), graph, 3, 0.3), Effort(1, 3), never)
    assert bool(torch.isfinite(found.values).all())


def test_convolutions(tmp_path: Path) -> None:
    graph = load(save(residual(0), tmp_path / "net.onnx")).graph.to(torch.float32)
    found: Found = search(graph, around(groups((0,), (1,)), graph, 2, 3.0), Effort(3, 20), never)
    assert bool((found.values > 0).any())


def test_time_is_checked(graph: Graph) -> None:
    class OutOfTime(Exception):
        pass

    def stop() -> None:
        raise OutOfTime

    with pytest.raises(OutOfTime):
        search(graph, around(groups((0,)), graph, 1, 0.1), Effort(1, 5), stop)
