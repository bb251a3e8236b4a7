"""Soundness as a property: every operator, every domain; what is computed contains what can happen."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pyprover.domains import interval, zonotope
from pyprover.domains.activations import relu_lines, s_shaped_lines
from pyprover.domains.analysis import ANALYSES, interval_bounds, linear_bounds
from pyprover.domains.base import Box, gamma
from pyprover.domains.constrained import ConstrainedZonotopes
from pyprover.domains.linear import ADJOINTS, RELAXATIONS, UNSTABLE, Linearised, lower_bounds, patch_bounds
from pyprover.domains.patches import Patch
from pyprover.domains.products import with_intervals
from pyprover.domains.relaxation import Places, Rows
from pyprover.graph import Graph, Operator
from pyprover.load import load
from pyprover.ops import OPERATORS, Dense, MaxPool, Relu, Sigmoid, Tanh
from tests.python.domain_choice import CHEAP, DEAR, some_domains
from tests.python.networks import ZOO, ZOO_CASES, Recipe, dense, residual, save

pytestmark = pytest.mark.usefixtures("few_steps")

magnitudes = st.sampled_from([1e-30, 1e-9, 1e-3, 1.0, 30.0, 1e4, 1e12, 1e30])
widths = st.sampled_from([0.0, 1e-12, 1e-3, 0.3, 1.0, 10.0, 1e6])
seeds = st.integers(0, 2**31)


def never() -> None:
    """No time limit."""


def graph_of(recipe: Recipe) -> Graph:
    with TemporaryDirectory() as folder:
        return load(save(recipe, Path(folder) / "net.onnx")).graph


GRAPHS = {(name, k): graph_of(ZOO[name][k]) for name, k in ZOO_CASES}


def some_box(graph: Graph, seed: int, magnitude: float, width: float, *, count: int = 2) -> Box:
    """Boxes (count, *input_shape) around random centres; some intervals are points."""
    generator = torch.Generator().manual_seed(seed)
    shape = (count, *graph.input_shape)
    centre = magnitude * torch.randn(shape, generator=generator, dtype=torch.float64)
    radius = magnitude * width * torch.rand(shape, generator=generator, dtype=torch.float64)
    radius = radius * (torch.rand(shape, generator=generator) > 0.1)
    return Box(centre - radius, centre + radius)


def points_in(box: Box, seed: int, count: int = 30) -> Tensor:
    """Points (count, batch, *shape) of a box: corners, near corners, and inside."""
    generator = torch.Generator().manual_seed(seed)
    share = torch.rand(count, *box.lower.shape, generator=generator, dtype=torch.float64)
    share[: count // 2] = share[: count // 2].round()
    x = box.lower + (box.upper - box.lower) * share
    return torch.minimum(torch.maximum(x, box.lower), box.upper)


def output_bounds(network: Linearised) -> Box:
    """Bounds on each output, (batch, outputs)."""
    batch, outputs = len(network.input.lower), network.graph.outputs
    unit = torch.eye(outputs, dtype=network.input.lower.dtype)
    sample = torch.arange(batch).repeat_interleave(outputs)
    lower, upper = (
        sign * lower_bounds(network, network.graph.output, Rows(Places(sample), sign * unit.repeat(batch, 1)))
        for sign in (1, -1)
    )
    return Box(lower.reshape(batch, outputs), upper.reshape(batch, outputs))


def outputs_at(graph: Graph, points: Tensor) -> Tensor:
    """Outputs (count, batch, outputs) at points (count, batch, *shape)."""
    return graph.forward(points.flatten(0, 1)).reshape(*points.shape[:2], graph.outputs)


def assert_contains(box: Box, values: Tensor) -> None:
    assert bool((box.lower <= values).all()), (box.lower - values).amax()
    assert bool((values <= box.upper).all()), (values - box.upper).amax()


def operators_with_lines() -> set[type[Operator]]:
    """Non-linear operators whose lines a constrained zonotope of some network uses."""
    found: set[type[Operator]] = set()
    for graph in GRAPHS.values():
        companion = ConstrainedZonotopes(graph, some_box(graph, 0, 1.0, 0.0, count=1), never)
        with_intervals(graph, some_box(graph, 0, 1.0, 0.0, count=1), companion)
        found |= {type(step.op) for step in companion.steps}
    return found


def test_no_cell_of_operators_and_domains_is_missing() -> None:
    linear = {op for op in OPERATORS if op.linear}
    table = {
        "interval": set(interval.TRANSFORMERS),
        "linear, affine": set(ADJOINTS),
        "linear, relaxed": set(RELAXATIONS),
        "linear, unstable": set(UNSTABLE),
        "zonotope": set(zonotope.TRANSFORMERS),
        "constrained z.": set(zonotope.TRANSFORMERS),
        "its lines": operators_with_lines(),
    }
    wanted = {
        "interval": set(OPERATORS),
        "linear, affine": linear,
        "linear, relaxed": set(OPERATORS) - linear,
        "linear, unstable": set(OPERATORS) - linear,
        "zonotope": set(OPERATORS),
        "constrained z.": set(OPERATORS),
        "its lines": set(OPERATORS) - linear - {MaxPool},  # of a maximum, the band says all that is said
    }
    columns = " | ".join(name.rjust(16) for name in table)
    print(f"\n{'operator':15} | {columns}")
    for op in OPERATORS:
        cells = ["yes" if op in table[name] else "MISSING" if op in wanted[name] else "" for name in table]
        print(f"{op.__name__:15} | " + " | ".join(cell.rjust(16) for cell in cells))
    missing = [f"{name}: {op.__name__}" for name in wanted for op in wanted[name] - table[name]]
    assert not missing
    assert table == wanted


@pytest.mark.parametrize("domain", CHEAP)
@pytest.mark.parametrize(("name", "k"), ZOO_CASES)
@settings(max_examples=12, deadline=None)
@given(seed=seeds, magnitude=magnitudes, width=widths)
def test_every_operator_in_cheap_domains(
    domain: str, name: str, k: int, seed: int, magnitude: float, width: float
) -> None:
    assert_sound(domain, GRAPHS[name, k], seed, magnitude, width)


@pytest.mark.parametrize("domain", DEAR)
@pytest.mark.parametrize(("name", "k"), ZOO_CASES)
@settings(max_examples=4, deadline=None)
@given(seed=seeds, magnitude=magnitudes, width=widths)
def test_every_operator_in_dear_domains(
    domain: str, name: str, k: int, seed: int, magnitude: float, width: float
) -> None:
    assert_sound(domain, GRAPHS[name, k], seed, magnitude, width)


def assert_sound(domain: str, graph: Graph, seed: int, magnitude: float, width: float) -> None:
    box = some_box(graph, seed, magnitude, width)
    found = output_bounds(ANALYSES[domain](graph, box, never))
    assert_contains(found, outputs_at(graph, points_in(box, seed)))


NETWORKS: dict[str, Callable[[int], Recipe]] = {
    "dense": lambda seed: dense([4, 12, 9, 3], seed),
    "deep": lambda seed: dense([3, 6, 6, 6, 6, 6, 3], seed, scale=1.5),
    "leaky": lambda seed: dense([4, 10, 10, 3], seed, activation="LeakyRelu"),
    "sigmoid": lambda seed: dense([4, 8, 8, 3], seed, activation="Sigmoid", scale=3.0),
    "tanh": lambda seed: dense([4, 8, 8, 3], seed, activation="Tanh", scale=2.0),
    "residual": residual,
}


@pytest.mark.parametrize("kind", list(NETWORKS))
@settings(max_examples=15, deadline=None)
@given(seed=seeds, magnitude=magnitudes, width=widths)
def test_networks(kind: str, seed: int, magnitude: float, width: float) -> None:
    graph = graph_of(NETWORKS[kind](seed))
    box = some_box(graph, seed, magnitude, width, count=3)
    values = outputs_at(graph, points_in(box, seed, count=60))
    for name in some_domains(seed):
        assert_contains(output_bounds(ANALYSES[name](graph, box, never)), values)


@pytest.mark.parametrize("kind", list(NETWORKS))
@settings(max_examples=10, deadline=None)
@given(seed=seeds, width=st.sampled_from([1e-3, 0.1, 0.5, 2.0]))
def test_linear_lies_within_interval(kind: str, seed: int, width: float) -> None:
    """Not a theorem for any relaxation, but intermediate boxes are intersected: at every activation it holds."""
    graph = graph_of(NETWORKS[kind](seed))
    box = some_box(graph, seed, 1.0, width)
    wide: list[Box] = [box]
    for node in graph.nodes:
        wide.append(interval.step(node.op, tuple(wide[v] for v in node.inputs)))
    relaxations = linear_bounds(graph, box, never).relaxations
    for position, relaxation in relaxations.items():
        (source,) = graph.nodes[position].inputs
        size: Tensor = relaxation.size  # type: ignore[attr-defined]
        assert bool((size <= wide[source].size * (1 + 1e-9)).all())


@settings(max_examples=25, deadline=None)
@given(seed=seeds, width=st.sampled_from([0.01, 0.1, 0.3]))
def test_linear_is_tighter_on_average(seed: int, width: float) -> None:
    graph = graph_of(dense([5, 16, 16, 3], seed))
    box = some_box(graph, seed, 1.0, width, count=8)
    linear, boxes = output_bounds(linear_bounds(graph, box, never)), output_bounds(interval_bounds(graph, box, never))
    assert float((linear.upper - linear.lower).sum()) <= float((boxes.upper - boxes.lower).sum()) * (1 + 1e-9)


def test_a_batch_gives_what_each_region_alone_gives() -> None:
    graph = graph_of(residual(3))
    box = some_box(graph, 5, 1.0, 0.2, count=5)
    together = output_bounds(linear_bounds(graph, box, never))
    for k in range(5):
        alone = output_bounds(linear_bounds(graph, Box(box.lower[k : k + 1], box.upper[k : k + 1]), never))
        torch.testing.assert_close(together.lower[k : k + 1], alone.lower, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(together.upper[k : k + 1], alone.upper, rtol=1e-9, atol=1e-9)


def test_small_blocks_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = graph_of(residual(4))
    box = some_box(graph, 6, 1.0, 0.3, count=3)
    expected = output_bounds(linear_bounds(graph, box, never))
    monkeypatch.setattr("pyprover.domains.linear.BLOCK_BYTES", 1)
    found = output_bounds(linear_bounds(graph, box, never))
    torch.testing.assert_close(found.lower, expected.lower, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(found.upper, expected.upper, rtol=1e-9, atol=1e-9)


def test_a_point_is_bounded_by_itself() -> None:
    for make in NETWORKS.values():
        graph = graph_of(make(1))
        box = some_box(graph, 2, 1.0, 0.0)
        value = graph.forward(box.lower)
        for analysis in ANALYSES.values():
            found = output_bounds(analysis(graph, box, never))
            assert_contains(found, value)
            torch.testing.assert_close(found.lower, found.upper, rtol=1e-6, atol=1e-7)


@settings(max_examples=60, deadline=None)
@given(
    op=st.sampled_from([Relu(), Relu(0.3), Sigmoid(), Tanh()]),
    low=st.floats(-60, 60),
    width=st.sampled_from([0.0, 1e-300, 1e-17, 1e-10, 1e-8, 1e-4, 0.1, 1.0, 7.0, 100.0]),
)
def test_lines_hold_along_the_interval(op: Relu | Sigmoid | Tanh, low: float, width: float) -> None:
    box = Box(torch.tensor([[low]], dtype=torch.float64), torch.tensor([[low + width]], dtype=torch.float64))
    lines = relu_lines(op, box) if isinstance(op, Relu) else s_shaped_lines(op, box)
    x = torch.linspace(low, low + width, 400, dtype=torch.float64)[None]
    y = op.forward(x)
    lower_offset = 0.0 if lines.lower_offset is None else lines.lower_offset
    # the rounding of a line itself is covered by the slack of the step
    slack = gamma(16, torch.float64) * lines.magnitude
    assert bool((lines.lower_slope * x + lower_offset <= y + slack).all())
    assert bool((y <= lines.upper_slope * x + lines.upper_offset + slack).all())


@settings(max_examples=40, deadline=None)
@given(seed=seeds, geometry=st.sampled_from([(2, 2, 0, 1), (3, 1, 1, 1), (2, 1, 0, 2), (3, 2, 1, 2)]), width=widths)
def test_members_of_maxima(seed: int, geometry: tuple[int, int, int, int], width: float) -> None:
    kernel, stride, padding, dilation = geometry
    op = MaxPool((kernel, kernel), (stride, stride), (padding, padding), (dilation, dilation))
    graph = Graph((2, 7, 6), _nodes(op, (2, 7, 6)))
    box = some_box(graph, seed, 1.0, width, count=3)
    assert_contains(output_bounds(linear_bounds(graph, box, never)), outputs_at(graph, points_in(box, seed)))
    decided = RELAXATIONS[MaxPool](op, Box(box.lower, box.lower))
    assert bool(decided.decided.all())  # type: ignore[attr-defined]


def _nodes(op: MaxPool, shape: tuple[int, ...]) -> tuple[object, ...]:
    from pyprover.graph import Node
    from pyprover.ops import Reshape

    pooled = op.shape(shape)
    flat = Reshape((int(np.prod(pooled)),))
    return (Node(op, (0,), pooled, "pool"), Node(flat, (1,), flat.target, "flat"))


def exact_outputs(graph: Graph, point: list[Fraction]) -> list[Fraction]:
    """A dense ReLU network over the rationals."""
    values = point
    for node in graph.nodes:
        if isinstance(node.op, Dense):
            weight, bias = node.op.weight.tolist(), node.op.bias.tolist()
            values = [
                sum((Fraction(w) * v for w, v in zip(row, values, strict=True)), Fraction(b))
                for row, b in zip(weight, bias, strict=True)
            ]
        elif isinstance(node.op, Relu):
            values = [max(v, Fraction(0)) for v in values]
    return values


@settings(max_examples=40, deadline=None)
@given(
    seed=seeds,
    exponents=st.lists(st.integers(-40, 40), min_size=12, max_size=12),
    width=st.sampled_from([0.0, 1e-9, 1e-2]),
)
def test_rounding_is_covered_exactly(seed: int, exponents: list[int], width: float) -> None:
    """Terms that cancel over 24 orders of magnitude; corners are evaluated in rationals, compared without tolerance."""
    graph = graph_of(dense([3, 4, 4, 2], seed))
    first = graph.nodes[0].op
    assert isinstance(first, Dense)
    first.weight.mul_(torch.tensor([2.0**e for e in exponents], dtype=torch.float64).reshape(4, 3))
    first.weight[1] = -first.weight[0] * (1 + 2**-50)
    box = some_box(graph, seed, 1.0, width, count=1)
    corners = product(*zip(box.lower[0].tolist(), box.upper[0].tolist(), strict=True))
    exact = [exact_outputs(graph, [Fraction(v) for v in corner]) for corner in corners]
    for name in some_domains(seed):
        found = output_bounds(ANALYSES[name](graph, box, never))
        for k in range(graph.outputs):
            assert Fraction(float(found.lower[0, k])) <= min(values[k] for values in exact)
            assert max(values[k] for values in exact) <= Fraction(float(found.upper[0, k]))


def test_float32_bounds_are_wider_but_sound() -> None:
    graph = graph_of(dense([4, 12, 9, 3], 7))
    box = some_box(graph, 7, 1.0, 0.1)
    single = Box(box.lower.float() - 1e-6, box.upper.float() + 1e-6)
    values = outputs_at(graph, points_in(box, 7))
    for analysis in ANALYSES.values():
        found = output_bounds(analysis(graph.to(torch.float32), single, never))
        assert found.lower.dtype == torch.float32
        assert_contains(Box(found.lower.double(), found.upper.double()), values)


@pytest.mark.parametrize("domain", list(ANALYSES))
def test_overflow_proves_nothing(domain: str) -> None:
    graph = graph_of(dense([4, 12, 9, 3], 7, scale=100.0))
    huge = torch.full((1, 4), 1e308, dtype=torch.float64)
    found = output_bounds(ANALYSES[domain](graph, Box(-huge, huge), never))
    assert not bool((found.lower > -1e300).any())
    assert not bool((found.upper < 1e300).any())


def test_only_what_can_matter_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first layer's intervals are exact: no backward pass is made for them."""
    calls: list[int] = []

    def counting(network: object, value: int, places: Places, patch: Patch) -> Tensor:
        calls.append(len(patch.coef))
        return patch_bounds(network, value, places, patch)  # type: ignore[arg-type]

    monkeypatch.setattr("pyprover.domains.refined.patch_bounds", counting)
    graph = graph_of(dense([4, 12, 3], 0))
    linear_bounds(graph, some_box(graph, 0, 1.0, 1.0), never)
    assert calls == []
    deep = graph_of(dense([4, 12, 9, 3], 0))
    linear_bounds(deep, some_box(deep, 0, 1.0, 1e-9), never)
    assert calls == []
    linear_bounds(deep, some_box(deep, 0, 1.0, 1.0), never)
    assert 0 < sum(calls) <= 2 * 2 * 9
