"""Sparse noise: its matrices are the operators, it holds what is not zero, and is right where it would turn dense."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
import pytest
import torch
from torch import Tensor

from pyprover.domains.base import Box
from pyprover.domains.noise import sparse
from pyprover.domains.noise.base import TooLargeError
from pyprover.domains.noise.sparse import SparseNoise
from pyprover.domains.noise.sparse_maps import conv_matrices, moves
from pyprover.domains.resources import Room
from pyprover.domains.zonotope import Propagation
from pyprover.graph import Graph, Operator, Shape
from pyprover.memory import held_memory
from pyprover.ops import Concat, Conv, Gather, Pad, Reshape, Transpose
from tests.python.random_graphs import random_graph
from tests.python.test_domains import GRAPHS, never
from tests.python.test_noise import assert_same, dense_values, regions, values

CONVS = [
    Conv(torch.ones(4, 2, 3, 2), torch.ones(4), stride, padding, dilation, groups)
    for stride, padding, dilation, groups in [
        ((1, 1), (0, 0), (1, 1), 1),
        ((2, 1), (1, 2), (1, 1), 1),
        ((3, 2), (2, 0), (2, 1), 1),
        ((1, 2), (1, 1), (1, 2), 2),
    ]
]


def applied(op: Operator, shapes: list[Shape]) -> list[Tensor]:
    """The matrix of a linear operator for each operand, (entries, entries of the result), column by column."""
    found = []
    for k, shape in enumerate(shapes):
        unit = torch.eye(prod(shape), dtype=torch.float64).reshape(-1, *shape)
        others = [torch.zeros(len(unit), *other, dtype=torch.float64) for other in shapes]
        found.append(op.forward(*others[:k], unit, *others[k + 1 :]).flatten(1))
    return found


@pytest.mark.parametrize("op", CONVS)
@pytest.mark.parametrize("limit", [1 << 30, 3700])
def test_convolutions_are_their_matrices(op: Conv, limit: int) -> None:
    """Whole, or for some output channels after others."""
    generator = torch.Generator().manual_seed(limit)
    weight = torch.randn(op.weight.shape, generator=generator, dtype=torch.float64)
    op = replace(op, weight=weight, bias=torch.zeros(4, dtype=torch.float64))
    shape = (2 * op.groups, 7, 6)
    limit = limit if op.groups == 1 else 1 << 30  # groups are not taken apart
    matrices = conv_matrices(op, shape, np.ones(42, dtype=bool), limit)
    assert matrices is not None
    parts = list(matrices)
    assert (len(parts) > 1) == (limit < 1 << 30)
    torch.testing.assert_close(torch.from_numpy(np.hstack([p.toarray() for p in parts])), *applied(op, [shape]))


def test_what_is_not_touched_needs_no_matrix() -> None:
    op = replace(CONVS[1], weight=CONVS[1].weight.double(), bias=torch.zeros(4, dtype=torch.float64))
    touched = np.arange(42) % 5 == 2
    matrices = conv_matrices(op, (2, 7, 6), touched, 1 << 30)
    assert matrices is not None
    (matrix,) = matrices
    (expected,) = applied(op, [(2, 7, 6)])
    rows = torch.from_numpy(np.tile(touched, 2))
    torch.testing.assert_close(torch.from_numpy(matrix.toarray()), expected * rows[:, None])
    assert conv_matrices(op, (2, 7, 6), touched, 100) is None


@pytest.mark.parametrize(
    ("op", "shapes"),
    [
        (Transpose((2, 0, 1)), [(2, 3, 4)]),
        (Gather(1, (2, 0, 2)), [(2, 3, 4)]),
        (Pad((1, 0, 0, 2)), [(2, 3, 4)]),
        (Concat(1), [(2, 3, 4), (2, 1, 4), (2, 2, 4)]),
    ],
)
def test_moves_are_their_matrices(op: Operator, shapes: list[Shape]) -> None:
    found = moves(op, shapes, np.float64)
    assert found is not None
    for matrix, expected in zip(found, applied(op, shapes), strict=True):
        assert torch.equal(torch.from_numpy(matrix.toarray()), expected)


def test_arithmetic_is_no_move() -> None:
    assert moves(CONVS[0], [(2, 7, 6)], np.float64) is None
    assert moves(Reshape((84,)), [(2, 7, 6)], np.float64) is None


@pytest.fixture
def always_sparse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small networks soon depend on all of their input; parts are small."""
    monkeypatch.setattr(sparse, "_DENSE_FROM", np.inf)
    monkeypatch.setattr(sparse, "_ROWS", 30)


def assert_right(graph: Graph, seed: int) -> int:
    """How many values are held sparse; all are what they should be."""
    found = values(graph, regions(graph, seed), "sparse")
    for value, expected in zip(found, dense_values(graph, seed), strict=True):
        assert_same(value, expected)
    return sum(isinstance(value.noise, SparseNoise) for value in found)


@pytest.mark.usefixtures("always_sparse")
@pytest.mark.parametrize("limit", [1 << 20, 3000, 0])
@pytest.mark.parametrize("seed", range(101, 107))
def test_all_that_stays_sparse(seed: int, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Convolutions by one matrix, by several, and through dense symbols."""
    monkeypatch.setattr(sparse, "_SMALL", limit)
    graph = random_graph(seed)
    assert assert_right(graph, seed) > 3


@pytest.mark.usefixtures("always_sparse")
@pytest.mark.parametrize("name", ["Conv", "ConvTranspose", "MaxPool", "Mul", "Pad", "AveragePool", "Transpose", "Add"])
def test_operators_that_stay_sparse(name: str) -> None:
    for (other, k), graph in GRAPHS.items():
        if other == name:
            assert assert_right(graph, k) > 1


def test_what_is_held_is_what_is_not_zero() -> None:
    graph = random_graph(0)
    region = regions(graph, 0)
    propagation = Propagation(graph, region, never, SparseNoise.none)
    noise = propagation.value(0).noise
    assert isinstance(noise, SparseNoise)
    coefficients = int((region.lower < region.upper).sum())
    assert sum(part.matrix.nnz for part in noise.parts) == coefficients
    rows = sum(part.matrix.shape[0] + 1 for part in noise.parts)
    assert noise.bytes == 12 * coefficients + 4 * rows


def test_what_is_scaled_to_nothing_is_let_go() -> None:
    graph = random_graph(0)
    noise = Propagation(graph, regions(graph, 0), never, SparseNoise.none).value(0).noise
    slope = torch.ones(noise.radius.shape, dtype=torch.float64)
    slope[:, 0] = 0
    left = noise.scaled(slope)
    assert left.bytes < 0.7 * noise.bytes
    assert left.symbols == noise.symbols
    assert noise.scaled(0 * slope).bytes == 0


def test_no_room_is_said() -> None:
    graph = random_graph(1)
    with Room(0, held_memory() - (1 << 20)).binding(), pytest.raises(TooLargeError, match="need"):
        values(graph, regions(graph, 1), "sparse")


def test_what_overflows_bounds_nothing() -> None:
    graph = random_graph(2)
    huge = torch.full((1, *graph.input_shape), 1e308, dtype=torch.float64)
    found = Propagation(graph, Box(-huge, huge), never, SparseNoise.none).value(graph.output).box
    assert not bool((found.lower > -1e300).any())
    assert not bool((found.upper < 1e300).any())
