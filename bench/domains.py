"""What each domain and each product of domains proves alone, what it adds to the default ones, and what it costs.

Rows are regions of the examples' networks and, where the data folder has them, of official VNN-LIB instances. A region
is proven when every case is excluded by a bound on one margin, without the search and without combinations; *with
cases* tells how many are when open cases are tightened by their own inequalities (constrained zonotopes only). *Bound*
is the least bound on a case, the median over the regions. `docs/domains.md` shows the table.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from pyprover.data.lookup import read_dataset
from pyprover.domains.analysis import ANALYSES, CASCADE, RegionBounds
from pyprover.domains.base import Box
from pyprover.domains.linear import lower_bounds
from pyprover.domains.noise.base import TooLargeError
from pyprover.domains.relaxation import Places, Rows
from pyprover.engine.case import Case, beats, cases_of, matrix
from pyprover.engine.conditional import bounds_where
from pyprover.engine.weights import Ask, combine
from pyprover.graph import Graph
from pyprover.load import load
from pyprover.query import DatasetRef
from pyprover.vnnlib.cases import questions
from pyprover.vnnlib.instances import read_instances
from pyprover.vnnlib.reading import read

NETS = Path(os.environ.get("CAISAR_EXT_DATA") or "~/.cache/caisar-ext").expanduser() / "nets"
EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


@dataclass(frozen=True, eq=False)
class Task:
    """A region (1, *input_shape), and the cases that must not hold there."""

    graph: Graph
    region: Box
    cases: tuple[Case, ...]


@dataclass(frozen=True)
class Found:
    """What a domain makes of a task: the least bound on a case, without the cases' own inequalities and with them."""

    bound: float
    conditional: float
    seconds: float


@dataclass(frozen=True)
class Example:
    """Samples of a dataset, with a radius in 255ths."""

    network: Path
    dataset: str
    radius: int

    @property
    def name(self) -> str:
        """For the table."""
        return f"{self.network.stem}, {self.radius}/255"

    def tasks(self, count: int) -> Iterator[Task]:
        """The first samples."""
        graph = load(str(self.network)).graph.to(torch.float64)
        data = read_dataset(DatasetRef(self.dataset, str(self.network.parent)), None)
        for sample, label in zip(data.samples[:count], data.labels[:count].tolist(), strict=True):
            centre = torch.from_numpy(np.asarray(sample, np.float64))[None] / 255
            region = Box((centre - self.radius / 255).clamp(0, 1), (centre + self.radius / 255).clamp(0, 1))
            yield Task(graph, region, tuple(beats(j, [label]) for j in range(graph.outputs) if j != label))


@dataclass(frozen=True)
class Official:
    """Instances of an official set whose network's name has a part."""

    folder: str
    part: str

    @property
    def name(self) -> str:
        """For the table."""
        return f"{self.folder} {self.part}"

    def tasks(self, count: int) -> Iterator[Task]:
        """So many instances, evenly taken; none without the files."""
        listed = NETS / self.folder / "instances.csv"
        chosen = [it for it in read_instances(listed, None) if self.part in it.network] if listed.exists() else []
        for instance in chosen[:: max(1, len(chosen) // count)][:count]:
            network, prop = instance.files()
            graph = load(str(network)).graph.to(torch.float64)
            for question in questions(read(prop)):
                lower, upper = (torch.from_numpy(s).reshape(1, *graph.input_shape) for s in question.region.outward())
                yield Task(graph, Box(lower, upper), cases_of(question.avoid, graph.outputs))


TABLE = (
    Example(EXAMPLES / "cifar10/cifar10.onnx", "cifar10:test", 2),
    Example(EXAMPLES / "traffic_signs/signs.onnx", "signs_test.npz", 4),
    Official("mnist_fc", "256x2"),
    Official("mnist_fc", "256x4"),
    Official("oval21", "base"),
)


def attempt(domain: str, task: Task) -> Found | None:
    """One domain on one task; ``None`` where it needs too much memory."""
    start = time.process_time()
    try:
        bounds = RegionBounds(ANALYSES[domain](task.graph, task.region, lambda: None))
    except TooLargeError:
        return None
    network = bounds.linearised
    coef, constant = matrix([case.margins[0] for case in task.cases], task.graph.outputs)
    places = Places(torch.zeros(len(coef), dtype=torch.int64))
    found = lower_bounds(network, network.graph.output, Rows(places, coef)) + constant
    seconds = time.process_time() - start
    held = [_held(bounds, case, bound) for case, bound in zip(task.cases, found.tolist(), strict=True)]
    return Found(float(found.min()), min(held), seconds)


def _held(bounds: RegionBounds, case: Case, bound: float) -> float:
    """The bound on a case, where it is open with the inequalities of the case."""
    part = bounds_where(bounds, 0, case) if bound <= 0 else None
    return bound if part is None else max(bound, combine(part.linearised, [Ask(case, 0, 0)])[0].bound)


def lines(tasks: Sequence[Task]) -> Iterator[tuple[str, ...]]:
    """A line of the table for each domain."""
    found = {domain: [attempt(domain, task) for task in tasks] for domain in ANALYSES}
    proven = {domain: [it is not None and it.bound > 0 for it in results] for domain, results in found.items()}
    default = [any(proofs) for proofs in zip(*(proven[domain] for domain in CASCADE), strict=True)]
    for domain, results in found.items():
        fitting = [it for it in results if it is not None]
        if not fitting:
            yield domain, "too large", "", "", "", ""
            continue
        conditional = sum(it.conditional > 0 for it in fitting)
        yield (
            domain,
            f"{sum(proven[domain])}/{len(tasks)}",
            str(sum(one and not other for one, other in zip(proven[domain], default, strict=True))),
            str(conditional) if "constrained" in domain else "",
            f"{median(it.bound for it in fitting):.3f}",
            f"{median(it.seconds for it in fitting):.2f}",
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--regions", type=int, default=20, help="of each network")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    table = Table(title=f"each domain alone, {options.regions} regions of each network")
    for heading in ("network", "domain", "proven", "adds", "with cases", "bound", "CPU s"):
        table.add_column(heading, justify="left" if heading in ("network", "domain") else "right")
    with torch.no_grad():
        for source in TABLE:
            tasks = list(source.tasks(options.regions))
            for line in lines(tasks) if tasks else ():
                table.add_row(source.name, *line)
            table.add_section()
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
