"""What each domain of the prover proves alone on the examples' networks, what it adds to the others, and its cost.

A sample counts as proven for a domain when every other class is excluded by one margin, without the search and
without combinations. Needs CIFAR-10's test images (`cifar10:test`) in the data folder.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from pyprover.data.lookup import read_dataset
from pyprover.domains.analysis import ANALYSES, CASCADE
from pyprover.domains.base import Box
from pyprover.domains.linear import lower_bounds
from pyprover.domains.relaxation import Places, Rows
from pyprover.graph import Graph
from pyprover.load import load
from pyprover.query import DatasetRef

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
_BATCH = 20


@dataclass(frozen=True)
class Example:
    """A network and its samples, with the radii to try in 255ths."""

    network: Path
    dataset: str
    radii: tuple[int, ...]


TABLE = (
    Example(EXAMPLES / "cifar10/cifar10.onnx", "cifar10:test", (1, 2, 4)),
    Example(EXAMPLES / "traffic_signs/signs.onnx", "signs_test.npz", (2, 4, 6)),
)


def least_margins(graph: Graph, domain: str, regions: Box, labels: Tensor) -> Tensor:
    """The least bound on the lead of each region's label over the other classes: (batch,)."""
    batch, classes = len(labels), graph.outputs
    network = ANALYSES[domain](graph, regions, lambda: None)
    unit = torch.eye(classes, dtype=torch.float64)
    leads = (unit[labels][:, None] - unit).flatten(0, 1)
    rows = Rows(Places(torch.arange(batch).repeat_interleave(classes)), leads)
    bounds = lower_bounds(network, network.graph.output, rows).reshape(batch, classes)
    return bounds.masked_fill(unit[labels] > 0, torch.inf).amin(1)


def compare(example: Example, radius: int, count: int) -> list[tuple[str, ...]]:
    """A line of the table for each domain, and one for the default cascade."""
    graph = load(str(example.network)).graph
    data = read_dataset(DatasetRef(example.dataset, str(example.network.parent)), None)
    centres = torch.from_numpy(np.asarray(data.samples[:count], np.float64)) / 255
    labels = torch.from_numpy(np.asarray(data.labels[:count], np.int64))
    proven, seconds = {}, {}
    for domain in ANALYSES:
        start = time.process_time()
        margins = [
            least_margins(graph, domain, Box((x - radius / 255).clamp(0, 1), (x + radius / 255).clamp(0, 1)), y)
            for x, y in zip(torch.split(centres, _BATCH), torch.split(labels, _BATCH), strict=True)
        ]
        seconds[domain] = time.process_time() - start
        proven[domain] = torch.cat(margins) > 0
    cascade = torch.stack([proven[domain] for domain in CASCADE]).any(0)
    cost = sum(seconds[domain] for domain in CASCADE)
    name = (example.network.stem, f"{radius}/255")
    lines = [
        (*name, d, str(int(proven[d].sum())), str(int((proven[d] & ~cascade).sum())), f"{t:.1f}", f"{t / cost:.1f}")
        for d, t in seconds.items()
    ]
    return [*lines, (*name, "+".join(CASCADE), str(int(cascade.sum())), "", f"{cost:.1f}", "1.0")]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=100)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    table = Table(title=f"each domain alone, and what it adds to the default ones: first {options.samples} samples")
    for heading in ("network", "radius", "domain", "proven", "adds", "CPU s", "ratio"):
        table.add_column(heading, justify="left" if heading in ("network", "domain") else "right")
    with torch.inference_mode():
        for example in TABLE:
            for radius in example.radii:
                for line in compare(example, radius, options.samples):
                    table.add_row(*line)
                table.add_section()
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
