"""What the orchestrator itself costs: parse, type, plan, talk and conclude, with a prover that answers at once.

The prover's own CPU time is measured by itself and taken off. Growth shows in the ratio between sizes: a query must not
cost more when there are more of them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = os.environ.get("CAISAR_EXT", str(ROOT / "_build/default/caisar_ext/bin/main.exe"))
INSTANT = Path(__file__).resolve().parent / "instant_prover.py"

SPECIFICATION = """
theory Cost
  use int.Int
  use real.RealInfix
  use caisar_ext.types.Vector
  use caisar_ext.model.Model
  use caisar_ext.dataset.Dataset
  use caisar_ext.hierarchy.Hierarchy
  use caisar_ext.safety.AbstractSafety

  constant net : model = read_model "net.onnx"
  constant tree : hierarchy = read_hierarchy "{hierarchy}"
  constant test : dataset = read_dataset "data.npz"

{goals}
end
"""
RADII = ("1.0 /. 255.0", "2.0 /. 255.0", "4.0 /. 255.0", "8.0 /. 255.0")


def write_specification(folder: Path) -> Path:
    """Four goals with regions of their own, so that nothing is merged: four queries a sample."""
    goals = "\n".join(f"  goal g{k} : abstract_safe net tree (up {k % 2}) test ({r})" for k, r in enumerate(RADII))
    hierarchy = ROOT / "examples/cifar10/cifar10.hier"
    (folder / "net.onnx").touch()
    specification = folder / "cost.mlw"
    specification.write_text(SPECIFICATION.format(hierarchy=hierarchy, goals=goals), encoding="utf-8")
    return specification


def measure(specification: Path, samples: int, form: str) -> tuple[float, int]:
    """CPU seconds of the orchestrator alone, and its peak memory in bytes."""
    cost = specification.with_name("cost")
    prover = f"{sys.executable} {INSTANT} {samples} 10 {cost}"
    command = [PROGRAM, "verify", str(specification), "--prover-command", prover, *([form] if form else [])]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime - float(cost.read_text(encoding="ascii")), usage.ru_maxrss * 1024


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, nargs="+", default=[10, 1000, 10000], help="default %(default)s")
    options = parser.parse_args(arguments)
    table = Table(title="the orchestrator alone, four goals")
    for heading in ("samples", "queries", "output", "CPU s", "ms a query", "peak MiB"):
        table.add_column(heading, justify="right")
    with tempfile.TemporaryDirectory() as folder:
        specification = write_specification(Path(folder))
        for samples in options.samples:
            for form in ("", "--json"):
                seconds, memory = measure(specification, samples, form)
                queries = 4 * samples
                row = (samples, queries, form or "text", f"{seconds:.2f}", f"{1000 * seconds / queries:.3f}")
                table.add_row(*map(str, row), f"{memory / 2**20:.0f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
