"""The signs of this example, drawn flat: seventeen classes, each a 256 x 256 picture with a transparent background.

Coordinates run from -1 to 1, x to the right and y downwards; the sign fills the unit disc.
"""

import math
from collections.abc import Callable, Sequence
from functools import cache

from PIL import Image, ImageDraw, ImageFont

SIZE = 256
SCALE = 120.0
RED, BLUE, YELLOW, WHITE, BLACK = (190, 20, 30), (10, 70, 165), (245, 195, 20), (245, 245, 245), (20, 20, 20)

Colour = tuple[int, int, int]
Point = tuple[float, float]


class Pen:
    """Draws shapes given in sign coordinates."""

    def __init__(self, image: Image.Image) -> None:
        self._draw = ImageDraw.Draw(image)

    def polygon(self, points: Sequence[Point], colour: Colour) -> None:
        """Fill a polygon."""
        self._draw.polygon([_pixel(point) for point in points], fill=colour)

    def disc(self, centre: Point, radius: float, colour: Colour) -> None:
        """Fill a disc."""
        x, y = centre
        self._draw.ellipse([_pixel((x - radius, y - radius)), _pixel((x + radius, y + radius))], fill=colour)

    def box(self, corner: Point, opposite: Point, colour: Colour) -> None:
        """Fill an upright rectangle."""
        self._draw.rectangle([_pixel(corner), _pixel(opposite)], fill=colour)

    def line(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        """Draw a line with round joints."""
        self._draw.line([_pixel(point) for point in points], fill=colour, width=round(width * SCALE), joint="curve")

    def arrow(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        """Draw a line that ends in a head of three times its width."""
        self.line(points, width, colour)
        (x0, y0), (x1, y1) = points[-2:]
        length = math.hypot(x1 - x0, y1 - y0)
        ux, uy = (x1 - x0) / length * width * 1.5, (y1 - y0) / length * width * 1.5
        self.polygon([(x1 - uy, y1 + ux), (x1 + uy, y1 - ux), (x1 + 1.4 * ux, y1 + 1.4 * uy)], colour)

    def text(self, text: str, height: float, colour: Colour) -> None:
        """Write text in the middle."""
        font = ImageFont.load_default(size=height * SCALE)
        self._draw.text(
            _pixel((0.0, 0.0)), text, fill=colour, font=font, anchor="mm", stroke_width=5, stroke_fill=colour
        )


def _pixel(point: Point) -> Point:
    return SIZE / 2 + point[0] * SCALE, SIZE / 2 + point[1] * SCALE


def _regular(corners: int, radius: float, turn: float) -> list[Point]:
    """List the corners of a regular polygon, its first corner `turn` radians from the right."""
    angles = [turn + 2 * math.pi * k / corners for k in range(corners)]
    return [(radius * math.cos(angle), radius * math.sin(angle)) for angle in angles]


def _arc(radius: float, start: float, stop: float) -> list[Point]:
    angles = [start + (stop - start) * k / 16 for k in range(17)]
    return [(radius * math.cos(angle), radius * math.sin(angle)) for angle in angles]


def _mirror(points: Sequence[Point]) -> list[Point]:
    return [(-x, y) for x, y in points]


def _red_ring(pen: Pen) -> None:
    pen.disc((0, 0), 1.0, RED)
    pen.disc((0, 0), 0.76, WHITE)


def _speed(pen: Pen, number: str) -> None:
    _red_ring(pen)
    pen.text(number, 0.98, BLACK)


def _no_entry(pen: Pen) -> None:
    pen.disc((0, 0), 1.0, RED)
    pen.box((-0.7, -0.2), (0.7, 0.2), WHITE)


def _car(pen: Pen, x: float, colour: Colour) -> None:
    pen.polygon([(x - 0.27, -0.05), (x - 0.17, -0.3), (x + 0.17, -0.3), (x + 0.27, -0.05)], colour)
    pen.box((x - 0.3, -0.05), (x + 0.3, 0.22), colour)
    pen.box((x - 0.28, 0.2), (x - 0.14, 0.34), colour)
    pen.box((x + 0.14, 0.2), (x + 0.28, 0.34), colour)


def _no_overtaking(pen: Pen) -> None:
    _red_ring(pen)
    _car(pen, -0.34, RED)
    _car(pen, 0.34, BLACK)


def _no_trucks(pen: Pen) -> None:
    _red_ring(pen)
    pen.box((-0.58, -0.36), (0.16, 0.22), BLACK)
    pen.polygon([(0.2, -0.14), (0.42, -0.14), (0.58, 0.06), (0.58, 0.22), (0.2, 0.22)], BLACK)
    for x in (-0.38, -0.08, 0.4):
        pen.disc((x, 0.27), 0.13, BLACK)


def _warning(pen: Pen) -> None:
    pen.polygon(_regular(3, 1.15, -math.pi / 2), RED)
    pen.polygon(_regular(3, 0.72, -math.pi / 2), WHITE)


_BEND = [(0.16, 0.32), (0.16, 0.1), (-0.12, -0.04), (-0.12, -0.2)]


def _bend_left(pen: Pen) -> None:
    _warning(pen)
    pen.arrow(_BEND, 0.13, BLACK)


def _bend_right(pen: Pen) -> None:
    _warning(pen)
    pen.arrow(_mirror(_BEND), 0.13, BLACK)


def _crossing(pen: Pen) -> None:
    _warning(pen)
    pen.line([(-0.26, -0.2), (0.26, 0.32)], 0.15, BLACK)
    pen.line([(0.26, -0.2), (-0.26, 0.32)], 0.15, BLACK)


def _children(pen: Pen) -> None:
    _warning(pen)
    for x, head in ((-0.17, -0.1), (0.15, -0.22)):
        pen.disc((x, head), 0.1, BLACK)
        pen.line([(x, head), (x, 0.14)], 0.13, BLACK)
        pen.line([(x - 0.15, head + 0.22), (x + 0.15, head + 0.17)], 0.08, BLACK)
        pen.line([(x - 0.12, 0.34), (x, 0.1), (x + 0.13, 0.34)], 0.09, BLACK)


def _mandatory(pen: Pen) -> None:
    pen.disc((0, 0), 1.0, WHITE)
    pen.disc((0, 0), 0.94, BLUE)


def _ahead(pen: Pen) -> None:
    _mandatory(pen)
    pen.arrow([(0, 0.62), (0, -0.25)], 0.25, WHITE)


_TURN = [(-0.3, 0.6), (-0.3, -0.1), (0.2, -0.1)]


def _turn_left(pen: Pen) -> None:
    _mandatory(pen)
    pen.arrow(_mirror(_TURN), 0.24, WHITE)


def _turn_right(pen: Pen) -> None:
    _mandatory(pen)
    pen.arrow(_TURN, 0.24, WHITE)


def _roundabout(pen: Pen) -> None:
    _mandatory(pen)
    for k in range(3):
        start = 2 * math.pi * k / 3
        pen.arrow(_arc(0.5, start, start - 1.45), 0.17, WHITE)


def _stop(pen: Pen) -> None:
    pen.polygon(_regular(8, 1.05, math.pi / 8), WHITE)
    pen.polygon(_regular(8, 0.98, math.pi / 8), RED)
    pen.text("STOP", 0.62, WHITE)


def _give_way(pen: Pen) -> None:
    pen.polygon(_regular(3, 1.15, math.pi / 2), RED)
    pen.polygon(_regular(3, 0.66, math.pi / 2), WHITE)


def _priority_road(pen: Pen) -> None:
    pen.polygon(_regular(4, 1.1, 0), BLACK)
    pen.polygon(_regular(4, 1.05, 0), WHITE)
    pen.polygon(_regular(4, 0.74, 0), YELLOW)


SIGNS: dict[str, Callable[[Pen], None]] = {
    "speed_30": lambda pen: _speed(pen, "30"),
    "speed_50": lambda pen: _speed(pen, "50"),
    "speed_80": lambda pen: _speed(pen, "80"),
    "no_entry": _no_entry,
    "no_overtaking": _no_overtaking,
    "no_trucks": _no_trucks,
    "bend_left": _bend_left,
    "bend_right": _bend_right,
    "crossing": _crossing,
    "children": _children,
    "ahead": _ahead,
    "turn_left": _turn_left,
    "turn_right": _turn_right,
    "roundabout": _roundabout,
    "stop": _stop,
    "give_way": _give_way,
    "priority_road": _priority_road,
}
"""The classes, in the order of the network's outputs."""


@cache
def picture(name: str) -> Image.Image:
    """Draw the flat sign, RGBA."""
    image = Image.new("RGBA", (SIZE, SIZE), (128, 128, 128, 0))
    SIGNS[name](Pen(image))
    return image
