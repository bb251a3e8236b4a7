"""NumPy archives: ``images``, ``labels`` and, where the classes have names, ``class_names``."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyprover.data.dataset import Dataset, channels_first, make_dataset
from pyprover.data.files import sha256
from pyprover.errors import UserError


def read_npz(path: Path) -> Dataset:
    """Read ``path``; nothing is unpickled."""
    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise UserError(f"{path} is a single array, not an archive with `images` and `labels`")
            images, labels = _member(archive, "images", path), _member(archive, "labels", path)
            names = _member(archive, "class_names", path) if "class_names" in archive.files else np.array([], np.str_)
    except (ValueError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise UserError(f"{path} is not a NumPy archive that can be read: {error}") from error
    if names.ndim != 1 or names.dtype.kind != "U":
        raise UserError(f"{path}: `class_names` is not a list of strings")
    samples = channels_first(images, str(path))
    return make_dataset(samples, labels, tuple(names.tolist()), digest=sha256(path), origin=str(path))


def _member(archive: np.lib.npyio.NpzFile, name: str, path: Path) -> NDArray[Any]:
    if name not in archive.files:
        raise UserError(f"{path} has no array `{name}`; it has {', '.join(archive.files) or 'none'}")
    return np.asarray(archive[name])
