"""Checked witnesses as files: the array that the ONNX file is given, and a picture of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from pyprover.data import Dataset
from pyprover.engine import Problem
from pyprover.errors import StorageError
from pyprover.normalization import affine
from pyprover.query import Normalization
from pyprover.region import Region
from pyprover.report.pictures import Captions, draw, is_image
from pyprover.verdict import Witness
from pyprover.witness import Checked


@dataclass(frozen=True)
class Sample:
    """A sample of a dataset, which a query is about."""

    dataset: Dataset
    index: int

    def captions(self, answers: tuple[int, ...]) -> Captions:
        """Say what the sample is, and what the network answers at the witness."""
        truth = self._name(int(self.dataset.labels[self.index]))
        return Captions(f"sample {self.index}, true: {truth}", f"answer: {' or '.join(map(self._name, answers))}")

    def _name(self, class_index: int) -> str:
        names = self.dataset.class_names
        return names[class_index] if class_index < len(names) else f"class {class_index}"


@dataclass(frozen=True)
class WitnessStore:
    """Writes the witnesses of a batch of queries on one network; ``samples`` by query number, where there is one."""

    folder: Path
    pictures: bool
    normalization: Normalization | None
    samples: Mapping[int, Sample]

    def save(self, problem: Problem, point: NDArray[np.float32], checked: Checked) -> Witness:
        """Write ``point`` (*input_shape) and, of an image, a picture; return what the protocol says about them.

        The file is named after the query, the class and the content. Raises ``StorageError`` when it cannot be written.
        """
        content = hashlib.sha256(point.tobytes()).hexdigest()[:8]
        file = self.folder / f"query{problem.query}-class{checked.classes[0]}-{content}.npy"
        sample = self.samples.get(problem.query)
        shape = point.shape if sample is None else sample.dataset.shape
        picture = file.with_suffix(".png") if self.pictures and is_image(shape) else None
        try:
            _write(file, lambda stream: np.save(stream, point))
            if picture is not None:
                images = self._in_data_units(problem.region, point)
                original, witness = (image.reshape(shape) for image in images)
                drawing = draw(original, witness, _captions(sample, checked.classes))
                _write(picture, lambda stream: drawing.save(stream, format="PNG", compress_level=1))
        except OSError as error:
            raise StorageError(f"the witness {file} cannot be written: {error.strerror or error}") from error
        drawn = None if picture is None else str(picture)
        return Witness(str(file), drawn, checked.classes, checked.margin, checked.distance, checked.centre)

    def _in_data_units(
        self, region: Region, point: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the region's centre and ``point``, flat, in data units."""
        maps = affine(self.normalization, point.shape)
        means, stds = ([float(getattr(map_, name)) for map_ in maps] for name in ("mean", "std"))
        mean, std = (np.repeat(numbers, point.size // len(maps)) for numbers in (means, stds))
        centre = np.array([float(value) for value in region.centre])
        return centre * std + mean, point.ravel().astype(np.float64) * std + mean


def _captions(sample: Sample | None, answers: tuple[int, ...]) -> Captions:
    if sample is not None:
        return sample.captions(answers)
    return Captions("centre of the region", f"answer: class {' or '.join(map(str, answers))}")


def _write(path: Path, save: Callable[[BinaryIO], Any]) -> None:
    """Write a file that is there whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as stream:
        save(stream)
    partial.replace(path)
