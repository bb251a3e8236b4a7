"""The command `train`: files read and refused, data by name, interruptions, cards."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
import pytest
import torch
from torch import nn

from pyprover.data.files import sha256
from pyprover.errors import UserError
from pyprover.train import run as run_module
from pyprover.train.checkpoint import Checkpoint, replace_file
from pyprover.train.config import line_of, of_table, read_config, table_of
from pyprover.train.data import read_test, read_training
from pyprover.train.loop import Job, Silent, train
from pyprover.train.networks import ARCHITECTURES, NetworkOptions, build
from pyprover.train.options import OptionError
from pyprover.train.recipes import RECIPES
from pyprover.train.recipes.base import Aim
from pyprover.train.recipes.ibp import Ibp
from pyprover.train.recipes.standard import Standard
from pyprover.train.run import Place, perform
from pyprover.train.schedule import Schedule
from pyprover.train.study.config import read_study
from tests.python.prover_process import Result, run
from tests.python.training import LEVELS, convolutional, separable

DIGITS = """data = "digits"
radius = "4/255"
[validation]
images = 100
measured = 40
[network]
layers = ["dense 16"]
[schedule]
epochs = 3
[recipe]
regularise = 0.1
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "digits.toml"
    path.write_text(DIGITS)
    return path


def command(file: Path, *more: str, recipe: str = "ibp") -> Result:
    return run("train", recipe, "--config", str(file), "--output", str(file.with_name("net.onnx")), *more)


def training(file: Path) -> dict[str, Any]:
    card: dict[str, Any] = json.loads(file.with_name("net.card.json").read_text())
    return card["training"]  # type: ignore[no-any-return]


# Files


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("epochs = 3", "epochs = 0", ":9: schedule.epochs: 0 must be at least 1"),
        ("epochs = 3", "epochs = 3.5", ":9: schedule.epochs: 3.5 is not an integer"),
        ("epochs = 3", "epochs = true", ":9: schedule.epochs: True is not an integer"),
        ("epochs = 3", "learning_rate = nan", ":9: schedule.learning_rate: nan is not a finite number"),
        ("epochs = 3", "epoch = 3", ":9: schedule.epoch: unknown option\nhint: did you mean `epochs`?"),
        ("epochs = 3", "decay_at = [0.5, 1.5]", ":9: schedule.decay_at.1: 1.5 must be at most 1"),
        ('data = "digits"', 'data = "digit"', ":1: data: digit must be one of digits, mnist"),
        ('data = "digits"\n', "", ": data: missing\nhint: training data"),
        ('"4/255"', '"4/0"', ":2: radius: '4/0' is not a number"),
        ('"4/255"', "2", ":2: radius: 2 must be at most 1"),
        ('"4/255"', "", ": Invalid value (at line 2, column 10)"),
        ("[recipe]", "[recipe]\nname = 'sabr'", ":11: recipe.name: sabr is not the recipe asked for, ibp"),
        ("regularise", "ratio", ":11: recipe.ratio: unknown option\nhint: there are clean, regularise"),
        ('"dense 16"', '"dense 16", "conv 4 3 1 1"', ":7: network.layers.1: 'conv 4 3 1 1' comes after a dense"),
        ('"dense 16"', '"conv 4 30 1 0"', ":7: network.layers.0: 'conv 4 30 1 0' does not fit"),
        ('"dense 16"', '""', ":7: network.layers.0: '' is not understood"),
        ('"dense 16"', '"dense x"', ":7: network.layers.0: 'dense x' is not understood"),
        ("images = 100", "images = 5000", "5000 images cannot be held out: digits has 1437"),
        ("[validation]", 'hierarchy = "no.hier"\n[validation]', "cannot read"),
        ("[network]", "[[network]]", ":6: network: [{'layers'"),
    ],
)
def test_mistakes_in_the_file_are_told_with_their_place(file: Path, old: str, new: str, words: str) -> None:
    assert old in DIGITS
    file.write_text(DIGITS.replace(old, new))
    result = command(file)
    assert result.status == 3
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert not file.with_name("net.onnx").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sbr", "--config", "$FILE"], "there is no recipe sbr"),
        (["ibp"], "give --config"),
        (["ibp", "--config", "$FILE.no"], "cannot read"),
        (["ibp", "--config", "$FILE", "--threads", "0"], "at least 1"),
        pytest.param(
            ["ibp", "--config", "$FILE", "--device", "cuda"],
            "torch finds no CUDA device",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is one"),
        ),
        (["ibp", "--config", "$FILE", "--output", "$FILE.no/net.onnx"], "there is no folder"),
        (["levels", "--config", "$FILE"], "recipe.levels: cut coarse needs a hierarchy"),
    ],
)
def test_mistakes_on_the_command_line(file: Path, arguments: list[str], words: str) -> None:
    if arguments[0] == "levels":
        file.write_text(DIGITS.replace("regularise = 0.1", 'levels = [{level = "cut coarse"}]'))
    result = run("train", *(argument.replace("$FILE", str(file)) for argument in arguments))
    assert result.status == 3
    assert words in result.stderr


def test_a_hierarchy_that_does_not_fit_is_told(file: Path) -> None:
    file.with_name("two.hier").write_text("hierarchy two { class a = 0  class b = 1 }")
    file.write_text('hierarchy = "two.hier"\n' + DIGITS)
    assert "two.hier has 2 classes, digits has 10" in command(file).stderr


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_configuration_is_read_back_from_its_table(recipe: str) -> None:
    table = {"data": "mnist", "radius": "1/3", "network": {"layers": ["dense 4"]}, "schedule": {"ramp_up": 2}}
    if recipe == "pruned":
        table["recipe"] = {"base": {"name": "levels", "levels": [{"level": "up 1", "factor": 2}]}}
    config = of_table(table, recipe)
    assert type(config.recipe) is RECIPES[recipe]
    assert config.radius == Fraction(1, 3)
    assert of_table(json.loads(json.dumps(table_of(config)))) == config


def test_base_recipes_are_named(file: Path) -> None:
    with pytest.raises(OptionError, match="unknown: ipb") as error:
        of_table({"data": "mnist", "radius": 0, "recipe": {"base": {"name": "ipb"}}}, "pruned")
    assert error.value.key == ("recipe", "base", "name")
    assert line_of("[recipe]\nrounds = 2\n[recipe.base]\nname = 'ipb'", error.value.key) == 4
    assert line_of("[recipe]\nbase = {name = 'ipb'}", error.value.key) == 2


def test_recipes_and_keys_are_listed() -> None:
    listed = run("train").stdout
    assert all(name in listed for name in RECIPES)
    keys = run("train", "sabr", "--options").stdout
    assert all(word in keys for word in ("ratio", "[schedule]", "learning_rate", "[recipe]", "hierarchy"))


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)])
def test_architectures_fit_images(name: str, shape: tuple[int, ...]) -> None:
    options = NetworkOptions(name=name, activation="maxmin", batch_norm=True, normalize=True)
    network = build(options, shape, 7, ([0.5] * shape[0], [0.2] * shape[0])).eval()
    assert network(torch.rand(2, *shape)).shape == (2, 7)


# Data


def test_digits_are_held_out_alike_for_all_and_never_tested_on() -> None:
    data, (test, digest) = read_training("digits", 200), read_test("digits")
    again = read_training("digits", 200)
    assert (len(data.fit), len(data.held_out), len(test)) == (1237, 200, 360)
    assert torch.equal(data.held_out.images, again.held_out.images)
    assert data.digest != digest
    rows = [set(map(tuple, part.images.flatten(1).tolist())) for part in (data.fit, data.held_out, test)]
    # A few digits were written alike by two people; apart from these the parts share nothing.
    assert max(len(rows[0] & rows[1]), len(rows[0] & rows[2]), len(rows[1] & rows[2])) <= 1
    assert float(data.fit.images.max()) == 1
    assert data.classes == 10


def archive(path: Path, classes: int, count: int, **more: Any) -> None:
    images = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    np.savez(path, images=images, labels=np.arange(count) % classes, **more)


def test_super_classes_come_with_the_data(tmp_path: Path) -> None:
    archive(tmp_path / "cifar100_train_10k.npz", 4, 20, fine_to_coarse=np.array([1, 0, 1, 0]))
    data = read_training("cifar100", 5, str(tmp_path))
    assert data.source == "cifar100:train_10k"
    assert data.levels["cut coarse"].int().tolist() == [[1, 0, 1, 0], [0, 1, 0, 1]] * 2
    assert data.fit.images.shape == (15, 3, 8, 8)
    mean, std = data.statistics()
    assert mean == pytest.approx(data.fit.pixels.mean((0, 2, 3)).tolist(), abs=6e-5)
    assert std == pytest.approx(data.fit.pixels.std((0, 2, 3), unbiased=False).tolist(), abs=6e-5)
    archive(tmp_path / "cifar100_train.npz", 4, 30)
    assert read_training("cifar100", 5, str(tmp_path)).source == "cifar100:train"


def test_data_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cifar100:train was not found"):
        read_training("cifar100", 5, str(tmp_path))


# Trainings


def test_the_command_writes_a_network_and_a_card_that_repeats_it(file: Path) -> None:
    first = command(file)
    assert first.status == 0, first.stderr
    assert "certified" in first.stdout
    assert sorted(path.name for path in file.parent.iterdir()) == ["digits.toml", "net.card.json", "net.onnx"]
    entry, digest = training(file), sha256(file.with_name("net.onnx"))
    assert entry["network"]["digest"] == digest
    assert entry["network"]["parameters"] == 64 * 16 + 16 + 16 * 10 + 10
    assert entry["network"]["relus"] == 16
    assert [row["epoch"] for row in entry["history"]] == [1, 2, 3]
    session = onnxruntime.InferenceSession(str(file.with_name("net.onnx")))
    test, _ = read_test("digits")
    answers = session.run(None, {"image": test.pixels.numpy()})[0].argmax(1)
    assert entry["figures"]["test"]["levels"]["class"]["answers"] == pytest.approx(
        (answers == test.labels.numpy()).mean()
    )
    # The card is a training file.
    file.with_name("net.onnx").unlink()
    config = of_table(entry["config"])
    assert perform(config, Place(file.with_name("net.onnx"), file.parent), Silent())["network"]["digest"] == digest


def test_what_is_done_is_not_done_again_nor_replaced(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert command(file, "--no-test").status == 0
    before = training(file)
    assert "test" not in before["figures"]

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError

    with monkeypatch.context() as patch:
        patch.setattr(run_module, "train", never)
        assert command(file, "--no-test").status == 0
    assert training(file) == before
    other = command(file, "--seed", "1")
    assert (other.status, "belongs to a training with other settings" in other.stderr) == (3, True)
    assert command(file).status == 0  # the test images alone are left to measure
    after = training(file)
    assert after["network"]["digest"] == before["network"]["digest"]
    assert after["figures"]["test"]["samples"] == 360
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "read_test", never)
        assert command(file).status == 0
    other = command(file, "--seed", "1")
    assert (other.status, "of another training" in other.stderr) == (3, True)
    assert command(file, "--seed", "1", "--restart").status == 0
    assert training(file)["network"]["digest"] != before["network"]["digest"]


def test_what_is_certified_in_the_l2_norm_stands_apart(file: Path) -> None:
    text = DIGITS.replace("[network]", '[network]\nactivation = "maxmin"').replace("regularise = 0.1", "radius = 0.1")
    file.write_text(text)
    result = command(file, recipe="lipschitz")
    assert "l2, within 0.1" in result.stdout, result.stderr
    figures = training(file)["figures"]["test"]
    assert figures["l2"]["lipschitz"] == pytest.approx(1, abs=1e-4)
    assert 0 < figures["l2"]["certified"] < figures["levels"]["class"]["natural"]


def test_a_loss_that_is_not_finite_is_one_message(file: Path) -> None:
    file.write_text(DIGITS.replace("epochs = 3", "epochs = 3\nlearning_rate = 1e30"))
    result = command(file)
    assert (result.status, "error: the loss is not finite\nhint: lower" in result.stderr) == (3, True)


def test_a_training_that_was_killed_goes_on_to_the_same_network(file: Path) -> None:
    # Parametrizations, batch statistics, Adam's moments and the random state all come back.
    text = DIGITS.replace("epochs = 3", "epochs = 12").replace("[network]", "[network]\nbatch_norm = true")
    file.write_text(
        text.replace("regularise = 0.1", 'sparsity = 0.5\nstart = 0.2\n[recipe.base]\nname = "sabr"\nsteps = 2')
    )
    output = file.with_name("net.onnx")
    arguments = ["train", "pruned", "--config", str(file), "--output", str(output)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "pyprover", *arguments], env=environment, stdout=subprocess.DEVNULL
    )
    checkpoint = output.with_suffix(".checkpoint.pt")
    while not checkpoint.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    saved = torch.load(checkpoint, weights_only=True)
    assert 0 < saved["progress"]["epoch"] < 12
    assert command(file, recipe="pruned").status == 0
    resumed = training(file)
    assert command(file, "--restart", recipe="pruned").status == 0
    assert resumed["history"] == training(file)["history"]
    assert resumed["network"]["digest"] == training(file)["network"]["digest"]
    assert [path.name for path in file.parent.glob("*.part")] == []


# Checkpoints and epochs


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "c.pt", "key")
    checkpoint.save({"epoch": 1})

    def fail(file: Any) -> None:
        file.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace_file(checkpoint.path, fail)
    assert checkpoint.load(torch.device("cpu")) == {"epoch": 1}


def test_checkpoints_of_others_and_damaged_ones_are_refused(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "c.pt", "key")
    assert checkpoint.load(torch.device("cpu")) is None
    checkpoint.save({"epoch": 1})
    with pytest.raises(UserError, match="other settings or data"):
        Checkpoint(checkpoint.path, "other").load(torch.device("cpu"))
    for content in (b"", b"nonsense", checkpoint.path.read_bytes()[:300]):
        checkpoint.path.write_bytes(content)
        with pytest.raises(UserError, match="cannot be read"):
            checkpoint.load(torch.device("cpu"))


def test_the_best_epoch_at_the_full_radius_is_kept_and_ends_the_training() -> None:
    figures = iter([0.9, 0.8, 0.5, 0.7, 0.7, 0.6, 0.1, 0.1])
    states: list[torch.Tensor] = []

    def measure(network: nn.Sequential) -> dict[str, float]:
        states.append(network[0].weight.detach().clone())  # type: ignore[union-attr, operator]
        return {Aim.CERTIFIED: next(figures)}

    schedule = Schedule(epochs=20, warm_up=1, ramp_up=2, batch=20)
    network, recipe = convolutional(0), Ibp().build()
    job = Job(recipe, schedule, separable(40), LEVELS, 0.01, 0, measure, patience=2)
    progress = train(network, job, Silent())
    # The radius is full after epoch 3; 0.7 comes first in epoch 4 and is not surpassed in the two after it.
    assert (progress.epoch, progress.best["epoch"], progress.best["figure"]) == (6, 4, 0.7)
    assert torch.equal(network[0].weight, states[3])  # type: ignore[arg-type]


def test_without_patience_the_last_epoch_is_kept() -> None:
    network = convolutional(0)
    job = Job(Standard().build(), Schedule(epochs=3, batch=20), separable(40), LEVELS, 0.0, 0, lambda _: {}, every=2)
    progress = train(network, job, Silent())
    assert ([row["epoch"] for row in progress.history], progress.best) == ([2, 3], {})


def test_files_and_changes_are_read_together(file: Path) -> None:
    assert read_config(file, "ibp", {"seed": 5}).seed == 5


def test_the_files_on_the_page_are_understood(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "training.md").read_text()
    *blocks, study = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    configs = [
        of_table(tomllib.loads(text), name) for text, name in zip(blocks, ("sabr", "quantized", "levels"), strict=True)
    ]
    (tmp_path / "study.toml").write_text(study)
    assert list(read_study(tmp_path / "study.toml").recipes) == ["ibp", "sabr-long"]
    assert configs[0].data == "digits"
    assert table_of(configs[1])["recipe"]["base"]["base"]["name"] == "ibp"
    assert configs[2].recipe.build().levels == {"class": 0.7, "cut coarse": 0.3}
    named = re.findall(r"`(\w+)`", page[page.index("## Recipes") : page.index("A recipe that changes")])
    assert set(RECIPES) <= set(named)
