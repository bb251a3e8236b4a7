"""The shape of the repository: who may use whom, what is pinned, what no file may name.

Each rule is a function from a tree to a list of complaints. The project must give none; a small bad tree must give one.
"""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# From the top down. A module uses its own row and the rows below; `cli_hierarchy` counts as `cli`, and so on. A module
# without a row is a helper of those that use it: what it uses counts as used by them.
OCAML_LAYERS = (
    ("cli",),
    ("report",),
    ("verification",),
    ("interp", "aggregate"),
    ("spec", "plan", "protocol", "prover", "drivers"),
    ("hierarchy", "query"),
    ("diag", "verdict"),
)
PYTHON_LAYERS = (
    ("__main__",),
    ("protocol",),
    ("train", "monitor", "ood"),
    ("engine",),
    ("domains", "attack"),
    ("load",),
    ("ops",),
    ("graph",),
    ("report",),
    ("witness",),
    ("region", "hierarchy"),
    ("data",),
    ("query", "verdict"),
    ("errors",),
)
# The routine that has the last word on a witness shares nothing with the code that found it.
WITNESS_STRANGERS = (
    "torch",
    "pyprover.engine",
    "pyprover.domains",
    "pyprover.attack",
    "pyprover.ops",
    "pyprover.graph",
)
PLACES_OUTSIDE = re.compile(r"(?<![\w.~-])/(?:work|root|home|Users|opt)/|\.\./shared\b")
MAY_NAME_A_PLACE_OUTSIDE = {".ci/run"}


def tracked(root: Path) -> list[Path]:
    """Files of the project, new ones included, without what git ignores."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=root, check=True, capture_output=True, text=True
    ).stdout
    return [root / name for name in listing.split("\0") if name and (root / name).is_file()]


def layer_of(name: str, layers: tuple[tuple[str, ...], ...]) -> int | None:
    """Index of the row that holds ``name``, or the longest prefix of it that ends before an underscore."""
    known = [
        (len(stem), row) for row, stems in enumerate(layers) for stem in stems if f"{name}_".startswith(f"{stem}_")
    ]
    return max(known)[1] if known else None


def upward(graph: Mapping[str, Iterable[str]], layers: tuple[tuple[str, ...], ...]) -> list[str]:
    """Arrows that point up, between modules that have a row, directly or through helpers."""
    rows = {name: layer_of(name, layers) for name in {*graph, *(other for used in graph.values() for other in used)}}
    helpers = {name: set(graph.get(name, ())) for name, row in rows.items() if row is None}
    complaints = []
    for name in sorted(graph):
        here = rows[name]
        for other in sorted(closure(graph[name], helpers)):
            there = rows[other]
            if here is not None and there is not None and there < here:
                complaints.append(f"{name} uses {other}, which is above it")
    return complaints


def closure(start: Iterable[str], graph: Mapping[str, set[str]]) -> set[str]:
    """Everything that can be reached from ``start``, itself included."""
    seen: set[str] = set()
    todo = list(start)
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo.extend(graph.get(name, ()))
    return seen


def cycles(graph: Mapping[str, Iterable[str]]) -> list[str]:
    """One complaint for each arrow that closes a circle, by depth-first search."""
    complaints: list[str] = []
    state: dict[str, bool] = {}  # True while a module is on the path

    def visit(name: str, path: tuple[str, ...]) -> None:
        state[name] = True
        for other in sorted(graph.get(name, ())):
            if state.get(other):
                complaints.append(" -> ".join([*path[path.index(other) :], other]))
            elif other not in state:
                visit(other, (*path, other))
        state[name] = False

    for name in graph:
        if name not in state:
            visit(name, (name,))
    return complaints


# OCaml


def ocaml_graph(folder: Path) -> dict[str, set[str]]:
    """Modules that each ``.ml`` and ``.mli`` below ``folder`` names, by ``ocamldep``; lower-case names."""
    graph: dict[str, set[str]] = {}
    files = sorted(str(path) for path in (*folder.rglob("*.ml"), *folder.rglob("*.mli")))
    if not files:
        return graph
    command = ["ocamlfind", "ocamldep", "-modules", *files]
    for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines():
        path, _, modules = line.partition(":")
        graph.setdefault(Path(path).stem, set()).update(name.lower() for name in modules.split())
    return {name: used - {name} for name, used in graph.items()}


def ocaml_complaints(folder: Path) -> list[str]:
    graph = ocaml_graph(folder)
    readers = sorted(name for name, used in graph.items() if "why3" in used)
    complaints = [] if len(readers) <= 2 else [f"Why3 belongs in spec and one module more, not in {readers}"]
    if readers and "spec" not in readers:
        complaints.append(f"Why3 is used in {readers} but not in spec")
    return complaints + upward(graph, OCAML_LAYERS)


# Python


def python_modules(package: Path) -> dict[str, Path]:
    """Dotted name to file, for every module of the package."""
    modules = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return modules


def imports(path: Path, own: Iterable[str]) -> set[str]:
    """Dotted names that a file imports, wherever the statement stands; submodules of ``own`` are told from names."""
    own = set(own)
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.update(
                submodule if (submodule := f"{node.module}.{alias.name}") in own else node.module
                for alias in node.names
            )
    return found


def python_complaints(package: Path) -> list[str]:
    modules = python_modules(package)
    everything = {name: imports(path, modules) for name, path in modules.items()}
    own = {name: {other for other in used if other in modules} - {name} for name, used in everything.items()}
    by_part: dict[str, set[str]] = {}
    for name, used in own.items():
        if "." in name:
            by_part.setdefault(name.split(".")[1], set()).update(other.split(".")[1] for other in used if "." in other)
    complaints = upward({part: used - {part} for part, used in by_part.items()}, PYTHON_LAYERS)
    complaints += cycles(own)
    # Importing a module loads the packages that it lies in.
    everything = {name: used | {name.rpartition(".")[0]} - {""} for name, used in everything.items()}
    loaded = closure([f"{package.name}.witness"], everything)
    complaints += [
        f"witness loads {name}"
        for name in sorted(loaded)
        if any(name == stranger or name.startswith(f"{stranger}.") for stranger in WITNESS_STRANGERS)
    ]
    return complaints


# Files


def outside_complaints(root: Path) -> list[str]:
    complaints = []
    for path in tracked(root):
        name = path.relative_to(root).as_posix()
        content = path.read_bytes()
        if name in MAY_NAME_A_PLACE_OUTSIDE or b"\0" in content:
            continue
        for number, line in enumerate(content.decode("utf-8", errors="replace").splitlines(), 1):
            if match := PLACES_OUTSIDE.search(line):
                complaints.append(f"{name}:{number}: names a place outside the repository: {match.group()}")
    return complaints


def link_complaints(root: Path) -> list[str]:
    """Relative links in Markdown that lead nowhere."""
    return [
        f"{page.relative_to(root)}: dead link {target}"
        for page in tracked(root)
        if page.suffix == ".md"
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
        if "://" not in target and not target.startswith("mailto:") and not (page.parent / target).exists()
    ]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(root: Path) -> set[str]:
    """Names pinned by the lock files; a line that pins no exact version is an error."""
    names = set()
    for lock in sorted(root.glob("requirements*.lock")):
        for line in lock.read_text().splitlines():
            if line and not line.startswith(("#", "--")):
                name, exact, _ = line.partition("==")
                assert exact, f"{lock.name}: {line!r} pins nothing"
                names.add(canonical(name))
    return names


def test_ocaml_modules_use_only_what_lies_below() -> None:
    assert {"spec", "prover", "report", "cli"} <= ocaml_graph(ROOT / "caisar_ext").keys()
    assert ocaml_complaints(ROOT / "caisar_ext") == []


def test_python_modules_use_only_what_lies_below() -> None:
    assert python_complaints(ROOT / "pyprover") == []


def test_no_file_names_a_place_outside() -> None:
    assert outside_complaints(ROOT) == []


def test_links_lead_somewhere() -> None:
    assert link_complaints(ROOT) == []


def test_every_dependency_is_pinned_and_credited() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    direct = {canonical(re.split(r"[<>=!~ ]", requirement)[0]) for requirement in wanted}
    assert direct <= locked(ROOT)
    notices = (ROOT / "THIRD_PARTY_NOTICES.md").read_text(encoding="utf-8")
    credited = {canonical(name) for name in re.findall(r"^\| ([\w.-]+) \|", notices, re.MULTILINE)}
    assert locked(ROOT) <= credited


def test_every_system_library_of_the_build_is_installed_by_setup() -> None:
    table = [line.split() for line in (ROOT / "scripts/system-packages.txt").read_text().splitlines()]
    offered = {row[3]: row for row in table if row and not row[0].startswith("#")}
    opam = (ROOT / "caisar-ext.opam").read_text()
    depends = re.findall(r'^  "([\w-]+)"', opam.split("depends: [")[1].split("\n]")[0], re.MULTILINE)
    assert set(depends) - {"odoc"} <= set(offered)


# The rules themselves, each on a tree that breaks it.


def write_tree(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"diag.ml": "let f = Report.pp", "report.ml": "let pp = 1"}, "diag uses report, which is above it"),
        ({"query.mli": "val f : Cli_run.t", "cli_run.ml": "type t"}, "query uses cli_run, which is above it"),
        ({"diag.ml": "open Helper", "helper.ml": "open Plan", "plan.ml": ""}, "diag uses plan, which is above it"),
        (dict.fromkeys(("spec.ml", "interp.ml", "plan.ml"), "open Why3"), "Why3 belongs in spec"),
        ({"plan.ml": "let x = Why3.Term.t_true"}, "not in spec"),
    ],
)
def test_bad_ocaml_is_told(tmp_path: Path, files: dict[str, str], complaint: str) -> None:
    found = ocaml_complaints(write_tree(tmp_path, files))
    assert len(found) == 1
    assert complaint in found[0]


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"graph.py": "from pyprover.engine import verify", "engine/__init__.py": ""}, "graph uses engine"),
        ({"query.py": "def f() -> None:\n    import pyprover.ops.relu", "ops/relu.py": ""}, "query uses ops"),
        ({"ops/a.py": "import pyprover.ops.b", "ops/b.py": "from pyprover.ops import a"}, "ops.a -> pyprover.ops.b ->"),
        ({"witness.py": "import torch.nn"}, "witness loads torch.nn"),
        ({"witness.py": "import pyprover.region", "region.py": "import torch"}, "witness loads torch"),
        (
            {"graph.py": "from pyprover.helper import f", "helper.py": "from pyprover import load", "load.py": ""},
            "uses load",
        ),
    ],
)
def test_bad_python_is_told(tmp_path: Path, files: dict[str, str], complaint: str) -> None:
    package = write_tree(tmp_path / "pyprover", {"__init__.py": "", **files})
    found = python_complaints(package)
    assert any(complaint in text for text in found), found


def test_bad_files_are_told(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    place = "/".join(("", "home", "someone", "data"))
    write_tree(
        tmp_path, {"a.py": f"x = '{place}'\n", "page.md": "[here](a.py) [there](b.py)", "good.md": "~/x ./home/y"}
    )
    assert outside_complaints(tmp_path) == ["a.py:1: names a place outside the repository: /" + "home/"]
    assert link_complaints(tmp_path) == ["page.md: dead link b.py"]
