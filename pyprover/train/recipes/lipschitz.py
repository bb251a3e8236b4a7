"""Networks that do not stretch distances."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional
from typing_extensions import override

from pyprover.train import lipschitz
from pyprover.train.options import option
from pyprover.train.recipes.base import Aim, Recipe, RecipeOptions, Step


@dataclass(frozen=True)
class Lipschitz(RecipeOptions):
    """Layers that do not stretch l2 distances, and a loss that asks for margins; best with `activation = "maxmin"`.

    Dense layers are orthogonal and activations sort pairs: Anil et al. 2019 (arXiv 1811.05381). Convolutions are almost
    orthogonal: Prach & Lampert 2022 (arXiv 2208.03160). What the constant certifies is in the l2 norm, and reported
    apart.
    """

    radius: float = option(0.5, "l2 radius at which margins are asked for and certified, in data units", above=0)
    temperature: float = option(0.25, "of the softmax in the loss", above=0)

    @override
    def build(self) -> Recipe:
        return Recipe(self.loss, Aim.L2, prepare=lipschitz.constrain, l2=self.radius)

    def loss(self, step: Step) -> Tensor:
        """Return the cross-entropy with the label's score lowered by sqrt(2) radius: Prach & Lampert."""
        wanted = math.sqrt(2) * self.radius * functional.one_hot(step.labels, step.scores.shape[1])
        return functional.cross_entropy((step.scores - wanted) / self.temperature, step.labels) * self.temperature
