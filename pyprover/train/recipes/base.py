"""What a recipe is: a loss, and what it does to the network before and between epochs.

A recipe's file declares its options, a frozen dataclass whose `build` returns the `Recipe`; recipes that change another
one (pruning, quantisation ...) have that one among their options, as `base`. `pyprover.train.recipes` lists them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from torch import Tensor, nn
from torch.nn import functional

from pyprover.train.attack import ascend, even_steps
from pyprover.train.bounds import Box, Enclosure, enclose, pixels_around
from pyprover.train.layers import has_batch_norm, observe
from pyprover.train.levels import CLASS, Levels


@dataclass(frozen=True, eq=False)
class Step:
    """One batch of training.

    `images` (B, C, H, W) in [0, 1], `labels` (B,). `radius`: the final radius, in data units; `growth` (0 to 1) is the
    part of it that has been reached. `levels`: what may be answered, by the name of a level.
    """

    network: nn.Sequential
    images: Tensor
    labels: Tensor
    radius: float
    growth: float
    levels: Levels

    def __post_init__(self) -> None:
        if has_batch_norm(self.network):
            _ = self.scores  # the statistics of this step are those of clean images, whatever the loss asks for first

    @cached_property
    def scores(self) -> Tensor:
        """The network's outputs (B, classes) at the images."""
        return observe(self.network, self.images)

    @property
    def clean(self) -> Tensor:
        """The cross-entropy at the images."""
        return functional.cross_entropy(self.scores, self.labels)

    @cached_property
    def enclosure(self) -> Enclosure:
        """Interval bounds over the region at the radius reached."""
        return enclose(self.network, self.region())

    def region(self, factor: float = 1.0) -> Box:
        """Return `factor` times the radius reached around the images, within [0, 1]."""
        return pixels_around(self.images, factor * self.growth * self.radius)

    def adversarial(self, box: Box, steps: int) -> Tensor:
        """Climb the cross-entropy inside a box; points (B, C, H, W)."""
        return ascend(self.entropy, box, even_steps(steps))

    def entropy(self, points: Tensor) -> Tensor:
        """Return the cross-entropy at points, a sample, (B,)."""
        return functional.cross_entropy(self.network(points), self.labels, reduction="none")


Loss = Callable[[Step], Tensor]
"""From a batch to what is minimised, a scalar."""


class Aim(StrEnum):
    """The share of validation images by which networks are compared."""

    NATURAL = "natural"
    ATTACKED = "attacked"
    CERTIFIED = "certified"
    L2 = "l2"


def unchanged(network: nn.Sequential) -> None:
    """Keep the weights that torch draws."""


def nothing(network: nn.Sequential, done: float) -> None:
    """Leave the network alone between epochs."""


@dataclass(frozen=True)
class Recipe:
    """How to train.

    `prepare` draws weights and registers parametrizations, once; everything that it adds is in the network's state.
    `between` runs before the first epoch and after each, with the share of epochs done. `settled`: the share of epochs
    after which networks have their final form, so that one of them may be chosen. `l2`: the radius, in data units, at
    which the Lipschitz constant certifies; none for recipes that do not bound it. `levels`: the
    levels that count, with their weights in the shares that `aim` compares; `Step.levels` must hold them.
    """

    loss: Loss
    aim: Aim
    prepare: Callable[[nn.Sequential], None] = unchanged
    between: Callable[[nn.Sequential, float], None] = nothing
    settled: float = 0.0
    l2: float | None = None
    levels: Mapping[str, float] = field(default_factory=lambda: {CLASS: 1.0})


@dataclass(frozen=True)
class RecipeOptions(ABC):
    """The options of one recipe; its docstring says what the recipe does."""

    @abstractmethod
    def build(self) -> Recipe:
        """Return the recipe."""
