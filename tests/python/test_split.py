"""Bisection: bounds on parts hold there, ascent only improves them, and halves are chosen where they help."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper
from torch import Tensor

from pyprover.domains.base import Box
from pyprover.domains.parts import PartRows, analyse_parts
from pyprover.engine import Network, Problem, Settings, split, verify
from pyprover.engine.case import Case, Forms, beats
from pyprover.engine.part_ascent import ascend
from pyprover.graph import Graph
from pyprover.query import Avoid, Comparison, Property, Term, Within
from pyprover.region import Region
from pyprover.verdict import Answer, Invalid, Outcome, Valid, Witness
from tests.python.networks import Recipe, dense, save, toy


def never() -> None:
    """No time limit."""


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Network]:
    folder = tmp_path_factory.mktemp("nets")
    recipes = {
        "relu": dense([3, 12, 12, 4], 0, scale=1.5),
        "leaky": dense([3, 12, 12, 4], 1, activation="LeakyRelu", scale=1.5),
        "sigmoid": dense([3, 10, 10, 4], 1, activation="Sigmoid", scale=4.0),
        "toy": toy(),
        "ridge": ridge(),
    }
    return {name: Network.open(save(recipe, folder / f"{name}.onnx")) for name, recipe in recipes.items()}


def ridge() -> Recipe:
    """Outputs ``relu(x_1) - relu(x_1)``, which lines do not see is 0, and ``(x_0 + 20) / 100``."""
    weight = np.array([[0, 1], [0, 1], [1, 0]], dtype=np.float32)
    last = np.array([[1, -1, 0], [0, 0, 0.01]], dtype=np.float32)
    nodes = [
        helper.make_node("Gemm", ["x", "w", "b"], ["h"], transB=1),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Gemm", ["r", "v"], ["y"], transB=1),
    ]
    return Recipe((2,), nodes, {"w": weight, "b": np.array([0, 0, 20], dtype=np.float32), "v": last})


def boxes(features: int, count: int, radius: float, seed: int) -> Box:
    """Random boxes (count, features)."""
    generator = torch.Generator().manual_seed(seed)
    centre = torch.randn(count, features, generator=generator, dtype=torch.float64)
    half = radius * torch.rand(count, features, generator=generator, dtype=torch.float64)
    return Box(centre - half, centre + half)


def inside(box: Box, count: int, seed: int) -> Tensor:
    """Points (boxes, count, features) of boxes, corners among them."""
    generator = torch.Generator().manual_seed(seed)
    share = torch.rand(len(box.lower), count, box.lower.shape[1], generator=generator, dtype=torch.float64)
    share = (1.4 * share - 0.2).clamp(0.0, 1.0)
    return box.lower[:, None] + (box.upper - box.lower)[:, None] * share


def outputs(graph: Graph, points: Tensor) -> Tensor:
    """Outputs (boxes, count, outputs)."""
    flat = graph.forward(points.reshape(-1, *graph.input_shape))
    return flat.reshape(*points.shape[:2], -1)


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(["relu", "leaky", "sigmoid"]),
    seed=st.integers(0, 10_000),
    radius=st.sampled_from([1e-9, 0.05, 0.5, 2.0]),
)
def test_bounds_of_the_ascent_hold_inside(nets: dict[str, Network], name: str, seed: int, radius: float) -> None:
    """Some margin of the case is at least the bound, at every point of the part."""
    graph = nets[name].graph
    box = boxes(3, 4, radius, seed)
    forms = Forms.of([beats(3, [0, 1, 2]), beats(0, [2])], graph.outputs)
    bounds, _ = analyse_parts(graph, box, {}, never)
    part = torch.arange(4).repeat(2)
    case = torch.arange(2).repeat_interleave(4)
    reached = ascend(bounds, forms.of_cases(case), part, torch.zeros(8, dtype=torch.int64))
    values = outputs(graph, inside(box, 300, seed))
    for row, (p, c) in enumerate(zip(part.tolist(), case.tolist(), strict=True)):
        margins = values[p] @ forms.weights[c].T
        least = margins.masked_fill(~forms.valid[c], -torch.inf).amax(1).min()
        assert reached.bound[row] <= least + 1e-12
    assert bool((reached.moves >= 0).all())


@settings(max_examples=25, deadline=None)
@given(name=st.sampled_from(["relu", "leaky"]), seed=st.integers(0, 10_000))
def test_any_slopes_bound(nets: dict[str, Network], name: str, seed: int) -> None:
    graph = nets[name].graph
    box = boxes(3, 3, 1.0, seed)
    bounds, _ = analyse_parts(graph, box, {}, never)
    rows = PartRows.of(bounds, torch.arange(3))
    generator = torch.Generator().manual_seed(seed)
    share = torch.rand(rows.unstable.shape, generator=generator, dtype=torch.float64)
    slopes = torch.where(rows.unstable, rows.leak + (1 - rows.leak) * share, rows.slopes())
    coef = torch.randn(3, graph.outputs, generator=generator, dtype=torch.float64)
    tuned = rows.bounds(coef, slopes, rows.chords())
    values = (outputs(graph, inside(box, 300, seed)) * coef[:, None]).sum(2)
    assert bool((tuned.value <= values.amin(1) + 1e-12).all())


@settings(max_examples=20, deadline=None)
@given(name=st.sampled_from(["relu", "leaky", "sigmoid"]), seed=st.integers(0, 10_000))
def test_what_is_known_of_the_parent_is_kept(nets: dict[str, Network], name: str, seed: int) -> None:
    """Boxes of the halves lie in those of the whole, and hold what happens in the halves."""
    graph = nets[name].graph
    whole = boxes(3, 1, 1.0, seed)
    _, known = analyse_parts(graph, whole, {}, never)
    middle = whole.upper.clone()
    middle[0, 1] = whole.centre[0, 1]
    half = Box(whole.lower, middle)
    _, found = analyse_parts(graph, half, known, never)
    points = inside(half, 200, seed)[0]
    values = [points]
    for node in graph.nodes:
        values.append(node.op.forward(*(values[v] for v in node.inputs)))
    assert found.keys() == known.keys() != set()
    for value, box in found.items():
        assert bool((box.lower >= known[value].lower - 1e-12).all())
        assert bool((box.upper <= known[value].upper + 1e-12).all())
        assert bool((values[value] >= box.lower - 1e-12).all())
        assert bool((values[value] <= box.upper + 1e-12).all())


def test_what_is_known_is_used(nets: dict[str, Network]) -> None:
    """Boxes that are told to be narrow stay so, where the interval is not exact: the analysis does not start afresh."""
    graph, box = nets["relu"].graph, boxes(3, 1, 1.0, 5)
    _, known = analyse_parts(graph, box, {}, never)
    narrow = {value: Box(b.centre - b.radius / 64, b.centre + b.radius / 64) for value, b in known.items()}
    _, found = analyse_parts(graph, box, narrow, never)
    later = sorted(found)[1:]
    assert later
    for value in later:
        assert bool((found[value].lower >= narrow[value].lower).all())
        assert bool((found[value].upper <= narrow[value].upper).all())


def test_the_ascent_excludes_what_no_margin_does(nets: dict[str, Network]) -> None:
    """The toy: neither class of the group alone is shown to beat the outsider on this part, half of each is."""
    graph = nets["toy"].graph
    box = Box(torch.full((1, 2), -1.0, dtype=torch.float64), torch.full((1, 2), 1.0, dtype=torch.float64))
    both, alone = ([beats(2, [0, 1])], [beats(2, [0]), beats(2, [1])])
    bounds, _ = analyse_parts(graph, box, {}, never)

    def best(cases: list[Case]) -> Tensor:
        forms = Forms.of(cases, graph.outputs)
        zero = torch.zeros(len(cases), dtype=torch.int64)
        return ascend(bounds, forms, zero, zero).bound

    assert best(both)[0] > best(alone).max() + 0.1


def test_costs_are_derivatives(nets: dict[str, Network]) -> None:
    """Costs of intervals are what a bound gains when they shrink, measured by shrinking them a little."""
    graph, box = nets["leaky"].graph, boxes(3, 1, 1.0, 4)
    bounds, _ = analyse_parts(graph, box, {}, never)
    rows = PartRows.of(bounds, torch.zeros(1, dtype=torch.int64))
    chords = tuple(values.requires_grad_() for values in rows.chords())
    coef = torch.tensor([[1.0, -1.0, 0.5, 0.0]], dtype=torch.float64)
    value = rows.bounds(coef, rows.slopes(), (chords[0], chords[1])).value
    cost = rows.interval_costs(*torch.autograd.grad(value.sum(), chords))
    lower, upper = (
        torch.cat([getattr(r, side).flatten(1) for r in rows.lines.values()], 1) for side in ("lower", "upper")
    )
    assert bool((cost[0, ~rows.unstable[0]] == 0).all())
    some = (cost[0].abs() > 1e-3).nonzero().flatten()
    assert len(some) > 1
    for neuron in some.tolist():
        step = 1e-6
        half = (upper - lower)[0, neuron] / 2
        low, high = lower[0, neuron] + step * half, upper[0, neuron] - step * half
        moved = [values.detach().clone() for values in chords]
        leak = rows.leak[0, neuron]
        moved[0][0, neuron] = (high - leak * low) / (high - low)
        moved[1][0, neuron] = (leak - 1) * low * high / (high - low)
        gain = (rows.bounds(coef, rows.slopes(), (moved[0], moved[1])).value - value.detach())[0] / step
        assert float(gain) == pytest.approx(float(cost[0, neuron]), rel=1e-3, abs=1e-6)


def region(lower: list[float], upper: list[float]) -> Region:
    low, high = tuple(map(Fraction, lower)), tuple(map(Fraction, upper))
    centre = tuple((a + b) / 2 for a, b in zip(low, high, strict=True))
    return Region(low, high, centre, (Fraction(1),) * len(low))


def outcome(network: Network, where: Region, prop: Property) -> Outcome:
    found: list[Answer] = []

    def store(_problem: object, _point: object, checked: object) -> Witness:
        return Witness("w", None, checked.classes, checked.margin, checked.distance, checked.centre)  # type: ignore[attr-defined]

    verify(network, [Problem(0, where, (prop,))], Settings(60.0, store), found.append)
    return found[0].outcomes[0]


def never_below(output: int, value: str) -> Avoid:
    """The output stays above a value."""
    return Avoid(((Comparison((Term(output, Fraction(-1)),), Fraction(value), strict=False),),))


def test_halves_are_made_where_the_kink_is(nets: dict[str, Network], monkeypatch: pytest.MonkeyPatch) -> None:
    """The feature without a kink is ten times as wide, and moves the outputs, but halving it shows nothing."""
    seen: list[Tensor] = []
    bound = split._Bisection.bound

    def watched(self: split._Bisection, parts: split.Parts, check: object) -> split.Bounded:
        seen.append(parts.upper - parts.lower)
        return bound(self, parts, never)

    monkeypatch.setattr(split._Bisection, "bound", watched)
    monkeypatch.setattr("pyprover.engine.cascade.CASCADE", ())
    at_least = Comparison((Term(1, Fraction(1)), Term(0, Fraction(-1))), Fraction("-0.4"), strict=False)
    assert outcome(nets["ridge"], region([-10, -1], [10, 1]), Avoid(((at_least,),))).verdict == Valid()
    widths = torch.cat(seen)
    assert widths.tolist() == [[20, 2], [20, 1], [20, 1]]


@pytest.mark.parametrize("name", ["relu", "leaky", "sigmoid"])
@pytest.mark.parametrize("at_once", [1, 1 << 40])
def test_just_above_and_just_below(
    nets: dict[str, Network], monkeypatch: pytest.MonkeyPatch, name: str, at_once: int
) -> None:
    """Around the least value of an output at many points: proven below, refuted above; one part at a time too."""
    monkeypatch.setattr("pyprover.engine.split._ROWS_BYTES", at_once)
    monkeypatch.setattr("pyprover.engine.cascade.CASCADE", ())
    box = Box(*(torch.tensor([[c + s * 0.4 for c in (0.1, 0.2, -0.3)]], dtype=torch.float64) for s in (-1, 1)))
    values = outputs(nets[name].graph, inside(box, 20_000, 0))[0, :, 0]
    least, slack = float(values.min()), 0.1 * float(values.max() - values.min())
    where = region(box.lower[0].tolist(), box.upper[0].tolist())
    assert isinstance(outcome(nets[name], where, never_below(0, str(least + slack))).verdict, Invalid)
    proven = outcome(nets[name], where, never_below(0, str(least - slack)))
    assert (proven.verdict, proven.step) == (Valid(), "split")


def test_groups_need_weights_on_parts(nets: dict[str, Network], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyprover.engine.cascade.CASCADE", ())
    square = region([-1, -1], [1, 1])
    assert outcome(nets["toy"], square, Within((0, 1))).verdict == Valid()
    for label in (0, 1):
        assert isinstance(outcome(nets["toy"], square, Within((label,))).verdict, Invalid)
