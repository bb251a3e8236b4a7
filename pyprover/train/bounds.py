"""Enclosures of a plain feed-forward network over boxes, differentiable.

A network is an `nn.Sequential` of `Conv2d`, `Linear`, `ReLU` and `Flatten` that ends with a `Linear`.
Batches come first: B samples, C classes, H inputs of the last layer. All quantities are float32, with no outward
rounding: good for training, not for a proof.

Sources: interval bound propagation, Gowal et al. 2019 (arXiv 1810.12715); backward linear bounds, Zhang et al. 2018
(CROWN, arXiv 1811.00866), with intermediate bounds by intervals as in Zhang et al. 2020 (CROWN-IBP, arXiv 1906.06316).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


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
    """What intervals say of a network: the input box of each ReLU, by position, and that of the last layer (B, H)."""

    activations: dict[int, Box]
    features: Box


def last_layer(network: nn.Sequential) -> nn.Linear:
    """Return the final affine layer; a network that ends otherwise is a `TypeError`."""
    layer = network[-1]
    if not isinstance(layer, nn.Linear):
        raise TypeError(f"the last layer must be Linear, not {type(layer).__name__}")
    return layer


def enclose(network: nn.Sequential, box: Box) -> Enclosure:
    """Bound every layer but the last by intervals; the margins treat the last one by pairs of classes."""
    activations: dict[int, Box] = {}
    layers = list(network)[:-1]
    for position, layer in enumerate(layers):
        match layer:
            case nn.Conv2d():
                spread = functional.conv2d(box.radius, layer.weight.abs(), None, layer.stride, _padding(layer))
                box = _around(layer(box.centre), spread)
            case nn.Linear():
                box = _around(layer(box.centre), functional.linear(box.radius, layer.weight.abs()))
            case nn.ReLU():
                activations[position] = box
                box = Box(box.lower.relu(), box.upper.relu())
            case nn.Flatten():
                box = Box(layer(box.lower), layer(box.upper))
            case _:
                raise TypeError(f"layer {position}: no interval bounds for {type(layer).__name__}")
    return Enclosure(activations, box)


def interval_margins(network: nn.Sequential, box: Box) -> Tensor:
    """Bound f_i - f_j from below over each box by intervals: (B, C, C), indices i then j."""
    layer, features = last_layer(network), enclose(network, box).features
    rows, offsets = _differences(layer)
    centre = torch.einsum("ijh,bh->bij", rows, features.centre) + offsets
    return centre - torch.einsum("ijh,bh->bij", rows.abs(), features.radius)


def linear_margins(network: nn.Sequential, box: Box, wanted: Tensor) -> Tensor:
    """Bound the `wanted` (B, C, C) among the margins f_i - f_j by backward linear bounds; the others are -inf.

    Neither these bounds nor those of `interval_margins` are always the better ones.
    """
    activations = enclose(network, box).activations
    shapes = _input_shapes(network, box.lower[:1])
    rows, offsets = _differences(last_layer(network))
    wanted = wanted.flatten(1)
    # Samples want different pairs: each gets as many rows as the most demanding one.
    pairs = wanted.to(torch.int8).argsort(1, descending=True)[:, : int(wanted.sum(1).max())]
    coefficients, constant = rows.flatten(0, 1)[pairs], offsets.flatten()[pairs]
    for position in range(len(network) - 2, -1, -1):
        layer = network[position]
        coefficients = coefficients.reshape(*coefficients.shape[:2], *shapes[position + 1])
        match layer:
            case nn.ReLU():
                coefficients, shift = _through_relu(coefficients, activations[position])
                constant = constant + shift
            case nn.Linear():
                constant = constant + coefficients @ layer.bias
                coefficients = coefficients @ layer.weight
            case nn.Conv2d():
                constant = constant + coefficients.sum((3, 4)) @ _bias(layer)
                coefficients = _through_convolution(coefficients, layer, shapes[position])
            case nn.Flatten():
                pass
        coefficients = coefficients.flatten(2)
    centre = torch.einsum("brn,bn->br", coefficients, box.centre.flatten(1))
    spread = torch.einsum("brn,bn->br", coefficients.abs(), box.radius.flatten(1))
    bounds = torch.full(wanted.shape, -torch.inf).scatter(1, pairs, constant + centre - spread)
    return bounds.masked_fill(~wanted, -torch.inf).reshape(-1, *offsets.shape)


def _around(centre: Tensor, radius: Tensor) -> Box:
    return Box(centre - radius, centre + radius)


def _padding(layer: nn.Conv2d) -> tuple[int, ...]:
    """Return the padding of a convolution without options that the bounds do not know."""
    plain = layer.dilation == (1, 1) and layer.groups == 1 and layer.padding_mode == "zeros"
    if not plain or isinstance(layer.padding, str):
        raise TypeError("convolutions must have numeric zero padding, no dilation and no groups")
    return layer.padding


def _bias(layer: nn.Conv2d | nn.Linear) -> Tensor:
    if layer.bias is None:
        raise TypeError("layers must have a bias")
    return layer.bias


def _differences(layer: nn.Linear) -> tuple[Tensor, Tensor]:
    """Return the weights (C, C, H) and constants (C, C) of f_i - f_j."""
    weight, bias = layer.weight, layer.bias
    return weight.unsqueeze(1) - weight.unsqueeze(0), bias.unsqueeze(1) - bias.unsqueeze(0)


def _input_shapes(network: nn.Sequential, sample: Tensor) -> list[torch.Size]:
    """List the shape, without batch axis, of each layer's input, then of the output."""
    shapes = [sample.shape[1:]]
    with torch.no_grad():
        for layer in network:
            sample = layer(sample)
            shapes.append(sample.shape[1:])
    return shapes


def _through_relu(coefficients: Tensor, box: Box) -> tuple[Tensor, Tensor]:
    """Bound `coefficients . relu(z)` from below for z in the box.

    The chord bounds ReLU from above; the line through 0 of slope 0 or 1, whichever is nearer, from below.
    """
    lower, upper = box.lower.unsqueeze(1), box.upper.unsqueeze(1)
    unstable = (lower < 0) & (upper > 0)
    chord = torch.where(unstable, upper / (upper - lower).clamp(min=1e-12), (lower >= 0).to(lower.dtype))
    below = torch.where(unstable, (upper > -lower).to(lower.dtype), chord)
    height = torch.where(unstable, -chord * lower, torch.zeros_like(lower))
    positive, negative = coefficients.clamp(min=0), coefficients.clamp(max=0)
    return positive * below + negative * chord, (negative * height).flatten(2).sum(2)


def _through_convolution(coefficients: Tensor, layer: nn.Conv2d, shape: torch.Size) -> Tensor:
    """Pull coefficients (B, R, *output) back to a convolution's input of this shape (C, H, W)."""
    flat, padding = coefficients.flatten(0, 1), _padding(layer)
    # Several input sizes give the same output size: what the stride left over is told to the transposed convolution.
    sizes = zip(shape[1:], flat.shape[2:], layer.stride, padding, layer.kernel_size, strict=True)
    left = [size - ((windows - 1) * stride - 2 * pad + width) for size, windows, stride, pad, width in sizes]
    pulled = functional.conv_transpose2d(flat, layer.weight, None, layer.stride, padding, left)
    return pulled.reshape(*coefficients.shape[:2], *shape)
