"""Backward linear bounds on an interval enclosure, differentiable; shapes as in `bounds`.

Source: Zhang et al. 2018 (CROWN, arXiv 1811.00866), with intermediate bounds by intervals as in Zhang et al. 2020
(CROWN-IBP, arXiv 1906.06316).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from pyprover.train.bounds import Box, Enclosure, differences, padding_of
from pyprover.train.layers import Diagonal, MaxMin, along_channels, last_layer


def lower_bounds(network: nn.Sequential, enclosure: Enclosure, rows: Tensor, constant: Tensor) -> Tensor:
    """Bound `rows . features + constant` from below over the region; rows (B, R, H), constant and result (B, R)."""
    coefficients = rows
    for position in range(len(network) - 2, -1, -1):
        layer = network[position]
        coefficients = coefficients.reshape(*coefficients.shape[:2], *enclosure.shapes[position + 1])
        match layer:
            case nn.ReLU():
                coefficients, shift = _through_relu(coefficients, enclosure.activations[position])
                constant = constant + shift
            case MaxMin():
                coefficients, shift = _through_max_min(coefficients, enclosure.activations[position])
                constant = constant + shift
            case nn.Linear():
                constant = constant + coefficients @ _bias(layer)
                coefficients = coefficients @ layer.weight
            case nn.Conv2d():
                constant = constant + coefficients.sum((3, 4)) @ _bias(layer)
                coefficients = _through_convolution(coefficients, layer, enclosure.shapes[position])
            case Diagonal():
                scale, shift = layer.coefficients()
                constant = constant + torch.einsum("brc...,c->br", coefficients, shift)
                coefficients = coefficients * along_channels(scale, coefficients[:, 0])
            case nn.Flatten():
                pass
    flat = coefficients.flatten(2)
    centre = torch.einsum("brn,bn->br", flat, enclosure.region.centre.flatten(1))
    return constant + centre - torch.einsum("brn,bn->br", flat.abs(), enclosure.region.radius.flatten(1))


def linear_margins(network: nn.Sequential, enclosure: Enclosure, wanted: Tensor) -> Tensor:
    """Bound the `wanted` (B, C, C) among the margins f_i - f_j from below; the others are -inf.

    Neither these bounds nor those of `pair_margins` are always the better ones.
    """
    rows, offsets = differences(last_layer(network))
    wanted = wanted.flatten(1)
    # Samples want different pairs: each gets as many rows as the most demanding one.
    pairs = wanted.to(torch.int8).argsort(1, descending=True)[:, : int(wanted.sum(1).max())]
    found = lower_bounds(network, enclosure, rows.flatten(0, 1)[pairs], offsets.flatten()[pairs])
    bounds = torch.full(wanted.shape, -torch.inf, device=found.device).scatter(1, pairs, found)
    return bounds.masked_fill(~wanted, -torch.inf).reshape(-1, *offsets.shape)


def _bias(layer: nn.Conv2d | nn.Linear) -> Tensor:
    if layer.bias is None:
        raise TypeError("layers must have a bias")
    return layer.bias


def _through_relu(coefficients: Tensor, box: Box) -> tuple[Tensor, Tensor]:
    """Bound `coefficients . relu(z)` from below for z in the box: coefficients of z (B, R, ...), constants (B, R).

    The chord bounds ReLU from above; the line through 0 of slope 0 or 1, whichever is nearer, from below.
    """
    lower, upper = box.lower.unsqueeze(1), box.upper.unsqueeze(1)
    unstable = (lower < 0) & (upper > 0)
    chord = torch.where(unstable, upper / (upper - lower).clamp(min=1e-12), (lower >= 0).to(lower.dtype))
    below = torch.where(unstable, (upper > -lower).to(lower.dtype), chord)
    height = torch.where(unstable, -chord * lower, torch.zeros_like(lower))
    positive, negative = coefficients.clamp(min=0), coefficients.clamp(max=0)
    return positive * below + negative * chord, (negative * height).flatten(2).sum(2)


def _through_max_min(coefficients: Tensor, box: Box) -> tuple[Tensor, Tensor]:
    """The same for MaxMin of halves a and b, by its ReLU of a - b."""
    of_max, of_min = coefficients.chunk(2, 2)
    (low_a, low_b), (high_a, high_b) = box.lower.chunk(2, 1), box.upper.chunk(2, 1)
    slope, shift = _through_relu(of_max - of_min, Box(low_a - high_b, high_a - low_b))
    return torch.cat([of_min + slope, of_max - slope], 2), shift


def _through_convolution(coefficients: Tensor, layer: nn.Conv2d, shape: torch.Size) -> Tensor:
    """Pull coefficients (B, R, *output) back to a convolution's input of this shape (C, H, W)."""
    flat, padding = coefficients.flatten(0, 1), padding_of(layer)
    # Several input sizes give the same output size: what the stride left over is told to the transposed convolution.
    sizes = zip(shape[1:], flat.shape[2:], layer.stride, padding, layer.kernel_size, strict=True)
    left = [size - ((windows - 1) * stride - 2 * pad + width) for size, windows, stride, pad, width in sizes]
    pulled = functional.conv_transpose2d(flat, layer.weight, None, layer.stride, padding, left)
    return pulled.reshape(*coefficients.shape[:2], *shape)
