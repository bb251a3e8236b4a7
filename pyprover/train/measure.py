"""What a network gets right, and what intervals and linear bounds certify, at each level of a hierarchy."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from rich.table import Table
from torch import Tensor, nn

from pyprover.train.bounds import Box, interval_margins, linear_margins
from pyprover.train.loop import Samples, Scaling, Watch

BATCH = 20
"""Samples at once: C * C rows of coefficients each, kept small enough for the processor's caches."""

ATTACK_STEPS = 20

Levels = Mapping[str, Tensor]
"""For each level by name, finest first, the group of each class (C,)."""


@dataclass(frozen=True)
class Score:
    """Shares of samples, between 0 and 1, at one level and one radius.

    `natural`: the answer is in the label's group. `attacked`: still so after an attack (an upper bound of the truth).
    `interval` and `certified`: proven by intervals; by intervals or linear bounds (lower bounds of the truth, up to
    float32 rounding).
    """

    natural: float
    attacked: float
    interval: float
    certified: float


def certified(margins: Tensor, labels: Tensor, level: Tensor) -> Tensor:
    """Tell for which samples (B,) every outsider is beaten by one member of the label's group; `margins` (B, C, C)."""
    member = level == level[labels].unsqueeze(1)
    best = margins.masked_fill(~member.unsqueeze(2), -torch.inf).amax(1)
    return ((best > 0) | member).all(1)


def attack(network: nn.Module, region: Box, labels: Tensor, level: Tensor, generator: torch.Generator) -> Tensor:
    """Push points of the region out of the label's group by signed gradient steps.

    Source: PGD, Madry et al. 2018 (arXiv 1706.06083).
    """
    member = level == level[labels].unsqueeze(1)
    point = region.lower + (region.upper - region.lower) * torch.rand(region.lower.shape, generator=generator)
    for step in range(ATTACK_STEPS):
        point = point.detach().requires_grad_()
        outputs = network(point)
        inside = outputs.masked_fill(~member, -torch.inf).amax(1)
        outside = outputs.masked_fill(member, -torch.inf).amax(1)
        (slope,) = torch.autograd.grad((outside - inside).sum(), point)
        length = region.radius * (0.5 if step < ATTACK_STEPS // 2 else 0.1)
        point = torch.max(torch.min(point.detach() + length * slope.sign(), region.upper), region.lower)
    return point.detach()


def score(
    network: nn.Sequential, samples: Samples, levels: Levels, scaling: Scaling, radius: float
) -> dict[str, Score]:
    """Score each level, by intervals, linear bounds and an attack; the random state of a training is left alone."""
    generator = torch.Generator().manual_seed(0)
    hits = {name: torch.zeros(4) for name in levels}
    for batch in _batches(samples, BATCH):
        images = batch.images.float() / 255
        region = scaling.region(images, radius)
        with torch.no_grad():
            answers = network(scaling.apply(images)).argmax(1)
            by_interval = interval_margins(network, region)
            by_linear = linear_margins(network, region, _pairs(batch.labels, levels))
        for name, level in levels.items():
            right = level[answers] == level[batch.labels]
            reached = network(attack(network, region, batch.labels, level, generator)).argmax(1)
            kept = right & (level[reached] == level[batch.labels])
            coarse = certified(by_interval, batch.labels, level)
            fine = certified(torch.maximum(by_interval, by_linear), batch.labels, level)
            hits[name] += torch.stack([part.sum() for part in (right, kept, coarse, fine)])
    return {name: Score(*(count / len(samples)).tolist()) for name, count in hits.items()}


def _pairs(labels: Tensor, levels: Levels) -> Tensor:
    """Tell which margins (B, C, C) matter: at some level, i is in the label's group and j is not."""
    needed = []
    for level in levels.values():
        member = level == level[labels].unsqueeze(1)
        needed.append(member.unsqueeze(2) & ~member.unsqueeze(1))
    return torch.stack(needed).any(0)


def _batches(samples: Samples, size: int) -> Iterator[Samples]:
    for start in range(0, len(samples), size):
        yield samples.part(slice(start, start + size))


def watcher(network: nn.Sequential, held: Samples, levels: Levels, scaling: Scaling, radius: float) -> Watch:
    """Make a watcher that scores the held-out samples after every tenth epoch."""

    def watch(epoch: int) -> str:
        if epoch % 10:
            return ""
        now = score(network, held, levels, scaling, radius)
        shares = (f"{name} {100 * share.natural:.1f}/{100 * share.certified:.1f}" for name, share in now.items())
        return f"epoch {epoch}, held out, natural/certified: " + ", ".join(shares)

    return watch


def table(title: str, scores: Mapping[str, Mapping[str, Score]]) -> Table:
    """Lay out scores in per cent, one line for each radius (by name) and level."""
    lines = Table("radius", "level", "natural", "under attack", "intervals", "certified", title=title)
    for radius, levels in scores.items():
        for level, shares in levels.items():
            figures = (shares.natural, shares.attacked, shares.interval, shares.certified)
            lines.add_row(radius, level, *(f"{100 * figure:.1f}" for figure in figures))
    return lines
