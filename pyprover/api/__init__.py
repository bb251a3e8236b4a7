"""The prover from Python; `pyprover` exports these names."""

from __future__ import annotations

from pyprover.api.boxes import InputBox, ball, box, normalized
from pyprover.api.results import Counterexample, Link, Result, Status
from pyprover.api.verifying import verify

__all__ = ["Counterexample", "InputBox", "Link", "Result", "Status", "ball", "box", "normalized", "verify"]
