"""Parts with every ReLU held are decided exactly, by a certificate or by a point; others soundly."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprover.domains.analysis import bound_regions
from pyprover.domains.relaxation import Lines
from pyprover.engine import Network
from pyprover.engine.exact import Candidate, Excluded, Part, decide
from pyprover.graph import Graph
from pyprover.ops import Relu
from tests.python.networks import dense, residual, save, toy
from tests.python.test_branch import ball, box_of, never, preactivations


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Network]:
    folder = tmp_path_factory.mktemp("nets")
    recipes = {
        "dense": dense([4, 10, 10, 4], 0, scale=1.5),
        "leaky": dense([4, 8, 8, 4], 1, activation="LeakyRelu", scale=1.5),
        "mixed": residual(2),
        "toy": toy(),
    }
    return {name: Network.open(save(recipe, folder / f"{name}.onnx")) for name, recipe in recipes.items()}


def unstable(part: Part, graph: Graph) -> dict[int, torch.Tensor]:
    """Masks (neurons,) of the neurons that can be held."""
    lines = {p: part.bounds.linearised.relaxations[p] for p, n in enumerate(graph.nodes) if isinstance(n.op, Relu)}
    return {p: it.upper_offset[0].flatten() != 0 for p, it in lines.items() if isinstance(it, Lines)}


def draw_part(graph: Graph, rng: np.random.Generator, radius: float, share: float) -> tuple[Part, torch.Tensor]:
    """A region, a share of its unstable ReLUs held as they are at a point of it, or at random; points of the part."""
    region = box_of(ball(rng.normal(size=graph.input_shape), radius), graph)
    whole = Part(bound_regions("linear", graph, region, never), 0, {})
    points = region.lower + (region.upper - region.lower) * torch.from_numpy(rng.random((400, *graph.input_shape)))
    before, phases, inside = preactivations(graph, points), {}, torch.ones(400, dtype=torch.bool)
    somewhere = rng.random() < 0.7
    for position, mask in unstable(whole, graph).items():
        random = torch.from_numpy(rng.choice([-1.0, 1.0], len(mask)))
        sign = before[position][0].sign() if somewhere else random
        held = mask & torch.from_numpy(rng.random(len(mask)) <= share)
        phases[position] = torch.where(held, sign, 0.0)
        inside &= (before[position] * phases[position] >= 0).all(1)
    return Part(whole.bounds, 0, phases), points[inside]


@pytest.mark.parametrize("name", ["dense", "leaky"])
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), radius=st.sampled_from([0.1, 0.5, 1.0]))
def test_a_part_with_every_relu_held_is_decided(nets: dict[str, Network], name: str, seed: int, radius: float) -> None:
    graph, rng = nets[name].graph, np.random.default_rng(seed)
    part, points = draw_part(graph, rng, radius, share=1.0)
    forms, constants = torch.from_numpy(rng.normal(size=(3, 4))), torch.from_numpy(rng.normal(size=3))
    found = decide(part, forms, constants)
    if isinstance(found, Excluded):
        worst = (graph.forward(points) @ forms.T + constants).amax(1)
        assert found.bound > 0
        assert bool((worst >= found.bound).all())
    else:
        assert isinstance(found, Candidate)
        point = found.point[None]
        assert float((graph.forward(point) @ forms.T + constants).amax()) <= 1e-9
        for position, before in preactivations(graph, point).items():
            assert bool((before[0] * part.phases[position] >= -1e-9).all())


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.sampled_from([0.0, 0.5, 1.0]))
def test_a_bound_holds_in_its_part(nets: dict[str, Network], seed: int, share: float) -> None:
    """With ReLUs and maxima left to their relaxations as well."""
    graph, rng = nets["mixed"].graph, np.random.default_rng(seed)
    part, points = draw_part(graph, rng, 0.2, share)
    outputs = graph.forward(points)
    forms = torch.from_numpy(rng.normal(size=(2, 4)))
    centre = graph.forward(box_of(ball(np.zeros(graph.input_shape), 0.0), graph).centre)
    constants = 0.5 - (centre @ forms.T)[0]
    found = decide(part, forms, constants)
    if isinstance(found, Excluded):
        assert bool(((outputs @ forms.T + constants).amax(1) >= found.bound).all())


def test_weights_on_several_margins_are_found(nets: dict[str, Network]) -> None:
    """Neither class of the group beats the outsider everywhere, on either side of the ReLU."""
    graph = nets["toy"].graph
    region = box_of(ball(np.zeros(2), 1.0), graph)
    bounds = bound_regions("linear", graph, region, never)
    forms = torch.tensor([[1.0, 0.0, -1.0], [0.0, 1.0, -1.0]], dtype=torch.float64)
    for sign in (1.0, -1.0):
        part = Part(bounds, 0, {1: torch.tensor([0.0, 0.0, sign])})
        for k in (0, 1):
            assert isinstance(decide(part, forms[k : k + 1], torch.zeros(1, dtype=torch.float64)), Candidate)
        found = decide(part, forms, torch.zeros(2, dtype=torch.float64))
        assert isinstance(found, Excluded)
        assert 0.1 < found.bound < 0.201


def test_an_empty_part_excludes_everything(nets: dict[str, Network]) -> None:
    """The first neuron of the toy is x_0 + 10: it is never inactive near 0."""
    graph = nets["toy"].graph
    bounds = bound_regions("linear", graph, box_of(ball(np.zeros(2), 1.0), graph), never)
    part = Part(bounds, 0, {1: torch.tensor([-1.0, 0.0, 1.0])})
    forms = -torch.ones(1, 3, dtype=torch.float64)
    found = decide(part, forms, torch.full((1,), -100.0, dtype=torch.float64))
    assert isinstance(found, Excluded)
    assert found.bound == float("inf")
