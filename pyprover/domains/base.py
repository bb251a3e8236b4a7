"""Boxes, and the position on rounding.

*The network that is reasoned about* is the ONNX graph over the reals: its parameters are the file's, exactly, except
where folding combines them (batch normalisation, division by a constant, operators on constants), which is done once
in float64.

*What Valid covers.* Bounds are computed in floating point, and each linear step adds the error that its own sums can
have. A sum of n products, in any order, with or without fused multiply-add, errs by at most ``gamma(n) * sum |a_k|
|b_k|`` where ``gamma(n) = n u / (1 - n u)`` and u is the unit roundoff (Higham, *Accuracy and Stability of Numerical
Algorithms*, 2nd edition, section 3.1). Intervals are widened by it at every step. A backward row a over the values v
of one step adds ``gamma(n) * |a|_1 * max_v (|W| |x| + |b|)_v``, with |x| the largest absolute value in the box of the
step's input: that is the most by which replacing ``a v`` by its computed rewriting can be wrong somewhere in the
region. Two assumptions are not checked: the convolution kernels of torch are sums of products (no Winograd transform
is used in float64), and the functions that torch evaluates (``sigmoid``, ``tanh``, ``exp``, ``expm1``, ``log``,
``logaddexp``, ``erf``, ``erfc``, powers; the terms of ``softmax`` and ``logsumexp``) are right within
``FUNCTION_ULPS``. NaN and infinity in a bound
never prove anything. This is what reports call *up to float64 rounding*; float32 runs through the same code, where
the errors make the bounds useless for conclusions: it explores, float64 concludes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

FUNCTION_ULPS = 8
"""Assumed error of torch's functions of one variable, in units of roundoff of the result."""

TINY = 1e-290
"""Absolute slack that covers underflow, where the relative model of rounding does not hold."""


def unit(dtype: torch.dtype) -> float:
    """The unit roundoff of a floating-point type: 2^-53 for float64."""
    return torch.finfo(dtype).eps / 2


def gamma(terms: int, dtype: torch.dtype) -> float:
    """Relative error of a sum of ``terms`` products; infinite when there are so many that the model says nothing."""
    product = terms * unit(dtype)
    return product / (1 - product) if product < 0.5 else float("inf")


@dataclass(frozen=True, eq=False)
class Box:
    """Bounds on each value, for a batch of regions: ``lower`` and ``upper`` are (batch, *shape)."""

    lower: Tensor
    upper: Tensor

    @cached_property
    def centre(self) -> Tensor:
        """The middle of each interval."""
        return self.lower / 2 + self.upper / 2

    @cached_property
    def radius(self) -> Tensor:
        """Half the width of each interval."""
        return self.upper / 2 - self.lower / 2

    @cached_property
    def size(self) -> Tensor:
        """The largest absolute value in each interval."""
        return torch.maximum(self.lower.abs(), self.upper.abs())

    @cached_property
    def finite_size(self) -> Tensor:
        """The largest absolute value of the ends that are finite; 0 when none is."""
        ends = (torch.where(end.isfinite(), end.abs(), 0.0) for end in (self.lower, self.upper))
        return torch.maximum(*ends)

    def overflowing(self) -> Box:
        """An overflow says only that the value is beyond the largest number: infinity bounds on the far side alone."""
        most = torch.finfo(self.lower.dtype).max
        return Box(self.lower.clamp(max=most), self.upper.clamp(min=-most))

    def widen(self, error: Tensor) -> Box:
        """Both bounds moved outward; what is NaN becomes infinite."""
        slack = error + TINY
        lower = (self.lower - slack).nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
        upper = (self.upper + slack).nan_to_num(nan=torch.inf, posinf=torch.inf, neginf=-torch.inf)
        return Box(lower, upper)
