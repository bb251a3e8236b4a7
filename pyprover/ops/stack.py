"""Several values as one with a new last axis: what lets an operator of one operand combine several."""

from __future__ import annotations

from collections.abc import Sequence

from pyprover.ops.broadcast import expand
from pyprover.ops.elementwise import common_shape
from pyprover.ops.padding import Concat
from pyprover.ops.reading import Builder, Source, Variable
from pyprover.ops.shapes import reshaped


def stack(source: Source, builder: Builder, values: Sequence[Variable]) -> Variable:
    """Values, broadcast together, side by side along a new last axis."""
    target = common_shape(source, [value.shape for value in values])
    full = [expand(source, builder, value, target) for value in values]
    columns = [reshaped(source, builder, value, (*value.shape, 1)) for value in full]
    return builder.emit(source, Concat(len(columns[0].shape) - 1), *columns)
