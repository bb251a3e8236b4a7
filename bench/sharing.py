"""What sharing saves: one run for all goals against a run for each goal, and against a process for each sample.

Each row is CPU seconds of the same proofs on the same machine in the same minute; only ratios mean something. The last
way is how orchestrators work that start a prover for every question.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = os.environ.get("CAISAR_EXT", str(ROOT / "_build/default/caisar_ext/bin/main.exe"))
SPECIFICATION = ROOT / "examples/traffic_signs/signs.mlw"


@dataclass(frozen=True)
class Cost:
    """CPU seconds: of the provers on their queries, and of everything, start-up included."""

    queries: float
    everything: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.queries + other.queries, self.everything + other.everything)


def verify(*options: str) -> tuple[Cost, dict[str, list[str]]]:
    """Run once; return its cost and the verdicts of each goal's samples."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [PROGRAM, "verify", str(SPECIFICATION), "--json", *options]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode not in (0, 1, 2):
        sys.exit(f"{' '.join(command)} ended with {run.returncode}:\n{run.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    conclusions = json.loads(run.stdout)
    everything = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    verdicts = {g["name"]: [s["conclusion"]["verdict"] for s in g["samples"]] for g in conclusions["goals"]}
    return Cost(conclusions["statistics"]["cpu_seconds"], everything), verdicts


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=16, help="how many samples (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    count = options.samples

    together, verdicts = verify("--samples", f"0:{count}")
    goals = [goal for goal in verdicts if verdicts[goal]]
    by_goal, by_sample = Cost(0, 0), Cost(0, 0)
    for goal in goals:
        cost, alone = verify("--samples", f"0:{count}", "--goal", goal)
        by_goal += cost
        if alone[goal] != verdicts[goal]:
            sys.exit(f"{goal} alone: {alone[goal]}, with the other goals: {verdicts[goal]}")
    for sample in range(count):
        by_sample += verify("--samples", f"{sample}:{sample + 1}")[0]

    rows = {"all goals, one process": together, "a run for each goal": by_goal, "a process for each sample": by_sample}
    if options.json:
        print(json.dumps({name: {"queries": c.queries, "everything": c.everything} for name, c in rows.items()}))
        return
    table = Table(title=f"{SPECIFICATION.name}: {len(goals)} goals, {count} samples; CPU seconds")
    for heading in ("", "on queries", "ratio", "with start-up", "ratio"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, cost in rows.items():
        table.add_row(
            name,
            f"{cost.queries:.2f}",
            f"{cost.queries / together.queries:.1f}",
            f"{cost.everything:.1f}",
            f"{cost.everything / together.everything:.1f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
