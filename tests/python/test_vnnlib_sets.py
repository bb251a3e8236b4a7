"""Sets of instances: whatever happens to a child or to the runner, rows stay true and whole."""

from __future__ import annotations

import csv
import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import onnx
import onnx.parser
import psutil
import pytest

from pyprover.children import GRACE, Ended, Task, run_all
from pyprover.errors import UserError
from pyprover.vnnlib.instances import Instance, Results, Row, read_instances
from pyprover.vnnlib.running import row_of, table
from tests.python.prover_process import run
from tests.python.test_vnnlib import BOXED, NETWORK

ROOT = Path(__file__).resolve().parents[2]
HEADER = "network,property,answer,wall_s,cpu_s,peak_mb,limit_s,commit\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three instances: unsat, one that waits for a property that nobody writes, and sat."""
    onnx.save(onnx.parser.parse_model(NETWORK), tmp_path / "net.onnx")
    (tmp_path / "first.vnnlib").write_text(BOXED + "(assert (<= Y_1 Y_0))")
    os.mkfifo(tmp_path / "stuck.vnnlib")
    (tmp_path / "last.vnnlib").write_text(BOXED + "(assert (>= Y_1 Y_0))")
    (tmp_path / "instances.csv").write_text("".join(f"net.onnx,{name}.vnnlib,60\n" for name in NAMES))
    return tmp_path


NAMES = ("first", "stuck", "last")


def _heed_interrupts() -> None:
    """What starts in the background of a shell would ignore them, and hand that down."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def runner(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A run that has come to the stuck instance."""
    command = [sys.executable, "-m", "pyprover", "vnnlib", "--instances", "instances.csv", "--csv", "results.csv"]
    process = subprocess.Popen(
        [*command, "--witness", "found"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_heed_interrupts,
    )
    try:
        wait_until(lambda: len(answers(folder)) == 1)
        wait_until(lambda: bool(waiting_child(process)))
        yield process
    finally:
        for child in psutil.Process(process.pid).children() if process.poll() is None else []:
            child.kill()
        process.kill()
        process.communicate()


def wait_until(true: Callable[[], bool]) -> None:
    for _ in range(1200):
        if true():
            return
        time.sleep(0.1)
    raise AssertionError("two minutes have passed")


def waiting_child(process: subprocess.Popen[str]) -> psutil.Process | None:
    children = psutil.Process(process.pid).children()
    return next((child for child in children if "stuck.vnnlib" in " ".join(child.cmdline())), None)


def rows(folder: Path) -> list[list[str]]:
    path = folder / "results.csv"
    return list(csv.reader(path.read_text().splitlines()))[1:] if path.exists() else []


def answers(folder: Path) -> list[str]:
    return [row[2] for row in rows(folder)]


def test_a_killed_child_is_an_error_and_the_others_go_on(folder: Path, runner: subprocess.Popen[str]) -> None:
    child = waiting_child(runner)
    assert child is not None
    child.kill()
    out, err = runner.communicate(timeout=120)
    assert (runner.returncode, answers(folder)) == (0, ["unsat", "error", "sat"])
    assert "net.onnx stuck.vnnlib: ended by SIGKILL" in err
    assert "decided" in out
    assert "2 of 3" in out
    assert [path.name for path in (folder / "found").iterdir()] == ["net.onnx-last.vnnlib.txt"]
    wall, cpu, peak = map(float, rows(folder)[0][3:6])
    assert cpu > 0
    assert 0 < wall < 60
    assert 100 < peak < 2000


def test_rows_survive_a_killed_runner(folder: Path, runner: subprocess.Popen[str]) -> None:
    child = waiting_child(runner)
    assert child is not None
    runner.kill()
    runner.wait()
    child.kill()
    before = (folder / "results.csv").read_text()
    with (folder / "results.csv").open("a") as stream:
        stream.write("net.onnx,stuck.vnn")  # what a power cut may leave
    (folder / "stuck.vnnlib").unlink()
    (folder / "stuck.vnnlib").write_text(BOXED + "(assert (<= Y_1 1))")
    set_of = (str(folder / "instances.csv"), "--csv", str(folder / "results.csv"))
    assert "exists" in run("vnnlib", "--instances", *set_of).stderr
    again = run("vnnlib", "--instances", *set_of, "--resume", "--jobs", "2")
    assert again.status == 0
    text = (folder / "results.csv").read_text()
    assert text.startswith(before)
    assert {row[1]: row[2] for row in rows(folder)} == dict(
        zip([f"{name}.vnnlib" for name in NAMES], ["unsat", "unsat", "sat"], strict=True)
    )
    assert run("vnnlib", "--instances", *set_of, "--resume").status == 0
    assert (folder / "results.csv").read_text() == text


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_runner_that_is_stopped_leaves_nothing_behind(
    folder: Path, runner: subprocess.Popen[str], stop: signal.Signals
) -> None:
    child = waiting_child(runner)
    assert child is not None
    runner.send_signal(stop)
    runner.communicate(timeout=60)
    assert (runner.returncode, child.is_running(), answers(folder)) == (130, False, ["unsat"])


def ended(code: str, limit: float = 60.0) -> Ended[Instance]:
    found: list[Ended[Instance]] = []
    instance = Instance(Path(), "net.onnx", "prop.vnnlib", limit)
    run_all([Task(instance, [sys.executable, "-c", code], limit, {})], 1, found.append)
    return found[0]


@pytest.mark.parametrize(
    ("code", "answer", "trouble"),
    [
        ("print('unsat')", "unsat", None),
        ("print('sat\\nunknown')", "unknown", None),
        ("print('unsat'); raise SystemExit(4)", "error", "exit status 4"),
        ("import os, signal; print('unsat', flush=True); os.kill(os.getpid(), signal.SIGSEGV)", "error", "SIGSEGV"),
        ("print('Unsat')", "error", "exit status 0"),
        ("print('error')", "error", "exit status 0"),
        ("", "error", "exit status 0"),
        ("raise ValueError('no good')", "error", "ValueError: no good"),
    ],
)
def test_only_an_orderly_answer_counts(code: str, answer: str, trouble: str | None) -> None:
    row, said = row_of(ended(code), "c")
    assert row.answer == answer
    assert (said is None) == (trouble is None)
    assert (trouble or "") in (said or "")


def test_a_process_that_overruns_is_killed_with_what_it_started() -> None:
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print('unsat', child.pid, flush=True)\ntime.sleep(600)"
    )
    one = ended(code, limit=1.0 - GRACE)
    row, _ = row_of(one, "c")
    assert (row.answer, one.status, one.overran) == ("timeout", -signal.SIGKILL, True)
    grandchild = int(one.stdout.split()[1])
    wait_until(lambda: not psutil.pid_exists(grandchild) or psutil.Process(grandchild).status() == "zombie")


def test_a_late_answer_is_none() -> None:
    row, _ = row_of(ended("import time; time.sleep(.5); print('unsat')", limit=0.2), "c")
    assert row.answer == "timeout"


def test_costs_are_of_the_process() -> None:
    one = ended("import time; s = b'x' * (700 << 20)\nwhile time.process_time() < 1: pass")
    assert 0.9 < one.cpu < 3
    assert one.peak > 700 << 20


@pytest.mark.parametrize(
    ("text", "words"),
    [("a\n", "i.csv:1: 1 fields"), ("a,b\n", "no time limit"), ("a,b,3\n\na,b,-1\n", "i.csv:3: no time limit")],
)
def test_mistakes_in_instances(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "i.csv").write_text(text)
    with pytest.raises(UserError, match=words):
        read_instances(tmp_path / "i.csv", None)


def test_a_limit_for_all_and_names_without_gz(tmp_path: Path) -> None:
    (tmp_path / "i.csv").write_text("a.onnx,b.vnnlib\nc.onnx, d.vnnlib ,7\n")
    (tmp_path / "b.vnnlib.gz").touch()
    first, second = read_instances(tmp_path / "i.csv", 5.0)
    assert first.files() == (tmp_path / "a.onnx", tmp_path / "b.vnnlib.gz")
    assert (first.limit, second.limit, second.key) == (5.0, 5.0, ("c.onnx", "d.vnnlib"))


@pytest.mark.parametrize("text", ["other,header\n", HEADER + "a,b,unsat,x,1,1,1,c\n", HEADER + "a,b,yes,1,1,1,1,c\n"])
def test_another_file_is_no_results_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(UserError, match="no results file"):
        Results.resume(tmp_path / "r.csv")
    assert (tmp_path / "r.csv").read_text() == text


def test_rows_come_back_as_written(tmp_path: Path) -> None:
    row = Row("a,b.onnx", 'c".vnnlib', "sat", 1.25, 0.5, 300.1, 60.0, "0123+")
    results = Results.start(tmp_path / "r.csv")
    results.add(row)
    assert Results.resume(tmp_path / "r.csv").rows() == [row]
    assert table("t", [row]).row_count == 2


def test_the_runner_stays_light() -> None:
    """A child's peak is at least what its parent held when it was forked."""
    code = "import sys, pyprover.vnnlib.running, pyprover.vnnlib.command; print('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"


def bench(name: str, *arguments: str, data: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "bench" / f"{name}.py"), *arguments]
    environment = {**os.environ, "CAISAR_EXT_DATA": str(data)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_bench_of_sets(folder: Path) -> None:
    """On a set of our own under a known name: samples, rows, table, drawing, resuming."""
    net = folder / "nets/acasxu"
    net.mkdir(parents=True)
    for name in ("net.onnx", "first.vnnlib", "last.vnnlib"):
        (folder / name).rename(net / name)
    (net / "instances.csv").write_text("net.onnx,first.vnnlib,60\nnet.onnx,last.vnnlib,60\n")
    out = folder / "out"
    ran = bench("vnnlib_sets", "acasxu", "--output", str(out), "--every", "2", data=folder)
    assert ran.returncode == 0, ran.stderr
    assert "1 of 1" in ran.stdout, ran.stderr
    ran = bench("vnnlib_sets", "acasxu", "--output", str(out), "--resume", data=folder)
    assert "2 of 2" in ran.stdout
    assert (out / "cactus.png").stat().st_size > 1000
    assert [row.answer for row in Results.resume(out / "acasxu.csv").rows()] == ["unsat", "sat"]
    assert (out / "witnesses/net.onnx-last.vnnlib.txt").exists()
    assert bench("vnnlib_sets", "acasxu", "--output", str(out), data=folder).returncode == 3


def test_contradictions_between_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    contradictions = importlib.import_module("vnnlib_sets").contradictions

    def answered(*answers: str) -> list[Row]:
        return [Row("n", str(place), answer, 1, 1, 1, 1, "c") for place, answer in enumerate(answers)]

    first = answered("unsat", "sat", "unsat", "timeout")
    assert contradictions(first, answered("unsat", "unknown", "timeout", "sat")) == []
    assert contradictions(first, answered("sat", "unsat", "unsat", "unsat")) == [
        "n 0: unsat, and sat",
        "n 1: sat, and unsat",
    ]
