"""Train the CIFAR-10 network of this example: certified training (SABR) with a term for groups, on one CPU core.

Reads cifar10_train.npz and cifar10_test.npz in the data folder ($CAISAR_EXT_DATA, or ~/.cache/caisar-ext).
The last images of the training file are held out for validation; the test set is measured once, at the end.
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from torch import Tensor, nn

from pyprover.train.export import fold, runtime_outputs, write_onnx
from pyprover.train.loop import Recipe, Samples, Scaling, Task, train
from pyprover.train.measure import Levels, score, table, watcher
from pyprover.train.settings import add_settings, recipe

HERE = Path(__file__).resolve().parent
VEHICLES = (0, 1, 8, 9)
LEVELS: Levels = {
    "class": torch.arange(10),
    "animal or vehicle": torch.tensor([int(label in VEHICLES) for label in range(10)]),
}
SCALING = Scaling(mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616))
RADII = {"1/255": 1 / 255, "2/255": 2 / 255, "8/255": 8 / 255}
HELD_OUT = 1000
DEFAULTS = Recipe(
    radius=2 / 255,
    epochs=36,
    warm_up=1,
    ramp_up=12,
    ratio=0.1,
    group_weight=0.3,
    group_radius=8 / 255,
    batch=128,
    learning_rate=1e-3,
    seed=0,
)


def network() -> nn.Sequential:
    """Build two convolutions and two dense layers, 5,296 ReLUs.

    The first convolution does not pad, so that the scaling folds into it.
    """
    return nn.Sequential(
        nn.Conv2d(3, 16, 4, stride=2),
        nn.ReLU(),
        nn.Conv2d(16, 32, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 7 * 7, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )


def read(part: str) -> Samples:
    """Read `train` or `test`, channels first."""
    folder = Path(os.environ.get("CAISAR_EXT_DATA", Path.home() / ".cache" / "caisar-ext"))
    path = folder / f"cifar10_{part}.npz"
    if not path.is_file():
        sys.exit(f"{path} is missing: put the CIFAR-10 archive there, or set CAISAR_EXT_DATA to its folder")
    with np.load(path) as archive:
        images, labels = archive["images"], archive["labels"]
    return Samples(torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(labels.astype(np.int64)))


def augment(images: Tensor) -> Tensor:
    """Flip each image at random, and crop it at random after two black pixels are added on each side."""
    batch, channels, height, width = images.shape
    padded = nn.functional.pad(images, (2, 2, 2, 2))
    rows = torch.arange(height) + torch.randint(5, (batch, 1))
    columns = torch.arange(width) + torch.randint(5, (batch, 1))
    columns = torch.where(torch.rand(batch, 1) < 0.5, columns.flip(1), columns)
    index = torch.arange(batch).view(-1, 1, 1, 1), torch.arange(channels).view(1, -1, 1, 1)
    return padded[(*index, rows.view(batch, 1, -1, 1), columns.view(batch, 1, 1, -1))]


def main() -> None:
    """Train, measure on the held-out images, export, then measure the file on the test set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_settings(parser, HERE / "cifar10.onnx", DEFAULTS)
    parser.add_argument("--no-test", action="store_true", help="leave the test set alone: for comparing settings")
    options = parser.parse_args()
    settings = recipe(parser, options, DEFAULTS)
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    console, model, samples = Console(), network(), read("train")
    fitted, held = samples.part(slice(0, -HELD_OUT)), samples.part(slice(len(samples) - HELD_OUT, None))
    if options.quick:
        fitted, held = fitted.part(slice(0, 1280)), held.part(slice(0, 100))
    watch = watcher(model, held.part(slice(0, 200)), LEVELS, SCALING, settings.radius)
    train(Task(model, LEVELS["animal or vehicle"], SCALING), fitted, settings, augment, watch)
    scores = {name: score(model, held, LEVELS, SCALING, radius) for name, radius in RADII.items()}
    console.print(table(f"{len(held)} held-out images", scores))
    folded = fold(model, SCALING)
    difference = write_onnx(folded, held.images[:100].float() / 255, options.output)
    console.print(f"{options.output}: ONNX Runtime within {difference:.1e} of torch")
    if not (options.no_test or options.quick):
        final(model, options.output, console)


def final(model: nn.Sequential, path: Path, console: Console) -> None:
    """Measure the test set: 10,000 images through the exported file, the first 1,000 certified."""
    test = read("test")
    answers = torch.from_numpy(runtime_outputs(path, (test.images.float() / 255).numpy()).argmax(1))
    for name, level in LEVELS.items():
        console.print(
            f"test, {name}: {100 * (level[answers] == level[test.labels]).float().mean().item():.2f} % of {len(test)}"
        )
    part = test.part(slice(0, 1000))
    scores = {name: score(model, part, LEVELS, SCALING, radius) for name, radius in RADII.items()}
    console.print(table("first 1,000 test images", scores))


if __name__ == "__main__":
    main()
