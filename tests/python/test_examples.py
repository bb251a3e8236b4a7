"""The examples' files agree with one another, and their scripts run."""

import csv
import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from pyprover.hierarchy.reader import read_file
from pyprover.train.config import read_config, table_of
from pyprover.train.export import runtime_outputs
from pyprover.train.levels import levels_of
from pyprover.train.study.config import read_study

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SIGNS = EXAMPLES / "traffic_signs"
CIFAR10 = EXAMPLES / "cifar10"


def run_script(script: Path, *arguments: str) -> str:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "COLUMNS": "120"}
    done = subprocess.run(
        [sys.executable, str(script), *arguments], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def classes(hierarchy: Path) -> list[str]:
    """The classes of a `.hier` file by output index."""
    found = {int(index): name for name, index in re.findall(r"class (\w+) = (\d+)", hierarchy.read_text())}
    assert sorted(found) == list(range(len(found)))
    return [found[index] for index in sorted(found)]


def test_the_sign_hierarchy_names_the_classes_of_the_pictures() -> None:
    with np.load(SIGNS / "signs_test.npz") as archive:
        assert classes(SIGNS / "signs.hier") == list(archive["class_names"])
        assert archive["images"].dtype == np.uint8
        assert archive["images"].shape[1:] == (32, 32, 3)
        assert set(np.bincount(archive["labels"])) == {4}


def test_the_sign_pictures_are_those_that_the_script_draws(tmp_path: Path) -> None:
    run_script(SIGNS / "generate.py", "--output", str(tmp_path / "again.npz"), "--sheet", str(tmp_path / "sheet.png"))
    with np.load(SIGNS / "signs_test.npz") as kept, np.load(tmp_path / "again.npz") as again:
        for name in ("images", "labels", "class_names"):
            assert np.array_equal(kept[name], again[name])
    assert (tmp_path / "sheet.png").stat().st_size > 0


def accuracy(network: Path, images: np.ndarray, labels: np.ndarray) -> float:
    pixels = images.transpose(0, 3, 1, 2).astype(np.float32) / 255
    return float((runtime_outputs(network, pixels).argmax(1) == labels).mean())


def stated_accuracy(page: Path) -> float:
    """The figure after "Clean accuracy of the ONNX file" in a README, per cent."""
    found = re.search(r"Clean accuracy of the ONNX file[^:]*:\s*\**([0-9.]+) %", page.read_text())
    assert found, f"{page} states no clean accuracy"
    return float(found.group(1))


def test_the_sign_network_has_the_accuracy_that_its_page_states() -> None:
    with np.load(SIGNS / "signs_test.npz") as archive:
        measured = accuracy(SIGNS / "signs.onnx", archive["images"], archive["labels"])
    assert 100 * measured == pytest.approx(stated_accuracy(SIGNS / "README.md"), abs=0.06)


@pytest.mark.data("cifar10_test.npz")
def test_the_cifar10_network_has_the_accuracy_that_its_page_states(data_dir: Path) -> None:
    with np.load(data_dir / "cifar10_test.npz") as archive:
        assert classes(CIFAR10 / "cifar10.hier") == list(archive["class_names"])
        measured = accuracy(CIFAR10 / "cifar10.onnx", archive["images"], archive["labels"])
    assert 100 * measured == pytest.approx(stated_accuracy(CIFAR10 / "README.md"), abs=0.006)


@pytest.mark.slow
def test_the_sign_network_can_be_trained(tmp_path: Path) -> None:
    assert "ONNX Runtime within" in run_script(SIGNS / "train.py", "--quick", "--output", str(tmp_path / "signs.onnx"))
    assert runtime_outputs(tmp_path / "signs.onnx", np.zeros((2, 3, 32, 32), np.float32)).shape == (2, 17)


TRAINED = (
    ("cifar10/train.toml", "levels", "cifar10/cifar10.onnx"),
    ("cifar100/train.toml", "sabr", "cifar100/cifar100.onnx"),
    ("mnist/near.toml", "sabr", "mnist/mnist-near.onnx"),
    ("mnist/far.toml", "ibp", "mnist/mnist-far.onnx"),
)


@pytest.mark.parametrize(("training", "recipe", "network"), TRAINED, ids=lambda name: name.split("/")[-1])
def test_networks_are_those_of_their_cards_and_training_files(training: str, recipe: str, network: str) -> None:
    config = read_config(EXAMPLES / training, recipe, {})
    card = json.loads((EXAMPLES / network).with_suffix(".card.json").read_text())["training"]
    assert card["config"] == table_of(config)
    assert card["network"]["digest"] == hashlib.sha256((EXAMPLES / network).read_bytes()).hexdigest()
    assert {"held_out", "test"} == set(card["figures"])
    if config.hierarchy:
        tree = read_file((EXAMPLES / training).parent / config.hierarchy)
        assert set(config.recipe.build().levels) <= set(levels_of(tree)) == set(card["figures"]["test"]["levels"])


@pytest.mark.data("mnist_test.npz", "cifar100_test.npz", "fashion_mnist_test.npz")
def test_hierarchies_name_the_classes_of_their_data(data_dir: Path) -> None:
    for hierarchy, data in (
        ("mnist/digits.hier", "mnist_test.npz"),
        ("cifar100/cifar100.hier", "cifar100_test.npz"),
        ("study_fashion_mnist/fashion_mnist.hier", "fashion_mnist_test.npz"),
    ):
        tree = read_file(EXAMPLES / hierarchy)
        with np.load(data_dir / data) as archive:
            named = {min(tree.nodes[leaf].extension): tree.nodes[leaf].name for leaf in tree.leaves}
            assert [named[index] for index in range(len(named))] == archive["class_names"].tolist()


@pytest.mark.parametrize("study", ["study_fashion_mnist", "study_cifar10"])
def test_studies_can_be_read_and_their_tables_are_of_them(study: str) -> None:
    asked = read_study(EXAMPLES / study / "study.toml")
    with (EXAMPLES / study / "results/study.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    levels = levels_of(read_file(asked.hierarchy))
    wanted = product(asked.recipes, map(str, asked.asked.seeds), map(str, asked.asked.radii), levels)
    assert {(r["label"], r["seed"], r["radius"], r["level"]) for r in rows} == set(wanted)
    for row in rows:
        card = EXAMPLES / study / f"results/cells/{row['label']}-seed{row['seed']}/net.card.json"
        entry = json.loads(card.read_text())["training"]
        assert entry["config"] == table_of(replace(asked.recipes[row["label"]], seed=int(row["seed"])))
        assert float(row["accuracy"]) == pytest.approx(entry["figures"]["test"]["levels"][row["level"]]["answers"])
