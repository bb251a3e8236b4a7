"""The geometry of sliding windows, common to convolutions and pools; one spatial axis is a plane of one row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pyprover.ops.reading import Builder, Source, Variable
from pyprover.ops.shapes import reshaped

Pair = tuple[int, int]


def pair(values: Sequence[int]) -> Pair:
    """Two integers."""
    first, second = values
    return int(first), int(second)


def window_count(size: int, kernel: int, stride: int, dilation: int = 1) -> int:
    """How many windows fit into ``size`` padded cells."""
    count = (size - dilation * (kernel - 1) - 1) // stride + 1
    if count < 1:
        raise ValueError(f"a window of {kernel} does not fit into {size} cells")
    return count


@dataclass(frozen=True)
class Window:
    """A sliding window; ``pads`` is top, left, bottom, right."""

    kernel: Pair
    stride: Pair
    pads: tuple[int, int, int, int]
    dilation: Pair

    @property
    def symmetric(self) -> bool:
        """Opposite sides are padded alike."""
        return self.pads[:2] == self.pads[2:]

    @property
    def extent(self) -> Pair:
        """How many cells the window spans."""
        (height, width), (down, across) = self.kernel, self.dilation
        return (height - 1) * down + 1, (width - 1) * across + 1


def read_window(source: Source, kernel: Sequence[int], size: Pair) -> Window:
    """The window that the attributes describe, for a plane of the given size."""
    if len(kernel) not in (1, 2):
        raise source.unsupported(f"{len(kernel)} spatial axes; one and two are supported")
    axes = len(kernel)
    stride, dilation = (_spatial(source.attribute(name, [1] * axes)) for name in ("strides", "dilations"))
    pads = source.attribute("pads", [0] * 2 * axes)
    before, after = pads[:axes], pads[axes:]
    top_left, bottom_right = ((0, *side) if axes == 1 else side for side in (before, after))
    window = Window(_spatial(kernel), stride, (*pair(top_left), *pair(bottom_right)), dilation)
    mode = source.attribute("auto_pad", "NOTSET")
    if mode == "VALID":
        window = replace(window, pads=(0, 0, 0, 0))
    elif mode in ("SAME_UPPER", "SAME_LOWER"):
        totals = [
            max(0, (-(-n // s) - 1) * s + span - n) for n, s, span in zip(size, stride, window.extent, strict=True)
        ]
        window = replace(window, pads=share(mode, totals))
    elif mode != "NOTSET":
        raise source.unsupported(f"auto_pad = {mode!r}")
    if min(window.pads) < 0:
        raise source.unsupported("negative padding")
    return window


def rounded_up(window: Window, size: Pair) -> Window:
    """The window with more padding at the end for a last, incomplete step, unless that would begin in the padding."""
    ends = []
    for n, before, after, step, span in zip(
        size, window.pads[:2], window.pads[2:], window.stride, window.extent, strict=True
    ):
        steps = -(-(n + before + after - span) // step)
        if steps * step >= n + before:
            steps -= 1
        ends.append(max(after, steps * step + span - n - before))
    return replace(window, pads=(*window.pads[:2], ends[0], ends[1]))


def share(mode: str, totals: Sequence[int]) -> tuple[int, int, int, int]:
    """Padding of each axis over its two sides; ``SAME_UPPER`` gives an odd cell to the end, others to the start."""
    less, more = pair([t // 2 for t in totals]), pair([t - t // 2 for t in totals])
    return (*less, *more) if mode == "SAME_UPPER" else (*more, *less)


def _spatial(values: Sequence[int]) -> Pair:
    return (1, int(values[0])) if len(values) == 1 else pair(values)


def plane_size(x: Variable) -> Pair:
    """Height and width of ``as_plane(x)``."""
    return pair((1, x.shape[1]) if len(x.shape) == 2 else x.shape[1:])


def as_plane(source: Source, builder: Builder, x: Variable) -> Variable:
    """The operand with two spatial axes: (channels, height, width)."""
    if len(x.shape) not in (2, 3):
        raise source.unsupported(f"one and two spatial axes are supported, the shape is {x.shape}")
    return reshaped(source, builder, x, (x.shape[0], *plane_size(x)))


def as_before(source: Source, builder: Builder, x: Variable, y: Variable) -> Variable:
    """A result on ``as_plane(x)`` with as many spatial axes as ``x`` has."""
    return y if len(x.shape) == 3 else reshaped(source, builder, y, (y.shape[0], y.shape[2]))
