"""`bench/crosscheck.py` accepts right results and finds wrong ones."""

from __future__ import annotations

import gzip
import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from tests.python.networks import save, toy

ROOT = Path(__file__).resolve().parents[2]
HEADER = "network,property,answer,wall_s,cpu_s,peak_mb,limit_s,commit"

# f_0 = x_0, f_1 = -x_0, f_2 = 0.02 relu(x_0 + x_1) - 0.2: class 2 never beats both others, and often one of them
BOX = "".join(f"(assert (<= X_{k} 1.0))\n(assert (>= X_{k} -1.0))\n" for k in (0, 1))
NEVER = BOX + "(assert (>= Y_2 Y_0)) ; both\n(assert (>= Y_2 Y_1))\n"
SOMEWHERE = BOX + "(assert (or (and (>= Y_2 Y_0)) (and (>= Y_2 (+ 1.0 Y_1)))))\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A set of one network and two properties, with a counterexample to the second."""
    nets = tmp_path / "nets/toy"
    nets.mkdir(parents=True)
    path = save(toy(), nets / "toy.onnx")
    (nets / "never.vnnlib").write_text(NEVER)
    (nets / "somewhere.vnnlib.gz").write_bytes(gzip.compress(SOMEWHERE.encode()))
    point = np.array([[-0.75, 0.5]], np.float32)
    (outputs,) = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": point})
    found = [f"({letter}_{k} {v})" for letter, row in (("X", point), ("Y", outputs)) for k, v in enumerate(row[0])]
    (tmp_path / "witnesses").mkdir()
    (tmp_path / "witnesses/toy.onnx-somewhere.vnnlib.gz.txt").write_text("(" + "\n".join(found) + ")")
    return tmp_path


Check = Callable[[str, str], tuple[int, str]]


@pytest.fixture
def check(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Check:
    """Check results with these answers: the exit status and what is printed."""
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    crosscheck = importlib.import_module("crosscheck")
    monkeypatch.setattr(crosscheck, "DATA", folder / "nets")
    monkeypatch.setattr(sys, "argv", ["crosscheck", "--results", str(folder)])

    def run(never: str, somewhere: str) -> tuple[int, str]:
        rows = [f"toy.onnx,never.vnnlib,{never}", f"toy.onnx,somewhere.vnnlib.gz,{somewhere}"]
        (folder / "toy.csv").write_text("\n".join([HEADER, *(f"{row},1,1,1,1,0" for row in rows)]) + "\n")
        return crosscheck.main(), capsys.readouterr().out

    return run


def test_right_answers_pass(check: Check) -> None:
    status, printed = check("unsat", "sat")
    assert status == 0
    assert "toy" in printed


def test_a_wrong_proof_is_found(check: Check) -> None:
    status, printed = check("unsat", "unsat")
    assert status == 1
    assert "toy.onnx somewhere.vnnlib.gz: unsat: a counterexample, by" in printed


def test_a_missing_counterexample_is_found(check: Check) -> None:
    status, printed = check("sat", "unknown")
    assert status == 1
    assert "toy.onnx never.vnnlib: sat: no counterexample" in printed


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("X_0 -0.75", "X_0 0.75", "the counterexample is none"),
        ("X_1 0.5", "X_1 1.5", "the counterexample is none"),
        ("X_0 -0.75", "X_0 -0.7", "the counterexample is not in float32"),
        ("Y_0 -0.75", "Y_0 -0.7", "the outputs written are not those of ONNX Runtime"),
    ],
)
def test_a_wrong_counterexample_is_found(folder: Path, check: Check, old: str, new: str, reason: str) -> None:
    kept = folder / "witnesses/toy.onnx-somewhere.vnnlib.gz.txt"
    text = kept.read_text()
    assert old in text
    kept.write_text(text.replace(old, new))
    status, printed = check("unsat", "sat")
    assert status == 1
    assert f"toy.onnx somewhere.vnnlib.gz: sat: {reason}" in printed
