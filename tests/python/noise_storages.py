"""Every storage of noise, by name: what `test_noise.py` compares with the dense one."""

from __future__ import annotations

from pathlib import Path
from tempfile import gettempdir

from pyprover.domains.noise.blocks import Split
from pyprover.domains.noise.dense import DenseNoise
from pyprover.domains.noise.sparse import SparseNoise
from pyprover.domains.noise.storage import Storage
from pyprover.domains.noise.store import Disk, Memory
from pyprover.domains.noise.windows import WindowNoise

STORAGES: dict[str, Storage] = {
    "dense": DenseNoise.none,
    "sparse": SparseNoise.none,
    "windows": WindowNoise.none,
    "blocks in memory": Split(DenseNoise.none, 40, Memory()),
    "blocks on disk": Split(DenseNoise.none, 16, Disk(Path(gettempdir()))),
    "blocks of windows": Split(WindowNoise.none, 50, Disk(Path(gettempdir()))),
}
