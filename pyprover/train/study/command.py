"""The command ``study``: what is not done is done, each cell in a process of its own, then all is shown."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from pyprover.errors import UserError

if TYPE_CHECKING:
    from pyprover.children import Ended, Task
    from pyprover.train.study.cells import Basis, Cell
    from pyprover.train.study.config import Study
    from pyprover.train.study.orchestrator import Orchestrator
    from pyprover.train.study.rows import Row

_EPILOG = """\
The study file is TOML: what is asked, what all trainings share, and what each recipe changes, for example:

  images = 100             # the first test images; and time_limit = 10.0, in seconds a query
  seeds = [0, 1, 2]
  radii = ["2/255"]
  [training]               # as a training file: python -m pyprover train --help
  data = "cifar10"
  radius = "2/255"
  hierarchy = "cifar10.hier"
  [[recipes]]
  recipe = {name = "sabr", ratio = 0.1}
  [[recipes]]
  label = "sabr-long"
  recipe = {name = "sabr", ratio = 0.1}
  schedule = {epochs = 80}

Each network is verified by caisar-ext (CAISAR_EXT names the program). What is done is not done again; a training that
was stopped goes on. OUTPUT holds study.csv, study.md, plots, and a folder a network.
exit status: 0 all cells have figures, 3 a mistake in the file, 4 some cell failed: it is tried again the next time
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("study", metavar="STUDY.toml", type=Path)
    parser.add_argument("--output", type=Path, metavar="DIR", help="default: results, beside the file")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="cells at a time, one thread each (default 1)")
    parser.add_argument("--only", action="append", metavar="LABEL", help="only the cells of this recipe. Repeatable")
    parser.add_argument("--dry-run", action="store_true", help="say what is done and what is not, and stop")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--data-dir", metavar="DIR", help="data folder (default: CAISAR_EXT_DATA, ~/.cache/caisar-ext)")
    parser.add_argument("--cell", metavar="NAME", help=argparse.SUPPRESS)  # what a process of one cell is told


def run(options: argparse.Namespace) -> int:
    """Run the command; its exit status. ``UserError`` for what the user must mend."""
    from pyprover.train.study.cells import Basis, cells
    from pyprover.train.study.config import read_study
    from pyprover.train.study.orchestrator import Orchestrator

    study = read_study(options.study)
    output = options.study.parent / "results" if options.output is None else options.output
    if options.jobs < 1:
        raise UserError(f"--jobs {options.jobs}: at least 1")
    if unknown := set(options.only or ()) - set(study.recipes):
        raise UserError(f"{options.study} has no recipe {unknown.pop()}", f"there are {', '.join(study.recipes)}")
    chosen = [cell for cell in cells(study, output) if not options.only or cell.label in options.only]
    orchestrator = Orchestrator.found()
    basis = Basis.of(study, orchestrator.version, options.data_dir)
    if options.cell is not None:
        return _run_one(next(cell for cell in chosen if cell.name == options.cell), basis, orchestrator, options)
    waiting = [cell for cell in chosen if not cell.done(basis)]
    if options.dry_run:
        _list(chosen, waiting)
        return 0
    output.mkdir(parents=True, exist_ok=True)
    failed = _run_all(waiting, len(chosen), options)
    rows = list(_rows(chosen, basis))
    _show(study, output, rows, failed, options)
    return 4 if failed else 0


def _run_one(cell: Cell, basis: Basis, orchestrator: Orchestrator, options: argparse.Namespace) -> int:
    """The process of one cell: its last line on standard error says what went wrong."""
    import torch

    from pyprover.train.options import OptionError
    from pyprover.train.study.orchestrator import CrashError
    from pyprover.train.study.work import work

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # as in `train`; the orchestrator's provers are processes of their own
    try:
        work(cell, basis, orchestrator, options.data_dir)
    except (CrashError, OptionError) as error:
        print(error, file=sys.stderr)
        return 4
    return 0


def _run_all(waiting: Sequence[Cell], total: int, options: argparse.Namespace) -> list[tuple[str, str]]:
    """Do what waits; the cells that failed, each with the reason."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from pyprover.children import run_all

    failed: list[tuple[str, str]] = []
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("cells", total=total, completed=total - len(waiting))

        def started() -> Iterator[Task[Cell]]:
            for cell in waiting:
                progress.update(bar, description=cell.name)
                yield _task(cell, options)

        def report(ended: Ended[Cell]) -> None:
            progress.advance(bar)
            cell = ended.task.name
            if ended.status:
                said = ended.stderr.strip().splitlines()
                failed.append((cell.name, said[-1] if said else f"ended with {ended.status}"))
            verdict = f"failed: {failed[-1][1]}" if ended.status else f"done in {ended.wall:.0f} s"
            console.print(f"{cell.name}: {verdict}", highlight=False, markup=False)

        run_all(started(), options.jobs, report)
    return failed


def _task(cell: Cell, options: argparse.Namespace) -> Task[Cell]:
    from pyprover.children import Task

    output = cell.folder.parent.parent
    command = [sys.executable, "-m", "pyprover", "study", str(options.study), "--output", str(output)]
    command += ["--cell", cell.name, *(["--data-dir", options.data_dir] if options.data_dir else [])]
    return Task(cell, command, float("inf"), {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"})


def _rows(chosen: Sequence[Cell], basis: Basis) -> Iterator[Row]:
    """The rows of all that is there, recipe by recipe."""
    from pyprover.train.study.rows import rows_of

    order = {label: place for place, label in enumerate(chosen[0].study.recipes)}
    for cell in sorted(chosen, key=lambda cell: (order[cell.label], cell.seed)):
        card = cell.card(basis)
        for radius in cell.study.asked.radii:
            found = None if card is None else cell.found(radius, basis)
            if card is not None and found is not None:
                yield from rows_of(cell, radius, found, card)


def _show(
    study: Study, output: Path, rows: Sequence[Row], failed: Sequence[tuple[str, str]], options: argparse.Namespace
) -> None:
    """Write the table, the page and the plots; print the page, or the rows."""
    from rich.console import Console
    from rich.markdown import Markdown

    from pyprover.train.study.plots import draw
    from pyprover.train.study.rows import write_csv
    from pyprover.train.study.tables import page

    text = page(f"Study {study.path.name}", rows, failed)
    try:
        write_csv(output / "study.csv", rows)
        (output / "study.md").write_text(text, encoding="utf-8")
        draw(rows, output)
    except OSError as error:
        raise UserError(f"{error.filename} cannot be written: {error.strerror}") from error
    if options.json:
        print(json.dumps({"rows": [asdict(row) for row in rows], "failed": [list(one) for one in failed]}))
    else:
        Console().print(Markdown(text))
        Console(stderr=True).print(f"written: {output}/study.csv, study.md and plots", highlight=False)


def _list(chosen: Sequence[Cell], waiting: Sequence[Cell]) -> None:
    names = {cell.name for cell in waiting}
    for cell in chosen:
        print(f"{'to do' if cell.name in names else 'done':<6} {cell.name}")
