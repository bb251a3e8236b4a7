"""What shells are given: manual pages of every command, and completion that knows the commands and their options."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.python.orchestrator import BINARY, ROOT, needs_orchestrator, run

COMPLETION = ROOT / "caisar_ext" / "shell" / "caisar-ext.bash"
PAGES = BINARY.parents[1] / "shell"

pytestmark = needs_orchestrator


def commands(*above: str) -> Iterator[tuple[str, ...]]:
    """Every command, from the help of the one above."""
    yield above
    shown = run(*above, "--help=plain").stdout
    section = re.search(r"^COMMANDS\n(.*?)^\S", shown, re.MULTILINE | re.DOTALL)
    for name in re.findall(r"^ {7}(\S+)", section[1], re.MULTILINE) if section else []:
        yield from commands(*above, name)


@pytest.mark.skipif(not PAGES.exists(), reason="dune build @install has not been run")
def test_every_command_has_a_manual_page() -> None:
    found = {"-".join(("caisar-ext", *command)) for command in commands()}
    assert len(found) > 5
    assert {page.stem for page in PAGES.glob("*.1")} == found
    for page in PAGES.glob("*.1"):
        text = page.read_text(encoding="utf-8")
        assert f'.TH "{page.stem.upper()}" 1' in text.replace("\\-", "-")


def completed(folder: Path, *words: str) -> list[str]:
    """What bash offers for the last of ``words``."""
    program = folder / "caisar-ext"
    if not program.exists():
        program.symlink_to(BINARY.resolve())
    script = (
        'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _caisar_ext; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", script, "bash", str(COMPLETION), "caisar-ext", *words],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_commands_and_options_are_completed(tmp_path: Path) -> None:
    assert {"verify", "explain", "new", "hierarchy"} <= set(completed(tmp_path, ""))
    assert completed(tmp_path, "ver") == ["verify"]
    assert completed(tmp_path, "hierarchy", "c") == ["check", "convert"]
    options = completed(tmp_path, "verify", "signs.mlw", "-")
    assert {"-D", "--define", "--samples", "--json", "--help"} <= set(options)
    assert completed(tmp_path, "verify", "--sam") == ["--samples"]
    assert completed(tmp_path, "hierarchy", "convert", "--ro") == ["--root"]
    assert completed(tmp_path, "verify", "sig") == []  # files are bash's own to offer
    assert completed(tmp_path, "no-such-command", "--js") == []
