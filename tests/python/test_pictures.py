"""Pictures of witnesses: three panels, each pixel a square, the difference amplified."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from pyprover.report.pictures import Captions, draw, is_image

CAPTIONS = Captions("sample 0, true: cat", "answer: dog")
TOP, MARGIN, GREY = 24, 8, 128


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
