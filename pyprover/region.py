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
from itertools import islice
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from pyprover.errors import UserError
from pyprover.normalization import Affine, affine, check_shape
from pyprover.query import (
    IMAGES,
    Around,
    Ball,
    Bound,
    Box,
    DatasetRef,
    Feature,
    Normalization,
    Radii,
    Range,
    Relative,
    Row,
)
from pyprover.rounding import down32, nearest64, neighbours, round_all, up32


class Samples(Protocol):
    """What a region needs of a dataset."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample, channels first."""

    def exact(self, index: int) -> tuple[Fraction, ...]:
        """Return the sample in data units, row-major; ``UserError`` when ``index`` is out of range."""

    def beside(self, array: str) -> Self:
        """Return the dataset's array ``array`` as samples; ``UserError`` when there is none of this name."""


@dataclass(frozen=True)
class Region:
    """A box in network-input space; every tuple has one entry a feature, row-major.

    ``centre`` is the sample that the region lies around (not clamped), or the middle of the box. ``scale`` is the
    number of data units in one unit of the network's input. A bound whose index is in ``strict_lower`` or
    ``strict_upper`` is excluded from the region: a proof relaxes it to the closed bound, a witness must respect it.
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
    repeat = math.prod(input_shape) // len(maps)
    per_feature = [map_ for map_ in maps for _ in range(repeat)]

    def row(of: Row) -> tuple[Fraction, ...]:
        samples = datasets(of.dataset)
        check_shape(samples.shape, input_shape)
        return samples.beside(of.array).exact(of.index)

    wide = [bound for bound in bounds if not isinstance(bound, Feature)]
    cells = _cells(wide, [tuple(map(row, _rows(bound))) for bound in wide], per_feature)
    lower, upper = [cell[0] for cell in cells], [cell[1] for cell in cells]
    for bound in bounds:
        if isinstance(bound, Feature):
            _tighten(bound, per_feature, lower, upper)
    lows, highs = _complete(lower, "lower"), _complete(upper, "upper")
    around = any(isinstance(bound, Around) for bound in bounds)
    centre = tuple(cell[2] for cell in cells) if around else _middle(lows, highs)
    return Region(
        tuple(low for low, _ in lows),
        tuple(high for high, _ in highs),
        centre,
        tuple(map_.std for map_ in per_feature),
        frozenset(i for i, (_, strict) in enumerate(lows) if strict),
        frozenset(i for i, (_, closed) in enumerate(highs) if not closed),
    )


_Wide = Ball | Radii | Relative | Box | Range  # bounds on every feature


def _rows(bound: _Wide) -> tuple[Row, ...]:
    """Return the rows whose values at a feature give its interval; the centre first."""
    match bound:
        case Radii():
            return Row(bound.dataset, IMAGES, bound.index), bound.radii
        case Ball() | Relative():
            return (Row(bound.dataset, IMAGES, bound.index),)
        case Box():
            return bound.lower, bound.upper
        case Range():
            return ()


def _constants(bound: _Wide) -> tuple[object, ...]:
    """Return what else gives the interval."""
    match bound:
        case Ball():
            return Ball, bound.radius
        case Relative():
            return Relative, bound.ratio
        case Range():
            return bound.lower, bound.upper
        case Radii() | Box():
            return (type(bound),)


def _interval(bound: _Wide, values: Sequence[Fraction]) -> tuple[Fraction | None, Fraction | None]:
    """Return the bounds of one feature in data units; ``values`` are its rows' there."""
    match bound:
        case Range():
            return bound.lower, bound.upper
        case Box():
            return values[0], values[1]
        case Ball():
            return _around(values[0], bound.radius)
        case Radii():
            return _around(values[0], values[1])
        case Relative():
            return _around(values[0], bound.ratio * abs(values[0]))


def _around(centre: Fraction, radius: Fraction) -> tuple[Fraction, Fraction]:
    return centre - radius, centre + radius


_Cell = tuple[_Edge | None, _Edge | None, Fraction]  # one feature's lower and upper bound, and its centre

# Cells by the constants of their bounds, then by the identities of a normalisation's channel and of the rows' values
# there. The objects are kept beside the cell: an identity means something as long as its object lives.
_Known = dict[tuple[int, ...], tuple[tuple[object, ...], _Cell]]
_known: dict[tuple[tuple[object, ...], ...], _Known] = {}
_MOST_KNOWN = 1 << 16


def _known_cells(constants: tuple[tuple[object, ...], ...]) -> _Known:
    """Return what is known for these bounds, to be added to; images share 256 pixel values, queries their radii."""
    if sum(map(len, _known.values())) > _MOST_KNOWN:
        _known.clear()
    return _known.setdefault(constants, {})


def _cells(
    bounds: Sequence[_Wide], rows: Sequence[tuple[tuple[Fraction, ...], ...]], maps: Sequence[Affine]
) -> list[_Cell]:
    """For each feature the intersection of the bounds; ``rows`` are each bound's."""
    known = _known_cells(tuple(map(_constants, bounds)))
    cells = []
    for column in zip(maps, *(row for own in rows for row in own), strict=True):
        key = tuple(map(id, column))
        if key not in known:
            values = iter(column[1:])
            owned = [(bound, tuple(islice(values, len(own)))) for bound, own in zip(bounds, rows, strict=True)]
            known[key] = (column, _cell(column[0], owned))
        cells.append(known[key][1])
    return cells


def _cell(to_input: Affine, bounds: Sequence[tuple[_Wide, Sequence[Fraction]]]) -> _Cell:
    intervals = [_interval(bound, values) for bound, values in bounds]
    lows = [low for low, _ in intervals if low is not None]
    highs = [high for _, high in intervals if high is not None]
    centre = next((values[0] for bound, values in bounds if isinstance(bound, Around)), None)
    return (
        (_bounded(to_input(max(lows))), False) if lows else None,
        (_bounded(to_input(min(highs))), True) if highs else None,
        Fraction(0) if centre is None else to_input(centre),
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
