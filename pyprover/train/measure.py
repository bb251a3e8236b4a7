"""What a network gets right, and what intervals and linear bounds certify, at each level of a hierarchy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from rich.table import Table
from torch import Tensor, nn

from pyprover.train.attack import ascend
from pyprover.train.bounds import Box, enclose, pair_margins, pixels_around
from pyprover.train.levels import Levels
from pyprover.train.linear import linear_margins
from pyprover.train.losses import group_error
from pyprover.train.samples import Samples

BATCH = 20
"""Samples at once: C * C rows of coefficients each, kept small enough for the processor's caches."""

ATTACK = (0.5,) * 10 + (0.1,) * 10
"""Steps of the attack, over the radius."""


@dataclass(frozen=True)
class Score:
    """Shares of samples, between 0 and 1, at one level and one radius.

    `natural`: the answer is allowed. `attacked`: still so after an attack (an upper bound of the truth).
    `interval` and `certified`: proven by intervals; by intervals or linear bounds (lower bounds of the truth, up to
    float32 rounding).
    """

    natural: float
    attacked: float
    interval: float
    certified: float


def certified(margins: Tensor, allowed: Tensor) -> Tensor:
    """Tell for which samples (B,) every outsider is beaten by one allowed class; margins (B, C, C), allowed (B, C)."""
    best = margins.masked_fill(~allowed.unsqueeze(2), -torch.inf).amax(1)
    return ((best > 0) | allowed).all(1)


def attack(network: nn.Sequential, region: Box, allowed: Tensor, generator: torch.Generator) -> Tensor:
    """Push points of the region out of what is allowed, (B, C)."""
    return ascend(lambda points: group_error(network(points), allowed), region, ATTACK, generator)


def score(network: nn.Sequential, samples: Samples, levels: Levels, radius: float) -> dict[str, Score]:
    """Score each level, by intervals, linear bounds and an attack.

    The network is evaluated as it would be used, and left in the mode it was in; torch's random state is left alone.
    """
    training = network.training
    network.eval()
    generator = torch.Generator().manual_seed(0)
    hits = {name: torch.zeros(4, dtype=torch.float64) for name in levels}
    for batch in samples.batches(BATCH):
        tables = {name: level[batch.labels] for name, level in levels.items()}
        region = pixels_around(batch.pixels, radius)
        with torch.no_grad():
            answers = network(batch.pixels).argmax(1, keepdim=True)
            by_interval = pair_margins(network, enclose(network, region).features)
        found = {}
        for name, allowed in tables.items():
            right = allowed.gather(1, answers).squeeze(1)
            reached = network(attack(network, region, allowed, generator)).argmax(1, keepdim=True)
            kept = right & allowed.gather(1, reached).squeeze(1)
            found[name] = right, kept, certified(by_interval, allowed)
        # What is refuted or proven needs no linear bounds, which are dear.
        undecided = {name: kept & ~proven for name, (_, kept, proven) in found.items()}
        margins = torch.maximum(by_interval, _linear(network, region, tables, undecided))
        for name, allowed in tables.items():
            shares = (*found[name], certified(margins, allowed))
            hits[name] += torch.stack([share.sum() for share in shares]).cpu()
    network.train(training)
    return {name: Score(*(count / len(samples)).tolist()) for name, count in hits.items()}


def _linear(network: nn.Sequential, region: Box, tables: Levels, undecided: Mapping[str, Tensor]) -> Tensor:
    """Bound by linear bounds the margins (B, C, C) on which an undecided sample rests; the others are -inf."""
    wanted = torch.stack(
        [
            undecided[name].view(-1, 1, 1) & allowed.unsqueeze(2) & ~allowed.unsqueeze(1)
            for name, allowed in tables.items()
        ]
    ).any(0)
    some = wanted.flatten(1).any(1)
    margins = torch.full(wanted.shape, -torch.inf, device=wanted.device)
    if bool(some.any()):
        with torch.no_grad():
            enclosure = enclose(network, Box(region.lower[some], region.upper[some]))
            margins[some] = linear_margins(network, enclosure, wanted[some])
    return margins


def unstable(network: nn.Sequential, samples: Samples, radius: float) -> float:
    """Return how many ReLUs, on average over samples, intervals leave both on and off; MaxMin has one a pair."""
    total = 0
    for batch in samples.batches(BATCH):
        with torch.no_grad():
            enclosure = enclose(network, pixels_around(batch.pixels, radius))
        for position, box in enclosure.activations.items():
            lower, upper = box.lower, box.upper
            if not isinstance(network[position], nn.ReLU):
                (low, other_low), (high, other_high) = lower.chunk(2, 1), upper.chunk(2, 1)
                lower, upper = low - other_high, high - other_low
            total += int(((lower < 0) & (upper > 0)).sum())
    return total / len(samples)


def table(title: str, scores: Mapping[str, Mapping[str, Score]]) -> Table:
    """Lay out scores in per cent, one line for each radius (by name) and level."""
    lines = Table("radius", "level", "natural", "under attack", "intervals", "certified", title=title)
    for radius, levels in scores.items():
        for level, shares in levels.items():
            figures = (shares.natural, shares.attacked, shares.interval, shares.certified)
            lines.add_row(radius, level, *(f"{100 * figure:.1f}" for figure in figures))
    return lines
