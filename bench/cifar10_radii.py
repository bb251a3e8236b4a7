"""Abstract safety of examples/cifar10 at three radii: what is proven, refuted, open at class and at group level.

Needs CIFAR-10's test images (`cifar10:test`) in the data folder. Every witness is replayed once more here, from its
file and the ONNX file alone.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from rich.console import Console
from rich.table import Table

from pyprover.data.lookup import read_dataset
from pyprover.query import DatasetRef

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = os.environ.get("CAISAR_EXT", str(ROOT / "_build/default/caisar_ext/bin/main.exe"))
EXAMPLE = ROOT / "examples/cifar10"
ANIMALS = frozenset(range(2, 8))
LIMIT = "5"
"""Seconds a query: at 8/255 some stay open however long the search goes on."""


@dataclass(frozen=True)
class Row:
    """One goal at one radius."""

    radius: str
    goal: str
    counts: dict[str, int]
    replayed: int
    wall: float
    cpu: float
    start_up: float


def verify(radius: int, folder: str, jobs: int) -> dict[str, Any]:
    """Run the example at radius/255; its JSON conclusions."""
    command = [PROGRAM, "verify", str(EXAMPLE / "cifar10.mlw"), "--json", "--jobs", str(jobs)]
    command += ["--time-limit", LIMIT]
    command += ["--define", f"eps:{radius}.0 /. 255.0", "--witnesses", folder]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if run.returncode not in (0, 1, 2):
        sys.exit(f"{' '.join(command)} ended with {run.returncode}")
    conclusions: dict[str, Any] = json.loads(run.stdout)
    return conclusions


def replayed(session: onnxruntime.InferenceSession, sample: dict[str, Any], goal: str) -> bool:
    """Whether the sample's witness is answered outside of what the goal allows, by ONNX Runtime."""
    point = np.load(sample["conclusion"]["witness"]["file"])
    answer = int(session.run(None, {session.get_inputs()[0].name: point[None]})[0].argmax())
    truth = sample["truth"]
    return answer != truth if goal == "robust" else (answer in ANIMALS) != (truth in ANIMALS)


def clean_accuracy(session: onnxruntime.InferenceSession) -> dict[str, float]:
    """Accuracy at class and group level on all test images, and of always answering a bird, a cat ... some animal."""
    data = read_dataset(DatasetRef("cifar10:test", str(EXAMPLE)), None)
    images = np.asarray(data.samples, np.float32) / 255
    name = session.get_inputs()[0].name
    answers = np.concatenate(
        [session.run(None, {name: images[k : k + 500]})[0].argmax(1) for k in range(0, len(images), 500)]
    )
    animal = np.isin(answers, list(ANIMALS))
    truly = np.isin(data.labels, list(ANIMALS))
    return {
        "class": float((answers == data.labels).mean()),
        "group": float((animal == truly).mean()),
        'always "animal"': float(truly.mean()),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--radii", type=int, nargs="+", default=[1, 2, 8], help="in 255ths (default 1 2 8)")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    session = onnxruntime.InferenceSession(str(EXAMPLE / "cifar10.onnx"), providers=["CPUExecutionProvider"])
    rows = []
    for radius in options.radii:
        with tempfile.TemporaryDirectory() as folder:
            conclusions = verify(radius, folder, options.jobs)
            cost = conclusions["statistics"]
            for goal in conclusions["goals"]:
                refuted = [s for s in goal["samples"] if s["conclusion"]["verdict"] == "Invalid"]
                again = sum(replayed(session, sample, goal["name"]) for sample in refuted)
                times = cost["wall_seconds"], cost["cpu_seconds"], cost["start_up_seconds"]
                rows.append(Row(f"{radius}/255", goal["name"], goal["counts"], again, *times))
    if options.json:
        print(json.dumps([vars(row) for row in rows], indent=1))
        return
    table = Table(title="examples/cifar10: goals over the first 100 test images")
    headings = ("radius", "goal", "proven", "refuted", "replayed", "centre", "open", "wall s", "CPU s", "start s")
    for heading in headings:
        table.add_column(heading, justify="left" if heading == "goal" else "right")
    for row in rows:
        c = row.counts
        counts = (c["proven"], c["refuted"], row.replayed, c["wrong_at_centre"], c["undecided"])
        times = (f"{row.wall:.1f}", f"{row.cpu:.1f}", f"{row.start_up:.1f}")
        table.add_row(row.radius, row.goal, *map(str, counts), *times)
    console = Console(width=100)
    console.print(table)
    accuracy = clean_accuracy(session)
    console.print("clean accuracy on all test images: " + ", ".join(f"{k} {v:.2%}" for k, v in accuracy.items()))


if __name__ == "__main__":
    main()
