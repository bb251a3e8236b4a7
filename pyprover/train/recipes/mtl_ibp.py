"""Training on a mixture of an adversarial and an interval loss."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from typing_extensions import override

from pyprover.train import shi
from pyprover.train.options import option
from pyprover.train.recipes.base import Aim, Recipe, RecipeOptions, Step
from pyprover.train.recipes.ibp import REGULARISER, interval_loss, warm_up_term


@dataclass(frozen=True)
class MtlIbp(RecipeOptions):
    """Cross-entropy at an adversarial point, mixed with that of worst-case scores by intervals.

    Source: De Palma et al. 2024, expressive losses (arXiv 2305.13991).
    """

    weight: float = option(0.1, "of the interval loss (alpha), of the whole", least=0, most=1)
    steps: int = option(1, "steps of the attack", least=1)
    reach: float = option(1.0, "radius of the attack over that of the intervals", above=0)
    regularise: float = option(0.5, REGULARISER, least=0)

    @override
    def build(self) -> Recipe:
        return Recipe(self.loss, Aim.CERTIFIED, prepare=shi.initialise)

    def loss(self, step: Step) -> Tensor:
        """Return the mean over the batch; at radius 0, the clean loss and the regularisers."""
        if step.growth == 0:
            return step.clean + warm_up_term(step, self.regularise)
        attacked = step.entropy(step.adversarial(step.region(self.reach), self.steps)).mean()
        mixed = (1 - self.weight) * attacked + self.weight * interval_loss(step)
        return mixed + warm_up_term(step, self.regularise)
