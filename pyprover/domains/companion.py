"""What goes along with the linear analysis of a network, and shares its boxes: the interface of reduced products."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import final

from typing_extensions import override

from pyprover.domains.base import Box
from pyprover.domains.linear import Linearised


class Companion(ABC):
    """Another domain's bounds of the same values over the same batch of regions.

    Asked about the values that non-linear operators read, in the order of those operators.
    """

    @abstractmethod
    def tighten(self, value: int, box: Box) -> Box:
        """The intersection of a box of the value (batch, *shape) with what is known of it here."""

    @abstractmethod
    def learn(self, value: int, box: Box) -> None:
        """Take the best box of the value (batch, *shape), over which the operators that read it are relaxed."""

    @abstractmethod
    def finish(self) -> Sequence[Linearised]:
        """What bounds forms over the outputs, beside the linear analysis."""


@final
class Alone(Companion):
    """Nothing goes along."""

    @override
    def tighten(self, value: int, box: Box) -> Box:
        return box

    @override
    def learn(self, value: int, box: Box) -> None:
        pass

    @override
    def finish(self) -> Sequence[Linearised]:
        return ()
