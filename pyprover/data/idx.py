"""IDX files, the format of MNIST: an images file with its labels file beside it.

The header is two zero bytes, the type (8: unsigned bytes), the number of axes, then the axes as big-endian 32-bit
integers; see http://yann.lecun.com/exdb/mnist/.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyprover.data.dataset import Dataset, channels_first, make_dataset
from pyprover.data.files import read_bytes, sha256
from pyprover.errors import UserError

_UNSIGNED_BYTES = 8


def is_idx(path: Path) -> bool:
    """Whether the name is that of an IDX file of images (``train-images-idx3-ubyte``, perhaps ``.gz``)."""
    return "images-idx3-ubyte" in path.name or "images.idx3-ubyte" in path.name


def read_idx(path: Path) -> Dataset:
    """Read the images in ``path`` and the labels in the file of the same name with ``labels`` and ``idx1``."""
    labels = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
    if not labels.is_file():
        raise UserError(f"{path} has no labels beside it", f"put {labels.name} into {path.parent}")
    images = channels_first(_read_array(path), str(path))
    return make_dataset(images, _read_array(labels), (), digest=sha256(path, labels), origin=str(path))


def _read_array(path: Path) -> NDArray[np.uint8]:
    content = read_bytes(path)
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != _UNSIGNED_BYTES:
        raise UserError(f"{path} is not an IDX file of unsigned bytes")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise UserError(f"{path} ends in the middle of its header")
    shape = struct.unpack(f">{content[3]}I", content[4:start])
    if len(content) - start != int(np.prod(shape, dtype=object)):
        raise UserError(f"{path} holds {len(content) - start} bytes, but its header announces the shape {list(shape)}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
