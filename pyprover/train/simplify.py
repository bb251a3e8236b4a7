"""From a trained network to the one that is written: plain weights, fewer layers, no dead units.

Each step gives a network of the same function, up to rounding; folding is done in float64.
"""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize, skip_init

from pyprover.train.bounds import padding_of
from pyprover.train.layers import BatchNorm, Diagonal, Fixed, along_channels
from pyprover.train.quantize import IntegerWeight

SCALE = "weight_scale"
"""The buffer of a layer whose weights are integers times a scale: (rows, 1, ...)."""


def simplified(network: nn.Sequential) -> nn.Sequential:
    """Return a network for evaluation without parametrizations, foldable layers and dead units."""
    return without_dead_units(folded(plain(network)))


def plain(network: nn.Sequential) -> nn.Sequential:
    """Return a copy, on the CPU, whose weights are numbers; quantised ones keep their scales as the buffer `SCALE`."""
    layers: list[nn.Module] = []
    with torch.no_grad():
        for layer in network:
            match layer:
                case nn.Conv2d() | nn.Linear():
                    copied = _with(layer, layer.weight, _bias_of(layer))
                    if (scale := _scale_of(layer)) is not None:
                        copied.register_buffer(SCALE, scale.cpu())
                    layers.append(copied)
                case Diagonal():
                    values = layer.in_use() if isinstance(layer, BatchNorm) else layer.coefficients()
                    layers.append(Fixed(*(one.detach().cpu().clone() for one in values)))
                case _:
                    layers.append(copy.deepcopy(layer))
    return nn.Sequential(*layers).eval()


def _scale_of(layer: nn.Module) -> Tensor | None:
    """The scales of a layer's quantised weights, if they are."""
    if hasattr(layer, SCALE):
        return cast(Tensor, getattr(layer, SCALE))
    scale = None
    if parametrize.is_parametrized(layer, "weight"):
        stages: Any = layer.parametrizations["weight"]  # type: ignore[index]
        value = stages.original
        for stage in stages:
            if isinstance(stage, IntegerWeight) and bool(stage.active):
                scale = stage.scale(value)
            value = stage(value)
    return scale


def folded(network: nn.Sequential) -> nn.Sequential:
    """Take diagonal layers into the convolution or dense layer before them, or else into the one after them.

    Quantised weights are not touched. Nor are convolutions that pad, for a layer before them: a padded zero would mean
    something else.
    """
    layers: list[nn.Module] = []
    for layer in network:
        before = layers[-1] if layers else None
        if isinstance(layer, Diagonal) and _takes(before):
            layers[-1] = _scaled_after(before, *layer.coefficients())  # type: ignore[arg-type]
        elif isinstance(before, Diagonal) and _takes(layer) and not _pads(layer):
            layers[-1] = _scaled_before(layer, *before.coefficients())  # type: ignore[arg-type]
        else:
            layers.append(layer)
    return nn.Sequential(*layers)


def _takes(layer: nn.Module | None) -> bool:
    return isinstance(layer, nn.Conv2d | nn.Linear) and not hasattr(layer, SCALE)


def _pads(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Conv2d) and layer.padding != (0, 0)


def _scaled_after(layer: nn.Conv2d | nn.Linear, scale: Tensor, shift: Tensor) -> nn.Module:
    """Return the layer followed by `scale * y + shift`."""
    factors = scale.double()
    weight = layer.weight.detach().double()
    return _with(
        layer,
        weight * factors.view(-1, *(1 for _ in weight.shape[1:])),
        _bias_of(layer) * factors + shift.double(),
    )


def _scaled_before(layer: nn.Conv2d | nn.Linear, scale: Tensor, shift: Tensor) -> nn.Module:
    """Return the layer applied to `scale * x + shift`."""
    weight = layer.weight.detach().double()
    factors, offsets = (along_channels(values.double(), weight) for values in (scale, shift))
    return _with(layer, weight * factors, _bias_of(layer) + (weight * offsets).flatten(1).sum(1))


def _bias_of(layer: nn.Conv2d | nn.Linear) -> Tensor:
    return torch.zeros(len(layer.weight), dtype=torch.float64) if layer.bias is None else layer.bias.detach().double()


def _with(layer: nn.Conv2d | nn.Linear, weight: Tensor, bias: Tensor) -> nn.Conv2d | nn.Linear:
    """Return a layer of the same kind, on the CPU, with other numbers, of other sizes perhaps."""
    rows, columns = weight.shape[:2]
    other: nn.Conv2d | nn.Linear
    if isinstance(layer, nn.Conv2d):  # no initial weights are drawn: the random state is the training's
        shape = {"kernel_size": layer.kernel_size, "stride": layer.stride, "padding": padding_of(layer)}
        other = skip_init(nn.Conv2d, columns, rows, **shape)  # type: ignore[no-untyped-call]
    else:
        other = skip_init(nn.Linear, columns, rows)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        other.weight.copy_(weight)
        other.bias.copy_(bias)  # type: ignore[union-attr]
    return other


def without_dead_units(network: nn.Sequential) -> nn.Sequential:
    """Leave out channels and units, before a ReLU, that are 0 whatever the input; one a layer is kept."""
    layers = list(network)
    places = [k for k, layer in enumerate(layers) if isinstance(layer, nn.Conv2d | nn.Linear)]
    for place, following in pairwise(places):
        layer, after = layers[place], layers[following]
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        assert isinstance(after, nn.Conv2d | nn.Linear)
        scaling = layers[place + 1] if isinstance(layers[place + 1], Fixed) else None
        kinds = {type(one) for one in layers[place + 1 + (scaling is not None) : following]}
        if not {nn.ReLU} <= kinds <= {nn.ReLU, nn.Flatten}:
            continue
        alive = _alive(layer, scaling)
        layers[place] = _rows(layer, alive)
        if isinstance(scaling, Fixed):
            layers[place + 1] = Fixed(*(values[alive] for values in scaling.coefficients()))
        # Flatten puts the entries of a channel side by side.
        block = after.weight.shape[1] // len(alive)
        layers[following] = _columns(after, alive.repeat_interleave(block))
    return nn.Sequential(*layers)


def _alive(layer: nn.Conv2d | nn.Linear, scaling: nn.Module | None) -> Tensor:
    """Tell which channels, scaled perhaps, are not at most 0 for every input; the first one counts if none is."""
    varies, level = (layer.weight != 0).flatten(1).any(1), _bias_of(layer)
    if isinstance(scaling, Fixed):
        scale, shift = (values.double() for values in scaling.coefficients())
        varies, level = varies & (scale != 0), level * scale + shift
    alive = varies | (level > 0)
    alive[0] |= not bool(alive.any())
    return alive


def _rows(layer: nn.Conv2d | nn.Linear, kept: Tensor) -> nn.Module:
    other = _with(layer, layer.weight[kept], _bias_of(layer)[kept])
    if (scale := _scale_of(layer)) is not None:
        other.register_buffer(SCALE, scale[kept])
    return other


def _columns(layer: nn.Conv2d | nn.Linear, kept: Tensor) -> nn.Module:
    other = _with(layer, layer.weight[:, kept], _bias_of(layer))
    if (scale := _scale_of(layer)) is not None:
        other.register_buffer(SCALE, scale)
    return other
