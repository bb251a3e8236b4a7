"""`caisar-ext explain --json` against the plan that `caisar-ext verify` would follow."""

from __future__ import annotations

import json
from typing import Any

from tests.python.orchestrator import ROOT, needs_orchestrator, run

SIGNS = ROOT / "examples" / "traffic_signs" / "signs.mlw"

pytestmark = needs_orchestrator


def explain(*arguments: str) -> Any:
    done = run("explain", SIGNS, "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_goals_are_explained_as_json() -> None:
    explained = explain("-g", "robust", "-g", "stop_means_stop", "--samples", "0:9", "-D", "eps:1.0 /. 255.0")
    robust, stop = explained["goals"]
    assert (robust["theory"], robust["name"], robust["domain"]) == ("Signs", "robust", None)
    assert robust["says"].startswith(
        "for each of the first 9 samples of signs_test.npz, for every input x of signs.onnx such that"
    )
    assert "differs from the sample by at most 1/255 in every feature" in robust["says"]
    assert (robust["queries"], robust["samples"], robust["unasked"], robust["shared"]) == (9, 9, [], [])
    assert 0 < stop["queries"] == stop["samples"] < 9
    assert 'is in the group "yielding"' in stop["says"]
    assert explained["queries"] == robust["queries"] + stop["queries"]


def test_shared_queries_are_told() -> None:
    robust, family = explain("-g", "robust", "-g", "same_family", "--samples", "0:2")["goals"]
    assert robust["shared"] == [{"theory": robust["theory"], "name": "same_family", "queries": 2}]
    assert family["shared"] == [{"theory": robust["theory"], "name": "robust", "queries": 2}]
