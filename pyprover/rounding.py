"""Directed rounding of exact rationals to floating point.

Python divides two integers with correct rounding, so the nearest float64 is one division away and the directed ones
are at most one step further; which one is decided in integers. Rows of numbers come from few distinct objects
(256 pixel values, one radius): each object is rounded once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", float, tuple[float, float])


def nearest64(value: Fraction) -> float:
    """Return the float64 nearest to ``value``, ties to even; infinite where ``value`` is beyond float64."""
    try:
        return value.numerator / value.denominator
    except OverflowError:
        return math.copysign(math.inf, value.numerator)


def _compare(value: float, exact: Fraction) -> int:
    """Return the sign of ``value - exact``, decided in integers."""
    if math.isinf(value):
        return 1 if value > 0 else -1
    numerator, denominator = value.as_integer_ratio()
    left, right = numerator * exact.denominator, exact.numerator * denominator
    return (left > right) - (left < right)


def neighbours(value: Fraction) -> tuple[float, float]:
    """Return the largest float64 at most ``value`` and the smallest at least ``value``."""
    near = nearest64(value)
    sign = _compare(near, value)
    if sign > 0:
        return math.nextafter(near, -math.inf), near
    return (near, math.nextafter(near, math.inf)) if sign < 0 else (near, near)


def round_all(rounding: Callable[[Fraction], T], values: Sequence[Fraction]) -> NDArray[np.float64]:
    """Round each of ``values``: float64 (n,), or (n, 2) where ``rounding`` returns pairs."""
    places: dict[int, int] = {}
    index = [places.setdefault(id(value), len(places)) for value in values]
    distinct = {id(value): value for value in values}
    return np.array([rounding(value) for value in distinct.values()], np.float64)[index]


def down32(values: NDArray[np.float64], strict: Iterable[int] = ()) -> NDArray[np.float32]:
    """Return the largest float32 at most each of ``values``; below it at the indices ``strict``."""
    return -up32(-values, strict)


def up32(values: NDArray[np.float64], strict: Iterable[int] = ()) -> NDArray[np.float32]:
    """Return the smallest float32 at least each of ``values``; above it at the indices ``strict``."""
    with np.errstate(over="ignore"):  # beyond float32 is infinity, which is right for a bound
        near = values.astype(np.float32)
        short = near.astype(np.float64) < values
        indices = list(strict)
        short[indices] |= near[indices].astype(np.float64) == values[indices]
        return np.where(short, np.nextafter(near, np.float32(np.inf)), near).astype(np.float32)
