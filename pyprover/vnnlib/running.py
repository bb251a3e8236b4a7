"""Running a set of instances, each in a process of its own, with a progress bar and a table at the end."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from pyprover.children import Ended, Task, code_version, run_all
from pyprover.vnnlib.instances import ANSWERS, DECIDED, Instance, Results, Row

_ONE_THREAD = {"OMP_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Plan:
    """How to run a set.

    ``results``: where rows go, or ``None``. ``witnesses``: a folder for counterexamples, or ``None``. ``options``: more
    of the command line of each process.
    """

    jobs: int
    seed: int = 0
    results: Results | None = None
    witnesses: Path | None = None
    options: Sequence[str] = ()


def run_set(instances: Sequence[Instance], plan: Plan) -> list[Row]:
    """Run what has no row yet; the rows of all the instances.

    What failed (``error``) is not tried again: remove its row to do so. Says on standard error what went wrong.
    """
    if plan.witnesses is not None:
        plan.witnesses.mkdir(parents=True, exist_ok=True)
    known = {} if plan.results is None else {row.key: row for row in plan.results.rows()}
    waiting = [instance for instance in instances if instance.key not in known]
    commit = code_version()
    console = Console(stderr=True)
    with _progress(console, len(instances), len(instances) - len(waiting)) as advance:

        def report(ended: Ended[Instance]) -> None:
            row, trouble = row_of(ended, commit)
            known[row.key] = row
            if plan.results is not None:
                plan.results.add(row)
            if trouble is not None:
                console.print(f"{' '.join(row.key)}: {trouble}", highlight=False, markup=False, soft_wrap=True)
            advance()

        run_all([_task(instance, plan) for instance in waiting], plan.jobs, report)
    return [known[instance.key] for instance in instances]


def _task(instance: Instance, plan: Plan) -> Task[Instance]:
    network, prop = instance.files()
    command = [sys.executable, "-m", "pyprover", "vnnlib", str(network), str(prop)]
    command += ["--time-limit", str(instance.limit), "--seed", str(plan.seed), *plan.options]
    if plan.witnesses is not None:
        command += ["--witness", str(plan.witnesses / witness_name(instance))]
    return Task(instance, command, instance.limit, _ONE_THREAD)


def witness_name(instance: Instance) -> str:
    """The file name of an instance's counterexample."""
    return "-".join(Path(name).name for name in instance.key) + ".txt"


def row_of(ended: Ended[Instance], commit: str) -> tuple[Row, str | None]:
    """The row of an ended process that prints its answer last, and what went wrong."""
    instance = ended.task.name
    answer, trouble = _answer(ended)
    wall, cpu, peak = round(ended.wall, 2), round(ended.cpu, 2), round(ended.peak / 2**20, 1)
    return Row(*instance.key, answer, wall, cpu, peak, instance.limit, commit), trouble


def _answer(ended: Ended[Instance]) -> tuple[str, str | None]:
    """The answer; whatever is not an orderly answer in time is none."""
    if ended.overran:
        return "timeout", "killed: it did not heed its time limit"
    if ended.status < 0:
        return "error", f"ended by {signal.Signals(-ended.status).name}"
    lines = ended.stdout.splitlines()
    answer = lines[-1] if lines else ""
    if ended.status or answer not in ANSWERS[:-1]:
        said = ended.stderr.strip().splitlines()
        return "error", f"exit status {ended.status}" + (f": {said[-1]}" if said else "")
    return ("timeout" if answer in DECIDED and ended.wall > ended.task.limit else answer), None


@contextmanager
def _progress(console: Console, total: int, done: int) -> Iterator[Callable[[], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("instances", total=total, completed=done)
        yield lambda: progress.advance(bar)


def table(title: str, rows: Sequence[Row]) -> Table:
    """Counts of the answers, with median and worst costs."""
    drawn = Table(title=title)
    drawn.add_column("answer")
    for heading in ("count", "CPU s, median", "worst", "wall s, median", "worst", "MiB, worst"):
        drawn.add_column(heading, justify="right")
    for answer in ANSWERS:
        some = [row for row in rows if row.answer == answer]
        if some:
            drawn.add_row(answer, str(len(some)), *_costs(some))
    decided = [row for row in rows if row.answer in DECIDED]
    if decided:
        drawn.add_section()
        drawn.add_row("decided", f"{len(decided)} of {len(rows)}", *_costs(decided))
    return drawn


def _costs(rows: Sequence[Row]) -> tuple[str, ...]:
    cpu, wall = ([getattr(row, name) for row in rows] for name in ("cpu_s", "wall_s"))
    numbers = (f"{number:.2f}" for times in (cpu, wall) for number in (median(times), max(times)))
    return (*numbers, f"{max(row.peak_mb for row in rows):.0f}")
