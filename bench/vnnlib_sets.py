"""The VNN-LIB sets: how many instances are decided, at what cost; with Marabou beside on what it reads.

Each instance runs in a process of its own; rows go to `bench/results/SET.csv` at once, so that `--resume` goes on
after an interruption. Needs the sets in the data folder, as `nets/SET/instances.csv` with its files.

    python bench/vnnlib_sets.py --resume                          everything: hours
    python bench/vnnlib_sets.py acasxu mnist_fc --every 10 --output /tmp/again
                                                                  a tenth of two sets, compared with the results kept
    python bench/vnnlib_sets.py acasxu --every 10 --marabou       Marabou beside

Exits with 1 when two runs contradict each other, 3 for a mistake in the usage.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from marabou import Marabou
from rich.console import Console
from rich.table import Table

from pyprover.errors import UserError
from pyprover.vnnlib.instances import DECIDED, Instance, Results, Row, read_instances
from pyprover.vnnlib.running import Plan, run_set, table

RESULTS = Path(__file__).resolve().parent / "results"
DATA = Path(os.environ.get("CAISAR_EXT_DATA") or "~/.cache/caisar-ext").expanduser() / "nets"


@dataclass(frozen=True)
class BenchSet:
    """A set, its time limit in seconds (``None``: the official one), and how many we mean to decide."""

    name: str
    limit: float | None
    aim: int


SETS = (
    BenchSet("acasxu", None, 181),
    BenchSet("mnist_fc", 120.0, 50),
    BenchSet("oval21", 120.0, 15),
    BenchSet("sri_resnet_a", 120.0, 26),
    BenchSet("cifar10_resnet", 120.0, 40),
    BenchSet("eran2021", 120.0, 12),
)


def instances_of(chosen: BenchSet, options: argparse.Namespace) -> list[Instance]:
    """Every ``--every``-th instance of a set."""
    limit = chosen.limit if options.limit is None else options.limit
    listed: list[Instance] = read_instances(DATA / chosen.name / "instances.csv", limit)
    return listed[:: options.every]


def results_file(path: Path, options: argparse.Namespace) -> Results:
    """The file to write rows to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return Results.resume(path) if options.resume else Results.start(path)


def contradictions(first: Sequence[Row], second: Sequence[Row]) -> list[str]:
    """Instances that one run calls ``sat`` and the other ``unsat``."""
    known = {row.key: row.answer for row in first if row.answer in DECIDED}
    return [
        f"{row.network} {row.prop}: {known[row.key]}, and {row.answer}"
        for row in second
        if row.answer in DECIDED and known.get(row.key, row.answer) != row.answer
    ]


def rows_of(path: Path) -> list[Row]:
    """The rows of a results file; none where there is no file."""
    return Results.resume(path).rows() if path.exists() else []


def summary(runs: Mapping[str, Sequence[Row]]) -> Table:
    """A line for each set."""
    drawn = Table(title="decided instances")
    for heading in ("set", "decided", "aim", "unsat", "sat", "CPU s, median", "worst", "MiB, worst"):
        drawn.add_column(heading, justify="left" if heading == "set" else "right")
    aims = {chosen.name: str(chosen.aim) for chosen in SETS}
    for name, rows in runs.items():
        decided = [row for row in rows if row.answer in DECIDED]
        counts = [str(sum(row.answer == answer for row in rows)) for answer in DECIDED]
        costs = ("", "", "")
        if decided:
            cpu = [row.cpu_s for row in decided]
            costs = (f"{median(cpu):.2f}", f"{max(cpu):.2f}", f"{max(row.peak_mb for row in decided):.0f}")
        drawn.add_row(name, f"{len(decided)} of {len(rows)}", aims.get(name, ""), *counts, *costs)
    return drawn


def cactus(folder: Path) -> None:
    """Draw, for each set with results in the folder, what share of it is decided within so many CPU seconds each."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel="instances decided (% of the set)", ylabel="CPU seconds, start-up included")
    for place, chosen in enumerate(SETS):
        for suffix, label, style in (("", "", "-"), ("_marabou", ", Marabou", ":")):
            rows = rows_of(folder / f"{chosen.name}{suffix}.csv")
            costs = sorted(row.cpu_s for row in rows if row.answer in DECIDED)
            if costs:
                shares = [100 * k / len(rows) for k in range(len(costs) + 1)]
                label = f"{chosen.name}{label} ({len(costs)} of {len(rows)})"
                axes.step(shares, [*costs, costs[-1]], style, where="post", color=f"C{place}", label=label)
    axes.set(xlim=(0, 100), yscale="log", ylim=(0.3, 300))
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend(fontsize="small")
    figure.savefig(folder / "cactus.png", dpi=150)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [chosen.name for chosen in SETS]
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(names)}; all by default")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take every N-th instance")
    parser.add_argument("--limit", type=float, metavar="SECONDS", help="another time limit for all")
    parser.add_argument("--jobs", type=int, default=1, metavar="N")
    parser.add_argument("--resume", action="store_true", help="keep earlier rows, run what is missing")
    parser.add_argument("--marabou", action="store_true", help="run Marabou on the same instances too")
    parser.add_argument("--output", type=Path, default=RESULTS, metavar="FOLDER", help="where results go")
    options = parser.parse_args(arguments)
    if unknown := set(options.sets) - set(names):
        parser.error(f"no set {', '.join(sorted(unknown))}: there are {', '.join(names)}")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sets; print the tables; the exit status."""
    options = parse(arguments)
    console = Console(width=110)
    runs: dict[str, list[Row]] = {}
    wrong: list[str] = []
    for chosen in SETS:
        if options.sets and chosen.name not in options.sets:
            continue
        instances = instances_of(chosen, options)
        results = results_file(options.output / f"{chosen.name}.csv", options)
        rows = run_set(instances, Plan(options.jobs, results=results, witnesses=options.output / "witnesses"))
        runs[chosen.name] = rows
        console.print(table(chosen.name, rows))
        wrong += contradictions(rows_of(RESULTS / f"{chosen.name}.csv"), rows)
        if options.marabou:
            marabou = Marabou.installed()
            beside = results_file(options.output / f"{chosen.name}_marabou.csv", options)
            runs[f"{chosen.name}, Marabou"] = marabou.run_set(instances, options.jobs, beside)
            console.print(table(f"{chosen.name}, Marabou", runs[f"{chosen.name}, Marabou"]))
            wrong += contradictions(rows, runs[f"{chosen.name}, Marabou"])
    console.print(summary(runs))
    cactus(options.output)
    for line in wrong:
        print(f"CONTRADICTION {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        print(f"error: {error.message}\n{error.hint or ''}", file=sys.stderr)
        sys.exit(3)
