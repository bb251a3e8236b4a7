"""Zonotopes within the memory that there is: each storage of the plan in turn, and fewer symbols when none suffices.

Before a run, the symbols that will appear are counted over intervals, which are wider than the zonotopes' boxes. While
it runs they are known; what will not fit is given up before it is allocated, and the next storage begins again. All
give the same bounds. When none fits, the largest symbols are kept and the rest becomes error: sound, and coarser.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import TypeVar

from pyprover.domains import interval
from pyprover.domains.base import Box
from pyprover.domains.noise.base import TooLargeError
from pyprover.domains.noise.kinds import DenseKind, Kind
from pyprover.domains.noise.plan import Account, Batch, Forecast, forecast, kinds, ranked, reaches
from pyprover.domains.noise.reach import Activity
from pyprover.domains.resources import Resources, in_force, megabytes
from pyprover.domains.zonotope import Propagation, Zonotope, activity
from pyprover.graph import Graph
from pyprover.memory import Growth, is_out_of_memory
from pyprover.verdict import NoiseUse

_Result = TypeVar("_Result")

_ROUNDING = 1e-6
"""The share of a radius that rounding errors stay below: errors beyond hold what has no symbols."""

_SMALL = 16 << 20
"""Bytes below which dense noise is not worth a plan."""

_REDUCED_COPIES = 5
"""Matrices of the size that reduced noise has in its widest value: operand, result with twice the symbols, others."""


@dataclass(frozen=True)
class _Attempt:
    """One way to keep the noise. ``most``: the symbols kept; ``None`` for all."""

    reason: str
    predicted: int
    kind: Kind
    most: int | None = None

    @property
    def name(self) -> str:
        return self.kind.name if self.most is None else f"{self.kind.name}, the largest symbols only"


class Planned:
    """The zonotopes of a batch of regions: `Propagation`, begun again where memory demands it.

    One region is analysed whatever it takes; several only with the storages in memory that keep all symbols, since
    regions apart may need less. ``exact``: all symbols are kept in any case.
    """

    def __init__(self, graph: Graph, region: Box, check: Callable[[], None], *, exact: bool = False) -> None:
        self.graph = graph
        self._region = region
        self._check = check
        self._room = in_force().room()
        self._growth = Growth()
        self._batch = Batch(len(region.lower), region.lower.dtype.itemsize)
        self._learnt: dict[int, Box] = {}
        self._attempts = self._planned(in_force(), exact=exact)
        self._now: Propagation | None = None
        self._account: Account | None = None

    @property
    def symbols(self) -> int:
        """How many symbols the values computed so far have together."""
        return self._tried(lambda now: now.symbols)

    def value(self, number: int) -> Zonotope:
        """A value that is still to be read; ``TooLargeError`` when no way to keep its noise fits."""
        return self._tried(lambda now: now.value(number))

    def learn(self, number: int, box: Box) -> None:
        """Take a box inside that of a value: operators that read it are relaxed over it."""
        self._learnt[number] = box
        self._tried(lambda now: now.learn(number, box))

    def use(self) -> NoiseUse:
        """How the noise was kept, for reports; after the outputs were computed."""
        value = self.value(self.graph.output)
        radius, error = float(value.noise.radius.sum()), float(value.error.sum())
        boxed = error / (radius + error) if error > _ROUNDING * radius else 0.0
        attempt = self._attempts[0]
        return NoiseUse(
            storage=attempt.name,
            reason=attempt.reason,
            symbols=value.noise.symbols,
            predicted=attempt.predicted,
            peak=self._growth.peak(),
            boxed=boxed if attempt.most is not None else 0.0,
        )

    def _planned(self, resources: Resources, *, exact: bool) -> list[_Attempt]:
        """All ways to keep the noise, in the order in which they are tried."""
        room = self._room.granted
        fitting = self._symbols_that_fit()
        if resources.symbols is not None and not exact:
            reason = f"{resources.symbols} symbols are asked for, {fitting} fit"
            return [self._reduced(reason, min(resources.symbols, fitting))]
        alone = self._batch.regions == 1
        folder = resources.folder if alone else None
        found = forecasts(self.graph, self._region, self._batch, room, folder)
        attempts = [_Attempt(_reason(found, one, room), one.peak, one.kind) for one in found]
        if alone and not exact:
            advice = "" if folder else "; a folder for noise on disk would help"
            reason = f"nothing that keeps all symbols fits into {megabytes(room)}{advice}"
            attempts.append(self._reduced(reason, fitting))
        return attempts

    def _symbols_that_fit(self) -> int:
        """How many symbols reduced noise can have."""
        left = self._room.granted - self._batch.plain(self.graph)
        return max(0, left // (_REDUCED_COPIES * self._batch.widest(self.graph)))

    def _reduced(self, reason: str, most: int) -> _Attempt:
        need = most * _REDUCED_COPIES * self._batch.widest(self.graph) + self._batch.plain(self.graph)
        return _Attempt(reason, need, DenseKind(), most)

    def _tried(self, act: Callable[[Propagation], _Result]) -> _Result:
        """The result of an act, with the first of the attempts that are left in which it fits."""
        while True:
            try:
                with self._room.binding():
                    return act(self._propagation())
            except (TooLargeError, MemoryError, RuntimeError) as error:
                if not isinstance(error, TooLargeError) and not is_out_of_memory(error):
                    raise
                trouble = str(error)
            self._give_up(trouble)

    def _give_up(self, trouble: str) -> None:
        """Begin again in the next way; ``TooLargeError`` when there is none."""
        failed, *left = self._attempts
        if not left:
            raise TooLargeError(trouble)
        self._now = None
        gc.collect()
        following, *others = left
        if following.most is None:
            following = replace(following, reason=f"{following.reason}; {failed.name} did not fit: {trouble}")
        self._attempts = [following, *others]

    def _propagation(self) -> Propagation:
        """The one under way, or a new one that has learnt what the last had."""
        if self._now is None:
            attempt = self._attempts[0]
            self._account = None
            if attempt.most is None:
                free = int((self._region.lower < self._region.upper).flatten(1).sum(1).max())
                self._account = Account(self.graph, attempt.kind, self._batch, free)
            now = Propagation(
                self.graph, self._region, self._check, attempt.kind.storage, attempt.most, self._before_step
            )
            for number, box in self._learnt.items():
                now.learn(number, box)
            self._now = now
        return self._now

    def _before_step(self, position: int, activity: Activity) -> None:
        self._growth.sample()
        if self._account is not None:
            need = self._account.step(position, activity).need
            if need > self._room.granted:
                node, symbols = self.graph.nodes[position], self._account.reaches[-1].symbols
                raise TooLargeError(
                    f"{symbols} noise symbols over {prod(node.shape)} values need {megabytes(need)} of "
                    f"{megabytes(self._room.granted)}"
                )


def forecasts(graph: Graph, region: Box, batch: Batch, room: int, folder: Path | None) -> tuple[Forecast, ...]:
    """What each storage would need for a batch of such regions, at most, in the order in which they are tried."""
    free = int((region.lower < region.upper).flatten(1).sum(1).max())
    worst = {position: Activity(prod(node.shape)) for position, node in enumerate(graph.nodes) if not node.op.linear}
    dense = forecast(graph, DenseKind(), batch, free, worst)
    if dense.peak <= min(room, _SMALL):
        return (dense,)
    active = estimated(graph, region)
    known = reaches(graph, free, active)
    return ranked([forecast(graph, kind, batch, free, active) for kind in kinds(known, batch, room, folder)], room)


def estimated(graph: Graph, region: Box) -> dict[int, Activity]:
    """What happens to the noise of a region at node positions, at most, from intervals."""
    boxes, found = {0: region}, {}
    for position, node in enumerate(graph.nodes):
        op = graph.operator(position, region.lower.dtype)
        inputs = tuple(boxes[value] for value in node.inputs)
        boxes[position + 1] = interval.step(op, inputs)
        found[position] = activity(op, inputs, boxes[position + 1])
        for value in set(node.inputs):
            if graph.last_use[value] == position:
                del boxes[value]
    return found


def regions_at_once(graph: Graph, region: Box) -> int:
    """How many of the regions fit into memory together, each with the storage that is best for one; at least one."""
    if len(region.lower) == 1 or in_force().symbols is not None:
        return 1
    room = in_force().room().granted
    best, *_ = forecasts(graph, region, Batch(1, region.lower.dtype.itemsize), room, None)
    return max(1, room // best.peak)


def _reason(found: Sequence[Forecast], chosen: Forecast, room: int) -> str:
    """Why a storage is tried when it is."""
    better = [one for one in found if one.seconds < chosen.seconds and one.peak > room]
    others = ", ".join(f"{one.kind.name} {megabytes(one.peak)}" for one in better)
    first = "the fastest of what fits" if chosen.peak <= room else "may need less than predicted"
    return f"{first} into {megabytes(room)}" + (f", faster ones need more: {others}" if better else "")
