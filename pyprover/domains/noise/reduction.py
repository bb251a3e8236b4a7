"""Fewer noise symbols: the largest are kept; what the others can add up to is handed back, for a box.

Girard, *Reachability of uncertain linear systems using zonotopes*, HSCC 2005, section 3.4.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pyprover.domains.noise.base import Noise
from pyprover.domains.noise.dense import DenseNoise


def strongest(noise: Noise, most: int) -> Tensor | None:
    """The numbers of the symbols that move a value most: in each region so many, ascending, (batch, most).

    ``None`` when there are no more.
    """
    if noise.symbols <= most:
        return None
    strength = torch.stack([generator.abs().flatten(1).sum(1) for generator in noise.dense().unbind(1)], dim=1)
    return strength.topk(most, dim=1).indices.sort(dim=1).values


def only(noise: Noise, numbers: Tensor) -> tuple[DenseNoise, Tensor]:
    """The symbols of these numbers (batch, count), renumbered in this order, and the radius of all others.

    Numbers that a value does not know move nothing in it. The radius (batch, *shape) is a sum of ``noise.symbols``
    terms at most, rounded.
    """
    generators = noise.dense()
    known = numbers < noise.symbols
    count = int(known.sum(1).max()) if numbers.numel() else 0
    kept = generators.new_zeros(len(generators), count, *generators.shape[2:])
    dropped = torch.zeros_like(generators[:, :0].sum(1))
    for region, all_ in enumerate(generators):
        mine = numbers[region][known[region]]
        kept[region, : len(mine)] = all_[mine]
        for symbol in sorted(set(range(noise.symbols)) - set(mine.tolist())):
            dropped[region] += all_[symbol].abs()
    return DenseNoise(kept), dropped


def largest(size: Tensor, mask: Tensor, most: int) -> Tensor:
    """Of the entries in a mask (batch, *shape), in each region those of the largest size, at most so many."""
    if int(mask.flatten(1).sum(1).max()) <= most:
        return mask
    places = size.abs().where(mask, -1.0).flatten(1).topk(most, dim=1).indices
    return torch.zeros_like(mask.flatten(1)).scatter(1, places, value=True).reshape(mask.shape) & mask
