"""The memory of this process: its limit, its peak, and the many ways in which it runs out.

The limit is ``RLIMIT_DATA``: it counts private writable memory, so that allocations fail with an error that the
process survives. ``RLIMIT_AS`` would also count mapped libraries, hundreds of megabytes for torch alone.
"""

from __future__ import annotations

import resource
import sys

import torch

from pyprover.errors import MemoryLimitError, UserError

_LEAST = 512 << 20  # with less, libraries crash where they cannot start a thread or compile a kernel
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
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    allowed = size if hard == resource.RLIM_INFINITY else min(size, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (allowed, hard))


def _start_gradients() -> None:
    image = torch.zeros(1, 1, 3, 3, requires_grad=True)
    torch.nn.functional.conv2d(image, torch.ones(1, 1, 3, 3)).sum().backward()  # type: ignore[no-untyped-call]


def peak_memory() -> int:
    """Return the largest resident size of this process so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that memory ran out; torch and ONNX Runtime say it in the text of a ``RuntimeError``."""
    if isinstance(error, MemoryError | MemoryLimitError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _SIGNS)
