"""Model cards: what a network file cannot say about itself.

``NET.card.json`` beside ``NET.onnx`` may hold the normalisation of the inputs::

    {"normalization": {"mean": ["0.4914", "0.4822", "0.4465"], "std": ["0.2023", "0.1994", "0.2010"]}}

Decimal text is exact, quoted or not: ``0.4914`` is 4914/10000. Other keys are for other readers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from pyprover.errors import UserError
from pyprover.query import NetworkRef, Normalization

_EXAMPLE = 'write {"normalization": {"mean": ["0.5"], "std": ["0.25"]}}: one number a channel, or one for all'


@dataclass(frozen=True, slots=True)
class Source:
    """A normalisation, and who says so: ``specification`` or the card's path."""

    normalization: Normalization
    name: str


def normalization_of(network: NetworkRef) -> Source | None:
    """Return the normalisation of ``network``, as its specification or its card states it.

    Raises ``UserError`` when both do, or when the card is not well formed.
    """
    card = Path(network.path).with_suffix(".card.json")
    stated = _read(card)
    if network.normalization is None:
        return None if stated is None else Source(stated, str(card))
    if stated is not None:
        raise UserError(
            f"the normalisation of {network.path} is stated twice: in the specification and in {card}",
            "remove one of the two; they are never applied one after the other",
        )
    return Source(network.normalization, "specification")


def _read(card: Path) -> Normalization | None:
    try:
        text = card.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the model card {card} cannot be read: {error}") from error
    try:
        content = json.loads(text, parse_float=Fraction, parse_int=Fraction, parse_constant=_not_a_number)
    except ValueError as error:
        raise UserError(f"the model card {card} is not JSON: {error}", _EXAMPLE) from error
    if not isinstance(content, dict):
        raise UserError(f"the model card {card} is not a JSON object", _EXAMPLE)
    if "normalization" not in content:
        return None
    return _normalization(content["normalization"], card)


def _not_a_number(name: str) -> Fraction:
    raise ValueError(f"{name} is not a number")


def _normalization(entry: Any, card: Path) -> Normalization:
    if not isinstance(entry, dict) or set(entry) != {"mean", "std"}:
        raise UserError(f"{card}: `normalization` does not hold `mean` and `std`, and these alone", _EXAMPLE)
    return Normalization(_numbers(entry["mean"], "mean", card), _numbers(entry["std"], "std", card))


def _numbers(entry: Any, name: str, card: Path) -> tuple[Fraction, ...]:
    try:
        numbers = tuple(Fraction(number) for number in entry if isinstance(number, str | Fraction))
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise UserError(f"{card}: `{name}` is not a list of decimal numbers: {error}", _EXAMPLE) from error
    if not isinstance(entry, list) or len(numbers) != len(entry) or not numbers:
        raise UserError(f"{card}: `{name}` is not a list of decimal numbers", _EXAMPLE)
    return numbers
