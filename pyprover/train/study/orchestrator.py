"""The orchestrator, ``caisar-ext``, as a process that is given a specification and gives its conclusions."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from pyprover.errors import UserError

_BUILT = Path(__file__).resolve().parents[3] / "_build/default/caisar_ext/bin/main.exe"
_DECIDING = (0, 1, 2)
"""Exit codes of a run that came to its end: all valid, some invalid, some undecided."""


class CrashError(Exception):
    """A run that did not come to its end, or a query that failed: no figure may be made of it."""


@dataclass(frozen=True)
class Orchestrator:
    """The program, and the versions of itself and of its prover."""

    program: str
    version: str

    @classmethod
    def found(cls) -> Orchestrator:
        """The program that `CAISAR_EXT` names, or on the path, or built in this checkout; `UserError` if none runs."""
        program = os.environ.get("CAISAR_EXT") or shutil.which("caisar-ext") or str(_BUILT)
        try:
            said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            hint = "`make build` builds it; CAISAR_EXT names another one"
            raise UserError(f"the orchestrator {program} does not run: {error}", hint) from error
        return cls(program, f"caisar-ext {said.stdout.strip()}, pyprover {metadata.version('pyprover')}")

    def verify(self, specification: Path, time_limit: float, data_dir: str | None) -> dict[str, Any]:
        """The conclusions; `CrashError` for anything but verdicts."""
        command = [self.program, "verify", str(specification), "--json", "--time-limit", str(time_limit)]
        command += ["--data-dir", data_dir] if data_dir else []
        environment = {"CAISAR_EXT_PYTHON": sys.executable, **os.environ}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if done.returncode not in _DECIDING:
            said = done.stderr.strip().splitlines()
            raise CrashError(f"caisar-ext ended with {done.returncode}: {said[0] if said else 'it said nothing'}")
        report: dict[str, Any] = json.loads(done.stdout)
        for goal in report["goals"]:
            for sample in goal["samples"]:
                if sample["conclusion"]["verdict"] == "Failure":
                    reason = sample["conclusion"].get("message", "no reason given")
                    raise CrashError(f"a query about sample {sample['index']} failed: {reason}")
        return report
