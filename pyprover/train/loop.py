"""The training loop: clean samples first, a growing radius, then the full radius at a decreasing learning rate."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.nn import functional

from pyprover.train.bounds import Box, interval_margins
from pyprover.train.losses import class_loss, group_loss, small_box

Augment = Callable[[Tensor], Tensor]
Watch = Callable[[int], str]
"""Called after each epoch with its number, counted from 1; a string that is not empty is logged."""


@dataclass(frozen=True)
class Recipe:
    """Settings of one training run. Radii in data units (pixels/255)."""

    radius: float
    epochs: int
    warm_up: int
    """Epochs without perturbation."""
    ramp_up: int
    """Epochs in which the radius grows linearly."""
    ratio: float
    """Radius of the boxes that are enclosed, over the radius: 1 is IBP, less is SABR."""
    group_weight: float
    """Weight of the group term: 0 leaves it out, 1 leaves the class term out."""
    group_radius: float
    """Radius of the group term, which can be larger than that of the class term."""
    batch: int
    learning_rate: float
    seed: int


@dataclass(frozen=True)
class Samples:
    """Images (N, C, H, W), uint8, and labels (N,), int64."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def part(self, indices: Tensor | slice) -> "Samples":
        """Select samples."""
        return Samples(self.images[indices], self.labels[indices])


@dataclass(frozen=True)
class Scaling:
    """The network sees (x - mean) / std; `mean` and `std` have one value a channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def apply(self, images: Tensor) -> Tensor:
        """Scale images (N, C, H, W) given in [0, 1]."""
        return (images - torch.tensor(self.mean).view(-1, 1, 1)) / torch.tensor(self.std).view(-1, 1, 1)

    def region(self, images: Tensor, radius: float) -> Box:
        """Return the part of the max-norm ball where pixels stay between 0 and 1, as the network sees it."""
        return Box(self.apply((images - radius).clamp(0, 1)), self.apply((images + radius).clamp(0, 1)))


def initialise(network: nn.Sequential) -> None:
    """Draw weights under which interval bounds neither explode nor vanish with depth.

    Source: Shi et al. 2021 (arXiv 2103.17268), section 3.2.
    """
    for layer in network:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.normal_(layer.weight, std=math.sqrt(2 * math.pi) / layer.weight[0].numel())
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Task:
    """What is learnt: a network, the group of each class (C,), and how pixels are scaled."""

    network: nn.Sequential
    level: Tensor
    scaling: Scaling

    def margins(self, batch: tuple[Tensor, Tensor], radius: float, ratio: float) -> Tensor:
        """Bound the margins (B, C, C) on a small box inside each image's region; `batch` is images and labels."""
        images, labels = batch
        region = self.scaling.region(images, radius)
        return interval_margins(self.network, small_box(self.network, labels, region, ratio))


def objective(task: Task, batch: tuple[Tensor, Tensor], recipe: Recipe, growth: float) -> Tensor:
    """Mix SABR's loss with its group-level variant, at `growth` (0 to 1) times the recipe's radii."""
    images, labels = batch
    if growth == 0:
        return functional.cross_entropy(task.network(task.scaling.apply(images)), labels)
    margins = task.margins(batch, growth * recipe.radius, recipe.ratio)
    loss = (1 - recipe.group_weight) * class_loss(margins, labels)
    if recipe.group_weight > 0:
        if recipe.group_radius != recipe.radius:
            margins = task.margins(batch, growth * recipe.group_radius, recipe.ratio)
        loss = loss + recipe.group_weight * group_loss(margins, labels, task.level)
    return loss


def train(task: Task, samples: Samples, recipe: Recipe, augment: Augment, watch: Watch) -> None:
    """Minimise `objective` in place.

    `augment` changes a float batch (B, C, H, W) in [0, 1].
    Deterministic for a given seed, thread count and machine. Raises `ArithmeticError` when the loss is not finite.
    """
    torch.manual_seed(recipe.seed)
    network = task.network
    initialise(network)
    optimiser = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate)
    steps = len(samples) // recipe.batch
    with Progress(TextColumn("epoch {task.fields[epoch]:3d}"), BarColumn(), TimeRemainingColumn()) as progress:
        bar = progress.add_task("", total=recipe.epochs * steps, epoch=1)
        for epoch in range(recipe.epochs):
            for group in optimiser.param_groups:
                group["lr"] = recipe.learning_rate * _decay(epoch / recipe.epochs)
            order = torch.randperm(len(samples))
            for step in range(steps):
                growth = min(max((epoch + step / steps - recipe.warm_up) / max(recipe.ramp_up, 1), 0.0), 1.0)
                batch = samples.part(order[step * recipe.batch : (step + 1) * recipe.batch])
                images = augment(batch.images.float() / 255)
                _descend(network, optimiser, objective(task, (images, batch.labels), recipe, growth))
                progress.update(bar, advance=1, epoch=epoch + 1)
            if note := watch(epoch + 1):
                progress.console.log(note)


def _decay(done: float) -> float:
    """Return the factor on the learning rate, `done` being the part of the epochs already run."""
    if done < 0.7:
        return 1.0
    return 0.2 if done < 0.9 else 0.04


def _descend(network: nn.Module, optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    if not bool(torch.isfinite(loss)):
        raise ArithmeticError("the loss is not finite: lower the learning rate or grow the radius more slowly")
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(network.parameters(), 10.0)
    optimiser.step()
