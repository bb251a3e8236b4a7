"""Training data by name, through the project's data folder.

`digits` (scikit-learn's 8x8 images) needs no file. Of the training images a part is held out, the same for every seed:
it alone serves to choose recipes, settings and epochs. Test images are read by `read_test`, for the last figure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyprover.data import read_dataset
from pyprover.data.dataset import Dataset, make_dataset
from pyprover.errors import UserError
from pyprover.query import DatasetRef
from pyprover.train.levels import Levels, blocks, class_level
from pyprover.train.samples import Samples

DIGITS = "digits"
DIGITS_TEST = 360
"""The last images of scikit-learn's digits, a fifth, are the test images."""

SOURCES = {
    "mnist": ("mnist:train",),
    "fashion_mnist": ("fashion_mnist:train", "fashion_mnist:train_20k"),
    "cifar10": ("cifar10:train",),
    "cifar100": ("cifar100:train", "cifar100:train_10k"),
    "gtsrb": ("gtsrb:train",),
}
"""For each name the training sets that will do, the best first; the test set is `NAME:test`."""

NAMES = (DIGITS, *SOURCES)


@dataclass(frozen=True)
class TrainingData:
    """What a training sees: images to fit and images held out, never the test images.

    `digest` is the SHA-256 of the training file (of the arrays, for digits), `source` the name by which it was found.
    `levels`: the classes, and the groups that the data itself names.
    """

    source: str
    digest: str
    fit: Samples
    held_out: Samples
    classes: int
    levels: Levels

    def statistics(self) -> tuple[list[float], list[float]]:
        """Compute mean and standard deviation of each channel over the images to fit, to 4 decimals."""
        channels = self.fit.images.shape[1]
        sums, squares, count = torch.zeros(channels).double(), torch.zeros(channels).double(), 0
        for batch in self.fit.batches(1000):  # a whole set in float64 would be gigabytes
            pixels = batch.pixels.double()
            sums += pixels.sum((0, 2, 3))
            squares += pixels.square().sum((0, 2, 3))
            count += pixels.numel() // channels
        mean = sums / count
        std = (squares / count - mean.square()).clamp(min=0).sqrt().clamp(min=1e-4)
        return [round(v, 4) for v in mean.tolist()], [round(v, 4) for v in std.tolist()]


def read_training(name: str, held_out: int, data_dir: str | None = None) -> TrainingData:
    """Read one of `NAMES`, with `held_out` of its training images apart; `UserError` when they cannot be had."""
    if name == DIGITS:
        source, dataset = DIGITS, _digits(slice(None, -DIGITS_TEST))
    else:
        source, dataset = _first_found(SOURCES[name], data_dir)
    samples, classes = _samples(dataset), int(dataset.labels.max()) + 1
    if not 0 < held_out < len(samples):
        raise UserError(f"{held_out} images cannot be held out: {dataset.origin} has {len(samples)}")
    order = torch.randperm(len(samples), generator=torch.Generator().manual_seed(0))
    return TrainingData(
        source,
        dataset.digest,
        samples.part(order[held_out:]),
        samples.part(order[:held_out]),
        classes,
        {**class_level(classes), **_own_groups(dataset)},
    )


def read_test(name: str, data_dir: str | None = None) -> tuple[Samples, str]:
    """Read the test images and their digest."""
    if name == DIGITS:
        dataset = _digits(slice(-DIGITS_TEST, None))
    else:
        dataset = read_dataset(DatasetRef(f"{name}:test", "."), data_dir)
    return _samples(dataset), dataset.digest


def _first_found(sources: tuple[str, ...], data_dir: str | None) -> tuple[str, Dataset]:
    read: Callable[[str], Dataset] = lambda source: read_dataset(DatasetRef(source, "."), data_dir)  # noqa: E731
    for source in sources[1:]:
        try:
            return sources[0], read(sources[0])
        except UserError as first:
            try:
                return source, read(source)
            except UserError:
                raise first from None
    return sources[0], read(sources[0])


def _samples(dataset: Dataset) -> Samples:
    images: NDArray[np.generic] = dataset.samples
    if images.ndim != 4:
        raise UserError(f"{dataset.origin} holds no images", "training needs images, with one or three channels")
    kept = images if images.dtype == np.uint8 else images.astype(np.float32)
    if kept.dtype == np.float32 and (kept.min() < 0 or kept.max() > 1):
        raise UserError(f"{dataset.origin}: pixels are not in [0, 1]")
    return Samples(torch.from_numpy(np.ascontiguousarray(kept)), torch.from_numpy(dataset.labels))


def _digits(part: slice) -> Dataset:
    """Part of scikit-learn's digits: 8x8 images of 17 greys, k/16."""
    try:
        from sklearn.datasets import load_digits  # type: ignore[import-untyped]
    except ImportError:
        raise UserError("the data set digits needs scikit-learn", "pip install 'pyprover[train]'") from None
    found = load_digits()
    images = np.ascontiguousarray(found.images[part, None] / 16, np.float32)
    labels = np.ascontiguousarray(found.target[part], np.int64)
    digest = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()
    return make_dataset(images, labels, tuple(map(str, range(10))), digest=digest, origin=DIGITS)


def _own_groups(dataset: Dataset) -> dict[str, Tensor]:
    """The groups in the archive's `fine_to_coarse` (CIFAR-100's super-classes, say) as the level `cut coarse`."""
    if not dataset.origin.endswith(".npz"):
        return {}
    with np.load(dataset.origin, allow_pickle=False) as archive:
        if "fine_to_coarse" not in archive.files:
            return {}
        return {"cut coarse": blocks(archive["fine_to_coarse"].tolist())}
