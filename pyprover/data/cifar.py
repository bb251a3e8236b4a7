"""The Python version of CIFAR-10: pickled batches of 3x32x32 images, channels first.

Pickles can run code; this reader builds NumPy arrays, byte strings and numbers, and refuses anything else.
See https://www.cs.toronto.edu/~kriz/cifar.html.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy._core.multiarray import _reconstruct

from pyprover.data.dataset import Dataset, make_dataset
from pyprover.data.files import sha256
from pyprover.errors import UserError

_TRAINING = tuple(f"data_batch_{k}" for k in range(1, 6))


def is_cifar(path: Path) -> bool:
    """Whether ``path`` is a folder of batches or one batch, by its name."""
    return (path / _TRAINING[0]).is_file() or path.name in (*_TRAINING, "test_batch")


def read_cifar(path: Path) -> Dataset:
    """Read one batch, or a folder's training batches in order; the class names come from ``batches.meta``."""
    files = [path / name for name in _TRAINING if (path / name).is_file()] if path.is_dir() else [path]
    batches = [_unpickle(file) for file in files]
    try:
        images = np.concatenate([np.asarray(batch[b"data"]) for batch in batches]).reshape(-1, 3, 32, 32)
        labels = np.concatenate([np.asarray(batch[b"labels"]) for batch in batches])
    except (KeyError, ValueError) as error:
        raise UserError(f"{path} does not hold CIFAR-10 images and labels: {error}") from error
    meta = files[0].with_name("batches.meta")
    names = _unpickle(meta).get(b"label_names", []) if meta.is_file() else []
    class_names = tuple(name.decode() if isinstance(name, bytes) else str(name) for name in names)
    return make_dataset(images, labels, class_names, digest=sha256(*files), origin=str(path))


def _latin1(text: str, encoding: str) -> bytes:
    """Stand in for ``codecs.encode``, by which Python 3 pickles byte strings."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"encoding {encoding!r}")
    return text.encode("latin1")


_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _latin1,
}


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None


def _unpickle(path: Path) -> dict[bytes, Any]:
    try:
        content = _ArraysOnly(io.BytesIO(path.read_bytes()), encoding="bytes").load()
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise UserError(f"{path} is not a CIFAR-10 batch that can be read safely: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} is not a CIFAR-10 batch: it holds a {type(content).__name__}")
    return {key.encode() if isinstance(key, str) else key: value for key, value in content.items()}
