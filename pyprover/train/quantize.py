"""Weights that are integers times a scale, exactly."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from typing_extensions import override

SCALE_BITS = 16
"""Bits of a scale: with integers of 8 bits, sign included, products have at most 23 and are exact in float32."""


class IntegerWeight(nn.Module):
    """A parametrization: the nearest `scale * q`, q an integer of `bits` bits, the sign included; one scale a row.

    While it is not `active` weights are left as they are. The gradient is that of the identity.
    """

    active: Tensor

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.largest = 2 ** (bits - 1) - 1
        self.register_buffer("active", torch.tensor(1.0))

    @override
    def forward(self, weight: Tensor) -> Tensor:
        if not bool(self.active):
            return weight
        scale = self.scale(weight)
        integers = (weight.detach() / scale).round().clamp(-self.largest, self.largest)
        return scale * integers + (weight - weight.detach())  # the last term is exactly 0

    def scale(self, weight: Tensor) -> Tensor:
        """Return the scale of each row, (rows, 1, ...): the least of `SCALE_BITS` bits that reaches its largest entry.

        1 for a row of zeros.
        """
        peaks = weight.detach().abs().flatten(1).amax(1) / self.largest
        mantissa, exponent = torch.frexp(peaks)
        rounded = torch.ldexp((mantissa * 2**SCALE_BITS).ceil() / 2**SCALE_BITS, exponent)
        return torch.where(peaks > 0, rounded, torch.ones_like(peaks)).view(-1, *(1 for _ in weight.shape[1:]))
