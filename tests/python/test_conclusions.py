"""The JSON of `caisar-ext verify --json` follows its published schema, and the schema is not empty talk."""

from __future__ import annotations

import copy
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "grammar" / "conclusions.schema.json").read_text(encoding="utf-8"))
BUILD = Path(os.environ.get("CAISAR_EXT") or ROOT / "_build/default/caisar_ext/bin/main.exe").parents[2]
SHOW = BUILD / "tests" / "report" / "show.exe"
CASES = (ROOT / "tests" / "report" / "cases.ml").read_text(encoding="utf-8").split("let all =")[1]
NAMES = [line.split('"')[0] for line in CASES.split('("')[1:]]

pytestmark = pytest.mark.skipif(not SHOW.exists(), reason="dune build @all has not been run")


def refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def report(*words: str) -> Any:
    printed = subprocess.run([SHOW, *words, "json"], check=True, capture_output=True, text=True).stdout
    return json.loads(printed, parse_constant=refuse_constant)


def complaints(document: Any) -> list[str]:
    return [f"{e.json_path}: {e.message}" for e in Draft202012Validator(SCHEMA).iter_errors(document)]


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", NAMES)
def test_reports_follow_the_schema(name: str) -> None:
    assert complaints(report(name)) == []


def test_files_of_witnesses_are_told_when_they_are_kept() -> None:
    gone = report("mixed")["goals"][0]["samples"][1]["conclusion"]["witness"]
    kept = report("mixed", "out/")["goals"][0]["samples"][1]["conclusion"]["witness"]
    assert gone["file"] is None
    assert kept["file"] == "/witnesses/query1-class0.npy"
    assert {**kept, "file": None} == gone


def test_numbers_are_exact_and_references_lead_somewhere() -> None:
    document = report("mixed")
    assert document["exit_code"] == 1
    setting = document["settings"][0]
    assert setting["radius"] == "2/255"
    for sample in setting["samples"]:
        query = document["queries"][sample["query"]]
        assert query["sample"] == {name: sample[name] for name in ("dataset", "index", "truth")}
        assert len(query["properties"]) == len(sample["outcomes"])
        assert [level["node"] for level in sample["levels"]][-1] == document["hierarchies"][0]["name"]
    assert document["networks"][setting["network"]]["outputs"] == len(document["hierarchies"][0]["class_names"])


def test_a_witness_says_which_group_it_leaves() -> None:
    """Severities of the worst answers, and the nodes between which they lie; none without a witness."""
    samples = {sample["index"]: sample for sample in report("mixed")["goals"][0]["samples"]}

    def severity(height: int, within: str, leaves: str, *, forbidden: bool = False) -> dict[str, object]:
        return {"height": height, "forbidden": forbidden, "within": within, "leaves": leaves}

    assert samples[0]["severity"] is None
    assert samples[1]["severity"] == severity(1, "pet", "dog")
    assert samples[2]["severity"] == severity(3, "animals", "animal")
    assert samples[5]["severity"] == severity(4, "animals", "vehicle", forbidden=True)
    assert samples[6]["severity"] == severity(1, "vehicle", "truck")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("exit_code",), 5),
        (("settings", 0, "radius"), 2 / 255),
        (("settings", 0, "levels", 0, "proven"), -1),
        (("settings", 0, "matrices", 0, "rows", 0, 0), {"state": "witnessed"}),
        (("goals", 0, "conclusion"), {"verdict": "Valid", "witness": None}),
        (("goals", 0, "samples", 0, "surprise"), 1),
        (("queries", 0, "region", 0, "kind"), "sphere"),
    ],
)
def test_the_schema_refuses(path: tuple[str | int, ...], value: object) -> None:
    document = copy.deepcopy(report("mixed"))
    *above, last = path
    place = document
    for step in above:
        place = place[step]
    place[last] = value
    assert complaints(document) != []


@pytest.mark.slow
def test_a_real_run_follows_the_schema(tmp_path: Path) -> None:
    specification = ROOT / "examples" / "traffic_signs" / "signs.mlw"
    command = [BUILD / "caisar_ext/bin/main.exe", "verify", specification, "--samples", "0:8", "--json", "-w", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    document = json.loads(done.stdout, parse_constant=refuse_constant)
    assert complaints(document) == []
    assert document["exit_code"] == done.returncode
    assert document["answered"] == document["asked"] == len(document["queries"]) > 0
    witnesses = [
        s["conclusion"]["witness"] for g in document["goals"] for s in g["samples"] if "witness" in s["conclusion"]
    ]
    assert all(Path(witness["file"]).is_file() for witness in witnesses)
