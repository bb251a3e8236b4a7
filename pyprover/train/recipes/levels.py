"""Certified training by level of a hierarchy."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from typing_extensions import override

from pyprover.train import shi
from pyprover.train.attack import ascend, even_steps
from pyprover.train.bounds import Box, enclose, pair_margins
from pyprover.train.losses import all_margins, group_loss
from pyprover.train.options import option
from pyprover.train.recipes.base import Aim, Recipe, RecipeOptions, Step
from pyprover.train.recipes.ibp import REGULARISER, warm_up_term
from pyprover.train.recipes.sabr import RATIO, around, inner, small_box


@dataclass(frozen=True)
class LevelTerm:
    """What one level asks for."""

    level: str = option("class", "`class`, `up K` or `cut NAME`")
    weight: float = option(1.0, "of this level's loss", least=0)
    factor: float = option(1.0, "radius at this level over the training radius", above=0)


@dataclass(frozen=True)
class ByLevel(RecipeOptions):
    """The worst case over the region is asked to stay in the class's group, at each level with its own weight.

    Every class outside the group is to be beaten, over a small box in the region, by some class inside
    (`losses.group_loss`). With the class level alone this is SABR, and IBP where the boxes fill the region.
    This project's own; the small boxes are those of Mueller et al. 2023.
    """

    levels: tuple[LevelTerm, ...] = option((LevelTerm(),), "one table a level: level, weight, factor")
    ratio: float = option(0.4, RATIO, above=0, most=1)
    steps: int = option(1, "steps of the attack", least=1)
    towards: str = option(
        "class",
        "where boxes lie: class, near where the class is lost (levels of one factor share it); level, the group",
        choices=("class", "level"),
    )
    regularise: float = option(0.0, REGULARISER, least=0)

    @override
    def build(self) -> Recipe:
        wanted = {term.level: term.weight for term in self.levels if term.weight > 0}
        return Recipe(self.loss, Aim.CERTIFIED, prepare=shi.initialise, levels=wanted)

    def loss(self, step: Step) -> Tensor:
        """Add up the levels; at radius 0, the clean loss of the class."""
        loss = warm_up_term(step, self.regularise)
        if step.growth == 0:
            return loss + step.clean
        shared: dict[float, Tensor] = {}
        for term in self.levels:
            if term.weight == 0:
                continue
            allowed = step.levels[term.level][step.labels]
            if self.towards == "level":
                margins = self._margins(step, self._near_loss_of_group(step, allowed, term.factor))
            else:
                if term.factor not in shared:
                    box = small_box(step, step.region(term.factor), self.ratio, self.steps)
                    shared[term.factor] = self._margins(step, box)
                margins = shared[term.factor]
            loss = loss + term.weight * group_loss(margins, allowed).mean()
        return loss

    def _margins(self, step: Step, box: Box) -> Tensor:
        return pair_margins(step.network, enclose(step.network, box).features)

    def _near_loss_of_group(self, step: Step, allowed: Tensor, factor: float) -> Box:
        region = step.region(factor)
        if self.ratio >= 1:
            return region

        def objective(points: Tensor) -> Tensor:
            return group_loss(all_margins(step.network(points)), allowed)

        return around(ascend(objective, inner(region, self.ratio), even_steps(self.steps)), region, self.ratio)
