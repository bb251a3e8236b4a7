"""Values repeated to a larger shape: ONNX `Expand`, `Tile`, and what arithmetic does with unequal shapes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyprover.ops.gather import pick
from pyprover.ops.reading import Builder, Source, Variable
from pyprover.ops.shapes import reshaped


def expand(source: Source, builder: Builder, x: Variable, target: Sequence[int]) -> Variable:
    """``x`` broadcast together with a shape that counts the batch axis, by the rule of NumPy."""
    try:
        full = np.broadcast_shapes((1, *x.shape), tuple(int(n) for n in target))
    except ValueError:
        raise source.unsupported(f"the shapes {(1, *x.shape)} and {tuple(target)} do not fit together") from None
    if full[0] != 1:
        raise source.unsupported(f"the shape {full} does not keep the batch axis first")
    x = reshaped(source, builder, x, (1,) * (len(full) - 1 - len(x.shape)) + x.shape)
    for axis, size in enumerate(full[1:]):
        if x.shape[axis] != size:
            x = pick(source, builder, x, axis, [0] * size)
    return x


def read_expand(source: Source, builder: Builder) -> Variable:
    """Axes of length one repeated, new axes in front of them."""
    return expand(source, builder, source.variable(), source.constant(1).tolist())


def read_tile(source: Source, builder: Builder) -> Variable:
    """Whole axes repeated; the batch axis stays."""
    x = source.variable()
    batch, *repeats = (int(n) for n in source.constant(1))
    if batch != 1:
        raise source.unsupported(f"the batch axis would be repeated {batch} times")
    for axis, count in enumerate(repeats):
        x = pick(source, builder, x, axis, list(range(x.shape[axis])) * count)
    return x
