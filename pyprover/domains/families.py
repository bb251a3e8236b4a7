"""Families of sound lines: each parameter in [0, 1] of each row gives lines around an operator, all of them valid.

For a ReLU the parameter is the lower slope (alpha in Xu et al., *Fast and complete: enabling complete verification with
rapid and massively parallel incomplete verifiers*, arXiv 2011.13824); for an S-shaped function the two points where the
lines touch it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor
from typing_extensions import override

from pyprover.domains.activations import BoxedLines, Tangents, reflected, tangents_above, tangents_below
from pyprover.domains.relaxation import Relaxation, Rows
from pyprover.graph import Operator
from pyprover.ops import Relu, Sigmoid, Tanh

_R = TypeVar("_R", bound=Relaxation)


def mapped(change: Callable[[Tensor], Tensor], relaxation: _R) -> _R:
    """A relaxation with each of its tensors changed."""
    values: dict[str, Any] = {f.name: getattr(relaxation, f.name) for f in fields(relaxation)}  # type: ignore[arg-type]
    changed = {name: change(value) for name, value in values.items() if isinstance(value, Tensor)}
    return replace(relaxation, **changed)  # type: ignore[type-var]


def in_float32(values: Tensor) -> Tensor:
    """Numbers in float32; places as they are."""
    return values.to(torch.float32) if values.is_floating_point() else values


@dataclass(frozen=True, eq=False)
class RowLines(Relaxation):
    """Lines of which each row has its own: (rows, *shape), or (1, *shape) for what all rows share.

    For one region. ``size`` is the largest |x|, (1, *shape).
    """

    lower_slope: Tensor
    lower_offset: Tensor | None
    upper_slope: Tensor
    upper_offset: Tensor
    whole: BoxedLines

    @property
    @override
    def magnitude(self) -> Tensor:
        return self.whole.magnitude

    @override
    def substitute(self, rows: Rows) -> tuple[Tensor, Tensor]:
        positive = rows.coef.clamp(min=0)
        negative = rows.coef - positive
        form = torch.addcmul(negative * self.upper_slope, positive, self.lower_slope)
        constant = _dot(negative, self.upper_offset)
        if self.lower_offset is not None:
            constant = constant + _dot(positive, self.lower_offset)
        return form, constant


def _dot(coef: Tensor, values: Tensor) -> Tensor:
    if len(values) == 1:
        return coef.flatten(1) @ values.flatten()
    product: Tensor = torch.linalg.vecdot(coef.flatten(1), values.flatten(1))
    return product


class Family(ABC):
    """The lines that may take the place of some around one operator over one region.

    ``rate``: how far a first step of ascent moves its parameters; both were measured.
    """

    rate: ClassVar[float]

    @property
    @abstractmethod
    def start(self) -> Tensor:
        """The parameters of the lines of the analysis: (parameters,)."""

    @abstractmethod
    def lines(self, parameters: Tensor) -> RowLines:
        """The lines for parameters in [0, 1], (rows, parameters)."""

    @abstractmethod
    def rough(self) -> Family:
        """The family in float32, with the same parameters."""


@dataclass(frozen=True, eq=False)
class ReluFamily(Family):
    """Lower slopes between the two of the ReLU, at the ``places`` (unstable,) of its flat value that are unstable."""

    rate: ClassVar[float] = 0.25
    op: Relu
    whole: BoxedLines
    places: Tensor

    @property
    @override
    def start(self) -> Tensor:
        return (self.whole.lower_slope.flatten()[self.places] - self.op.slope) / (1 - self.op.slope)

    @override
    def lines(self, parameters: Tensor) -> RowLines:
        slopes = (self.op.slope + parameters * (1 - self.op.slope)).clamp(self.op.slope, 1.0)
        whole = self.whole
        spread = whole.lower_slope.flatten(1).expand(len(slopes), -1).index_copy(1, self.places, slopes)
        lower_slope = spread.reshape(-1, *whole.lower_slope.shape[1:])
        return RowLines(lower_slope, None, whole.upper_slope, whole.upper_offset, whole)

    @override
    def rough(self) -> ReluFamily:
        return replace(self, whole=mapped(in_float32, self.whole))


@dataclass(frozen=True, eq=False)
class SShapedFamily(Family):
    """Points where the lower line and the upper line touch; parameters of the lower ones come first."""

    rate: ClassVar[float] = 0.1
    op: Sigmoid | Tanh
    whole: BoxedLines

    @cached_property
    def _tangents(self) -> tuple[Tangents, Tangents]:
        return tangents_below(self.op, self.whole.box), tangents_above(self.op, self.whole.box)

    @property
    @override
    def start(self) -> Tensor:
        below, above = self._tangents
        centre = self.whole.box.centre
        parts = [
            ((point - lines.first) / (lines.last - lines.first)).nan_to_num(nan=0.0).clamp(0.0, 1.0).flatten()
            for lines, point in ((below, -centre), (above, centre))
        ]
        return torch.cat(parts)

    @override
    def lines(self, parameters: Tensor) -> RowLines:
        shape = (-1, *self.whole.lower.shape[1:])
        below, above = self._tangents
        at_lower, at_upper = (part.reshape(shape) for part in parameters.chunk(2, dim=1))
        lower_slope, offset = below.line(below.first + at_lower * (below.last - below.first))
        upper = above.line(above.first + at_upper * (above.last - above.first))
        return RowLines(lower_slope, reflected(self.op, offset), *upper, self.whole)

    @override
    def rough(self) -> SShapedFamily:
        return replace(self, whole=mapped(in_float32, self.whole))


def family_of(op: Operator, relaxation: Relaxation) -> Family | None:
    """The family that a relaxation of one region (batch 1) belongs to; ``None`` when there is none to choose from."""
    if not isinstance(relaxation, BoxedLines) or not bool(relaxation.size.isfinite().all()):
        return None
    if isinstance(op, Relu):
        places = relaxation.upper_offset.flatten().nonzero().flatten()
        return ReluFamily(op, relaxation, places) if len(places) else None
    return SShapedFamily(op, relaxation) if isinstance(op, Sigmoid | Tanh) else None
