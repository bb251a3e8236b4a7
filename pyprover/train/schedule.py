"""How radius and learning rate change over the epochs."""

from __future__ import annotations

from dataclasses import dataclass

from pyprover.train.options import option
from pyprover.train.samples import AUGMENTATIONS

_BEND = 0.25
_POWER = 4


@dataclass(frozen=True)
class Schedule:
    """Clean images first, a growing radius, then the full radius; the learning rate falls at given shares."""

    epochs: int = option(40, "passes over the training images", least=1)
    warm_up: int = option(1, "epochs without perturbation", least=0)
    ramp_up: int | None = option(None, "epochs in which the radius grows; by default a third of all", least=0)
    ramp: str = option("linear", "how it grows; smooth: slowly at first", choices=("linear", "smooth"))
    batch: int = option(128, "images a step", least=1)
    learning_rate: float = option(1e-3, "of Adam", above=0)
    decay_at: tuple[float, ...] = option((0.7, 0.9), "shares of the epochs at which it falls", least=0, most=1)
    decay: float = option(0.2, "factor by which it falls", above=0, most=1)
    augment: str = option("none", "random changes of the training images", choices=AUGMENTATIONS)

    def rate(self, epoch: int) -> float:
        """Return the learning rate of an epoch, counted from 0."""
        falls = sum(epoch / self.epochs >= share for share in self.decay_at)
        return self.learning_rate * self.decay**falls

    def growth(self, epochs: float) -> float:
        """Return the part of the radius reached after so many epochs, 0 to 1."""
        length = self.epochs // 3 if self.ramp_up is None else self.ramp_up
        past = epochs - self.warm_up
        share = min(max(past / length, 0.0), 1.0) if length else float(past >= 0)
        return _smooth(share) if self.ramp == "smooth" else share


def _smooth(share: float) -> float:
    """Grow as the fourth power for a quarter of the way, then linearly, with a continuous slope.

    As Xu et al. 2020 (arXiv 2002.12920).
    """
    slope = _POWER * _BEND ** (_POWER - 1)
    factor = 1 / (_BEND**_POWER + slope * (1 - _BEND))
    if share <= _BEND:
        return factor * share**_POWER
    return min(factor * (_BEND**_POWER + slope * (share - _BEND)), 1.0)
