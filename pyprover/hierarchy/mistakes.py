"""A user's mistakes in a hierarchy file."""

from __future__ import annotations

from pyprover.mistakes import MistakesError


class HierarchyError(MistakesError):
    """One or several mistakes in a hierarchy file."""
