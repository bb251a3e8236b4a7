"""Where a dataset is: a path as the specification wrote it, or a name such as ``cifar10:test``."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pyprover.data.cifar import is_cifar, read_cifar
from pyprover.data.dataset import Dataset
from pyprover.data.idx import is_idx, read_idx
from pyprover.data.npz import read_npz
from pyprover.data.table import read_csv
from pyprover.errors import UserError
from pyprover.query import DatasetRef

_NAME = re.compile(r"([A-Za-z][\w-]*):([\w-]+)")
_FORMATS = ".npz, .csv, .csv.gz, CIFAR-10 batches, IDX images"


def _idx(folders: tuple[str, ...], images: str) -> tuple[str, ...]:
    return tuple(f"{folder}/{images}-images-idx3-ubyte{suffix}" for folder in folders for suffix in ("", ".gz"))


_STANDARD_FILES = {
    "cifar10:train": ("cifar-10-batches-py",),
    "cifar10:test": ("cifar-10-batches-py/test_batch",),
    "mnist:train": _idx(("mnist", "MNIST/raw"), "train"),
    "mnist:test": _idx(("mnist", "MNIST/raw"), "t10k"),
    "fashion_mnist:train": _idx(("fashion_mnist", "FashionMNIST/raw"), "train"),
    "fashion_mnist:test": _idx(("fashion_mnist", "FashionMNIST/raw"), "t10k"),
}


def read_dataset(ref: DatasetRef, data_dir: str | None) -> Dataset:
    """Read the dataset that ``ref`` names; names are looked up in ``data_dir``.

    Raises ``UserError`` when it is not found (saying where it was looked for, and what there is) or not well formed.
    """
    path = locate(ref, data_dir)
    try:
        return _read(path)
    except OSError as error:
        raise UserError(f"the dataset {path} cannot be read: {error.strerror or error}") from error


def _read(path: Path) -> Dataset:
    if is_cifar(path):
        return read_cifar(path)
    if is_idx(path):
        return read_idx(path)
    if path.name.endswith(".npz"):
        return read_npz(path)
    if path.name.endswith((".csv", ".csv.gz")):
        return read_csv(path)
    raise UserError(f"{path} is of no known format", f"known: {_FORMATS}")


def locate(ref: DatasetRef, data_dir: str | None) -> Path:
    """Return the file or folder that ``ref`` names, or raise ``UserError``."""
    if match := _NAME.fullmatch(ref.source):
        return _locate_name(ref.source, f"{match[1]}_{match[2]}.npz", _data_folder(data_dir))
    path = Path(ref.base, Path(ref.source).expanduser())
    if not path.exists():
        raise UserError(f"the dataset {path} does not exist", _beside(path.parent))
    return path


def _data_folder(data_dir: str | None) -> Path:
    """Return the option, else ``CAISAR_EXT_DATA``, else the default folder."""
    return Path(data_dir or os.environ.get("CAISAR_EXT_DATA") or "~/.cache/caisar-ext").expanduser()


def _locate_name(name: str, archive: str, folder: Path) -> Path:
    candidates = (*_STANDARD_FILES.get(name, ()), archive)
    for candidate in candidates:
        if (folder / candidate).exists():
            return folder / candidate
    known = {standard for standard, files in _STANDARD_FILES.items() if any((folder / f).exists() for f in files)}
    known |= {":".join(path.stem.rsplit("_", 1)) for path in folder.glob("*_*.npz")}
    hint = f"there are {', '.join(sorted(known))}" if known else "set CAISAR_EXT_DATA or --data-dir to the data folder"
    raise UserError(f"the dataset {name} was not found: {folder} has none of {', '.join(candidates)}", hint)


def _beside(folder: Path) -> str:
    """Say which datasets there are in ``folder``."""
    if not folder.is_dir():
        return f"there is no folder {folder} either"
    found = sorted(p.name for p in folder.iterdir() if p.name.endswith((".npz", ".csv", ".csv.gz")) or is_cifar(p))
    return f"{folder} has {', '.join(found[:8])}{' ...' if len(found) > 8 else ''}" if found else f"known: {_FORMATS}"
