"""Training without perturbations."""

from __future__ import annotations

from dataclasses import dataclass

from typing_extensions import override

from pyprover.train.recipes.base import Aim, Recipe, RecipeOptions


@dataclass(frozen=True)
class Standard(RecipeOptions):
    """Cross-entropy at the images: the baseline."""

    @override
    def build(self) -> Recipe:
        return Recipe(lambda step: step.clean, Aim.NATURAL)
