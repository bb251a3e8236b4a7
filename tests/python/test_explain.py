"""`caisar-ext explain --json` against the plan that `caisar-ext verify` would follow."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("CAISAR_EXT") or ROOT / "_build/default/caisar_ext/bin/main.exe")
SIGNS = ROOT / "examples" / "traffic_signs" / "signs.mlw"

pytestmark = pytest.mark.skipif(not BINARY.exists(), reason="dune build has not been run")


def explain(*arguments: str) -> Any:
    command = [BINARY, "explain", SIGNS, "--json", *arguments]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout)


def test_goals_are_explained_as_json() -> None:
    explained = explain("-g", "robust", "-g", "stop_means_stop", "--samples", "0:9", "-D", "eps:1.0 /. 255.0")
    robust, stop = explained["goals"]
    assert (robust["theory"], robust["name"], robust["domain"]) == ("Signs", "robust", None)
    assert robust["says"].startswith("for each of the first 9 samples of signs_test.npz, for every input x such that")
    assert "differs from the sample by at most 1/255 in every feature" in robust["says"]
    assert (robust["queries"], robust["samples"], robust["unasked"], robust["shared"]) == (9, 9, [], [])
    assert 0 < stop["queries"] == stop["samples"] < 9
    assert 'is in the group "yielding"' in stop["says"]
    assert explained["queries"] == robust["queries"] + stop["queries"]


def test_shared_queries_are_told() -> None:
    robust, family = explain("-g", "robust", "-g", "same_family", "--samples", "0:2")["goals"]
    assert robust["shared"] == [{"theory": robust["theory"], "name": "same_family", "queries": 2}]
    assert family["shared"] == [{"theory": robust["theory"], "name": "robust", "queries": 2}]
