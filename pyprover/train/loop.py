"""The training loop: it minimises a recipe's loss, watches the images held out, and can go on where it stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from pyprover.errors import UserError
from pyprover.train.checkpoint import Checkpoint
from pyprover.train.levels import Levels
from pyprover.train.recipes.base import Recipe, Step
from pyprover.train.samples import Samples, augment
from pyprover.train.schedule import Schedule

CLIP = 10.0
"""Largest norm of the gradient, as Gowal et al. 2019 and those after them."""

Figures = Mapping[str, float]
"""Shares of the images held out, by `recipes.base.Aim`."""


@dataclass(frozen=True)
class Job:
    """What is trained on, for how long, and by what epochs are judged.

    `radius` in data units. `measure` gives the figures of a network, in evaluation, every `every` epochs and at the
    end; it must leave torch's random state alone. With `patience` above 0 the epoch of the best figure is kept, and the
    training ends when so many measures bring no better one; with 0 the last epoch is kept.
    """

    recipe: Recipe
    schedule: Schedule
    samples: Samples
    levels: Levels
    radius: float
    seed: int
    measure: Callable[[nn.Sequential], Figures]
    every: int = 1
    patience: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))


@dataclass
class Progress:
    """How far a training is; everything but the network, the optimiser and the random state.

    `history`: for each epoch measured its number, counted from 1, its mean loss and its figures. `best`: the epoch that
    is to be kept, its figure and the network's state.
    """

    epoch: int = 0
    cpu_seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, Any] = field(default_factory=dict)
    waited: int = 0


class Show(Protocol):
    """Who is told how a training goes."""

    def stepped(self, epoch: int, done: float) -> None:
        """Note that the epoch, counted from 1, has come so far: 0 to 1."""

    def measured(self, entry: Mapping[str, float]) -> None:
        """Note an entry of the history."""


class Silent:
    """Tells nobody."""

    def stepped(self, epoch: int, done: float) -> None:
        """Ignore it."""

    def measured(self, entry: Mapping[str, float]) -> None:
        """Ignore it."""


def train(network: nn.Sequential, job: Job, show: Show, checkpoint: Checkpoint | None = None) -> Progress:
    """Train in place; with a checkpoint, go on from it, and keep it up to date after every epoch.

    Deterministic for a given seed, thread count, device and version of torch, however often it is interrupted.
    Raises `UserError` when the loss is not finite.
    """
    torch.manual_seed(job.seed)
    job.recipe.prepare(network)
    network.to(job.device).train()
    job.recipe.between(network, 0.0)
    optimiser = torch.optim.Adam(network.parameters(), lr=job.schedule.learning_rate)
    progress = Progress()
    if checkpoint is not None and (saved := checkpoint.load(job.device)) is not None:
        progress = Progress(**saved.pop("progress"))
        network.load_state_dict(saved["network"])
        optimiser.load_state_dict(saved["optimiser"])
        _set_random_state(saved["random"])
    while progress.epoch < job.schedule.epochs and not _given_up(job, progress):
        start = time.process_time()
        _epoch(network, optimiser, job, progress, show)
        progress.cpu_seconds += time.process_time() - start
        if checkpoint is not None:
            state = {"network": network.state_dict(), "optimiser": optimiser.state_dict(), "random": _random_state()}
            checkpoint.save({**state, "progress": vars(progress)})
    if progress.best:
        network.load_state_dict(progress.best["network"])
    network.eval()
    return progress


def _given_up(job: Job, progress: Progress) -> bool:
    return 0 < job.patience <= progress.waited


def _epoch(network: nn.Sequential, optimiser: torch.optim.Optimizer, job: Job, progress: Progress, show: Show) -> None:
    """Train for one epoch; then change the network as the recipe says, and measure it when it is time."""
    schedule, samples, done = job.schedule, job.samples, progress.epoch
    for group in optimiser.param_groups:
        group["lr"] = schedule.rate(done)
    order = torch.randperm(len(samples))
    size = min(schedule.batch, len(samples))
    steps, total = len(samples) // size, 0.0
    for k in range(steps):
        batch = samples.part(order[k * size : (k + 1) * size])
        images = augment(batch.pixels, schedule.augment).to(job.device)
        growth = schedule.growth(done + k / steps)
        with parametrize.cached():
            step = Step(network, images, batch.labels.to(job.device), job.radius, growth, job.levels)
            loss = job.recipe.loss(step)
        total += _descend(network, optimiser, loss)
        show.stepped(done + 1, (k + 1) / steps)
    progress.epoch = done + 1
    share = progress.epoch / schedule.epochs
    job.recipe.between(network, share)
    if progress.epoch % job.every == 0 or progress.epoch == schedule.epochs:
        network.eval()
        figures = job.measure(network)
        network.train()
        progress.history.append({"epoch": progress.epoch, "loss": total / steps, **figures})
        show.measured(progress.history[-1])
        if job.patience and schedule.growth(progress.epoch) == 1 and share >= job.recipe.settled:
            _judge(network, progress, figures[job.recipe.aim])


def _judge(network: nn.Sequential, progress: Progress, figure: float) -> None:
    """Keep the network if none before was as good, in a form that is final."""
    if progress.best and figure <= progress.best["figure"]:
        progress.waited += 1
        return
    state = {name: value.clone() for name, value in network.state_dict().items()}
    progress.best = {"epoch": progress.epoch, "figure": figure, "network": state}
    progress.waited = 0


def _descend(network: nn.Module, optimiser: torch.optim.Optimizer, loss: Tensor) -> float:
    value = loss.item()
    if not bool(torch.isfinite(loss)):
        raise UserError("the loss is not finite", "lower the learning rate, or grow the radius more slowly")
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(network.parameters(), CLIP)
    optimiser.step()
    return value


def _random_state() -> dict[str, Any]:
    return {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []}


def _set_random_state(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["cpu"].cpu())
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all([one.cpu() for one in state["cuda"]])
