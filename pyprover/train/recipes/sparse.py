"""Regularisers that make networks easier to prove: few unstable ReLUs, small weights."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor
from typing_extensions import override

from pyprover.train.layers import weighted
from pyprover.train.options import option
from pyprover.train.recipes.adversarial import Pgd
from pyprover.train.recipes.base import Recipe, RecipeOptions, Step

BASE = "the recipe that this one adds to: a table with its name and options"


def instability(step: Step) -> Tensor:
    """Return the mean over the batch of sum over units of -tanh(1 + l u), for bounds l <= z <= u of ReLU inputs.

    Least where all bounds have one sign. Source: Xiao et al. 2019 (arXiv 1809.03008).
    """
    terms = [-(1 + box.lower * box.upper).tanh().flatten(1).sum(1) for box in step.enclosure.activations.values()]
    return sum(terms, start=step.images.new_zeros(len(step.labels))).mean()


@dataclass(frozen=True)
class ReluStability(RecipeOptions):
    """A recipe and a punishment of ReLUs that can be on and off within the region.

    Source: Xiao et al. 2019 (arXiv 1809.03008).
    """

    base: RecipeOptions = option(Pgd(), BASE)
    weight: float = option(1e-4, "of the punishment, a unit and sample", least=0)

    @override
    def build(self) -> Recipe:
        base = self.base.build()
        return replace(base, loss=lambda step: base.loss(step) + self.weight * step.growth * instability(step))


@dataclass(frozen=True)
class L1(RecipeOptions):
    """A recipe and the sum of the absolute values of all weights, biases excepted."""

    base: RecipeOptions = option(Pgd(), BASE)
    weight: float = option(1e-5, "of the sum", least=0)

    @override
    def build(self) -> Recipe:
        base = self.base.build()
        return replace(base, loss=lambda step: base.loss(step) + self.weight * weight_norm(step))


def weight_norm(step: Step) -> Tensor:
    """Return the sum of the absolute values of the weights of all convolutions and dense layers."""
    norms = [layer.weight.abs().sum() for layer in weighted(step.network)]
    return sum(norms, start=step.images.new_zeros(()))
