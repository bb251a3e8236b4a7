"""Doubts about the results of `bench/vnnlib_sets.py`: what is proven is attacked anew, what is refuted is replayed.

The properties are read here, the attack is written here, and points are judged by ONNX Runtime and exact rationals:
nothing is shared with `pyprover.vnnlib`, `pyprover.attack` or `pyprover.witness` but the format of the results. Only
gradients come from `pyprover`'s graph. Exits with 1 on any contradiction, and on a counterexample that is missing.

    python bench/crosscheck.py                            all sets of `bench/results`
    python bench/crosscheck.py acasxu --every 10          a tenth of one
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from formulas import Formulas
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import Tensor

from pyprover.graph import Graph
from pyprover.load import load

RESULTS = Path(__file__).resolve().parent / "results"
DATA = Path(os.environ.get("CAISAR_EXT_DATA") or "~/.cache/caisar-ext").expanduser() / "nets"

NOISE = 1e-9
"""A point contradicts a proof when it meets the property by more than this in float64 as well as in ONNX Runtime."""

FEW_FEATURES = 16
MORE_STARTS = 256
"""By how much restarts are multiplied for few features: they cost little there."""

# Answers known from the literature, as regular expressions of the file names of network and property.
# Katz et al., Reluplex, CAV 2017, table 2; for property 1: Wang et al., ReluVal, USENIX Security 2018, table 1.
KNOWN = (
    (r"run2a_\d_\d_", r"prop_1\.", "unsat"),
    (r"run2a_(1_[1-6]|[2-5]_\d)_", r"prop_[34]\.", "unsat"),
    (r"run2a_1_1_", r"prop_[56]\.", "unsat"),
    (r"run2a_2_9_", r"prop_8\.", "sat"),
    (r"run2a_3_3_", r"prop_9\.", "unsat"),
    (r"run2a_4_5_", r"prop_10\.", "unsat"),
)


def known_answer(network: str, prop: str) -> str | None:
    """The answer that the literature gives, if we are certain of one."""
    for first, second, answer in KNOWN:
        if re.search(first, Path(network).name) and re.match(second, Path(prop).name):
            return answer
    return None


@dataclass(frozen=True)
class Effort:
    """Restarts for each target, and steps of each."""

    restarts: int
    steps: int
    seed: int


@dataclass(frozen=True, eq=False)
class Runtime:
    """A network as ONNX Runtime evaluates it, and its graph for gradients."""

    session: Any
    graph: Graph
    rough: Graph

    @classmethod
    def open(cls, path: Path) -> Runtime:
        """Load both."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
        graph = load(str(path)).graph
        return cls(session, graph, graph.to(torch.float32))

    def outputs(self, point: NDArray[np.float32]) -> list[Fraction]:
        """The outputs at one flat point."""
        (given,) = self.session.get_inputs()
        shape = [axis if isinstance(axis, int) else 1 for axis in given.shape]
        (row,) = self.session.run([self.session.get_outputs()[0].name], {given.name: point.reshape(shape)})
        return list(map(Fraction, np.asarray(row).ravel().tolist()))

    def outputs64(self, point: NDArray[np.float32]) -> list[Fraction]:
        """The outputs at one flat point in float64."""
        with torch.no_grad():
            row = self.graph.forward(torch.from_numpy(point).double().reshape(1, *self.graph.input_shape))
        return list(map(Fraction, row.ravel().tolist()))


def attack(runtime: Runtime, prop: Formulas, effort: Effort) -> Iterator[NDArray[np.float32]]:
    """The best points (features,) of projected sign-gradient ascent with momentum, one for each target, best first.

    Half of the restarts begin in corners, half anywhere. Steps shrink to a fiftieth of the first, which is half the
    box for one third of the restarts, a sixth and an eighteenth of it for the others.
    """
    lower, upper = _inside(prop)
    generator = torch.Generator().manual_seed(effort.seed)
    count = len(prop.targets(torch.zeros(1, runtime.graph.outputs)))
    restarts = effort.restarts * (MORE_STARTS if len(lower) <= FEW_FEATURES else 1)
    share = torch.rand(restarts, count, len(lower), generator=generator)
    share[: restarts // 2] = share[: restarts // 2].round()
    points = (lower + (upper - lower) * share).flatten(0, 1)
    target = torch.arange(count).repeat(restarts)
    best, best_value = points.clone(), torch.full((len(points),), -torch.inf)
    velocity = torch.zeros_like(points)
    reach = (upper - lower) * 3.0 ** -(torch.arange(restarts) % 3).repeat_interleave(count)[:, None]
    for length in np.geomspace(0.5, 0.01, effort.steps):
        points.requires_grad_()
        with torch.enable_grad():
            outputs = runtime.rough.forward(points.reshape(-1, *runtime.graph.input_shape))
            value = prop.targets(outputs).gather(0, target[None]).squeeze(0)
            (gradient,) = torch.autograd.grad(value.sum(), points)
        points = points.detach()
        better = value.detach() > best_value
        best[better], best_value[better] = points[better], value.detach()[better]
        velocity = 0.75 * velocity + gradient / gradient.abs().mean(1, keepdim=True).clamp(min=1e-12)
        points = (points + float(length) * reach * velocity.sign()).clamp(lower, upper)
    order = best_value.argsort(descending=True).tolist()
    chosen = {int(target[k]): k for k in reversed(order)}
    for k in sorted(chosen.values(), key=order.index):
        yield best[k].numpy()


def _inside(prop: Formulas) -> tuple[Tensor, Tensor]:
    """The largest float32 box within the property's."""
    sides = []
    for bounds, outward, wrong in ((prop.box[0], np.inf, 1), (prop.box[1], -np.inf, -1)):
        row = np.array([float(bound) for bound in bounds], np.float32)
        off = [(bound - Fraction(float(x))) * wrong > 0 for bound, x in zip(bounds, row, strict=True)]
        sides.append(torch.from_numpy(np.where(off, np.nextafter(row, np.float32(outward)), row)))
    return sides[0], sides[1]


@dataclass
class Tally:
    """What was found about one set; ``trouble`` is what contradicts it."""

    name: str
    counts: Counter[str] = field(default_factory=Counter)
    closest: float = -np.inf
    trouble: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Doubt:
    """A row of results, to be checked: its answer, and its files."""

    answer: str
    network: Path
    prop: Path
    witness: Path

    def check(self, effort: Effort, tally: Tally) -> None:
        """Compare with the literature, and with a point: the attack's, or the one that was kept."""
        known = known_answer(self.network.name, self.prop.name)
        if known is not None:
            tally.counts["known"] += 1
            if known != self.answer:
                tally.trouble.append(f"{self}: known to be {known}")
        prop = Formulas.read(_existing(self.prop))
        runtime = Runtime.open(_existing(self.network))
        if self.answer == "sat":
            self._replay(runtime, prop, tally)
        elif "X_" in str(prop.others):
            tally.counts["not attacked"] += 1
        else:
            self._attack(runtime, prop, effort, tally)

    def _attack(self, runtime: Runtime, prop: Formulas, effort: Effort, tally: Tally) -> None:
        tally.counts["attacked"] += 1
        for point in attack(runtime, prop, effort):
            inputs = list(map(Fraction, point.tolist()))
            found = [prop.slack_at(inputs, outputs(point)) for outputs in (runtime.outputs, runtime.outputs64)]
            tally.closest = max(tally.closest, float(found[0]))
            if found[0] >= 0 and found[1] > NOISE:
                tally.trouble.append(f"{self}: a counterexample, by {float(found[0]):.3g}")
                return

    def _replay(self, runtime: Runtime, prop: Formulas, tally: Tally) -> None:
        if not self.witness.exists():
            tally.trouble.append(f"{self}: no counterexample in {self.witness}")
            return
        written = re.findall(r"\(([XY])_(\d+)\s+([^\s()]+)\)", self.witness.read_text())
        inputs, outputs = ([Fraction(value) for name, _, value in written if name == side] for side in "XY")
        point = np.array([float(value) for value in inputs], np.float32)
        replayed = runtime.outputs(point)
        if [Fraction(value) for value in point.tolist()] != inputs:
            tally.trouble.append(f"{self}: the counterexample is not in float32")
        elif prop.slack_at(inputs, replayed) < 0:
            tally.trouble.append(f"{self}: the counterexample is none")
        elif max(abs(one - two) for one, two in zip(outputs, replayed, strict=True)) > Fraction(1, 10_000):
            tally.trouble.append(f"{self}: the outputs written are not those of ONNX Runtime")
        else:
            tally.counts["replayed"] += 1

    def __str__(self) -> str:
        return f"{self.network.name} {self.prop.name}: {self.answer}"


def _existing(path: Path) -> Path:
    """The file, or its compressed form."""
    packed = path.with_name(path.name + ".gz")
    return packed if not path.exists() and packed.exists() else path


def doubts(name: str, results: Path) -> list[Doubt]:
    """The decided rows of a set."""
    with (results / f"{name}.csv").open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["answer"] in ("sat", "unsat")]
    return [
        Doubt(
            row["answer"],
            DATA / name / row["network"],
            DATA / name / row["property"],
            results / "witnesses" / f"{Path(row['network']).name}-{Path(row['property']).name}.txt",
        )
        for row in rows
    ]


def main() -> int:
    """Check sets, print what was found, and say by the exit status whether something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", help="all of the results folder when none is given")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--restarts", type=int, default=16)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    effort = Effort(options.restarts, options.steps, options.seed)
    table = Table(title="answers checked")
    columns = ("attacked", "not attacked", "replayed", "known")
    for heading in ("set", *columns, "closest", "contradictions"):
        table.add_column(heading, justify="left" if heading == "set" else "right")
    trouble = []
    for name in options.sets or sorted(path.stem for path in options.results.glob("*.csv")):
        tally = Tally(name)
        for doubt in doubts(name, options.results)[:: options.every]:
            doubt.check(effort, tally)
        counts = [str(tally.counts[column]) for column in columns]
        table.add_row(name, *counts, f"{tally.closest:.3g}", str(len(tally.trouble)))
        trouble += tally.trouble
    console = Console(soft_wrap=True)
    console.print(table)
    for line in trouble:
        console.print(line, highlight=False, markup=False)
    return 1 if trouble else 0


if __name__ == "__main__":
    sys.exit(main())
