"""The plots of `bench/memory.py`: what is held after each layer, and memory against time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, ScalarFormatter
from memory_rows import Row


def plot(rows: Sequence[Row], folder: Path) -> None:
    """Write ``memory_layers.png`` and ``memory_time.png``: one panel a network."""
    networks = [(name, list(some)) for name, some in groupby(rows, lambda row: row.network)]
    for name, draw in (("memory_layers", _layers), ("memory_time", _against_time)):
        figure, axes = plt.subplots(
            1, len(networks), figsize=(4.5 * len(networks) + 1, 3.6), squeeze=False, layout="constrained"
        )
        for axis, (network, some) in zip(axes[0], networks, strict=True):
            axis.set_title(network)
            draw(axis, some)
            axis.grid(alpha=0.3)
        handles, labels = axes[0][0].get_legend_handles_labels()
        if handles:
            figure.legend(handles, labels, loc="outside right center", fontsize=8)
        figure.savefig(folder / f"{name}.png", dpi=120)
        plt.close(figure)


def _layers(axis: Axes, rows: Sequence[Row]) -> None:
    for row in rows:
        held = [float(size) for size in row.layers.split()]
        axis.plot(range(len(held)), held, label=row.storage, drawstyle="steps-post", linewidth=1.4)
    axis.set_xlabel("step")
    axis.set_ylabel("noise in memory, MiB")
    axis.set_yscale("symlog", linthresh=1)


def _against_time(axis: Axes, rows: Sequence[Row]) -> None:
    for row in rows:
        axis.scatter(row.cpu, row.peak, s=28)
        axis.annotate(row.storage, (row.cpu, row.peak), xytext=(5, 3), textcoords="offset points", fontsize=8)
    axis.set_xlabel("CPU seconds")
    axis.set_ylabel("peak over the baseline, MiB")
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.xaxis.set_major_formatter(ScalarFormatter())
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.margins(0.25)
