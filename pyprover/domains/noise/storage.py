"""Which storage the noise of an analysis has, and steps on values of which each may have another."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from pyprover.domains.noise.base import Noise
from pyprover.domains.noise.dense import DenseNoise
from pyprover.graph import Operator, Shape

Storage = Callable[[Tensor], Noise]
"""Noise without symbols, for a value (batch, *shape): what is built on it has its storage."""


def alike(operands: Sequence[Noise]) -> list[Noise]:
    """Noise of one storage: where operands have different ones, what is needed is made dense."""
    if len({type(noise) for noise in operands}) == 1:
        return list(operands)
    return [noise if isinstance(noise, DenseNoise) else DenseNoise(noise.dense()) for noise in operands]


def image(op: Operator, operands: Sequence[Noise], shape: Shape) -> Noise:
    """The generators under the linear part of an operator, whose result has this shape."""
    first, *others = alike(operands)
    return first.through(op, others, shape)
