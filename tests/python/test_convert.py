"""Conversions of hierarchies: the corpora of right and wrong files, and the command line.

What each file gives stands in `tests/hierarchy/convert/{good,bad}.txt`; with `CAISAR_EXT_PROMOTE=1` the tests write
there what they find, to be read in the difference.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pyprover.hierarchy.canonical import to_sexp
from pyprover.hierarchy.convert.conversion import Request, convert
from pyprover.hierarchy.convert.formats import READERS, WRITERS
from pyprover.hierarchy.convert.source import Complaint, ConversionError
from pyprover.hierarchy.reader import of_bytes

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "tests" / "hierarchy" / "convert"
PROGRAM = Path(os.environ.get("CAISAR_EXT") or ROOT / "_build" / "default" / "caisar_ext" / "bin" / "main.exe")

# What is asked of each file; a file that is used by others only stands under theirs.
GOOD: list[tuple[str, dict[str, Any]]] = [
    ("levels.csv", {}),
    ("levels.csv", {"columns": ("species", "family")}),
    ("fine_to_coarse.csv", {}),
    ("gaps.csv", {}),
    ("class_parent.csv", {"order": "appearance", "new_root": "everything"}),
    ("class_parent_index.csv", {}),
    ("parent_child.txt", {"classes": "classes.txt"}),
    ("parent_child.txt", {"edges": "parent-child", "order": "sorted"}),
    ("child_parent.txt", {"classes": "classes.txt"}),
    ("tabs.tsv", {"order": "sorted", "name": "zoo"}),
    ("tabs.tsv", {"order": "sorted", "names": "names.txt"}),
    ("chains.csv", {"order": "appearance"}),
    ("chains.csv", {"order": "appearance", "root": "beast"}),
    ("several_parents.csv", {"order": "sorted", "edges": "parent-child"}),
    ("ids.txt", {"classes": "class_index.json", "names": "names.txt"}),
    ("node_link.json", {"classes": "wnids.txt"}),
    ("keys.json", {"order": "appearance"}),
    ("objects.json", {}),
    ("trees.json", {"order": "appearance"}),
    ("lists.yaml", {"order": "appearance"}),
    ("indexes.yml", {}),
    ("tree.nwk", {"order": "appearance"}),
    ("indexed.newick", {}),
    ("full.hier", {}),
    ("full.hier", {"root": "animal", "order": "sorted"}),
    ("full.hier", {"target_format": "json"}),
    ("full.hier", {"target_format": "dot"}),
    ("full.hier", {"target_format": "newick"}),
    ("several_parents.csv", {"order": "sorted", "edges": "parent-child", "target_format": "json"}),
]
BAD: list[tuple[str, dict[str, Any]]] = [
    ("cycle.csv", {}),
    ("cycle_below.txt", {"edges": "parent-child"}),
    ("self.txt", {"edges": "parent-child"}),
    ("roots.csv", {"order": "sorted"}),
    ("reversed.txt", {"edges": "parent-child", "order": "sorted"}),
    ("direction.csv", {"order": "sorted"}),
    ("no_indexes.txt", {}),
    ("no_indexes.txt", {"classes": "classes_missing.txt"}),
    ("no_indexes.txt", {"classes": "classes_inner.txt"}),
    ("no_indexes.txt", {"classes": "classes_twice.txt"}),
    ("no_indexes.txt", {"classes": "classes_gap.txt"}),
    ("no_indexes.txt", {"classes": "classes_indexes.json"}),
    ("no_indexes.txt", {"classes": "classes_shape.json"}),
    ("no_indexes.txt", {"classes": "absent.txt"}),
    ("no_indexes.txt", {"order": "sorted", "names": "names_twice.txt"}),
    ("no_indexes.txt", {"order": "sorted", "names": "names_missing.txt"}),
    ("no_indexes.txt", {"order": "sorted", "root": "anmal"}),
    ("no_indexes.txt", {"order": "sorted", "source_format": "csv"}),
    ("no_indexes.txt", {"order": "sorted", "target_format": "svg"}),
    ("no_indexes.txt", {"order": "sorted", "output": "tree.xyz"}),
    ("no_indexes.txt", {"order": "sorted", "classes": "classes_gap.txt"}),
    ("no_indexes.txt", {"order": "sorted", "root": "animal", "new_root": "life"}),
    ("no_indexes.txt", {"order": "sorted", "columns": ("class", "group")}),
    ("table_indexes.csv", {"edges": "parent-child"}),
    ("twice.txt", {"order": "sorted"}),
    ("blanks.txt", {"order": "sorted"}),
    ("comma.csv", {"order": "sorted", "source_format": "edges"}),
    ("one_class.txt", {"order": "sorted"}),
    ("empty.csv", {}),
    ("empty.json", {}),
    ("empty.yaml", {}),
    ("empty.nwk", {}),
    ("header_only.csv", {}),
    ("list_of_classes.txt", {}),
    ("comment.txt", {}),
    ("latin1.csv", {}),
    ("quote.csv", {}),
    ("links_or_levels.csv", {}),
    ("table_class_twice.csv", {}),
    ("table_class_twice.csv", {"columns": ("class", "group")}),
    ("table_class_twice.csv", {"columns": ("class", "family")}),
    ("table_two_groups.csv", {}),
    ("table_indexes.csv", {}),
    ("table_no_index.csv", {}),
    ("table_width.csv", {}),
    ("table_no_header.csv", {"order": "sorted"}),
    ("table_number_header.csv", {"order": "sorted"}),
    ("header_index.csv", {}),
    ("inner_class.csv", {}),
    ("syntax.json", {}),
    ("unclosed.json", {}),
    ("key_twice.json", {}),
    ("name_twice.json", {}),
    ("empty_group.json", {}),
    ("kids.json", {"order": "sorted"}),
    ("control.json", {"order": "sorted"}),
    ("index.json", {}),
    ("unknown_end.json", {}),
    ("id_twice.json", {}),
    ("undirected.json", {}),
    ("no_links.json", {}),
    ("syntax.yaml", {}),
    ("alias.yaml", {}),
    ("key.yaml", {}),
    ("unclosed.nwk", {}),
    ("no_end.nwk", {}),
    ("two_trees.nwk", {}),
    ("no_name.nwk", {}),
    ("blank_name.nwk", {}),
    ("name_twice.nwk", {}),
    ("single_child.hier", {}),
    ("../good/full.hier", {"root": "food"}),
    ("format.xyz", {}),
]


def told(complaint: Complaint) -> str:
    place = "".join(f"{part}:" for part in (complaint.file, complaint.place) if part is not None)
    hint = f"\n  = {complaint.hint}" if complaint.hint else ""
    return f"{place} {complaint.message}{hint}".lstrip()


def outcome(name: str, options: dict[str, Any]) -> str:
    """The heading of one conversion, then its warnings and its text, or the mistakes."""
    written = " ".join(
        f"{key}={','.join(value) if isinstance(value, tuple) else value}" for key, value in options.items()
    )
    lines = [f"== {name} {written}".rstrip()]
    try:
        done = convert(Request(name, **options))
    except ConversionError as error:
        lines += map(told, error.complaints)
    else:
        lines += [*(f"warning: {told(note)}" for note in done.notes), done.text]
    return "\n".join(lines).rstrip("\n") + "\n"


def agree(golden: Path, found: str) -> None:
    if os.environ.get("CAISAR_EXT_PROMOTE") == "1":
        golden.write_text(found, encoding="utf-8")
    assert found == golden.read_text(encoding="utf-8")


def test_right_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CORPUS / "good")
    agree(CORPUS / "good.txt", "\n".join(outcome(name, options) for name, options in GOOD))


def test_wrong_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CORPUS / "bad")
    for name, options in BAD:
        with pytest.raises(ConversionError):
            convert(Request(name, **options))
    agree(CORPUS / "bad.txt", "\n".join(outcome(name, options) for name, options in BAD))


@pytest.mark.parametrize(("folder", "cases"), [("good", GOOD), ("bad", BAD)])
def test_every_file_is_used(folder: str, cases: list[tuple[str, dict[str, Any]]]) -> None:
    used = {name for name, _ in cases} | {str(value) for _, options in cases for value in options.values()}
    assert {path.name for path in (CORPUS / folder).iterdir()} <= used


def test_hierarchies_keep_their_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    for path in sorted((ROOT / "examples").glob("*/*.hier")):
        assert to_sexp(convert(Request(str(path))).hierarchy) == to_sexp(of_bytes(str(path), path.read_bytes()))


# The command line.


def run(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `caisar-ext hierarchy convert`."""
    assert PROGRAM.exists(), "build first: make build"
    command = [PROGRAM, "hierarchy", "convert", *map(str, words)]
    return subprocess.run(
        command,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        cwd=CORPUS / "bad",
        env=os.environ | environment,
        check=False,
    )


def test_a_file_is_written_and_the_orchestrator_reads_it(tmp_path: Path) -> None:
    target = tmp_path / "tree.hier"
    done = run("../good/levels.csv", "-o", target, "--columns", "species,genus,family", "--name", "tree of life")
    assert (done.returncode, done.stdout) == (0, "")
    assert "whose names become aliases" in done.stderr
    checked = subprocess.run(
        [PROGRAM, "hierarchy", "show", "--sexp", target], capture_output=True, text=True, check=True
    )
    assert checked.stdout.strip() == to_sexp(of_bytes(str(target), target.read_bytes()))
    assert '"tree of life"' in checked.stdout


def test_text_goes_to_standard_output() -> None:
    done = run("../good/full.hier", "--to", "newick")
    assert done.returncode == 0
    assert done.stdout.startswith("((cat[&&NHX:index=1],")
    assert "newick does not hold overlays, cuts, never pairs" in done.stderr


def test_mistakes_show_their_place_and_nothing_is_written(tmp_path: Path) -> None:
    target = tmp_path / "tree.hier"
    done = run("cycle.csv", "-o", target)
    assert (done.returncode, done.stdout, target.exists()) == (3, "", False)
    assert "cycle.csv:2:1-11: error: the links make a cycle" in done.stderr
    assert "    2 | animal,bird\n" in done.stderr


def test_other_ends(tmp_path: Path) -> None:
    good = CORPUS / "good" / "full.hier"
    assert run(good, "-o", tmp_path).returncode == 3
    assert run(good, "--order", "random").returncode == 3
    assert run().returncode == 3
    assert run(tmp_path / "absent.csv").returncode == 3
    assert run("latin1.csv").returncode == 3
    assert run("--help=plain").returncode == 0
    assert run(good, CAISAR_EXT_PYTHON="/bin/false").returncode == 4


# The page.

PAGE = (ROOT / "grammar" / "convert.md").read_text(encoding="utf-8")


def test_the_example_of_the_page(tmp_path: Path) -> None:
    source = re.search(r"^```csv\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    written = re.search(r"^```hier\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert source
    assert written
    (tmp_path / "life.csv").write_text(source[1], encoding="utf-8")
    assert convert(Request(str(tmp_path / "life.csv"))).text == written[1]


def test_the_page_lists_the_formats() -> None:
    readers, writers = PAGE.split("| `--from` |")[1].split("| `--to` |")
    assert set(re.findall(r"^\| `([\w-]+)`", readers, re.MULTILINE)) == set(READERS)
    assert set(re.findall(r"^\| `([\w-]+)`", writers, re.MULTILINE)) == set(WRITERS)
