"""Regions of inputs, from numbers that are taken exactly.

A float is the rational that it stands for; text such as ``"2/255"`` or ``"0.1"`` is the rational that it says. A region
is in the space of the network's input; `normalized` carries it there from data units.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from numbers import Rational
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pyprover.errors import UserError
from pyprover.normalization import affine
from pyprover.query import Normalization
from pyprover.region import Region

Number = Rational | float | str | np.number[Any]


@dataclass(frozen=True, eq=False)
class InputBox:
    """A closed box of inputs of ``shape`` (channels first, no batch axis), with exact bounds."""

    region: Region
    shape: tuple[int, ...]


def box(lower: ArrayLike, upper: ArrayLike) -> InputBox:
    """All inputs between two arrays of one shape."""
    shape, lows = _exact(lower)
    other, highs = _exact(upper)
    if shape != other:
        raise UserError(f"the bounds have shapes {list(shape)} and {list(other)}: they must have one shape")
    return _input_box(shape, lows, highs, tuple((low + high) / 2 for low, high in zip(lows, highs, strict=True)))


def ball(x: ArrayLike, radius: Number, lower: Number | None = None, upper: Number | None = None) -> InputBox:
    """All inputs within ``radius`` of ``x`` in the max norm; ``lower`` and ``upper`` cut each feature's interval."""
    shape, centre = _exact(x)
    size = _number(radius)
    if size < 0:
        raise UserError(f"a radius of {radius}: it must not be negative")
    least, most = (None if bound is None else _number(bound) for bound in (lower, upper))
    around = {id(c): c for c in centre}
    lows = {k: c - size if least is None else max(c - size, least) for k, c in around.items()}
    highs = {k: c + size if most is None else min(c + size, most) for k, c in around.items()}
    lower_side, upper_side = (tuple(side[id(c)] for c in centre) for side in (lows, highs))
    return _input_box(shape, lower_side, upper_side, centre)


def normalized(region: InputBox, mean: Iterable[Number], std: Iterable[Number]) -> InputBox:
    """The region as a network sees it that is given ``(x - mean) / std``: one number a channel, or one for all.

    ``UserError`` for lengths that fit neither, and a ``std`` that is not positive.
    """
    wanted = Normalization(tuple(map(_number, mean)), tuple(map(_number, std)))
    maps = affine(wanted, region.shape)
    repeat = math.prod(region.shape) // len(maps)
    own = [map_ for map_ in maps for _ in range(repeat)]
    old = region.region
    lower, upper, centre = (
        tuple(map_(value) for map_, value in zip(own, values, strict=True))
        for values in (old.lower, old.upper, old.centre)
    )
    scale = tuple(map_.std * unit for map_, unit in zip(own, old.scale, strict=True))
    return InputBox(Region(lower, upper, centre, scale), region.shape)


_Row = tuple[Fraction, ...]


def _input_box(shape: tuple[int, ...], lower: _Row, upper: _Row, centre: _Row) -> InputBox:
    if max(map(abs, {*lower, *upper})) > _LARGEST:
        raise UserError("a bound is beyond the range of float32, the type of the network's input")
    return InputBox(Region(lower, upper, centre, scale=(Fraction(1),) * len(centre)), shape)


_LARGEST = Fraction(float(np.finfo(np.float32).max))


def _exact(values: ArrayLike) -> tuple[tuple[int, ...], tuple[Fraction, ...]]:
    """The shape and the exact numbers of an array; equal numbers are one object."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiuO" or not array.size:  # objects: fractions
        raise UserError(f"an array of {array.dtype} and shape {list(array.shape)}: numbers are needed")
    distinct, places = np.unique(array, return_inverse=True)
    numbers = [_number(value) for value in distinct]
    return array.shape, tuple(numbers[place] for place in places.ravel().tolist())


def _number(value: Number) -> Fraction:
    """The exact value; ``UserError`` for NaN and infinities."""
    plain: Any = value.item() if isinstance(value, np.number) else value
    try:
        return Fraction(plain)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError) as error:
        raise UserError(f"{plain!r} is not a finite number") from error
