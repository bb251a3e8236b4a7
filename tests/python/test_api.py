"""The prover from Python: exact regions, typed results, messages for mistakes; the README's example."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
import warnings
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest
import torch

import pyprover
from pyprover import InputBox, Network, Status, UserError, ball, box, normalized, verify

F = Fraction
ROOT = Path(__file__).resolve().parents[2]

# Three classes: x_0, x_1, and 1 - x_0 - x_1.
NETWORK = """<ir_version: 8, opset_import: ["": 13]>
three (float[1,2] x) => (float[1,3] y) <float[3,2] w = {1,0, 0,1, -1,-1}, float[3] b = {0,0,1}> {
    h = Gemm<transB=1>(x, w, b)
    y = Relu(h)
}"""


@pytest.fixture
def network(tmp_path: Path) -> Path:
    onnx.save(onnx.parser.parse_model(NETWORK), tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


def test_valid(network: Path) -> None:
    result = verify(network, ball([0.75, 0.25], 0.125), {0}, time_limit=60)
    assert result.status is Status.VALID
    assert result.margin is not None
    assert 0 < result.margin <= 0.25
    assert (result.proven, result.severity, result.counterexample, result.centre) == (0, None, None, (0,))


def test_single_precision_needs_room(network: Path) -> None:
    """A margin of some 1e-9 is enough over the reals, and less than what float32 rounds away."""
    region = ball([0.75, 0.25], "0.249999999")
    assert verify(network, region, {0}).status is Status.VALID
    assert verify(network, region, {0}, deployment="float32").status is Status.UNKNOWN
    assert verify(network, ball([0.75, 0.25], "0.2"), {0}, deployment="float32").status is Status.VALID
    with pytest.raises(UserError, match="'int8' is no deployment"):
        verify(network, region, {0}, deployment="int8")


def test_a_chain(network: Path) -> None:
    """The counterexample is of the coarsest set that is left."""
    region = ball([0.5, 0.4375], "1/8")
    result = verify(str(network), region, [{0}, {0, 1}, {0, 1, 2}])
    assert [link.status for link in result.links] == [Status.INVALID, Status.VALID, Status.VALID]
    assert (result.severity, result.proven, result.status) == (0, 1, Status.INVALID)
    found = result.counterexample
    assert found is not None
    assert found.classes == (1,)
    assert (found.point.dtype, found.point.shape) == (np.float32, (2,))
    (outputs,) = onnxruntime.InferenceSession(network).run(None, {"x": found.point[None]})[0]
    assert outputs.tolist() == found.outputs.tolist()
    assert found.margin == pytest.approx(outputs[1] - outputs[0])
    assert found.distance <= 0.125
    assert all(
        low <= F(float(v)) <= high
        for low, v, high in zip(region.region.lower, found.point, region.region.upper, strict=True)
    )


def test_severity_counts_from_the_finest(network: Path) -> None:
    result = verify(network, box([0.0, 0.0], [1.0, 1.0]), [{0}, {0, 1}])
    assert [link.status for link in result.links] == [Status.INVALID, Status.INVALID]
    assert result.severity == 1
    assert result.counterexample is not None
    assert result.counterexample.classes == (2,)


def test_several_regions_and_an_opened_network(network: Path) -> None:
    opened = Network.open(str(network))
    results = verify(opened, [ball([0.75, 0.25], 0.1), ball([0.25, 0.75], 0.1)], [{0}, [{0}, {0, 1}]], seed=3)
    assert [result.status for result in results] == [Status.VALID, Status.INVALID]
    assert [len(result.links) for result in results] == [1, 2]
    assert verify(opened, [], []) == []


def test_one_domain(network: Path) -> None:
    (link,) = verify(network, ball([0.75, 0.25], 0.125), {0}, domain="interval").links
    assert (link.status, link.step) == (Status.VALID, "interval")


def test_a_region_that_touches_a_tie(network: Path) -> None:
    (link,) = verify(network, box([0.5, 0.25], [0.75, 0.5]), {0}, time_limit=5).links
    assert link.status in (Status.UNKNOWN, Status.TIMEOUT)
    assert (link.status is Status.UNKNOWN) == (link.reason is not None)


def test_what_torch_exports(tmp_path: Path) -> None:
    layer = torch.nn.Linear(2, 2)
    torch.nn.init.eye_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about itself
        program = torch.onnx.export(layer, (torch.zeros(1, 2),), dynamo=True, verbose=False)
    assert program is not None
    assert verify(program, ball([1, 0], "0.25"), {0}).status is Status.VALID


def test_numbers_are_exact() -> None:
    region = ball(np.array([[0.1, 0.5]], np.float32), "1/3", lower=0, upper="0.8").region
    tenth = F(float(np.float32(0.1)))
    assert region.lower == (F(0), F(1, 6))
    assert region.upper == (tenth + F(1, 3), F(4, 5))
    assert region.centre == (tenth, F(1, 2))
    assert box([0, 1], [np.int8(1), F(1)]).region.upper == (1, 1)


def test_normalized_channels() -> None:
    data = ball(np.full((2, 1, 2), 0.5), 0.25)
    region = normalized(data, mean=["0.5", 0.25], std=[F(1, 4), 2])
    assert region.shape == (2, 1, 2)
    assert region.region.lower == (-1, -1, 0, 0)
    assert region.region.upper == (1, 1, F(1, 4), F(1, 4))
    assert region.region.scale == (F(1, 4), F(1, 4), 2, 2)
    assert normalized(data, [0], [1]).region == data.region


def good(count: int = 2) -> InputBox:
    return ball([0.0] * count, 1)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda net: verify(net, good(3), {0}), "the samples have shape"),
        (lambda net: verify(net, good(), {7}), "output 7 does not exist"),
        (lambda net: verify(net, good(), [{0, 1}, {1}]), "the sets of a chain must grow"),
        (lambda net: verify(net, good(), []), "allowed is a set of classes"),
        (lambda net: verify(net, good(), [0, 1]), "allowed is a set of classes"),
        (lambda net: verify(net, good(), 1), "allowed is a set of classes"),
        (lambda net: verify(net, good(), {"a"}), "classes are integers"),
        (lambda net: verify(net, [good()], [{0}, {1}]), "1 regions, but 2 entries of allowed"),
        (lambda net: verify(net, good(), {0}, time_limit=0), "it must be positive"),
        (lambda net: verify(net, good(), {0}, domain="octagon"), "unknown domain 'octagon'"),
        (lambda net: verify("no.onnx", good(), {0}), "no.onnx"),
        (lambda _: ball([0.0], -1), "must not be negative"),
        (lambda _: ball([float("nan")], 1), "nan is not a finite number"),
        (lambda _: ball([0.0], float("inf")), "inf is not a finite number"),
        (lambda _: ball([0.0], "wide"), "'wide' is not a finite number"),
        (lambda _: ball(["a"], 1), "numbers are needed"),
        (lambda _: ball([0.0], 1e39), "beyond the range of float32"),
        (lambda _: box([0.0], [1.0, 2.0]), "they must have one shape"),
        (lambda _: normalized(good(), [0, 0, 0], [1]), "the normalisation has mean and std of lengths"),
        (lambda _: normalized(good(), [0], [0]), "a std that is not positive"),
    ],
)
def test_mistakes(network: Path, call: Any, words: str) -> None:
    with pytest.raises(UserError) as caught:
        call(network)
    assert words in caught.value.message


def test_an_empty_region_holds_no_counterexample(network: Path) -> None:
    (link,) = verify(network, box([1.0, 0.0], [0.0, 1.0]), {0}).links
    assert (link.status, link.step) == (Status.VALID, "empty")


def test_the_package_is_light_until_it_is_used() -> None:
    code = "import sys, pyprover; print('torch' in sys.modules, 'numpy' in sys.modules, callable(pyprover.ball))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "False False True\n"


def test_exported_names_exist() -> None:
    assert all(getattr(pyprover, name) is not None for name in pyprover.__all__)
    stub = (ROOT / "pyprover/__init__.pyi").read_text()
    assert sorted(re.findall(r" as (\w+)$", stub, re.MULTILINE)) == sorted(pyprover.__all__)
    with pytest.raises(AttributeError, match="no attribute 'prove'"):
        pyprover.__getattr__("prove")


def test_the_example_of_the_readme(monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"^```pycon\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(ROOT)
    test = doctest.DocTestParser().get_doctest(example, {}, "README", "README.md", 0)
    assert len(test.examples) >= 8
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    said: list[str] = []
    runner.run(test, out=said.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)


def test_resources(network: Path, tmp_path: Path) -> None:
    """What zonotopes may use, and how they used it."""
    region = ball([0.75, 0.25], 0.125)
    whole = verify(network, region, {0}, domain="zonotope", memory_limit=64 << 30, noise_directory=tmp_path)
    few = verify(network, region, {0}, domain="zonotope", noise_symbols=1)
    assert whole.margin is not None
    assert few.margin is not None
    assert few.margin < whole.margin + 1e-9
    assert (whole.noise["zonotope"].storage, whole.noise["zonotope"].boxed) == ("dense", 0.0)
    assert few.noise["zonotope"].symbols == 1
    assert 0 < few.noise["zonotope"].boxed < 1
    assert not verify(network, region, {0}, domain="linear").noise
    with pytest.raises(UserError, match="cannot be kept"):
        verify(network, region, {0}, noise_directory=tmp_path / "nowhere")
