"""The command line of the prover: ``python -m pyprover``.

Built on ``argparse``: few commands with few options need no further dependency.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

from pyprover.errors import ProverError, UserError
from pyprover.train.command import add_arguments as add_train_arguments
from pyprover.train.command import run as run_train
from pyprover.train.study.command import add_arguments as add_study_arguments
from pyprover.train.study.command import run as run_study
from pyprover.vnnlib.command import add_arguments
from pyprover.vnnlib.command import run as run_vnnlib

OK, USER_ERROR, BUG, INTERRUPTED = 0, 3, 4, 130

_EPILOG = """\
examples:
  python -m pyprover describe net.onnx            what the prover sees in a network
  python -m pyprover operators                    the ONNX operators that it supports
  python -m pyprover replay net.onnx query7-class3-0f3a9c21.npy
                                                  run a witness through ONNX Runtime
  python -m pyprover vnnlib net.onnx prop.vnnlib --time-limit 60
                                                  decide a property: unsat, sat, unknown or timeout
  python -m pyprover vnnlib --instances instances.csv --jobs 2 --csv results.csv --resume
                                                  run a set, or go on with it
  python -m pyprover train sabr --config digits.toml
                                                  train a network, or go on with it
  python -m pyprover study study.toml --jobs 2    train many, verify each, compare them
  python -m pyprover serve                        answer requests on standard input (started by caisar-ext)

exit status: 0 fine, 3 a mistake in a file or in the usage, 4 a bug of the prover, 130 interrupted
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USER_ERROR, f"{self.prog}: error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m pyprover",
        description="Verify ONNX classifiers by abstract interpretation and search.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="answer framed requests on standard input")
    serve.set_defaults(run=_serve)

    describe = commands.add_parser("describe", help="shape, size and operators of a network")
    describe.add_argument("network", metavar="NET.onnx")
    describe.add_argument("--json", action="store_true", help="print JSON")
    describe.set_defaults(run=_describe)

    operators = commands.add_parser("operators", help="list the supported ONNX operators")
    operators.set_defaults(run=_operators)

    replay = commands.add_parser("replay", help="run a witness through ONNX Runtime")
    replay.add_argument("network", metavar="NET.onnx")
    replay.add_argument("witness", metavar="WITNESS.npy", help="float32, the network's input after normalisation")
    replay.add_argument("--json", action="store_true", help="print JSON")
    replay.set_defaults(run=_replay)

    vnnlib = commands.add_parser("vnnlib", help="decide a VNN-LIB property, or a set of instances")
    add_arguments(vnnlib)
    vnnlib.set_defaults(run=run_vnnlib)

    train = commands.add_parser("train", help="train a network to be verified")
    add_train_arguments(train)
    train.set_defaults(run=run_train)

    study = commands.add_parser("study", help="train a grid of networks, verify each, and compare them")
    add_study_arguments(study)
    study.set_defaults(run=run_study)
    return parser


def _serve(_: argparse.Namespace) -> None:
    faulthandler.enable()  # a crash in native code leaves its place on standard error
    from pyprover.protocol.server import serve_standard_streams

    serve_standard_streams()


def _describe(options: argparse.Namespace) -> None:
    from pyprover.card import normalization_of
    from pyprover.engine import Network
    from pyprover.protocol.service import describe
    from pyprover.query import NetworkRef

    path = str(Path(options.network).absolute())
    network = describe(Network.open(path), normalization_of(NetworkRef(path, None)))
    if options.json:
        print(json.dumps(asdict(network), indent=2))
        return
    for name, value in (
        ("input shape", " x ".join(map(str, network.input_shape))),
        ("outputs", network.outputs),
        ("opset", network.opset),
        ("operators", ", ".join(f"{operator.name} x {operator.count}" for operator in network.operators)),
        ("parameters", network.parameters),
        ("neurons", f"{network.neurons} (units of non-linear layers)"),
        ("normalisation", network.normalization_source or "none stated"),
        ("SHA-256", network.digest),
    ):
        print(f"{name:<14} {value}")


def _operators(_: argparse.Namespace) -> None:
    from pyprover.ops import READERS

    print("\n".join(sorted(READERS)))


def _replay(options: argparse.Namespace) -> None:
    import numpy as np

    from pyprover.witness import Replayer, maximisers

    replayer = Replayer(options.network)
    try:
        point = np.load(options.witness, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{options.witness} is not an array that can be read: {error}") from error
    if not isinstance(point, np.ndarray) or point.dtype != np.float32 or point.shape != replayer.input_shape:
        found = f"{point.dtype} {list(point.shape)}" if isinstance(point, np.ndarray) else "an archive"
        raise UserError(f"{options.witness} is {found}, the network takes float32 {list(replayer.input_shape)}")
    outputs = replayer.outputs(point[None])[0]
    classes = maximisers(outputs)
    if options.json:
        print(json.dumps({"outputs": [float(value) for value in outputs], "classes": list(classes)}))
        return
    for index, value in enumerate(outputs):
        print(f"{'*' if index in classes else ' '} {index:>4}  {value:.9g}")
    print(f"arg-max: {', '.join(map(str, classes))}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    from pyprover.protocol.errors import ProtocolError

    options = _parser().parse_args(arguments)
    status: int | None = None
    try:
        status = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`); what is left in the buffer has nowhere to go at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except ProverError as error:
        print(f"error: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"hint: {error.hint}", file=sys.stderr)
        return USER_ERROR
    except ProtocolError as error:
        print(f"protocol error: {error}", file=sys.stderr)
        return BUG
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        from pyprover.memory import is_out_of_memory

        if is_out_of_memory(error):
            print("error: out of memory\nhint: raise the memory limit, or run on a machine with more", file=sys.stderr)
            return USER_ERROR
        traceback.print_exc()
        return BUG
    return OK if status is None else status


if __name__ == "__main__":
    sys.exit(main())
