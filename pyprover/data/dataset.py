"""The one form of a dataset, and the checks that every reader shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyprover.errors import UserError
from pyprover.query import IMAGES

SAMPLE_TYPES = (np.uint8, np.float16, np.float32, np.float64)
_PIXELS = tuple(Fraction(k, 255) for k in range(256))


@dataclass(frozen=True)
class Dataset:
    """Samples (N, *shape), channels first, and their labels (N,), int64.

    8-bit samples are pixels: k counts as k/255, exactly. Floating samples count as they are. ``class_names`` is
    empty when the source names no class; ``digest`` is the SHA-256 of the file (of the files, joined, when there are
    several); ``origin`` is for messages; ``arrays`` are others of the samples' shape, which count as samples do.
    """

    samples: NDArray[Any]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    digest: str
    origin: str
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample, channels first."""
        return self.samples.shape[1:]

    def exact_value(self, entry: float) -> Fraction:
        """Return the value, in data units, of an entry of ``samples``."""
        return _PIXELS[int(entry)] if self.samples.dtype == np.uint8 else Fraction(entry)

    def exact(self, index: int) -> tuple[Fraction, ...]:
        """Return one sample in data units, row-major; equal features are one object."""
        entries = self.samples[self.check_index(index)].ravel().tolist()
        values = {entry: self.exact_value(entry) for entry in set(entries)}
        return tuple(map(values.__getitem__, entries))

    def beside(self, array: str) -> Dataset:
        """Return the dataset whose samples are the entries of ``array``: ``images`` or one of ``arrays``."""
        if array == IMAGES:
            return self
        if array not in self.arrays:
            raise UserError(
                f"{self.origin} has no array `{array}` of the samples' shape, uint8 or floating",
                f"it has {', '.join((IMAGES, *self.arrays))}",
            )
        return replace(self, samples=self.arrays[array], origin=f"{self.origin}: `{array}`", arrays={})

    def check_index(self, index: int) -> int:
        """Return ``index``, or raise ``UserError`` when there is no such sample."""
        if not 0 <= index < len(self):
            raise UserError(f"sample {index} does not exist: {self.origin} has {len(self)} samples, from 0")
        return index


def make_dataset(
    samples: NDArray[Any], labels: NDArray[Any], class_names: tuple[str, ...], *, digest: str, origin: str
) -> Dataset:
    """Check a reader's arrays (samples are channels first already) and return the dataset.

    Raises ``UserError``: types other than uint8 and floating, lengths that differ, labels that are not integers, are
    negative or have no name, values that are not finite.
    """
    if samples.dtype not in SAMPLE_TYPES:
        raise UserError(
            f"{origin}: samples are {samples.dtype}, not uint8 or floating",
            "store pixels as uint8 (0..255), other features as float32 or float64",
        )
    _check_finite(samples, origin)
    if labels.ndim != 1 or len(labels) != len(samples):
        raise UserError(f"{origin}: {len(samples)} samples, but labels of shape {list(labels.shape)}")
    if labels.dtype.kind not in "iu":
        raise UserError(f"{origin}: labels are {labels.dtype}, not integers")
    integers = labels.astype(np.int64)
    _check_labels(integers, len(class_names), origin)
    return Dataset(samples, integers, class_names, digest, origin)


def with_arrays(dataset: Dataset, arrays: Mapping[str, NDArray[Any]]) -> Dataset:
    """Return ``dataset`` with ``arrays`` of its samples' shape (channels first) and of ``SAMPLE_TYPES``.

    Raises ``UserError`` for values that are not finite.
    """
    for name, array in arrays.items():
        _check_finite(array, f"{dataset.origin}: `{name}`")
    return replace(dataset, arrays=arrays)


def _check_finite(samples: NDArray[Any], origin: str) -> None:
    if samples.size and samples.dtype != np.uint8 and not np.isfinite(samples).all():
        bad = int(np.argwhere(~np.isfinite(samples.reshape(len(samples), -1)).all(axis=1))[0, 0])
        raise UserError(f"{origin}: sample {bad} holds a value that is not finite")


def _check_labels(labels: NDArray[np.int64], names: int, origin: str) -> None:
    wrong = np.flatnonzero((labels < 0) | ((labels >= names) if names else False))
    if len(wrong):
        index = int(wrong[0])
        known = f"the class names are numbered 0 to {names - 1}" if names else "labels count from 0"
        raise UserError(f"{origin}: sample {index} has label {labels[index]}, but {known}")


def channels_first(images: NDArray[Any], origin: str) -> NDArray[Any]:
    """View images (N, H, W), (N, H, W, C) or (N, C, H, W) as (N, C, H, W), and flat vectors (N, D) as they are.

    C is 1 or 3; ``UserError`` when both or neither of the two orders is possible.
    """
    if images.ndim == 2:
        return images
    if images.ndim == 3:
        return images[:, None]
    if images.ndim == 4:
        last, first = (images.shape[axis] in (1, 3) for axis in (3, 1))
        if last != first:
            return images.transpose(0, 3, 1, 2) if last else images
    raise UserError(
        f"{origin}: cannot tell the axes of samples of shape {list(images.shape)}",
        "store N,D or N,H,W or N,H,W,C or N,C,H,W, with 1 or 3 channels and neither height nor width 1 or 3",
    )
