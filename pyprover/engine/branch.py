"""Branching on ReLUs: a case that stays open on a region is tried with ReLUs held, active or inactive, one by one.

All open cases of a region are searched together: the sub-problems that are bounded at once are the worst ones of each
open property. A sub-problem in which every ReLU is held is decided by a linear program, so that the search is complete
for groups, too. The ReLU to hold is the one whose upper line costs the bound most (BaBSR: Bunel et al., *Branch and
bound for piecewise linear neural network verification*, JMLR 2020); `bench/splitting.md` says what else was measured.

When a case has cost some work, the boxes of its sub-problems are narrowed to where it holds before they are split
(`pyprover.domains.narrowing`). When its tree closes then, the case holds nowhere, which is all that it shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import inf

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pyprover.domains.analysis import Check, RegionBounds
from pyprover.domains.branching import Bounded, Branching
from pyprover.domains.narrowing import Narrowing
from pyprover.engine.ascent import Ascent, SubProblems, halves, joined
from pyprover.engine.case import Case
from pyprover.engine.exact import Candidate, Excluded, Part, decide
from pyprover.engine.ledger import Cover
from pyprover.engine.network import Network
from pyprover.engine.problem import OutOfTimeError, Progress
from pyprover.engine.programs import Programs
from pyprover.engine.refute import Refuter
from pyprover.engine.waiting import MOST_BYTES, Waiting
from pyprover.ops import Relu

AT_ONCE = 64
"""Sub-problems split at once: enough that arithmetic outweighs the calls, few enough to stay near best-first."""

_FIRST_STEPS = 30
_STEPS = 6
"""Evaluations of a sub-problem: halves go on from where their parent ended, which further ones would help less."""

_ROUNDS = 12
_WORTH = 0.05
_STEPS_AGAIN = 3
"""Boxes are narrowed at most so often in a row, while that gains such a part of what is missing; evaluations each."""

_TUNED_AGAIN = 6
"""What narrows boxes is tuned again after so many times the work: sub-problems have changed by then."""


@dataclass(eq=False)
class Site:
    """A region: what is known of it, its analysis, its place in the analysed batch; its search, once it has begun."""

    progress: Progress
    bounds: RegionBounds
    place: int
    search: _Search | None = None


def only_relus(network: Network) -> bool:
    """Whether ReLUs are all that is to be split: with each of them held, nothing but linear operators is left."""
    return all(node.op.linear or isinstance(node.op, Relu) for node in network.stored.nodes)


def few_relus(site: Site, refuter: Refuter) -> bool:
    """Whether ReLUs are all that is to be split, and so few that linear programs bound the sub-problems."""
    network = refuter.network
    return only_relus(network) and Programs.fit(Branching(site.bounds, site.place, network.graph32))


def branch(site: Site, refuter: Refuter, check: Check) -> None:
    """Search until each open property is decided; ``check`` raises to end it before, and what is decided stays.

    Called again with the same site, it goes on from there: ``check`` is only called where no sub-problem is under way.
    """
    with torch.no_grad():
        if site.search is None:
            branching = Branching(site.bounds, site.place, refuter.network.graph32, boxed=True)
            owners = _owners(site.progress)
            if branching.neurons == 0 or not owners:
                return
            search = _Search(site.progress, refuter, branching, owners)
            search.start(check)
            site.search = search
        while site.search.advance(check):
            pass


class _Search:
    """The search of the trees of all open cases of a region."""

    def __init__(self, progress: Progress, refuter: Refuter, branching: Branching, owner: Mapping[Case, int]) -> None:
        self.progress, self.refuter, self.branching = progress, refuter, branching
        self.cases, self.owner = list(owner), list(owner.values())
        self.ascent = Ascent.of(branching, self.cases, progress.classes)
        self.programs = Programs.of(branching, self.ascent.forms)
        self.work = [0] * len(self.cases)
        self.narrowing: dict[int, Narrowing] = {}
        self.narrowed: set[int] = set()
        self.next_tuning = dict.fromkeys(range(len(self.cases)), Narrowing.work(branching))
        self.least = [inf] * len(self.cases)
        self.given_up: set[int] = set()
        self.waiting = Waiting()

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
            parents, neuron = self._in_narrow_boxes(parents, neuron, check)
            if len(parents):
                self._bound(halves(parents, neuron), _STEPS)
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

    def _in_narrow_boxes(self, some: SubProblems, neuron: Tensor, check: Check) -> tuple[SubProblems, Tensor]:
        """What stays open, with boxes narrowed where the case has cost some work; and the neurons to hold."""
        left = torch.ones(len(some), dtype=torch.bool)
        parts, neurons = [], []
        for case in sorted(set(some.case.tolist())):
            rows = some.case == case
            narrowing = self._narrowing(case, some.only(rows), check)
            if narrowing is not None:
                left &= ~rows
                part, held = self._to_split(*self._narrow(narrowing, some.only(rows)))
                parts.append(part)
                neurons.append(held)
        return joined([*parts, some.only(left)]), torch.cat([*neurons, neuron[left]])

    def _narrowing(self, case: int, some: SubProblems, check: Check) -> Narrowing | None:
        """What narrows the boxes of a case, tuned to some of its sub-problems; nothing before it is worth its cost."""
        if self.programs is None and self.work[case] >= self.next_tuning[case] > 0:
            self.next_tuning[case] = _TUNED_AGAIN * self.work[case]
            share = MOST_BYTES // len(self.waiting.cases() | {case})
            typical, spare = self.ascent.concluded(some), partial(_has_time, check)
            self.narrowing[case] = Narrowing(self.branching, typical, share, spare)
            self.narrowed.add(case)
        return self.narrowing.get(case)

    def _narrow(self, narrowing: Narrowing, some: SubProblems) -> tuple[SubProblems, Tensor]:
        """The sub-problems that stay open, narrowed while that pays; and the costs of their neurons."""
        done, costs = [some.only(slice(0))], [torch.zeros_like(some.value[:0])]
        for left in reversed(range(_ROUNDS)):
            known = self.ascent.concluded(some)
            phase, box, empty = narrowing.narrow(some.phase, some.box, known)
            value = torch.where((phase != 0) & (some.phase == 0), 0.0, some.value)
            bound = torch.full_like(some.bound, -torch.inf)
            narrow = replace(some, phase=phase, value=value, lower=box.lower, upper=box.upper, bound=bound)
            narrow, before = narrow.only(~empty), known.value[~empty]
            if not len(narrow):
                break
            after, last, bound = self._bounded(narrow, _STEPS_AGAIN)
            rising = (after.bound - before > -_WORTH * before) & (left > 0)
            still = ~(bound > 0)
            done.append(after.only(still & ~rising))
            costs.append(last.cost[still & ~rising])
            some = after.only(still & rising)
            if not len(some):
                break
        return joined(done), torch.cat(costs)

    def _to_split(self, left: SubProblems, cost: Tensor) -> tuple[SubProblems, Tensor]:
        """Sub-problems in which something can be held, and the ReLU to hold; the others are decided."""
        free = left.phase == 0
        splittable = free.any(1)
        for row in (~splittable).nonzero().flatten().tolist():
            self._decide(left.only(slice(row, row + 1)))
        return left.only(splittable), torch.where(free, cost, torch.inf)[splittable].argmin(1)

    def _bound(self, some: SubProblems, steps: int) -> None:
        """Bound sub-problems; keep those that stay open."""
        for case, rows in enumerate(some.case.bincount().tolist()):
            self.work[case] += rows * steps
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

    def _cover(self, k: int) -> Cover:
        """What the closed tree of a case shows: a bound on it, or, with boxes that only hold where it does, no more."""
        if k in self.narrowed:
            return Cover.by_contradiction(self.cases[k])
        return Cover({self.cases[k]: self.least[k]})

    def _close(self) -> None:
        """Record the cases of which nothing waits, settle what they prove, and forget what is not asked any more."""
        here = self.waiting.cases()
        for k, case in enumerate(self.cases):
            if not (k in here or k in self.given_up or self.progress.ledger.excludes(case)):
                self.progress.ledger.record_cover(self._cover(k))
        self.progress.settle_proven("branch")
        for k in here:
            if k in self.given_up or self.progress.ledger.excludes(self.cases[k]):
                self.waiting.drop(k)
        for k in self.narrowing.keys() - self.waiting.cases():
            del self.narrowing[k]


def _has_time(check: Check) -> bool:
    try:
        check()
    except OutOfTimeError:
        return False
    return True


def _owners(progress: Progress) -> dict[Case, int]:
    """The open cases of open properties, each with the first property that has it."""
    owner: dict[Case, int] = {}
    for k in progress.open:
        cases = [case for case in progress.cases[k] if not progress.ledger.excludes(case)]
        if progress.notes[k] is None and all(0 < len(case.margins) <= progress.classes for case in cases):
            for case in cases:
                owner.setdefault(case, k)
    return owner
