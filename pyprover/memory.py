"""The memory of this process: its limit, what it holds, its peak, and the many ways in which it runs out.

The limit is ``RLIMIT_DATA``: it counts private writable memory, so that allocations fail with an error that the
process survives. ``RLIMIT_AS`` would also count mapped libraries, hundreds of megabytes for torch alone.
"""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
from pathlib import Path

import torch

from pyprover.errors import MemoryLimitError, UserError

_MMAP_THRESHOLD, _LARGE = -3, 4 << 20  # of glibc's malloc.h; in bytes
_LEAST = 512 << 20  # with less, libraries crash where they cannot start a thread or compile a kernel
_STATM = Path("/proc/self/statm")  # in pages: total, resident, shared, text, library, data and stack
_SIGNS = (
    "can't allocate memory",
    "bad_alloc",
    "bad allocation",
    "failed to allocate memory",
    "out of memory",
    "could not create a primitive",  # oneDNN
)


def limit_memory(size: int) -> None:
    """Let allocations beyond ``size`` bytes fail in this process; ``UserError`` when that is too little to work in.

    What torch starts at its first gradient (a thread, oneDNN) is started before: it does not survive a failure.
    """
    if size < _LEAST:
        raise UserError(
            f"a memory limit of {size / 2**20:.0f} MiB is too low for the prover", f"give at least {_LEAST >> 20} MiB"
        )
    _start_gradients()
    _keep_apart()
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    allowed = size if hard == resource.RLIM_INFINITY else min(size, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (allowed, hard))


def _keep_apart() -> None:
    """Let large tensors have pages of their own, which go back to the system when they are freed.

    By itself the C library moves them to its heap after the first, where small ones between them keep freed ones.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGE)


def _start_gradients() -> None:
    image = torch.zeros(1, 1, 3, 3, requires_grad=True)
    torch.nn.functional.conv2d(image, torch.ones(1, 1, 3, 3)).sum().backward()  # type: ignore[no-untyped-call]


def peak_memory() -> int:
    """Return the largest resident size of this process so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def held_memory() -> int:
    """Return what counts against the limit now, in bytes; 0 where the system does not tell."""
    return _pages(5)


def give_back() -> None:
    """Return to the system what was freed; where the C library cannot, nothing happens."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def resident_memory() -> int:
    """Return the resident size of this process now, in bytes; 0 where the system does not tell."""
    return _pages(1)


def _pages(field: int) -> int:
    try:
        pages = int(_STATM.read_text().split()[field])
    except OSError:
        return 0
    return pages * resource.getpagesize()


class Growth:
    """By how much the resident size of this process exceeds what it was at first, at its peak.

    Between samples only a new peak of the process is seen.
    """

    def __init__(self) -> None:
        self._start = self._most = resident_memory()
        self._before = peak_memory()

    def sample(self) -> None:
        """Look at the size now."""
        self._most = max(self._most, resident_memory())

    def peak(self) -> int:
        """Return the most so far, in bytes."""
        self.sample()
        peak = peak_memory()
        return max(self._most, peak if peak > self._before else 0) - self._start


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that memory ran out; torch and ONNX Runtime say it in the text of a ``RuntimeError``."""
    if isinstance(error, MemoryError | MemoryLimitError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _SIGNS)
