"""Optimised linear bounds: any parameters give sound lines, the bounds contain what they say, and are never looser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pyprover.domains.activations import BoxedLines
from pyprover.domains.analysis import PartBounds, RegionBounds, bound_regions
from pyprover.domains.base import Box
from pyprover.domains.conditional import Condition, tighten_where
from pyprover.domains.families import Family, family_of
from pyprover.domains.linear import RELAXATIONS, lower_bounds
from pyprover.domains.optimised import Adam, Tunable, one_region, tighten
from pyprover.domains.relaxation import Places, Rows
from pyprover.engine import Network
from pyprover.engine.branch import Site
from pyprover.engine.case import Case, Forms, cases_of
from pyprover.engine.ledger import Cover
from pyprover.engine.optimise import optimise, suppose
from pyprover.engine.problem import Deadline, Problem, Progress
from pyprover.engine.prove import exclude, open_goals, regions
from pyprover.graph import Graph
from pyprover.ops import Relu, Sigmoid, Tanh
from pyprover.query import Within
from tests.python.networks import Recipe, dense, residual, save
from tests.python.test_domains import assert_contains, graph_of, never, points_in, seeds, some_box
from tests.python.test_engine import ball

SHAPED = {"relu": Relu(), "leaky": Relu(0.1), "sigmoid": Sigmoid(), "tanh": Tanh()}

RECIPES: dict[str, Recipe] = {
    "dense": dense([4, 12, 9, 9, 3], 0, scale=1.5),
    "leaky": dense([4, 10, 10, 3], 1, activation="LeakyRelu", scale=1.5),
    "sigmoid": dense([4, 8, 8, 8, 3], 2, activation="Sigmoid", scale=4.0),
    "tanh": dense([4, 8, 8, 8, 3], 3, activation="Tanh", scale=2.0),
    "gelu": dense([4, 8, 8, 3], 3, activation="Elu", scale=2.0),
    "residual": residual(2),
}
GRAPHS = {name: graph_of(recipe) for name, recipe in RECIPES.items()}


def always() -> bool:
    """Time is never short."""
    return True


def long() -> float:
    """Much time is left."""
    return 1e6


def known_boxes(bounds: RegionBounds) -> dict[int, Box]:
    """The boxes of the inputs of ReLUs and S-shaped functions by node position."""
    found = bounds.linearised.relaxations
    return {position: lines.box for position, lines in found.items() if isinstance(lines, BoxedLines)}


def inputs_of_nodes(graph: Graph, x: Tensor) -> dict[int, Tensor]:
    """The first input of each node (points, *shape), at points (points, *input_shape)."""
    values, found = [x], {}
    for position, node in enumerate(graph.nodes):
        found[position] = values[node.inputs[0]]
        values.append(node.op.forward(*(values[v] for v in node.inputs)))
    return found


def some_parameters(family: Family, rows: int, seed: int) -> Tensor:
    """Rows of parameters in [0, 1]; some at the ends."""
    generator = torch.Generator().manual_seed(seed)
    share = torch.rand(rows, len(family.start), generator=generator, dtype=torch.float64)
    share[rows // 2 :] = share[rows // 2 :].round()
    return share


@pytest.mark.parametrize("name", list(SHAPED))
@settings(max_examples=30, deadline=None)
@given(seed=seeds, magnitude=st.sampled_from([1e-3, 1.0, 30.0]), width=st.sampled_from([1e-12, 1e-3, 1.0, 10.0]))
def test_all_lines_of_a_family_are_sound(name: str, seed: int, magnitude: float, width: float) -> None:
    op = SHAPED[name]
    generator = torch.Generator().manual_seed(seed)
    centre = magnitude * torch.randn(1, 40, generator=generator, dtype=torch.float64)
    box = Box(centre - magnitude * width, centre + magnitude * width)
    family = family_of(op, RELAXATIONS[type(op)](op, box))
    if family is None:  # every neuron is stable
        assert isinstance(op, Relu)
        return
    lines = family.lines(some_parameters(family, 6, seed))
    x = points_in(box, seed)
    y = op.forward(x)
    lower = 0.0 if lines.lower_offset is None else lines.lower_offset
    assert bool((lines.lower_slope * x[:, 0, None] + lower <= y + 1e-15 * (1 + y.abs())).all())
    assert bool((lines.upper_slope * x[:, 0, None] + lines.upper_offset >= y - 1e-15 * (1 + y.abs())).all())


@pytest.mark.parametrize("name", list(GRAPHS))
def test_the_first_parameters_give_the_lines_of_the_analysis(name: str) -> None:
    graph = GRAPHS[name]
    bounds = bound_regions("linear", graph, some_box(graph, 1, 1.0, 0.3), never)
    for place in (0, 1):
        tunable = Tunable.of(one_region(bounds.linearised, place))
        coef = torch.eye(graph.outputs, dtype=torch.float64)
        start = tunable.start(graph.output).repeat(graph.outputs, 1)
        found = tunable.bounds(graph.output, coef, start)
        places = Places(torch.full((graph.outputs,), place))
        wanted = lower_bounds(bounds.linearised, graph.output, Rows(places, coef))
        assert torch.allclose(found, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", list(GRAPHS))
@settings(max_examples=4, deadline=None)
@given(seed=seeds, width=st.sampled_from([0.05, 0.3, 1.0]))
def test_tightened_boxes_hold_and_are_never_looser(name: str, seed: int, width: float) -> None:
    graph = GRAPHS[name]
    box = some_box(graph, seed, 1.0, width)
    bounds = bound_regions("linear", graph, box, never)
    before = known_boxes(bounds)
    for place in (0, 1):
        after = known_boxes(tighten(bounds, place, long))
        inputs = inputs_of_nodes(graph, points_in(box, seed)[:, place])
        assert set(after) == set(before)
        for position, tight in after.items():
            assert bool((tight.lower >= before[position].lower[place]).all())
            assert bool((tight.upper <= before[position].upper[place]).all())
            assert_contains(tight, inputs[position])


@pytest.mark.parametrize(("activation", "scale"), [("Relu", 1.5), ("Sigmoid", 6.0), ("Tanh", 2.0)])
def test_boxes_of_later_layers_get_tighter(activation: str, scale: float) -> None:
    graph = graph_of(dense([6, 20, 20, 20, 4], 0, activation=activation, scale=scale))
    centre = torch.zeros(1, 6, dtype=torch.float64)
    bounds = bound_regions("linear", graph, Box(centre - 0.15, centre + 0.15), never)
    before, after = known_boxes(bounds), known_boxes(tighten(bounds, 0, long))
    last = max(before)
    assert float(after[last].radius.mean()) < 0.9 * float(before[last].radius.mean())


def test_without_time_bounds_are_those_of_the_analysis() -> None:
    graph = GRAPHS["dense"]
    bounds = bound_regions("linear", graph, some_box(graph, 0, 1.0, 0.5, count=1), never)
    before, after = known_boxes(bounds), known_boxes(tighten(bounds, 0, lambda: 0.0))
    for position in before:
        assert torch.equal(after[position].lower, before[position].lower)
        assert torch.equal(after[position].upper, before[position].upper)


def test_each_operator_has_its_share_of_the_time() -> None:
    graph = graph_of(dense([6, 20, 20, 20, 4], 0, scale=1.5))
    centre = torch.zeros(1, 6, dtype=torch.float64)
    bounds = bound_regions("linear", graph, Box(centre - 0.5, centre + 0.5), never)
    seconds = iter(range(60, 0, -1))  # one passes with each look at the clock
    before, after = known_boxes(bounds), known_boxes(tighten(bounds, 0, lambda: float(next(seconds))))
    first, *later = sorted(before)
    assert torch.equal(after[first].lower, before[first].lower)  # it was exact
    assert all(bool((after[p].radius < before[p].radius).any()) for p in later)


def test_steps_go_upward_within_bounds_and_rows_can_be_left_out() -> None:
    adam = Adam(torch.full((3, 2), 0.5), torch.tensor([0.25, 0.1]))
    moved = adam.step(torch.full((3, 2), 0.5), torch.tensor([[1.0, 1.0], [-1.0, 2.0], [0.0, 0.0]]))
    assert torch.allclose(moved, torch.tensor([[0.75, 0.6], [0.25, 0.6], [0.5, 0.5]]))
    adam.keep(torch.tensor([True, False, False]))
    for _ in range(30):
        moved = adam.step(moved[:1], torch.ones(1, 2))
    assert bool((moved == 1.0).all())


def started(network: Network, radius: float, group: tuple[int, ...]) -> tuple[Progress, RegionBounds]:
    """A group query around 0 after the linear step."""
    size = int(np.prod(network.graph.input_shape))
    problem = Problem(0, ball(np.zeros(size), radius), (Within(group),))
    progress = Progress.start(problem, network.graph.outputs)
    bounds = bound_regions("linear", network.graph, regions([progress], network), never)
    exclude(bounds, [progress], open_goals, never)
    return progress, bounds


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Network]:
    folder = tmp_path_factory.mktemp("nets")
    return {name: Network.open(save(recipe, folder / f"{name}.onnx")) for name, recipe in RECIPES.items()}


@pytest.mark.parametrize("name", list(RECIPES))
@pytest.mark.parametrize("radius", [0.1, 0.4])
@pytest.mark.parametrize("group", [(0,), (0, 1)])
def test_margins_rise_and_stay_below_those_of_points(
    networks: dict[str, Network], name: str, radius: float, group: tuple[int, ...]
) -> None:
    network = networks[name]
    progress, bounds = started(network, radius, group)
    cases = progress.cases[0]
    before = [progress.ledger.margin(case) for case in cases]
    optimise(Site(progress, bounds, 0), Deadline.after(60))
    box = bounds.linearised.input
    outputs = network.graph.forward(points_in(box, 0, count=400)[:, 0])
    least = -Forms.of(cases, network.graph.outputs).violations(outputs).amax(0)
    for case, old, most in zip(cases, before, least.tolist(), strict=True):
        new = progress.ledger.margin(case)
        assert old is not None
        assert new is not None
        assert old <= new <= most + 1e-12


@pytest.mark.parametrize(("activation", "seed", "scale"), [("Relu", 1, 1.5), ("Sigmoid", 0, 6.0)])
def test_what_linear_bounds_leave_open_optimised_ones_prove(
    tmp_path: Path, activation: str, seed: int, scale: float
) -> None:
    recipe = dense([6, 20, 20, 20, 4], seed, activation=activation, scale=scale)
    network = Network.open(save(recipe, tmp_path / "net.onnx"))
    label = int(network.exact_outputs(np.zeros((1, 6), dtype=np.float32)).argmax())

    def proven(radius: float) -> tuple[bool, bool]:
        progress, bounds = started(network, radius, (label,))
        linear = all(progress.ledger.excludes(case) for case in progress.cases[0])
        optimise(Site(progress, bounds, 0), Deadline.after(60))
        return linear, all(progress.ledger.excludes(case) for case in progress.cases[0])

    found = [proven(0.01 * 1.3**k) for k in range(3, 9)]
    assert all(after for before, after in found if before)
    assert any(after for before, after in found if not before)


def condition(case: Case, outputs: int, depth: float) -> Condition:
    forms = Forms.of([case], outputs)
    return Condition(forms.weights[0], forms.constants[0], depth)


@pytest.mark.parametrize("name", ["dense", "leaky", "sigmoid", "tanh", "gelu"])
@settings(max_examples=4, deadline=None)
@given(seed=seeds, group=st.sampled_from([(0,), (1,), (0, 1), (1, 2)]))
def test_conditional_boxes_hold_where_the_case_does(name: str, seed: int, group: tuple[int, ...]) -> None:
    graph = GRAPHS[name]
    box = some_box(graph, seed, 1.0, 0.5, count=1)
    bounds = tighten(bound_regions("linear", graph, box, never), 0, long)
    points = points_in(box, seed, count=2000)[:, 0]
    for case in cases_of(Within(group), graph.outputs):
        holds = Forms.of([case], graph.outputs).violations(graph.forward(points))[:, 0] > 0
        part = tighten_where(bounds, condition(case, graph.outputs, 0.3), always)
        if part is None:
            assert not bool(holds.any())
            continue
        inside = inputs_of_nodes(graph, points[holds])
        for position, tight in known_boxes(RegionBounds(part.linearised)).items():
            assert_contains(tight, inside[position])


def test_conditions_tighten_until_nothing_is_left() -> None:
    graph = graph_of(dense([6, 20, 20, 20, 4], 0, activation="Sigmoid", scale=6.0))
    centre = torch.zeros(1, 6, dtype=torch.float64)
    label = int(graph.forward(centre).argmax())
    case = cases_of(Within((label,)), graph.outputs)[0]

    def shrunk(radius: float) -> float:
        """The mean width of the last boxes, as a part of that without the condition; 0 where nothing is left."""
        bounds = tighten(bound_regions("linear", graph, Box(centre - radius, centre + radius), never), 0, long)
        part = tighten_where(bounds, condition(case, graph.outputs, 1.0), always)
        if part is None:
            return 0.0
        before, after = known_boxes(bounds), known_boxes(RegionBounds(part.linearised))
        last = max(before)
        return float(after[last].radius.mean() / before[last].radius.mean())

    share = [shrunk(radius) for radius in (0.1, 0.15, 0.2, 0.3)]
    assert share == sorted(share)
    assert share[0] == 0.0
    assert 0.0 < share[-1] < 1.0


def test_conditional_bounds_cannot_enter_the_ledger(networks: dict[str, Network]) -> None:
    progress, bounds = started(networks["dense"], 0.4, (0,))
    case = progress.cases[0][0]
    single = RegionBounds(one_region(bounds.linearised, 0))
    part = tighten_where(single, condition(case, progress.classes, 1.0), always)
    assert isinstance(part, PartBounds)
    with pytest.raises(TypeError, match="PartBounds do not hold in the whole region"):
        progress.ledger.record(part, [({case.margins[0]: 1.0}, 1.0)])  # type: ignore[arg-type]


def test_a_contradiction_says_no_more_than_that_a_margin_is_positive(tmp_path: Path) -> None:
    """The bound under the condition is no bound of the region: a point of it has a smaller margin."""
    recipe = dense([6, 20, 20, 20, 4], 0, activation="Sigmoid", scale=6.0)
    network = Network.open(save(recipe, tmp_path / "net.onnx"))
    label = int(network.exact_outputs(np.zeros((1, 6), dtype=np.float32)).argmax())
    contradicted = 0
    for radius in (0.05, 0.06, 0.07, 0.08, 0.1, 0.12):
        progress, bounds = started(network, radius, (label,))
        suppose(optimise(Site(progress, bounds, 0), Deadline.after(60)), Deadline.after(60))
        outputs = network.graph.forward(points_in(bounds.linearised.input, 0, count=4000)[:, 0])
        least = -Forms.of(progress.cases[0], 4).violations(outputs).amax(0)
        for case, most in zip(progress.cases[0], least.tolist(), strict=True):
            margin = progress.ledger.margin(case)
            assert margin is not None
            assert margin <= most + 1e-12
            contradicted += margin == Cover.by_contradiction(case).least[case]
    assert contradicted > 0
