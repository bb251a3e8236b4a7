"""What has been read: each dataset and each network once, as long as its file does not change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from pyprover.data import Dataset, read_dataset
from pyprover.data.lookup import locate
from pyprover.engine import Network
from pyprover.errors import UserError
from pyprover.query import DatasetRef

T = TypeVar("T")


class _Cache(Generic[T]):
    """Results by file; one is forgotten when the file's size or time changes."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[int, int, int], T]] = {}

    def get(self, path: Path, read: Callable[[], T]) -> T:
        try:
            status = path.stat()
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}") from error
        stamp = (status.st_ino, status.st_size, status.st_mtime_ns)
        known = self._known.get(path)
        if known is None or known[0] != stamp:
            known = self._known[path] = (stamp, read())
        return known[1]


class Library:
    """Datasets (names looked up in ``data_dir``) and networks, each read at its first use."""

    def __init__(self, data_dir: str | None) -> None:
        self._data_dir = data_dir
        self._datasets: _Cache[Dataset] = _Cache()
        self._networks: _Cache[Network] = _Cache()

    def dataset(self, ref: DatasetRef) -> Dataset:
        """Return the dataset that ``ref`` names; ``UserError`` when it cannot be read."""
        return self._datasets.get(locate(ref, self._data_dir), lambda: read_dataset(ref, self._data_dir))

    def network(self, path: str) -> Network:
        """Return the network in the ONNX file ``path``; ``UserError`` when it cannot be read."""
        return self._networks.get(Path(path), lambda: Network.open(path))
