"""The cost of bounding all classes at the root: CPU seconds an image, memory, margins.

Each network is bounded twice in the same minutes, in two processes: as the prover does, and with whole rows only, as
it did before it had patches. Seconds depend on what else the machine does; the ratio hardly does, and the margins must
be the same. Regions have 2/255 (ResNet 3b: 1/255) around the first test images of CIFAR-10 that are classified right.
`vgg` has random weights and 74 thousand ReLUs: only its cost and memory mean something.

    python bench/root_bounds.py                     the table; needs the networks of VNN-LIB sets in the data folder
    python bench/root_bounds.py base --images 20

Exits with 1 when the margins of the two ways differ.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from pyprover.data.lookup import read_dataset
from pyprover.domains import refined
from pyprover.domains.analysis import linear_bounds
from pyprover.domains.base import Box
from pyprover.domains.linear import lower_bounds
from pyprover.domains.relaxation import Places, Rows
from pyprover.graph import Graph, Node, Operator
from pyprover.load import load
from pyprover.ops import Conv, Dense, Relu, Reshape
from pyprover.query import DatasetRef

DATA = Path(os.environ.get("CAISAR_EXT_DATA") or "~/.cache/caisar-ext").expanduser() / "nets"
WAYS = {"patches": (refined.MOST_ANCHORED, refined.OWN_ROWS), "whole rows": (0.0, sys.maxsize)}
"""What decides how forms are written."""


@dataclass(frozen=True)
class Case:
    """A network of a set, how it expects images to be normalised, and the radius in 255ths."""

    path: str
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    radius: int


CIFAR = (0.4914, 0.4822, 0.4465)
CASES = {
    "base": Case("oval21/onnx/cifar_base_kw.onnx", (0.485, 0.456, 0.406), (0.225,) * 3, 2),
    "wide": Case("oval21/onnx/cifar_wide_kw.onnx", (0.485, 0.456, 0.406), (0.225,) * 3, 2),
    "resnet_2b": Case("cifar10_resnet/onnx/resnet_2b.onnx", CIFAR, (0.2471, 0.2435, 0.2616), 2),
    "resnet_3b": Case(
        "sri_resnet_a/onnx/resnet_3b2_bn_mixup_adv_4.0_bs128_lr-1.onnx", CIFAR, (0.2023, 0.1994, 0.2010), 1
    ),
}
VGG = "vgg"
_VGG_RADIUS = 0.0004
_FEW_IMAGES = {"resnet_3b": 2, VGG: 1}
"""For networks that take seconds an image."""


@dataclass(frozen=True)
class Measured:
    """What one way gave: seconds an image, the best of the repetitions; peak memory in MB; least margins of images."""

    seconds: float
    memory: int
    imports: int
    margins: list[float]


def vgg() -> Graph:
    """Six convolutions with random weights of He et al.'s scale, and two dense layers."""
    torch.manual_seed(0)
    nodes: list[Node] = []
    shapes: list[tuple[int, ...]] = [(3, 32, 32)]

    def put(op: Operator) -> None:
        shapes.append(op.shape(shapes[-1]))
        nodes.append(Node(op, (len(nodes),), shapes[-1], type(op).__name__))

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, dtype=torch.float64) * (2 / np.prod(shape[1:])) ** 0.5

    for outputs, stride in ((32, 1), (16, 1), (32, 2), (32, 1), (64, 2), (64, 1)):
        bias = 0.05 * torch.randn(outputs, dtype=torch.float64)
        put(Conv(random(outputs, shapes[-1][0], 3, 3), bias, (stride, stride), (1, 1)))
        put(Relu())
    put(Reshape((int(np.prod(shapes[-1])),)))
    for inputs, outputs in pairwise((shapes[-1][0], 128, 10)):
        if inputs == 128:
            put(Relu())
        put(Dense(random(outputs, inputs), torch.zeros(outputs, dtype=torch.float64)))
    return Graph((3, 32, 32), tuple(nodes))


def regions_of(name: str, count: int) -> tuple[Graph, Box, Tensor]:
    """The network, regions (images, channels, height, width) in its inputs, and the classes to keep."""
    if name == VGG:
        graph, centres = vgg(), torch.rand(count, 3, 32, 32, dtype=torch.float64)
        return graph, Box(centres - _VGG_RADIUS, centres + _VGG_RADIUS), graph.forward(centres).argmax(1)
    case = CASES[name]
    graph = load(str(DATA / case.path)).graph.to(torch.float64)
    data = read_dataset(DatasetRef("cifar10:test", "."), None)
    images = torch.from_numpy(np.asarray(data.samples[: 4 * count], np.float64)) / 255
    labels = torch.from_numpy(np.asarray(data.labels[: 4 * count], np.int64))
    mean, deviation = (torch.tensor(v, dtype=torch.float64)[:, None, None] for v in (case.mean, case.deviation))
    right = graph.forward((images - mean) / deviation).argmax(1) == labels
    images, labels = images[right][:count], labels[right][:count]
    lower, upper = ((images + way * case.radius / 255).clamp(0, 1) for way in (-1, 1))
    return graph, Box((lower - mean) / deviation, (upper - mean) / deviation), labels


def least_margin(graph: Graph, region: Box, label: int) -> float:
    """The least lead of the label over another class, in one region, that linear bounds prove."""
    network = linear_bounds(graph, region, lambda: None)
    unit = torch.eye(graph.outputs, dtype=torch.float64)
    others = [k for k in range(graph.outputs) if k != label]
    rows = Rows(Places(torch.zeros(len(others), dtype=torch.int64)), unit[label] - unit[others])
    return float(lower_bounds(network, graph.output, rows).amin())


def measure(name: str, count: int, repeat: int) -> Measured:
    """Bound image by image, in this process."""
    torch.set_num_threads(1)
    graph, regions, labels = regions_of(name, count)
    imports = _peak()
    seconds, margins = float("inf"), []
    with torch.inference_mode():
        for _ in range(repeat):
            start = time.process_time()
            margins = [
                least_margin(graph, Box(lower[None], upper[None]), label)
                for lower, upper, label in zip(regions.lower, regions.upper, labels.tolist(), strict=True)
            ]
            seconds = min(seconds, (time.process_time() - start) / len(margins))
    return Measured(seconds, _peak(), imports, margins)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def measured_apart(name: str, way: str, options: argparse.Namespace) -> Measured:
    """The same in a process of its own."""
    images = min(options.images, _FEW_IMAGES.get(name, options.images))
    arguments = ["--way", way, "--images", str(images), "--repeat", str(options.repeat)]
    command = [sys.executable, __file__, name, *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        sys.exit(f"{' '.join(command)} ended with {run.returncode}:\n{run.stderr}")
    return Measured(**json.loads(run.stdout))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table; with ``--way`` the figures of one network as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", help=f"of {', '.join([*CASES, VGG])} (default: all)")
    parser.add_argument("--images", type=int, default=10, help="images a network (default %(default)s)")
    parser.add_argument("--repeat", type=int, default=3, help="repetitions, of which the best counts")
    parser.add_argument("--way", choices=WAYS, help="measure one network in this process, print JSON")
    options = parser.parse_args(arguments)
    names = options.networks or [*CASES, VGG]
    if unknown := set(names) - {*CASES, VGG}:
        parser.error(f"no such network: {', '.join(sorted(unknown))}")
    if options.way is not None:
        anchored, rows = WAYS[options.way]
        with patch.object(refined, "MOST_ANCHORED", anchored), patch.object(refined, "OWN_ROWS", rows):
            print(json.dumps(asdict(measure(names[0], options.images, options.repeat))))
        return
    if not compare(names, options):
        sys.exit("the two ways give different margins")


def compare(names: Sequence[str], options: argparse.Namespace) -> bool:
    """Print the table; whether both ways give the same margins."""
    table = Table(title="linear bounds of all classes at the root, image by image, one thread, float64")
    for heading in ("network", "way", "CPU s", "ratio", "peak MB", "proven", "mean margin", "least"):
        table.add_column(heading, justify="left" if heading in ("network", "way") else "right")
    same = True
    for name in names:
        found = [measured_apart(name, way, options) for way in WAYS]
        same &= bool(np.allclose(found[0].margins, found[1].margins, rtol=1e-6, atol=1e-9))
        for way, line in zip(WAYS, found, strict=True):
            proven = f"{sum(m > 0 for m in line.margins)}/{len(line.margins)}"
            figures = (f"{np.mean(line.margins):.4f}", f"{min(line.margins):.4f}")
            memory = f"{line.memory} (+{line.memory - line.imports})"
            ratio = f"{line.seconds / found[-1].seconds:.2f}"
            table.add_row(name, way, f"{line.seconds:.3f}", ratio, memory, proven, *figures)
        table.add_section()
    Console(width=110).print(table)
    return same


if __name__ == "__main__":
    main()
