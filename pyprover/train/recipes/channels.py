"""Pruning of whole channels and units, which leaves a smaller network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor, nn
from typing_extensions import override

from pyprover.errors import UserError
from pyprover.train.layers import BatchNorm, MaxMin
from pyprover.train.options import option
from pyprover.train.recipes.base import Recipe, RecipeOptions
from pyprover.train.recipes.masks import RowMask, add_mask, masks_of, reached
from pyprover.train.recipes.sparse import BASE
from pyprover.train.recipes.standard import Standard


@dataclass(frozen=True)
class Channels(RecipeOptions):
    """A recipe whose channels and units of least weight are taken out, layer by layer, the others being trained on.

    A channel's rank is the sum of the absolute values of its weights: Li et al. 2017 (arXiv 1608.08710). The file that
    is written has only those that are left.
    """

    base: RecipeOptions = option(Standard(), BASE)
    sparsity: float = option(0.5, "share of each hidden layer's channels that go", least=0, below=1)
    rounds: int = option(1, "1: one-shot; more: iterative", least=1)
    start: float = option(0.5, "share of the epochs before the first round", least=0, most=1)
    end: float = option(0.75, "share of the epochs at the last of several rounds", least=0, most=1)

    @override
    def build(self) -> Recipe:
        base = self.base.build()

        def prepare(network: nn.Sequential) -> None:
            if any(isinstance(layer, MaxMin) for layer in network):
                raise UserError("channels cannot be pruned where maxmin pairs them", 'set `activation = "relu"`')
            base.prepare(network)
            for layer, norm in hidden(network):
                for one in (layer,) if norm is None else (layer, norm):
                    add_mask(one, "weight", RowMask)
                    add_mask(one, "bias", RowMask)

        def between(network: nn.Sequential, done: float) -> None:
            base.between(network, done)
            share = self.sparsity * reached(done, self.start, self.end, self.rounds)
            for layer, norm in hidden(network):
                kept = largest(layer.weight, share)
                for one in (layer,) if norm is None else (layer, norm):
                    for mask in (*masks_of(one, "weight", RowMask), *masks_of(one, "bias", RowMask)):
                        mask.factors.copy_(kept)

        settled = self.start if self.rounds == 1 else max(self.start, self.end)
        return replace(base, prepare=prepare, between=between, settled=max(base.settled, settled))


def hidden(network: nn.Sequential) -> Iterator[tuple[nn.Conv2d | nn.Linear, BatchNorm | None]]:
    """Return each convolution and dense layer but the last, with the batch normalisation that follows it, if any."""
    for layer, after in pairwise(network):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            yield layer, after if isinstance(after, BatchNorm) else None


def largest(weight: Tensor, share: float) -> Tensor:
    """Return 1 for each row of a weight that is kept, 0 for this share of them, the least; at least one is kept."""
    with torch.no_grad():
        sizes = weight.abs().flatten(1).sum(1)
    kept = torch.ones_like(sizes)
    kept[sizes.argsort(stable=True)[: min(round(share * len(sizes)), len(sizes) - 1)]] = 0
    return kept
