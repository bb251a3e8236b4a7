"""`caisar-ext new`: what it writes runs, and what does not fit together is told, all of it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest

from tests.python.orchestrator import ROOT, needs_orchestrator, run

SIGNS = ROOT / "examples" / "traffic_signs"
CIFAR10 = ROOT / "examples" / "cifar10"

pytestmark = needs_orchestrator

THREE = """<ir_version: 8, opset_import: ["": 13]>
three (float[1,2] x) => (float[1,3] y)
<float[3,2] w = {1,0, 0,1, 0,0}, float[3] b = {0,0,0}> { y = Gemm<transB=1>(x, w, b) }"""

ODD = r"""hierarchy "(* odd" {
  group "*) pets (" { class "a \"b\" \\" = 0  class "é*" = 1 }
  class c = 2
  cut "my cut" = { "*) pets (", c }
  cut "my-cut" = { "*) pets (", c }
  never "é*" -> c
  never c -> "*) pets ("
}
"""


def new(onnx_: Path, hierarchy: Path, data: Path | str, *more: str | Path) -> subprocess.CompletedProcess[str]:
    return run("new", "--onnx", onnx_, "--hierarchy", hierarchy, "--data", data, *more)


def verified(specification: Path) -> Any:
    return json.loads(run("verify", specification, "--samples", "0:2", "--json").stdout)


def files(folder: Path, labels: list[int], names: list[str]) -> tuple[Path, Path, Path]:
    onnx.save(onnx.parser.parse_model(THREE), folder / "three.onnx")
    (folder / "odd.hier").write_text(ODD, encoding="utf-8")
    images = np.array([[0.75, 0.25], [0.25, 0.75]], np.float32)
    np.savez(folder / "two.npz", images=images, labels=np.array(labels), class_names=np.array(names))
    return folder / "three.onnx", folder / "odd.hier", folder / "two.npz"


NAMES = ['a "b" \\', "é*", "c"]


@pytest.mark.data("cifar10_test.npz")
def test_a_draft_for_cifar10_runs(tmp_path: Path) -> None:
    specification = tmp_path / "first-try.mlw"
    done = new(CIFAR10 / "cifar10.onnx", CIFAR10 / "cifar10.hier", "cifar10:test", "-o", specification)
    assert done.returncode == 0, done.stderr
    goals = verified(specification)["goals"]
    assert [(goal["theory"], goal["name"]) for goal in goals] == [("First_try", "robust"), ("First_try", "same_coarse")]


def test_a_draft_for_the_signs_runs(tmp_path: Path) -> None:
    specification = tmp_path / "signs.mlw"
    done = new(SIGNS / "signs.onnx", SIGNS / "signs.hier", SIGNS / "signs_test.npz", "-o", specification)
    assert (done.returncode, done.stderr) == (0, "")
    assert "right at 60 of the 68 samples" in specification.read_text()
    document = verified(specification)
    names = [goal["name"] for goal in document["goals"]]
    assert names == ["robust", "same_family", "same_meaning", "never_yielding_priority_road"]
    assert document["answered"] == 2


def test_a_draft_on_standard_output_has_paths_from_here(tmp_path: Path) -> None:
    arguments = ("new", "--onnx", "signs.onnx", "--hierarchy", "signs.hier", "--data", "signs_test.npz")
    done = run(*arguments, folder=SIGNS)
    assert done.returncode == 0, done.stderr
    assert 'read_dataset "signs_test.npz"' in done.stdout
    assert "theory Signs\n" in done.stdout


def test_odd_names_are_quoted(tmp_path: Path) -> None:
    done = new(*files(tmp_path, [0, 1], NAMES), "-o", tmp_path / "2 odd.mlw")
    assert (done.returncode, done.stderr) == (0, "")
    text = (tmp_path / "2 odd.mlw").read_text(encoding="utf-8")
    assert "c is never taken for * ) pets (: no goal, as no sample of test is one." in text
    document = verified(tmp_path / "2 odd.mlw")
    verdicts = {goal["name"]: goal["conclusion"]["verdict"] for goal in document["goals"]}
    expected = ["robust", "same_my_cut", "same_my_cut_2", "never_____c"]
    assert list(verdicts) == expected
    assert set(verdicts.values()) == {"Valid"}
    assert document["goals"][0]["theory"] == "T2_odd"


def test_a_network_that_is_mostly_wrong_is_told(tmp_path: Path) -> None:
    done = new(*files(tmp_path, [2, 2], NAMES))
    assert done.returncode == 0
    assert "warning: the network is right at 0 of the first 2 samples only" in done.stderr


def test_all_that_does_not_fit_is_told(tmp_path: Path) -> None:
    _, _, data = files(tmp_path, [0, 4], [*NAMES, "d", "e"])
    done = new(SIGNS / "signs.onnx", CIFAR10 / "cifar10.hier", data)
    assert (done.returncode, done.stdout) == (3, "")
    for words in (
        'the network has 17 outputs, but "cifar10" has 10 classes',
        "the dataset names 5 classes",
        "have shape 2, the network's input 3x32x32",
    ):
        assert words in done.stderr
    onnx_, odd, _ = files(tmp_path, [0, 4], [*NAMES, "d", "e"])
    assert "has the label 4, but the classes of" in new(onnx_, odd, data).stderr


def test_missing_and_present_files(tmp_path: Path) -> None:
    onnx_, odd, data = files(tmp_path, [0, 1], NAMES)
    assert "no network" in new(tmp_path / "none.onnx", odd, data).stderr
    assert "no hierarchy" in new(onnx_, tmp_path / "none.hier", data).stderr
    assert "does not exist" in new(onnx_, odd, tmp_path / "none.npz").stderr
    again = new(onnx_, odd, data, "-o", odd)
    assert again.returncode == 3
    assert "is there already" in again.stderr
    assert odd.read_text(encoding="utf-8") == ODD
