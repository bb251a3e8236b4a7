"""How much memory one analysis takes: run in a process of its own, which imports little else."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from pyprover.domains.base import Box
from pyprover.domains.zonotope import Propagation, propagate
from pyprover.graph import Graph, Node, Operator
from pyprover.memory import resident_memory
from pyprover.ops import Conv, Dense, Relu, Reshape
from tests.python.noise_storages import STORAGES


def never() -> None:
    """No time limit."""


def network() -> Graph:
    """Two convolutions and two matrices, on images of CIFAR-10."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        weight = torch.randn(*shape, generator=generator, dtype=torch.float64)
        return weight / weight[0].numel() ** 0.5

    def zeros(size: int) -> torch.Tensor:
        return torch.zeros(size, dtype=torch.float64)

    convs: list[Operator] = [
        Conv(normal(16, 3, 4, 4), zeros(16), (2, 2), (1, 1)),
        Relu(),
        Conv(normal(32, 16, 4, 4), zeros(32), (2, 2), (1, 1)),
        Relu(),
    ]
    graph = Graph((3, 32, 32), ())
    for op in (
        *convs,
        Reshape((2048,)),
        Dense(normal(100, 2048), zeros(100)),
        Relu(),
        Dense(normal(10, 100), zeros(10)),
    ):
        node = Node(op, (graph.output,), op.shape(graph.shapes[-1]), "")
        graph = Graph(graph.input_shape, (*graph.nodes, node))
    return graph


def peak_memory() -> int:
    """The most that this process has held since the peak was forgotten, in bytes."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return 1024 * int(line.split()[1])


def measure(storage: str) -> None:
    """Print, in bytes: by how much the process has grown at most, and the largest matrix of dense noise."""
    torch.set_num_threads(1)
    graph = network()
    centre = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    box, largest = Box(centre - 0.01, centre + 0.01), 0
    propagate(graph, Box(centre, centre + 0.01 * (centre > 0.99)), never, STORAGES[storage])  # loads what it needs
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak
    before = resident_memory()
    propagation = Propagation(graph, box, never, STORAGES[storage])
    for k, shape in enumerate(graph.shapes):
        largest = max(largest, 8 * propagation.value(k).noise.symbols * torch.Size(shape).numel())
    print(json.dumps([peak_memory() - before, largest]))
