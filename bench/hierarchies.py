"""Hierarchies of others, converted: `python bench/hierarchies.py` prints what became of each file in the data folder.

The columns: classes, groups (without the root) and depth of the result; merged, the nodes that had the same classes as
another and became its aliases; overlays, the groups that left the tree because a node had several parents.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from pyprover.hierarchy.convert.conversion import Request, convert
from pyprover.hierarchy.convert.shape import preorder
from pyprover.hierarchy.convert.source import ConversionError

FOLDER = Path(os.environ.get("CAISAR_EXT_DATA") or "~/.cache/caisar-ext").expanduser() / "hierarchies"


@dataclass(frozen=True)
class Case:
    """One conversion; names of files are relative to the folder."""

    file: str
    classes: str | None = None
    names: str | None = None
    order: str | None = None


IMAGENET = "breeds_dataset_class_info.json"
CASES = (
    Case("own_cifar10_animal_vehicle.json", order="appearance"),
    Case("cifar100_fine_to_coarse.csv"),
    Case("gtsrb_class_to_group.csv"),
    Case("nbdt_cifar10_induced_resnet18.json", classes="nbdt_cifar10_wnids.txt"),
    Case("nbdt_cifar10_induced_wrn28_10.json", classes="nbdt_cifar10_wnids.txt"),
    Case("nbdt_cifar10_wordnet.json", classes="nbdt_cifar10_wnids.txt"),
    Case("nbdt_cifar100_induced_wrn28_10.json", classes="nbdt_cifar100_wnids.txt"),
    Case("nbdt_cifar100_wordnet.json", classes="nbdt_cifar100_wnids.txt"),
    Case("nbdt_tinyimagenet200_wordnet.json", classes="nbdt_tinyimagenet200_wnids.txt"),
    Case("hiercls_audioset_tree.csv", order="sorted"),
    Case("hiercls_audioset_tree.csv", classes="hiercls_audioset_tree_subset.txt"),
    Case("hiercls_imagenet_fiveai.csv", classes=IMAGENET, names="breeds_node_names.txt"),
    Case("hiercls_inat19.csv", order="sorted"),
    Case("hiercls_tiered_imagenet.csv", order="sorted"),
    Case("hiercls_tiny_imagenet_fiveai.csv", classes="nbdt_tinyimagenet200_wnids.txt"),
    Case("mbm_imagenet_isa.txt", classes=IMAGENET),
    Case("mbm_inaturalist19_isa.txt", order="sorted"),
    Case("mbm_tiered_imagenet_isa.txt", order="sorted"),
    Case("breeds_class_hierarchy.txt", order="sorted", names="breeds_node_names.txt"),
    Case("breeds_class_hierarchy.txt", classes=IMAGENET),
    Case("hiercls_imagenet_fiveai.csv"),
    Case("breeds_node_names.txt"),
    Case("nbdt_cifar10_wnids.txt"),
    Case("breeds_dataset_class_info.json"),
)


@dataclass(frozen=True)
class Outcome:
    """What became of a file: its numbers, or the first mistake."""

    source_format: str = ""
    classes: int = 0
    groups: int = 0
    depth: int = 0
    merged: int = 0
    overlays: int = 0
    refused: str = ""


def outcome(case: Case, folder: Path) -> Outcome:
    """Convert one file."""

    def path(name: str | None) -> str | None:
        return str(folder / name) if name is not None else None

    request = Request(str(folder / case.file), classes=path(case.classes), names=path(case.names), order=case.order)
    try:
        done = convert(request)
    except ConversionError as error:
        return Outcome(refused=error.complaints[0].message.replace(f"{folder}{os.sep}", ""))
    nodes = [node for node, _ in preorder(done.tree.root)]
    return Outcome(
        done.source_format,
        classes=len(done.hierarchy.leaves),
        groups=sum(node.index is None for node in nodes) - 1,
        depth=done.hierarchy.depth,
        merged=done.source_nodes - len(nodes) - len(done.tree.overlays),
        overlays=len(done.tree.overlays),
    )


def main() -> int:
    """Print one line a case."""
    missing = sorted({case.file for case in CASES if not (FOLDER / case.file).exists()})
    if missing:
        print(f"no {FOLDER / missing[0]}: set CAISAR_EXT_DATA to the folder of external data", file=sys.stderr)
        return 0
    print("| file | indexes from | format | classes | groups | depth | merged | overlays |")
    print("|---|---|---|---|---|---|---|---|")
    for case in CASES:
        found = outcome(case, FOLDER)
        indexes = case.classes or (f"order: {case.order}" if case.order else "the file")
        numbers = [found.source_format, found.classes, found.groups, found.depth, found.merged, found.overlays]
        cells = [f"refused: {found.refused}"] + [""] * 5 if found.refused else numbers
        print("| " + " | ".join(map(str, [case.file, indexes, *cells])) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
