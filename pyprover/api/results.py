"""What is known about a region, as Python values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from pyprover.verdict import NoiseUse


class Status(StrEnum):
    """What is known about one set of classes in one region."""

    VALID = "valid"
    INVALID = "invalid"
    UNKNOWN = "unknown"
    TIMEOUT = "timeout"
    FAILURE = "failure"


@dataclass(frozen=True, eq=False)
class Counterexample:
    """An input inside the region, replayed in ONNX Runtime.

    ``point``: float32 (*input_shape); ``outputs``: float32 (outputs,); ``classes``: the arg-max set; ``margin``: how
    far the best class outside is ahead; ``distance``: to the region's centre, max norm, in data units.
    """

    point: NDArray[np.float32] = field(repr=False)
    outputs: NDArray[np.float32] = field(repr=False)
    classes: tuple[int, ...]
    margin: float
    distance: float


@dataclass(frozen=True, eq=False)
class Link:
    """What is known about one allowed set.

    ``margin``: a proven lower bound on the lead of the best allowed class, or ``None``; ``step``: what decided, or was
    tried last; ``reason``: why it is not decided.
    """

    allowed: frozenset[int]
    status: Status
    margin: float | None
    step: str
    counterexample: Counterexample | None = None
    reason: str | None = None


@dataclass(frozen=True, eq=False)
class Result:
    """What is known about one region: a link for each allowed set, the finest first.

    ``centre``: the network's answer at the centre; ``cpu_seconds``: what the region cost; ``noise``: how zonotopes kept
    their noise, by the step that used them.
    """

    links: tuple[Link, ...]
    centre: tuple[int, ...]
    cpu_seconds: float
    noise: Mapping[str, NoiseUse] = field(default_factory=dict)

    @property
    def status(self) -> Status:
        """Of the finest set."""
        return self.links[0].status

    @property
    def margin(self) -> float | None:
        """Of the finest set."""
        return self.links[0].margin

    @property
    def proven(self) -> int | None:
        """The place of the finest set that is proven."""
        return next((k for k, link in enumerate(self.links) if link.status is Status.VALID), None)

    @property
    def severity(self) -> int | None:
        """The place of the coarsest set that a counterexample leaves: the higher, the worse."""
        return max((k for k, link in enumerate(self.links) if link.status is Status.INVALID), default=None)

    @property
    def counterexample(self) -> Counterexample | None:
        """The most severe one."""
        return None if self.severity is None else self.links[self.severity].counterexample
