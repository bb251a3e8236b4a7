"""Hierarchies of others, as they are published: each is converted, or refused for the right reason."""

from __future__ import annotations

import csv
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import networkx as nx
import pytest

from pyprover.hierarchy.canonical import to_sexp
from pyprover.hierarchy.convert.conversion import Request, convert
from pyprover.hierarchy.lattice import Cut

pytestmark = pytest.mark.data("hierarchies")
BENCH = Path(__file__).resolve().parents[2] / "bench" / "hierarchies.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_hierarchies", BENCH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


bench = load()

# Classes as their publications count them; what is refused, and why.
CLASSES = {
    "audioset": 370,
    "breeds": 890,
    "cifar100": 100,
    "cifar10": 10,
    "gtsrb": 43,
    "tinyimagenet200": 200,
    "tiny_imagenet": 200,
    "tiered_imagenet": 608,
    "imagenet": 1000,
    "inat": 1010,
}
REFUSED = {
    ("hiercls_audioset_tree.csv", "hiercls_audioset_tree_subset.txt"): 'class "/m/09x0r" is a group of 7',
    ("breeds_class_hierarchy.txt", "breeds_dataset_class_info.json"): 'class "n01871265" is not in',
    ("hiercls_imagenet_fiveai.csv", None): "does not say which class is which output",
    ("breeds_node_names.txt", None): "the links make a cycle: dummy39 -> dummy39",
    ("nbdt_cifar10_wnids.txt", None): "expected 2 names on this line, found 1 name",
    ("breeds_dataset_class_info.json", None): "expected a name or a group",
}


@pytest.mark.parametrize("case", bench.CASES, ids=lambda case: f"{case.file}-{case.classes or case.order}")
def test_published_files(case: object, data_dir: Path) -> None:
    file, classes, order = (getattr(case, name) for name in ("file", "classes", "order"))
    found = bench.outcome(case, data_dir / "hierarchies")
    if order is None and (file, classes) in REFUSED:
        assert REFUSED[file, classes] in found.refused
        return
    assert not found.refused
    counted = next(count for part, count in CLASSES.items() if part in file)
    assert found.classes == counted


def test_every_file_has_a_case(data_dir: Path) -> None:
    used = {name for case in bench.CASES for name in (case.file, case.classes, case.names) if name}
    found = {path.name for path in (data_dir / "hierarchies").iterdir() if "LICENSE" not in path.name}
    assert found <= used


def test_coarse_labels_are_a_cut(data_dir: Path) -> None:
    """The cut of the table says of each pair of classes what the table says."""
    path = data_dir / "hierarchies" / "cifar100_fine_to_coarse.csv"
    hierarchy = convert(Request(str(path))).hierarchy
    with path.open(encoding="utf-8") as lines:
        coarse = {int(row["fine_index"]): (row["fine"], row["coarse"]) for row in csv.DictReader(lines)}
    for a, (name, group) in coarse.items():
        assert hierarchy.class_names[a] == name
        for b, (_, other) in coarse.items():
            assert hierarchy.within(Cut("coarse"), reference=a, answer=b) == (group == other)


@pytest.mark.parametrize("name", ["cifar10_wordnet", "cifar100_wordnet", "cifar100_induced_wrn28_10"])
def test_decision_trees_keep_their_groups(name: str, data_dir: Path) -> None:
    """The sets of classes of a tree are those that networkx finds in the file."""
    folder = data_dir / "hierarchies"
    wnids = folder / f"nbdt_{name.partition('_')[0]}_wnids.txt"
    path = folder / f"nbdt_{name}.json"
    hierarchy = convert(Request(str(path), classes=str(wnids))).hierarchy
    graph = nx.node_link_graph(json.loads(path.read_text()), edges="links")
    index = {wnid: i for i, wnid in enumerate(wnids.read_text().split())}
    expected = {
        frozenset(index[below] for below in {node, *nx.descendants(graph, node)} if below in index) for node in graph
    }
    assert {node.extension for node in hierarchy.nodes} == expected


def test_two_publications_of_one_hierarchy(data_dir: Path) -> None:
    """Commas or blanks, one order of links or another: the hierarchy of ImageNet is the same."""
    folder = data_dir / "hierarchies"
    classes = str(folder / "breeds_dataset_class_info.json")
    files = ("hiercls_imagenet_fiveai.csv", "mbm_imagenet_isa.txt")
    first, second = (to_sexp(convert(Request(str(folder / file), classes=classes)).hierarchy) for file in files)
    assert first == second
