"""Zonotopes of outputs as networks over their noise symbols, so that all that is asked of a network is asked of them.

A zonotope is the image of the box [-1, 1]^symbols under an affine function, one for each region. A form over the
outputs is rewritten into one over the symbols exactly, up to rounding; its least value follows at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from pyprover.domains.base import Box, gamma
from pyprover.domains.linear import Linearised
from pyprover.domains.relaxation import Relaxation, Rows
from pyprover.domains.zonotope import Zonotope
from pyprover.graph import Graph, Node, Operator, Shape


@dataclass(frozen=True, eq=False)
class AffineImage(Operator):
    """``y = centre + e generators``, another function for each region; stands for what the analysis has replaced.

    ``centre`` (batch, outputs), ``generators`` (batch, symbols, outputs).
    """

    linear: ClassVar[bool] = False
    centre: Tensor
    generators: Tensor

    @override
    def shape(self, *inputs: Shape) -> Shape:
        if inputs != ((self.generators.shape[1],),):
            raise ValueError(f"{self.generators.shape[1]} symbols do not fit the shapes {inputs}")
        return (self.centre.shape[1],)

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        return self.centre + torch.einsum("bs,bso->bo", inputs[0], self.generators)


@dataclass(frozen=True, eq=False)
class _Exact(Relaxation):
    """An `AffineImage` needs no bounds but itself."""

    image: AffineImage

    @property
    @override
    def magnitude(self) -> Tensor:
        return (self.image.centre.abs() + self.image.generators.abs().sum(1)).amax(1)

    @override
    def substitute(self, rows: Rows) -> tuple[Tensor, Tensor]:
        places, generators = rows.places, self.image.generators
        constant = places.dot(rows.coef, self.image.centre)
        if places.single:
            return rows.coef @ generators[places.sample[0]].T, constant
        order = places.sample.argsort(
            stable=True
        )  # one product a region: generators are too large to copy for each row
        regions, counts = torch.unique(places.sample, return_counts=True)
        parts = torch.split(rows.coef[order], counts.tolist())
        forms = [part @ generators[region].T for region, part in zip(regions.tolist(), parts, strict=True)]
        return torch.cat(forms)[order.argsort()], constant


def linearised(parts: Sequence[Zonotope], symbols: int = 0) -> Linearised:
    """The network that zonotopes of outputs (batch, outputs) are, their batches one after the other.

    It has at least so many symbols, those that no part knows without effect.
    """
    symbols = max(symbols, *(part.noise.symbols for part in parts))
    generators = torch.cat(
        [functional.pad(part.noise.dense(), (0, 0, 0, symbols - part.noise.symbols)) for part in parts]
    )
    error = torch.cat([part.error for part in parts])
    centre = torch.cat([part.centre for part in parts])
    return as_network(AffineImage(centre, torch.cat([generators, error.diag_embed()], dim=1)))


def as_network(image: AffineImage) -> Linearised:
    """The network of symbols in [-1, 1] that an affine image is."""
    batch, width, outputs = image.generators.shape
    dtype = image.centre.dtype
    one = torch.ones(batch, width, dtype=dtype)
    graph = Graph((width,), (Node(image, (0,), (outputs,), "zonotope"),))
    exact = _Exact(image)
    slack = gamma(width + outputs + 8, dtype) * exact.magnitude
    return Linearised(graph, Box(-one, one), {0: exact}, [slack], gamma(2 * width + 8, dtype) * one[:, 0])
