"""The prover. From Python: `verify`, and `ball` and `box` for regions; the names load what they need when used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyprover.api import Counterexample, InputBox, Link, Result, Status, ball, box, normalized, verify
    from pyprover.engine import Network
    from pyprover.errors import UserError

__all__ = [
    "Counterexample",
    "InputBox",
    "Link",
    "Network",
    "Result",
    "Status",
    "UserError",
    "ball",
    "box",
    "normalized",
    "verify",
]

_HOMES = {"Network": "pyprover.engine", "UserError": "pyprover.errors"}


def __getattr__(name: str) -> object:
    """Load an exported name: torch and ONNX Runtime take seconds, which other commands need not pay."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES.get(name, "pyprover.api")), name)
