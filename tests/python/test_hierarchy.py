"""The Python twin of the class hierarchy: by itself, and side by side with the OCaml one."""

from __future__ import annotations

import itertools
import json
import os
import pty
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprover.errors import UserError
from pyprover.hierarchy.canonical import to_sexp
from pyprover.hierarchy.lattice import ROOT, Cut, Hierarchy, Kind, Level, Up
from pyprover.hierarchy.mistakes import HierarchyError
from pyprover.hierarchy.reader import of_bytes, read_file

ROOT_FOLDER = Path(__file__).resolve().parents[2]
CORPUS = ROOT_FOLDER / "tests" / "hierarchy"
GOOD = sorted((CORPUS / "good").glob("*.hier"))
BAD = sorted((CORPUS / "bad").glob("*.hier"))
EXAMPLES = sorted((ROOT_FOLDER / "examples").glob("*/*.hier"))

assert GOOD
assert BAD


def name_of(path: Path) -> str:
    return path.stem


def read_text(text: str) -> Hierarchy:
    return of_bytes("generated.hier", text.encode())


# Generated texts. The tree has distinct names; lists and indexes may be wrong.

ODD_NAMES = ["polar bear", "group", "é", 'say "miaow"', "back\\slash", "#|", "a;b", "(* x *)", "3", "x'", "日本"]


def spelt(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


@st.composite
def trees(draw: st.DrawFn) -> tuple[str, list[str]]:
    """The text of a tree without its root, and the names in it."""
    pool = [spelt(name) for name in draw(st.permutations(ODD_NAMES))[:3]] + [f"n{i}" for i in range(60)]
    fresh = iter(pool)
    used: list[str] = []
    indexes = itertools.count()

    def member(size: int) -> str:
        name = next(fresh)
        used.append(name)
        if size < 2:
            return f"class {name} = {next(indexes)}"
        arity = draw(st.integers(2, min(size, 4)))
        return f"group {name} {{ {' '.join(member(size // arity) for _ in range(arity))} }}"

    return " ".join(member(draw(st.integers(1, 8))) for _ in range(draw(st.integers(2, 3)))), used


@st.composite
def sound_hierarchies(draw: st.DrawFn) -> Hierarchy:
    """A hierarchy with a cut and never pairs that make sense."""
    tree, _ = draw(trees())
    plain = read_text(f"hierarchy root {{ {tree} }}")

    def blocks(node: int) -> Iterator[int]:
        children = plain.nodes[node].children
        if not children or draw(st.booleans()):
            yield node
        else:
            for child in children:
                yield from blocks(child)

    cut = ", ".join(spelt(plain.nodes[node].name) for node in blocks(ROOT))
    classes = st.integers(0, len(plain.leaves) - 1)
    pairs = [pair for pair in draw(st.lists(st.tuples(classes, classes), max_size=4)) if pair[0] != pair[1]]
    names = plain.class_names
    never = " ".join(f"never {spelt(names[reference])} -> {spelt(names[answer])}" for reference, answer in pairs)
    return read_text(f"hierarchy root {{ {tree} cut k = {{ {cut} }} {never} }}")


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A hierarchy whose overlays, cuts and never pairs name things at random: right or wrong."""
    tree, names = draw(trees())
    some_name = st.sampled_from([*names, *names, "root", "o", "unheard_of"])
    some_names = st.lists(some_name, max_size=4).map(", ".join)
    lists = st.sampled_from(["overlay o", "overlay p", "cut k", "cut l"])
    sets = st.builds(lambda head, members: f"{head} = {{ {members} }}", lists, some_names)
    pairs = st.builds(lambda reference, answer: f"never {reference} -> {answer}", some_name, some_name)
    rest = draw(st.lists(st.one_of(sets, pairs), max_size=4))
    return f"hierarchy root {{\n  {tree}\n  {'  '.join(rest)}\n}}\n"


@st.composite
def damaged_texts(draw: st.DrawFn) -> bytes:
    """A file of the corpus with some stretches replaced."""
    raw = draw(st.sampled_from(GOOD)).read_bytes()
    pieces = [b"", b"\n", b"\r\n", b"\xe9", *b'{ } " (* *) (*) -> - = , \\ cut 7'.split()]
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(raw)))
        end = min(len(raw), start + draw(st.sampled_from([0, 0, 1, 3, 20])))
        raw = raw[:start] + draw(st.sampled_from(pieces)) + raw[end:]
    return raw


# By itself.


@pytest.mark.parametrize("path", [*GOOD, *EXAMPLES], ids=name_of)
def test_good_files_are_read(path: Path) -> None:
    hierarchy = read_file(path)
    assert hierarchy.extension(ROOT) == frozenset(range(len(hierarchy.leaves)))


@pytest.mark.parametrize("path", BAD, ids=name_of)
def test_bad_files_are_refused_with_a_place(path: Path) -> None:
    with pytest.raises(HierarchyError) as refused:
        read_file(path)
    for mistake in refused.value.mistakes:
        assert f"{path}:{mistake.place}: {mistake.message}" in str(refused.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read .*absent.hier: No such file or directory"):
        read_file(tmp_path / "absent.hier")
    with pytest.raises(UserError, match="it is a directory"):
        read_file(tmp_path)


def test_deep_groups_are_no_bug() -> None:
    depth = 3000
    text = "".join(f"class c{i} = {i} group g{i} {{ " for i in range(depth))
    text += f"class c{depth} = {depth} class last = {depth + 1}" + " }" * depth
    hierarchy = read_text(f"hierarchy deep {{ {text} }}")
    assert hierarchy.depth == depth + 1
    assert to_sexp(hierarchy).startswith("((hierarchy(deep((c0 0)(g0((c1 1)")


def names_of(hierarchy: Hierarchy, nodes: Sequence[int]) -> list[str]:
    return [hierarchy.nodes[node].name for node in nodes]


def test_cifar10() -> None:
    tree = read_file(CORPUS / "good" / "cifar10.hier")
    assert tree.class_names[9] == "truck"
    assert names_of(tree, tree.ancestors(5)) == ["dog", "mammal", "animal", "cifar10"]
    assert tree.allowed(Up(1), 5) == {3, 4, 5, 7}
    assert tree.allowed(Up(1), 2) == {2, 3, 4, 5, 6, 7}
    assert tree.allowed(Cut("coarse"), 0) == {0, 1, 8, 9}
    assert tree.allowed(Up(3), 9) == set(range(10)) - {2}
    assert [tree.severity(reference=r, answer=a) for r, a in [(3, 3), (3, 5), (3, 2), (2, 9), (9, 2)]] == [
        0,
        1,
        2,
        3,
        4,
    ]
    assert tree.extension(tree.by_name["pet"]) == {3, 5}


def test_minimal_groups() -> None:
    zoo = read_file(CORPUS / "good" / "overlays.hier")
    assert names_of(zoo, zoo.minimal_groups({0, 1})) == ["pet", "hunter"]
    assert names_of(zoo, zoo.minimal_groups({0, 2})) == ["pets_of_the_house"]
    assert names_of(zoo, zoo.minimal_groups({2, 4})) == ["indoors"]
    assert names_of(zoo, zoo.minimal_groups({1, 5})) == ["zoo"]
    assert zoo.minimal_groups(()) == ()


def test_classes_and_levels_out_of_range() -> None:
    tree = read_file(CORPUS / "good" / "flat.hier")
    for class_index in (-1, 3):
        with pytest.raises(IndexError):
            tree.ancestors(class_index)
        with pytest.raises(IndexError):
            tree.severity(reference=0, answer=class_index)
    with pytest.raises(ValueError, match="negative"):
        Up(-1)


@given(sound_hierarchies(), st.data())
def test_extension_and_common_ancestor_are_adjoint(hierarchy: Hierarchy, data: st.DataObject) -> None:
    wanted = data.draw(st.sets(st.integers(0, len(hierarchy.leaves) - 1)))
    ancestor = hierarchy.lowest_common_ancestor(wanted)
    for node, description in enumerate(hierarchy.nodes):
        below = {node}
        for i in range(node + 1, len(hierarchy.nodes)):
            if hierarchy.nodes[i].parent in below:
                below.add(i)
        assert (ancestor is None or ancestor in below) == (wanted <= description.extension)
        assert hierarchy.lowest_common_ancestor(description.extension) == node


@given(sound_hierarchies())
def test_allowed_is_within_and_not_forbidden(hierarchy: Hierarchy) -> None:
    classes = range(len(hierarchy.leaves))
    levels: list[Level] = [*(Up(k) for k in range(hierarchy.depth + 2)), Cut("k")]
    for level, reference in itertools.product(levels, classes):
        allowed = hierarchy.allowed(level, reference)
        assert reference in allowed
        for answer in classes:
            within = hierarchy.within(level, reference=reference, answer=answer)
            forbidden = any(
                reference in hierarchy.extension(r) and answer in hierarchy.extension(a) for r, a in hierarchy.never
            )
            assert (answer in allowed) == (within and not forbidden)


@given(sound_hierarchies())
def test_cuts_partition(hierarchy: Hierarchy) -> None:
    blocks = [hierarchy.extension(node) for node in hierarchy.cuts["k"]]
    assert sorted(itertools.chain.from_iterable(blocks)) == list(range(len(hierarchy.leaves)))
    for c in range(len(hierarchy.leaves)):
        assert hierarchy.nodes[hierarchy.at_level(Cut("k"), c)].kind is not Kind.OVERLAY
        assert c in hierarchy.extension(hierarchy.at_level(Cut("k"), c))


# Side by side with the OCaml program.


@pytest.fixture(scope="session")
def program() -> Path:
    path = Path(os.environ.get("CAISAR_EXT") or ROOT_FOLDER / "_build" / "default" / "caisar_ext" / "bin" / "main.exe")
    if not path.exists():
        pytest.skip(f"the OCaml program is not built ({path})")
    return path


def run(program: Path, *arguments: str | Path) -> str:
    command = [str(program), "hierarchy", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout


Told = list[tuple[int, int, int, int, str]]


def told_by_ocaml(program: Path, files: Sequence[Path]) -> list[Told]:
    def place(mistake: dict[str, Any]) -> tuple[int, int, int, int, str]:
        line, column, end_line, end_column = (mistake[k] for k in ("line", "column", "end_line", "end_column"))
        return line, column, end_line, end_column, mistake["message"]

    reports = json.loads(run(program, "check", "--json", *files))
    return [[place(mistake) for mistake in report["mistakes"]] for report in reports]


def told_by_python(path: Path) -> Told:
    try:
        read_file(path)
    except HierarchyError as refused:
        return [
            (m.place.line, m.place.column, m.place.end_line, m.place.end_column, m.message) for m in refused.mistakes
        ]
    return []


@pytest.mark.parametrize("path", [*GOOD, *EXAMPLES], ids=name_of)
def test_canonical_forms_agree(program: Path, path: Path) -> None:
    assert to_sexp(read_file(path)) + "\n" == run(program, "show", "--sexp", path)


def test_mistakes_of_the_corpus_agree(program: Path) -> None:
    told = told_by_ocaml(program, BAD)
    assert all(told)
    for path, mistakes in zip(BAD, told, strict=True):
        assert told_by_python(path) == mistakes, path.name


@settings(max_examples=60, deadline=None)
@given(text=texts())
def test_generated_hierarchies_agree(program: Path, tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "generated.hier"
    path.write_text(text, encoding="utf-8")
    (told,) = told_by_ocaml(program, [path])
    assert told_by_python(path) == told
    if not told:
        assert to_sexp(read_file(path)) + "\n" == run(program, "show", "--sexp", path)


@settings(max_examples=20, deadline=None)
@given(contents=st.lists(damaged_texts(), min_size=10, max_size=10))
def test_damaged_files_agree(program: Path, tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]) -> None:
    files = [tmp_path_factory.getbasetemp() / f"damaged{i}.hier" for i in range(len(contents))]
    for path, raw in zip(files, contents, strict=True):
        path.write_bytes(raw)
    for path, told in zip(files, told_by_ocaml(program, files), strict=True):
        assert told_by_python(path) == told, path.read_bytes()


def test_colours_only_on_a_terminal(program: Path) -> None:
    command = [str(program), "hierarchy", "show", str(CORPUS / "good" / "cifar10.hier")]
    environment = {**os.environ, "TERM": "xterm"}
    assert "\x1b" not in subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    reader, terminal = pty.openpty()
    subprocess.run(command, stdout=terminal, check=True, env=environment)
    shown = os.read(reader, 4096)
    os.close(terminal)
    os.close(reader)
    assert b"\x1b[" in shown
