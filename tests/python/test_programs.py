"""Linear programs of sub-problems: their bounds hold there, and no ascent finds better ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprover.domains.analysis import bound_regions
from pyprover.domains.branching import Branching
from pyprover.engine import Network, programs
from pyprover.engine.ascent import Ascent, SubProblems, joined
from pyprover.engine.case import Case, Forms, difference
from pyprover.engine.programs import Programs
from tests.python.networks import dense, residual, save
from tests.python.test_branch import ball, box_of, never, preactivations


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Network]:
    folder = tmp_path_factory.mktemp("nets")
    recipes = {
        "dense": dense([4, 10, 10, 4], 0, scale=1.5),
        "leaky": dense([4, 8, 8, 4], 1, activation="LeakyRelu", scale=1.5),
        "mixed": residual(2),
    }
    return {name: Network.open(save(recipe, folder / f"{name}.onnx")) for name, recipe in recipes.items()}


def branching_of(network: Network, rng: np.random.Generator, radius: float) -> Branching:
    box = box_of(ball(rng.normal(size=network.graph.input_shape), radius), network.graph)
    return Branching(bound_regions("linear", network.graph, box, never), 0, network.graph32)


@pytest.mark.parametrize("name", ["dense", "leaky", "mixed"])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), radius=st.sampled_from([0.1, 0.3]))
def test_bounds_hold_in_their_sub_problem(nets: dict[str, Network], name: str, seed: int, radius: float) -> None:
    """Half of the sub-problems hold the phases of some point, the others any; constants put bounds around 0."""
    network, rng = nets[name], np.random.default_rng(seed)
    graph, branching = network.graph, branching_of(nets[name], rng, radius)
    box, rows = branching.box, 6
    points = box.lower + (box.upper - box.lower) * torch.from_numpy(rng.random((400, *graph.input_shape)))
    before = preactivations(graph, points)
    layers = branching.layers[torch.float64]
    signs = torch.cat([torch.zeros(400, 0), *(before[layer.position][:, layer.places] for layer in layers)], 1).sign()
    random = torch.from_numpy(rng.choice([-1.0, 1.0], signs[:rows].shape))
    held = torch.from_numpy(rng.random(signs[:rows].shape) < 0.4)
    phase = torch.where(held, torch.where(torch.arange(rows)[:, None] % 2 == 0, signs[:rows], random), 0.0)
    outputs = graph.forward(points)
    weights = torch.from_numpy(rng.normal(size=(2, 4)))
    constants = -(outputs.mean(0) @ weights.T) + 0.1
    forms = Forms(weights[None], constants[None], torch.ones(1, 2, dtype=torch.bool))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(programs, "MOST_ENTRIES", 1 << 20)
        solved = Programs.of(branching, forms)
    if branching.neurons == 0:
        assert solved is None
        return
    assert solved is not None
    start = Ascent(branching, forms).root(0, 0)
    some = replace(joined([start] * rows), phase=phase.to(torch.int8))
    found, bound = solved.bound(some)
    worst = (outputs @ weights.T + constants).amax(1)
    for row in range(rows):
        inside = ((signs == phase[row]) | (phase[row] == 0)).all(1)
        assert bool((worst[inside] >= bound[row]).all())
    concluded = Ascent(branching, forms).conclude(found)
    assert bool((concluded[bound.isfinite()] - bound[bound.isfinite()]).abs().lt(1e-3).all())


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), name=st.sampled_from(["dense", "leaky"]))
def test_no_ascent_is_better(nets: dict[str, Network], seed: int, name: str) -> None:
    rng = np.random.default_rng(seed)
    branching = branching_of(nets[name], rng, 0.4)
    ascent = Ascent.of(branching, [Case((difference(0, 1),)), Case((difference(2, 3),))], 4)
    solved = Programs.of(branching, ascent.forms)
    if solved is None:
        assert branching.neurons == 0
        return
    roots = joined([ascent.root(0, 0), ascent.root(1, 0)])
    climbed, _ = ascent.climb(roots, 60, torch.inf)
    _, bound = solved.bound(roots)
    assert bool((bound >= ascent.conclude(climbed) - 1e-6).all())


def test_an_empty_sub_problem_is_excluded(nets: dict[str, Network]) -> None:
    """Of phases drawn at random many contradict each other, whatever the margin is."""
    rng = np.random.default_rng(0)
    branching = branching_of(nets["dense"], rng, 0.3)
    forms = Forms(-torch.ones(1, 1, 4).double(), torch.full((1, 1), -1e3).double(), torch.ones(1, 1, dtype=torch.bool))
    solved = Programs.of(branching, forms)
    assert solved is not None
    root = Ascent(branching, forms).root(0, 0)
    count = 40
    phase = torch.from_numpy(rng.choice([-1, 1], (count, branching.neurons)).astype(np.int8))
    some: SubProblems = replace(joined([root] * count), phase=phase)
    _, bound = solved.bound(some)
    assert int((bound == torch.inf).sum()) > 0
    assert not bool((bound[bound.isfinite()] > 0).any())


def test_large_regions_have_no_programs(nets: dict[str, Network], monkeypatch: pytest.MonkeyPatch) -> None:
    branching = branching_of(nets["dense"], np.random.default_rng(0), 0.5)
    forms = Forms.of([Case((difference(0, 1),))], 4)
    monkeypatch.setattr(programs, "MOST_ENTRIES", branching.neurons * (branching.neurons + 4) - 1)
    assert Programs.of(branching, forms) is None
