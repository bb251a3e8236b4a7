"""Projected gradient ascent on sign steps (Madry et al., arXiv 1706.06083), from starts spread in the *outputs*.

Output-diversified starts (Tashiro et al., arXiv 2003.06878): a few steps along a random direction of the outputs first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod

import torch
from torch import Tensor

from pyprover.attack.objective import Objective
from pyprover.graph import Graph

FEW_FEATURES = 16
"""Up to this many free features, corners of the region are tried too."""
MOST_CORNERS = 32

_CLEARLY = 1e-4
"""A row stops when it violates by this much, relative to the outputs."""
_DIVERSIFYING_STEPS = 3
_BLOCK_BYTES = 96 << 20


@dataclass(frozen=True)
class Effort:
    """Random starts for each target, gradient steps for each start, and the seed of the choices."""

    starts: int
    steps: int
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Targets:
    """What to violate where: one region a target; bounds and centre are (targets, *input_shape), float32."""

    objective: Objective
    lower: Tensor
    upper: Tensor
    centre: Tensor


@dataclass(frozen=True, eq=False)
class Found:
    """The best point for each target (targets, *input_shape), its value, the size of the outputs there (targets,)."""

    points: Tensor
    values: Tensor
    scale: Tensor


def search(graph: Graph, targets: Targets, effort: Effort, check: Callable[[], None]) -> Found:
    """Climb towards violating each target; ``graph`` is float32, ``check`` raises when time is up.

    Points lie in the targets' boxes. Deterministic in the seed.
    """
    count = len(targets.lower)
    generator = torch.Generator().manual_seed(effort.seed)
    best = Found(targets.centre.clone(), torch.full((count,), -torch.inf), torch.ones(count))
    starts = effort.starts + 1
    size = max(1, _BLOCK_BYTES // (16 * starts * sum(prod(shape) for shape in graph.shapes)))
    for first in range(0, count, size):
        target = torch.arange(first, min(first + size, count)).repeat_interleave(starts)
        climb = _Climb(graph, targets, target, best, check)
        climb.corners(generator)
        climb.ascend(climb.starts(starts, generator), effort.steps)
    return best


@dataclass(frozen=True, eq=False)
class _Climb:
    """Rows that climb together, row r for target ``target[r]``; better points enter ``best``."""

    graph: Graph
    targets: Targets
    target: Tensor
    best: Found
    check: Callable[[], None]

    @property
    def radius(self) -> Tensor:
        """Half the width of each row's box."""
        return (self.targets.upper[self.target] - self.targets.lower[self.target]) / 2

    def only(self, rows: Tensor) -> _Climb:
        """Some of the rows."""
        return replace(self, target=self.target[rows])

    def starts(self, each: int, generator: torch.Generator) -> Tensor:
        """For each target its centre, then uniform points moved by full steps along a random form of the outputs."""
        lower, upper = self.targets.lower[self.target], self.targets.upper[self.target]
        x = self._project(lower + (upper - lower) * torch.rand(lower.shape, generator=generator))
        direction = 2 * torch.rand(len(x), self.graph.outputs, generator=generator) - 1
        for _ in range(_DIVERSIFYING_STEPS if each > 1 else 0):
            self.check()
            x.requires_grad_()
            (gradient,) = torch.autograd.grad((self.graph.forward(x) * direction).sum(), x)
            x = self._project(x.detach() + self.radius * gradient.sign())
        x[::each] = self.targets.centre[self.target[::each]]
        return x

    def corners(self, generator: torch.Generator) -> None:
        """Try the corners of regions with few free features: all of them, or a random choice."""
        for target in torch.unique(self.target).tolist():
            lower, upper = self.targets.lower[target], self.targets.upper[target]
            free = (lower < upper).flatten().nonzero().flatten()
            if not 0 < len(free) <= FEW_FEATURES:
                continue
            if 2 ** len(free) <= MOST_CORNERS:
                bits = (torch.arange(2 ** len(free))[:, None] >> torch.arange(len(free))) & 1
            else:
                bits = torch.randint(0, 2, (MOST_CORNERS, len(free)), generator=generator)
            x = lower.flatten().repeat(len(bits), 1)
            x[:, free] = torch.where(bits.bool(), upper.flatten()[free], lower.flatten()[free])
            rows = replace(self, target=torch.full((len(x),), target))
            with torch.no_grad():
                rows._evaluate(x.reshape(-1, *lower.shape))

    def ascend(self, x: Tensor, steps: int) -> None:
        """Sign steps that shrink from the radius to nothing; rows of a target that is clearly violated stop."""
        rows = self
        for step in range(steps + 1):
            self.check()
            x.requires_grad_()
            values = rows._evaluate(x)
            live = ~(self.best.values > _CLEARLY * self.best.scale)[rows.target]
            if step == steps or not bool(live.any()):
                return
            (gradient,) = torch.autograd.grad(values[live].sum(), x)
            rows = rows.only(live)
            x = rows._project(x.detach()[live] + rows.radius * (1 - step / steps) * gradient[live].sign())

    def _project(self, x: Tensor) -> Tensor:
        return torch.clamp(x, self.targets.lower[self.target], self.targets.upper[self.target])

    def _evaluate(self, x: Tensor) -> Tensor:
        """The rows' values (rows,), after noting what is better than the best so far."""
        outputs = self.graph.forward(x)
        values = self.targets.objective.values(outputs, self.target)
        known, found = values.detach(), self.best
        better = (known > found.values[self.target]).nonzero().flatten()
        # in ascending order, so that the best of a target's rows is written last
        for row in better[known[better].argsort()].tolist():
            index = self.target[row]
            found.values[index], found.points[index] = known[row], x.detach()[row]
            found.scale[index] = outputs[row].detach().abs().max()
        return values
