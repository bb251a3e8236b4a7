"""Branching on ReLUs: bounds of sub-problems hold there, and a tree that closes proves its case."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pyprover.domains.analysis import Check, bound_regions
from pyprover.domains.base import Box
from pyprover.domains.branching import Branching
from pyprover.domains.narrowing import Narrowing
from pyprover.engine import Network, Problem, Settings, verify
from pyprover.engine.ascent import Ascent, SubProblems, joined
from pyprover.engine.branch import Site, branch
from pyprover.engine.case import Case, Margin, violation
from pyprover.engine.problem import OutOfTimeError, Progress
from pyprover.engine.prove import exclude, open_goals
from pyprover.engine.refute import Refuter
from pyprover.engine.waiting import Waiting
from pyprover.graph import Graph
from pyprover.ops import Relu
from pyprover.query import Within
from pyprover.region import Region
from pyprover.verdict import Answer, Invalid, Valid, Witness
from pyprover.witness import Checked
from tests.python.networks import dense, residual, save, toy


def never() -> None:
    """No time limit."""


def keep(problem: Problem, point: object, checked: Checked) -> Witness:
    """Store nothing."""
    return Witness("", None, checked.classes, checked.margin, checked.distance, checked.centre)


def ball(centre: np.ndarray, radius: float) -> Region:  # type: ignore[type-arg]
    middle = tuple(map(Fraction, centre.ravel().tolist()))
    lower, upper = (tuple(c + sign * Fraction(radius) for c in middle) for sign in (-1, 1))
    return Region(lower, upper, middle, (Fraction(1),) * len(middle))


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Network]:
    folder = tmp_path_factory.mktemp("nets")
    recipes = {
        "dense": dense([4, 10, 10, 4], 0, scale=1.5),
        "leaky": dense([4, 8, 8, 4], 1, activation="LeakyRelu", scale=1.5),
        "mixed": residual(2),
        "wide": dense([20, 16, 12, 4], 3, scale=1.5),
        "toy": toy(),
    }
    return {name: Network.open(save(recipe, folder / f"{name}.onnx")) for name, recipe in recipes.items()}


def box_of(region: Region, graph: Graph) -> Box:
    shape = (1, *graph.input_shape)
    lower, upper = (torch.from_numpy(side).reshape(shape) for side in region.outward())
    return Box(lower, upper)


def preactivations(graph: Graph, x: torch.Tensor) -> dict[int, torch.Tensor]:
    """Inputs of the ReLUs by node position, flat."""
    values, found = [x], {}
    for position, node in enumerate(graph.nodes):
        inputs = [values[v] for v in node.inputs]
        if isinstance(node.op, Relu):
            found[position] = inputs[0].flatten(1)
        values.append(node.op.forward(*inputs))
    return found


@pytest.mark.parametrize("name", ["dense", "leaky", "mixed"])
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), radius=st.sampled_from([0.05, 0.3, 1.0]))
def test_bounds_hold_in_their_sub_problem(nets: dict[str, Network], name: str, seed: int, radius: float) -> None:
    """Phases are those of some point, so that sub-problems are not empty; slopes and multipliers are arbitrary."""
    graph, rng = nets[name].graph, np.random.default_rng(seed)
    box = box_of(ball(rng.normal(size=graph.input_shape), radius), graph)
    branching = Branching(bound_regions("linear", graph, box, never), 0, nets[name].graph32)
    share = torch.from_numpy(rng.random((400, *graph.input_shape)))
    points = box.lower + (box.upper - box.lower) * share
    before = preactivations(graph, points)
    layers = branching.layers[torch.float64]
    signs = torch.cat([points.flatten(1)[:, :0], *(before[it.position][:, it.places] for it in layers)], dim=1).sign()
    held = torch.from_numpy(rng.random((6, branching.neurons)) < 0.3)
    phase = torch.where(held, signs[:6], 0.0)
    leak = branching.leak.double()
    slope = leak + (1 - leak) * torch.from_numpy(rng.random(phase.shape))
    value = torch.where(held, torch.from_numpy(rng.exponential(size=phase.shape)), slope)
    coef = torch.from_numpy(rng.normal(size=(6, 4)))
    bounded = branching.held(phase, torch.float64).bounds(coef, value)
    outputs = graph.forward(points)
    for k in range(6):
        inside = ((signs == phase[k]) | (phase[k] == 0)).all(1)
        assert bool(inside[k])
        assert float(bounded.value[k]) <= float((outputs[inside] @ coef[k]).min())
    rough = branching.held(phase, torch.float32).bounds(coef.float(), value.float())
    torch.testing.assert_close(rough.value.double(), bounded.value, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["dense", "leaky", "mixed"])
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.floats(0.0, 0.2))
def test_narrowed_boxes_hold_where_the_case_does(nets: dict[str, Network], name: str, seed: int, share: float) -> None:
    """In sub-problems of some points that have a case; what is held then has that phase at all of these."""
    graph, rng = nets[name].graph, np.random.default_rng(seed)
    box = box_of(ball(rng.normal(size=graph.input_shape), 0.5), graph)
    branching = Branching(bound_regions("linear", graph, box, never), 0, nets[name].graph32, boxed=True)
    assume(branching.boxes.lower.shape[1] > 0)
    points = box.lower + (box.upper - box.lower) * torch.from_numpy(rng.random((2000, *graph.input_shape)))
    case, holds = rare_case(graph.forward(points), rng, share)
    ascent = Ascent.of(branching, [case], graph.outputs)
    values = preactivations(graph, points[holds])
    layers = branching.layers[torch.float64]
    signs = torch.cat([values[it.position][:, it.places] for it in layers], dim=1).sign()
    held = torch.from_numpy(rng.random((4, branching.neurons)) < 0.2)
    start = joined([ascent.root(0, 0)] * 4)
    phase = torch.where(held, signs[rng.integers(len(signs), size=4)], 0.0).to(torch.int8)
    some, _ = ascent.climb(replace(start, phase=phase, value=torch.where(held, 0.0, start.value)), 10, torch.inf)
    for _ in range(3):
        known = ascent.concluded(some)
        phase, tight, empty = Narrowing(branching, known, 1 << 20, lambda: True).narrow(some.phase, some.box, known)
        value = torch.where((phase != 0) & (some.phase == 0), 0.0, some.value)
        before, some = some, replace(some, phase=phase, value=value, lower=tight.lower, upper=tight.upper)
        assert bool((tight.lower >= before.lower).all() and (tight.upper <= before.upper).all())
        bound = ascent.conclude(some)
        for k in range(4):
            inside = ((signs == before.phase[k]) | (before.phase[k] == 0)).all(1)
            assert bool(inside.any())
            assert not bool(empty[k])
            assert bool(((signs[inside] == phase[k]) | (phase[k] == 0)).all())
            boxed = torch.cat([values[it.position][:, it.places] for it in layers if it.boxed], dim=1)[inside]
            assert bool((boxed >= tight.lower[k]).all() and (boxed <= tight.upper[k]).all())
            assert float(bound[k]) <= 0


def rare_case(outputs: torch.Tensor, rng: np.random.Generator, share: float) -> tuple[Case, torch.Tensor]:
    """A case that holds at about a share of points, and at one at least; and where (points,)."""
    weights = rng.normal(size=outputs.shape[1]).round(3)
    scores = outputs @ torch.from_numpy(weights)
    threshold = round(float(scores.quantile(share)) + 1e-6, 9)
    terms = tuple((k, Fraction(float(weight))) for k, weight in enumerate(weights))
    return Case((Margin(terms, -Fraction(threshold), strict=False),)), scores - threshold <= 0


def test_narrowing_tells_what_holds_nowhere(nets: dict[str, Network]) -> None:
    """Around a case that hardly holds anywhere, boxes are much narrower, and sub-problems turn out to be empty."""
    graph, rng = nets["dense"].graph, np.random.default_rng(5)
    narrower = empties = 0
    for _ in range(10):
        box = box_of(ball(rng.normal(size=graph.input_shape), 0.5), graph)
        branching = Branching(bound_regions("linear", graph, box, never), 0, nets["dense"].graph32, boxed=True)
        points = box.lower + (box.upper - box.lower) * torch.from_numpy(rng.random((500, *graph.input_shape)))
        case, _ = rare_case(graph.forward(points), rng, 0.0)
        ascent = Ascent.of(branching, [case], graph.outputs)
        some, _ = ascent.climb(ascent.root(0, 0), 20, torch.inf)
        known = ascent.concluded(some)
        _, tight, empty = Narrowing(branching, known, 1 << 20, lambda: True).narrow(some.phase, some.box, known)
        assert not bool(empty.any())
        narrower += float((tight.upper - tight.lower).sum() / (some.upper - some.lower).sum()) < 0.9
        nearly = replace(known, value=torch.full_like(known.value, float(known.value.abs().max())))
        empties += bool(
            Narrowing(branching, known, 1 << 20, lambda: True).narrow(some.phase, some.box, nearly)[2].any()
        )
    assert narrower >= 3
    assert empties >= 3


def test_gradients_are_those_of_the_bound(nets: dict[str, Network]) -> None:
    graph, rng = nets["leaky"].graph, np.random.default_rng(3)
    box = box_of(ball(rng.normal(size=graph.input_shape), 1.0), graph)
    branching = Branching(bound_regions("linear", graph, box, never), 0, nets["leaky"].graph32)
    phase = torch.from_numpy(rng.integers(-1, 2, (3, branching.neurons)).astype(float))
    value = torch.from_numpy(rng.uniform(0.2, 0.8, phase.shape)).requires_grad_()
    coef = torch.from_numpy(rng.normal(size=(3, 4))).requires_grad_()
    assert torch.autograd.gradcheck(lambda c, v: branching.held(phase, torch.float64).bounds(c, v).value, (coef, value))


def test_the_root_gives_the_bound_of_the_region(nets: dict[str, Network]) -> None:
    from pyprover.domains.linear import lower_bounds
    from pyprover.domains.relaxation import Places, Rows

    graph = nets["mixed"].graph
    boxes = [box_of(ball(np.full(graph.input_shape, shift), 0.3), graph) for shift in (0.0, 0.4)]
    both = Box(torch.cat([b.lower for b in boxes]), torch.cat([b.upper for b in boxes]))
    bounds = bound_regions("linear", graph, both, never)
    coef = torch.eye(4, dtype=torch.float64)
    for place in (0, 1):
        expected = lower_bounds(bounds.linearised, graph.output, Rows(Places(torch.full((4,), place)), coef))
        branching = Branching(bounds, place, nets["mixed"].graph32)
        phase = torch.zeros(4, branching.neurons)
        found = branching.held(phase, torch.float64).bounds(coef, branching.slope.double().expand(4, -1)).value
        torch.testing.assert_close(found, expected)


def ending_after(calls: int) -> Check:
    """Time that is up after so many looks at the clock."""
    left = iter(range(calls))

    def check() -> None:
        if next(left, None) is None:
            raise OutOfTimeError

    return check


def attempt(
    network: Network, region: Region, groups: list[tuple[int, ...]], check: Check = never, *, narrowing: bool = False
) -> Progress:
    """Linear bounds, then branching on each property; ``narrowing``: with boxes narrowed from the first split on."""
    progress = Progress.start(Problem(0, region, tuple(map(Within, groups))), network.graph.outputs)
    bounds = bound_regions("linear", network.graph, box_of(region, network.graph), never)
    exclude(bounds, [progress], open_goals, never)
    progress.settle_proven("linear")
    refuter = Refuter(network, keep)
    with pytest.MonkeyPatch.context() as patch, suppress(OutOfTimeError):
        if narrowing:
            narrow_at_once(patch)
        branch(Site(progress, bounds, 0), refuter, check)
    return progress


def narrow_at_once(patch: pytest.MonkeyPatch) -> None:
    """Boxes of sub-problems are narrowed from the first on, and linear programs do not bound them instead."""
    patch.setattr("pyprover.engine.branch.Narrowing.work", lambda branching: min(1, branching.boxes.lower.shape[1]))
    patch.setattr("pyprover.engine.branch.Programs.of", lambda *_: None)


@settings(max_examples=16, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    radius=st.sampled_from([0.1, 0.3, 0.5]),
    name=st.sampled_from(["dense", "leaky"]),
    narrowing=st.booleans(),
)
def test_a_closed_tree_is_never_contradicted(
    nets: dict[str, Network], seed: int, radius: float, name: str, narrowing: bool
) -> None:
    network, rng = nets[name], np.random.default_rng(seed)
    region = ball(rng.normal(size=4), radius)
    progress = attempt(network, region, [(0,), (1, 2), (0, 2, 3)], narrowing=narrowing)
    lower, upper = region.outward()
    share = rng.uniform(-0.2, 1.2, size=(3000, 4)).clip(0, 1)
    outputs = network.graph.forward(torch.from_numpy(lower + (upper - lower) * share)).numpy()
    for prop, outcome in zip(progress.problem.properties, progress.outcomes, strict=True):
        worst = max(violation(prop, row) for row in outputs)
        if outcome is not None and outcome.verdict == Valid():
            assert worst <= 0
            assert outcome.margin is not None
            assert 0 < outcome.margin <= -worst + 1e-12
        if outcome is not None and isinstance(outcome.verdict, Invalid):
            assert outcome.verdict.witness.margin > 0


@pytest.mark.parametrize("narrowing", [False, True])
def test_it_decides_what_linear_bounds_leave_open(nets: dict[str, Network], narrowing: bool) -> None:
    rng = np.random.default_rng(0)
    steps: list[str] = []
    for _ in range(15):
        region, groups = ball(rng.normal(size=4), 0.5), [(0, 1), (2, 3), (0, 1, 2)]
        progress = attempt(nets["dense"], region, groups, narrowing=narrowing)
        steps += [o.step for o in progress.outcomes if o is not None and o.verdict == Valid()]
        assert all(outcome is not None for outcome in progress.outcomes)
    assert steps.count("branch") >= 3


def test_regions_of_many_features_are_branched(nets: dict[str, Network]) -> None:
    rng = np.random.default_rng(1)
    problems = [Problem(k, ball(rng.normal(size=20), 0.14), (Within((0,)), Within((0, 1)))) for k in range(20)]
    answers: list[Answer] = []
    verify(nets["wide"], problems, Settings(60.0, keep), answers.append)
    decided = [
        outcome for answer in answers for outcome in answer.outcomes if isinstance(outcome.verdict, Valid | Invalid)
    ]
    assert "branch" in {outcome.step for outcome in decided}
    for answer in answers:
        first, second = (outcome.verdict for outcome in answer.outcomes)
        assert not (first == Valid() and isinstance(second, Invalid))


def test_weights_make_it_complete(nets: dict[str, Network]) -> None:
    """No class alone can be shown to beat class 2, even with every ReLU held: both weights are needed."""
    network, region = nets["toy"], ball(np.zeros(2), 1.0)
    progress = Progress.start(Problem(0, region, (Within((0, 1)),)), 3)
    bounds = bound_regions("linear", network.graph, box_of(region, network.graph), never)
    branch(Site(progress, bounds, 0), Refuter(network, keep), never)
    assert progress.outcomes[0] is not None
    assert progress.outcomes[0].verdict == Valid()


def test_what_is_decided_before_the_end_stays(nets: dict[str, Network]) -> None:
    """Time ends after more and more batches: what is decided only grows, and agrees with the decision in the end."""
    region, groups = ball(np.zeros(20), 0.3), [(0,), (0, 1), (0, 1, 2)]
    final = [outcome and type(outcome.verdict) for outcome in attempt(nets["wide"], region, groups).outcomes]
    counts = []
    for batches in (0, 1, 2, 4, 16, 64):
        progress = attempt(nets["wide"], region, groups, ending_after(batches))
        found = [outcome and type(outcome.verdict) for outcome in progress.outcomes]
        assert all(one is None or one is other for one, other in zip(found, final, strict=True))
        counts.append(sum(one is not None for one in found))
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


@pytest.mark.parametrize("narrowing", [False, True])
def test_an_interrupted_search_loses_nothing(nets: dict[str, Network], narrowing: bool) -> None:
    """Time ends again and again, and the search goes on: it decides what it does in one go, and proves no more."""
    for seed, name in product(range(4), ("dense", "wide")):
        network = nets[name]
        features, radius = network.graph.input_shape[0], 0.5 if name == "dense" else 0.2
        region = ball(np.random.default_rng(seed).normal(size=features), radius)
        groups = [(0,), (0, 1), (0, 1, 2)]
        whole = attempt(network, region, groups, narrowing=narrowing)
        progress = attempt(network, region, groups, ending_after(0), narrowing=narrowing)
        bounds = bound_regions("linear", network.graph, box_of(region, network.graph), never)
        site, calls = Site(progress, bounds, 0), 0
        with pytest.MonkeyPatch.context() as patch:
            if narrowing:
                narrow_at_once(patch)
            while progress.open and calls < 5000:
                calls += 1
                with suppress(OutOfTimeError):
                    branch(site, Refuter(network, keep), ending_after(2))
                    break
        for one, other in zip(progress.outcomes, whole.outcomes, strict=True):
            assert type(one and one.verdict) is type(other and other.verdict)


def test_a_network_without_relus_is_left_alone(tmp_path: Path) -> None:
    network = Network.open(save(dense([20, 6, 3], 0, activation="Tanh", scale=4.0), tmp_path / "net.onnx"))
    progress = attempt(network, ball(np.zeros(20), 0.5), [(0,), (0, 1)])
    assert all(outcome is None or outcome.step != "branch" for outcome in progress.outcomes)


def test_what_waits_comes_back_as_it_was() -> None:
    """Slopes that were rounded on the way could lie below a leak, where they are not sound."""
    generator = torch.Generator().manual_seed(0)
    some = SubProblems(
        torch.arange(300) % 3,
        torch.randint(-1, 2, (300, 7), generator=generator, dtype=torch.int8),
        torch.rand(300, 7, generator=generator),
        -torch.rand(300, 3, generator=generator),
        torch.rand(300, 3, generator=generator),
        torch.rand(300, 2, generator=generator),
        -torch.rand(300, generator=generator),
    )
    waiting = Waiting()
    for rows in (slice(0, 10), slice(10, 300)):
        waiting.put(some.only(rows), torch.arange(300)[rows])
    taken, rows = waiting.take(torch.tensor([True, False, True]), 50)
    assert rows.tolist() == some.bound.masked_fill(some.case == 1, torch.inf).argsort()[:50].tolist()
    for name in ("case", "phase", "value", "lower", "upper", "weights", "bound"):
        assert torch.equal(getattr(taken, name), getattr(some, name)[rows])
    waiting.drop(2)
    assert waiting.cases() == {0, 1}
    assert len(waiting) == 200 - sum(taken.case == 0)
