"""The prover as a process, against recorded transcripts.

A transcript in ``tests/transcripts`` holds requests (``>``), the replies to them (``<``) and the exit status. What
differs from run to run is ``_`` there, and ``$DIR`` is the folder of the test's files. After a wanted change,
``UPDATE_TRANSCRIPTS=1 pytest tests/python/test_transcripts.py`` writes them anew.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.python.prover_process import Server, write_files

TRANSCRIPTS = Path(__file__).parent.parent / "transcripts"

_VOLATILE = re.compile(r"\((seconds|cpu_seconds|peak_memory|release|digest|message) (\"(?:[^\"\\]|\\.)*\"|[^()\s]+)\)")


def stable(payload: bytes, folder: Path) -> str:
    """Blank what differs between runs; messages are compared where they are not a library's."""
    text = payload.decode().replace(str(folder), "$DIR")
    text = re.sub(r"-[0-9a-f]{8}\.(npy|png)", r"-_.\1", text)

    def blank(match: re.Match[str]) -> str:
        kept = match[1] == "message" and "Traceback" not in match[2]
        return match[0] if kept else f"({match[1]} _)"

    text = re.sub(r"\(steps \(.*?\(noise \(\)\)\)\)\)", "(steps _)", text)
    text = re.sub(r"\(step (\w+)\) \(margin \([^()]+\)\)", r"(step \1) (margin (_))", text)
    return _VOLATILE.sub(blank, text)


def play(server: Server, folder: Path, lines: list[str]) -> list[str]:
    """Send the requests among ``lines``; return the transcript of what happens."""
    happened = []
    for line in lines:
        if line.startswith("> "):
            happened.append(line)
            server.send(line[2:].replace("$DIR", str(folder)).encode())
            while (payload := server.receive()) is not None:
                happened.append("< " + stable(payload, folder))
                if "(body (Answer " not in happened[-1]:
                    break
        elif line.startswith("#") or not line:
            happened.append(line)
    status, _ = server.end()
    return [*happened, f"exit {status}"]


@pytest.mark.parametrize("path", sorted(TRANSCRIPTS.glob("*.txt")), ids=lambda path: path.stem)
def test_transcripts(tmp_path: Path, path: Path) -> None:
    recorded = path.read_text().splitlines()
    server = Server()
    try:
        happened = play(server, write_files(tmp_path), recorded)
    finally:
        server.kill()
    if os.environ.get("UPDATE_TRANSCRIPTS"):
        path.write_text("\n".join(happened) + "\n")
    else:
        assert happened == recorded


def test_there_are_transcripts() -> None:
    assert len(list(TRANSCRIPTS.glob("*.txt"))) >= 4
