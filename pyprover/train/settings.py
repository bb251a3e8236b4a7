"""The command line of a training script, and the recipe that it gives."""

import argparse
from dataclasses import replace
from pathlib import Path

from pyprover.train.loop import Recipe

QUICK_EPOCHS = 3


def add_settings(parser: argparse.ArgumentParser, output: Path, defaults: Recipe) -> None:
    """Add the options of every training script: the file to write, what a recipe holds, and `--quick`."""
    option = parser.add_argument
    option("--output", type=Path, default=output, help="ONNX file to write (default: %(default)s)")
    option("--epochs", type=int, default=defaults.epochs, help="default: %(default)s")
    option(
        "--radius", type=float, default=defaults.radius * 255, help="training radius, in 1/255 (default: %(default)g)"
    )
    option(
        "--ratio",
        type=float,
        default=defaults.ratio,
        help="SABR's boxes over the radius, 1: IBP (default: %(default)s)",
    )
    option("--group-weight", type=float, default=defaults.group_weight, help="0 to 1 (default: %(default)s)")
    option("--group-radius", type=float, default=defaults.group_radius * 255, help="in 1/255 (default: %(default)g)")
    option("--seed", type=int, default=defaults.seed, help="default: %(default)s")
    option("--quick", action="store_true", help="seconds on little data: checks the script, trains nothing useful")


def recipe(parser: argparse.ArgumentParser, options: argparse.Namespace, defaults: Recipe) -> Recipe:
    """Turn parsed options into a recipe; an option out of its range ends the program with the parser's message."""
    if options.epochs < 1:
        parser.error("--epochs must be at least 1")
    if options.radius < 0 or options.group_radius < 0:
        parser.error("--radius and --group-radius must not be negative")
    if not 0 < options.ratio <= 1:
        parser.error("--ratio must be above 0 and at most 1")
    if not 0 <= options.group_weight <= 1:
        parser.error("--group-weight must be between 0 and 1")
    if options.quick and options.output == parser.get_default("output"):
        parser.error("--quick needs --output: it would replace the trained network")
    if not options.output.parent.is_dir():
        parser.error(f"--output: there is no folder {options.output.parent}")
    epochs = QUICK_EPOCHS if options.quick else options.epochs
    return replace(
        defaults,
        radius=options.radius / 255,
        epochs=epochs,
        ramp_up=epochs // 3,
        ratio=options.ratio,
        group_weight=options.group_weight,
        group_radius=options.group_radius / 255,
        seed=options.seed,
    )
