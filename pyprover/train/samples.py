"""Labelled images in memory, and what is done to a batch of them before a step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

AUGMENTATIONS = ("none", "crop", "crop_flip")
BORDER = 2
"""Black pixels added on each side before a crop."""


@dataclass(frozen=True)
class Samples:
    """Images (N, C, H, W), uint8 (k counts as k/255) or float32 in [0, 1], and labels (N,), int64."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def pixels(self) -> Tensor:
        """The images as float32 in [0, 1]."""
        return self.images.float() / 255 if self.images.dtype == torch.uint8 else self.images

    def part(self, indices: Tensor | slice) -> Samples:
        """Select samples."""
        return Samples(self.images[indices], self.labels[indices])

    def to(self, device: torch.device) -> Samples:
        """Move the samples."""
        return Samples(self.images.to(device), self.labels.to(device))

    def batches(self, size: int) -> Iterator[Samples]:
        """Cut into batches, in order; the last one may be smaller."""
        for start in range(0, len(self), size):
            yield self.part(slice(start, start + size))


def augment(images: Tensor, how: str) -> Tensor:
    """Change each image (B, C, H, W) at random: one of `AUGMENTATIONS`.

    `crop`: a crop of its own size after black pixels are added on each side; `crop_flip`: mirrored too, half the time.
    """
    if how == "none":
        return images
    batch, channels, height, width = images.shape
    padded = functional.pad(images, (BORDER,) * 4)
    rows = torch.arange(height) + torch.randint(2 * BORDER + 1, (batch, 1))
    columns = torch.arange(width) + torch.randint(2 * BORDER + 1, (batch, 1))
    if how == "crop_flip":
        columns = torch.where(torch.rand(batch, 1) < 0.5, columns.flip(1), columns)
    index = torch.arange(batch).view(-1, 1, 1, 1), torch.arange(channels).view(1, -1, 1, 1)
    return padded[(*index, rows.view(batch, 1, -1, 1), columns.view(batch, 1, 1, -1))]
