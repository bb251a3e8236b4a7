"""Networks from a few words: `conv 16 4 2 1`, `dense 100`; or by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from pyprover.train.layers import BatchNorm, MaxMin, normalize
from pyprover.train.options import OptionError, option

ARCHITECTURES = {
    "dense": ("dense 256", "dense 128"),
    "small": ("conv 16 4 2 1", "conv 32 4 2 1", "dense 100"),
    "medium": ("conv 32 3 1 1", "conv 32 4 2 1", "conv 64 4 2 1", "dense 256"),
    "cnn7": ("conv 64 3 1 1", "conv 64 3 1 1", "conv 128 3 2 1", "conv 128 3 1 1", "conv 128 3 1 1", "dense 512"),
}
"""`small` is that of Wong & Kolter 2018; `cnn7` that of Shi et al. 2021, with `batch_norm` as there."""


@dataclass(frozen=True)
class NetworkOptions:
    """The hidden layers; the last one, a score a class, is added."""

    name: str = option("small", "hidden layers by name", choices=tuple(ARCHITECTURES))
    layers: tuple[str, ...] = option((), '"conv CHANNELS KERNEL STRIDE PADDING" and "dense UNITS", instead of a name')
    activation: str = option("relu", "after each hidden layer", choices=("relu", "maxmin"))
    batch_norm: bool = option(default=False, help="batch normalisation before each activation")
    normalize: bool = option(
        default=False, help="a first layer that scales pixels by the training images' mean and deviation"
    )


def build(
    options: NetworkOptions,
    shape: Sequence[int],
    classes: int,
    statistics: tuple[Sequence[float], Sequence[float]] | None = None,
) -> nn.Sequential:
    """Build a network for inputs (C, H, W) = `shape`.

    `statistics`: mean and deviation, one number a channel each, where a first layer is to scale by them.
    Raises `OptionError` for layers that are not understood or do not fit.
    """
    layers: list[nn.Module] = [normalize(*statistics)] if statistics else []
    flat = False
    sample = torch.zeros(1, *shape)
    for place, words in enumerate(options.layers or ARCHITECTURES[options.name]):
        kind, *numbers = words.split() or [""]
        at = ("network", "layers", place)
        sizes = [int(number) for number in numbers if number.isdecimal()]
        if len(sizes) != len(numbers) or (kind, len(sizes)) not in (("conv", 4), ("dense", 1)) or not all(sizes[:3]):
            raise OptionError(at, f"{words!r} is not understood", "write `conv 16 4 2 1` or `dense 100`")
        if kind == "dense" and not flat:
            layers.append(nn.Flatten())
            sample, flat = sample.flatten(1), True
        elif kind == "conv" and flat:
            raise OptionError(at, f"{words!r} comes after a dense layer")
        try:
            layer = _layer(sample.shape[1], sizes)
            sample = torch.zeros_like(layer(sample))
        except RuntimeError as error:
            raise OptionError(at, f"{words!r} does not fit an input of shape {list(sample.shape[1:])}") from error
        if options.activation == "maxmin" and sizes[0] % 2:
            raise OptionError(at, f"{words!r}: maxmin pairs channels, their number must be even")
        layers += [layer, *([BatchNorm(sizes[0])] if options.batch_norm else []), _activation(options.activation)]
    if not flat:
        layers.append(nn.Flatten())
    return nn.Sequential(*layers, nn.Linear(sample.numel(), classes))


def _layer(inputs: int, sizes: Sequence[int]) -> nn.Conv2d | nn.Linear:
    """Build a dense layer of [units], or a convolution of [channels, kernel, stride, padding]."""
    if len(sizes) == 1:
        return nn.Linear(inputs, sizes[0])
    channels, kernel, stride, padding = sizes
    return nn.Conv2d(inputs, channels, kernel, stride, padding)


def _activation(name: str) -> nn.Module:
    return MaxMin() if name == "maxmin" else nn.ReLU()
