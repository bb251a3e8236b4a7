"""The command ``train``: a recipe and a training file to a network and its card. Heavy imports wait until needed."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyprover.errors import UserError

if TYPE_CHECKING:
    import torch
    from rich.console import Console
    from rich.table import Table

_EPILOG = """\
The training file is TOML; `data` and `radius` are needed, for example:

  data = "digits"        # or mnist, fashion_mnist, cifar10, cifar100, gtsrb: read from the data folder
  radius = "8/255"
  [schedule]
  epochs = 40
  [recipe]
  ratio = 0.4

`python -m pyprover train sabr --options` lists the keys, with those of the recipe. Run again, a training that was
stopped goes on, and one that is done is not done again. NET.card.json says how to repeat it.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("recipe", metavar="RECIPE", nargs="?", help="none: list the recipes")
    parser.add_argument("--config", type=Path, metavar="FILE.toml", help="the training file")
    parser.add_argument(
        "--output", type=Path, metavar="NET.onnx", help="the network to write (default: FILE-RECIPE-seedN.onnx)"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="instead of the file's")
    parser.add_argument("--restart", action="store_true", help="begin anew, whatever is there")
    parser.add_argument("--no-test", action="store_true", help="leave the test images alone: for comparing settings")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: cuda where present")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of the processor (default 1)")
    parser.add_argument("--data-dir", metavar="DIR", help="data folder (default: CAISAR_EXT_DATA, ~/.cache/caisar-ext)")
    parser.add_argument("--options", action="store_true", help="list the keys of the training file, and stop")


def run(options: argparse.Namespace) -> None:
    """Run the command; ``UserError`` for what the user must mend."""
    from rich.console import Console

    from pyprover.train.listing import keys_of, recipes
    from pyprover.train.recipes import RECIPES

    console = Console()
    if options.recipe is None:
        console.print(recipes())
    elif options.recipe not in RECIPES:
        raise UserError(f"there is no recipe {options.recipe}", f"there are {', '.join(RECIPES)}")
    elif options.options:
        for table in keys_of(RECIPES[options.recipe]):
            console.print(table)
    elif options.config is None:
        raise UserError("give --config FILE.toml", "`python -m pyprover train --help` has an example")
    else:
        _train(options, console)


def _train(options: argparse.Namespace, console: Console) -> None:
    import torch

    from pyprover.train.config import located, read_config
    from pyprover.train.options import OptionError
    from pyprover.train.progress import Bar
    from pyprover.train.run import Place, perform, restart

    config = read_config(options.config, options.recipe, {} if options.seed is None else {"seed": options.seed})
    default = options.config.with_name(f"{options.config.stem}-{options.recipe}-seed{config.seed}.onnx")
    output = default if options.output is None else options.output
    if options.threads < 1:
        raise UserError(f"--threads {options.threads}: at least 1")
    place = Place(output, options.config.parent, options.data_dir, _device(options.device))
    threads = torch.get_num_threads()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)  # interval bounds make many of them, and each costs a hundred cycles
    try:
        if options.restart:
            restart(place)
        with Bar(console, config.schedule.epochs) as bar:
            entry = perform(config, place, bar, test=not options.no_test)
    except OptionError as error:
        raise located(error, options.config) from error
    except OSError as error:
        raise UserError(f"{error.filename}: {error.strerror}") from error
    finally:
        torch.set_flush_denormal(False)
        torch.set_num_threads(threads)
    console.print(_summary(str(output), entry))


def _device(name: str) -> torch.device:
    import torch

    found = torch.cuda.is_available()
    if name == "cuda" and not found:
        raise UserError("--device cuda: torch finds no CUDA device")
    return torch.device("cuda" if found and name != "cpu" else "cpu")


def _summary(title: str, entry: dict[str, Any]) -> Table:
    """Lay out the figures of a card, in per cent."""
    from rich.table import Table

    lines = Table("images", "level", "natural", "under attack", "intervals", "certified", title=title)
    for part, figures in entry["figures"].items():
        for level, shares in figures["levels"].items():
            values = (shares["answers"], shares["attacked"], shares["interval"], shares["certified"])
            lines.add_row(part.replace("_", " "), level, *(f"{100 * value:.1f}" for value in values))
        if "l2" in figures:
            norm = figures["l2"]
            within = f"l2, within {norm['radius']:g}"
            lines.add_row(part.replace("_", " "), within, "", "", "", f"{100 * norm['certified']:.1f}")
    size, unstable = entry["network"], entry["figures"]["held_out"]["unstable_relus"]
    lines.caption = f"{size['parameters_left']} parameters, {size['relus']} ReLUs, {unstable:.1f} unstable"
    return lines
