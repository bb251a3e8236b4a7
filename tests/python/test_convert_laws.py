"""Laws of conversions, on generated hierarchies: formats bring back what they hold, names keep their classes."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import networkx as nx
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprover.hierarchy.canonical import to_sexp
from pyprover.hierarchy.convert.conversion import Conversion, Request, convert
from pyprover.hierarchy.convert.source import ConversionError
from pyprover.hierarchy.convert.writers.hier import spelling
from pyprover.hierarchy.lattice import ROOT, Hierarchy, Kind
from pyprover.hierarchy.reader import of_bytes

NAMES = [
    "polar bear",
    "group",
    "é",
    'say "miaow"',
    "back\\slash",
    "a;b",
    "(* x *)",
    "3",
    "x'",
    "日本",
    "a,b",
    "[c]",
    "#d",
]
NAMES += [":e", "null", "yes", "name", "tree", "-1.5", "index", "&f", "*g", "*)", "{h}", "nodes", "a\u2028b", "x\x85y"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("convert")


def through(folder: Path, file: str, text: str, **options: object) -> Conversion:
    path = folder / file
    path.write_text(text, encoding="utf-8")
    return convert(Request(str(path), **options))  # type: ignore[arg-type]


@st.composite
def hierarchies(draw: st.DrawFn, *, beside: bool = True) -> Hierarchy:
    """A hierarchy with odd names; with overlays, cuts and never pairs when ``beside``."""
    size = draw(st.integers(2, 9))
    fresh = iter([*draw(st.permutations(NAMES)), *(f"n{i}" for i in range(20))])
    indexes = iter(draw(st.permutations(range(size))))

    def members(count: int) -> Iterator[str]:
        arity = draw(st.integers(2, min(count, 4)))
        for share in [count // arity + (i < count % arity) for i in range(arity)]:
            name = spelling(next(fresh))
            yield f"class {name} = {next(indexes)}" if share == 1 else f"group {name} {{ {' '.join(members(share))} }}"

    plain = of_bytes("plain", f"hierarchy {spelling(next(fresh))} {{ {' '.join(members(size))} }}".encode())
    if not beside:
        return plain
    classes = st.sets(st.integers(0, size - 1), min_size=2, max_size=size)
    known = {node.extension for node in plain.nodes}
    extra = [
        overlay for overlay in draw(st.lists(classes.map(frozenset), max_size=3, unique=True)) if overlay not in known
    ]
    names = [spelling(node.name) for node in plain.nodes]
    declared = [
        f"overlay o{i} = {{ {', '.join(spelling(plain.class_names[c]) for c in sorted(overlay))} }}"
        for i, overlay in enumerate(extra)
    ]
    if draw(st.booleans()):
        declared.append(f"cut top = {{ {', '.join(names[child] for child in plain.nodes[ROOT].children)} }}")
    pairs = draw(st.lists(st.tuples(*2 * [st.integers(1, len(names) - 1)]), max_size=3))
    declared += [
        f"never {names[a]} -> {names[b]}" for a, b in pairs if not plain.nodes[a].extension & plain.nodes[b].extension
    ]
    tree = " ".join(_members(plain, ROOT))
    return of_bytes("full", f"hierarchy {names[ROOT]} {{ {tree} {' '.join(declared)} }}".encode())


def _members(hierarchy: Hierarchy, node: int) -> Iterator[str]:
    for child in hierarchy.nodes[node].children:
        name, below = spelling(hierarchy.nodes[child].name), hierarchy.nodes[child]
        if below.kind is Kind.CLASS:
            yield f"class {name} = {min(below.extension)}"
        else:
            yield f"group {name} {{ {' '.join(_members(hierarchy, child))} }}"


def hier_text(hierarchy: Hierarchy) -> str:
    overlays = [
        f"overlay {spelling(hierarchy.nodes[i].name)} = "
        f"{{ {', '.join(spelling(hierarchy.class_names[c]) for c in sorted(hierarchy.extension(i)))} }}"
        for i in hierarchy.overlays
    ]
    nodes = hierarchy.nodes
    cuts = [
        f"cut {spelling(name)} = {{ {', '.join(spelling(nodes[b].name) for b in blocks)} }}"
        for name, blocks in hierarchy.cuts.items()
    ]
    never = [f"never {spelling(nodes[a].name)} -> {spelling(nodes[b].name)}" for a, b in hierarchy.never]
    rest = " ".join([*_members(hierarchy, ROOT), *overlays, *cuts, *never])
    return f"hierarchy {spelling(hierarchy.name)} {{ {rest} }}"


# What we write, we read: the same meaning comes back.


@settings(deadline=None)
@given(hierarchies())
def test_hier_and_json_hold_everything(folder: Path, hierarchy: Hierarchy) -> None:
    expected = to_sexp(hierarchy)
    again = through(folder, "a.hier", hier_text(hierarchy))
    assert to_sexp(of_bytes("again", again.text.encode())) == expected
    written = through(folder, "b.hier", again.text, target_format="json")
    assert json.loads(written.text)
    assert to_sexp(through(folder, "c.json", written.text).hierarchy) == expected


@settings(deadline=None)
@given(hierarchies(beside=False))
def test_newick_holds_the_tree(folder: Path, hierarchy: Hierarchy) -> None:
    written = through(folder, "a.hier", hier_text(hierarchy), target_format="newick").text
    assert to_sexp(through(folder, "a.nwk", written).hierarchy) == to_sexp(hierarchy)


_QUOTED = r'"((?:[^"\\]|\\.)*)"'


@settings(deadline=None)
@given(hierarchies(beside=False))
def test_dot_draws_every_link(folder: Path, hierarchy: Hierarchy) -> None:
    written = through(folder, "a.hier", hier_text(hierarchy), target_format="dot").text

    def plain(name: str) -> str:
        return re.sub(r"\\(.)", r"\1", name)

    links = [(plain(a), plain(b)) for a, b in re.findall(rf"^  {_QUOTED} -> {_QUOTED}$", written, re.MULTILINE)]
    indexes = {plain(a): int(i) for a, i in re.findall(rf"^  {_QUOTED} \[shape=ellipse, index=(\d+)\]$", written, re.M)}
    graph = nx.DiGraph(links)
    for node in hierarchy.nodes:
        below = {node.name, *nx.descendants(graph, node.name)}
        assert frozenset(indexes[name] for name in below if name in indexes) == node.extension


# What others write, we read.


def edges_of(hierarchy: Hierarchy) -> list[tuple[str, str]]:
    nodes = hierarchy.nodes
    return [(node.name, nodes[child].name) for node in nodes for child in node.children]


def as_csv(hierarchy: Hierarchy) -> tuple[str, str]:
    out = io.StringIO()
    index = {name: i for i, name in enumerate(hierarchy.class_names)}
    rows = [[child, parent, index.get(child, "")] for parent, child in edges_of(hierarchy)]
    csv.writer(out).writerows([["class", "parent", "index"], *rows])
    return "a.csv", out.getvalue()


def as_nested(hierarchy: Hierarchy, node: int = ROOT) -> object:
    below = hierarchy.nodes[node]
    if below.kind is Kind.CLASS:
        return min(below.extension)
    return {hierarchy.nodes[child].name: as_nested(hierarchy, child) for child in below.children}


def as_json(hierarchy: Hierarchy) -> tuple[str, str]:
    return "b.json", json.dumps({"tree": {hierarchy.name: as_nested(hierarchy)}}, indent="\t")


def as_yaml(hierarchy: Hierarchy) -> tuple[str, str]:
    # Other characters than ASCII as escapes: a NEL in a YAML scalar is a line break.
    return "c.yaml", yaml.safe_dump({"tree": {hierarchy.name: as_nested(hierarchy)}})


def as_objects(hierarchy: Hierarchy) -> tuple[str, str]:
    def item(node: int) -> dict[str, object]:
        below = hierarchy.nodes[node]
        if below.kind is Kind.CLASS:
            return {"name": below.name, "index": min(below.extension)}
        return {"name": below.name, "children": [item(child) for child in below.children]}

    return "d.json", json.dumps(item(ROOT))


@settings(deadline=None)
@given(hierarchies(beside=False), st.sampled_from([as_csv, as_json, as_yaml, as_objects]))
def test_other_writers(folder: Path, hierarchy: Hierarchy, write: Callable[[Hierarchy], tuple[str, str]]) -> None:
    file, text = write(hierarchy)
    assert to_sexp(through(folder, file, text).hierarchy) == to_sexp(hierarchy)


@settings(deadline=None)
@given(hierarchies(beside=False), st.sampled_from(["links", "edges"]))
def test_networkx(folder: Path, hierarchy: Hierarchy, key: str) -> None:
    text = json.dumps(nx.node_link_data(nx.DiGraph(edges_of(hierarchy)), edges=key))
    (folder / "classes.json").write_text(json.dumps(hierarchy.class_names), encoding="utf-8")
    done = through(folder, "n.json", text, source_format="node-link", classes=str(folder / "classes.json"))
    assert to_sexp(done.hierarchy) == to_sexp(hierarchy)


# Graphs with several parents.


@dataclass(frozen=True)
class Graph:
    links: list[tuple[str, str]]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """An acyclic graph below node 0: every other node has one parent or more among the earlier ones."""
    count = draw(st.integers(3, 14))
    links = []
    for node in range(1, count):
        parents = draw(st.lists(st.integers(0, node - 1), min_size=1, max_size=3, unique=True))
        links += [(f"n{parent}", f"n{node}") for parent in parents]
    return Graph(draw(st.permutations(links)))


@settings(deadline=None, max_examples=300)
@given(graphs())
def test_names_keep_their_classes(folder: Path, drawn: Graph) -> None:
    """The meaning of each name by another library; a name is a node, an overlay, or an alias of one."""
    text = "parent,child\n" + "\n".join(f"{parent},{child}" for parent, child in drawn.links)
    graph = nx.DiGraph(drawn.links)
    leaves = sorted(node for node in graph if graph.out_degree(node) == 0)
    if len(leaves) < 2:
        with pytest.raises(ConversionError, match="at least two classes"):
            through(folder, "g.csv", text, order="sorted")
        return
    done = through(folder, "g.csv", text, order="sorted")
    found = {}
    tree = [done.tree.root]
    for node in tree:
        tree += node.children
        for name in (node.name, *node.aliases):
            found[name] = done.hierarchy.extension(done.hierarchy.by_name[node.name])
    for overlay in done.tree.overlays:
        for name in (overlay.name, *overlay.aliases):
            found[name] = done.hierarchy.extension(done.hierarchy.by_name[overlay.name])
    below = {node: {node, *nx.descendants(graph, node)} for node in graph}
    assert found == {node: frozenset(leaves.index(leaf) for leaf in below[node] if leaf in leaves) for node in graph}


@settings(deadline=None)
@given(graphs())
def test_trees_stay_trees(folder: Path, drawn: Graph) -> None:
    """With one parent each, nothing becomes an overlay."""
    first = {child: parent for parent, child in reversed(drawn.links)}
    links = [(parent, child) for child, parent in first.items()]
    text = "parent,child\n" + "\n".join(f"{parent},{child}" for parent, child in links)
    try:
        done = through(folder, "t.csv", text, order="sorted")
    except ConversionError as error:
        assert "at least two classes" in str(error)  # noqa: PT017
        return
    assert not done.tree.overlays


@settings(deadline=None)
@given(hierarchies(beside=False))
def test_closed_circles_are_refused(folder: Path, hierarchy: Hierarchy) -> None:
    links = edges_of(hierarchy)
    links.append((hierarchy.class_names[0], hierarchy.name))
    out = io.StringIO()
    csv.writer(out).writerows([("parent", "child"), *links])
    with pytest.raises(ConversionError, match="the links make a cycle"):
        through(folder, "circle.csv", out.getvalue(), order="sorted")


# Depth, and damage.


@pytest.mark.parametrize("suffix", ["csv", "json", "nwk"])
def test_deep_trees(folder: Path, suffix: str) -> None:
    """Induced hierarchies may be combs, deeper than Python calls."""
    depth = 1100
    if suffix == "csv":
        comb = "".join(f"g{i},c{i}\ng{i},g{i + 1}\n" for i in range(depth))
        text = f"parent,child\n{comb}g{depth},x\ng{depth},y\n"
    elif suffix == "json":
        comb = "".join(f'{{"g{i}": {{"c{i}": null, "rest{i}": ' for i in range(depth))
        text = comb + '{"x": null, "y": null}' + "}}" * depth
    else:
        text = "(" * depth + "x" + "".join(f",c{i})g{i}" for i in range(depth)) + ";"
    target = {"csv": "json", "json": "newick", "nwk": "dot"}[suffix]
    done = through(folder, f"deep.{suffix}", text, order="sorted", target_format=target)
    assert len(done.hierarchy.leaves) > depth


GOOD = sorted((Path(__file__).resolve().parents[2] / "tests" / "hierarchy" / "convert" / "good").iterdir())
PIECES = [
    b"",
    b"\n",
    b"\r\n",
    b"\xe9",
    b"\0",
    b"\t",
    "é\u2028".encode(),
    *b"{ } [ ] ( ) \" ' : , ; # & * - -1 0 null \\ ! ?".split(),
]


@settings(deadline=None, max_examples=400)
@given(st.data())
def test_damaged_files_are_converted_or_refused(folder: Path, data: st.DataObject) -> None:
    """Never anything else: an exception of another kind is a bug."""
    chosen = data.draw(st.sampled_from(GOOD))
    raw = chosen.read_bytes()
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(raw)))
        end = min(len(raw), start + data.draw(st.sampled_from([0, 0, 1, 3, 20])))
        raw = raw[:start] + data.draw(st.sampled_from(PIECES)) + raw[end:]
    damaged = folder / chosen.name
    damaged.write_bytes(raw)
    as_order, as_classes = Request(str(damaged), order="sorted"), Request(str(chosen), classes=str(damaged))
    for request in (Request(str(damaged)), as_order, as_classes, replace(as_order, names=str(damaged))):
        with contextlib.suppress(ConversionError):
            convert(request)
