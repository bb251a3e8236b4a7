"""The region of a query: an exact box in the space of the network's input.

The protocol states bounds in data units, before normalisation. ``x -> (x - mean) / std`` is increasing when
``std > 0``, so each bound maps to one bound, exactly, in rationals; no rounding and no normalisation layer is needed.
Features are numbered row-major.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pyprover.errors import UserError
from pyprover.normalization import Affine, affine, check_shape
from pyprover.query import Ball, Bound, DatasetRef, Feature, Normalization, Range
from pyprover.rounding import down32, nearest64, neighbours, round_all, up32


class Samples(Protocol):
    """What a region needs of a dataset."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample, channels first."""

    def exact(self, index: int) -> tuple[Fraction, ...]:
        """Return the sample in data units, row-major; ``UserError`` when ``index`` is out of range."""


@dataclass(frozen=True)
class Region:
    """A box in network-input space; every tuple has one entry a feature, row-major.

    ``centre`` is the ball's centre (not clamped), or the middle of the box. ``scale`` is the number of data units in
    one unit of the network's input. A bound whose index is in ``strict_lower`` or ``strict_upper`` is excluded from
    the region: a proof relaxes it to the closed bound, a witness must respect it.
    """

    lower: tuple[Fraction, ...]
    upper: tuple[Fraction, ...]
    centre: tuple[Fraction, ...]
    scale: tuple[Fraction, ...]
    strict_lower: frozenset[int] = frozenset()
    strict_upper: frozenset[int] = frozenset()

    @cached_property
    def empty(self) -> bool:
        """Whether no real point lies inside, strict bounds respected."""
        distinct = {(id(low), id(high)): (low, high) for low, high in zip(self.lower, self.upper, strict=True)}
        if any(low > high for low, high in distinct.values()):
            return True
        return any(self.lower[i] == self.upper[i] for i in self.strict_lower | self.strict_upper)

    def outward(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the tightest float64 box (n,), (n,) that contains the region: for proofs."""
        return self._rounded_lower[:, 0].copy(), self._rounded_upper[:, 1].copy()

    def inward(self) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
        """Return the largest float32 box (n,), (n,) inside the region, strict bounds respected: for search.

        None when no float32 point lies inside.
        """
        lower = up32(*_strictly(self._rounded_lower[:, 1], self.lower, self.strict_lower))
        upper = down32(*_strictly(self._rounded_upper[:, 0], self.upper, self.strict_upper))
        return None if np.any(lower > upper) else (lower, upper)

    def centre32(self) -> NDArray[np.float32]:
        """Return the centre rounded to float32 (n,), clamped into :meth:`inward` when that exists."""
        with np.errstate(over="ignore"):
            centre = round_all(nearest64, self.centre).astype(np.float32)
        box = self.inward()
        return centre if box is None else np.clip(centre, *box)

    @cached_property
    def _rounded_lower(self) -> NDArray[np.float64]:
        return round_all(neighbours, self.lower)

    @cached_property
    def _rounded_upper(self) -> NDArray[np.float64]:
        return round_all(neighbours, self.upper)

    @cached_property
    def holds_centre(self) -> bool:
        """Whether the exact centre lies inside."""
        triples = zip(self.lower, self.centre, self.upper, strict=True)
        distinct = {(id(low), id(mid), id(high)): (low, mid, high) for low, mid, high in triples}
        if not all(low <= mid <= high for low, mid, high in distinct.values()):
            return False
        return all(self.lower[i] < self.centre[i] for i in self.strict_lower) and all(
            self.centre[i] < self.upper[i] for i in self.strict_upper
        )


def _strictly(
    rounded: NDArray[np.float64], exact: Sequence[Fraction], strict: frozenset[int]
) -> tuple[NDArray[np.float64], list[int]]:
    """Return ``rounded``, and the strict indices where it *is* the bound, which must then be left out."""
    return rounded, [i for i in strict if Fraction(float(rounded[i])) == exact[i]]


# A bound and whether it is strict. Among lower bounds the tightest is the maximum (at equal bounds the strict one);
# for upper bounds the flag is kept negated, so that the tightest is the minimum.
_Edge = tuple[Fraction, bool]


def resolve(
    bounds: Sequence[Bound],
    normalization: Normalization | None,
    input_shape: tuple[int, ...],
    datasets: Callable[[DatasetRef], Samples],
) -> Region:
    """Intersect ``bounds`` to the region of a network whose input has ``input_shape`` (no batch axis).

    Raises ``UserError`` for a sample whose shape is not the network's, an index out of range, a feature without a
    lower or an upper bound, a normalisation that does not fit, and a bound beyond float32.
    """
    maps = affine(normalization, input_shape)
    balls = [bound for bound in bounds if isinstance(bound, Ball)]
    ranges = [bound for bound in bounds if isinstance(bound, Range)]
    samples = [_sample(ball, input_shape, datasets) for ball in balls]
    repeat = math.prod(input_shape) // len(maps)
    per_feature = [map_ for map_ in maps for _ in range(repeat)]

    boxes = _boxes(balls, ranges, samples, per_feature)
    lower, upper = [box[0] for box in boxes], [box[1] for box in boxes]
    for bound in bounds:
        if isinstance(bound, Feature):
            _tighten(bound, per_feature, lower, upper)
    lows, highs = _complete(lower, "lower"), _complete(upper, "upper")
    centre = tuple(box[2] for box in boxes) if balls else _middle(lows, highs)
    return Region(
        tuple(low for low, _ in lows),
        tuple(high for high, _ in highs),
        centre,
        tuple(map_.std for map_ in per_feature),
        frozenset(i for i, (_, strict) in enumerate(lows) if strict),
        frozenset(i for i, (_, closed) in enumerate(highs) if not closed),
    )


def _sample(
    ball: Ball, input_shape: tuple[int, ...], datasets: Callable[[DatasetRef], Samples]
) -> tuple[Fraction, ...]:
    samples = datasets(ball.dataset)
    check_shape(samples.shape, input_shape)
    return samples.exact(ball.index)


_Box = tuple[_Edge | None, _Edge | None, Fraction]

# Boxes by radii and ranges, then by the identities of a normalisation's channel and of the balls' centres there. The
# objects are kept beside the box: an identity means something as long as its object lives.
_Known = dict[tuple[int, ...], tuple[tuple[object, ...], _Box]]
_known: dict[tuple[tuple[Fraction, ...], tuple[Range, ...]], _Known] = {}
_MOST_KNOWN = 1 << 16


def _known_boxes(radii: tuple[Fraction, ...], ranges: tuple[Range, ...]) -> _Known:
    """Return what is known for these bounds, to be added to; images share 256 pixel values, queries their radii."""
    if sum(map(len, _known.values())) > _MOST_KNOWN:
        _known.clear()
    return _known.setdefault((radii, ranges), {})


def _boxes(
    balls: Sequence[Ball],
    ranges: Sequence[Range],
    samples: Sequence[tuple[Fraction, ...]],
    maps: Sequence[Affine],
) -> list[_Box]:
    """For each feature the intersection of balls and ranges, and the first ball's centre."""
    radii = tuple(ball.radius for ball in balls)
    known = _known_boxes(radii, tuple(ranges))
    boxes = []
    for column in zip(maps, *samples, strict=True):
        key = tuple(map(id, column))
        if key not in known:
            known[key] = (column, _box(column[0], column[1:], radii, ranges))
        boxes.append(known[key][1])
    return boxes


def _box(to_input: Affine, centres: Sequence[Fraction], radii: Sequence[Fraction], ranges: Sequence[Range]) -> _Box:
    lows = [centre - radius for centre, radius in zip(centres, radii, strict=True)]
    highs = [centre + radius for centre, radius in zip(centres, radii, strict=True)]
    lows += [bound.lower for bound in ranges if bound.lower is not None]
    highs += [bound.upper for bound in ranges if bound.upper is not None]
    return (
        (_bounded(to_input(max(lows))), False) if lows else None,
        (_bounded(to_input(min(highs))), True) if highs else None,
        to_input(centres[0]) if centres else Fraction(0),
    )


def _tighten(bound: Feature, maps: Sequence[Affine], lower: list[_Edge | None], upper: list[_Edge | None]) -> None:
    """Intersect one feature's box, in place."""
    index = bound.index
    if not 0 <= index < len(maps):
        raise UserError(f"feature {index} does not exist: the network's input has {len(maps)} features, from 0")
    if bound.lower is not None:
        low, old = (_bounded(maps[index](bound.lower)), bound.strict_lower), lower[index]
        lower[index] = low if old is None else max(old, low)
    if bound.upper is not None:
        high, old = (_bounded(maps[index](bound.upper)), not bound.strict_upper), upper[index]
        upper[index] = high if old is None else min(old, high)


def _bounded(bound: Fraction) -> Fraction:
    if abs(bound) > _LARGEST:
        raise UserError("a bound of the region is beyond the range of float32, the type of the network's input")
    return bound


_LARGEST = Fraction(float(np.finfo(np.float32).max))


def _complete(edges: Sequence[_Edge | None], side: str) -> list[_Edge]:
    complete = [edge for edge in edges if edge is not None]
    if len(complete) < len(edges):
        raise UserError(
            f"feature {edges.index(None)} of the region has no {side} bound",
            "bound every feature: in_ball, valid_image, or two inequalities",
        )
    return complete


def _middle(lows: Sequence[_Edge], highs: Sequence[_Edge]) -> tuple[Fraction, ...]:
    return tuple((low + high) / 2 for (low, _), (high, _) in zip(lows, highs, strict=True))
