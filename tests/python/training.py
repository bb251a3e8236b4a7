"""Small networks, boxes and samples for the tests of training."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pyprover.train.bounds import Box
from pyprover.train.layers import BatchNorm, MaxMin, normalize, observe
from pyprover.train.levels import CLASS, blocks
from pyprover.train.samples import Samples

CLASSES = 5
SHAPE = (2, 9, 9)
LEVELS = {CLASS: torch.eye(CLASSES, dtype=torch.bool), "cut pairs": blocks((0, 0, 1, 1, 1))}


def convolutional(seed: int) -> nn.Sequential:
    """The second convolution leaves a row and a column that no window reaches."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=1),
        nn.ReLU(),
        nn.Conv2d(4, 6, 4, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(24, 10),
        nn.ReLU(),
        nn.Linear(10, CLASSES),
    )


def padded(seed: int) -> nn.Sequential:
    """The second convolution leaves a row and a column of its padding over."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=1, padding=1),
        nn.ReLU(),
        nn.Conv2d(4, 6, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(96, CLASSES),
    )


def normed(seed: int) -> nn.Sequential:
    """Scaled pixels and batch normalisation, with statistics of its own."""
    torch.manual_seed(seed)
    network = nn.Sequential(
        normalize((0.4, 0.5), (0.2, 0.3)),
        nn.Conv2d(2, 4, 3, stride=2, padding=1),
        BatchNorm(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(100, 8),
        BatchNorm(8),
        nn.ReLU(),
        nn.Linear(8, CLASSES),
    )
    for layer in network:
        if isinstance(layer, BatchNorm):
            nn.init.normal_(layer.weight)
            nn.init.normal_(layer.bias)
    for _ in range(20):
        observe(network, torch.rand(30, *SHAPE))
    return network.eval()


def paired(seed: int) -> nn.Sequential:
    """MaxMin after a convolution and after a dense layer."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, stride=2),
        MaxMin(),
        nn.Flatten(),
        nn.Linear(96, 8),
        MaxMin(),
        nn.Linear(8, CLASSES),
    )


BUILDERS = (convolutional, padded, normed, paired)


def boxes(radius: float, seed: int) -> Box:
    """Six boxes of inputs."""
    centre = torch.rand(6, *SHAPE, generator=torch.Generator().manual_seed(seed))
    return Box(centre - radius, centre + radius)


def corners_and_points(box: Box, count: int) -> Tensor:
    """Random points and random corners, (count, B, ...)."""
    weights = torch.rand(count, *box.lower.shape)
    weights[::2] = weights[::2].round()
    return box.lower + weights * (box.upper - box.lower)


def separable(count: int) -> Samples:
    """Grey images with a bright square, whose place tells the class."""
    labels = torch.arange(count) % CLASSES
    noise = torch.randint(-8, 9, (count, *SHAPE), generator=torch.Generator().manual_seed(0))
    images = 60 + noise
    for label, (row, column) in enumerate(((0, 0), (0, 5), (5, 0), (5, 5), (3, 3))):
        images[labels == label, :, row : row + 4, column : column + 4] += 120
    return Samples(images.to(torch.uint8), labels)
