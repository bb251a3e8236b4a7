"""Studies: what is asked, what is done again, what a crash does, and that the figures are those of the reports."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import os
import subprocess
import sys
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import onnxruntime
import pytest

from pyprover.errors import UserError
from pyprover.train.study.cells import Basis, cells
from pyprover.train.study.config import merged, read_study
from pyprover.train.study.rows import Row
from pyprover.train.study.tables import Spread, front
from tests.python.orchestrator import BINARY, needs_orchestrator

HIERARCHY = """\
hierarchy digits {
  group round { class zero = 0  class six = 6  class eight = 8  class nine = 9 }
  group straight { class one = 1  class four = 4  class seven = 7 }
  group curved { class two = 2  class three = 3  class five = 5 }
  cut stroke = { round, straight, curved }
}
"""
STUDY = """\
images = 30
time_limit = 5.0
seeds = [0]
radii = ["1/64", "1/16"]

[training]
data = "digits"
radius = "1/32"
hierarchy = "digits.hier"
network = {layers = ["dense 24"]}
validation = {images = 300}

[training.schedule]
epochs = 8
batch = 32

[[recipes]]
recipe = {name = "standard"}

[[recipes]]
label = "ibp-long"
recipe = {name = "ibp"}
schedule = {epochs = 12}
"""
RADII = (Fraction(1, 64), Fraction(1, 16))


def write(folder: Path, text: str = STUDY) -> Path:
    (folder / "digits.hier").write_text(HIERARCHY)
    (folder / "study.toml").write_text(text)
    return folder / "study.toml"


def study(path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pyprover", "study", str(path), "--jobs", "2", *arguments]
    around = {**os.environ, "CAISAR_EXT": str(BINARY), "OMP_NUM_THREADS": "1", **environment}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=around)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study that is done."""
    folder = tmp_path_factory.mktemp("study")
    done = study(write(folder))
    assert done.returncode == 0, done.stderr
    return folder


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "results/study.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def cell(folder: Path, label: str, seed: int) -> Path:
    return folder / f"results/cells/{label}-seed{seed}"


@needs_orchestrator
def test_figures_are_those_of_reports_and_networks(finished: Path) -> None:
    """Each share, computed once more from the reports, the network's own answers in ONNX Runtime, and the labels."""
    found = rows(finished)
    assert len(found) == 2 * 2 * 2
    groups = {"class": [[k] for k in range(10)], "cut stroke": [[0, 6, 8, 9], [1, 4, 7], [2, 3, 5]]}
    for entry in found:
        place = cell(finished, entry["label"], int(entry["seed"]))
        radius = Fraction(entry["radius"])
        kept = json.loads((place / f"within-{radius.numerator}-{radius.denominator}.json").read_text())
        goal = kept["report"]["goals"][["class", "cut stroke"].index(entry["level"])]
        verdicts = [sample["conclusion"]["verdict"] for sample in goal["samples"]]
        with np.load(place / "digits.npz") as archive:
            pixels, labels = archive["images"].transpose(0, 3, 1, 2).astype(np.float32), archive["labels"]
        session = onnxruntime.InferenceSession(place / "net.onnx")
        answers = session.run(None, {session.get_inputs()[0].name: pixels})[0].argmax(1)
        block = {member: number for number, group in enumerate(groups[entry["level"]]) for member in group}
        right = [block[a] == block[b] for a, b in zip(answers.tolist(), labels.tolist(), strict=True)]
        assert float(entry["accuracy"]) == pytest.approx(fmean(right), abs=1e-5)
        assert float(entry["natural"]) == pytest.approx(fmean(right[:30]), abs=1e-5)
        assert float(entry["certified"]) == pytest.approx(verdicts.count("Valid") / 30, abs=1e-5)
        assert float(entry["adversarial"]) == pytest.approx(1 - verdicts.count("Invalid") / 30, abs=1e-5)
        of_groups = [
            [v == "Valid" for v, label in zip(verdicts, labels.tolist(), strict=False) if block[label] == number]
            for number in range(len(groups[entry["level"]]))
        ]
        balanced = fmean(fmean(group) for group in of_groups if group)
        assert float(entry["balanced_certified"]) == pytest.approx(balanced, abs=1e-5)
        assert float(entry["certified"]) <= float(entry["adversarial"]) <= float(entry["natural"])


@needs_orchestrator
def test_figures_are_in_order(finished: Path) -> None:
    """Coarser levels hold at least as often, smaller radii too, and interval training leaves fewer ReLUs unstable."""
    found = {(r["label"], r["seed"], r["radius"], r["level"]): r for r in rows(finished)}
    for (label, seed, radius, level), entry in found.items():
        if level == "class":
            for name in ("natural", "certified", "adversarial"):
                assert float(entry[name]) <= float(found[label, seed, radius, "cut stroke"][name])
        if radius == "1/16":
            assert float(entry["certified"]) <= float(found[label, seed, "1/64", level]["certified"])
            assert float(entry["unstable"]) >= float(found[label, seed, "1/64", level]["unstable"])
    assert {int(entry["relus"]) for entry in found.values()} == {24}
    for name in ("study.md", "pareto-1-16.png", "cost-1-16.png", "levels-1-64.png"):
        assert (finished / "results" / name).stat().st_size > 100


@needs_orchestrator
def test_what_is_done_is_not_done_again(finished: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (finished / "results/cells").rglob("*.*")}
    done = study(finished / "study.toml", "--json")
    assert done.returncode == 0, done.stderr
    assert {path: path.stat().st_mtime_ns for path in (finished / "results/cells").rglob("*.*")} == before
    told = json.loads(done.stdout)
    assert told["failed"] == []
    assert len(told["rows"]) == 8
    listed = study(finished / "study.toml", "--dry-run").stdout.split()
    assert listed == ["done", "standard-seed0", "done", "ibp-long-seed0"]


@needs_orchestrator
def test_a_crash_is_a_crash_and_is_tried_again(finished: Path) -> None:
    """The orchestrator dies at one radius: no figures there, all others stay, and the next run mends it."""
    place = cell(finished, "standard", 0)
    report = place / "within-1-64.json"
    report.unlink()
    liar = finished / "liar"
    liar.write_text(f'#!/bin/sh\n[ "$1" = --version ] && exec {BINARY} --version\necho out of cheese >&2; exit 139\n')
    liar.chmod(0o755)
    done = study(finished / "study.toml", CAISAR_EXT=str(liar))
    assert done.returncode == 4
    assert "standard-seed0: failed: within 1/64: caisar-ext ended with 139: out of cheese" in done.stderr
    assert "standard-seed0: within 1/64: caisar-ext ended with 139" in (finished / "results/study.md").read_text()
    assert len(rows(finished)) == 6
    assert not report.exists()
    assert study(finished / "study.toml").returncode == 0
    assert len(rows(finished)) == 8


@needs_orchestrator
def test_other_settings_are_other_networks(finished: Path) -> None:
    """A changed schedule trains anew; a changed time limit only verifies anew."""
    path = finished / "study.toml"
    path.write_text(STUDY.replace("time_limit = 5.0", "time_limit = 6.0"))
    listed = study(path, "--dry-run", "--only", "standard").stdout.split()
    assert listed == ["to", "do", "standard-seed0"]
    network = cell(finished, "standard", 0) / "net.onnx"
    before = network.stat().st_mtime_ns
    assert study(path, "--only", "standard").returncode == 0
    assert network.stat().st_mtime_ns == before
    path.write_text(STUDY.replace("epochs = 8", "epochs = 9"))
    assert study(path, "--only", "standard").returncode == 0
    assert network.stat().st_mtime_ns > before
    path.write_text(STUDY)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("images = 30", "images = 0"), ":1: images: 0 must be at least 1"),
        (("images = 30", "imges = 30"), ":1: imges: unknown option"),
        (('radii = ["1/64", "1/16"]', "radii = []"), ":4: radii: must name some, each once"),
        (("seeds = [0]", "seeds = [1, 1]"), ":3: seeds: must name some, each once"),
        (("epochs = 8", 'epochs = "x"'), ":14: training.schedule.epochs: 'x' is not an integer"),
        (("epochs = 12", "epochs = -12"), ":23: recipes.1.schedule.epochs: -12 must be at least 1"),
        (('"ibp-long"', '"../ibp"'), ":21: recipes.1.label: '../ibp' cannot name a folder"),
        (('"ibp-long"', '"standard"'), ":21: recipes.1.label: standard is there already"),
        (('hierarchy = "digits.hier"', ""), "training.hierarchy: missing"),
        (('name = "ibp"', 'name = "ipb"'), ":22: recipes.1.recipe.name: unknown: ipb"),
    ],
)
def test_mistakes_are_told_with_their_place(tmp_path: Path, change: tuple[str, str], complaint: str) -> None:
    assert change[0] in STUDY
    path = write(tmp_path, STUDY.replace(*change, 1))
    with pytest.raises(UserError) as caught:
        read_study(path)
    assert complaint in caught.value.message


def test_a_program_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    done = study(write(tmp_path), CAISAR_EXT=str(tmp_path / "nothing"))
    assert done.returncode == 3
    assert "the orchestrator" in done.stderr
    assert study(tmp_path / "study.toml", "--only", "sabr", CAISAR_EXT="true").returncode == 3


def test_other_data_makes_figures_stale(tmp_path: Path) -> None:
    """Nothing is done any more when the data has changed, whichever part of it."""
    (one, _) = cells(read_study(write(tmp_path)), tmp_path / "out")
    basis = Basis.of(one.study, "programs 1", None)
    one.folder.mkdir(parents=True)
    one.place.output.write_bytes(b"network")
    one.kept_settings.write_text(one.settings)
    data = {"digest": basis.training, "test_digest": basis.test}
    network = {"digest": hashlib.sha256(b"network").hexdigest()}
    one.place.card.write_text(json.dumps({"training": {"figures": {"test": {}}, "data": data, "network": network}}))
    for radius in RADII:
        one.answer(radius).write_text(json.dumps({"key": one.key(radius, basis)}))
    assert one.done(basis)
    for change in ({"training": "x"}, {"test": "x"}, {"programs": "programs 2"}):
        assert not one.done(replace(basis, **change))


def test_the_grid_goes_seed_by_seed(tmp_path: Path) -> None:
    path = write(tmp_path, STUDY.replace("seeds = [0]", "seeds = [0, 1]"))
    found = list(cells(read_study(path), tmp_path / "out"))
    assert [one.name for one in found] == ["standard-seed0", "ibp-long-seed0", "standard-seed1", "ibp-long-seed1"]
    assert [one.config.schedule.epochs for one in found] == [8, 12, 8, 12]
    assert [one.config.seed for one in found] == [0, 0, 1, 1]
    assert all(one.config.schedule.batch == 32 for one in found)
    assert "eps  : real      = 1.0 /. 64.0" in found[0].text(RADII[0])


def test_tables_are_merged_and_recipes_replaced() -> None:
    shared: dict[str, Any] = {"recipe": {"name": "sabr", "ratio": 0.1}, "schedule": {"epochs": 3, "batch": 7}}
    assert merged(shared, {"schedule": {"epochs": 4}})["schedule"] == {"epochs": 4, "batch": 7}
    assert merged(shared, {"recipe": {"steps": 2}})["recipe"] == {"name": "sabr", "ratio": 0.1, "steps": 2}
    assert merged(shared, {"recipe": {"name": "ibp"}})["recipe"] == {"name": "ibp"}
    assert shared["schedule"] == {"epochs": 3, "batch": 7}


def test_spreads_leave_out_what_is_no_number() -> None:
    assert Spread.of([1.0, math.nan, 3.0]) == Spread(2.0, 1.0, 3.0)
    assert Spread.of([math.nan]).text(1) == "-"
    assert Spread.of([0.5, 0.5]).text(1, 100) == "50.0"
    assert Spread.of([0.25, 0.75]).text(0, 100) == "50 (25 to 75)"


def row(label: str, accuracy: float, certified: float) -> Row:
    """A row in which all else is the same."""
    plain: dict[str, Any] = {field.name: 0 for field in fields(Row)}
    return Row(**plain | {"label": label, "level": "class", "accuracy": accuracy, "certified": certified})


def test_the_front_is_what_nothing_beats() -> None:
    pairs = {"a": (0.9, 0.1), "b": (0.8, 0.5), "c": (0.7, 0.4), "d": (0.6, 0.6)}
    some = [row(label=label, accuracy=x, certified=y) for label, (x, y) in pairs.items()]
    assert front(some, "class") == ["d", "b", "a"]
