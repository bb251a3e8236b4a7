"""Domains for property tests: all of the cheap ones for every example, and one of the dear ones in turn."""

from __future__ import annotations

from pyprover.domains.analysis import ANALYSES

CHEAP = ("interval", "linear", "zonotope")
DEAR = tuple(name for name in ANALYSES if name not in CHEAP)
"""Constrained zonotopes ascend for each row; products do the work of both."""


def some_domains(seed: int) -> list[str]:
    """The domains for an example."""
    return [*CHEAP, DEAR[seed % len(DEAR)]]
