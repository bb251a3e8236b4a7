"""Pruning of single weights by magnitude, at once or in rounds, around any recipe."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import nn
from typing_extensions import override

from pyprover.train.layers import weighted
from pyprover.train.options import option
from pyprover.train.recipes.base import Recipe, RecipeOptions
from pyprover.train.recipes.masks import EntryMask, add_mask, masks_of, reached
from pyprover.train.recipes.sparse import BASE
from pyprover.train.recipes.standard import Standard


@dataclass(frozen=True)
class Pruned(RecipeOptions):
    """A recipe whose smallest weights are set to 0, the others being trained on; biases stay.

    Sources: Han et al. 2015 (arXiv 1506.02626); with certified losses, Li et al. 2023 (NRSLoss, TMLR).
    """

    base: RecipeOptions = option(Standard(), BASE)
    sparsity: float = option(0.5, "share of weights that end as 0", least=0, below=1)
    rounds: int = option(1, "1: one-shot; more: iterative", least=1)
    start: float = option(0.5, "share of the epochs before the first round", least=0, most=1)
    end: float = option(0.75, "share of the epochs at the last of several rounds", least=0, most=1)
    scope: str = option("layer", "where weights are ranked together", choices=("layer", "network"))

    @override
    def build(self) -> Recipe:
        base = self.base.build()

        def prepare(network: nn.Sequential) -> None:
            base.prepare(network)
            for layer in weighted(network):
                add_mask(layer, "weight", EntryMask)

        def between(network: nn.Sequential, done: float) -> None:
            base.between(network, done)
            share = self.sparsity * reached(done, self.start, self.end, self.rounds)
            layers = weighted(network)
            for group in [[layer] for layer in layers] if self.scope == "layer" else [layers]:
                prune(group, share)

        settled = self.start if self.rounds == 1 else max(self.start, self.end)
        return replace(base, prepare=prepare, between=between, settled=max(base.settled, settled))


def prune(layers: list[nn.Conv2d | nn.Linear], share: float) -> None:
    """Mask this share of the layers' weights, those of least magnitude; those masked already are the first."""
    with torch.no_grad():
        magnitudes = torch.cat([layer.weight.abs().flatten() for layer in layers])
    kept = torch.ones_like(magnitudes)
    kept[magnitudes.argsort(stable=True)[: round(share * len(magnitudes))]] = 0
    parts = torch.split(kept, [layer.weight.numel() for layer in layers])
    for layer, part in zip(layers, parts, strict=True):
        for mask in masks_of(layer, "weight", EntryMask):
            mask.factors.copy_(part.view_as(mask.factors))
