"""The Python twin of the specification language: by itself, and side by side with Why3's parser on the OCaml side."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyprover.errors import UserError
from pyprover.mistakes import Mistake
from pyprover.protocol import sexp
from pyprover.specification import syntax
from pyprover.specification.canonical import to_sexp
from pyprover.specification.parser import OUTSIDE, SpecificationError
from pyprover.specification.reader import of_bytes, read_file
from tests.python import specifications

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "tests" / "spec"
GOOD = [*sorted((CORPUS / "good").glob("*.mlw")), *sorted((CORPUS / "bad" / "planning").glob("*.mlw"))]
EXAMPLES = sorted((ROOT / "examples").glob("*/*.mlw"))
THEORIES = sorted((ROOT / "caisar_ext" / "lib" / "specification" / "theories").rglob("*.mlw"))
# Right and wrong; what is wrong is wrong for its syntax, its types or its meaning.
BAD = [*sorted((CORPUS / "bad" / "reading").glob("*.mlw")), CORPUS / "bad" / "latin1.mlw"]
FILES_A_RUN = 50

assert GOOD
assert EXAMPLES
assert THEORIES
assert BAD


def formula(text: str) -> syntax.Term:
    """The formula of a goal."""
    (theory,) = of_bytes("generated.mlw", f"theory T goal g : {text} end".encode()).theories
    (goal,) = theory.declarations
    assert isinstance(goal, syntax.Goal)
    return goal.formula


def written(text: str) -> str:
    """The canonical form of a formula."""
    whole = to_sexp(of_bytes("generated.mlw", f"theory T goal g : {text} end".encode()))
    return whole.removeprefix("((theory T(goal g").removesuffix(")))").lstrip()


def mistake_in(text: str) -> tuple[int, int, str]:
    with pytest.raises(SpecificationError) as refused:
        of_bytes("generated.mlw", text.encode())
    first = refused.value.mistakes[0]
    return first.place.line, first.place.column, first.message


# By itself.


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("a -> b -> c", "(implies a(implies b c))"),
        ("a \\/ b /\\ not c = d", "(or a(and b(not(compare\"infix =\"c d))))"),
        ("0 <= i < 3", '(compare"infix <="(int 0)(compare"infix <"i(int 3)))'),
        ("0 <= (i < 3)", '(compare"infix <="(int 0)(closed(compare"infix <"i(int 3))))'),
        ("f (i < 3)", '(apply f(compare"infix <"i(int 3)))'),
        ("a - b - c * d", '(operator"infix -"(operator"infix -"a b)(operator"infix *"c d))'),
        ("- a +. - 1.0", '(operator"infix +."(operator"prefix -"a)(real -1 0 0))'),
        ("m @@ x[0]", '(operator"infix @@"m(operator"mixfix []"x(int 0)))'),
        ("!v[0]", '(operator"mixfix []"(operator"prefix !"v)(int 0))'),
        ("1 + if a then b else c + 2", '(operator"infix +"(int 1)(if a b(operator"infix +"c(int 2))))'),
        ("a + b : int + c", '(operator"infix +"(typed(operator"infix +"a b)int)c)'),
        ("[@x] a -> b : t", "(attribute x(typed(implies a b)t))"),
        ("forall x y: vector real, i. p", "(forall((typed x(vector real))(typed y(vector real))i)p)"),
        ("let (x: int) = 1 in x", "(let x(typed(int 1)int)x)"),
        ("(+) 1 2", '(apply(apply"infix +"(int 1))(int 2))'),
    ],
)  # fmt: skip
def test_shapes(text: str, form: str) -> None:
    assert written(text) == form


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.1", "1/10"), ("2.50e-3", "1/400"), ("0x1.8p-3", "3/16"), (".5", "1/2"), ("1e3", "1000"), ("0x.8", "1/2")],
)
def test_reals_are_exact(text: str, value: str) -> None:
    real = formula(text)
    assert isinstance(real, syntax.Real)
    assert real.value == Fraction(value)


def test_long_numbers_are_read() -> None:
    digits = "123456789" * 1000
    assert written(digits) == f"(int {digits})"
    assert written(f"{digits}.0").startswith("(real ")


@pytest.mark.parametrize("opening", ["(", "not ", "f (", "if a then b else ", "forall x. ", "v["])
def test_deep_terms_are_no_bug(opening: str) -> None:
    depth = 3000
    closing = {"(": ")", "f (": ")", "v[": "]"}.get(opening, "")
    assert "deep" in written(opening * depth + "deep" + closing * depth)


def test_places_count_code_points() -> None:
    term = formula("(* été *) x")
    assert (term.place.line, term.place.column) == (1, 29)
    assert mistake_in('theory T (* été *)\n  goal g : "é" end')[:2] == (2, 13)


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("theory T goal g : x +", (1, 22), "syntax error: the end of the file makes no sense here"),
        ("theory T\ngoal g : (* x end", (2, 10), "this comment is not closed"),
        ('theory T goal g : "x', (1, 21), "a string is not closed"),
        (r'theory T goal g : "\q" end', (1, 20), "no escape begins so"),
        ("theory T goal g : é end", (1, 19), "unexpected character"),
        ("theory T goal g : a, b end", (1, 19), "this term is outside the profile"),
        ("theory T axiom a : true end", (1, 10), '"axiom" is outside the profile'),
        ("theory T let f = 1 end", (1, 10), '"let" is outside the profile'),
        ("theory T type t = int -> int end", (1, 19), "this type is outside the profile"),
        ("goal g : true", (1, 1), "declarations stand in a theory"),
        ("theory T predicate p (x 'a: int) end", (1, 27), "syntax error: expected the names of parameters before this"),
    ],
)
def test_mistakes(text: str, place: tuple[int, int], message: str) -> None:
    assert mistake_in(text) == (*place, message)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read .*absent.mlw: No such file or directory"):
        read_file(tmp_path / "absent.mlw")
    with pytest.raises(UserError, match="it is a directory"):
        read_file(tmp_path)


# Side by side with the OCaml program.


@pytest.fixture(scope="session")
def program() -> Path:
    path = Path(os.environ.get("CAISAR_EXT") or ROOT / "_build" / "default" / "caisar_ext" / "bin" / "main.exe")
    if not path.exists():
        pytest.skip(f"the OCaml program is not built ({path})")
    return path


def told_by_ocaml(program: Path, files: Sequence[Path]) -> list[tuple[str, Any]]:
    """For each file ``tree`` and its text, or ``mistakes`` and their records."""
    command = [str(program), "spec", "--sexp", *map(str, files)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)
    assert done.returncode in (0, 3), done.stderr.decode(errors="replace")
    told: list[tuple[str, Any]] = []
    for line in done.stdout.splitlines():
        (_, _), (kind, content) = sexp.parse(line)
        found = re.search(rb"\)\(tree(.*)\)\)$", line)
        told.append((str(kind), found[1].decode().lstrip() if found else [dict(mistake) for mistake in content]))
    assert len(told) == len(files)
    return told


def read_or_mistake(path: Path) -> syntax.File | Mistake:
    try:
        return read_file(path)
    except SpecificationError as refused:
        return refused.mistakes[0]


def compare(path: Path, told: tuple[str, Any]) -> str:
    """Hold what Python says of ``path`` against what OCaml ``told``; return what kind of agreement it is.

    The twin stops at the first word that the profile has no use for; Why3 reads on, and may find a mistake of syntax
    later, or else what is outside the profile.
    """
    kind, content = told
    tree = read_or_mistake(path)
    if isinstance(tree, Mistake):
        assert kind == "mistakes", f"only Python refuses {path.read_bytes()!r}: {tree}"
        mine, theirs = tree, content[0]
        here, there = (mine.place.line, mine.place.column), (int(theirs["line"]), int(theirs["column"]))
        outside = OUTSIDE in mine.message or mine.message == "declarations stand in a theory"
        theirs_outside = OUTSIDE in theirs["message"] or theirs["message"] == "declarations stand in a theory"
        if outside:
            assert theirs_outside or here <= there, f"{here} {there} {path.read_bytes()!r}"
            return "outside the profile"
        assert not theirs_outside, f"{here} {there} {path.read_bytes()!r}"
        assert here == there, path.read_bytes()
        return "a mistake at the same place"
    assert kind == "tree", f"only OCaml refuses {path.read_bytes()!r}: {content}"
    assert to_sexp(tree) == content, path.read_bytes()
    return "the same tree"


def compare_all(program: Path, files: Sequence[Path]) -> Counter[str]:
    return Counter(compare(path, told) for path, told in zip(files, told_by_ocaml(program, files), strict=True))


def test_corpora_agree(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = compare_all(program, [*GOOD, *EXAMPLES])
    assert set(good) == {"the same tree"}
    bad = compare_all(program, BAD)
    assert bad["a mistake at the same place"] >= 6
    with capsys.disabled():
        print(f"\nspecifications of the corpora compared: {dict(good + bad)}")


AWKWARD = [
    "predicate p (x 'a: int)",  # parameters that are no names
    "predicate p (x [@a] y float)",
    "predicate p (ref x [@a] y: int)",
    "predicate p (x ref: int)",
    "function f _ : int",
    "goal g : let f ref = 1 in f",
    "goal g : let f ref if",
    "goal g : a[1]'",
    "goal g : (+)_a 1 2",
    "function (+)'a : int",
    "goal g : ([_ ..] x)",
    "goal g : !x[0].y",
    "goal g : - 1 x",
    "goal g : x.0",
    "goal g : [@a b end",
    'goal g : "unclosed (* end',
    "type t = < range 1 2 >",
    "end goal h : true",
    "end type t end",
    "end use int.Int",
    'module "unclosed',
    "import T",
]


def test_awkward_texts_agree(program: Path, tmp_path: Path) -> None:
    files = [tmp_path / f"{i}.mlw" for i in range(len(AWKWARD))]
    for path, text in zip(files, AWKWARD, strict=True):
        path.write_text(f"theory T {text} end\n")
    assert compare_all(program, files)["a mistake at the same place"] >= 10


def test_theories_agree(program: Path, tmp_path: Path) -> None:
    """The theories are in the profile but for their metas, which name what the orchestrator interprets."""
    files = [tmp_path / f"{i}.mlw" for i in range(len(THEORIES))]
    for path, theory in zip(files, THEORIES, strict=True):
        path.write_text(re.sub(r"^ *meta .*$", "", theory.read_text("utf-8"), flags=re.MULTILINE), "utf-8")
    assert set(compare_all(program, files)) == {"the same tree"}


def test_pages_agree(program: Path, tmp_path: Path) -> None:
    examples = re.findall(r"```whyml\n(theory.*?)```", (ROOT / "grammar" / "whyml.md").read_text("utf-8"), re.DOTALL)
    files = [tmp_path / f"{i}.mlw" for i in range(len(examples))]
    for path, text in zip(files, examples, strict=True):
        path.write_text(text, "utf-8")
    assert compare_all(program, files)["the same tree"] == len(examples) > 1


@pytest.mark.parametrize(
    ("text", "twin", "why3"),
    [
        # the twin stops at the word, Why3 names the declaration or the whole term
        ("theory T axiom a : true end", (1, 10), (1, 16)),
        ("theory T goal g : x at L end", (1, 21), (1, 19)),
        # Why3 reads on, and finds a mistake of syntax
        ("theory T let f = ) end", (1, 10), (1, 18)),
    ],
)
def test_where_places_differ(program: Path, tmp_path: Path, text: str, twin: object, why3: object) -> None:
    path = tmp_path / "differs.mlw"
    path.write_text(text)
    ((kind, mistakes),) = told_by_ocaml(program, [path])
    assert kind == "mistakes"
    assert mistake_in(text)[:2] == twin
    assert (int(mistakes[0]["line"]), int(mistakes[0]["column"])) == why3


@pytest.mark.parametrize(("make", "examples"), [(specifications.well_formed, 8), (specifications.damaged, 12)])
def test_generated_specifications_agree(
    program: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    make: Callable[[Random], str],
    examples: int,
) -> None:
    files = [tmp_path / f"{i}.mlw" for i in range(FILES_A_RUN)]
    counts: Counter[str] = Counter()

    @settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(seed=st.integers(0, 2**32))
    def agree(seed: int) -> None:
        for i, path in enumerate(files):
            path.write_bytes(make(Random(seed + i)).encode())
        counts.update(compare_all(program, files))

    agree()
    with capsys.disabled():
        print(f"\n{make.__name__.replace('_', ' ')} specifications compared: {dict(counts)}")
    assert counts["the same tree"]
