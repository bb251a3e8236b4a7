"""The network over the rationals: what bounds are compared with, without tolerance."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod

import torch

from pyprover.domains.interval import homogeneous
from pyprover.graph import Graph, Node, Shape
from pyprover.ops import MaxPool, Relu

Point = Sequence[Fraction]


class Rational:
    """A network whose operators are affine, ReLUs or maxima, evaluated exactly.

    The matrix of an affine operator is read from its results at unit vectors, where nothing is rounded.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._affine = [self._read(node) if node.op.linear else None for node in graph.nodes]

    def _read(self, node: Node) -> tuple[list[list[tuple[int, Fraction]]], list[Fraction]]:
        shapes = [self.graph.shapes[value] for value in node.inputs]
        sizes = [prod(shape) for shape in shapes]
        offset = node.op.forward(*(torch.zeros(1, *shape, dtype=torch.float64) for shape in shapes))
        unit = torch.eye(sum(sizes), dtype=torch.float64).split(sizes, dim=1)
        inputs = (part.reshape(-1, *shape) for part, shape in zip(unit, shapes, strict=True))
        columns = homogeneous(node.op).forward(*inputs).flatten(1)
        rows = [[(k, Fraction(w)) for k, w in enumerate(row) if w] for row in columns.T.tolist()]
        return rows, [Fraction(b) for b in offset.flatten().tolist()]

    def values(self, point: Point) -> list[list[Fraction]]:
        """Every value of the network, flat."""
        values = [list(point)]
        for node, affine in zip(self.graph.nodes, self._affine, strict=True):
            inputs = [x for value in node.inputs for x in values[value]]
            if affine is not None:
                rows, offset = affine
                values.append([sum((w * inputs[k] for k, w in row), b) for row, b in zip(rows, offset, strict=True)])
            elif isinstance(node.op, Relu):
                slope = Fraction(node.op.slope)
                values.append([max(x, slope * x) for x in inputs])
            else:
                values.append(_pooled(node.op, inputs, self.graph.shapes[node.inputs[0]]))
        return values

    def outputs(self, point: Point) -> list[Fraction]:
        """The network's outputs."""
        return self.values(point)[-1]


def _pooled(op: object, inputs: Sequence[Fraction], shape: Shape) -> list[Fraction]:
    """Maxima over windows without padding or dilation."""
    assert isinstance(op, MaxPool)
    assert (op.padding, op.dilation) == ((0, 0), (1, 1))
    channels, height, width = op.shape(shape)
    return [
        max(
            inputs[(c * shape[1] + y * op.stride[0] + i) * shape[2] + x * op.stride[1] + j]
            for i in range(op.kernel[0])
            for j in range(op.kernel[1])
        )
        for c in range(channels)
        for y in range(height)
        for x in range(width)
    ]


def combined(weights: Sequence[float], constant: float, values: Sequence[Fraction]) -> Fraction:
    """A form with float64 coefficients at some values, exactly."""
    terms = (Fraction(w) * value for w, value in zip(weights, values, strict=True))
    return sum(terms, Fraction(constant))
