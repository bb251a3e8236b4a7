"""What can go wrong, told apart by who must act."""

from __future__ import annotations


class ProverError(Exception):
    """Base of every error that the prover raises on purpose.

    ``hint`` says what to do next, in one sentence.
    """

    kind = "internal"

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UserError(ProverError):
    """The user's mistake: missing file, wrong shape, index out of range, unsupported operator ..."""

    kind = "user"


class StorageError(UserError):
    """A witness was found and checked, but cannot be written."""


class UnsupportedOperator(UserError):
    """An ONNX operator, or one of its attributes, that no transformer covers."""

    def __init__(self, operator: str, opset: int, node: str, detail: str = "") -> None:
        super().__init__(
            f"unsupported operator {operator} (opset {opset}) at node {node!r}" + (f": {detail}" if detail else ""),
            "`python -m pyprover operators` lists what is supported",
        )


class VersionError(ProverError):
    """The peer speaks another version of the protocol."""

    kind = "version"


class MemoryLimitError(ProverError):
    """The memory limit was reached in a place where no cheaper method is left."""

    kind = "memory"
