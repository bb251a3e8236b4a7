"""The engine: which query is tried how, and what is known about it. `verify` is the entry."""

from __future__ import annotations

from pyprover.engine.cascade import verify
from pyprover.engine.network import Network
from pyprover.engine.problem import Problem, Settings

__all__ = ["Network", "Problem", "Settings", "verify"]
