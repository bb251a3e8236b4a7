"""Checkpoints that a crash cannot damage, and that belong to one training alone."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch

from pyprover.errors import UserError


@dataclass(frozen=True)
class Checkpoint:
    """A file, and the digest of everything that decides the training that it belongs to."""

    path: Path
    key: str

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """Return what was saved, or nothing when there is no file; `UserError` for another training's or a bad file."""
        if not self.path.exists():
            return None
        hint = "--restart begins anew"
        try:
            saved = torch.load(self.path, map_location=device, weights_only=True)
        except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
            reason = (str(error) or "it ends too early").splitlines()[0]
            raise UserError(f"the checkpoint {self.path} cannot be read: {reason}", hint) from error
        if not isinstance(saved, dict) or saved.pop("key", None) != self.key:
            raise UserError(f"the checkpoint {self.path} belongs to a training with other settings or data", hint)
        return saved

    def save(self, state: dict[str, Any]) -> None:
        """Write the state; at any moment the file is the whole one before or the whole new one."""
        replace_file(self.path, lambda file: torch.save({**state, "key": self.key}, file))

    def remove(self) -> None:
        """Delete the file, if there is one."""
        self.path.unlink(missing_ok=True)


def replace_file(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Let `write` fill a new file, force it to the disk, then put it in the place of `path`; for one writer at a time.

    What a crash leaves, `PATH.part`, is overwritten the next time.
    """
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
