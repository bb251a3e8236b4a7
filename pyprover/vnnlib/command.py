"""The command ``vnnlib``: one property, or a set of instances. Heavy imports wait until they are needed."""

from __future__ import annotations

import argparse
import gc
import string
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pyprover.errors import UserError

if TYPE_CHECKING:
    from pyprover.vnnlib.deciding import Counterexample

_DEFAULT_LIMIT = 60.0
_UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "kB": 10**3, "MB": 10**6, "GB": 10**9}
_EPILOG = """\
One property: the last line of standard output is unsat (no input satisfies it), sat, unknown or timeout.
A set: each instance runs in a process of its own; paths in instances.csv are relative to it, and its third
column is the time limit unless --time-limit is given.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _EPILOG
    parser.add_argument("network", metavar="NET.onnx", nargs="?")
    parser.add_argument("property", metavar="PROP.vnnlib", nargs="?", help="VNN-LIB 1.0 or 2.0, also .gz")
    parser.add_argument(
        "--time-limit", type=_seconds, metavar="SECONDS", help=f"wall clock (default {_DEFAULT_LIMIT:g})"
    )
    parser.add_argument(
        "--witness", type=Path, metavar="FILE", help="where to write the counterexample; of a set, a folder for them"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the search for counterexamples (default 0)")
    parser.add_argument("--domain", metavar="NAME", help="the only abstract domain to prove with")
    parser.add_argument("--memory-limit", type=_size, metavar="SIZE", help="of the process: 4GiB, 500MB")
    parser.add_argument("--noise-directory", type=Path, metavar="DIR", help="where zonotopes may keep noise on disk")
    parser.add_argument("--noise-symbols", type=int, metavar="N", help="the most noise symbols that zonotopes keep")
    parser.add_argument("--verbose", action="store_true", help="say on standard error how zonotopes kept their noise")
    of_sets = parser.add_argument_group("sets of instances")
    of_sets.add_argument("--instances", type=Path, metavar="instances.csv", help="run all of these")
    of_sets.add_argument("--jobs", type=_count, default=1, metavar="N", help="processes at a time (default 1)")
    of_sets.add_argument("--csv", type=Path, metavar="results.csv", help="where to write a row for each instance")
    of_sets.add_argument("--resume", action="store_true", help="keep the rows of --csv, and run what is missing")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number of seconds")
    return seconds


def _size(text: str) -> int:
    number = text.rstrip(string.ascii_letters)
    try:
        size = float(number) * _UNITS[text[len(number) :]]
    except (KeyError, ValueError):
        size = 0.0
    if not 1 <= size < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 4GiB or 500MB")
    return int(size)


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return int(text)


def run(options: argparse.Namespace) -> None:
    """Run the command; ``UserError`` for what the user must mend."""
    of_set = options.csv is not None or options.resume or options.jobs > 1
    if options.instances is not None:
        if options.network is not None:
            raise UserError("give a network and a property, or --instances, not both")
        _run_set(options)
    elif options.property is None:
        raise UserError("give a network and a property, or --instances", "`python -m pyprover vnnlib --help`")
    elif of_set:
        raise UserError("--jobs, --csv and --resume need --instances")
    else:
        _run_one(options)


def _run_one(options: argparse.Namespace) -> None:
    limit = _DEFAULT_LIMIT if options.time_limit is None else options.time_limit
    deadline = time.monotonic() + limit  # before the imports, which take seconds
    gc.disable()  # what imports make stays: to look for garbage there, now and at exit, costs .6 CPU s
    import torch

    from pyprover.domains.resources import Resources
    from pyprover.engine import Network
    from pyprover.memory import limit_memory
    from pyprover.vnnlib.deciding import decide, pose

    gc.freeze()
    gc.enable()
    torch.set_num_threads(1)
    resources = Resources.asked(options.memory_limit, options.noise_directory, options.noise_symbols)
    if options.memory_limit is not None:
        limit_memory(options.memory_limit)
    network = Network.open(options.network)
    asked = pose(network, Path(options.property))
    decision = decide(network, asked, deadline, options.seed, resources, options.domain)
    if options.verbose:
        for step, noise in decision.noise:
            print(f"{step}: {noise}", file=sys.stderr)
    if decision.reason is not None:
        print(f"undecided: {decision.reason}", file=sys.stderr)
    if decision.counterexample is not None and options.witness is not None:
        _write(options.witness, decision.counterexample)
    print(decision.result)


def _write(path: Path, counterexample: Counterexample) -> None:
    try:
        path.write_text(str(counterexample))
    except OSError as error:
        raise UserError(f"the witness {path} cannot be written: {error.strerror}") from error


def _shared(options: argparse.Namespace) -> list[str]:
    """The options of a set that hold for each of its processes."""
    values = {
        "--domain": options.domain,
        "--memory-limit": options.memory_limit,
        "--noise-directory": options.noise_directory,
        "--noise-symbols": options.noise_symbols,
    }
    return [text for name, value in values.items() if value is not None for text in (name, str(value))]


def _run_set(options: argparse.Namespace) -> None:
    from rich.console import Console

    from pyprover.vnnlib.instances import Results, read_instances
    from pyprover.vnnlib.running import Plan, run_set, table

    if options.resume and options.csv is None:
        raise UserError("--resume needs --csv, the file to go on with")
    instances = read_instances(options.instances, options.time_limit)
    start = Results.resume if options.resume else Results.start
    results = None if options.csv is None else start(options.csv)
    rows = run_set(instances, Plan(options.jobs, options.seed, results, options.witness, _shared(options)))
    Console().print(table(str(options.instances), rows))
