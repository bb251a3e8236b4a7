"""The command line: what it prints, and what it says about mistakes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.python.prover_process import run, write_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(tmp_path)


def test_describe(folder: Path) -> None:
    path = str(folder / "columns.onnx")
    (folder / "columns.card.json").write_text('{"normalization": {"mean": ["0.5"], "std": ["0.25"]}}')
    described = json.loads(run("describe", path, "--json").stdout)
    assert described["input_shape"] == [1, 2, 2]
    assert (described["outputs"], described["neurons"], described["opset"]) == (3, 2, 13)
    assert {"name": "Gemm", "count": 2} in described["operators"]
    assert described["normalization_source"] == str(folder / "columns.card.json")
    assert "input shape    1 x 2 x 2\n" in run("describe", path).stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "required: COMMAND"),
        (["prove"], "invalid choice: 'prove'"),
        (["describe", "$DIR/no.onnx"], "no.onnx"),
        (["replay", "$DIR/columns.onnx", "$DIR/no.npy"], "is not an array that can be read"),
        (["replay", "$DIR/columns.onnx", "$DIR/test.npz"], "is an archive, the network takes float32 [1, 2, 2]"),
        (["replay", "$DIR/columns.onnx", "$DIR/flat.npy"], "is float32 [4], the network takes float32 [1, 2, 2]"),
        (["replay", "$DIR/columns.onnx", "$DIR/double.npy"], "is float64 [1, 2, 2]"),
    ],
)
def test_mistakes_on_the_command_line(folder: Path, arguments: list[str], words: str) -> None:
    np.save(folder / "flat.npy", np.zeros(4, np.float32))
    np.save(folder / "double.npy", np.zeros((1, 2, 2)))
    result = run(*(argument.replace("$DIR", str(folder)) for argument in arguments))
    assert result.status == 3
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_help_and_operators() -> None:
    assert "examples:" in run("--help").stdout
    assert {"Conv", "Gemm", "Relu"} <= set(run("operators").stdout.split())


def test_a_reader_that_leaves_early_is_no_mistake() -> None:
    """As `| head` does: the pipe has no reader before anything is written."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "pyprover", "operators"]
    run = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (run.returncode, run.stderr) == (0, "")
