"""The figures of a study: one row for each network, radius and level.

What is certified, refuted and open is the orchestrator's word about the first test images; natural accuracy at a level
is of all test images and of these. *Balanced* shares are means over the groups of a level, so that a large group
cannot carry them; *constant* is what answering one class of the largest group to everything would score.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from pathlib import Path
from statistics import fmean, median
from typing import Any

import torch

from pyprover.hierarchy.reader import read_file
from pyprover.train.levels import levels_of
from pyprover.train.study.cells import Cell

Kept = tuple[bool, bool, bool]
"""Of one image at one level: the answer at the centre is right; nothing refutes the region; the region is proven."""


@dataclass(frozen=True)
class Row:
    """One network at one radius and level; shares between 0 and 1, sizes in MiB, times in CPU seconds.

    ``accuracy``: on all test images; all other shares are of the ``images`` that were verified. ``adversarial``: not
    refuted by a replayed witness, an upper bound of the truth, as ``certified`` is a lower one. ``unstable``: ReLUs of
    a region that intervals leave both on and off, on average, as a share of all. ``seconds``: an image, all levels
    together; ``seconds_proven``: the median of the images whose finest level is proven. ``l2``: the share certified by
    the Lipschitz constant within ``l2_radius``, where a recipe bounds it. ``trained``: the time that training took.
    """

    label: str
    recipe: str
    seed: int
    radius: str
    level: str
    images: int
    accuracy: float
    natural: float
    adversarial: float
    certified: float
    balanced_natural: float
    balanced_certified: float
    constant: float
    unstable: float
    relus: int
    seconds: float
    seconds_proven: float
    memory: float
    parameters: int
    parameters_left: int
    trained: float
    l2_radius: float
    l2: float


def rows_of(cell: Cell, radius: Fraction, found_there: Mapping[str, Any], card: Mapping[str, Any]) -> Iterator[Row]:
    """The rows of what was found at a radius, one a level."""
    levels, report = levels_of(read_file(cell.study.hierarchy)), found_there["report"]
    network, test = card["network"], card["figures"]["test"]
    seconds = _seconds(report)
    finest = [kept[2] for kept, _ in _kept(report["goals"][0])]
    proven = [time for time, sure in zip(seconds, finest, strict=True) if sure]
    l2 = test.get("l2", {"radius": 0.0, "certified": 0.0})
    for goal, (level, allowed) in zip(report["goals"], levels.items(), strict=True):
        found = list(_kept(goal))
        natural, adversarial, certified = (fmean(kept[k] for kept, _ in found) for k in range(3))
        groups = _by_group(found, allowed)
        yield Row(
            label=cell.label,
            recipe=card["config"]["recipe"]["name"],
            seed=cell.seed,
            radius=str(radius),
            level=level,
            images=len(found),
            accuracy=test["levels"][level]["answers"],
            natural=natural,
            adversarial=adversarial,
            certified=certified,
            balanced_natural=fmean(fmean(kept[0] for kept in group) for group in groups),
            balanced_certified=fmean(fmean(kept[2] for kept in group) for group in groups),
            constant=max(map(len, groups)) / len(found),
            unstable=found_there["unstable"] / max(1, network["relus"]),
            relus=network["relus"],
            seconds=fmean(seconds),
            seconds_proven=median(proven) if proven else float("nan"),
            memory=report["statistics"]["peak_memory"] / 2**20,
            parameters=network["parameters"],
            parameters_left=network["parameters_left"],
            trained=card["cpu_seconds"],
            l2_radius=l2["radius"],
            l2=l2["certified"],
        )


def _kept(goal: Mapping[str, Any]) -> Iterator[tuple[Kept, int]]:
    """Of each image of a goal, what is known, and its class."""
    for sample in goal["samples"]:
        conclusion = sample["conclusion"]
        refuted = conclusion["verdict"] == "Invalid"
        at_centre = refuted and conclusion["witness"]["centre"]
        yield (not at_centre, not refuted, conclusion["verdict"] == "Valid"), sample["truth"]


def _by_group(found: Sequence[tuple[Kept, int]], allowed: torch.Tensor) -> list[list[Kept]]:
    """The images of each group of a level that has some; a group is the set of classes allowed for its members."""
    groups: dict[tuple[bool, ...], list[Kept]] = {}
    for kept, truth in found:
        groups.setdefault(tuple(allowed[truth].tolist()), []).append(kept)
    return list(groups.values())


def _seconds(report: Mapping[str, Any]) -> list[float]:
    """What each image cost, in the order of the goals' samples."""
    total: dict[tuple[int, int], float] = {}
    for setting in report["settings"]:
        for sample in setting["samples"]:
            key = sample["dataset"], sample["index"]
            total[key] = total.get(key, 0.0) + (sample["seconds"] or 0.0)
    return [total[sample["dataset"], sample["index"]] for sample in report["goals"][0]["samples"]]


def write_csv(path: Path, rows: Sequence[Row]) -> None:
    """All rows."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [one.name for one in fields(Row)])
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in asdict(row).items()})
