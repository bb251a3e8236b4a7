"""The page of a study: a table of what is kept and one of what it costs, for each radius, over the seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import fmean

from pyprover.train.study.rows import Row

Figure = Callable[[Row], float]

_WORDS = """\
Means over {seeds} seeds, least and most in brackets, in per cent. *Natural*: right on all test images. The first
{images} of them were verified: *adversarial* is what no replayed witness refutes, *certified* what is proven;
*balanced*: the mean over the groups of the level, of these images."""


@dataclass(frozen=True)
class Spread:
    """A figure over seeds."""

    mean: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of some values, those that are not numbers left out."""
        known = [value for value in values if value == value]
        if not known:
            return cls(float("nan"), float("nan"), float("nan"))
        return cls(fmean(known), min(known), max(known))

    def text(self, digits: int, scale: float = 1.0) -> str:
        """The mean, and least and most where they differ."""
        if self.mean != self.mean:
            return "-"
        mean, least, most = (f"{value * scale:.{digits}f}" for value in (self.mean, self.least, self.most))
        return mean if least == most else f"{mean} ({least} to {most})"


def page(title: str, rows: Sequence[Row], failed: Sequence[tuple[str, str]]) -> str:
    """All tables in Markdown; ``failed``: cells without figures, with the reason."""
    lines = [f"# {title}", ""]
    if rows:
        lines += [_WORDS.format(seeds=len({row.seed for row in rows}), images=rows[0].images), ""]
    for radius in unique(row.radius for row in rows):
        there = [row for row in rows if row.radius == radius]
        for level in unique(row.level for row in there):
            lines += [f"## Within {radius}: {level}", "", *_shares([row for row in there if row.level == level]), ""]
        lines += [f"## Within {radius}: costs", "", *_costs(there), ""]
    if failed:
        lines += ["## Failed", "", *(f"- {name}: {reason}" for name, reason in failed), ""]
    return "\n".join(lines)


def unique(values: Iterable[str]) -> list[str]:
    """Each value once, in the order of their first appearance."""
    return list(dict.fromkeys(values))


def over_seeds(rows: Sequence[Row], label: str, level: str, figure: Figure) -> Spread:
    """A figure of a recipe at a level."""
    return Spread.of([figure(row) for row in rows if (row.label, row.level) == (label, level)])


def _shares(rows: Sequence[Row]) -> list[str]:
    """Of one level, in per cent."""
    figures: dict[str, Figure] = {
        "natural": lambda row: row.accuracy,
        "adversarial": lambda row: row.adversarial,
        "certified": lambda row: row.certified,
        "balanced natural": lambda row: row.balanced_natural,
        "balanced certified": lambda row: row.balanced_certified,
    }
    lines = _head(["recipe", *figures])
    for label in unique(row.label for row in rows):
        spreads = (over_seeds(rows, label, rows[0].level, figure) for figure in figures.values())
        lines.append(_line([label, *(spread.text(1, 100) for spread in spreads)]))
    return [*lines, "", f"One answer to everything would score {100 * rows[0].constant:.1f} % of these images."]


def _costs(rows: Sequence[Row]) -> list[str]:
    figures: Sequence[tuple[str, int, Figure]] = (
        ("unstable ReLUs, %", 1, lambda row: 100 * row.unstable),
        ("CPU s an image", 2, lambda row: row.seconds),
        ("of those proven, median", 3, lambda row: row.seconds_proven),
        ("memory, MiB", 0, lambda row: row.memory),
        ("parameters left, %", 1, lambda row: 100 * row.parameters_left / row.parameters),
        ("training, CPU s", 0, lambda row: row.trained),
    )
    lines = _head(["recipe", *(name for name, _, _ in figures)])
    level = rows[0].level
    for label in unique(row.label for row in rows):
        cells = [over_seeds(rows, label, level, figure).text(digits) for _, digits, figure in figures]
        lines.append(_line([label, *cells]))
    bounded = [(row.label, row.l2_radius, row.l2) for row in rows if row.level == level and row.l2_radius]
    for label, radius in dict.fromkeys((label, radius) for label, radius, _ in bounded):
        share = Spread.of([l2 for name, _, l2 in bounded if name == label]).text(1, 100)
        lines += ["", f"{label}: its Lipschitz constant certifies {share} % within {radius:g} in the l2 norm."]
    return lines


def _head(names: Sequence[str]) -> list[str]:
    return [_line(names), "|" + "---|" * len(names)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def front(rows: Sequence[Row], level: str) -> list[str]:
    """The recipes that no other one beats in natural accuracy and in certified accuracy, by their means."""
    labels = unique(row.label for row in rows)
    means = {
        label: (
            over_seeds(rows, label, level, lambda row: row.accuracy).mean,
            over_seeds(rows, label, level, lambda row: row.certified).mean,
        )
        for label in labels
    }
    beaten = {
        one
        for one, other in product(labels, labels)
        if all(a <= b for a, b in zip(means[one], means[other], strict=True)) and means[one] != means[other]
    }
    return sorted((label for label in labels if label not in beaten), key=lambda label: means[label])
