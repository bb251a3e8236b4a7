"""Random networks of the intermediate form: what convolutional networks are made of, in any order."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np
import torch
from torch import Tensor

from pyprover.graph import Graph, Node, Operator, Shape
from pyprover.ops import (
    Add,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Gather,
    MaxPool,
    Pad,
    Product,
    Relu,
    Reshape,
    Scale,
    Sigmoid,
    Transpose,
)

INPUT: Shape = (2, 6, 5)


class _Drawn:
    """A network that grows by random steps; each may read any value so far, so that branches meet."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.shapes: list[Shape] = [INPUT]
        self.nodes: list[Node] = []

    def emit(self, op: Operator, *inputs: int) -> int:
        """The number of the result."""
        shape = op.shape(*(self.shapes[v] for v in inputs))
        self.nodes.append(Node(op, inputs, shape, f"n{len(self.nodes)}"))
        self.shapes.append(shape)
        return len(self.nodes)

    def normal(self, *shape: int) -> Tensor:
        return torch.from_numpy(self.random.normal(size=shape))

    def pair(self, low: int, high: int) -> tuple[int, int]:
        first, second = self.random.integers(low, high, 2, endpoint=True).tolist()
        return first, second

    def conv(self, x: int) -> int:
        channels, *plane = self.shapes[x]
        groups = int(self.random.choice([g for g in (1, 2) if channels % g == 0]))
        kernel = tuple(min(a, b) for a, b in zip(self.pair(1, 3), plane, strict=True))
        weight = self.normal(2 * groups, channels // groups, *kernel) / np.sqrt(channels // groups * prod(kernel))
        op = Conv(weight, self.normal(2 * groups), self.pair(1, 2), self.pair(0, 2), groups=groups)
        if min(plane) >= 5:
            op = Conv(op.weight, op.bias, op.stride, op.padding, self.pair(1, 2), groups)
        return self.emit(op, x)

    def transposed(self, x: int) -> int:
        channels, *plane = self.shapes[x]
        groups = int(self.random.choice([g for g in (1, 2) if channels % g == 0]))
        stride = self.pair(1, 2) if prod(plane) < 30 else (1, 1)
        extra = (stride[0] - 1, 0)
        weight = self.normal(channels, 1, 2, 3) / np.sqrt(channels * 3)
        return self.emit(ConvTranspose(weight, self.normal(groups), stride, (0, 1), extra, groups=groups), x)

    def maximum(self, x: int) -> int:
        height, width = self.shapes[x][1:]
        kernel = (min(2, height), min(int(self.random.integers(1, 3, endpoint=True)), width))
        return self.emit(MaxPool(kernel, self.pair(1, 2), (0, kernel[1] // 2)), x)

    def average(self, x: int) -> int:
        channels, height, width = self.shapes[x]
        kernel = (min(2, height), min(2, width))
        weight = torch.full((channels, 1, *kernel), 1 / prod(kernel), dtype=torch.float64)
        return self.emit(Conv(weight, torch.zeros(channels, dtype=torch.float64), self.pair(1, 2), groups=channels), x)

    def batch_norm(self, x: int) -> int:
        channels = self.shapes[x][0]
        return self.emit(Scale(self.normal(channels, 1, 1), self.normal(channels, 1, 1)), x)

    def activation(self, x: int) -> int:
        return self.emit(self.random.choice([Relu(), Relu(), Relu(0.2), Sigmoid()]), x)

    def join(self, x: int) -> int:
        """A sum with another value, or itself; or both side by side; or their product."""
        same = [v for v, shape in enumerate(self.shapes) if shape == self.shapes[x]]
        other = int(self.random.choice(same))
        way = self.random.choice(["add", "add", "add", "concat", "product"])
        if way == "add":
            return self.emit(Add(), *self.random.permutation([x, other]).tolist(), *([x] if other % 3 == 1 else []))
        if way == "concat":
            return self.emit(Concat(int(self.random.integers(3))), x, other)
        parts = [self.emit(Reshape((*self.shapes[x], 1)), v) for v in (x, other)]
        return self.emit(Product(), self.emit(Concat(3), *parts))

    def moved(self, x: int) -> int:
        """Cells in other places, some of them twice, some gone, some new."""
        shape = self.shapes[x]
        way = self.random.choice(["transpose", "gather", "pad", "reshape"])
        if way == "transpose":
            return self.emit(Transpose(tuple(self.random.permutation(3).tolist())), x)
        if way == "gather":
            axis = int(self.random.integers(3))
            return self.emit(Gather(axis, tuple(self.random.integers(0, shape[axis], 4).tolist())), x)
        if way == "pad":
            return self.emit(Pad((0, 1, 1, 0)), x)
        return self.emit(Reshape((shape[0] * shape[1], 1, shape[2])), x)

    def rows(self, x: int) -> int:
        """A matrix along the last axis only."""
        width = self.shapes[x][-1]
        return self.emit(Dense(self.normal(4, width) / np.sqrt(width), self.normal(4)), x)


def random_graph(seed: int, steps: int = 7) -> Graph:
    """A network of planes (2, 6, 5) with a dense end of three outputs."""
    drawn = _Drawn(seed)
    ways: list[Callable[[int], int]] = [
        *[drawn.conv] * 4,
        *[drawn.activation] * 4,
        *[drawn.join] * 3,
        drawn.transposed,
        drawn.maximum,
        drawn.average,
        drawn.batch_norm,
        drawn.moved,
        drawn.rows,
    ]
    x = drawn.conv(0)
    for way in drawn.random.choice(len(ways), steps).tolist():
        start = x if drawn.random.random() < 0.7 else int(drawn.random.integers(len(drawn.shapes)))
        if len(drawn.shapes[start]) != 3 or prod(drawn.shapes[start]) > 250:
            start = 0
        x = ways[way](start)
    x = drawn.emit(Reshape((prod(drawn.shapes[x]),)), x)
    for width in (5, 3):
        size = drawn.shapes[x][0]
        x = drawn.emit(Dense(drawn.normal(width, size) / np.sqrt(size), drawn.normal(width)), x)
        x = drawn.emit(Relu(), x) if width == 5 else x
    return Graph(INPUT, tuple(drawn.nodes))
