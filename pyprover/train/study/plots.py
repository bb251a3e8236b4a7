"""The plots of a study: accuracy against certified accuracy, what makes proofs dear, and levels side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from pyprover.train.study.rows import Row
from pyprover.train.study.tables import front, over_seeds, unique

_MARKERS = "osD^vP*X<>ph"


def draw(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Write the plots for each radius; the files."""
    files = []
    for radius in unique(row.radius for row in rows):
        there = [row for row in rows if row.radius == radius]
        name = radius.replace("/", "-")
        for kind, plot in (("pareto", _pareto), ("cost", _cost), ("levels", _levels)):
            files.append(folder / f"{kind}-{name}.png")
            figure = plot(there)
            figure.suptitle(f"within {radius}", fontsize=10)
            figure.savefig(files[-1], dpi=140, bbox_inches="tight")
            plt.close(figure)
    return files


def _styles(rows: Sequence[Row]) -> dict[str, tuple[str, str]]:
    """A colour and a marker for each recipe."""
    labels, colours = unique(row.label for row in rows), mpl.colormaps["tab20"]
    return {label: (to_hex(colours(k % 20)), _MARKERS[k % len(_MARKERS)]) for k, label in enumerate(labels)}


def _pareto(rows: Sequence[Row]) -> Figure:
    """A panel a level: small marks are seeds, large ones means; the line joins what nothing beats."""
    levels, styles = unique(row.level for row in rows), _styles(rows)
    figure, axes = plt.subplots(1, len(levels), figsize=(1.5 + 4.2 * len(levels), 4.2), squeeze=False)
    for axis, level in zip(axes[0], levels, strict=True):
        for label, (colour, marker) in styles.items():
            some = [row for row in rows if (row.label, row.level) == (label, level)]
            axis.scatter(
                [100 * row.accuracy for row in some],
                [100 * row.certified for row in some],
                s=14,
                c=colour,
                marker=marker,
                alpha=0.6,
            )
            x, y = _means(rows, label, level)
            axis.scatter([x], [y], s=70, c=colour, marker=marker, edgecolors="black", linewidths=0.6, label=label)
        best = [_means(rows, label, level) for label in front(rows, level)]
        axis.plot([x for x, _ in best], [y for _, y in best], color="grey", linewidth=0.8, zorder=0)
        _label(axis, level, "natural accuracy, %", "certified, %")
    axes[0][-1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False)
    return figure


def _means(rows: Sequence[Row], label: str, level: str) -> tuple[float, float]:
    natural = over_seeds(rows, label, level, lambda row: row.accuracy).mean
    return 100 * natural, 100 * over_seeds(rows, label, level, lambda row: row.certified).mean


def _cost(rows: Sequence[Row]) -> Figure:
    """Time an image against unstable ReLUs."""
    figure, axis = plt.subplots(figsize=(6.4, 4.2))
    level = rows[0].level
    for label, (colour, marker) in _styles(rows).items():
        some = [row for row in rows if (row.label, row.level) == (label, level)]
        axis.scatter(
            [100 * row.unstable for row in some], [row.seconds for row in some], c=colour, marker=marker, label=label
        )
    axis.set_yscale("log")
    _label(axis, "what is unstable costs time", "unstable ReLUs, % of all", "CPU seconds an image, all levels")
    axis.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False)
    return figure


def _levels(rows: Sequence[Row]) -> Figure:
    """Certified accuracy by level, with the spread over seeds and natural accuracy as a tick."""
    labels, levels = unique(row.label for row in rows), unique(row.level for row in rows)
    figure, axis = plt.subplots(figsize=(2.5 + 0.75 * len(labels), 4.2))
    width = 0.8 / len(levels)
    for k, level in enumerate(levels):
        spreads = [over_seeds(rows, label, level, lambda row: row.certified) for label in labels]
        places = [n + (k - (len(levels) - 1) / 2) * width for n in range(len(labels))]
        means = [100 * spread.mean for spread in spreads]
        errors = [
            [100 * max(0.0, spread.mean - spread.least) for spread in spreads],
            [100 * max(0.0, spread.most - spread.mean) for spread in spreads],
        ]
        axis.bar(places, means, width, yerr=errors, error_kw={"linewidth": 0.8}, label=f"certified, {level}")
        natural = [_means(rows, label, level)[0] for label in labels]
        axis.scatter(places, natural, marker="_", s=90, c="black", linewidths=1.2, label=None if k else "natural")
    axis.set_xticks(range(len(labels)), labels, rotation=35, ha="right", fontsize=8)
    _label(axis, "certified at each level", "", "%")
    axis.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False)
    return figure


def _label(axis: Axes, title: str, x: str, y: str) -> None:
    axis.set_title(title, fontsize=9)
    axis.set_xlabel(x, fontsize=8)
    axis.set_ylabel(y, fontsize=8)
    axis.tick_params(labelsize=8)
    axis.grid(visible=True, linewidth=0.3)
