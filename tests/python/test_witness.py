"""The witness check: what is not a strict violation inside the region is rejected, however close."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from pyprover.errors import UserError
from pyprover.query import Avoid, Comparison, Property, Term, Within
from pyprover.region import Region
from pyprover.witness import Checked, Rejected, Replayer, maximisers

F = Fraction


def save_linear(
    path: Path,
    weights: NDArray[np.float32],
    bias: NDArray[np.float32],
    batch: int | str = 1,
    axes: tuple[int, ...] = (),
) -> str:
    """Write the network ``x -> weights x + bias`` (outputs, inputs), its input reshaped from ``axes``."""
    outputs, inputs = weights.shape
    nodes = [
        helper.make_node("Flatten", ["x"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["y"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, *(axes or (inputs,))])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, outputs])],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(bias, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
    return str(path)


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Replayer:
    """Three inputs that are the outputs."""
    path = tmp_path_factory.mktemp("nets") / "identity.onnx"
    return Replayer(save_linear(path, np.eye(3, dtype=np.float32), np.zeros(3, np.float32)))


def box(low: Fraction, high: Fraction, strict: bool = False) -> Region:
    every = frozenset(range(3)) if strict else frozenset()
    middle = (low + high) / 2
    return Region((low,) * 3, (high,) * 3, (middle,) * 3, (F(1),) * 3, every, every)


def point(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def difference(first: int, second: int, strict: bool = False) -> Comparison:
    return Comparison((Term(first, F(1)), Term(second, F(-1))), F(0), strict)


UNIT = box(F(0), F(1))


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    ("prop", "values", "expected"),
    [
        (Within((0,)), (0.25, 0.75, 0.5), 0.5),
        (Within((0, 2)), (0.25, 0.75, 0.5), 0.25),
        (Within((1,)), (0.25, 0.75, 0.5), "not violated"),
        (Within((0, 1, 2)), (0.25, 0.75, 0.5), "not violated"),
        (Within((0,)), (0.75, 0.75, 0.5), "tie"),
        (Within((0,)), (0.75, 0.75 - 2**-24, 0.5), "not violated"),
        (Within((0,)), (0.75, 0.75 + 2**-23, 0.5), 2**-23),
    ],
)
def test_within(
    identity: Replayer, prop: Property, values: tuple[float, ...], expected: float | str, strict: bool
) -> None:
    result = identity.check(box(F(0), F(1), strict), prop, point(*values))
    if isinstance(expected, str):
        assert result == Rejected(expected)
    else:
        assert isinstance(result, Checked)
        assert result.margin == expected
        assert result.classes == (1,)


@pytest.mark.parametrize("strict", [False, True])
def test_avoid(identity: Replayer, strict: bool) -> None:
    conjunction = (difference(1, 0, strict), difference(2, 0, strict))
    prop = Avoid((conjunction, (difference(0, 1), difference(0, 2))))
    assert identity.check(UNIT, prop, point(0.25, 0.75, 0.5)) == Checked((1,), 0.25, 0.25, centre=False)
    assert identity.check(UNIT, prop, point(0.5, 0.75, 0.5)) == Rejected("tie")
    assert identity.check(UNIT, prop, point(0.5, 0.75, 0.25)) == Rejected("not violated")
    assert identity.check(UNIT, Avoid(()), point(0.5, 0.75, 0.25)) == Rejected("not violated")


def test_comparisons_are_exact(identity: Replayer) -> None:
    third = Avoid(((Comparison((Term(0, F(1)),), F(-1, 3), strict=False),),))
    above = np.nextafter(np.float32(1 / 3), np.float32(0))
    assert F(float(np.float32(1 / 3))) > F(1, 3) > F(float(above))
    assert isinstance(identity.check(UNIT, third, point(np.float32(1 / 3), 0, 0)), Checked)
    assert identity.check(UNIT, third, point(above, 0, 0)) == Rejected("not violated")


@settings(max_examples=60)
@given(
    st.fractions(min_value=0, max_value=1),
    st.fractions(min_value=0, max_value=1),
    st.booleans(),
    st.integers(0, 2),
    st.booleans(),
)
def test_one_step_outside_is_outside(
    identity: Replayer, low: Fraction, high: Fraction, strict: bool, index: int, upwards: bool
) -> None:
    region = box(min(low, high), max(low, high), strict)
    inner = region.inward()
    if inner is None:
        return
    corner = inner[upwards].copy()
    prop = Within((3,))  # no output is allowed: every point of the region violates it
    assert isinstance(identity.check(region, prop, corner), Checked)
    corner[index] = np.nextafter(corner[index], np.float32(9 if upwards else -9))
    assert identity.check(region, prop, corner) == Rejected("outside")


@pytest.mark.parametrize("bound", [0.25, 0.75])
def test_a_strict_bound_itself_is_outside(identity: Replayer, bound: float) -> None:
    at_bound = point(0.5, 0.5, bound)
    prop = Within((3,))
    assert isinstance(identity.check(box(F(1, 4), F(3, 4)), prop, at_bound), Checked)
    assert identity.check(box(F(1, 4), F(3, 4), strict=True), prop, at_bound) == Rejected("outside")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_rejected(identity: Replayer, value: float) -> None:
    assert identity.check(UNIT, Within((0,)), point(0.25, value, 0.5)) == Rejected("not finite")


def test_outputs_that_are_not_finite_are_rejected(tmp_path: Path) -> None:
    huge = np.full((2, 1), 3e38, np.float32)
    replayer = Replayer(save_linear(tmp_path / "huge.onnx", huge, np.array([0, 3e38], np.float32)))
    region = Region((F(0),), (F(9),), (F(0),), (F(1),))
    assert replayer.check(region, Within((0,)), point(4)) == Rejected("not finite")


@pytest.mark.parametrize("wrong", [np.zeros(3), np.zeros((1, 3), np.float32), np.zeros(2, np.float32)])
def test_other_shapes_and_types_are_rejected(identity: Replayer, wrong: NDArray[np.float32]) -> None:
    result = identity.check(UNIT, Within((0,)), wrong)
    assert isinstance(result, Rejected)
    assert str(wrong.dtype) in result.reason


def test_the_centre_is_recognised_and_distances_are_in_data_units(identity: Replayer) -> None:
    centre = (F(1, 3), F(1, 2), F(1, 5))
    region = Region((F(0),) * 3, (F(1),) * 3, centre, (F(1, 4),) * 3)
    at_centre = identity.check(region, Within((0,)), region.centre32())
    assert isinstance(at_centre, Checked)
    assert at_centre.centre
    assert 0 < at_centre.distance < 1e-7
    moved = identity.check(region, Within((0,)), point(0.25, 1.0, 0.25))
    assert moved == Checked((1,), 0.75, 0.125, centre=False)


def test_a_centre_outside_the_region_is_not_the_centre(identity: Replayer) -> None:
    region = Region((F(0),) * 3, (F(1, 4), F(1), F(1)), (F(1, 2),) * 3, (F(1),) * 3)
    result = identity.check(region, Within((0,)), region.centre32())
    assert isinstance(result, Checked)
    assert not result.centre


@pytest.mark.parametrize("batch", [1, 4, "n"])
@pytest.mark.parametrize("count", [1, 3, 4, 6])
def test_any_batch_is_run(tmp_path: Path, batch: int | str, count: int) -> None:
    rng = np.random.default_rng(0)
    weights, bias = rng.standard_normal((3, 8)).astype(np.float32), rng.standard_normal(3).astype(np.float32)
    replayer = Replayer(save_linear(tmp_path / "net.onnx", weights, bias, batch, axes=(2, 2, 2)))
    inputs = rng.standard_normal((count, 2, 2, 2)).astype(np.float32)
    outputs = replayer.outputs(inputs)
    assert outputs.shape == (count, 3)
    np.testing.assert_allclose(outputs, inputs.reshape(count, 8) @ weights.T + bias, rtol=1e-5, atol=1e-5)


def test_maximisers_are_a_set() -> None:
    assert maximisers(point(1, 2, 2)) == (1, 2)


def test_networks_that_cannot_run_are_the_users_mistake(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a network")
    for path in (broken, tmp_path / "missing.onnx"):
        with pytest.raises(UserError, match=path.name):
            Replayer(str(path))
    weights = np.eye(2, dtype=np.float32)
    with pytest.raises(UserError, match="only the batch axis may be open"):
        Replayer(save_linear(tmp_path / "open.onnx", weights, weights[0], "n", axes=(1, "k")))  # type: ignore[arg-type]
