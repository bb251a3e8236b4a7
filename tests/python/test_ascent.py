"""The ascent on sub-problems: what it starts from is neither changed nor lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pyprover.domains.analysis import bound_regions
from pyprover.domains.base import Box
from pyprover.domains.branching import Branching
from pyprover.engine import Network
from pyprover.engine.ascent import Ascent, SubProblems
from pyprover.engine.case import beats
from tests.python.networks import dense, save

CASES = [beats(1, (0,)), beats(2, (0, 3))]


@pytest.fixture(params=range(4))
def ascent(request: pytest.FixtureRequest, tmp_path: Path) -> Ascent:
    """An ascent over [-1, 1]^4."""
    network = Network.open(save(dense([4, 12, 12, 4], request.param, scale=1.5), tmp_path / "net.onnx"))
    graph = network.graph
    ones = torch.ones(1, 4, dtype=torch.float64)
    bounds = bound_regions("linear", graph, Box(-ones, ones), lambda: None)
    return Ascent.of(Branching(bounds, 0, network.graph32), CASES, 4)


def with_phases(start: SubProblems, phases: dict[int, int]) -> SubProblems:
    """Sub-problems with some neurons held, multipliers at 0."""
    phase, value = start.phase.clone(), start.value.clone()
    for neuron, sign in phases.items():
        phase[:, neuron], value[:, neuron] = sign, 0.0
    return replace(start, phase=phase, value=value, bound=torch.full_like(start.bound, -torch.inf))


@pytest.mark.parametrize("case", range(len(CASES)))
def test_nothing_is_lost(ascent: Ascent, case: int) -> None:
    """Halves go on from where their parent ended, so that brief ascents add up."""
    with torch.no_grad():
        half = with_phases(ascent.root(case, 0), {0: 1})
        before = replace(half, value=half.value.clone(), weights=half.weights.clone())
        first = ascent.estimate(half).value
        found, _ = ascent.climb(half, 5, torch.inf)
        again, _ = ascent.climb(replace(found, bound=half.bound), 5, torch.inf)
        kept = ascent.estimate(found).value
    assert torch.equal(half.value, before.value)
    assert torch.equal(half.weights, before.weights)
    assert not half.value.requires_grad
    assert bool((found.bound >= first).all())
    torch.testing.assert_close(kept, found.bound)
    assert bool((again.bound >= found.bound - 1e-5).all())
