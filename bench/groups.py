"""Group queries: no vehicle answered for an animal, and the like, around CIFAR-10 images; and a toy of three ReLUs.

Each query is measured twice: one after the other in a persistent process, as an orchestrator asks them (the answering
alone, the network and the properties being loaded), and each in a process of its own, start-up included. `--marabou`
adds Marabou on the same queries. Rows go to `bench/results/groups*.csv` at once; `--resume` goes on with them.

Needs `nets/groups` and its networks in the data folder. Exits with 1 when two runs contradict
each other, 3 for a mistake in the usage.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from marabou import Marabou
from rich.console import Console
from vnnlib_sets import DATA, RESULTS, contradictions, results_file, summary

from pyprover.children import Ended, Task, code_version, run_all
from pyprover.errors import UserError
from pyprover.vnnlib.instances import Instance, Results, Row
from pyprover.vnnlib.running import Plan, run_set

LIMIT = 60.0


@dataclass(frozen=True)
class Group:
    """The queries of a folder of `nets/groups`, all on one network."""

    folder: str
    network: str

    def instances(self, limit: float) -> list[Instance]:
        """The queries, in the order of their numbers."""
        files = sorted((DATA / "groups" / self.folder).glob("*.vnnlib*"), key=lambda file: (len(file.name), file.name))
        return [Instance(DATA, self.network, str(file.relative_to(DATA)), limit) for file in files]


GROUPS = (
    Group("resnet2b_2_255", "cifar10_resnet/onnx/resnet_2b.onnx"),
    Group("base_2_255", "oval21/onnx/cifar_base_kw.onnx"),
    Group("toy", "groups/toy/toy.onnx"),
)


def answer_all(group: Group, limit: float, results: Results) -> None:
    """Answer a group's queries in this process; a row for each that has none."""
    import torch

    from pyprover.engine import Network
    from pyprover.vnnlib.deciding import decide, pose

    torch.set_num_threads(1)
    network = Network.open(str(DATA / group.network))
    commit = code_version()
    known = {row.key for row in results.rows()}
    for instance in group.instances(limit):
        if instance.key in known:
            continue
        asked = pose(network, instance.files()[1])
        wall, cpu = time.monotonic(), time.process_time()
        decision = decide(network, asked, wall + limit)
        wall, cpu = time.monotonic() - wall, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        answer = "timeout" if wall > limit else decision.result
        results.add(Row(*instance.key, answer, round(wall, 2), round(cpu, 2), round(peak, 1), limit, commit))


def in_one_process(group: Group, options: argparse.Namespace) -> list[Row]:
    """The rows of a persistent process, which is a child: a crash is seen, and our own memory stays small."""
    path = options.output / "groups_persistent.csv"
    arguments = ["--answer-all", group.folder, "--limit", str(options.limit), "--output", str(options.output)]
    command = [sys.executable, str(Path(__file__).resolve()), *arguments]
    failures: list[str] = []

    def report(ended: Ended[str]) -> None:
        if ended.status:
            failures.append(f"{ended.task.name}: exit status {ended.status}\n{ended.stderr}")

    count = len(group.instances(options.limit))
    run_all([Task(group.folder, command, options.limit * count, {"OMP_NUM_THREADS": "1"})], 1, report)
    if failures:
        sys.exit(failures[0])
    keys = {instance.key for instance in group.instances(options.limit)}
    return [row for row in Results.resume(path).rows() if row.key in keys]


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [group.folder for group in GROUPS]
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(names)}; all by default")
    parser.add_argument("--limit", type=float, default=LIMIT, metavar="SECONDS", help="a query (default 60)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N")
    parser.add_argument("--resume", action="store_true", help="keep earlier rows, run what is missing")
    parser.add_argument("--marabou", action="store_true", help="run Marabou on the same queries too")
    parser.add_argument("--output", type=Path, default=RESULTS, metavar="FOLDER", help="where results go")
    parser.add_argument("--answer-all", choices=names, help=argparse.SUPPRESS)  # how the persistent child is started
    options = parser.parse_args(arguments)
    if unknown := set(options.groups) - set(names):
        parser.error(f"no group {', '.join(sorted(unknown))}: there are {', '.join(names)}")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the queries; print the table; the exit status."""
    options = parse(arguments)
    chosen = [group for group in GROUPS if not options.groups or group.folder in options.groups]
    if options.answer_all is not None:
        (group,) = (group for group in GROUPS if group.folder == options.answer_all)
        answer_all(group, options.limit, Results.resume(options.output / "groups_persistent.csv"))
        return 0
    files = {"persistent": "groups_persistent", "own process": "groups", "Marabou": "groups_marabou"}
    ways = [way for way in files if way != "Marabou" or options.marabou]
    results = {way: results_file(options.output / f"{files[way]}.csv", options) for way in ways}
    runs: dict[str, list[Row]] = {}
    wrong: list[str] = []
    for group in chosen:
        instances = group.instances(options.limit)
        rows = in_one_process(group, options)
        runs[f"{group.folder}, persistent"] = rows
        plan = Plan(options.jobs, results=results["own process"], witnesses=options.output / "witnesses")
        runs[f"{group.folder}, own process"] = run_set(instances, plan)
        if options.marabou:
            beside = Marabou.installed().run_set(instances, options.jobs, results["Marabou"])
            runs[f"{group.folder}, Marabou"] = beside
        wrong += [
            line for way, other in runs.items() if way.startswith(group.folder) for line in contradictions(rows, other)
        ]
    Console(width=110).print(summary(runs))
    for line in wrong:
        print(f"CONTRADICTION {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        print(f"error: {error.message}\n{error.hint or ''}", file=sys.stderr)
        sys.exit(3)
