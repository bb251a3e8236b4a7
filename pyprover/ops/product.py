"""Products and quotients: ONNX `Mul`, `Div`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from typing_extensions import override

from pyprover.graph import Operator, Shape
from pyprover.ops.elementwise import multiplied, swapped
from pyprover.ops.functions import Power, Reciprocal
from pyprover.ops.reading import Builder, Source, Variable
from pyprover.ops.stack import stack


@dataclass(frozen=True, eq=False)
class Product(Operator):
    """The product of the two values along the last axis, which goes."""

    linear: ClassVar[bool] = False

    @override
    def shape(self, *inputs: Shape) -> Shape:
        *rows, count = inputs[0]
        if count != 2:
            raise ValueError(f"two factors expected, the shape is {inputs[0]}")
        return tuple(rows)

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        return inputs[0][..., 0] * inputs[0][..., 1]


def read_mul(source: Source, builder: Builder) -> Variable:
    """Two values, or a value and a constant."""
    first, second = source.operands
    if isinstance(first, Variable) and isinstance(second, Variable):
        return _product(source, builder, first, second)
    x, constant = (source.variable(0), source.constant(1)) if isinstance(first, Variable) else swapped(source)
    return multiplied(source, builder, x, constant)


def read_div(source: Source, builder: Builder) -> Variable:
    """Two values, or a value and a constant on either side; no bounds where the divisor may be 0."""
    first, second = source.operands
    if isinstance(second, Variable):
        inverse = builder.emit(source, Reciprocal(), second)
        if isinstance(first, Variable):
            return _product(source, builder, first, inverse)
        return multiplied(source, builder, inverse, source.constant(0))
    constant = source.constant(1)
    if not constant.all():
        raise source.unsupported("division by zero")
    return multiplied(source, builder, source.variable(0), 1.0 / constant)


def _product(source: Source, builder: Builder, first: Variable, second: Variable) -> Variable:
    if first == second:
        return builder.emit(source, Power(2), first)
    return builder.emit(source, Product(), stack(source, builder, [first, second]))
