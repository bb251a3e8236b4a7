"""Draw road signs: 32 x 32 RGB pictures of seventeen classes, in varying size, angle, light, blur, noise and place.

Run as a script it writes the test images of this example (`signs_test.npz`) and, with --sheet, a contact sheet.
The same seed gives the same pictures (with the same version of Pillow).
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pictograms import SIGNS, SIZE, picture
from PIL import Image, ImageFilter

HERE = Path(__file__).resolve().parent
WIDTH = 32
CANVAS = 4 * WIDTH
CLASSES = tuple(SIGNS)
TEST_SEED = 2024
HARD_SHARE = 0.35
"""Share of the pictures that are small, dark, blurred or noisy (one of them, drawn at random)."""

Pixels = NDArray[np.uint8]


def background(rng: Generator) -> Image.Image:
    """Draw sky, foliage or wall: a soft random texture around one colour, darker or lighter from top to bottom."""
    base = np.array([(150, 180, 215), (85, 115, 65), (150, 140, 125), (95, 100, 110)])[rng.integers(4)]
    clouds = rng.normal(0, 22, (6, 6, 1)) + rng.normal(0, 8, (6, 6, 3))
    top, bottom = rng.normal(0, 25, 2)
    coarse = base + clouds + np.linspace(top, bottom, 6)[:, None, None]
    texture = Image.fromarray(coarse.clip(0, 255).astype(np.uint8))
    return texture.resize((CANVAS, CANVAS), Image.Resampling.BICUBIC)


def place(rng: Generator, name: str, radius: float) -> Image.Image:
    """Put the sign, a little turned, sheared and off the centre, on a transparent canvas; `radius` in canvas widths."""
    angle, shear = np.radians(rng.uniform(-9, 9)), rng.uniform(-0.08, 0.08, 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    squeeze = np.array([[rng.uniform(0.86, 1.0), shear[0]], [shear[1], rng.uniform(0.94, 1.0)]])
    inverse = np.linalg.inv(turn @ squeeze * (radius * CANVAS / (SIZE / 2)))
    centre = CANVAS / 2 + rng.uniform(-1, 1, 2) * (0.5 - 0.9 * radius) * CANVAS * 0.5
    offset = SIZE / 2 - inverse @ centre
    coefficients = (*inverse[0], offset[0], *inverse[1], offset[1])
    return picture(name).transform((CANVAS, CANVAS), Image.Transform.AFFINE, coefficients, Image.Resampling.BICUBIC)


def scene(rng: Generator, name: str) -> Pixels:
    """Draw one picture, (32, 32, 3)."""
    hard = ["small", "dark", "blurred", "noisy"][rng.integers(4)] if rng.random() < HARD_SHARE else ""
    radius = rng.uniform(0.26, 0.31) if hard == "small" else rng.uniform(0.37, 0.46)
    light = rng.uniform(0.22, 0.4) if hard == "dark" else rng.uniform(0.65, 1.1)
    blur = rng.uniform(1.1, 1.6) if hard == "blurred" else rng.uniform(0.1, 0.6)
    noise = rng.uniform(16, 28) if hard == "noisy" else rng.uniform(2, 7)
    sign = place(rng, name, radius)
    image = background(rng)
    image.paste(sign, (0, 0), sign)
    image = image.resize((WIDTH, WIDTH), Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(blur))
    tint = light * rng.uniform(0.92, 1.08, 3)
    pixels = np.asarray(image, dtype=np.float64) * tint + rng.normal(0, noise, (WIDTH, WIDTH, 3))
    return pixels.round().clip(0, 255).astype(np.uint8)


def draw(count: int, seed: int) -> tuple[Pixels, NDArray[np.int64]]:
    """Draw `count` pictures (N, 32, 32, 3) and their labels (N,); classes as even as possible, in random order."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % len(CLASSES))
    return np.stack([scene(rng, CLASSES[label]) for label in labels]), labels.astype(np.int64)


def contact_sheet(images: Pixels, columns: int, zoom: int = 3) -> Image.Image:
    """Lay all pictures side by side, row by row."""
    rows = -(-len(images) // columns)
    sheet = np.zeros((rows * WIDTH, columns * WIDTH, 3), np.uint8)
    for k, image in enumerate(images):
        row, column = divmod(k, columns)
        sheet[row * WIDTH : (row + 1) * WIDTH, column * WIDTH : (column + 1) * WIDTH] = image
    return Image.fromarray(sheet).resize((columns * WIDTH * zoom, rows * WIDTH * zoom), Image.Resampling.NEAREST)


def main() -> None:
    """Write the archive, and the contact sheet if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=68, help="number of pictures (default: %(default)s, four a class)")
    parser.add_argument("--seed", type=int, default=TEST_SEED, help="default: %(default)s, the committed test set")
    parser.add_argument(
        "--output", type=Path, default=HERE / "signs_test.npz", help="archive to write (default: %(default)s)"
    )
    parser.add_argument("--sheet", type=Path, help="also write a contact sheet, sorted by class (PNG)")
    options = parser.parse_args()
    images, labels = draw(options.count, options.seed)
    np.savez_compressed(options.output, images=images, labels=labels, class_names=np.array(CLASSES))
    print(f"{options.output}: {len(images)} pictures of {len(CLASSES)} classes")
    if options.sheet:
        contact_sheet(images[np.argsort(labels, kind="stable")], -(-options.count // len(CLASSES))).save(options.sheet)
        print(options.sheet)


if __name__ == "__main__":
    main()
