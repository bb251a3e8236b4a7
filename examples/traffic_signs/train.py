"""Train the road-sign network of this example: certified training by level, on one CPU core.

Draws its own training and validation pictures. The test pictures (signs_test.npz) are measured once, at the end.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from generate import TEST_SEED, draw
from rich.console import Console
from torch import nn

from pyprover.hierarchy.reader import read_file
from pyprover.train.export import runtime_outputs, write_onnx
from pyprover.train.levels import CLASS, Levels, levels_of
from pyprover.train.loop import Figures, Job, train
from pyprover.train.measure import score, table
from pyprover.train.networks import NetworkOptions, build
from pyprover.train.progress import Bar
from pyprover.train.recipes.levels import ByLevel, LevelTerm
from pyprover.train.samples import Samples
from pyprover.train.schedule import Schedule
from pyprover.train.simplify import simplified

HERE = Path(__file__).resolve().parent
RADIUS = 4 / 255
RADII = {"2/255": 2 / 255, "4/255": 4 / 255, "8/255": 8 / 255}
RECIPE = ByLevel(levels=(LevelTerm("class", 0.5), LevelTerm("cut meaning", 0.5)), ratio=0.2)
NETWORK = NetworkOptions(layers=("conv 8 4 2 1", "conv 16 4 2 1", "dense 64"))
"""3,136 ReLUs, for inputs (N, 3, 32, 32) in [0, 1]."""


def samples(count: int, seed: int) -> Samples:
    """Draw pictures, channels first."""
    images, labels = draw(count, seed)
    return Samples(torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(labels))


def main() -> None:
    """Draw, train, measure on the held-out pictures, export, then measure the file on the test pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    option = parser.add_argument
    option("--output", type=Path, default=HERE / "signs.onnx", help="ONNX file to write (default: %(default)s)")
    option("--seed", type=int, default=0, help="default: %(default)s")
    option("--quick", action="store_true", help="seconds on few pictures: checks the script, trains nothing useful")
    options = parser.parse_args()
    if options.quick and options.output == parser.get_default("output"):
        parser.error("--quick needs --output: it would replace the trained network")
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    console, levels = Console(), levels_of(read_file(HERE / "signs.hier"))
    count, held_out, epochs = (680, 68, 3) if options.quick else (25500, 850, 40)
    console.print(f"drawing {count + held_out} pictures")
    fitted, held = samples(count, TEST_SEED + 1), samples(held_out, TEST_SEED + 2)
    torch.manual_seed(options.seed)
    network = build(NETWORK, fitted.images.shape[1:], len(levels[CLASS]))

    def measure(current: nn.Sequential) -> Figures:
        scores = score(current, held.part(slice(170)), levels, RADIUS)
        coarse = {f"certified {level}": found.certified for level, found in scores.items() if level != CLASS}
        return {"natural": scores[CLASS].natural, "certified": scores[CLASS].certified, **coarse}

    schedule = Schedule(epochs=epochs, ramp_up=epochs // 3)
    job = Job(RECIPE.build(), schedule, fitted, levels, RADIUS, options.seed, measure, every=10)
    with Bar(console, epochs) as bar:
        train(network, job, bar)
    console.print(table(f"{len(held)} pictures held out", {r: score(network, held, levels, RADII[r]) for r in RADII}))
    difference = write_onnx(simplified(network), held.part(slice(100)).pixels, options.output)
    console.print(f"{options.output}: ONNX Runtime within {difference:.1e} of torch")
    if not options.quick:
        final(network, levels, options.output, console)


def final(network: nn.Sequential, levels: Levels, path: Path, console: Console) -> None:
    """Measure the test pictures, through the exported file and certified."""
    test = samples(68, TEST_SEED)
    answers = torch.from_numpy(runtime_outputs(path, test.pixels.numpy()).argmax(1))
    for name, allowed in levels.items():
        console.print(f"test, {name}: {int(allowed[test.labels, answers].sum())} of {len(test)} right")
    console.print(table("test pictures", {r: score(network, test, levels, RADII[r]) for r in RADII}))


if __name__ == "__main__":
    main()
