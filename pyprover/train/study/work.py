"""The work on one cell: its training, then at each radius its verification; what is done already is not done again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction

from pyprover.train.checkpoint import replace_file
from pyprover.train.data import DIGITS, read_test
from pyprover.train.loop import Silent
from pyprover.train.run import Place, perform, restart
from pyprover.train.study.cells import Basis, Cell
from pyprover.train.study.orchestrator import CrashError, Orchestrator
from pyprover.train.study.specification import write_digits
from pyprover.train.study.stability import unstable_relus


class Lines(Silent):
    """A `loop.Show` that prints a line at each measure, for the log of the cell."""

    def measured(self, entry: Mapping[str, float]) -> None:
        """Print the entry."""
        print(json.dumps(entry), flush=True)  # noqa: T201 -- the log is this process's standard output


def work(cell: Cell, basis: Basis, orchestrator: Orchestrator, data_dir: str | None) -> None:
    """Train and verify; raises as trainings do, and `CrashError` when all radii were tried and some failed.

    A training of other settings or data in the same folder is replaced: the folder belongs to the study.
    """
    cell.folder.mkdir(parents=True, exist_ok=True)
    place = Place(cell.place.output, cell.place.base, data_dir)
    if cell.card(basis) is None:
        if not cell.begun() or place.card.exists():
            restart(place)
            cell.kept_settings.write_text(cell.settings, encoding="ascii")
        perform(cell.config, place, Lines())
    if cell.config.data == DIGITS:
        write_digits(cell.folder)
    failed = []
    for radius in cell.study.asked.radii:
        if cell.found(radius, basis) is None:
            try:
                _verify(cell, radius, basis, orchestrator, data_dir)
            except CrashError as error:
                failed.append(f"within {radius}: {error}")
    if failed:
        raise CrashError("; ".join(failed))


def _verify(cell: Cell, radius: Fraction, basis: Basis, orchestrator: Orchestrator, data_dir: str | None) -> None:
    """Write what was found at a radius: the orchestrator's report, and the unstable ReLUs of a region, on average."""
    asked = cell.study.asked
    cell.question(radius).write_text(cell.text(radius), encoding="utf-8")
    samples, _ = read_test(cell.config.data, data_dir)
    found = {
        "key": cell.key(radius, basis),
        "unstable": unstable_relus(cell.place.output, samples.part(slice(asked.images)), float(radius)),
        "report": orchestrator.verify(cell.question(radius), asked.time_limit, data_dir),
    }
    replace_file(cell.answer(radius), lambda file: file.write(json.dumps(found).encode()))
