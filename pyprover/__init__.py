"""The prover. From Python: `verify`, and `ball` and `box` for regions.

The names load what they need when they are used: torch and ONNX Runtime take seconds, which other uses of the package
need not pay. Their types are in `__init__.pyi`.
"""

from __future__ import annotations

import importlib

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
_HOMES = {"Network": "pyprover.engine", "UserError": "pyprover.errors"}  # the others are in pyprover.api


def __getattr__(name: str) -> object:
    """Load an exported name."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES.get(name, "pyprover.api")), name)
