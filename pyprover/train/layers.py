"""Layers that torch lacks, or has in a form that bounds cannot use."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from typing_extensions import override


class Diagonal(nn.Module, ABC):
    """`scale * x + shift`, one number a channel; x is (B, C, ...)."""

    @abstractmethod
    def coefficients(self) -> tuple[Tensor, Tensor]:
        """Return scale and shift, both (C,)."""

    @override
    def forward(self, x: Tensor) -> Tensor:
        scale, shift = (along_channels(values, x) for values in self.coefficients())
        return x * scale + shift


class Fixed(Diagonal):
    """A diagonal layer whose numbers are not trained."""

    scale: Tensor
    shift: Tensor

    def __init__(self, scale: Tensor, shift: Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", scale)
        self.register_buffer("shift", shift)

    @override
    def coefficients(self) -> tuple[Tensor, Tensor]:
        return self.scale, self.shift


def normalize(mean: Sequence[float], std: Sequence[float]) -> Fixed:
    """Return the layer `(x - mean) / std`, one number a channel, in float32 from float64."""
    centre, width = (torch.tensor(values, dtype=torch.float64) for values in (mean, std))
    return Fixed((1 / width).float(), (-centre / width).float())


class BatchNorm(Diagonal):
    """Batch normalisation whose statistics, in training, are those of a batch of clean inputs.

    `observe` takes them; the bounds and the attacks of the same step then use the same numbers, so that a layer is one
    affine map within a step. Source: Shi et al. 2021 (arXiv 2103.17268); Mueller et al. 2023 (SABR) alike.
    In evaluation the running averages are used.
    """

    mean: Tensor
    variance: Tensor
    epsilon = 1e-5
    momentum = 0.1

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("variance", torch.ones(channels))
        self._observed: tuple[Tensor, Tensor] | None = None

    def observe(self, x: Tensor) -> None:
        """Take the statistics of a batch (B, C, ...) for what follows, and into the running averages."""
        axes = [axis for axis in range(x.dim()) if axis != 1]
        mean, variance = x.mean(axes), x.var(axes, unbiased=False)
        self._observed = mean, variance
        with torch.no_grad():
            self.mean.lerp_(mean, self.momentum)
            self.variance.lerp_(variance, self.momentum)

    @override
    def coefficients(self) -> tuple[Tensor, Tensor]:
        if not self.training:
            return self.in_use()
        if self._observed is None:
            raise RuntimeError("batch normalisation in training needs `observe` first")
        return self._with(*self._observed)

    def in_use(self) -> tuple[Tensor, Tensor]:
        """Return scale and shift, both (C,), of evaluation."""
        return self._with(self.mean, self.variance)

    def _with(self, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        scale = self.weight * torch.rsqrt(variance + self.epsilon)
        return scale, self.bias - mean * scale


class MaxMin(nn.Module):
    """The maxima, then the minima, of the first and the second half of the channels: GroupSort of groups of two.

    Source: Anil et al. 2019 (arXiv 1811.05381). Written with one ReLU a pair, `max(a, b) = b + relu(a - b)` and
    `min(a, b) = a - relu(a - b)`: what the prover knows best. The gradient's norm is kept.
    """

    @override
    def forward(self, x: Tensor) -> Tensor:
        first, second = x.chunk(2, 1)
        above = torch.relu(first - second)
        return torch.cat([second + above, first - above], 1)


def along_channels(values: Tensor, x: Tensor) -> Tensor:
    """View numbers (C,) so that they multiply x (B, C, ...) channel by channel."""
    return values.view(-1, *(1 for _ in x.shape[2:]))


def weighted(network: nn.Sequential) -> list[nn.Conv2d | nn.Linear]:
    """Return the convolutions and dense layers, in order."""
    return [layer for layer in network if isinstance(layer, nn.Conv2d | nn.Linear)]


def last_layer(network: nn.Sequential) -> nn.Linear:
    """Return the final affine layer; a network that ends otherwise is a `TypeError`."""
    layer = network[-1]
    if not isinstance(layer, nn.Linear):
        raise TypeError(f"the last layer must be Linear, not {type(layer).__name__}")
    return layer


def has_batch_norm(network: nn.Sequential) -> bool:
    """Tell whether clean inputs must be observed before anything else in a training step."""
    return any(isinstance(layer, BatchNorm) for layer in network)


def observe(network: nn.Sequential, images: Tensor) -> Tensor:
    """Run a batch (B, C, H, W) through the network and let batch normalisation take its statistics; the scores."""
    x = images
    for layer in network:
        if isinstance(layer, BatchNorm) and layer.training:
            layer.observe(x)
        x = cast(Tensor, layer(x))
    return x
