"""Model cards: exact decimals, and never a normalisation that is stated twice."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from pyprover.card import normalization_of
from pyprover.errors import UserError
from pyprover.query import NetworkRef, Normalization

F = Fraction


def stated(
    folder: Path, card: str | None, specification: Normalization | None = None
) -> tuple[Normalization, str] | None:
    if card is not None:
        (folder / "net.card.json").write_text(card)
    source = normalization_of(NetworkRef(str(folder / "net.onnx"), specification))
    return None if source is None else (source.normalization, source.name)


@pytest.mark.parametrize("numbers", ['["0.4914", "1e-1", "1/3"]', '[0.4914, 1e-1, "1/3"]'])
def test_decimals_are_exact(tmp_path: Path, numbers: str) -> None:
    result = stated(tmp_path, f'{{"license": "MIT", "normalization": {{"mean": {numbers}, "std": [1]}}}}')
    assert result is not None
    assert result[0] == Normalization((F(4914, 10000), F(1, 10), F(1, 3)), (F(1),))
    assert result[1] == str(tmp_path / "net.card.json")


def test_the_specification_or_the_card_or_neither(tmp_path: Path) -> None:
    normalization = Normalization((F(0),), (F(1),))
    assert stated(tmp_path, None) is None
    assert stated(tmp_path, None, normalization) == (normalization, "specification")
    assert stated(tmp_path, '{"license": "MIT"}', normalization) == (normalization, "specification")
    assert stated(tmp_path, "{}") is None
    with pytest.raises(UserError, match="stated twice"):
        stated(tmp_path, '{"normalization": {"mean": [0], "std": [1]}}', normalization)


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("[]", "is not a JSON object"),
        ('{"normalization": 1}', "does not hold `mean` and `std`"),
        ('{"normalization": {"mean": [0]}}', "does not hold `mean` and `std`"),
        ('{"normalization": {"mean": [0], "std": [1], "scale": 255}}', "and these alone"),
        ('{"normalization": {"mean": 0, "std": [1]}}', "`mean` is not a list"),
        ('{"normalization": {"mean": "12", "std": [1]}}', "`mean` is not a list"),
        ('{"normalization": {"mean": [], "std": [1]}}', "`mean` is not a list"),
        ('{"normalization": {"mean": [0], "std": [true]}}', "`std` is not a list"),
        ('{"normalization": {"mean": [0], "std": ["one"]}}', "`std` is not a list"),
        ('{"normalization": {"mean": [0], "std": ["1/0"]}}', "`std` is not a list"),
        ('{"normalization": {"mean": [0], "std": ["nan"]}}', "`std` is not a list"),
        ('{"normalization": {"mean": [NaN], "std": [1]}}', "is not JSON"),
    ],
)
def test_cards_that_are_not_well_formed(tmp_path: Path, card: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        stated(tmp_path, card)
