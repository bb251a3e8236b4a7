"""Layers that do not stretch distances, and what the network's Lipschitz constant certifies, in the l2 norm."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize
from typing_extensions import override

from pyprover.train.bounds import padding_of
from pyprover.train.layers import Diagonal, MaxMin


class AlmostOrthogonal(nn.Module):
    """A parametrization of convolutions: each input channel is scaled so that the layer is 1-Lipschitz.

    Source: Prach & Lampert 2022, almost-orthogonal layers (arXiv 2208.03160). With strides, the pixels of
    each remainder count as channels of their own (`_phases`), which loses less.
    """

    def __init__(self, stride: tuple[int, ...]) -> None:
        super().__init__()
        self.stride = stride

    @override
    def forward(self, weight: Tensor) -> Tensor:
        phases = _phases(weight, self.stride)
        scaled = phases * _overlaps(phases).sum(1).clamp(min=1e-12).rsqrt().view(1, -1, 1, 1)
        rows, columns = self.stride
        apart = scaled.view(len(weight), -1, rows, columns, *scaled.shape[2:]).permute(0, 1, 4, 2, 5, 3)
        whole = apart.reshape(*weight.shape[:2], scaled.shape[2] * rows, scaled.shape[3] * columns)
        return whole[:, :, : weight.shape[2], : weight.shape[3]]


def _phases(weight: Tensor, stride: tuple[int, ...]) -> Tensor:
    """Return the convolution without stride of the image whose pixels are sorted by remainder, (O, C * s * s', k, k').

    An input pixel meets the kernel's entries of one remainder by the stride alone.
    """
    rows, columns = stride
    padded = functional.pad(weight, (0, -weight.shape[3] % columns, 0, -weight.shape[2] % rows))
    height, width = padded.shape[2] // rows, padded.shape[3] // columns
    split = padded.view(*weight.shape[:2], height, rows, width, columns)
    return split.permute(0, 1, 3, 5, 2, 4).reshape(len(weight), -1, height, width)


class Orthogonal(nn.Module):
    """A parametrization of dense layers: the nearest weight with orthonormal rows, or columns where there are fewer.

    (W W')^(-1/2) W by the iteration of Björck & Bowie 1971, as Anil et al. 2019 (arXiv 1811.05381), here on the small
    matrix W W'. It comes from below: singular values never exceed 1, but for rounding.
    """

    iterations = 15

    @override
    def forward(self, weight: Tensor) -> Tensor:
        flat = weight if len(weight) <= weight.shape[1] else weight.T
        gram = flat @ flat.T
        largest = gram.abs().sum(1).amax().clamp(min=1e-12)  # at least the largest eigenvalue
        gram, root = gram / largest, torch.eye(len(gram), device=gram.device)
        for _ in range(self.iterations):
            step = 1.5 * torch.eye(len(gram), device=gram.device) - 0.5 * gram
            root, gram = step @ root, step @ gram @ step
        found = root @ flat * largest.rsqrt()
        return found if flat is weight else found.T


def _overlaps(weight: Tensor) -> Tensor:
    """Return B (C, C): for two input channels, the sum of the absolute products of one's filter and the other's shifts.

    By Cauchy and Schwarz, channel by channel, the squared norm of the convolution of x, with stride 1, is at most
    n . B n, where n_c is the norm of the channel x_c.
    """
    kernel = weight.transpose(0, 1)
    reach = (weight.shape[2] - 1, weight.shape[3] - 1)
    return functional.conv2d(kernel, kernel, padding=reach).abs().sum((2, 3))


def constrain(network: nn.Sequential) -> None:
    """Make every convolution 1-Lipschitz and every dense layer orthogonal, for as long as they are trained."""
    for layer in network:
        match layer:
            case nn.Conv2d():
                padding_of(layer)
                nn.init.orthogonal_(layer.weight)
                parametrize.register_parametrization(layer, "weight", AlmostOrthogonal(layer.stride))
            case nn.Linear():
                nn.init.orthogonal_(layer.weight)
                parametrize.register_parametrization(layer, "weight", Orthogonal())
            case Diagonal() | MaxMin() | nn.ReLU() | nn.Flatten():
                pass
            case _:
                raise TypeError(f"no bound of the Lipschitz constant of {type(layer).__name__}")


def constant(network: nn.Sequential) -> float:
    """Bound the Lipschitz constant, l2 to l2, of a network of plain weights by the product over its layers, in float64.

    No directed rounding: a figure for comparisons, not a proof.
    """
    total = 1.0
    with torch.no_grad():
        for layer in network:
            match layer:
                case nn.Conv2d():
                    phases = _phases(layer.weight.double(), layer.stride)
                    total *= math.sqrt(float(torch.linalg.eigvalsh(_overlaps(phases))[-1]))
                case nn.Linear():
                    total *= float(torch.linalg.matrix_norm(layer.weight.double(), 2))
                case Diagonal():
                    total *= float(layer.coefficients()[0].double().abs().max())
    return total


def certified_l2(scores: Tensor, labels: Tensor, lipschitz: float, radius: float) -> Tensor:
    """Tell for which samples (B,) the class stays the label within `radius` in the l2 norm.

    A difference of two scores moves by at most sqrt(2) times the Lipschitz constant of their vector:
    Tsuzuku et al. 2018 (arXiv 1802.04034).
    """
    own = scores.gather(1, labels.unsqueeze(1)).squeeze(1)
    others = scores.scatter(1, labels.unsqueeze(1), -torch.inf).amax(1)
    return own - others > math.sqrt(2) * lipschitz * radius
