"""NumPy archives: ``images``, ``labels`` and, where the classes have names, ``class_names``.

Other arrays of the shape of ``images`` hold bounds or radii of regions, an entry a sample.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import read_array_header_1_0, read_array_header_2_0, read_magic
from numpy.typing import NDArray

from pyprover.data.dataset import SAMPLE_TYPES, Dataset, channels_first, make_dataset, with_arrays
from pyprover.data.files import sha256
from pyprover.errors import UserError

_OWN = ("images", "labels", "class_names")
_HEADERS = {(1, 0): read_array_header_1_0, (2, 0): read_array_header_2_0}


def read_npz(path: Path) -> Dataset:
    """Read ``path``; nothing is unpickled."""
    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise UserError(f"{path} is a single array, not an archive with `images` and `labels`")
            images, labels = _member(archive, "images", path), _member(archive, "labels", path)
            names = _member(archive, "class_names", path) if "class_names" in archive.files else np.array([], np.str_)
            others = [name for name in archive.files if name not in _OWN]
            alike = {name: archive[name] for name in others if _may_be_samples(archive, name, images.shape)}
    except (ValueError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise UserError(f"{path} is not a NumPy archive that can be read: {error}") from error
    if names.ndim != 1 or names.dtype.kind != "U":
        raise UserError(f"{path}: `class_names` is not a list of strings")
    origin = str(path)
    samples = channels_first(images, origin)
    dataset = make_dataset(samples, labels, tuple(names.tolist()), digest=sha256(path), origin=origin)
    return with_arrays(dataset, {name: channels_first(array, origin) for name, array in alike.items()})


def _may_be_samples(archive: np.lib.npyio.NpzFile, name: str, shape: tuple[int, ...]) -> bool:
    """Whether an array has this shape and type, by its header: what is for other readers is not read."""
    assert archive.zip is not None
    member = f"{name}.npy"
    if member not in archive.zip.namelist():  # a file that is no array
        return False
    with archive.zip.open(member) as file:
        version = read_magic(file)
        if version not in _HEADERS:  # version 3.0 is for names of fields
            return False
        found, _, type_ = _HEADERS[version](file)
        return found == shape and type_ in SAMPLE_TYPES


def _member(archive: np.lib.npyio.NpzFile, name: str, path: Path) -> NDArray[Any]:
    if name not in archive.files:
        raise UserError(f"{path} has no array `{name}`; it has {', '.join(archive.files) or 'none'}")
    return np.asarray(archive[name])
