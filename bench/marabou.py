"""Marabou on our instances: an environment of its own, a process for each instance, the same limits and rows.

Version 2.0.0, which needs an older ``onnx``. It reads fully connected and convolutional networks with ReLU, sigmoid and
max-pooling; what it cannot read ends as ``error``. Properties reach it translated, one query a disjunct.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from pyprover.children import Ended, Task, run_all
from pyprover.query import Comparison
from pyprover.vnnlib.cases import Question, questions
from pyprover.vnnlib.instances import Instance, Results, Row
from pyprover.vnnlib.reading import read
from pyprover.vnnlib.running import row_of

REQUIREMENTS = ("maraboupy==2.0.0", "onnx<1.17", "onnxruntime>=1.31")
_WORKER = Path(__file__).resolve().parent / "marabou_worker.py"
_DATA = Path(os.environ.get("CAISAR_EXT_DATA") or "~/.cache/caisar-ext").expanduser()


@dataclass(frozen=True)
class Marabou:
    """Marabou's Python interpreter."""

    python: Path

    @classmethod
    def installed(cls) -> Marabou:
        """The environment in the data folder, made where it is missing."""
        folder = _DATA / "marabou"
        python = folder / "bin/python3"
        ready = folder / "ready"
        if not ready.exists():
            print(f"installing {REQUIREMENTS[0]} in {folder}", file=sys.stderr)
            venv.create(folder, with_pip=True, clear=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
            ready.touch()
        return cls(python)

    def run_set(self, instances: Sequence[Instance], jobs: int, results: Results) -> list[Row]:
        """Run what has no row yet; the rows of all instances."""
        known = {row.key: row for row in results.rows()}
        waiting = [instance for instance in instances if instance.key not in known]
        with tempfile.TemporaryDirectory() as folder:

            def report(ended: Ended[Instance]) -> None:
                row, trouble = row_of(ended, REQUIREMENTS[0])
                known[row.key] = row
                results.add(row)
                if trouble is not None:
                    print(f"Marabou, {' '.join(row.key)}: {trouble}", file=sys.stderr)

            run_all(self._tasks(waiting, Path(folder)), jobs, report)
        return [known[instance.key] for instance in instances]

    def _tasks(self, instances: Sequence[Instance], folder: Path) -> Iterator[Task[Instance]]:
        for place, instance in enumerate(instances):
            file = folder / f"{place}.json"
            file.write_text(json.dumps(_query(instance)))
            command = [str(self.python), str(_WORKER), str(file), str(instance.limit)]
            yield Task(instance, command, instance.limit, {"OMP_NUM_THREADS": "1"})


def _query(instance: Instance) -> dict[str, Any]:
    """A property in numbers: to nearest, since Marabou computes in floating point."""
    network, prop = instance.files()
    return {"network": str(network), "regions": [_region(question) for question in questions(read(prop))]}


def _region(question: Question) -> dict[str, Any]:
    cases = [[_comparison(comparison) for comparison in case] for case in question.avoid.cases]
    return {"lower": _floats(question.region.lower), "upper": _floats(question.region.upper), "cases": cases}


def _comparison(comparison: Comparison) -> dict[str, Any]:
    terms = [(term.output, float(term.weight)) for term in comparison.terms]
    return {"terms": terms, "constant": float(comparison.constant), "strict": comparison.strict}


def _floats(values: Sequence[Fraction]) -> list[float]:
    return list(map(float, values))
