"""From data units to the space of the network's input: ``x -> (x - mean) / std``, exactly.

Arrays are row-major; the first axis of the network's input (after the batch) is its channel axis.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyprover.errors import UserError
from pyprover.query import Normalization
from pyprover.rounding import nearest64


@dataclass(frozen=True)
class Affine:
    """``x -> (x - mean) / std``; increasing, as ``std > 0``."""

    mean: Fraction
    std: Fraction

    def __call__(self, value: Fraction) -> Fraction:
        """Carry ``value`` from data units to network-input space."""
        return (value - self.mean) / self.std


@lru_cache(maxsize=8)
def affine(normalization: Normalization | None, input_shape: tuple[int, ...]) -> tuple[Affine, ...]:
    """Return the normalisation as one map for all features, or as one for each of the ``input_shape[0]`` channels.

    Raises ``UserError`` when its lengths fit neither, or when it divides by a number that is not positive.
    """
    if normalization is None:
        return (Affine(Fraction(0), Fraction(1)),)
    lengths = {len(normalization.mean), len(normalization.std)}
    channels = input_shape[0] if input_shape else 1
    if not lengths <= {1, channels}:
        raise UserError(
            f"the normalisation has mean and std of lengths {len(normalization.mean)} and {len(normalization.std)}, "
            f"but the network's input has shape {list(input_shape)}",
            f"write one number for all features, or one for each of the {channels} channels",
        )
    if any(std <= 0 for std in normalization.std):
        raise UserError("the normalisation divides by a std that is not positive", "write std > 0")
    count = max(lengths)
    means, stds = (values * (count // len(values)) for values in (normalization.mean, normalization.std))
    return tuple(map(Affine, means, stds))


def check_shape(shape: tuple[int, ...], input_shape: tuple[int, ...]) -> None:
    """Refuse samples of ``shape`` that cannot be given, flattened row-major, to an input of ``input_shape``.

    Axes of length 1 do not count, and a network whose input is one long vector takes a sample of any shape; anything
    else (channels last, say) would be a silent shuffling of the features.
    """
    sample, network = ([n for n in axes if n != 1] for axes in (shape, input_shape))
    if sample != network and not (len(network) <= 1 and math.prod(sample) == math.prod(network)):
        raise UserError(
            f"the samples have shape {list(shape)}, but the network's input has shape {list(input_shape)}",
            "samples are read channels first; choose a dataset and a network of one shape",
        )


def network_inputs(
    samples: NDArray[Any],
    exact: Callable[[Any], Fraction],
    normalization: Normalization | None,
    input_shape: tuple[int, ...],
) -> NDArray[np.float32]:
    """Return samples (N, ...) as the network is given them: float32 (N, *input_shape).

    ``exact`` is the rational value, in data units, of an entry of ``samples``; each is mapped exactly, then rounded
    to float64 and to float32, as ``Region.centre32`` rounds a centre.
    """
    check_shape(samples.shape[1:], input_shape)
    maps = affine(normalization, input_shape)
    blocks = samples.reshape(len(samples), len(maps), -1)
    inputs = np.empty(blocks.shape, np.float32)
    for channel, to_input in enumerate(maps):
        values, places = np.unique(blocks[:, channel], return_inverse=True)
        table = np.array([nearest64(to_input(exact(value))) for value in values.tolist()])
        with np.errstate(over="ignore"):
            inputs[:, channel] = table.astype(np.float32)[places]
    return inputs.reshape(len(samples), *input_shape)
