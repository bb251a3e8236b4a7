"""The adjoints of linear operators: a form over the result becomes forms over the inputs, and a constant."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from pyprover.domains.patches import Patch, has_rows_last
from pyprover.domains.transposed import transposed
from pyprover.graph import Operator, Shape
from pyprover.ops import Add, Concat, Conv, ConvTranspose, Dense, Gather, Pad, Reshape, Scale, Transpose

Shapes = tuple[Shape, ...]

Adjoint = Callable[[Any, Patch, Shapes], tuple[Sequence[Patch], Tensor | None]]
"""(operator, forms over its result, input shapes) -> forms over each input, constants (rows,) or None."""

_Whole = Callable[[Any, Tensor, Shapes], tuple[Sequence[Tensor], Tensor | None]]


def _on_whole(adjoint: _Whole) -> Adjoint:
    """For operators after which a patch is no patch any more."""

    def on_patch(op: Operator, patch: Patch, shapes: Shapes) -> tuple[Sequence[Patch], Tensor | None]:
        coef = patch.coef if patch.crop is None else patch.whole(op.shape(*shapes))
        forms, constant = adjoint(op, coef, shapes)
        return [Patch(form) for form in forms], constant

    return on_patch


def _dense(op: Dense, coef: Tensor, _shapes: Shapes) -> tuple[list[Tensor], Tensor]:
    back = coef @ op.weight
    if coef.ndim == 2 and has_rows_last(coef):
        back = back.T.contiguous().T
    return [back], (coef @ op.bias[:, None]).flatten(1).sum(1)


def _conv(op: Conv, patch: Patch, shapes: Shapes) -> tuple[list[Patch], Tensor]:
    cells = patch.coef.shape[2] * patch.coef.shape[3]
    return [transposed(op, patch, shapes[0])], patch.coef.flatten(1) @ op.bias.repeat_interleave(cells)


def _conv_transpose(op: ConvTranspose, coef: Tensor, _shapes: Shapes) -> tuple[list[Tensor], Tensor]:
    back = torch.nn.functional.conv2d(coef, op.weight, None, op.stride, op.padding, op.dilation, op.groups)
    return [back], coef.sum((2, 3)) @ op.bias


def _scale(op: Scale, patch: Patch, shapes: Shapes) -> tuple[list[Patch], Tensor]:
    factor, offset = (patch.of_parameter(values.expand(shapes[0])) for values in (op.factor, op.offset))
    return [patch.with_coef(patch.coef * factor)], (patch.coef * offset).flatten(1).sum(1)


def _add(_op: Add, patch: Patch, shapes: Shapes) -> tuple[list[Patch], None]:
    return [patch] * len(shapes), None


def _reshape(_op: Reshape, coef: Tensor, shapes: Shapes) -> tuple[list[Tensor], None]:
    if has_rows_last(coef):
        return [coef.movedim(0, -1).reshape(*shapes[0], -1).movedim(-1, 0)], None
    return [coef.reshape(-1, *shapes[0])], None


def _transpose(op: Transpose, coef: Tensor, _shapes: Shapes) -> tuple[list[Tensor], None]:
    inverse = sorted(range(len(op.order)), key=op.order.__getitem__)
    return [coef.permute(0, *(axis + 1 for axis in inverse))], None


def _concat(op: Concat, coef: Tensor, shapes: Shapes) -> tuple[list[Tensor], None]:
    return list(torch.split(coef, [shape[op.axis] for shape in shapes], dim=op.axis + 1)), None


def _pad(op: Pad, coef: Tensor, shapes: Shapes) -> tuple[list[Tensor], None]:
    """What was added is cut off again, axis by axis from the last."""
    for back, (start, size) in enumerate(zip(op.widths[::2], reversed(shapes[0]), strict=False), start=1):
        coef = coef.narrow(-back, start, size)
    return [coef], None


def _gather(op: Gather, coef: Tensor, shapes: Shapes) -> tuple[list[Tensor], None]:
    """What was picked goes back to its place; cells picked twice get the sum."""
    back = torch.zeros(len(coef), *shapes[0], dtype=coef.dtype)
    return [back.index_add(op.axis + 1, op.places, coef)], None


ADJOINTS: Mapping[type[Operator], Adjoint] = {
    Add: _add,
    Concat: _on_whole(_concat),
    Conv: _conv,
    ConvTranspose: _on_whole(_conv_transpose),
    Dense: _on_whole(_dense),
    Gather: _on_whole(_gather),
    Pad: _on_whole(_pad),
    Reshape: _on_whole(_reshape),
    Scale: _scale,
    Transpose: _on_whole(_transpose),
}
