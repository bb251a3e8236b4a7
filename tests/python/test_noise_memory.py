"""What analyses take, as the operating system counts it, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

MOST = {"dense": 2.2, "sparse": 0.3}
"""How many of the largest dense matrices an analysis may take: an operand and a result of dense noise are two."""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from Linux")
@pytest.mark.parametrize("storage", MOST)
def test_peak_of_an_analysis(storage: str) -> None:
    program = f"from tests.python.noise_memory import measure; measure({storage!r})"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    grown, largest = json.loads(run.stdout)
    assert 80e6 < largest < 200e6
    assert 0.05 * largest < grown < MOST[storage] * largest
