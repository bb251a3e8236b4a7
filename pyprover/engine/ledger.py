"""What is proven about one region: lower bounds of margins and of their convex combinations.

A bound on margins of a set S excludes every case that has all of S among its margins: a proof for a group is one for
every larger group. Only what holds in the whole region, whatever is asked about it, may enter; the type
`RegionBounds` of where a bound came from is checked here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf, isnan
from typing import final

from pyprover.domains.analysis import RegionBounds
from pyprover.engine.case import Case, Margin


@final
@dataclass(frozen=True)
class Cover:
    """Cases that are excluded on every part of a cover of the region, with the least bound over the parts."""

    least: Mapping[Case, float]

    @classmethod
    def by_contradiction(cls, case: Case) -> Cover:
        """A case that holds nowhere since bounds that hold where it does contradict it: its margin is positive."""
        return cls({case: sys.float_info.min})


@dataclass
class Ledger:
    """Lower bounds over one region: of single margins, and of combinations by the margins that have weight."""

    single: dict[Margin, float] = field(default_factory=dict)
    combined: dict[frozenset[Margin], float] = field(default_factory=dict)

    def record(self, source: RegionBounds, bounds: Iterable[tuple[Mapping[Margin, float], float]]) -> None:
        """Keep bounds on convex combinations; each is (weights of margins, lower bound)."""
        if not isinstance(source, RegionBounds):
            raise TypeError(f"bounds of type {type(source).__name__} do not hold in the whole region")
        for weights, bound in bounds:
            support = [margin for margin, weight in weights.items() if weight > 0]
            if isnan(bound):
                continue
            if len(support) == 1:
                self.single[support[0]] = max(bound, self.single.get(support[0], bound))
            else:
                self._keep(frozenset(support), bound)

    def record_cover(self, cover: Cover) -> None:
        """Keep cases that were excluded part by part, each by a bound above zero."""
        for case, bound in cover.least.items():
            if bound > 0:
                self._keep(frozenset(case.margins), bound)

    def _keep(self, support: frozenset[Margin], bound: float) -> None:
        self.combined[support] = max(bound, self.combined.get(support, bound))

    def best_margin(self, case: Case) -> int:
        """The place, among the case's margins, of the one with the best single bound."""
        return max(range(len(case.margins)), key=lambda k: self.single.get(case.margins[k], -inf))

    def margin(self, case: Case) -> float | None:
        """The best lower bound on the case; ``None`` when there is none."""
        members = set(case.margins)
        bounds = [self.single[m] for m in case.margins if m in self.single]
        bounds += [bound for support, bound in self.combined.items() if support <= members]
        return max(bounds, default=None)

    def excludes(self, case: Case) -> bool:
        """Whether the case is proven empty."""
        members = set(case.margins)
        if any(_decides(self.single[m], strict=m.strict) for m in case.margins if m in self.single):
            return True
        return any(
            support <= members and _decides(bound, strict=any(m.strict for m in support))
            for support, bound in self.combined.items()
        )

    def losers(self) -> set[int]:
        """Classes that are proven to win nowhere."""
        proven: list[Iterable[Margin]] = [[m] for m, bound in self.single.items() if _decides(bound, strict=m.strict)]
        proven += [support for support, bound in self.combined.items() if bound > 0]
        named = [{m.loser for m in support} for support in proven]
        return {loser for losers in named if len(losers) == 1 for loser in losers if loser is not None}


def _decides(bound: float, *, strict: bool) -> bool:
    return bound >= 0 if strict else bound > 0
