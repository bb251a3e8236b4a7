"""Training on interval bounds of small boxes."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from typing_extensions import override

from pyprover.train import shi
from pyprover.train.bounds import Box, enclose, label_margins
from pyprover.train.losses import worst_case
from pyprover.train.options import option
from pyprover.train.recipes.base import Aim, Recipe, RecipeOptions, Step
from pyprover.train.recipes.ibp import REGULARISER, warm_up_term

RATIO = "radius of the small boxes over that of the region (lambda): 1 is IBP"


def around(points: Tensor, region: Box, ratio: float) -> Box:
    """Return boxes of `ratio` times the region's radius around points of `inner(region, ratio)`."""
    return Box(points - region.radius * ratio, points + region.radius * ratio)


def inner(region: Box, ratio: float) -> Box:
    """Return where the centres of boxes of `ratio` times the region's radius may lie."""
    reach = region.radius * (1 - ratio)
    return Box(region.centre - reach, region.centre + reach)


def small_box(step: Step, region: Box, ratio: float, steps: int) -> Box:
    """Pick a box of `ratio` times the region's radius, inside it, where the cross-entropy is high."""
    return region if ratio >= 1 else around(step.adversarial(inner(region, ratio), steps), region, ratio)


@dataclass(frozen=True)
class Sabr(RecipeOptions):
    """Worst-case scores, by intervals, in a small box around an adversarial point.

    Source: Mueller et al. 2023 (arXiv 2210.04871).
    """

    ratio: float = option(0.4, RATIO, above=0, most=1)
    steps: int = option(8, "steps of the attack", least=1)
    regularise: float = option(0.5, REGULARISER, least=0)

    @override
    def build(self) -> Recipe:
        return Recipe(self.loss, Aim.CERTIFIED, prepare=shi.initialise)

    def loss(self, step: Step) -> Tensor:
        """Return the mean over the batch; at radius 0, the clean loss and the regularisers."""
        if step.growth == 0:
            return step.clean + warm_up_term(step, self.regularise)
        box = small_box(step, step.region(), self.ratio, self.steps)
        margins = label_margins(step.network, enclose(step.network, box).features, step.labels)
        return worst_case(margins, step.labels) + warm_up_term(step, self.regularise)
