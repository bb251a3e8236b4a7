"""Branching on ReLUs: a case that stays open on a region is tried with ReLUs held, active or inactive, one by one.

All open cases of a region are searched together: the sub-problems that are bounded at once are the worst ones of each
open property. A sub-problem in which every ReLU is held is decided by a linear program, so that the search is complete
for groups, too. The ReLU to hold is the one whose upper line costs the bound most (BaBSR: Bunel et al., *Branch and
bound for piecewise linear neural network verification*, JMLR 2020); `bench/splitting.md` says what else was measured.

A case may have bounds of its own, which hold where it does (`pyprover.engine.optimise`). Its tree is over these then,
and when it closes, the case holds nowhere, which is all that it shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pyprover.domains.analysis import Check, PartBounds, RegionBounds
from pyprover.domains.branching import Bounded, Branching
from pyprover.domains.narrowing import Narrowing
from pyprover.engine.ascent import Ascent, SubProblems, halves, joined
from pyprover.engine.case import Case
from pyprover.engine.exact import Candidate, Excluded, Part, decide
from pyprover.engine.ledger import Cover
from pyprover.engine.problem import Progress
from pyprover.engine.programs import Programs
from pyprover.engine.refute import Refuter
from pyprover.engine.waiting import MOST_BYTES, Waiting
from pyprover.ops import Relu

AT_ONCE = 64
"""Sub-problems split at once: enough that arithmetic outweighs the calls, few enough to stay near best-first."""

_FIRST_STEPS = 30
_STEPS = 6
_AGAIN = 3
_EASY = 256
_TUNE = 6
_ROUNDS = 12
_WORTH = 0.05
"""Evaluations of a sub-problem: halves go on from where their parent ended, which further ones would help less."""


@dataclass(frozen=True, eq=False)
class Supposed:
    """Bounds that hold where a case does, and may hold nowhere else: what they show is about this case alone."""

    case: Case
    bounds: PartBounds


@dataclass(frozen=True, eq=False)
class Site:
    """A region: what is known of it, its analysis, its place in the analysed batch; better bounds for some cases."""

    progress: Progress
    bounds: RegionBounds
    place: int
    supposed: Sequence[Supposed] = ()
    searches: list[_Search] = field(default_factory=list)


def few_relus(site: Site, refuter: Refuter) -> bool:
    """Whether ReLUs are all that is to be split, and so few that linear programs bound the sub-problems."""
    network = refuter.network
    if not all(node.op.linear or isinstance(node.op, Relu) for node in network.graph.nodes):
        return False
    return Programs.fit(Branching(site.bounds, site.place, network.graph32))


def branch(site: Site, refuter: Refuter, check: Check) -> None:
    """Search until each open property is decided; ``check`` raises to end it before, and what is decided stays.

    Called again with the same site, it goes on from there.

    Cases that share bounds are searched together; a batch of each search follows on one of the others.
    """
    searches = site.searches
    with torch.no_grad():
        if not searches:
            searches += _started(site, refuter, check)
        while searches:
            searches[:] = [search for search in searches if search.advance(check)]


def _started(site: Site, refuter: Refuter, check: Check) -> list[_Search]:
    """The searches of a region, with its cases bounded once."""
    graph32 = refuter.network.graph32
    region = Branching(site.bounds, site.place, graph32, boxed=True)
    owners = _owners(site.progress)
    if region.neurons == 0 or not owners:
        return []
    parts = [supposed for supposed in site.supposed if supposed.case in owners]
    apart = {supposed.case for supposed in parts}
    cases = [case for case in owners if case not in apart]
    trees = [_Trees(region, cases)] if cases else []
    trees += [_Trees(Branching(it.bounds, 0, graph32, region, boxed=True), [it.case]) for it in parts]
    searches = [_Search(site.progress, refuter, some, owners, MOST_BYTES // len(trees)) for some in trees]
    for search in searches:
        search.start(check)
    return searches


@dataclass(frozen=True, eq=False)
class _Trees:
    """Open cases to be searched with the same bounds: those of the region, or of the one case that they suppose."""

    branching: Branching
    cases: Sequence[Case]

    def cover(self, k: int, least: float, *, narrowed: bool) -> Cover:
        """What a closed tree of a case shows; ``least``: the least bound of its leaves, infinite when all are empty.

        ``narrowed``: boxes of leaves hold only where the case does.
        """
        if narrowed or isinstance(self.branching.bounds, PartBounds):
            return Cover.by_contradiction(self.cases[k])
        return Cover({self.cases[k]: least})


class _Search:
    """The search of some trees."""

    def __init__(
        self, progress: Progress, refuter: Refuter, trees: _Trees, owner: Mapping[Case, int], most_bytes: int
    ) -> None:
        self.progress, self.refuter, self.trees = progress, refuter, trees
        self.branching, self.cases = trees.branching, trees.cases
        self.owner = [owner[case] for case in self.cases]
        self.ascent = Ascent.of(self.branching, self.cases, self.progress.classes)
        self.programs = Programs.of(self.branching, self.ascent.forms)
        self.taken = [0] * len(self.cases)
        self.narrowing: dict[int, Narrowing] = {}
        self.tune_at: dict[int, int] = {}
        self.least = [inf] * len(self.cases)
        self.given_up: set[int] = set()
        self.waiting = Waiting(most_bytes)

    def start(self, check: Check) -> None:
        """Bound the whole for each case."""
        ledger = self.progress.ledger
        roots = [self.ascent.root(k, ledger.best_margin(case)) for k, case in enumerate(self.cases)]
        for first in range(0, len(roots), AT_ONCE):
            check()
            self._bound(joined(roots[first : first + AT_ONCE]), _FIRST_STEPS)
        self._close()

    def advance(self, check: Check) -> bool:
        """Split the worst sub-problems of each open property; whether there were any."""
        live = self._live()
        if not live:
            return False
        for cases in live:
            check()
            parents, neuron = self.waiting.take(cases, max(1, AT_ONCE // len(live)))
            for case in parents.case.unique().tolist():
                own = parents.case == case
                some, split = self._narrowed(parents.only(own), neuron[own])
                if len(some):
                    self._bound(halves(some, split), _STEPS)
        self._close()
        return True

    def _live(self) -> list[Tensor]:
        """For each open property of which something waits, a mask of its cases."""
        here = self.waiting.cases()
        masks = []
        for k in (k for k in self.progress.open if self.progress.notes[k] is None):
            mask = torch.tensor([owner == k and n in here for n, owner in enumerate(self.owner)])
            if bool(mask.any()):
                masks.append(mask)
        return masks

    def _narrowed(self, some: SubProblems, neuron: Tensor) -> tuple[SubProblems, Tensor]:
        """The sub-problems of a case that stay open, with boxes narrowed while that pays; and where to split these."""
        (case,) = some.case.unique().tolist()
        self.taken[case] += len(some)
        narrowing = self._narrowing(case, some)
        if narrowing is None:
            return some, neuron
        found = []
        for left in reversed(range(_ROUNDS)):
            known = self.ascent.concluded(some)
            phase, box, empty = narrowing.narrow(some.phase, some.box, known)
            value = torch.where((phase != 0) & (some.phase == 0), 0.0, some.value)
            bound = torch.full_like(some.bound, -torch.inf)
            some = replace(some, phase=phase, value=value, lower=box.lower, upper=box.upper, bound=bound).only(~empty)
            before = known.value[~empty]
            if not len(some):
                break
            some, last, bound = self._bounded(some, _AGAIN)
            again = (some.bound - before > -_WORTH * before) & (left > 0)
            done = (bound <= 0) & ~again
            found.append((some.only(done), last.cost[done]))
            some = some.only((bound <= 0) & again)
            if not len(some):
                break
        return self._to_split(joined([it for it, _ in found]), torch.cat([c for _, c in found])) if found else (some, neuron[:0])

    def _narrowing(self, case: int, some: SubProblems) -> Narrowing | None:
        """What narrows the boxes of sub-problems of a case: nothing while these are few, then tuned to some of them."""
        taken = self.taken[case]
        if self.programs is not None or taken < _EASY:
            return None
        if taken >= self.tune_at.get(case, 0):
            self.tune_at[case] = taken * _TUNE
            self.narrowing[case] = Narrowing(self.branching, self.ascent.concluded(some), lambda: True)
        return self.narrowing[case]

    def _to_split(self, left: SubProblems, cost: Tensor) -> tuple[SubProblems, Tensor]:
        """Sub-problems in which something can be held, and the ReLU to hold; the others are decided."""
        free = left.phase == 0
        splittable = free.any(1)
        for row in (~splittable).nonzero().flatten().tolist():
            self._decide(left.only(slice(row, row + 1)))
        return left.only(splittable), torch.where(free, cost, torch.inf)[splittable].argmin(1)

    def _bound(self, some: SubProblems, steps: int) -> None:
        """Bound sub-problems; keep those that stay open."""
        found, last, bound = self._bounded(some, steps)
        for case, value in zip(found.case.tolist(), bound.tolist(), strict=True):
            if value > 0:
                self.least[case] = min(self.least[case], value)
        rows = (~(bound > 0)).nonzero().flatten()
        if len(rows):
            self._keep(found.only(rows), Bounded(last.value[rows], last.form[rows], last.cost[rows]))

    def _bounded(self, some: SubProblems, steps: int) -> tuple[SubProblems, Bounded, Tensor]:
        """Better sub-problems, an evaluation of each in float32, and bounds (rows,) in float64."""
        if self.programs is not None:
            found, bound = self.programs.bound(some)
            return found, self.ascent.estimate(found), bound
        found, last = self.ascent.climb(some, steps, 0.0)
        maybe = (found.bound > 0).nonzero().flatten()
        bound = torch.full((len(found),), -torch.inf, dtype=torch.float64)
        if len(maybe):
            bound[maybe] = self.ascent.conclude(found.only(maybe))
        return found, last, bound

    def _keep(self, left: SubProblems, last: Bounded) -> None:
        """Look for witnesses in open sub-problems, and choose where to split them."""
        self._refute(left, last.form)
        left, neuron = self._to_split(left, last.cost)
        if len(left):
            self.waiting.put(left, neuron)

    def _decide(self, leaf: SubProblems) -> None:
        """Decide a sub-problem in which every ReLU is held."""
        case = int(leaf.case)
        forms = self.ascent.forms
        valid = forms.valid[case]
        part = Part(self.branching.bounds, self.branching.place, self.branching.phases(leaf.phase[0]))
        answer = decide(part, forms.weights[case][valid], forms.constants[case][valid])
        if isinstance(answer, Excluded):
            self.least[case] = min(self.least[case], answer.bound)
            return
        if isinstance(answer, Candidate):
            self._try(answer.point[None].numpy())
        self.given_up.add(case)

    def _refute(self, left: SubProblems, form: Tensor) -> None:
        """Try the corners of the region where the bounds are least."""
        box = self.branching.box
        corners = torch.where(form > 0, box.lower, box.upper)
        with torch.inference_mode():
            outputs = self.refuter.network.graph32.forward(corners.float()).double()
        scores = self.ascent.forms.violations(outputs).gather(1, left.case[:, None]).squeeze(1)
        best = int(scores.argmax())
        if scores[best] > 0:
            self._try(corners[best : best + 1].numpy())

    def _try(self, points: npt.NDArray[np.float64]) -> None:
        """Offer a candidate, moved to float32 and into the region."""
        inward = self.progress.inward
        if inward is not None:
            moved = np.clip(points.reshape(len(points), -1).astype(np.float32), *inward)
            self.refuter.try_point(self.progress, moved.reshape(points.shape)[0], "branch")

    def _close(self) -> None:
        """Record the cases of which nothing waits, settle what they prove, and forget what is not asked any more."""
        here = self.waiting.cases()
        for k, case in enumerate(self.cases):
            if not (k in here or k in self.given_up or self.progress.ledger.excludes(case)):
                self.progress.ledger.record_cover(self.trees.cover(k, self.least[k], narrowed=k in self.narrowing))
        self.progress.settle_proven("branch")
        for k in here:
            if k in self.given_up or self.progress.ledger.excludes(self.cases[k]):
                self.waiting.drop(k)


def _owners(progress: Progress) -> dict[Case, int]:
    """The open cases of open properties, each with the first property that has it."""
    owner: dict[Case, int] = {}
    for k in progress.open:
        cases = [case for case in progress.cases[k] if not progress.ledger.excludes(case)]
        if progress.notes[k] is None and all(0 < len(case.margins) <= progress.classes for case in cases):
            for case in cases:
                owner.setdefault(case, k)
    return owner
