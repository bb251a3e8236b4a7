"""Memory and time of zonotope analyses with every storage of noise: `docs/memory.md` shows the tables and plots.

Each measurement is a process of its own: the peak of resident memory as the operating system counts it, less what was
resident when the analysis began (libraries, the network), and CPU seconds. *Holds* is what the storage itself says it
has in memory, at most over all steps, *largest* the largest noise of one value. Bounds are compared with dense ones.

    python bench/memory.py --quick                 the small networks with the fast storages: two minutes
    python bench/memory.py --resume                everything that is not in the results yet
    python bench/memory.py --network vgg16         a 224 by 224 network of which a 32 by 32 window is perturbed
    python bench/memory.py --predict               the same network with every pixel perturbed, by the cost model
    python bench/memory.py --write vgg16 FOLDER    its files with a specification of robustness:
    caisar-ext verify FOLDER/vgg16.mlw --domain zonotope --memory-limit 2GiB --noise-directory FOLDER --verbose

The networks have random weights and are written to a cache folder; rows go to `bench/results/memory.csv` at once.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from math import nan, prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from memory_networks import network
from memory_plots import plot
from memory_rows import Row, read, write
from rich.console import Console
from rich.table import Table

from pyprover.children import code_version
from pyprover.domains.base import Box
from pyprover.domains.noise.blocks import Split
from pyprover.domains.noise.dense import DenseNoise
from pyprover.domains.noise.kinds import DenseKind, Kind, SparseKind, SplitKind, WindowKind
from pyprover.domains.noise.plan import Account, Batch, forecast, kinds, reaches
from pyprover.domains.noise.reach import Activity
from pyprover.domains.noise.sparse import SparseNoise
from pyprover.domains.noise.storage import Storage
from pyprover.domains.noise.store import Disk, Memory
from pyprover.domains.noise.windows import WindowNoise
from pyprover.domains.zonotope import Propagation
from pyprover.graph import Graph
from pyprover.load import load
from pyprover.memory import limit_memory

RESULTS = Path(__file__).resolve().parent / "results"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "caisar-ext-bench"

_LIMIT = 20 << 30
_BLOCK = 128
"""Symbols of a block of split noise."""


@dataclass(frozen=True)
class Task:
    """An analysis of a network over an image of which a window (in pixels; 0: all) may vary by ``radius``.

    ``robust``: a radius at which the class stays, for specifications.
    """

    network: str
    radius: float
    robust: float
    window: int
    storages: tuple[str, ...]

    def region(self, shape: tuple[int, ...], radius: float) -> Box:
        """The box (1, *shape): a random image, kept within what images may be."""
        centre = torch.from_numpy(np.random.default_rng(0).random((1, *shape)))
        side = self.window or shape[1]
        first = (shape[1] - side) // 2
        moved = torch.zeros_like(centre)
        moved[..., first : first + side, first : first + side] = radius
        return Box((centre - moved).clamp(min=0), (centre + moved).clamp(max=1))


ALL = ("dense", "sparse", "patch", "patch anew", "dense, split", "patch, split", "dense, disk", "patch, disk")
TASKS = (
    Task("conv", 2 / 255, 0.1 / 255, 0, ALL),
    Task("resnet", 2 / 255, 0.1 / 255, 0, ALL),
    Task("vgg16", 0.02 / 255, 0.002 / 255, 32, ("patch, disk",)),
)
_KINDS: dict[str, Kind] = {"dense": DenseKind(), "sparse": SparseKind(), "patch": WindowKind()}
_PLAIN: dict[str, Storage] = {
    "dense": DenseNoise.none,
    "sparse": SparseNoise.none,
    "patch": WindowNoise.none,
    "patch anew": WindowNoise.thrifty,
}
"""*anew*: windows after a convolution are computed when they are read."""

QUICK = ("dense", "sparse", "patch", "patch, disk")


def storage_of(name: str, folder: str) -> Storage:
    """A storage by its name; what is on disk goes to a folder."""
    inner, _, place = name.partition(", ")
    plain = _PLAIN[inner]
    return Split(plain, _BLOCK, Disk(Path(folder)) if place == "disk" else Memory()) if place else plain


def kind_of(name: str, folder: str) -> Kind | None:
    """What the cost model calls a storage; ``None`` for what is never planned."""
    inner, _, place = name.partition(", ")
    plain = _KINDS.get(inner)
    return SplitKind(plain, _BLOCK, Path(folder) if place == "disk" else None) if plain and place else plain


def one(task: Task, storage: str, folder: str) -> dict[str, Any]:
    """Measure in this process: the fields of a `Row` but ``difference``; and ``bounds``, those of the outputs."""
    torch.set_num_threads(1)
    graph = load(str(network(task.network, CACHE))).graph
    region = task.region(graph.input_shape, task.radius)
    limit_memory(_LIMIT)  # as provers do: it decides, too, how freed memory goes back to the system
    _warm_up(graph)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak counts from here
    base, cpu, wall = _resident("VmRSS"), time.process_time(), time.monotonic()
    held, largest, needs = [], 0, []
    kind = kind_of(storage, folder)
    account = None if kind is None else Account(graph, kind, Batch(), int((region.lower < region.upper).sum()))

    def before(position: int, activity: Activity) -> None:
        if account is not None:
            needs.append(account.step(position, activity).need)

    with torch.inference_mode():
        analysis = Propagation(graph, region, lambda: None, storage_of(storage, folder), before=before)
        for value in range(graph.output + 1):
            found = analysis.value(value)
            largest = max(largest, found.noise.bytes)
            held.append(sum({id(it.noise): it.noise.bytes for it in analysis.live}.values()))
        radius = found.noise.radius + found.error
    return {
        "network": task.network,
        "storage": storage,
        "base": base,
        "peak": _resident("VmHWM") - base,
        "predicted": max(needs, default=nan) / 2**20,
        "holds": max(held) / 2**20,
        "largest": largest / 2**20,
        "cpu": time.process_time() - cpu,
        "wall": time.monotonic() - wall,
        "symbols": found.noise.symbols,
        "commit": code_version(),
        "layers": " ".join(f"{size / 2**20:.2f}" for size in held),
        "bounds": torch.stack([found.centre - radius, found.centre + radius]).flatten().tolist(),
    }


def _warm_up(graph: Graph) -> None:
    """What libraries allocate once: threads, kernels, tables."""
    with torch.inference_mode():
        graph.forward(torch.zeros(1, *graph.input_shape, dtype=torch.float64))


def _resident(name: str) -> float:
    """A line of what the system says of this process, in MiB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith(f"{name}:"))


_SPECIFICATION = """\
theory Window
  use int.Int
  use caisar_ext.types.Vector
  use caisar_ext.model.Model
  use caisar_ext.dataset.Dataset
  use caisar_ext.safety.AbstractSafety
  use caisar_ext.region.Regions

  constant net  : model   = read_model "{network}.onnx"
  constant test : dataset = read_dataset "{network}.npz"

  goal robust :
    forall i: int. 0 <= i < length test ->
    forall x: vector real. in_box x (lower test[i]) (upper test[i]) -> predict net x = truth test[i]
end
"""


def write_specification(task: Task, folder: Path) -> None:
    """Write the network, its region with the class at the centre, and that this is the class of the whole region."""
    path = network(task.network, folder)
    graph = load(str(path)).graph
    region = task.region(graph.input_shape, task.robust)
    with torch.inference_mode():
        label = graph.forward(region.centre).argmax(1)
    images = region.centre.to(torch.float32).numpy()
    sides = {"lower": region.lower.numpy(), "upper": region.upper.numpy()}
    np.savez(path.with_suffix(".npz"), images=images, labels=label.numpy(), **sides)
    path.with_suffix(".mlw").write_text(_SPECIFICATION.format(network=task.network), "ascii")


def predicted(task: Task, share: float, folder: Path) -> Table:
    """What the cost model says of each storage when all pixels vary, and so many neurons are unstable; in GiB."""
    graph = load(str(network(task.network, CACHE))).graph
    active = {k: Activity(int(share * prod(node.shape))) for k, node in enumerate(graph.nodes) if not node.op.linear}
    free, batch = prod(graph.input_shape), Batch()
    shown = Table(title=f"{task.network}, every pixel, {share:.0%} of all neurons unstable: GiB by the cost model")
    for heading in ("storage", "memory", "disk"):
        shown.add_column(heading, justify="left" if heading == "storage" else "right")
    for kind in kinds(reaches(graph, free, active), batch, 2 << 30, folder):
        found = forecast(graph, kind, batch, free, active)
        shown.add_row(kind.name, f"{found.peak / 2**30:,.1f}", f"{found.disk / 2**30:,.0f}" if found.disk else "")
    return shown


def measured(task: Task, storage: str, dense: Sequence[float] | None) -> tuple[Row, list[float]]:
    """A measurement in a process of its own, and the bounds of the outputs."""
    with tempfile.TemporaryDirectory(prefix="caisar-ext-memory-", dir=CACHE) as folder:
        call = [sys.executable, __file__, "--one", task.network, storage, folder]
        done = subprocess.run(call, stdout=subprocess.PIPE, text=True, check=True)
    facts = json.loads(done.stdout)
    bounds: list[float] = facts.pop("bounds")
    difference = float("nan")
    if dense is not None:
        scale = max(map(abs, dense))
        difference = max(abs(a - b) for a, b in zip(bounds, dense, strict=True)) / scale
    return Row(difference=difference, **facts), bounds


def missing(tasks: Sequence[Task], known: Sequence[Row], *, quick: bool) -> Iterator[tuple[Task, str]]:
    """What is to be measured; dense noise first, since the others are compared with it."""
    done = {row.key for row in known}
    for task in tasks:
        for storage in task.storages:
            if (not quick or storage in QUICK) and (task.network, storage) not in done:
                yield task, storage


def table(rows: Sequence[Row]) -> Table:
    """Each measurement beside dense noise of the same network."""
    shown = Table(
        title="zonotopes: memory over the baseline, in MiB",
        caption="x: dense / this one; predicted: by the cost model, over the peak",
    )
    for heading in (
        "network",
        "storage",
        "peak",
        "x",
        "predicted",
        "holds",
        "largest",
        "CPU s",
        "time x",
        "bounds differ by",
    ):
        shown.add_column(heading, justify="left" if heading in ("network", "storage") else "right")
    dense = {row.network: row for row in rows if row.storage == "dense"}
    for before, row in zip([None, *rows], rows, strict=False):
        if before is not None and before.network != row.network:
            shown.add_section()
        lean = dense.get(row.network)
        shown.add_row(
            row.network,
            row.storage,
            f"{row.peak:.0f}",
            "" if lean is None else f"{lean.peak / row.peak:.1f}",
            f"{row.predicted / row.peak:.2f}" if row.predicted == row.predicted else "",
            f"{row.holds:.0f}",
            f"{row.largest:.0f}",
            f"{row.cpu:.1f}",
            "" if lean is None else f"{row.cpu / lean.cpu:.2f}",
            f"{row.difference:.0e}" if row.difference == row.difference else "",
        )
    return shown


def measure(wanted: Sequence[tuple[Task, str]], rows: list[Row], path: Path | None) -> None:
    """Add the rows that are wanted, and keep all in a file after each."""
    console = Console(stderr=True)
    bounds: dict[str, list[float]] = {}
    for task, storage in wanted:
        if storage != "dense" and task.network not in bounds and "dense" in task.storages:
            _, bounds[task.network] = measured(task, "dense", None)
        with console.status(f"{task.network}: {storage}"):
            row, found = measured(task, storage, bounds.get(task.network))
        if storage == "dense":
            bounds[task.network] = found
        rows.append(row)
        if path is not None:
            write(path, rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, draw the plots."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small networks, fast storages; prints only")
    parser.add_argument("--network", choices=[task.network for task in TASKS], help="only this one")
    parser.add_argument("--resume", action="store_true", help="measure only what has no row yet")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder for rows and plots")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--predict", action="store_true", help="print what vgg16 would need with every pixel perturbed")
    parser.add_argument(
        "--write", nargs=2, metavar=("NETWORK", "FOLDER"), help="write a network and a specification only"
    )
    parser.add_argument("--one", nargs=3, metavar=("NETWORK", "STORAGE", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    tasks = {task.network: task for task in TASKS}
    if options.predict:
        Console(width=100).print(predicted(tasks["vgg16"], 0.01, CACHE))
        return
    if options.write:
        write_specification(tasks[options.write[0]], Path(options.write[1]))
        return
    if options.one:
        name, storage, folder = options.one
        print(json.dumps(one(tasks[name], storage, folder)))
        return
    CACHE.mkdir(parents=True, exist_ok=True)
    chosen = [task for task in TASKS if options.network in (None, task.network)]
    if options.quick:
        chosen = [task for task in chosen if task.network != "vgg16"]
    path = options.output / "memory.csv"
    again = set() if options.resume else {task.network for task in chosen}
    rows = [] if options.quick else [row for row in read(path) if row.network not in again]
    measure(list(missing(chosen, rows, quick=options.quick)), rows, None if options.quick else path)
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
    else:
        Console(width=120).print(table(rows))
    if not options.quick:
        plot(rows, options.output)


if __name__ == "__main__":
    main()
