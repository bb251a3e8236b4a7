"""The page of the hierarchy language tells the truth: an example, and below it what is said of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pyprover.hierarchy.mistakes import HierarchyError
from pyprover.hierarchy.reader import of_bytes
from pyprover.mistakes import Mistake

PAGE = (Path(__file__).resolve().parents[2] / "grammar" / "hierarchy.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"^```hier\n(.*?)^```\n\n((?:    \d+:\d[^\n]*\n)*)", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(("text", "told"), SHOWN)
def test_examples(text: str, told: str) -> None:
    mistakes: tuple[Mistake, ...] = ()
    try:
        of_bytes("page.hier", text.encode())
    except HierarchyError as refused:
        mistakes = refused.mistakes
    assert told == "".join(f"    {mistake.place}: {mistake.message}\n" for mistake in mistakes)


def test_every_example_is_found() -> None:
    assert len(SHOWN) == PAGE.count("```hier") > 20
    assert sum(not told for _, told in SHOWN) == 1
