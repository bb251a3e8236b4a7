"""Operators with random attributes: what the graph computes is what ONNX Runtime computes, and bounds contain it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import helper

from pyprover.domains.analysis import ANALYSES
from tests.python.agreement import assert_agrees
from tests.python.domain_choice import some_domains
from tests.python.networks import Recipe, numbers, one, save
from tests.python.test_domains import assert_contains, never, output_bounds, outputs_at, points_in, some_box

pytestmark = pytest.mark.usefixtures("few_steps")

Draw = st.DrawFn
sizes = st.integers(1, 6)
small = st.integers(0, 2)


def _window(draw: Draw, axes: int) -> dict[str, Any]:
    """Strides, dilations, and padding in one of its forms."""

    def each(strategy: st.SearchStrategy[int]) -> list[int]:
        return draw(st.lists(strategy, min_size=axes, max_size=axes))

    window: dict[str, Any] = {"strides": each(st.integers(1, 3)), "dilations": each(st.integers(1, 2))}
    mode = draw(st.sampled_from(["pads", "pads", "VALID", "SAME_UPPER", "SAME_LOWER"]))
    if mode == "pads":
        window["pads"] = [*each(small), *each(small)]
    else:
        window["auto_pad"] = mode
        window["dilations"] = [1] * axes  # ONNX Runtime has no rule for both
    return window


@st.composite
def convolutions(draw: Draw) -> Recipe:
    axes, groups = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    plane = [draw(st.integers(5, 7)) for _ in range(axes)]
    kernel = [draw(st.integers(1, 3)) for _ in range(axes)]
    ins, outs = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    constants = {"w": numbers(groups * outs, ins, *kernel), "b": numbers(groups * outs)}
    window = _window(draw, axes)
    return one("Conv", "x", "w", "b", shape=(groups * ins, *plane), constants=constants, group=groups, **window)


@st.composite
def transposed_convolutions(draw: Draw) -> Recipe:
    axes, groups = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    plane = [draw(st.integers(5, 6)) for _ in range(axes)]
    kernel = [draw(st.integers(1, 3)) for _ in range(axes)]
    ins, outs = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    window = _window(draw, axes)
    if "pads" in window:
        window["output_padding"] = [draw(st.integers(0, step - 1)) for step in window["strides"]]
    elif window["auto_pad"].startswith("SAME"):
        assume(all(k >= s for k, s in zip(kernel, window["strides"], strict=True)))
    constants = {"w": numbers(groups * ins, outs, *kernel), "b": numbers(groups * outs)}
    shape = (groups * ins, *plane)
    return one("ConvTranspose", "x", "w", "b", shape=shape, constants=constants, group=groups, **window)


@st.composite
def average_pools(draw: Draw) -> Recipe:
    axes = draw(st.integers(1, 2))
    plane = [draw(st.integers(5, 8)) for _ in range(axes)]
    kernel = [draw(st.integers(2, 3)) for _ in range(axes)]
    window = _window(draw, axes)
    if "pads" in window:
        window["pads"] = [min(p, k - 1) for p, k in zip(window["pads"], kernel * 2, strict=True)]
    window["count_include_pad"] = draw(st.integers(0, 1))
    window["ceil_mode"] = draw(st.integers(0, 1)) if "pads" in window else 0
    return one("AveragePool", "x", shape=(2, *plane), kernel_shape=kernel, opset=19, **window)


@st.composite
def maxima(draw: Draw) -> Recipe:
    """Windows without dilation, over padding that is narrower than they are."""
    axes = draw(st.integers(1, 2))
    plane = [draw(st.integers(4, 7)) for _ in range(axes)]
    kernel = [draw(st.integers(2, 3)) for _ in range(axes)]
    strides = [draw(st.integers(1, 3)) for _ in range(axes)]
    pads = [draw(st.integers(0, k - 1)) for k in kernel * 2]
    ceil = draw(st.integers(0, 1))
    return one("MaxPool", "x", shape=(2, *plane), kernel_shape=kernel, strides=strides, pads=pads, ceil_mode=ceil)


@st.composite
def shapes(draw: Draw, least: int = 1) -> tuple[int, ...]:
    return tuple(draw(st.lists(sizes, min_size=least, max_size=3)))


@st.composite
def slices(draw: Draw) -> Recipe:
    shape = draw(shapes())
    axes = draw(st.lists(st.integers(1, len(shape)), min_size=1, unique=True))
    starts, ends, steps = [], [], []
    for size in (shape[a - 1] for a in axes):
        first, last = draw(st.integers(0, size - 1)), draw(st.integers(0, size - 1))
        step = draw(st.integers(1, 3)) * (1 if first <= last else -1)
        starts.append(first - draw(st.sampled_from([0, size])))
        beyond = [size + 5, 2**62] if step > 0 else [-size - 5, -(2**62)]
        ends.append(draw(st.sampled_from([last + 1, *beyond] if step > 0 else [*beyond, *[last - 1] * (last > 0)])))
        steps.append(step)
    signed = [a - draw(st.sampled_from([0, len(shape) + 1])) for a in axes]
    constants = {name: np.array(v) for name, v in zip("seat", (starts, ends, signed, steps), strict=True)}
    return one("Slice", "x", "s", "e", "a", "t", shape=shape, constants=constants)


@st.composite
def gathers(draw: Draw) -> Recipe:
    shape = draw(shapes())
    axis = draw(st.integers(1, len(shape)))
    size = shape[axis - 1]
    frame = draw(st.sampled_from([(), (1,), (3,), (2, 2)]))
    indices = np.random.default_rng(draw(st.integers(0, 99))).integers(-size, size, size=frame)
    return one("Gather", "x", "i", axis=axis, shape=shape, constants={"i": np.array(indices)})


@st.composite
def splits(draw: Draw) -> Recipe:
    shape = draw(shapes())
    axis = draw(st.integers(1, len(shape)))
    size = shape[axis - 1]
    count = draw(st.integers(1, size))
    parts = [f"p{k}" for k in range(count)]
    nodes = [
        helper.make_node("Split", ["x"], parts, axis=axis, num_outputs=count),
        helper.make_node("Concat", parts[::-1], ["y"], axis=axis - len(shape) - 1),
    ]
    assume(size - (count - 1) * -(-size // count) > 0)  # no part is empty
    return Recipe(shape, nodes, {}, opset=18)


@st.composite
def pads(draw: Draw) -> Recipe:
    shape = draw(shapes())
    mode = draw(st.sampled_from(["constant", "reflect", "edge", "wrap"]))
    least = -1 if mode == "constant" else 0
    sides = []
    for _ in range(2):
        sides += [0, *(draw(st.integers(max(least, 1 - n // 2 - n % 2), min(2, n - 1))) for n in shape)]
    constants = {"p": np.array(sides), "v": np.float32(draw(st.sampled_from([0.0, -1.5])))}
    operands = ["p", "v"] if mode == "constant" else ["p"]
    return one("Pad", "x", *operands, mode=mode, shape=shape, constants=constants, opset=19)


@st.composite
def resizes(draw: Draw) -> Recipe:
    plane = [draw(st.integers(2, 5)) for _ in range(2)]
    mode = draw(st.sampled_from(["nearest", "linear", "cubic"]))
    transforms = ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"]
    attributes = {"mode": mode, "coordinate_transformation_mode": draw(st.sampled_from(transforms))}
    if mode == "nearest":
        roundings = ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]
        attributes["nearest_mode"] = draw(st.sampled_from(roundings))
    new = np.array([1, 2, *(draw(st.integers(n, 3 * n)) for n in plane)])
    return one("Resize", "x", "", "", "s", shape=(2, *plane), constants={"s": new}, **attributes)


@st.composite
def products(draw: Draw) -> Recipe:
    *front, rows, columns = shape = draw(shapes(least=2))
    width = draw(st.integers(1, 3))
    frame = [draw(st.sampled_from([1, n])) for n in front] if draw(st.booleans()) else []
    if draw(st.booleans()):
        return one("MatMul", "x", "w", shape=shape, constants={"w": numbers(*frame, columns, width)})
    return one("MatMul", "w", "x", shape=shape, constants={"w": numbers(*frame, width, rows)})


@st.composite
def reductions(draw: Draw) -> Recipe:
    shape = draw(shapes())
    axes = draw(st.lists(st.integers(1, len(shape)), min_size=1, unique=True))
    signed = [a - draw(st.sampled_from([0, len(shape) + 1])) for a in axes]
    op, keep = draw(st.sampled_from(["ReduceSum", "ReduceMean"])), draw(st.integers(0, 1))
    return one(op, "x", "a", shape=shape, constants={"a": np.array(signed)}, keepdims=keep, opset=18)


@st.composite
def broadcasts(draw: Draw) -> Recipe:
    """A value and a constant, and two values, of shapes that fit together without being equal."""
    full = draw(shapes())
    shape, other = (tuple(draw(st.sampled_from([1, n])) for n in full) for _ in range(2))
    op = draw(st.sampled_from(["Add", "Sub", "Mul", "Div"]))
    if op in ("Mul", "Div") or draw(st.booleans()):
        cut = draw(st.integers(0, len(full)))
        return one(op, "x", "c", shape=shape, constants={"c": 2 + numbers(*other[cut:]) ** 2})
    nodes = [helper.make_node("Mul", ["x", "c"], ["h"]), helper.make_node(op, ["h", "x"], ["y"])]
    return Recipe(shape, nodes, {"c": numbers(*other)})


FAMILIES: dict[str, Callable[[], st.SearchStrategy[Recipe]]] = {
    strategy.__name__: strategy
    for strategy in (
        average_pools,
        broadcasts,
        convolutions,
        gathers,
        maxima,
        pads,
        products,
        reductions,
        resizes,
        slices,
        splits,
        transposed_convolutions,
    )
}


def _fits(path: str) -> bool:
    """ONNX Runtime takes the network: what it refuses has no meaning to compare with."""
    try:
        onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common base
        return type(error).__module__.split(".")[0] != "onnxruntime"
    return True


@pytest.mark.parametrize("family", list(FAMILIES))
@settings(max_examples=20, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**31), width=st.sampled_from([0.0, 1e-3, 0.3, 10.0]))
def test_random_attributes(family: str, data: st.DataObject, seed: int, width: float) -> None:
    recipe = data.draw(FAMILIES[family]())
    with TemporaryDirectory() as folder:
        path = save(recipe, Path(folder) / "net.onnx")
        assume(_fits(path))
        graph = assert_agrees(path)
    box = some_box(graph, seed, 1.0, width)
    values = outputs_at(graph, points_in(box, seed, count=10))
    for name in some_domains(seed):
        assert_contains(output_bounds(ANALYSES[name](graph, box, never)), values)
