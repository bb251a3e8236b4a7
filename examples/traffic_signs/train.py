"""Train the road-sign network of this example: certified training (SABR) with a term for groups, on one CPU core.

Draws its own training and validation pictures. The test pictures (signs_test.npz) are measured once, at the end.
"""

import argparse
from pathlib import Path

import torch
from generate import CLASSES, TEST_SEED, draw
from rich.console import Console
from torch import Tensor, nn

from pyprover.train.export import runtime_outputs, write_onnx
from pyprover.train.loop import Recipe, Samples, Scaling, Task, train
from pyprover.train.measure import Levels, score, table, watcher
from pyprover.train.settings import add_settings, recipe

HERE = Path(__file__).resolve().parent
PLAIN = Scaling(mean=(0.0,), std=(1.0,))
DEFAULTS = Recipe(
    radius=4 / 255,
    epochs=40,
    warm_up=1,
    ramp_up=13,
    ratio=0.2,
    group_weight=0.5,
    group_radius=4 / 255,
    batch=128,
    learning_rate=1e-3,
    seed=0,
)
RADII = {"2/255": 2 / 255, "4/255": 4 / 255, "8/255": 8 / 255}
GROUPS = {
    "speed_limits": (0, 1, 2),
    "bans": (3, 4, 5),
    "bends": (6, 7),
    "hazards": (8, 9),
    "directions": (10, 11, 12),
    "roundabout": (13,),
    "yield": (14, 15),
    "priority_road": (16,),
}
"""The middle level of signs.hier, two groups for each meaning, in order."""


def levels() -> Levels:
    """Give the three levels of signs.hier, finest first."""
    family = torch.empty(len(CLASSES), dtype=torch.int64)
    for number, members in enumerate(GROUPS.values()):
        family[list(members)] = number
    return {"class": torch.arange(len(CLASSES)), "family": family, "meaning": family // 2}


def network() -> nn.Sequential:
    """Build two convolutions and two dense layers, 3,136 ReLUs, for inputs (N, 3, 32, 32) in [0, 1]."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 16, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * 8 * 8, 64),
        nn.ReLU(),
        nn.Linear(64, len(CLASSES)),
    )


def samples(count: int, seed: int) -> Samples:
    """Draw pictures, channels first."""
    images, labels = draw(count, seed)
    return Samples(torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(labels))


def unchanged(images: Tensor) -> Tensor:
    """Augment nothing: the pictures already vary."""
    return images


def main() -> None:
    """Draw, train, measure on the held-out pictures, export, then measure the file on the test pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_settings(parser, HERE / "signs.onnx", DEFAULTS)
    parser.add_argument("--pictures", type=int, default=25500, help="training pictures to draw (default: %(default)s)")
    options = parser.parse_args()
    settings = recipe(parser, options, DEFAULTS)
    if options.pictures < settings.batch:
        parser.error(f"--pictures must be at least {settings.batch}, one batch")
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    console, tree, model = Console(), levels(), network()
    count, held_out = (680, 68) if options.quick else (options.pictures, 850)
    console.print(f"drawing {count + held_out} pictures")
    fitted, held = samples(count, TEST_SEED + 1), samples(held_out, TEST_SEED + 2)
    watch = watcher(model, held.part(slice(0, 170)), tree, PLAIN, settings.radius)
    train(Task(model, tree["meaning"], PLAIN), fitted, settings, unchanged, watch)
    scores = {name: score(model, held, tree, PLAIN, radius) for name, radius in RADII.items()}
    console.print(table(f"{len(held)} pictures held out", scores))
    difference = write_onnx(model, held.images[:100].float() / 255, options.output)
    console.print(f"{options.output}: ONNX Runtime within {difference:.1e} of torch")
    if not options.quick:
        final(model, options.output, console)


def final(model: nn.Sequential, path: Path, console: Console) -> None:
    """Measure the test pictures, through the exported file and certified."""
    test = samples(68, TEST_SEED)
    answers = torch.from_numpy(runtime_outputs(path, (test.images.float() / 255).numpy()).argmax(1))
    for name, level in levels().items():
        console.print(f"test, {name}: {int((level[answers] == level[test.labels]).sum())} of {len(test)} right")
    scores = {name: score(model, test, levels(), PLAIN, radius) for name, radius in RADII.items()}
    console.print(table("test pictures", scores))


if __name__ == "__main__":
    main()
