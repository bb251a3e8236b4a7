"""Pictures of witnesses: three panels, each pixel a square, the difference amplified."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pyprover.data import Dataset
from pyprover.engine import Problem
from pyprover.errors import UserError
from pyprover.protocol.witnesses import Sample, WitnessStore
from pyprover.query import Ball, DatasetRef, Normalization, Range
from pyprover.region import resolve
from pyprover.report.pictures import Captions, draw, is_image
from pyprover.witness import Checked

CAPTIONS = Captions("sample 0, true: cat", "answer: dog")
TOP, MARGIN, GREY = 24, 8, 128
F = Fraction


def panels(picture: Image.Image) -> tuple[NDArray[np.uint8], ...]:
    """Cut the three panels out, without captions and margins."""
    pixels = np.asarray(picture)
    width = (pixels.shape[1] - 4 * MARGIN) // 3
    height = pixels.shape[0] - TOP - MARGIN
    starts = [MARGIN + k * (width + MARGIN) for k in range(3)]
    return tuple(pixels[TOP : TOP + height, start : start + width] for start in starts)


def shrink(panel: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Check that each pixel is one square, and return one entry a square."""
    times = panel.shape[0] // size
    small = panel[::times, ::times]
    assert np.array_equal(small.repeat(times, 0).repeat(times, 1), panel)
    return small


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [4, 28, 32, 224])
def test_panels_hold_the_images(channels: int, size: int) -> None:
    rng = np.random.default_rng(0)
    levels = rng.integers(0, 256, (channels, size, size))
    steps = rng.integers(-2, 3, (channels, size, size))
    steps[0, 0, 0] = 2
    original, witness, difference = panels(draw(levels / 255, (levels + steps) / 255, CAPTIONS))
    assert original.shape[1] >= 192
    full = (size, size, 3)
    assert np.array_equal(shrink(original, size), np.broadcast_to(levels.transpose(1, 2, 0), full))
    assert np.array_equal(
        shrink(witness, size), np.broadcast_to(np.clip(levels + steps, 0, 255).transpose(1, 2, 0), full)
    )
    amplified = np.rint(
        255 * np.clip(0.5 + 63 * steps / 255, 0, 1)
    )  # 63 is the largest factor that keeps 2/255 visible
    assert np.abs(shrink(difference, size).astype(int) - amplified.transpose(1, 2, 0)).max() <= 1


def test_roundings_are_no_difference() -> None:
    original = np.full((1, 4, 4), 0.3)
    _, _, difference = panels(draw(original, original + 1e-7, CAPTIONS))
    assert set(difference.ravel().tolist()) == {GREY}


def test_captions_are_written_and_long_ones_fit() -> None:
    image = np.zeros((3, 32, 32))
    bare = np.asarray(draw(image, image, Captions("", "")))
    for captions in (CAPTIONS, Captions("true: " + "very " * 40, "answer: " + "long " * 40)):
        strip = np.asarray(draw(image, image, captions))[: TOP - 1]
        width = (strip.shape[1] - 4 * MARGIN) // 3
        assert not np.array_equal(strip, bare[: TOP - 1])
        between = strip[:, 2 * MARGIN + width - 6 : 2 * MARGIN + width - 1]
        assert between.min() == 255


def test_a_picture_takes_little_time(tmp_path: Path) -> None:
    image = np.random.default_rng(0).random((3, 32, 32))
    draw(image, image, CAPTIONS)
    start = time.process_time()
    for _ in range(5):
        draw(image, image * 0.99, CAPTIONS).save(tmp_path / "p.png", compress_level=1)
    assert (time.process_time() - start) / 5 < 0.05


def test_stored_witnesses_are_drawn_in_data_units(tmp_path: Path) -> None:
    """The network works on normalised inputs; the picture shows the pixels."""
    levels = np.random.default_rng(0).integers(10, 240, (3, 8, 8)).astype(np.uint8)
    dataset = Dataset(levels[None], np.array([1]), ("cat", "dog"), "", "here")
    normalization = Normalization((F(1, 2), F(1, 4), F(1, 3)), (F(1, 4), F(1, 5), F(1, 2)))
    ball = Ball(DatasetRef("here", "/"), 0, F(2, 255))
    problem = Problem(7, resolve([ball], normalization, (3, 8, 8), lambda _: dataset), ())
    inner = problem.region.inward()
    assert inner is not None
    point = inner[1].reshape(3, 8, 8)
    store = WitnessStore(tmp_path, True, normalization, {7: Sample(dataset, 0)})
    witness = store.save(problem, point, Checked((0,), 0.5, 2 / 255, centre=False))
    assert np.array_equal(np.load(witness.file), point)
    assert witness.picture is not None
    with Image.open(witness.picture) as picture:
        original, moved, _ = panels(picture)
    assert np.array_equal(shrink(original, 8), levels.transpose(1, 2, 0))
    assert np.array_equal(shrink(moved, 8), levels.transpose(1, 2, 0) + 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        Path(name).name for name in (witness.file, witness.picture)
    )


def test_witnesses_that_cannot_be_written_are_the_users_matter(tmp_path: Path) -> None:
    region = resolve([Range(F(0), F(1))], None, (2,), no_dataset)
    store = WitnessStore(tmp_path / "nowhere", False, None, {})
    with pytest.raises(UserError, match="cannot be written"):
        store.save(Problem(0, region, ()), np.zeros(2, np.float32), Checked((0,), 0.5, 0.1, centre=False))


def no_dataset(ref: DatasetRef) -> Dataset:
    raise AssertionError(ref)


@pytest.mark.parametrize(
    ("shape", "drawn"),
    [
        ((1, 28, 28), True),
        ((3, 32, 32), True),
        ((2, 8, 8), False),
        ((5,), False),
        ((1, 1, 5), False),
        ((1, 784, 1), False),
    ],
)
def test_what_is_an_image(shape: tuple[int, ...], drawn: bool) -> None:
    assert is_image(shape) is drawn
