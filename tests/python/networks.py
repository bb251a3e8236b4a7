"""Small ONNX networks for tests: one for each ONNX operator that is read, and random ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

PLANE = (2, 6, 5)
VECTOR = (6,)
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Recipe:
    """Nodes and constants; the input is ``x``, the output is ``y``, without the batch axis in ``shape``."""

    shape: tuple[int, ...]
    nodes: Sequence[onnx.NodeProto]
    constants: Arrays
    opset: int = 13
    batch: int | str = 1


def save(recipe: Recipe, path: Path) -> str:
    """Write the network; the path as text."""
    graph = helper.make_graph(
        list(recipe.nodes),
        "test",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [recipe.batch, *recipe.shape])],
        [helper.make_empty_tensor_value_info("y")],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in recipe.constants.items()],
    )
    graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid(*it) for it in (("", recipe.opset), ("ai.onnx.ml", 1))], ir_version=8
    )
    model = onnx.shape_inference.infer_shapes(model)
    if not model.graph.output[0].type.tensor_type.HasField("shape"):  # a node that makes no sense
        model.graph.output[0].type.tensor_type.shape.dim.add()
    path.write_bytes(model.SerializeToString())
    return str(path)


def numbers(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def one(op: str, *operands: str, opset: int = 13, shape: tuple[int, ...] = PLANE, **rest: Any) -> Recipe:
    """One node on the input; ``constants`` among ``rest`` are its other operands, the others attributes."""
    constants: Arrays = rest.pop("constants", {})
    return Recipe(shape, [helper.make_node(op, operands, ["y"], **rest)], constants, opset)


def _ints(*values: int) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


def _plane_stats() -> Arrays:
    names = ("scale", "shift", "mean", "variance")
    return {name: np.abs(numbers(2, seed=k)) + np.float32(0.1) for k, name in enumerate(names)}


def _positive(op: str, **rest: Any) -> Recipe:
    """A function of ``|x| + 1/2``."""
    nodes = [
        helper.make_node("Abs", ["x"], ["a"]),
        helper.make_node("Add", ["a", "half"], ["p"]),
        helper.make_node(op, ["p"], ["y"], **rest),
    ]
    return Recipe(PLANE, nodes, {"half": np.float32(0.5)})


def _powers(*exponents: float) -> list[Recipe]:
    return [one("Pow", "x", "e", constants={"e": np.float32(e)}) for e in exponents]


def _conv(*shape: int, **attributes: Any) -> Recipe:
    constants = {"w": numbers(*shape), "b": numbers(shape[0], seed=1)}
    return one("Conv", "x", "w", "b", constants=constants, **attributes)


def _conv_transpose(*shape: int, **attributes: Any) -> Recipe:
    out = shape[1] * attributes.get("group", 1)
    return one("ConvTranspose", "x", "w", "b", constants={"w": numbers(*shape), "b": numbers(out)}, **attributes)


def _chain(*steps: tuple[str, list[str], dict[str, Any]], shape: tuple[int, ...] = PLANE, **rest: Any) -> Recipe:
    """Nodes one after the other; the results are ``h0``, ``h1``, ..., and ``y`` at last."""
    results = [*(f"h{k}" for k in range(len(steps) - 1)), "y"]
    nodes = [helper.make_node(op, ins, [y], **attrs) for (op, ins, attrs), y in zip(steps, results, strict=True)]
    return Recipe(shape, nodes, rest.get("constants", {}))


def _quantised(kind: type[np.integer[Any]], axis: int | None = None) -> Recipe:
    """To integers and back: one scale for all, or one for each place along an axis."""
    frame = () if axis is None else ((1, *PLANE)[axis],)
    constants: Arrays = {"s": np.abs(numbers(*frame, seed=3)) / 40 + np.float32(0.003), "z": np.full(frame, 7, kind)}
    attributes = {} if axis is None else {"axis": axis}
    steps = [(op, [x, "s", "z"], attributes) for op, x in (("QuantizeLinear", "x"), ("DequantizeLinear", "h0"))]
    return _chain(*steps, constants=constants)


def _split(*operands: str, opset: int, constants: Arrays | None = None, **attributes: Any) -> Recipe:
    """Three parts put together again in another order."""
    nodes = [
        helper.make_node("Split", ["x", *operands], ["p", "q", "r"], **attributes),
        helper.make_node("Concat", ["r", "p", "q"], ["y"], axis=attributes["axis"]),
    ]
    return Recipe(PLANE, nodes, constants or {}, opset)


_CORNERS = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
_FLOOR = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}

# For each ONNX operator that is read, networks that use it; the keys must be those of `pyprover.ops.READERS`.
ZOO: dict[str, list[Recipe]] = {
    "Abs": [one("Abs", "x")],
    "Add": [
        one("Add", "x", "c", constants={"c": numbers(2, 1, 1)}),
        one("Add", "c", "x", constants={"c": numbers(1, 2, 6, 5)}),
        Recipe(PLANE, [helper.make_node("Relu", ["x"], ["h"]), helper.make_node("Add", ["x", "h"], ["y"])], {}),
        Recipe(PLANE, [helper.make_node("Add", ["x", "x"], ["y"])], {}),
        one("Add", "x", "c", shape=(2, 1, 5), constants={"c": numbers(1, 3, 1, 6, 5)}),
        _chain(("ReduceMean", ["x"], {"axes": [2, 3]}), ("Add", ["x", "h0"], {})),
    ],
    "AveragePool": [
        one("AveragePool", "x", kernel_shape=[2, 2], strides=[2, 2]),
        one("AveragePool", "x", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        one("AveragePool", "x", kernel_shape=[3, 2], pads=[1, 0, 1, 1], count_include_pad=1),
        one("AveragePool", "x", kernel_shape=[3, 3], auto_pad="SAME_UPPER", strides=[2, 2]),
        one("AveragePool", "x", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1, opset=19),
        one("AveragePool", "x", kernel_shape=[2, 2], pads=[1, 1, 0, 1], strides=[3, 3], ceil_mode=1, opset=19),
        one("AveragePool", "x", shape=(2, 7), kernel_shape=[3], pads=[1, 0], strides=[2]),
    ],
    "BatchNormalization": [
        one("BatchNormalization", "x", "scale", "shift", "mean", "variance", constants=_plane_stats())
    ],
    "Cast": [
        one("Cast", "x", to=TensorProto.FLOAT),
        _chain(("Cast", ["x"], {"to": TensorProto.DOUBLE}), ("Cast", ["h0"], {"to": TensorProto.FLOAT})),
    ],
    "Clip": [
        one("Clip", "x", "low", "high", constants={"low": np.float32(-0.4), "high": np.float32(0.3)}),
        one("Clip", "x", "", "high", constants={"high": np.float32(0.5)}),
        one("Clip", "x", min=0.0, max=6.0, opset=7),
    ],
    "Concat": [
        one("Concat", "c", "x", "d", axis=1, constants={"c": numbers(1, 1, 6, 5), "d": numbers(1, 2, 6, 5, seed=1)}),
        _chain(("Relu", ["x"], {}), ("Concat", ["x", "c", "h0"], {"axis": -1}), constants={"c": numbers(1, 2, 6, 1)}),
        *(
            Recipe(
                PLANE,
                [helper.make_node("Relu", ["x"], ["h"]), helper.make_node("Concat", ["x", "h"], ["y"], axis=axis)],
                {},
            )
            for axis in (1, -1)
        ),
    ],
    "Conv": [
        _conv(3, 2, 3, 3),
        _conv(3, 2, 3, 2, strides=[2, 1], pads=[1, 0, 1, 0]),
        _conv(4, 1, 2, 2, group=2, dilations=[2, 1]),
        _conv(3, 2, 3, 3, pads=[0, 1, 2, 0], strides=[2, 2]),
        _conv(3, 2, 3, 3, auto_pad="SAME_UPPER", strides=[2, 2]),
        _conv(3, 2, 2, 2, auto_pad="SAME_LOWER"),
        one("Conv", "x", "w", shape=(2, 7), constants={"w": numbers(3, 2, 3)}, pads=[1, 0], strides=[2]),
        one("Conv", "x", "w", shape=(2, 7), constants={"w": numbers(4, 1, 2)}, auto_pad="SAME_LOWER", group=2),
    ],
    "ConvTranspose": [
        _conv_transpose(2, 3, 3, 3),
        _conv_transpose(2, 3, 3, 2, strides=[2, 3], pads=[1, 0, 1, 0], output_padding=[1, 2]),
        _conv_transpose(2, 2, 2, 2, group=2, dilations=[2, 1], pads=[0, 1, 2, 0]),
        _conv_transpose(2, 3, 3, 3, strides=[2, 2], auto_pad="SAME_UPPER"),
        _conv_transpose(2, 3, 3, 3, strides=[2, 2], auto_pad="SAME_LOWER"),
        _conv_transpose(2, 3, 3, 3, strides=[2, 2], output_shape=[12, 10]),
        one("ConvTranspose", "x", "w", shape=(2, 7), constants={"w": numbers(2, 3, 3)}, pads=[1, 0], strides=[2]),
    ],
    "DequantizeLinear": [
        _chain(
            ("QuantizeLinear", ["x", "s"], {}), ("DequantizeLinear", ["h0", "s"], {}), constants={"s": np.float32(0.1)}
        )
    ],
    "DepthToSpace": [one("DepthToSpace", "x", shape=(8, 2, 3), blocksize=2, mode=mode) for mode in ("DCR", "CRD")],
    "Div": [
        one("Div", "x", "c", constants={"c": numbers(6, 1)}),
        _chain(("Exp", ["x"], {}), ("Div", ["c", "h0"], {}), constants={"c": numbers(6, 1)}),
        _chain(("Softplus", ["x"], {}), ("Div", ["x", "h0"], {})),
    ],
    "Dropout": [one("Dropout", "x")],
    "Expand": [
        one("Expand", "x", "s", shape=(2, 1, 5), constants={"s": _ints(1, 1, 6, 1)}),
        one("Expand", "x", "s", constants={"s": _ints(5)}),
        one("Expand", "x", "s", shape=(2, 1), constants={"s": _ints(1, 3, 2, 4)}),
    ],
    "Elu": [one("Elu", "x", alpha=alpha) for alpha in (1.0, 0.3, 2.5)],
    "Erf": [one("Erf", "x")],
    "Exp": [one("Exp", "x")],
    "Flatten": [
        one("Flatten", "x"),
        one("Flatten", "x", axis=-3),
        one("Flatten", "x", axis=0),
        one("Flatten", "x", axis=2, shape=(1, 6, 5)),
    ],
    "Gather": [
        one("Gather", "x", "i", axis=1, constants={"i": np.array(1)}),
        one("Gather", "x", "i", axis=-1, constants={"i": _ints(4, -1, 0, 0)}),
        one("Gather", "x", "i", axis=2, constants={"i": _ints(0, 5, 2, 2).reshape(2, 2)}),
    ],
    "Gelu": [one("Gelu", "x", opset=20)],
    "Gemm": [
        one("Gemm", "x", "w", "b", shape=VECTOR, constants={"w": numbers(6, 4), "b": numbers(4)}),
        one("Gemm", "x", "w", shape=VECTOR, constants={"w": numbers(4, 6)}, transB=1, alpha=0.5),
        one("Gemm", "x", "w", "b", shape=VECTOR, constants={"w": numbers(4, 6), "b": numbers(1)}, transB=1, beta=2.0),
        _chain(
            ("Gemm", ["x", "w"], {}),
            ("Gemm", ["x", "w", "h0"], {"alpha": 2.0, "beta": 0.5}),
            shape=VECTOR,
            constants={"w": numbers(6, 4)},
        ),
    ],
    "GlobalAveragePool": [one("GlobalAveragePool", "x")],
    "GlobalMaxPool": [one("GlobalMaxPool", "x"), one("GlobalMaxPool", "x", shape=(3, 4))],
    "HardSigmoid": [one("HardSigmoid", "x"), one("HardSigmoid", "x", alpha=-1.5, beta=0.1)],
    "HardSwish": [one("HardSwish", "x", opset=14)],
    "Identity": [one("Identity", "x")],
    "LeakyRelu": [one("LeakyRelu", "x", alpha=alpha) for alpha in (0.2, -0.5, 1.0, 1.5)],
    "Log": [_positive("Log")],
    "LogSoftmax": [one("LogSoftmax", "x", axis=2), one("LogSoftmax", "x", opset=11, shape=VECTOR)],
    "MatMul": [
        one("MatMul", "x", "w", shape=VECTOR, constants={"w": numbers(6, 4)}),
        one("MatMul", "x", "w", constants={"w": numbers(5, 3)}),
        one("MatMul", "w", "x", constants={"w": numbers(4, 6)}),
        one("MatMul", "x", "w", constants={"w": numbers(5)}),
        one("MatMul", "w", "x", constants={"w": numbers(6)}),
        one("MatMul", "x", "w", constants={"w": numbers(2, 5, 3)}),
        one("MatMul", "w", "x", constants={"w": numbers(1, 2, 4, 6)}),
        one("MatMul", "x", "w", shape=(6, 5), constants={"w": numbers(1, 3, 5, 2)}),
    ],
    "Max": [
        one("Max", "x", "c", constants={"c": numbers(6, 1)}),
        _chain(
            ("Tanh", ["x"], {}), ("Max", ["x", "c", "h0", "d"], {}), constants={"c": numbers(5), "d": numbers(1, 1)}
        ),
        _chain(("ReduceMean", ["x"], {"axes": [2]}), ("Max", ["h0", "x"], {})),
        one("Max", "x"),
    ],
    "MaxPool": [
        one("MaxPool", "x", kernel_shape=[2, 2], strides=[2, 2]),
        one("MaxPool", "x", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 1]),
        one("MaxPool", "x", kernel_shape=[2, 2], dilations=[2, 2]),
        one("MaxPool", "x", kernel_shape=[2, 1], strides=[2, 2], ceil_mode=1),
        one("MaxPool", "x", shape=(2, 7), kernel_shape=[3], strides=[2]),
        one("MaxPool", "x", kernel_shape=[3, 2], strides=[2, 2], pads=[0, 1, 2, 0]),
        one("MaxPool", "x", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
        one("MaxPool", "x", kernel_shape=[3, 2], auto_pad="SAME_UPPER"),
    ],
    "Min": [
        one("Min", "c", "x", constants={"c": numbers(2, 6, 5)}),
        _chain(("Sigmoid", ["x"], {}), ("Min", ["x", "h0"], {})),
    ],
    "Mean": [_chain(("Relu", ["x"], {}), ("Mean", ["x", "h0", "c"], {}), constants={"c": numbers(5)})],
    "Mul": [
        one("Mul", "x", "c", constants={"c": numbers(2, 1, 1)}),
        one("Mul", "c", "x", constants={"c": numbers()}),
        one("Mul", "x", "x"),
        _chain(("Sigmoid", ["x"], {}), ("Mul", ["x", "h0"], {})),
        _chain(("ReduceMean", ["x"], {"axes": [2, 3]}), ("Mul", ["h0", "x"], {})),
    ],
    "Neg": [one("Neg", "x")],
    "Pad": [
        one("Pad", "x", "p", constants={"p": _ints(0, 0, 1, 2, 0, 0, 0, 1)}),
        one("Pad", "x", pads=[0, 0, 1, 2, 0, 0, 0, 1], opset=10),
        one("Pad", "x", pads=[0, 1, -1, 0, 0, 0, 2, -2], value=-0.5, opset=10),
        one("Pad", "x", "p", "v", constants={"p": _ints(0, 1, 0, 2, 0, 2, 0, 0), "v": np.float32(1.5)}),
        one("Pad", "x", "p", "", "a", constants={"p": _ints(1, 2, 0, 1), "a": _ints(1, -1)}, opset=18),
        *(
            one("Pad", "x", "p", mode=mode, constants={"p": _ints(0, 0, 1, 2, 0, 0, 3, 1)}, opset=19)
            for mode in ("reflect", "edge", "wrap")
        ),
    ],
    "PRelu": [
        one("PRelu", "x", "s", constants={"s": numbers(2, 1, 1)}),
        one("PRelu", "x", "s", constants={"s": 2 * numbers(1, 2, 6, 5)}),
    ],
    "Pow": [
        *_powers(1, 2, 3, 4, 5),
        Recipe(
            PLANE,
            [*_positive("Pow").nodes[:2], helper.make_node("Pow", ["p", "e"], ["y"])],
            {"half": np.float32(0.5), "e": np.float32(-2)},
        ),
    ],
    "QuantizeLinear": [_quantised(np.int8), _quantised(np.uint8), _quantised(np.int8, 1), _quantised(np.uint8, -1)],
    "Reciprocal": [_positive("Reciprocal")],
    "ReduceLogSumExp": [
        one("ReduceLogSumExp", "x", axes=[2, 3], keepdims=0),
        one("ReduceLogSumExp", "x", axes=[-1]),
    ],
    "ReduceMax": [
        one("ReduceMax", "x", axes=[2, -1], keepdims=0),
        one("ReduceMax", "x", axes=[1]),
        one("ReduceMax", "x", "a", constants={"a": _ints(2)}, opset=18),
    ],
    "ReduceMean": [
        one("ReduceMean", "x", axes=[2, 3], keepdims=0),
        one("ReduceMean", "x", axes=[-2, -1]),
        one("ReduceMean", "x", "a", constants={"a": _ints(1, 3)}, opset=18),
    ],
    "ReduceMin": [one("ReduceMin", "x", axes=[1, 3], keepdims=0)],
    "ReduceSum": [
        one("ReduceSum", "x", "a", constants={"a": _ints(2)}, keepdims=0),
        one("ReduceSum", "x", axes=[1, -1], opset=11),
        one("ReduceSum", "x", noop_with_empty_axes=1),
    ],
    "Relu": [one("Relu", "x")],
    "Reshape": [
        one("Reshape", "x", "s", constants={"s": _ints(1, -1)}),
        one("Reshape", "x", "s", constants={"s": _ints(-1, 12, 5)}),
        one("Reshape", "x", "s", constants={"s": _ints(0, 0, 30)}),
    ],
    "Resize": [
        one("Resize", "x", "", "s", constants={"s": np.float32([1, 1, 2, 3])}),
        one("Resize", "x", "s", constants={"s": np.float32([1, 1, 1.5, 2])}, opset=10),
        one("Resize", "x", "", "s", constants={"s": np.float32([1, 1, 2, 1.5])}, mode="linear"),
        one("Resize", "x", "", "", "s", constants={"s": _ints(1, 2, 9, 4)}, **_CORNERS),
        one("Resize", "x", "", "", "s", constants={"s": _ints(8, 5)}, axes=[2, 3], mode="cubic", opset=18),
        one("Resize", "x", "", "s", constants={"s": np.float32([1, 1, 2, 2])}, **_FLOOR),
    ],
    "Round": [one("Round", "x")],
    "Selu": [one("Selu", "x"), one("Selu", "x", alpha=0.5, gamma=-2.0)],
    "Sigmoid": [one("Sigmoid", "x")],
    "Slice": [
        one("Slice", "x", "s", "e", "a", constants={"s": _ints(1, 0), "e": _ints(3, -1), "a": _ints(2, -1)}),
        one(
            "Slice",
            "x",
            "s",
            "e",
            "a",
            "t",
            constants={"s": _ints(-1, 0), "e": _ints(-99, 99), "a": _ints(3, 2), "t": _ints(-2, 3)},
        ),
        one("Slice", "x", "s", "e", constants={"s": _ints(0, 1), "e": _ints(1, 2**62)}),
        one("Slice", "x", starts=[1, 2], ends=[2, 9], axes=[1, 2], opset=9),
    ],
    "SpaceToDepth": [one("SpaceToDepth", "x", shape=(2, 4, 6), blocksize=2)],
    "Split": [
        _split(opset=11, axis=2),
        _split(opset=11, axis=2, split=[1, 3, 2]),
        _split("s", opset=13, axis=-2, constants={"s": _ints(2, 3, 1)}),
        _split(opset=18, axis=3, num_outputs=3),
    ],
    "Sign": [one("Sign", "x")],
    "Softmax": [
        one("Softmax", "x", shape=VECTOR),
        one("Softmax", "x", axis=1),
        one("Softmax", "x", axis=-2),
        one("Softmax", "x", axis=2, opset=11),
    ],
    "Softplus": [one("Softplus", "x")],
    "Sqrt": [_positive("Sqrt")],
    "Squeeze": [
        one("Squeeze", "x", "a", shape=(1, 6, 1), constants={"a": _ints(1, -1)}),
        one("Squeeze", "x", shape=(1, 6), axes=[1], opset=11),
    ],
    "Sub": [
        one("Sub", "x", "c", constants={"c": numbers(5)}),
        one("Sub", "c", "x", constants={"c": numbers(2, 6, 5)}),
        Recipe(PLANE, [helper.make_node("Relu", ["x"], ["h"]), helper.make_node("Sub", ["x", "h"], ["y"])], {}),
    ],
    "Sum": [
        Recipe(PLANE, [helper.make_node("Relu", ["x"], ["h"]), helper.make_node("Sum", ["x", "h", "x"], ["y"])], {}),
        one("Sum", "c", "x", "d", constants={"c": numbers(5), "d": numbers(1, 2, 1, 1)}),
    ],
    "Tanh": [one("Tanh", "x")],
    "Tile": [one("Tile", "x", "r", constants={"r": _ints(1, 2, 1, 3)})],
    "Transpose": [one("Transpose", "x", perm=[0, 2, 3, 1])],
    "Unsqueeze": [
        one("Unsqueeze", "x", "a", constants={"a": _ints(1, 5)}),
        one("Unsqueeze", "x", axes=[2], opset=11),
    ],
    "Upsample": [
        one("Upsample", "x", scales=[1.0, 1.0, 2.0, 3.0], opset=7),
        one("Upsample", "x", "s", constants={"s": np.float32([1, 1, 2, 2])}, mode="linear", opset=9),
    ],
    "Where": [
        _chain(("Relu", ["x"], {}), ("Where", ["c", "x", "h0"], {}), constants={"c": numbers(2, 1, 5) > 0}),
        one("Where", "c", "x", "z", constants={"c": numbers(6, 5) > 0, "z": np.float32(-0.5)}),
        one("Where", "c", "z", "x", constants={"c": numbers(2, 1, 1) > 0, "z": numbers(1, 2, 6, 5)}),
    ],
    "ai.onnx.ml.Scaler": [
        one("Scaler", "x", shape=(3,), domain="ai.onnx.ml", offset=[0.5, -1.0, 2.0], scale=[2.0, 0.1, 1.0]),
        one("Scaler", "x", shape=(3,), domain="ai.onnx.ml", offset=[0.5], scale=[2.0]),
    ],
}
ZOO_CASES = [(name, k) for name, recipes in ZOO.items() for k in range(len(recipes))]


def dense(widths: Sequence[int], seed: int, *, activation: str = "Relu", scale: float = 1.0) -> Recipe:
    """A random fully connected network; ``widths`` from input to output."""
    rng = np.random.default_rng(seed)
    nodes, constants, value = [], {}, "x"
    last = len(widths) - 2
    for k, (width, out) in enumerate(pairwise(widths)):
        constants[f"w{k}"] = (rng.normal(size=(out, width)) * scale / np.sqrt(width)).astype(np.float32)
        constants[f"b{k}"] = (rng.normal(size=out) * 0.3).astype(np.float32)
        target = "y" if k == last else f"h{k}"
        nodes.append(helper.make_node("Gemm", [value, f"w{k}", f"b{k}"], [target], transB=1))
        if k < last:
            nodes.append(helper.make_node(activation, [target], [f"a{k}"]))
            value = f"a{k}"
    return Recipe((widths[0],), nodes, constants)


def residual(seed: int, classes: int = 4) -> Recipe:
    """A small residual network: convolutions, batch normalisation, a maximum, a skip, a dense end."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> NDArray[np.float32]:
        return (rng.normal(size=shape) / np.sqrt(max(1, np.prod(shape[1:])))).astype(np.float32)

    constants: Arrays = {
        "w0": normal(3, 1, 3, 3),
        "b0": normal(3),
        "w1": normal(3, 3, 3, 3),
        "w2": normal(3, 3, 3, 3),
        "w3": normal(classes, 3 * 3 * 3),
        "b3": normal(classes),
        **{name: np.abs(normal(3)) + np.float32(0.5) for name in ("scale", "shift", "mean", "variance")},
    }
    node: Callable[..., onnx.NodeProto] = helper.make_node
    nodes = [
        node("Conv", ["x", "w0", "b0"], ["c0"], pads=[1, 1, 1, 1]),
        node("BatchNormalization", ["c0", "scale", "shift", "mean", "variance"], ["n0"]),
        node("Relu", ["n0"], ["r0"]),
        node("Conv", ["r0", "w1"], ["c1"], pads=[1, 1, 1, 1]),
        node("Relu", ["c1"], ["r1"]),
        node("Conv", ["r1", "w2"], ["c2"], pads=[1, 1, 1, 1]),
        node("Add", ["c2", "r0"], ["s"]),
        node("Relu", ["s"], ["r2"]),
        node("MaxPool", ["r2"], ["m"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Flatten", ["m"], ["f"]),
        node("Gemm", ["f", "w3", "b3"], ["y"], transB=1),
    ]
    return Recipe((1, 6, 6), nodes, constants)


def toy() -> Recipe:
    """Two inputs in [-1, 1]: over {0, 1} against 2, no class alone can be shown to beat 2, the group can.

    f_0 = x_0, f_1 = -x_0, f_2 = 0.02 relu(x_0 + x_1) - 0.2.
    """
    constants: Arrays = {
        "w0": np.array([[1, 0], [0, 1], [1, 1]], dtype=np.float32),
        "b0": np.array([10, 10, 0], dtype=np.float32),
        "w1": np.array([[1, 0, 0], [-1, 0, 0], [0, 0, 0.02]], dtype=np.float32),
        "b1": np.array([-10, 10, -0.2], dtype=np.float32),
    }
    nodes = [
        helper.make_node("Gemm", ["x", "w0", "b0"], ["h"], transB=1),
        helper.make_node("Relu", ["h"], ["a"]),
        helper.make_node("Gemm", ["a", "w1", "b1"], ["y"], transB=1),
    ]
    return Recipe((2,), nodes, constants)
