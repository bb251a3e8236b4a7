"""The order in which a batch of queries is tried: cheapest first, and what decides a query is reported at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from math import prod

from pyprover.attack.gradient import Effort
from pyprover.domains.analysis import CASCADE, FORWARD, Check, bound_regions
from pyprover.domains.names import canonical
from pyprover.domains.noise.base import TooLargeError
from pyprover.domains.resources import in_force
from pyprover.engine.box_search import search_boxes, searchable
from pyprover.engine.branch import Site, branch, few_relus, only_relus
from pyprover.engine.case import Case
from pyprover.engine.conditional import exclude_conditionally
from pyprover.engine.deployed import leave_room, require_deployable
from pyprover.engine.network import Network
from pyprover.engine.optimise import optimise, suppose
from pyprover.engine.problem import Deadline, OutOfTimeError, Problem, Progress, Settings, stopwatch
from pyprover.engine.prove import class_goals, exclude, open_goals, regions
from pyprover.engine.refute import Refuter
from pyprover.engine.split import few_features, split
from pyprover.ops import Relu
from pyprover.query import Deployment, Within
from pyprover.verdict import Answer, Valid

Emit = Callable[[Answer], None]

_FIRST_SEARCH = Effort(starts=1, steps=12)
_LATER_SEARCH = Effort(starts=3, steps=30, seed=1)

_BRIEFLY = 4
"""The first attempt at branching, in units of the linear analysis: about what tightening its boxes costs."""

_OPTIMISING = 4
"""One of so many equal parts of the time that is left goes to better bounds of the region, and of cases."""

_DEEPENING = 4
"""One of so many equal parts of the time that is left goes to each search for boxes."""

_FIRST_ROUNDS = 10
_MORE_ROUNDS = 3
"""How often the first search for boxes grows its trees, and by what factor more often each further one."""

_FEW_RELUS_SECONDS = 2.0
"""The attempt at branching before bisection: where linear programs settle a region at all, they take less."""

_BATCH_BYTES = 256 << 20
_BATCH_PART = 4  # of what a memory limit leaves
_BATCH_MOST = 32
_BYTES_A_VALUE = 120


def verify(network: Network, problems: Sequence[Problem], settings: Settings, emit: Emit) -> None:
    """Answer each problem once, as soon as it is decided.

    Raises ``UserError`` before anything is answered when a property does not fit the network, or no domain is so named.
    A problem past its time has ``Timeout`` for what it leaves undecided; what was found before stays.
    """
    if settings.domain is not None:
        settings = replace(settings, domain=canonical(settings.domain))
    started = [Progress.start(problem, network.stored.outputs) for problem in problems]
    deployed = settings.deployment is Deployment.FLOAT32
    if deployed:
        require_deployable(network.file)
    ranked = [progress for progress in started if not deployed and _about_ranks(progress.problem)]
    others = [progress for progress in started if deployed or not _about_ranks(progress.problem)]
    with settings.resources.force():
        for form, some in ((network.ranked, ranked), (network, others)):
            for batch in _batches(form, some):
                _Cascade(form, settings, emit, Deadline.after(settings.time_limit * len(batch)), batch).run()


def _about_ranks(problem: Problem) -> bool:
    """Whether only the order of the outputs matters, not their values."""
    return all(isinstance(prop, Within) for prop in problem.properties)


def _batches(network: Network, problems: list[Progress]) -> Iterator[list[Progress]]:
    """Problems that fit into memory together."""
    values = sum(prod(shape) for shape in network.stored.shapes)
    room = min(_BATCH_BYTES, in_force().room().granted // _BATCH_PART)
    size = min(_BATCH_MOST, max(1, room // (_BYTES_A_VALUE * values)))
    for first in range(0, len(problems), size):
        yield problems[first : first + size]


@dataclass(eq=False)
class _Cascade:
    """One batch on its way through the steps.

    ``waiting`` holds what is not answered yet, ``sites`` the linear analysis of each problem's region.
    """

    network: Network
    settings: Settings
    emit: Emit
    deadline: Deadline
    waiting: list[Progress]
    refuter: Refuter = field(init=False)
    sites: dict[Progress, Site] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.refuter = Refuter(self.network, self.settings.store)

    def run(self) -> None:
        """Try the steps in order until all is answered."""
        try:
            self._step("empty", self._empty)
            self._step("centre", self.refuter.centres)
            self._step("search", partial(self._search, _FIRST_SEARCH))
            if self.settings.deployment is Deployment.FLOAT32:
                self._step("deployment", self._leave_room)
            for domain in CASCADE if self.settings.domain is None else (self.settings.domain,):
                self._step(domain, partial(self._prove, domain))
            self._step("search", partial(self._search, _LATER_SEARCH))
            if self.settings.domain is None:
                self._divide()
        except OutOfTimeError:
            for progress in self.waiting:
                progress.expired = True
        for progress in self.waiting:
            progress.settle_rest()
            self.emit(progress.answer())

    def _step(self, name: str, act: Callable[[list[Progress]], None], only: Progress | None = None) -> None:
        """Act on what is waiting, or on one of it, then answer what is done."""
        batch = self.waiting if only is None else [progress for progress in self.waiting if progress is only]
        if not batch:
            return
        self.deadline.check()
        try:
            with stopwatch(name, batch):
                act(batch)
        finally:
            done = [progress for progress in batch if not self._unfinished(progress)]
            self.waiting = [progress for progress in self.waiting if progress not in done]
            for progress in done:
                self.emit(progress.answer())

    def _divide(self) -> None:
        """Take regions apart, each with an equal share of the time that is left: by features, or by ReLUs."""
        undecided = [progress for progress in self.waiting if _undecided(progress)]
        for place, progress in enumerate(undecided):
            share = self.deadline.share(len(undecided) - place)
            try:
                if few_features(progress):
                    if progress in self.sites and few_relus(self.sites[progress], self.refuter):
                        self._step("branch", partial(self._try_branching, share.within(_FEW_RELUS_SECONDS)), progress)
                    self._step("split", partial(self._split, share.check), progress)
                else:
                    until = share.within(_BRIEFLY * progress.seconds["linear"])
                    self._step("branch", partial(self._try_branching, until), progress)
                    self._step("optimised", partial(self._optimise, share), progress)
                    self._deepen(share, progress)
                    if not only_relus(self.network):
                        self._step("optimised", partial(self._suppose, share), progress)
                    self._step("branch", partial(self._branch, share.check), progress)
            except OutOfTimeError:
                progress.expired = True
            self.sites.pop(progress, None)  # with what its search has waiting

    def _split(self, check: Check, batch: list[Progress]) -> None:
        for progress in batch:
            split(progress, _undecided, self.refuter, check)
            progress.settle_proven("split")

    def _try_branching(self, until: Deadline, batch: list[Progress]) -> None:
        """What is easy needs neither better bounds nor bisection."""
        for progress in batch:
            with suppress(OutOfTimeError):
                branch(self.sites[progress], self.refuter, until.check)

    def _optimise(self, share: Deadline, batch: list[Progress]) -> None:
        """In a part of the time, where branching may follow."""
        until = share.share(_OPTIMISING) if self._branches() else share
        for progress in batch:
            self.sites[progress] = optimise(self.sites[progress], until)
            progress.settle_proven("optimised")

    def _deepen(self, share: Deadline, progress: Progress) -> None:
        """Branching and the search for better boxes take turns, each longer than the last, while boxes gain."""
        rounds = _FIRST_ROUNDS
        while progress in self.waiting and searchable(self.network.graph):
            site, spent = self.sites[progress], progress.seconds.get("boxes", progress.seconds["optimised"])
            self._step("branch", partial(self._try_branching, share.within(spent)), progress)
            self._step("boxes", partial(self._search_boxes, share.share(_DEEPENING), rounds), progress)
            if self.sites[progress] is site:
                break
            rounds *= _MORE_ROUNDS

    def _search_boxes(self, until: Deadline, rounds: int, batch: list[Progress]) -> None:
        for progress in batch:
            site = self.sites[progress]
            found = search_boxes(site.bounds, self.network.graph32, rounds, until.spare)
            if found is not None:
                self.sites[progress] = Site(progress, found, site.place)

    def _suppose(self, share: Deadline, batch: list[Progress]) -> None:
        """In a part of the time, where branching may follow."""
        until = share.share(_OPTIMISING) if self._branches() else share
        for progress in batch:
            suppose(self.sites[progress], until)
            progress.settle_proven("optimised")

    def _branches(self) -> bool:
        return any(isinstance(node.op, Relu) for node in self.network.stored.nodes)

    def _branch(self, check: Check, batch: list[Progress]) -> None:
        for progress in batch:
            branch(self.sites[progress], self.refuter, check)

    def _unfinished(self, progress: Progress) -> bool:
        if progress.problem.region.empty:
            return False
        return bool(progress.open) or (self.settings.full_matrix and bool(progress.pending_classes()))

    def _empty(self, batch: list[Progress]) -> None:
        for progress in batch:
            if progress.problem.region.empty:
                for k in progress.open:
                    progress.decide(k, Valid(), "empty")

    def _search(self, effort: Effort, batch: list[Progress]) -> None:
        effort = replace(effort, seed=self.settings.seed + effort.seed)
        self.refuter.search(batch, effort, self.deadline.check)
        if self.settings.full_matrix:
            self.refuter.search_classes(batch, effort, self.deadline.check)

    def _leave_room(self, batch: list[Progress]) -> None:
        leave_room(self.network, batch, self.deadline.check)

    def _prove(self, domain: str, batch: list[Progress]) -> None:
        """Analyse the regions once; all questions about them share the analysis."""
        try:
            forward = domain in FORWARD
            if forward:
                self.network.rest()
            graph = self.network.stored if forward else self.network.graph
            bounds = bound_regions(domain, graph, regions(batch, self.network), self.deadline.check)
        except TooLargeError as error:
            self._prove_apart(domain, batch, error)
            return
        for progress, use in zip(batch, bounds.linearised.noise, strict=False):  # those of zonotopes have any
            progress.noise[domain] = use
        exclude(bounds, batch, open_goals, self.deadline.check)
        exclude_conditionally(bounds, batch, self.deadline.check)
        if domain == "linear":
            self.sites = {progress: Site(progress, bounds, place) for place, progress in enumerate(batch)}
        for progress in batch:
            progress.settle_proven(domain)
        if self.settings.full_matrix:
            exclude(bounds, batch, class_goals, self.deadline.check)

    def _prove_apart(self, domain: str, batch: list[Progress], error: TooLargeError) -> None:
        """Leave out the region that is too large for the domain: the others of a batch may not be."""
        if len(batch) == 1:
            batch[0].refused = f"too large for the domain {domain}: {error}"
            return
        for progress in batch:
            self._prove(domain, [progress])


def _undecided(progress: Progress) -> list[Case]:
    """Cases that parts may decide: where a tie was seen, the part that holds it never does."""
    chosen = [progress.cases[k] for k in progress.open if progress.notes[k] is None]
    return [case for cases in chosen for case in cases if not progress.ledger.excludes(case)]
