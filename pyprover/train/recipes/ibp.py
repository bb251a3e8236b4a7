"""Training on interval bounds."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from typing_extensions import override

from pyprover.train import shi
from pyprover.train.bounds import label_margins
from pyprover.train.losses import worst_case
from pyprover.train.options import option
from pyprover.train.recipes.base import Aim, Recipe, RecipeOptions, Step

REGULARISER = "weight of Shi's regularisers while the radius grows"


def interval_loss(step: Step) -> Tensor:
    """Return the cross-entropy of the scores that intervals allow at worst over the region."""
    return worst_case(label_margins(step.network, step.enclosure.features, step.labels), step.labels)


def warm_up_term(step: Step, weight: float) -> Tensor:
    """Return Shi's regularisers over the region, fading as the radius grows."""
    fading = weight * (1 - step.growth)
    return fading * shi.regulariser(step.enclosure) if fading > 0 else step.images.new_zeros(())


@dataclass(frozen=True)
class Ibp(RecipeOptions):
    """Cross-entropy of worst-case scores by interval bound propagation, from Shi's initial weights.

    Sources: Gowal et al. 2019 (arXiv 1810.12715); Shi et al. 2021 (arXiv 2103.17268).
    """

    clean: float = option(0.0, "weight of the clean loss at the full radius (kappa; it falls from 1)", least=0, most=1)
    regularise: float = option(0.5, REGULARISER, least=0)

    @override
    def build(self) -> Recipe:
        return Recipe(self.loss, Aim.CERTIFIED, prepare=shi.initialise)

    def loss(self, step: Step) -> Tensor:
        """Mix the clean and the worst-case loss; with `clean = 0` the latter alone, as Shi et al. do."""
        loss = interval_loss(step)
        if self.clean > 0:
            kappa = 1 - step.growth * (1 - self.clean)
            loss = kappa * step.clean + (1 - kappa) * loss
        return loss + warm_up_term(step, self.regularise)
