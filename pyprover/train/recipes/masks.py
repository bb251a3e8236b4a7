"""Masks on parameters: what is pruned is multiplied by 0, and may be left out when the network is written."""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from typing_extensions import override


class EntryMask(nn.Module):
    """One factor, 0 or 1, for each entry of a parameter."""

    factors: Tensor

    def __init__(self, parameter: Tensor) -> None:
        super().__init__()
        self.register_buffer("factors", torch.ones_like(parameter, requires_grad=False))

    @override
    def forward(self, parameter: Tensor) -> Tensor:
        return parameter * self.factors


class RowMask(nn.Module):
    """One factor, 0 or 1, for each entry along the first axis of a parameter: an output channel."""

    factors: Tensor

    def __init__(self, parameter: Tensor) -> None:
        super().__init__()
        self.register_buffer("factors", torch.ones(len(parameter), device=parameter.device))

    @override
    def forward(self, parameter: Tensor) -> Tensor:
        return parameter * self.factors.view(-1, *(1 for _ in parameter.shape[1:]))


Mask = TypeVar("Mask", EntryMask, RowMask)


def add_mask(layer: nn.Module, name: str, kind: type[Mask]) -> None:
    """Put a mask of ones on a parameter of the layer."""
    parametrize.register_parametrization(layer, name, kind(getattr(layer, name)))


def masks_of(layer: nn.Module, name: str, kind: type[Mask]) -> list[Mask]:
    """Return the masks of this kind on a parameter of the layer."""
    if not parametrize.is_parametrized(layer, name):
        return []
    return [one for one in layer.parametrizations[name] if isinstance(one, kind)]  # type: ignore[index]


def reached(done: float, start: float, end: float, rounds: int) -> float:
    """Return the part of the final sparsity that is due when this share of the epochs is done.

    The first of the rounds is at `start`, the last at `end`; one round is at `start`. Early rounds prune more:
    1 - (1 - k / rounds)^3 after k rounds, Zhu & Gupta 2017 (arXiv 1710.01878), equation 1.
    """
    if done < start:
        return 0.0
    if rounds == 1 or done >= end:
        return 1.0
    k = 1 + math.floor((done - start) / (end - start) * (rounds - 1))
    return 1 - (1 - k / rounds) ** 3
