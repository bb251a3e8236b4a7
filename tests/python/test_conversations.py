"""Conversations against the OCaml side: recorded ones, and messages that each side writes and the other reads."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyprover.protocol import codec, messages, sexp
from tests.python import test_protocol
from tests.python.prover_process import write_files

ROOT = Path(__file__).resolve().parents[2]
TRANSCRIPTS = ROOT / "tests" / "transcripts"
SCRIPTED = ROOT / "tests" / "python" / "scripted_prover.py"
PROGRAM = Path(os.environ.get("CAISAR_EXT") or ROOT / "_build/default/caisar_ext/bin/main.exe")
RELAY = PROGRAM.parents[2] / "tests" / "ocaml" / "relay.exe"
MESSAGES_A_RUN = 40

built = pytest.mark.skipif(not PROGRAM.exists(), reason=f"the OCaml program is not built ({PROGRAM})")
relay_built = pytest.mark.skipif(not RELAY.exists(), reason=f"the OCaml side's relay is not built ({RELAY})")


def verify(folder: Path, transcript: Path) -> tuple[subprocess.CompletedProcess[str], str]:
    """Let ``caisar-ext`` verify columns.mlw with a prover that follows ``transcript``; return what its log says too."""
    log = folder / "log"
    (folder / "columns.mlw").write_text((TRANSCRIPTS / "columns.mlw").read_text())
    prover = shlex.join([sys.executable, str(SCRIPTED), str(transcript), str(folder), str(log)])
    options = ["--data-dir", str(folder), "--witnesses", str(folder / "witnesses"), "--prover-command", prover]
    done = subprocess.run(
        [PROGRAM, "verify", folder / "columns.mlw", *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return done, log.read_text() if log.exists() else ""


@built
def test_the_orchestrator_says_its_part(tmp_path: Path) -> None:
    done, log = verify(write_files(tmp_path), TRANSCRIPTS / "orchestrator.txt")
    assert log == "complete", done.stderr
    assert done.returncode == 1, done.stderr
    assert "2 goals: 1 Valid, 1 Invalid" in done.stdout


@built
def test_another_request_is_told(tmp_path: Path) -> None:
    """The scripted prover tells a conversation that is not the transcript's: it can fail."""
    other = tmp_path / "other.txt"
    text = (TRANSCRIPTS / "orchestrator.txt").read_text()
    other.write_text(text.replace("(radius 1/1000)", "(radius 1/999)"))
    assert other.read_text() != text
    done, log = verify(write_files(tmp_path), other)
    assert log.startswith("expected ")
    assert "1/1000" in log
    assert done.returncode not in (0, 1)


@built
def test_another_version_is_told(tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    text = (TRANSCRIPTS / "orchestrator.txt").read_text()
    other.write_text(text.replace("(Welcome ((version 3)", "(Welcome ((version 4)"))
    done, _ = verify(write_files(tmp_path), other)
    assert done.returncode == 3
    assert "speaks version 4 of the protocol, this program version 3" in done.stderr


def relayed(kind: str, payloads: list[bytes]) -> list[bytes]:
    """The payloads as OCaml writes them again after reading."""
    done = subprocess.run([RELAY, kind], input=b"\n".join(payloads), capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.splitlines()


def agree(kind: str, type_: type, sent: list[Any]) -> None:
    payloads = [sexp.render(codec.encode(type_, message)) for message in sent]
    for message, payload, back in zip(sent, payloads, relayed(kind, payloads), strict=True):
        assert sexp.parse(back) == sexp.parse(payload)
        assert codec.decode(type_, sexp.parse(back)) == message


@relay_built
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.builds(messages.Request, test_protocol.counts, test_protocol.requests), min_size=MESSAGES_A_RUN))
def test_ocaml_reads_requests_of_python(sent: list[messages.Request]) -> None:
    agree("requests", messages.Request, sent)


@relay_built
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.builds(messages.Reply, test_protocol.counts, test_protocol.replies), min_size=MESSAGES_A_RUN))
def test_ocaml_reads_replies_of_python(sent: list[messages.Reply]) -> None:
    agree("replies", messages.Reply, sent)


@relay_built
@pytest.mark.parametrize(("kind", "type_"), [("requests", messages.Request), ("replies", messages.Reply)])
def test_python_reads_messages_of_ocaml(kind: str, type_: type) -> None:
    done = subprocess.run([RELAY, f"random-{kind}", "500"], capture_output=True, check=True, timeout=60)
    payloads = done.stdout.splitlines()
    assert len(payloads) == 500
    for payload in payloads:
        again = sexp.render(codec.encode(type_, codec.decode(type_, sexp.parse(payload))))
        assert sexp.parse(again) == sexp.parse(payload)
