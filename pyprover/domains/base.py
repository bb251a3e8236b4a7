"""Boxes, and the position on rounding.

*The network that is reasoned about* is the ONNX graph over the reals: its parameters are the file's, exactly, except
where folding combines them (batch normalisation, division by a constant, operators on constants), which is done once
in float64.

*What Valid covers.* Bounds are computed in floating point, to nearest, and each step adds the error that its own sums
can have. A sum of n products, in any order, in blocks or not, with or without fused multiply-add, errs by at most
``gamma(n) * sum |a_k| |b_k|`` where ``gamma(n) = n u / (1 - n u)`` and u is the unit roundoff (Higham, *Accuracy and
Stability of Numerical Algorithms*, 2nd edition, sections 3.1 and 4.2).

- *Forward* (intervals, zonotopes): a linear step over values of size s is widened by ``gamma(n + 8) (|W| s + |b|)``.
  The 8 pays for the rounding of centres and radii (``|c| + r = s``), of the widening, and of its own evaluation.
- *Backward*: a row a over the values of a step becomes a row a W over the step's inputs, and a constant. What the
  computed ones lack is at most ``gamma(n) |a| (|W| |x| + |b|)`` somewhere in the region, hence at most ``gamma(n)
  |a|_1 M`` with ``M = max (|W| |x| + |b|)`` over the box of the step's input. The computed row is taken as exact from
  there on, so that errors add up and are never amplified. Twice ``gamma(n + L + 8) |a|_1 M`` is subtracted, L being the
  number of steps of the network: at most L rows meet where paths join, and at most L constants are added up.
- *Relaxations*: each value has one product, whose relative error is within what the step before it subtracts; so the
  error does not depend on the slopes, and slopes found by a search need no other slack as long as M bounds the
  offsets. The lines themselves hold up to ``gamma(8) M``, or are moved outward.
- *At the input*: the least of a row over the box is taken at rounded centres and radii, which differ by u from those
  of the box; ``gamma(2 n + 8)`` pays.
- *Margins*: their weights are rounded to nearest, and combined. Where weights of one output cancel, the combined row is
  smaller than what was rounded: `engine.weights.rounding_error` counts the sizes before cancellation.

Underflow, gradual or to zero, loses less than 2^-1022 in an operation. Values beyond ``LARGEST`` are taken as
unbounded, and nothing is proven of them; so ``TINY`` is more than all that underflow can lose in one step.

Two assumptions rest on tests (`tests/python/test_rounding.py`), not on proof. The kernels of torch for float64 compute
sums of products, without the transforms of Winograd or Strassen: they are compared with integers. The functions that
torch evaluates (``sigmoid``, ``tanh``, ``exp``, ``expm1``, ``log``, ``logaddexp``, ``erf``, ``erfc``, powers; the terms
of ``softmax`` and ``logsumexp``) are right within ``FUNCTION_ULPS``: some are compared with long decimals.

NaN and infinity in a bound never prove anything. This is what reports call *up to float64 rounding*; float32 runs
through the same code, where the errors make the bounds useless for conclusions: it explores, float64 concludes. How
proofs cover the evaluation of a deployed network in float32, too, is told in `pyprover.domains.deployment`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

FUNCTION_ULPS = 8
"""Assumed error of torch's functions of one variable, in units of roundoff of the result."""

LARGEST = 1e100
"""Values beyond are taken as unbounded. No float32 is; intervals of deep networks may be, before others cut them."""

TINY = 1e-180
"""Absolute slack that covers underflow: more than 2^-1022 for each of 1e20 products with values up to ``LARGEST``."""


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
        """Both bounds moved outward; what is NaN, or beyond ``LARGEST``, becomes infinite."""
        slack = error + TINY
        lower, upper = self.lower - slack, self.upper + slack
        return Box(lower.where(lower > -LARGEST, -torch.inf), upper.where(upper < LARGEST, torch.inf))
