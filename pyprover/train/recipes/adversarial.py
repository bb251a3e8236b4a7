"""Adversarial training: robust in practice, hard to prove."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from pyprover.train.attack import ascend, even_steps
from pyprover.train.options import option
from pyprover.train.recipes.base import Aim, Recipe, RecipeOptions, Step


@dataclass(frozen=True)
class Pgd(RecipeOptions):
    """Cross-entropy at points found by projected gradient ascent.

    Source: Madry et al. 2018 (arXiv 1706.06083).
    """

    steps: int = option(7, "steps of the attack", least=1)

    @override
    def build(self) -> Recipe:
        return Recipe(self.loss, Aim.ATTACKED)

    def loss(self, step: Step) -> Tensor:
        """Return the mean over the batch; at radius 0, without an attack."""
        if step.growth == 0:
            return step.clean
        return step.entropy(step.adversarial(step.region(), self.steps)).mean()


@dataclass(frozen=True)
class Trades(RecipeOptions):
    """Cross-entropy at the images, and how far the answer's distribution moves within the region.

    Source: Zhang et al. 2019 (arXiv 1901.08573).
    """

    steps: int = option(7, "steps of the attack", least=1)
    weight: float = option(6.0, "of the move: 1 / lambda in the paper", least=0)

    @override
    def build(self) -> Recipe:
        return Recipe(self.loss, Aim.ATTACKED)

    def loss(self, step: Step) -> Tensor:
        """Return the mean over the batch of CE(f(x), y) + weight KL(f(x) || f(x')), x' being sought for the latter."""
        if step.growth == 0:
            return step.clean
        fixed = step.scores.detach().log_softmax(1)

        def divergence(points: Tensor) -> Tensor:
            return _divergence(fixed, step.network(points).log_softmax(1))

        points = ascend(divergence, step.region(), even_steps(self.steps))
        moved = _divergence(step.scores.log_softmax(1), step.network(points).log_softmax(1))
        return step.clean + self.weight * moved.mean()


def _divergence(of: Tensor, others: Tensor) -> Tensor:
    """Return the Kullback-Leibler divergence of `others` from `of`, log-probabilities (B, C), a sample, (B,)."""
    return functional.kl_div(others, of, reduction="none", log_target=True).sum(1)
