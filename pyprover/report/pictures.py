"""Pictures of witnesses: the original, the witness, and their difference, amplified.

Values are in data units, 0 black and 1 full; those outside are clipped for display. The difference is shown around
mid-grey, multiplied by the factor that its caption states.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_PANEL = 192  # least width of a panel, in pixels of the picture
_MARGIN = 8
_LINE = 16
_INK, _PAPER = (20, 20, 20), (255, 255, 255)
_VISIBLE = 1e-5  # below are the roundings of float32, not a difference


@dataclass(frozen=True, slots=True)
class Captions:
    """What is written above the original and above the witness."""

    original: str
    witness: str


def is_image(shape: tuple[int, ...]) -> bool:
    """Whether samples of ``shape`` (channels first) can be drawn: grey or RGB, at least 2x2."""
    return len(shape) == 3 and shape[0] in (1, 3) and min(shape[1:]) >= 2


def draw(original: NDArray[np.float64], witness: NDArray[np.float64], captions: Captions) -> Image.Image:
    """Draw two images (C, H, W) in data units side by side, with their difference."""
    difference = witness - original
    largest = float(np.abs(difference).max())
    factor = max(1, math.floor(0.5 / largest)) if largest >= _VISIBLE else 1
    amount = f"difference x {factor} (largest {255 * largest:.3g}/255)" if largest >= _VISIBLE else "no difference"
    panels = [_panel(original), _panel(witness), _panel(0.5 + factor * difference)]
    texts = [captions.original, captions.witness, amount]
    width, height = panels[0].size
    picture = Image.new("RGB", (3 * width + 4 * _MARGIN, height + 2 * _MARGIN + _LINE), _PAPER)
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(12)
    for position, (panel, text) in enumerate(zip(panels, texts, strict=True)):
        left = _MARGIN + position * (width + _MARGIN)
        pen.text((left, _MARGIN // 2), _fitted(text, width, font), _INK, font)
        picture.paste(panel, (left, _MARGIN + _LINE))
    return picture


def _panel(image: NDArray[np.float64]) -> Image.Image:
    """Enlarge (C, H, W) by a whole factor, each pixel a square."""
    levels = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
    rgb = np.ascontiguousarray(np.broadcast_to(levels, (*levels.shape[:2], 3)))
    times = max(1, math.ceil(_PANEL / rgb.shape[1]))
    return Image.fromarray(rgb).resize((rgb.shape[1] * times, rgb.shape[0] * times), Image.Resampling.NEAREST)


def _fitted(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """Shorten ``text`` until it fits."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."
