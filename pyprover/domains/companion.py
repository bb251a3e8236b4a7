"""What goes along with the linear analysis of a network, and shares its boxes: the interface of reduced products."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

from typing_extensions import override

from pyprover.domains.base import Box


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


@final
class Alone(Companion):
    """Nothing goes along."""

    @override
    def tighten(self, value: int, box: Box) -> Box:
        return box

    @override
    def learn(self, value: int, box: Box) -> None:
        pass
