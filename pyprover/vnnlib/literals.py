"""Decimal literals as exact rationals."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

_DECIMAL = re.compile(r"([+-]?)(\d+\.?\d*|\.\d+)(?:[eE]([+-]?\d+))?", re.ASCII)
_LARGEST_EXPONENT = 2000  # every float64 can be written; 1e999999999 would need a gigabyte


@lru_cache(maxsize=1 << 12)
def decimal(text: str) -> Fraction | None:
    """The value of a literal, exactly; ``None`` when the text is not one, or its exponent is absurd."""
    match = _DECIMAL.fullmatch(text)
    if match is None:
        return None
    sign, digits, exponent = match.groups()
    whole, _, part = digits.partition(".")
    shift = int(exponent or 0) - len(part) if exponent is None or len(exponent) < 6 else _LARGEST_EXPONENT + 1
    if abs(shift) > _LARGEST_EXPONENT:
        return None
    value = int(sign + whole + part)
    return Fraction(value * 10**shift) if shift >= 0 else Fraction(value, 10**-shift)
