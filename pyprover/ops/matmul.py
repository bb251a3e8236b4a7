"""Products with constant matrices: ONNX `Gemm` and `MatMul`."""

from __future__ import annotations

from math import prod

import numpy as np

from pyprover.ops.axes import move
from pyprover.ops.broadcast import expand
from pyprover.ops.conv import Conv
from pyprover.ops.dense import Dense
from pyprover.ops.elementwise import add, scaled
from pyprover.ops.reading import Builder, Constant, Source, Variable, tensor
from pyprover.ops.shapes import reshaped


def read_gemm(source: Source, builder: Builder) -> Variable:
    """``alpha A B + beta C`` with constant B."""
    source.require("transA", 0)
    alpha = source.real("alpha", 1.0)
    weight = source.weight(1) if alpha == 1.0 else source.constant(1) * alpha
    weight = weight if source.attribute("transB", 0) else weight.T
    beta = source.real("beta", 1.0)
    offset, bias = source.optional(2), np.zeros(weight.shape[0])
    if offset is not None and not isinstance(offset, Variable):
        bias = np.broadcast_to(offset.astype(np.float64).reshape(-1), bias.shape) * beta
    y = builder.emit(source, Dense(tensor(weight), tensor(bias)), source.variable())
    if not isinstance(offset, Variable):
        return y
    return add(source, builder, y, offset if beta == 1.0 else scaled(source, builder, offset, beta))


def read_matmul(source: Source, builder: Builder) -> Variable:
    """``A B`` where one is constant, with any axes in front of the matrices'; ``A X`` is the transpose of ``X' A'``."""
    if isinstance(source.given[0], Variable):
        return _product(source, builder, source.variable(0), source.weight(1))
    matrix, x = source.weight(0), source.variable(1)
    if len(x.shape) < 2:
        raise source.unsupported("the product would sum over the batch axis")
    rows = matrix[None] if matrix.ndim == 1 else matrix
    y = _product(source, builder, _swapped(source, builder, x), np.swapaxes(rows, -1, -2))
    if matrix.ndim == 1:
        return reshaped(source, builder, y, y.shape[:-1])
    return _swapped(source, builder, y)


def _swapped(source: Source, builder: Builder, x: Variable) -> Variable:
    """The last two axes exchanged."""
    *front, rows, columns = range(len(x.shape))
    return move(source, builder, x, [*front, columns, rows])


def _product(source: Source, builder: Builder, x: Variable, matrix: Constant) -> Variable:
    """``x B``; the matrices of a batch are the groups of one convolution."""
    if matrix.ndim == 1:
        y = _product(source, builder, x, matrix[:, None])
        return reshaped(source, builder, y, y.shape[:-1])
    height, width = matrix.shape[-2:]
    if matrix.ndim == 2:
        return builder.emit(source, Dense(tensor(matrix.T), tensor(np.zeros(width))), x)
    if len(x.shape) < 2:
        raise source.unsupported("the rows of the product would be the batch axis")
    rows = x.shape[-2]
    x = expand(source, builder, x, (*matrix.shape[:-2], 1, 1))
    frame = x.shape[:-2]
    count = prod(frame)
    kernels = np.broadcast_to(matrix, (1, *frame, height, width)).reshape(count, height, width)
    if x.shape[-1] != height:
        raise source.unsupported(f"matrices with {height} rows do not fit the shape {x.shape}")
    columns = reshaped(source, builder, _swapped(source, builder, x), (count * height, rows, 1))
    weight = np.swapaxes(kernels, 1, 2).reshape(count * width, height, 1, 1)
    conv = Conv(tensor(weight), tensor(np.zeros(count * width)), groups=count)
    y = builder.emit(source, conv, columns)
    return _swapped(source, builder, reshaped(source, builder, y, (*frame, width, rows)))
