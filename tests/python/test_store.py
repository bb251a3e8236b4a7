"""Where blocks of noise live: what lies on disk and for how long, and what happens when there is no room."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from pyprover.domains.noise.base import TooLargeError
from pyprover.domains.noise.blocks import Split
from pyprover.domains.noise.dense import DenseNoise
from pyprover.domains.noise.leaves import with_leaves
from pyprover.domains.noise.sparse import SparseNoise
from pyprover.domains.noise.store import Disk, Memory
from pyprover.domains.zonotope import Propagation, propagate
from pyprover.errors import UserError
from tests.python.test_blocks import NETWORK, WIDTH, region
from tests.python.test_domains import never


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_what_is_read_is_what_was_written(dtype: torch.dtype, tmp_path: Path) -> None:
    """Any numbers, in any type, in tensors of any layout."""
    generator = torch.Generator().manual_seed(0)
    shelf = Disk(tmp_path).shelf()
    written = [torch.randn(2, k, 3, 5, generator=generator).to(dtype).transpose(2, 3) for k in (1, 7, 4)]
    written[1][0, 0] = torch.tensor([torch.inf, -0.0, torch.nan]).to(dtype)
    for tensor in written:
        shelf.add(DenseNoise(tensor))
    shelf.add(None)
    assert shelf.bytes == 0
    assert shelf.get(3) is None
    assert shelf.get(99) is None
    for k in (2, 0, 1):
        block = shelf.get(k)
        assert block is not None
        assert block.dense().dtype == dtype
        assert block.dense().numpy().tobytes() == written[k].contiguous().numpy().tobytes()


def test_room_is_given_back_with_the_last_value_that_needs_it(tmp_path: Path) -> None:
    store = Disk(tmp_path)
    propagation = Propagation(NETWORK, region(), never, Split(DenseNoise.none, WIDTH, store))
    layer = 2 * 72 * 8
    first = propagation.value(1)
    assert store.usage.held == layer * first.noise.symbols
    last = propagation.value(3)
    assert store.usage.held == layer * (first.noise.symbols + last.noise.symbols)
    del first
    assert store.usage.held == layer * last.noise.symbols
    assert opened_in(tmp_path, os.getpid()) == 1
    del propagation, last
    assert store.usage.held == 0
    assert opened_in(tmp_path, os.getpid()) == 0
    assert store.usage.peak == store.usage.written


def opened_in(directory: Path, process: int) -> int:
    """How many files of a directory a process has open, those without a name included."""
    found = 0
    for link in Path(f"/proc/{process}/fd").iterdir():
        try:
            found += str(link.readlink()).startswith(f"{directory}/")
        except FileNotFoundError:  # the one that lists the folder
            continue
    return found


HOLDER = """
import sys
from pathlib import Path
import torch
from pyprover.domains.noise.dense import DenseNoise
from pyprover.domains.noise.leaves import with_leaves
from pyprover.domains.noise.sparse import SparseNoise
from pyprover.domains.noise.store import Disk

shelf = Disk(Path(sys.argv[1])).shelf()
shelf.add(DenseNoise(torch.arange(6000.0).reshape(1, 6, 1000)))
print("held", flush=True)
sys.stdin.readline()
print(int(shelf.get(0).dense().sum()))
"""


@contextmanager
def holder(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that keeps a block in a directory until it is sent a line, and then reads it."""
    command = [sys.executable, "-c", HOLDER, str(directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_nothing_is_left_by_processes_that_are_ended(tmp_path: Path) -> None:
    """Nor is anything taken from another that shares the directory."""
    with holder(tmp_path) as other:
        for end in (signal.SIGKILL, signal.SIGTERM):
            with holder(tmp_path) as ended:
                assert opened_in(tmp_path, ended.pid) == 1
                ended.send_signal(end)
                assert ended.wait() == -end
            assert list(tmp_path.iterdir()) == []
        answer, _ = other.communicate("\n")
        assert answer == f"{sum(range(6000))}\n"
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_files() -> Iterator[None]:
    """Files of this process cannot grow beyond 50,000 bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("small_files")
def test_a_file_that_cannot_grow_is_said(tmp_path: Path) -> None:
    """The system itself refuses; some of the block has been written by then."""
    store = Disk(tmp_path)
    with pytest.raises(TooLargeError, match=r"no more noise can be kept in .*: File too large; 0 MiB"):
        propagate(NETWORK, region(), never, Split(DenseNoise.none, WIDTH, store))
    assert store.usage.held == 0
    assert opened_in(tmp_path, os.getpid()) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("operation", ["pwrite", "preadv"])
@pytest.mark.parametrize("after", [0, 7])
def test_a_disk_that_is_full_or_fails_is_said(
    operation: str, after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, calls = getattr(os, operation), iter(range(10**6))

    def failing(*arguments: object) -> int:
        if next(calls) >= after:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return int(plain(*arguments))

    monkeypatch.setattr(os, operation, failing)
    with pytest.raises(TooLargeError, match=f"no more noise can be kept in '{tmp_path}': No space left on device"):
        propagate(NETWORK, region(), never, Split(DenseNoise.none, WIDTH, Disk(tmp_path)))
    monkeypatch.undo()
    assert opened_in(tmp_path, os.getpid()) == 0


def test_writes_and_reads_in_parts_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system may take or give less than it is asked for."""
    write, read = os.pwrite, os.preadv
    monkeypatch.setattr(os, "pwrite", lambda file, rest, place: write(file, rest[:1001], place))
    monkeypatch.setattr(os, "preadv", lambda file, rest, place: read(file, [rest[0][:777]], place))
    found = propagate(NETWORK, region(), never, Split(DenseNoise.none, WIDTH, Disk(tmp_path)))
    plain = propagate(NETWORK, region(), never, Split(DenseNoise.none, WIDTH, Memory()))
    assert torch.equal(found.noise.radius, plain.noise.radius)


def lost(file: int, size: int) -> None:
    os.ftruncate(file, size // 2)


def zeroed(file: int, size: int) -> None:
    os.pwrite(file, bytes(8), size // 2 // 8 * 8)


@pytest.mark.parametrize("damage", [lost, zeroed])
def test_what_the_disk_loses_is_noticed(damage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    shelf = Disk(tmp_path).shelf()
    shelf.add(DenseNoise(torch.ones(1, 3, 50, dtype=torch.float64)))
    damage(shelf._descriptor, 3 * 50 * 8)  # type: ignore[attr-defined]
    with pytest.raises(TooLargeError, match="what was read is not what was written"):
        shelf.get(0)


class Named(NamedTuple):
    number: int
    word: object


@dataclass(frozen=True)
class Whole:
    parts: tuple[object, ...]


def test_leaves_are_changed_wherever_they_are_and_once_where_they_are_shared() -> None:
    shared, calls = "".join(["a", "b"]), []

    def change(leaf: str) -> list[str]:
        calls.append(leaf)
        return [leaf]

    found = with_leaves(Whole((Named(1, shared), [Whole((shared, 2)), "c"], None)), str, change)
    assert found == Whole((Named(1, ["ab"]), [Whole((["ab"], 2)), ["c"]], None))
    assert isinstance(found.parts[0], Named)
    assert found.parts[0].word is found.parts[1][0].parts[0]
    assert calls == ["ab", "c"]


def test_numbers_that_would_stay_in_memory_are_refused(tmp_path: Path) -> None:
    """The matrices of sparse noise are no tensors."""
    with pytest.raises(TypeError, match="SparseNoise has numbers outside of tensors"):
        propagate(NETWORK, region(), never, Split(SparseNoise.none, WIDTH, Disk(tmp_path)))


def test_a_directory_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"noise cannot be kept in '.*/missing': No such file or directory") as caught:
        Disk(tmp_path / "missing")
    assert caught.value.hint is not None
