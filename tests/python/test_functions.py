"""Networks of many functions: random attributes against ONNX Runtime, bounds and verdicts against sampling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from pyprover.domains.analysis import ANALYSES, linear_bounds
from pyprover.engine.case import violation
from pyprover.engine.network import Network
from pyprover.query import Avoid, Comparison, Term, Within
from pyprover.verdict import Invalid, Valid
from pyprover.witness import Checked
from tests.python.agreement import assert_agrees
from tests.python.domain_choice import some_domains
from tests.python.networks import Arrays, Recipe, dense, numbers, one, save
from tests.python.test_domains import (
    assert_contains,
    graph_of,
    never,
    output_bounds,
    outputs_at,
    points_in,
    some_box,
)
from tests.python.test_engine import ball, run

pytestmark = pytest.mark.usefixtures("few_steps")

Draw = st.DrawFn
SHAPE = (2, 3, 4)
reals = st.floats(-3, 3, width=32)
positives = st.floats(0.0625, 3, width=32)


@st.composite
def slopes(draw: Draw) -> Recipe:
    frame = draw(st.sampled_from([(1,), (4,), (3, 1), (2, 1, 1), (1, 2, 3, 4)]))
    constants = {"s": draw(positives) * numbers(*frame, seed=draw(st.integers(0, 99)))}
    plain = one("LeakyRelu", "x", shape=SHAPE, alpha=draw(reals))
    return draw(st.sampled_from([plain, one("PRelu", "x", "s", shape=SHAPE, constants=constants)]))


@st.composite
def bends(draw: Draw) -> Recipe:
    low = draw(reals)
    clip = {"low": np.float32(low), "high": np.float32(low + draw(positives))}
    choices = (
        one("Elu", "x", shape=SHAPE, alpha=draw(positives)),
        one("Selu", "x", shape=SHAPE, alpha=draw(positives), gamma=draw(reals)),
        one("HardSigmoid", "x", shape=SHAPE, alpha=draw(reals), beta=draw(reals)),
        one("Clip", "x", "low", "high", shape=SHAPE, constants=clip),
        one("Pow", "x", "e", shape=SHAPE, constants={"e": np.float32(draw(st.integers(1, 6)))}),
    )
    return draw(st.sampled_from(choices))


@st.composite
def extremes(draw: Draw) -> Recipe:
    """Two values and a constant, of shapes that fit together."""
    frame = tuple(draw(st.sampled_from([1, n])) for n in SHAPE)
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], axes=draw(st.lists(st.integers(1, 3), min_size=1, unique=True))),
        helper.make_node(draw(st.sampled_from(["Max", "Min"])), draw(st.permutations(["x", "m", "c"])), ["y"]),
    ]
    return Recipe(SHAPE, nodes, {"c": numbers(*frame[draw(st.integers(0, 3)) :])})


@st.composite
def reductions(draw: Draw) -> Recipe:
    axes = draw(st.lists(st.integers(1, 3), min_size=1, unique=True))
    signed = np.array([a - draw(st.sampled_from([0, 4])) for a in axes])
    op, keep = draw(st.sampled_from(["ReduceMax", "ReduceMin", "ReduceLogSumExp"])), draw(st.integers(0, 1))
    return one(op, "x", "a", shape=SHAPE, constants={"a": signed}, keepdims=keep, opset=18)


@st.composite
def softmaxes(draw: Draw) -> Recipe:
    op, opset = draw(st.sampled_from(["Softmax", "LogSoftmax"])), draw(st.sampled_from([11, 13]))
    return one(op, "x", shape=SHAPE, axis=draw(st.sampled_from([1, 2, 3, -1, -2, -3])), opset=opset)


@st.composite
def quotients(draw: Draw) -> Recipe:
    op = draw(st.sampled_from(["Mul", "Div"]))
    frame = tuple(draw(st.sampled_from([1, n])) for n in SHAPE)
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], axes=draw(st.lists(st.integers(1, 3), min_size=1, unique=True))),
        helper.make_node("Softplus", ["m"], ["p"]),
        helper.make_node(op, draw(st.sampled_from([["x", "p"], ["m", "p"], ["c", "p"]])), ["y"]),
    ]
    return Recipe(SHAPE, nodes, {"c": numbers(*frame)})


@st.composite
def quantisations(draw: Draw) -> Recipe:
    kind, axis = draw(st.sampled_from([np.int8, np.uint8])), draw(st.sampled_from([None, 1, 2, 3, -1]))
    frame = () if axis is None else ((1, *SHAPE)[axis],)
    zero = draw(st.integers(0, 100))
    constants: Arrays = {"s": (np.abs(numbers(*frame)) / 9 + 0.01).astype(np.float32), "z": np.full(frame, zero, kind)}
    attributes: dict[str, Any] = {} if axis is None else {"axis": axis}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], **attributes),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"], **attributes),
    ]
    return Recipe(SHAPE, nodes, constants)


FAMILIES: dict[str, Callable[[], st.SearchStrategy[Recipe]]] = {
    family.__name__: family for family in (slopes, bends, extremes, reductions, softmaxes, quotients, quantisations)
}


@pytest.mark.parametrize("family", list(FAMILIES))
@settings(max_examples=25, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**31), width=st.sampled_from([0.0, 1e-3, 0.3, 10.0]))
def test_random_attributes(family: str, data: st.DataObject, seed: int, width: float) -> None:
    with TemporaryDirectory() as folder:
        graph = assert_agrees(save(data.draw(FAMILIES[family]()), Path(folder) / "net.onnx"))
    box = some_box(graph, seed, 1.0, width)
    values = outputs_at(graph, points_in(box, seed, count=10))
    for name in some_domains(seed):
        assert_contains(output_bounds(ANALYSES[name](graph, box, never)), values)


def quantised(seed: int) -> Recipe:
    """Fully connected, with quantised inputs, weights and hidden values."""
    net = dense([3, 10, 4], seed, scale=1.5)
    weights = {f"w{k}q": np.round(net.constants[f"w{k}"] / 0.02).clip(-127, 127).astype(np.int8) for k in (0, 1)}
    scales: Arrays = {"s": np.array(0.02, np.float32), "t": np.array(0.05, np.float32), "z": np.array(0, np.int8)}
    node: Callable[..., Any] = helper.make_node
    nodes = [
        *(node("DequantizeLinear", [f"w{k}q", "s", "z"], [f"v{k}"]) for k in (0, 1)),
        node("QuantizeLinear", ["x", "s", "z"], ["xq"]),
        node("DequantizeLinear", ["xq", "s", "z"], ["xd"]),
        node("Gemm", ["xd", "v0", "b0"], ["h"], transB=1),
        node("Relu", ["h"], ["r"]),
        node("QuantizeLinear", ["r", "t", "z"], ["rq"]),
        node("DequantizeLinear", ["rq", "t", "z"], ["rd"]),
        node("Gemm", ["rd", "v1", "b1"], ["y"], transB=1),
    ]
    return Recipe(net.shape, nodes, {**net.constants, **weights, **scales})


def ending(op: str, seed: int) -> Recipe:
    """A ReLU network with an operator on its outputs."""
    net = dense([3, 10, 4], seed, scale=2.0)
    *nodes, last = net.nodes
    last.output[0] = "scores"
    return replace(net, nodes=[*nodes, last, helper.make_node(op, ["scores"], ["y"], axis=1)])


def gated(seed: int) -> Recipe:
    """``h * sigmoid(h)`` inside, and a division by a positive sum at the end."""
    net = dense([3, 10, 4], seed, activation="Sigmoid", scale=2.0)
    first, sigmoid, last = net.nodes
    node: Callable[..., Any] = helper.make_node
    last.input[0], last.output[0] = "gate", "scores"
    nodes = [
        first,
        sigmoid,
        node("Mul", ["h0", "a0"], ["gate"]),
        last,
        node("Softplus", ["scores"], ["positive"]),
        node("ReduceSum", ["positive", "axes"], ["sum"]),
        node("Div", ["positive", "sum"], ["y"]),
    ]
    return replace(net, nodes=nodes, constants={**net.constants, "axes": np.array([1])})


def _dense(op: str, scale: float = 1.5, opset: int = 13) -> Callable[[int], Recipe]:
    return lambda seed: replace(dense([3, 10, 8, 4], seed, activation=op, scale=scale), opset=opset)


NETWORKS: dict[str, Callable[[int], Recipe]] = {
    **{op: _dense(op) for op in ("Abs", "Elu", "Erf", "HardSigmoid", "Selu", "Sign", "Softplus")},
    "Exp": lambda seed: dense([3, 10, 4], seed, activation="Exp"),
    "Gelu": _dense("Gelu", opset=20),
    "HardSwish": _dense("HardSwish", opset=14),
    "LogSoftmax": lambda seed: ending("LogSoftmax", seed),
    "Softmax": lambda seed: ending("Softmax", seed),
    "gated": gated,
    "quantised": quantised,
}


@pytest.mark.parametrize("kind", list(NETWORKS))
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**31), width=st.sampled_from([0.0, 1e-9, 1e-3, 0.1, 1.0, 100.0]))
def test_bounds_of_networks(kind: str, seed: int, width: float) -> None:
    graph = graph_of(NETWORKS[kind](seed))
    box = some_box(graph, seed, 1.0, width, count=3)
    values = outputs_at(graph, points_in(box, seed, count=60))
    for name in some_domains(seed):
        assert_contains(output_bounds(ANALYSES[name](graph, box, never)), values)


@pytest.mark.parametrize("kind", list(NETWORKS))
@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10_000), radius=st.sampled_from([0.01, 0.1, 0.5]))
def test_verdicts_agree_with_sampling(kind: str, seed: int, radius: float) -> None:
    rng = np.random.default_rng(seed)
    with TemporaryDirectory() as folder:
        network = Network.open(save(NETWORKS[kind](seed % 5), Path(folder) / "net.onnx"))
    region = ball(rng.normal(size=3), radius)
    properties = [Within((0,)), Within((1, 2)), Within((0, 1, 3))]
    found = run(network, [(region, properties)], time_limit=3.0)
    lower, upper = region.outward()
    share = rng.random((500, 3))
    share[:100] = share[:100].round()
    outputs = network.graph.forward(torch.from_numpy(np.clip(lower + (upper - lower) * share, lower, upper))).numpy()
    for prop, outcome in zip(properties, found.outcomes(), strict=True):
        if isinstance(outcome.verdict, Valid):
            assert max(violation(prop, row) for row in outputs) <= 0
        if isinstance(outcome.verdict, Invalid):
            point = found.saved.point(outcome.verdict.witness)
            assert isinstance(network.replayer.check(region, prop, point), Checked)


@pytest.mark.parametrize("kind", list(NETWORKS))
def test_both_verdicts_are_found(kind: str, tmp_path: Path) -> None:
    """Of twelve regions around random centres small ones are mostly proven, large ones mostly refuted."""
    network = Network.open(save(NETWORKS[kind](1), tmp_path / "net.onnx"))
    rng = np.random.default_rng(0)
    verdicts: dict[float, list[str]] = {}
    for radius in (1e-4, 3.0):
        for _ in range(6):
            centre = rng.normal(size=3).astype(np.float32)
            best = int(network.exact_outputs(centre[None]).argmax())
            outcome = run(
                network, [(ball(centre.astype(np.float64), radius), [Within((best,))])], time_limit=10.0
            ).outcomes()[0]
            verdicts.setdefault(radius, []).append(type(outcome.verdict).__name__)
    assert verdicts[1e-4].count("Valid") >= 4, verdicts
    assert verdicts[3.0].count("Invalid") >= 2, verdicts


def test_softmax_stays_between_its_bounds_of_logits() -> None:
    """Where the logits lead by far, so does softmax, however wide the region is."""
    constants = {"w": np.zeros((3, 2), dtype=np.float32), "b": np.array([9, 0, -9], dtype=np.float32)}
    constants["w"][:, 0] = 1000.0  # moves all logits alike
    nodes = [helper.make_node("Gemm", ["x", "w", "b"], ["h"], transB=1), helper.make_node("Softmax", ["h"], ["y"])]
    graph = graph_of(Recipe((2,), nodes, constants))
    found = output_bounds(linear_bounds(graph, some_box(graph, 0, 1.0, 100.0), never))
    exact = torch.softmax(torch.tensor([9.0, 0.0, -9.0], dtype=torch.float64), 0).expand(2, 3)
    torch.testing.assert_close(found.lower, exact, rtol=0, atol=1e-6)
    torch.testing.assert_close(found.upper, exact, rtol=0, atol=1e-6)


def test_a_comparison_of_softmax_scores(tmp_path: Path) -> None:
    """Probabilities are compared with constants, which logits cannot be."""
    network = Network.open(save(ending("Softmax", 1), tmp_path / "net.onnx"))
    region = ball(np.zeros(3), 0.01)
    highest = float(network.exact_outputs(np.zeros((1, 3), dtype=np.float32)).max())
    best = int(network.exact_outputs(np.zeros((1, 3), dtype=np.float32)).argmax())

    def above(bound: float) -> Comparison:
        return Comparison((Term(best, Fraction(1)),), -Fraction(bound), strict=False)

    found = run(network, [(region, [Avoid(((above(highest + 0.1),),)), Avoid(((above(highest - 0.1),),))])])
    assert [type(outcome.verdict) for outcome in found.outcomes()] == [Valid, Invalid]
