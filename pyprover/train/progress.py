"""A progress bar with the latest figures."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


class Bar:
    """A `loop.Show` on a console: a bar for all epochs, and a line for each measure."""

    def __init__(self, console: Console, epochs: int) -> None:
        columns = (TextColumn("epoch {task.fields[epoch]:3d}"), BarColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, TextColumn("{task.fields[figures]}"), console=console)
        self._task = self._progress.add_task("", total=epochs, epoch=1, figures="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._progress.stop()

    def stepped(self, epoch: int, done: float) -> None:
        """Move the bar."""
        self._progress.update(self._task, completed=epoch - 1 + done, epoch=epoch)

    def measured(self, entry: Mapping[str, float]) -> None:
        """Print a line, and keep its figures beside the bar."""
        shares = {name: value for name, value in entry.items() if name not in ("epoch", "loss")}
        figures = ", ".join(f"{name} {100 * share:.1f}" for name, share in shares.items())
        self._progress.update(self._task, figures=figures)
        line = f"epoch {entry['epoch']:.0f}: loss {entry['loss']:.3f}, {figures} %"
        self._progress.console.print(line, highlight=False)
