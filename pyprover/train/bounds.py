"""Interval enclosures of a plain feed-forward network over boxes, differentiable.

A network is an `nn.Sequential` of `Conv2d`, `Linear`, `ReLU`, `MaxMin`, `Diagonal` layers and `Flatten` that ends with
a `Linear`. Batches come first: B samples, C classes, H inputs of the last layer. All quantities are float32, with no
outward rounding: good for training, not for a proof.

Source: interval bound propagation, Gowal et al. 2019 (arXiv 1810.12715).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from pyprover.train.layers import Diagonal, MaxMin, along_channels, last_layer


@dataclass(frozen=True)
class Box:
    """A box a sample: `lower <= upper`, both (B, *shape)."""

    lower: Tensor
    upper: Tensor

    @property
    def centre(self) -> Tensor:
        """Return the middle, (B, *shape)."""
        return (self.lower + self.upper) / 2

    @property
    def radius(self) -> Tensor:
        """Return half the width, (B, *shape)."""
        return (self.upper - self.lower) / 2


@dataclass(frozen=True)
class Enclosure:
    """What intervals say of a network on a box.

    `activations`: the input box of each ReLU and MaxMin, by position. `features`: that of the last layer, (B, H).
    `shapes`: the shape, without batch axis, of each layer's input.
    """

    region: Box
    activations: dict[int, Box]
    features: Box
    shapes: tuple[torch.Size, ...]


def pixels_around(images: Tensor, radius: float) -> Box:
    """Return the part of the max-norm ball around images (B, C, H, W) where pixels stay between 0 and 1."""
    return Box((images - radius).clamp(0, 1), (images + radius).clamp(0, 1))


def enclose(network: nn.Sequential, region: Box) -> Enclosure:
    """Bound every layer but the last by intervals; margins treat the last one by pairs of classes."""
    activations: dict[int, Box] = {}
    shapes, box = [], region
    for position, layer in enumerate(list(network)[:-1]):
        shapes.append(box.lower.shape[1:])
        match layer:
            case nn.Conv2d():
                spread = functional.conv2d(box.radius, layer.weight.abs(), None, layer.stride, padding_of(layer))
                box = _around(layer(box.centre), spread)
            case nn.Linear():
                box = _around(layer(box.centre), functional.linear(box.radius, layer.weight.abs()))
            case Diagonal():
                scale, shift = (along_channels(values, box.lower) for values in layer.coefficients())
                box = _around(box.centre * scale + shift, box.radius * scale.abs())
            case nn.ReLU():
                activations[position] = box
                box = Box(box.lower.relu(), box.upper.relu())
            case MaxMin():
                activations[position] = box
                box = Box(*(_sorted(bound) for bound in (box.lower, box.upper)))
            case nn.Flatten():
                box = Box(layer(box.lower), layer(box.upper))
            case _:
                raise TypeError(f"layer {position}: no interval bounds for {type(layer).__name__}")
    return Enclosure(region, activations, box, (*shapes, box.lower.shape[1:]))


def pair_margins(network: nn.Sequential, features: Box) -> Tensor:
    """Bound f_i - f_j from below for each box of features: (B, C, C), indices i then j."""
    rows, offsets = differences(last_layer(network))
    centre = torch.einsum("ijh,bh->bij", rows, features.centre) + offsets
    return centre - torch.einsum("ijh,bh->bij", rows.abs(), features.radius)


def label_margins(network: nn.Sequential, features: Box, labels: Tensor) -> Tensor:
    """Bound f_y - f_j from below for each box of features, y being the sample's label (B,): (B, C), 0 at y."""
    rows, offsets = label_differences(last_layer(network), labels)
    centre = torch.einsum("bjh,bh->bj", rows, features.centre) + offsets
    return centre - torch.einsum("bjh,bh->bj", rows.abs(), features.radius)


def differences(layer: nn.Linear) -> tuple[Tensor, Tensor]:
    """Return the weights (C, C, H) and constants (C, C) of f_i - f_j."""
    weight, bias = layer.weight, layer.bias
    return weight.unsqueeze(1) - weight.unsqueeze(0), bias.unsqueeze(1) - bias.unsqueeze(0)


def label_differences(layer: nn.Linear, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the weights (B, C, H) and constants (B, C) of f_y - f_j."""
    weight, bias = layer.weight, layer.bias
    return weight[labels].unsqueeze(1) - weight, bias[labels].unsqueeze(1) - bias


def padding_of(layer: nn.Conv2d) -> tuple[int, ...]:
    """Return the padding of a convolution without options that the bounds do not know."""
    plain = layer.dilation == (1, 1) and layer.groups == 1 and layer.padding_mode == "zeros"
    if not plain or isinstance(layer.padding, str):
        raise TypeError("convolutions must have numeric zero padding, no dilation and no groups")
    return layer.padding


def _around(centre: Tensor, radius: Tensor) -> Box:
    return Box(centre - radius, centre + radius)


def _sorted(bound: Tensor) -> Tensor:
    """Apply MaxMin, which is monotone, to a bound."""
    first, second = bound.chunk(2, 1)
    return torch.cat([torch.maximum(first, second), torch.minimum(first, second)], 1)
