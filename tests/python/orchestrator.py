"""The orchestrator as a process, with this interpreter for its prover."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("CAISAR_EXT") or ROOT / "_build/default/caisar_ext/bin/main.exe")

needs_orchestrator = pytest.mark.skipif(not BINARY.exists(), reason="dune build has not been run")


def run(*arguments: str | Path, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run the command in ``folder``; nothing is raised for its exit status."""
    environment = {**os.environ, "CAISAR_EXT_PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [BINARY, *arguments], capture_output=True, text=True, cwd=folder, env=environment, timeout=300
    )
