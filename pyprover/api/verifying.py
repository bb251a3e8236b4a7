"""The call: `verify`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol, overload, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from pyprover import engine, verdict
from pyprover.api.boxes import InputBox
from pyprover.api.results import Counterexample, Link, Result, Status
from pyprover.domains.resources import Resources
from pyprover.engine import Network, Problem, Settings
from pyprover.errors import UserError
from pyprover.normalization import check_shape
from pyprover.query import Deployment, Within
from pyprover.witness import Checked

Classes = Set[int]
Allowed = Classes | Sequence[Classes]
"""Classes that may be answered, or a chain of such sets, each inside the next: the finest level first."""


@runtime_checkable
class Exported(Protocol):
    """What ``torch.onnx.export`` returns."""

    def save(self, destination: str, /) -> object:
        """Write the ONNX file."""


Model = str | os.PathLike[str] | Network | Exported


@overload
def verify(
    network: Model,
    region: InputBox,
    allowed: Allowed,
    *,
    time_limit: float = ...,
    domain: str | None = ...,
    seed: int = ...,
    memory_limit: int | None = ...,
    noise_directory: str | os.PathLike[str] | None = ...,
    noise_symbols: int | None = ...,
    deployment: str = ...,
) -> Result: ...
@overload
def verify(
    network: Model,
    region: Sequence[InputBox],
    allowed: Sequence[Allowed],
    *,
    time_limit: float = ...,
    domain: str | None = ...,
    seed: int = ...,
    memory_limit: int | None = ...,
    noise_directory: str | os.PathLike[str] | None = ...,
    noise_symbols: int | None = ...,
    deployment: str = ...,
) -> list[Result]: ...
def verify(  # noqa: PLR0913 -- keywords read better than a bundle that users must make first
    network: Model,
    region: InputBox | Sequence[InputBox],
    allowed: Allowed | Sequence[Allowed],
    *,
    time_limit: float = 60.0,
    domain: str | None = None,
    seed: int = 0,
    memory_limit: int | None = None,
    noise_directory: str | os.PathLike[str] | None = None,
    noise_symbols: int | None = None,
    deployment: str = "real",
) -> Result | list[Result]:
    """Prove or refute that every answer of the network in the region is an allowed class.

    ``network``: an ONNX file, a `Network` opened once for many calls, or what ``torch.onnx.export`` returned. A list
    of regions, with what is allowed in each, shares work and time: ``time_limit`` is in wall-clock seconds a region.
    ``domain``: the only one to prove with. Raises ``UserError`` for what does not fit together.

    ``memory_limit``: bytes that this process may hold in all; analyses are planned for it, but it is not enforced.
    ``noise_directory``: where zonotopes may write noise that finds no room. ``noise_symbols``: the most noise symbols
    that zonotopes keep, for less work and looser bounds. ``deployment``: with ``"float32"``, what is proven also holds
    for every evaluation of the network in single precision, at single-precision points of the region.
    """
    if not time_limit > 0:
        raise UserError(f"a time limit of {time_limit} s: it must be positive")
    single = isinstance(region, InputBox)
    regions = [region] if isinstance(region, InputBox) else list(region)
    sets: list[Any] = [allowed] if single else list(allowed)
    if len(regions) != len(sets):
        raise UserError(f"{len(regions)} regions, but {len(sets)} entries of allowed: give one for each")
    chains = [_chain(entry) for entry in sets]
    opened = _open(network)
    for one in regions:
        check_shape(one.shape, opened.stored.input_shape)
    run = _Run(opened, chains)
    problems = [
        Problem(place, one.region, tuple(Within(tuple(sorted(link))) for link in chain))
        for place, (one, chain) in enumerate(zip(regions, chains, strict=True))
    ]
    folder = None if noise_directory is None else Path(noise_directory)
    resources = Resources.asked(memory_limit, folder, noise_symbols)
    settings = Settings(
        time_limit, run.store, domain=domain, seed=seed, deployment=_deployment(deployment), resources=resources
    )
    engine.verify(opened, problems, settings, run.emit)
    results = [run.results[place] for place in range(len(problems))]
    return results[0] if single else results


def _deployment(name: str) -> Deployment:
    try:
        return Deployment(name)
    except ValueError:
        raise UserError(f"{name!r} is no deployment", f"choose one of {', '.join(Deployment)}") from None


def _chain(allowed: object) -> tuple[frozenset[int], ...]:
    links: list[Any] = list(allowed) if isinstance(allowed, Sequence) else [allowed]
    if not links or not all(isinstance(link, Set) for link in links):
        raise UserError("allowed is a set of classes, or a list of such sets, the finest first")
    if not all(isinstance(label, int | np.integer) for link in links for label in link):
        raise UserError("classes are integers: the places of the network's outputs")
    chain = tuple(frozenset(map(int, link)) for link in links)
    if any(not finer <= coarser for finer, coarser in pairwise(chain)):
        raise UserError("the sets of a chain must grow: each holds the one before")
    return chain


def _open(network: Model) -> Network:
    if isinstance(network, Network):
        return network
    if isinstance(network, str | os.PathLike):
        return Network.open(os.fspath(network))
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "network.onnx")
        network.save(path)
        return Network.open(path)


@dataclass(eq=False)
class _Run:
    """The counterexamples and results of one call so far; the engine names a counterexample by its place."""

    network: Network
    chains: Sequence[tuple[frozenset[int], ...]]
    points: list[NDArray[np.float32]] = field(default_factory=list)
    results: dict[int, Result] = field(default_factory=dict)

    def store(self, _: Problem, point: NDArray[np.float32], checked: Checked) -> verdict.Witness:
        """Keep a checked counterexample."""
        self.points.append(point)
        name = str(len(self.points) - 1)
        return verdict.Witness(name, None, checked.classes, checked.margin, checked.distance, checked.centre)

    def emit(self, answer: verdict.Answer) -> None:
        """Keep an answer as a result."""
        outcomes = zip(self.chains[answer.query], answer.outcomes, strict=True)
        links = tuple(self._link(allowed, outcome) for allowed, outcome in outcomes)
        noise = {step.name: step.noise for step in answer.steps if step.noise is not None}
        self.results[answer.query] = Result(links, answer.centre, answer.seconds, noise)

    def _link(self, allowed: frozenset[int], outcome: verdict.Outcome) -> Link:
        about: Callable[..., Link] = lambda status, **more: Link(allowed, status, outcome.margin, outcome.step, **more)  # noqa: E731
        match outcome.verdict:
            case verdict.Valid():
                return about(Status.VALID)
            case verdict.Invalid(witness):
                return about(Status.INVALID, counterexample=self._counterexample(witness))
            case verdict.Unknown(reason):
                return about(Status.UNKNOWN, reason=reason)
            case verdict.Timeout():
                return about(Status.TIMEOUT)
            case verdict.Failure(message):
                return about(Status.FAILURE, reason=message)

    def _counterexample(self, witness: verdict.Witness) -> Counterexample:
        point = self.points[int(witness.file)]
        outputs = self.network.replayer.outputs(point[None])[0]
        return Counterexample(point, outputs, witness.classes, witness.margin, witness.distance)
