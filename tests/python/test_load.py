"""Reading ONNX: the graph computes what ONNX Runtime computes, and what cannot be read is refused clearly."""

from __future__ import annotations

import warnings
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from pyprover.domains import interval
from pyprover.domains.base import Box
from pyprover.errors import UnsupportedOperator, UserError
from pyprover.graph import Graph
from pyprover.load import load
from pyprover.ops import OPERATORS, READERS, Conv, Dense
from tests.python.agreement import assert_agrees
from tests.python.networks import PLANE, VECTOR, ZOO, ZOO_CASES, Recipe, dense, numbers, one, residual, save

NETS = (
    "acasxu/onnx/ACASXU_run2a_1_1_batch_2000.onnx",
    "cifar10_resnet/onnx/resnet_2b.onnx",
    "eran2021/onnx/ffnnSIGMOID__Point_6x200.onnx",
    "groups/toy/toy.onnx",
    "mnist_fc/onnx/mnist-net_256x4.onnx",
    "oval21/onnx/cifar_base_kw.onnx",
    "sri_resnet_a/onnx/resnet_3b2_bn_mixup_adv_4.0_bs128_lr-1.onnx",
)


def test_zoo_has_every_operator_that_is_read() -> None:
    assert set(ZOO) == set(READERS)


def test_zoo_has_every_operator_of_the_intermediate_form(tmp_path: Path) -> None:
    graphs = [load(save(ZOO[name][k], tmp_path / "net.onnx")).graph for name, k in ZOO_CASES]
    assert {type(node.op) for graph in graphs for node in graph.nodes} == set(OPERATORS)


@pytest.mark.parametrize(("name", "k"), ZOO_CASES)
def test_operator_agrees_with_onnx_runtime(name: str, k: int, tmp_path: Path) -> None:
    assert_agrees(save(ZOO[name][k], tmp_path / "net.onnx"))


@pytest.mark.parametrize("recipe", [dense([5, 8, 3], 0), dense([5, 8, 3], 1, activation="Tanh"), residual(0)])
def test_network_agrees_with_onnx_runtime(recipe: Recipe, tmp_path: Path) -> None:
    assert_agrees(save(recipe, tmp_path / "net.onnx"))


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.data(f"nets/{name}")) for name in NETS])
def test_public_network_agrees_with_onnx_runtime(name: str, data_dir: Path) -> None:
    assert_agrees(str(data_dir / "nets" / name))


class Exported(torch.nn.Module):
    """What a torch user writes: batch normalisation, pools, a flattening by computed shapes."""

    def __init__(self) -> None:
        super().__init__()
        self.features = torch.nn.Sequential(
            torch.nn.Conv2d(2, 4, 3, padding=1),
            torch.nn.BatchNorm2d(4),
            torch.nn.ReLU(),
            torch.nn.MaxPool2d(2),
            torch.nn.Conv2d(4, 4, 3, padding="same"),
            torch.nn.LeakyReLU(0.1),
            torch.nn.Dropout(),
        )
        self.head = torch.nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.features((x - 0.5) / 0.25)
        h = h + h.sigmoid()
        h = torch.nn.functional.adaptive_avg_pool2d(h, 1)
        scores: torch.Tensor = self.head(h.view(h.size(0), -1))
        return scores


@pytest.mark.parametrize("dynamo", [False, True])
@pytest.mark.parametrize("batched", [False, True])
def test_torch_exports_agree(dynamo: bool, batched: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = str(tmp_path / "net.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        extra: dict[str, object] = {}
        if batched and dynamo:
            extra["dynamic_shapes"] = ({0: torch.export.Dim("n")},)
        elif batched:
            extra["dynamic_axes"] = {"x": {0: "n"}}
        model, x = Exported().eval(), torch.randn(2 if batched else 1, *PLANE)
        torch.onnx.export(model, (x,), path, input_names=["x"], dynamo=dynamo, verbose=False, **extra)
    assert_agrees(path)


@pytest.mark.parametrize("opset", range(7, 25))
def test_every_opset(opset: int, tmp_path: Path) -> None:
    for recipe in (dense([5, 8, 3], 0), residual(0)):
        assert_agrees(save(replace(recipe, opset=opset), tmp_path / "net.onnx"), count=1)


@pytest.mark.parametrize(("opset", "axis"), [(10, None), (13, None), (13, 1), (19, 1), (21, None)])
def test_quantised_weights(opset: int, axis: int | None, tmp_path: Path) -> None:
    frame = () if axis is None else (3,)
    constants = {
        "w": np.arange(-60, 60, 8, dtype=np.int8).reshape(5, 3),
        "scale": np.full(frame, 0.1, dtype=np.float32),
        "zero": np.full(frame, 3, dtype=np.int8),
    }
    extra = {} if axis is None else {"axis": axis}
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "scale", "zero"], ["weights"], **extra),
        helper.make_node("Mul", ["x", "weights"], ["y"]),  # ONNX Runtime makes another product of a `MatMul`
    ]
    assert_agrees(save(Recipe((5, 3), nodes, constants, opset), tmp_path / "net.onnx"))


def test_results_that_nothing_gives_are_named(tmp_path: Path) -> None:
    nodes = [helper.make_node("Dropout", ["x"], ["h", "mask"]), helper.make_node("Where", ["mask", "x", "h"], ["y"])]
    assert "'mask' is a result that is not supported" in refusal(Recipe(PLANE, nodes, {}), tmp_path).message


def test_facts_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    file = load(save(dense([5, 8, 3], 0), path))
    assert file.graph.input_shape == (5,)
    assert (file.graph.outputs, file.graph.neurons, file.parameters, file.opset) == (3, 8, 5 * 8 + 8 + 8 * 3 + 3, 13)
    assert file.operators == (("Gemm", 2), ("Relu", 1))
    assert len(file.digest) == 64
    assert load(str(path)).digest == file.digest


def test_what_does_not_reach_the_output_is_dropped(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["dead"]), helper.make_node("Neg", ["x"], ["y"])]
    assert len(load(save(Recipe(PLANE, nodes, {}), tmp_path / "net.onnx")).graph.nodes) == 2  # Neg, flattening


def test_constants_are_folded_in_float64(tmp_path: Path) -> None:
    nodes = [helper.make_node("Div", ["one", "three"], ["third"]), helper.make_node("Mul", ["x", "third"], ["y"])]
    constants = {"one": np.float32(1), "three": np.float32(3)}
    graph = load(save(Recipe((1,), nodes, constants), tmp_path / "net.onnx")).graph
    assert float(graph.forward(torch.ones(1, 1, dtype=torch.float64))) == 1 / 3


def refusal(recipe: Recipe, tmp_path: Path) -> UserError:
    with pytest.raises(UserError) as caught:
        load(save(recipe, tmp_path / "net.onnx"))
    return caught.value


def test_missing_file() -> None:
    with pytest.raises(UserError, match=r"no_such\.onnx: No such file"):
        load("no_such.onnx")


@pytest.mark.parametrize("content", [b"", b"not a network", b"\x08\x07\x12"])
def test_not_onnx(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    with pytest.raises(UserError, match="not a"):
        load(str(path))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_parameters_must_be_finite(bad: float, tmp_path: Path) -> None:
    recipe = one("Gemm", "x", "weights", shape=(2,), constants={"weights": np.array([[bad], [1]], dtype=np.float32)})
    assert "'weights' holds NaN or infinity" in refusal(recipe, tmp_path).message


def test_unknown_operator_is_named(tmp_path: Path) -> None:
    nodes = [helper.make_node("Cos", ["x"], ["y"], name="wave")]
    error = refusal(Recipe(PLANE, nodes, {}), tmp_path)
    assert isinstance(error, UnsupportedOperator)
    assert error.message == "unsupported operator Cos (opset 13) at node 'wave'"


@pytest.mark.parametrize(
    ("recipe", "detail"),
    [
        (one("Flatten", "x", axis=2), "axis = 2"),
        (one("MaxPool", "x", kernel_shape=[2, 2], pads=[0, 0, 1, 1], dilations=[2, 2]), "with dilations"),
        (one("Transpose", "x", perm=[1, 0, 2, 3]), "moves the batch axis"),
        (one("Reshape", "x", "s", constants={"s": np.array([2, 30])}), "batch axis first"),
        (one("PRelu", "c", "x", constants={"c": numbers(5)}), "must depend on the network's input"),
        (one("Div", "x", "c", constants={"c": np.zeros(5, dtype=np.float32)}), "division by zero"),
        (one("Clip", "x", min=1.0, max=0.0, opset=7), "exceeds"),
        (one("Elu", "x", alpha=-0.5), "alpha"),
        (one("Gelu", "x", approximate="tanh", opset=20), "approximate"),
        (one("PRelu", "x", "s", constants={"s": numbers(3, 1, 1)}), "(3, 1, 1)"),
        (one("Pow", "x", "e", constants={"e": np.float32(2.5)}), "exponent 2.5"),
        (one("Pow", "x", "e", constants={"e": numbers(5)}), "exponents that differ"),
        (one("MatMul", "w", "x", shape=VECTOR, constants={"w": numbers(6, 1)}), "sum over the batch axis"),
        (one("MatMul", "x", "w", shape=VECTOR, constants={"w": numbers(3, 6, 4)}), "the batch axis"),
        (one("Cast", "x", to=TensorProto.FLOAT16), "to ="),
        (one("Conv", "x", "w", shape=(2, 3, 3, 3), constants={"w": numbers(1, 2, 2, 2, 2)}), "spatial axes"),
        (one("Pad", "x", "p", mode="reflect", constants={"p": np.array([0, 0, 0, 0, 0, 0, 0, 5])}), "mode = 'reflect'"),
        (one("Pad", "x", "p", constants={"p": np.array([1, 0, 0, 0, 0, 0, 0, 0])}), "touch the batch axis"),
        (one("Add", "x", "c", constants={"c": numbers(3, 1, 6, 5)}), "does not keep the batch axis first"),
        (one("Add", "x", "c", constants={"c": numbers(4)}), "do not fit together"),
        (one("Concat", "x", "c", axis=0, constants={"c": numbers(1, 2, 6, 5)}), "axis 0 is the batch axis"),
        (one("Gather", "x", "i", axis=1, constants={"i": np.array([2])}), "index 2 is outside"),
        (one("Gather", "x", "i", axis=0, constants={"i": np.array(0)}), "axis 0 is the batch axis"),
        (one("ReduceSum", "x"), "the batch axis"),
        (one("ReduceMean", "x", axes=[0, 1]), "axis 0 is the batch axis"),
        (one("Tile", "x", "r", constants={"r": np.array([2, 1, 1, 1])}), "the batch axis would be repeated"),
        (one("Resize", "x", "", "s", constants={"s": np.float32([2, 1, 1, 1])}), "the batch axis would be resized"),
        (one("ConvTranspose", "x", "w", constants={"w": numbers(2, 1, 2, 2)}, output_shape=[90, 90]), "output_shape"),
        (one("Pow", "x", "x"), "constant"),
        (one("ReduceMax", "x"), "the batch axis"),
        (one("Softmax", "x", shape=(200,)), "over 200 values"),
    ],
)
def test_unsupported_form_is_named(recipe: Recipe, detail: str, tmp_path: Path) -> None:
    error = refusal(recipe, tmp_path)
    assert isinstance(error, UnsupportedOperator)
    assert recipe.nodes[0].op_type in error.message
    assert detail in error.message


def test_a_number_without_an_axis_is_no_operand(tmp_path: Path) -> None:
    nodes = (
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("Relu", ["mean"], ["y"], name="sign"),
    )
    error = refusal(Recipe((4,), nodes, {}), tmp_path)
    assert "Relu" in error.message
    assert "without an axis" in error.message


def test_dynamic_dimension_beside_the_batch(tmp_path: Path) -> None:
    recipe = one("Relu", "x", shape=(2, "height", 5))  # type: ignore[arg-type]
    assert "fixed dimensions" in (refusal(recipe, tmp_path).hint or "")


def test_fixed_batch(tmp_path: Path) -> None:
    relu = one("Relu", "x")
    assert "fixed batch of 4" in refusal(Recipe(relu.shape, relu.nodes, {}, batch=4), tmp_path).message


def test_several_inputs_and_outputs(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    save(one("Relu", "x"), path)
    for change, message in (("input", "has 2 \\(x, z\\)"), ("output", "has 2 \\(y, z\\)")):
        model = onnx.load(path)
        nodes = [helper.make_node("Neg", ["x"], ["z"])] if change == "output" else []
        model.graph.node.extend(nodes)
        getattr(model.graph, change).append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [1, *PLANE]))
        other = tmp_path / f"{change}.onnx"
        onnx.save(model, other)
        with pytest.raises(UserError, match=message):
            load(str(other))


def test_input_type(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    save(one("Relu", "x"), path)
    model = onnx.load(path)
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    onnx.save(model, path)
    with pytest.raises(UserError, match="DOUBLE"):
        load(str(path))


def test_old_opset(tmp_path: Path) -> None:
    relu = one("Relu", "x")
    assert "opset 6" in refusal(Recipe(relu.shape, relu.nodes, {}, opset=6), tmp_path).message


def test_missing_external_data(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    save(one("MatMul", "x", "w", constants={"w": numbers(5, 64)}), path)
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    load(str(path))
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(UserError, match="not a valid ONNX file"):
        load(str(path))


def test_external_data_counts_as_part_of_the_file(tmp_path: Path) -> None:
    """It is mapped, and read where it stands: with other numbers it is another network."""
    recipe = dense([5, 8, 3], 0)
    whole = load(save(recipe, tmp_path / "whole.onnx"))
    path, weights = tmp_path / "net.onnx", tmp_path / "weights.bin"
    onnx.save(onnx.load(whole.path), path, save_as_external_data=True, location=weights.name, size_threshold=0)
    file, point = load(str(path)), torch.rand(2, 5, dtype=torch.float64)
    assert torch.equal(file.graph.forward(point), whole.graph.forward(point))
    weights.write_bytes((2 * np.frombuffer(weights.read_bytes(), np.float32)).tobytes())
    other = load(str(path))
    assert other.digest != file.digest
    assert not torch.equal(other.graph.forward(point), whole.graph.forward(point))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize(("padding", "kernel"), [(0, 3), (1, 3), (2, 4), (3, 2)])
def test_large_convolutions_are_computed_in_strips(
    stride: int, dilation: int, padding: int, kernel: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = torch.Generator().manual_seed(kernel)
    weight, bias, x = (
        torch.randn(s, generator=generator, dtype=torch.float64) for s in ((4, 3, kernel, kernel), (4,), (2, 6, 17, 11))
    )
    op = Conv(weight, bias, (stride, 1), (padding, 1), (dilation, 1), groups=2)
    whole = op.forward(x)
    for rows in (1, 2, 3):
        monkeypatch.setattr("pyprover.ops.conv.UNFOLDED", rows * 2 * op.unfolded(whole.shape[3]))
        torch.testing.assert_close(op.forward(x), whole, rtol=1e-13, atol=1e-13)


def test_large_parameters_are_kept_as_they_are_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forward steps widen them one at a time; large matrices come in parts."""
    path = save(dense([5, 40, 3], 0), tmp_path / "net.onnx")
    wide = load(path).graph
    monkeypatch.setattr("pyprover.ops.reading.LARGE", 100)
    monkeypatch.setattr("pyprover.ops.dense._LARGEST", 150)
    file = load(path)
    stored = file.graph
    assert file.parameters == 5 * 40 + 40 + 40 * 3 + 3
    parts = [node.op for node in stored.nodes if isinstance(node.op, Dense)]
    assert [(len(op.weight), op.weight.dtype) for op in parts] == [(7, torch.float32)] * 5 + [
        (5, torch.float32),
        (3, torch.float32),
    ]
    point = torch.rand(4, 5, dtype=torch.float64)
    torch.testing.assert_close(stored.forward(point), wide.forward(point), rtol=1e-14, atol=1e-14)
    assert all(p.dtype == torch.float64 for p in parameters(stored.to(torch.float64)))
    torch.testing.assert_close(stored.to(torch.float64).forward(point), wide.forward(point), rtol=1e-14, atol=1e-14)
    box = Box(point - 0.1, point + 0.1)
    narrow, full = interval.propagate(stored, box), interval.propagate(wide, box)
    torch.testing.assert_close(narrow.lower, full.lower, rtol=1e-13, atol=1e-13)


def test_what_is_computed_is_not_kept_in_float32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyprover.ops.reading.LARGE", 1)
    nodes = [helper.make_node("Gemm", ["x", "w"], ["y"], alpha=1 / 3)]
    graph = load(save(Recipe((1,), nodes, {"w": np.array([[3]], dtype=np.float32)}), tmp_path / "net.onnx")).graph
    assert graph.forward(torch.ones(1, 1, dtype=torch.float64)).item() == 3 * float(np.float32(1 / 3))


def parameters(graph: Graph) -> list[torch.Tensor]:
    """All tensors of its operators."""
    values = [getattr(node.op, f.name) for node in graph.nodes for f in fields(node.op)]  # type: ignore[arg-type]
    return [value for value in values if isinstance(value, torch.Tensor) and value.is_floating_point()]


def test_constant_output(tmp_path: Path) -> None:
    recipe = Recipe(PLANE, [helper.make_node("Identity", ["c"], ["y"])], {"c": numbers(1, 3)})
    assert "does not depend on the input" in refusal(recipe, tmp_path).message
