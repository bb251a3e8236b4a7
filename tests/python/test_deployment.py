"""Deployment in float32: measured errors lie inside the bound, and a proof leaves room for it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from pyprover.domains.analysis import bound_regions
from pyprover.domains.base import Box
from pyprover.domains.deployment import evaluation_error
from pyprover.engine import Network, Problem, Settings, verify
from pyprover.errors import UserError
from pyprover.query import Avoid, Comparison, Deployment, Property, Term, Within
from pyprover.region import Region
from pyprover.verdict import Answer, Invalid, Unknown, Valid, Witness
from pyprover.witness import Checked
from tests.python.networks import Recipe, dense, numbers, residual, save


def never() -> None:
    """No time limit."""


def keep(_problem: Problem, _point: object, checked: Checked) -> Witness:
    return Witness("", None, checked.classes, checked.margin, checked.distance, checked.centre)


def opened(recipe: Recipe) -> Network:
    with TemporaryDirectory() as folder:
        return Network.open(save(recipe, Path(folder) / "net.onnx"))


def pooled() -> Recipe:
    """Convolution, maxima over windows that overlap, a mean, a leaky ReLU, a skip, a dense end."""
    constants = {"w0": numbers(3, 2, 3, 3), "b0": numbers(3, seed=1), "w1": numbers(3, 3, 1, 1, seed=2)}
    constants |= {"w2": numbers(4, 3 * 5 * 4, seed=3), "b2": numbers(4, seed=4)}
    nodes = [
        helper.make_node("Conv", ["x", "w0", "b0"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("LeakyRelu", ["c"], ["l"], alpha=0.2),
        helper.make_node("MaxPool", ["l"], ["m"], kernel_shape=[2, 2]),
        helper.make_node("Conv", ["m", "w1"], ["d"]),
        helper.make_node("AveragePool", ["d"], ["a"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["a", "m"], ["s"]),
        helper.make_node("Clip", ["s", "low", "high"], ["k"]),
        helper.make_node("Flatten", ["k"], ["f"]),
        helper.make_node("Gemm", ["f", "w2", "b2"], ["y"], transB=1),
    ]
    return Recipe((2, 6, 5), nodes, {**constants, "low": np.float32(-1.5), "high": np.float32(2.5)})


def scaled(recipe: Recipe, seed: int) -> Recipe:
    """With weights whose magnitudes differ by up to ten binary orders each way."""
    rng = np.random.default_rng(seed)
    constants = {
        name: (array * np.exp2(rng.integers(-10, 10, array.shape))).astype(np.float32) if array.ndim > 1 else array
        for name, array in recipe.constants.items()
    }
    return Recipe(recipe.shape, recipe.nodes, constants, recipe.opset)


NETS = {
    "dense": dense([6, 20, 15, 4], 0),
    "wide": dense([300, 200, 4], 1),
    "deep": dense([4, 6, 6, 6, 6, 6, 6, 3], 2, scale=1.3),
    "leaky": dense([6, 12, 12, 4], 3, activation="LeakyRelu"),
    "sigmoid": dense([6, 12, 12, 4], 4, activation="Sigmoid", scale=3.0),
    "tanh": dense([6, 12, 12, 4], 5, activation="Tanh", scale=2.0),
    "pooled": pooled(),
    "scaled": scaled(dense([6, 20, 15, 4], 6), 6),
    "scaled pool": scaled(pooled(), 7),
}
OPENED = {name: opened(recipe) for name, recipe in NETS.items()}


def points_around(network: Network, seed: int, radius: float, magnitude: float) -> tuple[Box, np.ndarray]:  # type: ignore[type-arg]
    """A box around a random centre, and float32 points of it."""
    rng = np.random.default_rng(seed)
    shape = network.graph.input_shape
    centre = (magnitude * rng.normal(size=shape)).astype(np.float32).astype(np.float64)
    lower, upper = (centre + sign * radius * magnitude for sign in (-1, 1))
    share = rng.uniform(-0.3, 1.3, size=(200, *shape)).clip(0, 1)
    share[:20] = share[:20].round()
    points = (lower + (upper - lower) * share).astype(np.float32)
    inward = np.where((points >= lower) & (points <= upper), points, centre.astype(np.float32))
    return Box(torch.from_numpy(lower[None]), torch.from_numpy(upper[None])), inward


def error_in(network: Network, box: Box) -> np.ndarray:  # type: ignore[type-arg]
    bounds = bound_regions("linear", network.graph, box, never)
    return evaluation_error(bounds.linearised, never)[0].numpy()


@pytest.mark.parametrize("name", list(NETS))
@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    radius=st.sampled_from([0.0, 1e-3, 0.1, 1.0]),
    magnitude=st.sampled_from([1e-6, 1.0, 1e5]),
)
def test_measured_errors_lie_inside_the_bound(name: str, seed: int, radius: float, magnitude: float) -> None:
    """ONNX Runtime against float64, whose own error is far smaller."""
    network = OPENED[name]
    box, points = points_around(network, seed, radius, magnitude)
    bound = error_in(network, box)
    difference = np.abs(network.replayer.outputs(points).astype(np.float64) - network.exact_outputs(points))
    assert (difference.max(0) <= bound).all(), (difference.max(0) / bound).max()


@pytest.mark.parametrize("name", ["dense", "scaled"])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_any_order_of_summation_lies_inside_the_bound(name: str, seed: int) -> None:
    """Each layer's terms added one by one in float32, in a random order."""
    network, rng = OPENED[name], np.random.default_rng(seed)
    box, points = points_around(network, seed, 0.1, 1.0)
    bound = error_in(network, box)
    recipe = NETS[name]
    for point in points[:10]:
        values = point.ravel()
        for k in range(3):
            weight, bias = recipe.constants[f"w{k}"], recipe.constants[f"b{k}"]
            values = np.array([_summed(row * values, b, rng) for row, b in zip(weight, bias, strict=True)], np.float32)
            values = np.maximum(values, np.float32(0)) if k < 2 else values
        assert (np.abs(values.astype(np.float64) - network.exact_outputs(point[None])[0]) <= bound).all()


def _summed(terms: np.ndarray, bias: np.float32, rng: np.random.Generator) -> np.float32:  # type: ignore[type-arg]
    total = np.float32(0)
    for term in rng.permutation(np.append(terms, bias)):
        total = np.float32(total + term)
    return total


def test_the_bound_is_of_use() -> None:
    """Within four orders of what is measured, where the region is small: the worst case of long sums is rare."""
    for name in ("dense", "wide", "deep", "leaky", "pooled"):
        box, points = points_around(OPENED[name], 0, 1e-3, 1.0)
        outputs = OPENED[name].exact_outputs(points)
        measured = np.abs(OPENED[name].replayer.outputs(points).astype(np.float64) - outputs).max()
        bound = error_in(OPENED[name], box)
        assert bound.max() < 2e-3 * np.abs(outputs).max()
        assert bound.max() < 20_000 * measured


def test_values_beyond_float32_have_no_bound() -> None:
    network = opened(dense([3, 4, 2], 0, scale=1e30))
    box = Box(torch.full((1, 3), 1e9).double(), torch.full((1, 3), 2e9).double())
    assert np.isinf(error_in(network, box)).all()


def lead(by: float) -> Network:
    """``y0 = 1000 (x0 + ... + x9)``, ``y1`` the same less ``by``, each in three steps."""
    ones = np.full((1, 10), 1000.0, np.float32)
    constants = {"w": np.concatenate([ones, ones]), "b": np.array([0.0, -by], np.float32)}
    return opened(Recipe((10,), [helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1)], constants))


def region(low: float, high: float, features: int = 10) -> Region:
    lower, upper = Fraction(low), Fraction(high)
    middle = ((lower + upper) / 2,) * features
    return Region((lower,) * features, (upper,) * features, middle, (Fraction(1),) * features)


def around(centre: np.ndarray, radius: float) -> Region:  # type: ignore[type-arg]
    middle = tuple(map(Fraction, centre.astype(np.float32).tolist()))
    lower, upper = (tuple(c + sign * Fraction(radius) for c in middle) for sign in (-1, 1))
    return Region(lower, upper, middle, (Fraction(1),) * len(middle))


def ahead(first: int, second: int) -> Avoid:
    """``y_first > y_second``, as a set of points to avoid."""
    terms = (Term(second, Fraction(1)), Term(first, Fraction(-1)))
    return Avoid(((Comparison(terms, Fraction(0), strict=False),),))


def answered(network: Network, where: Region, *properties: Property, **options: object) -> Answer:
    answers: list[Answer] = []
    verify(network, [Problem(0, where, properties)], Settings(20.0, keep, **options), answers.append)  # type: ignore[arg-type]
    return answers[0]


@pytest.mark.parametrize("prop", [Within((0,)), ahead(0, 1)])
@pytest.mark.parametrize("domain", [None, "interval", "linear", "zonotope"])
def test_a_margin_below_the_error_is_hidden_by_rounding(prop: Property, domain: str | None) -> None:
    where = region(0.3, 0.4)
    outcome = answered(lead(1e-3), where, prop, domain="linear").outcomes[0]
    assert outcome.verdict == Valid()
    outcome = answered(lead(1e-3), where, prop, domain=domain, deployment=Deployment.FLOAT32).outcomes[0]
    assert outcome.verdict == Unknown("rounding")
    if domain != "interval":
        found = answered(lead(10.0), where, prop, domain=domain, deployment=Deployment.FLOAT32).outcomes[0]
        assert found.verdict == Valid()
        assert found.margin is not None
        assert 9.0 < found.margin < 10.0


def test_a_witness_is_one_either_way() -> None:
    outcome = answered(lead(-5.0), region(0.3, 0.4), Within((0,)), deployment=Deployment.FLOAT32).outcomes[0]
    assert isinstance(outcome.verdict, Invalid)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), radius=st.sampled_from([0.02, 0.1, 0.3]))
def test_what_is_valid_deployed_is_valid_over_the_reals(seed: int, radius: float) -> None:
    """Never the other way round; and no float32 output at any point contradicts it."""
    network = OPENED["dense"]
    rng = np.random.default_rng(seed)
    where = around(rng.normal(size=6), radius)
    groups = (Within((0,)), Within((0, 1)), Within((1, 2, 3)))
    deployed = answered(network, where, *groups, deployment=Deployment.FLOAT32)
    real = answered(network, where, *groups)
    for ours, theirs in zip(deployed.outcomes, real.outcomes, strict=True):
        if ours.verdict == Valid():
            assert theirs.verdict == Valid()
            assert ours.margin is not None
    assert set(deployed.impossible) <= set(range(4))


def test_parts_leave_room() -> None:
    """What linear bounds leave open is proven by taking the region apart, with the same room."""
    rng = np.random.default_rng(0)
    network, steps = OPENED["deep"], []
    for _ in range(8):
        where = around(rng.normal(size=4), 0.6)
        outputs = network.exact_outputs(where.centre32()[None])[0]
        groups = Within((int(outputs.argmax()),)), Within(tuple(outputs.argsort()[1:].tolist()))
        found = answered(network, where, *groups, deployment=Deployment.FLOAT32)
        steps += [outcome.step for outcome in found.outcomes if outcome.verdict == Valid()]
    assert {"split", "branch"} & set(steps)


def test_operators_without_a_bound_are_refused() -> None:
    with pytest.raises(UserError, match="BatchNormalization"):
        answered(opened(residual(0)), region(0.0, 0.1, 36), Within((0,)), deployment=Deployment.FLOAT32)
    softmax = Recipe((3,), [helper.make_node("Softmax", ["x"], ["y"], axis=1)], {})
    with pytest.raises(UserError, match=r"float32 of .*has no bound"):
        answered(opened(softmax), region(0.0, 0.1, 3), Within((0,)), deployment=Deployment.FLOAT32)
    nodes = [helper.make_node("Exp", ["c"], ["e"]), helper.make_node("Add", ["x", "e"], ["y"])]
    folded = Recipe((3,), nodes, {"c": numbers(3)})
    with pytest.raises(UserError, match="computes Exp of constants"):
        answered(opened(folded), region(0.0, 0.1, 3), Within((0,)), deployment=Deployment.FLOAT32)
