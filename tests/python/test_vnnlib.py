"""VNN-LIB properties: what is read, what is answered, and what is said about mistakes."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprover.query import Comparison
from pyprover.region import Region
from pyprover.vnnlib import version1, version2
from pyprover.vnnlib.cases import questions
from pyprover.vnnlib.formula import FormulaError
from pyprover.vnnlib.literals import decimal
from tests.python.prover_process import run

F = Fraction

# Y_0 = max(X_0, 0), Y_1 = max(X_1, 0)
NETWORK = """<ir_version: 8, opset_import: ["": 13]>
rectify (float[1,2] x) => (float[1,2] y) { y = Relu(x) }"""

DECLARED = "".join(f"(declare-const {name} Real)\n" for name in ("X_0", "X_1", "Y_0", "Y_1"))
# Y_0 is in [0, 1], Y_1 in [2, 3].
BOXED = DECLARED + "".join(
    f"(assert ({relation} {name} {bound}))\n"
    for name, bounds in (("X_0", ("-1", "1")), ("X_1", ("2", "3.0")))
    for relation, bound in zip((">=", "<="), bounds, strict=True)
)
BOXED_2 = """(vnnlib-version <2.0>)
(declare-network f (declare-input X real [1,2]) (declare-output Y real [2]))
(assert (and (>= X[0,0] -1.0) (<= X[0,0] 1.0) (>= X[0,1] 2.0) (<= X[0,1] 3.0)))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    onnx.save(onnx.parser.parse_model(NETWORK), tmp_path / "net.onnx")
    return tmp_path


def answer(folder: Path, text: str, *options: str) -> str:
    """The last line of standard output."""
    (folder / "prop.vnnlib").write_text(text)
    arguments = (str(folder / "net.onnx"), str(folder / "prop.vnnlib"), *options)
    result = run("vnnlib", *arguments)
    assert (result.status, "Traceback" in result.stderr) == (0, False), result.stderr
    return result.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        ("(assert (>= Y_0 Y_1))", "unsat"),
        ("(assert (<= Y_0 Y_1))", "sat"),
        ("(assert (not (<= Y_0 Y_1)))", "unsat"),
        ("(assert (and (>= Y_0 0.5) (<= Y_0 0.25)))", "unsat"),
        ("(assert (or (>= Y_0 Y_1) (and (>= Y_0 0.5) (<= Y_1 2.5))))", "sat"),
        ("(assert (or (>= Y_0 Y_1) (and (>= Y_0 0.5) (<= Y_1 1.5))))", "unsat"),
        ("(assert (>= (+ Y_0 (* 2 Y_1) (- 0.5)) 6.6))", "unsat"),
        ("(assert (>= (+ Y_0 (* 2 Y_1) (- 0.5)) 6.4))", "sat"),
        ("(assert (>= (- Y_0 Y_1) (/ -9 10)))", "unsat"),
        ("(assert (> Y_0 1.001))", "unsat"),
        ("(assert (= Y_0 1.5))", "unsat"),
        ("(assert (or (and (<= X_0 0.2) (>= Y_0 0.5)) (and (>= X_0 0.8) (>= Y_0 0.9))))", "sat"),
        ("(assert (or (and (<= X_0 0.2) (>= Y_0 0.5)) (and (<= X_0 0.8) (>= Y_0 0.9))))", "unsat"),
        ("(assert (<= (* -2 X_0) -3))", "unsat"),  # no such input
        ("(assert (<= 1 0))", "unsat"),
        ("(assert (or false (<= Y_1 Y_0)))", "unsat"),
        ("", "sat"),  # every input is a counterexample to nothing
        ("; a comment\n(set-logic QF_LRA)(assert (<= Y_1 1.9e+0))(check-sat)", "unsat"),
    ],
)
def test_answers(folder: Path, constraint: str, expected: str) -> None:
    assert answer(folder, BOXED + constraint) == expected


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        ("(assert (>= Y[0] Y[1]))", "unsat"),
        ("(assert (or (and (>= Y[0] Y[1])) (and (< Y[0] 0.5) (> (- Y[1] Y[0]) (+ (* 2.0 Y[0]) 1.5)))))", "sat"),
        ("(assert (== Y[1] 1.99))", "unsat"),
        ("(assert (and (!= Y[1] 1.0) (<= Y[1] 1.99)))", "unsat"),
        ("(assert (<= (- Y[1]) -3.01))", "unsat"),
    ],
)
def test_answers_to_version_2(folder: Path, constraint: str, expected: str) -> None:
    assert answer(folder, BOXED_2 + constraint) == expected


def test_a_tie_is_no_answer(folder: Path) -> None:
    """Y_0 reaches 1 and goes no further."""
    assert answer(folder, BOXED + "(assert (>= Y_0 1))", "--time-limit", "2") in ("unknown", "timeout")


def test_a_witness_is_inside_and_violates(folder: Path) -> None:
    """By exact decimals, and by ONNX Runtime; nothing is written for another answer."""
    witness = folder / "witness.txt"
    text = BOXED.replace("(assert (<= X_0 1))", "(assert (<= X_0 0.1))")
    assert answer(folder, text + "(assert (<= Y_1 Y_0))", "--witness", str(witness)) == "unsat"
    assert not witness.exists()
    assert answer(folder, text + "(assert (>= Y_0 0.0999999))", "--witness", str(witness)) == "sat"
    pairs = [line.strip("()").split() for line in witness.read_text().splitlines()]
    values = {name: F(value) for name, value in pairs}
    assert list(values) == ["X_0", "X_1", "Y_0", "Y_1"]
    assert -1 <= values["X_0"] <= F("0.1")
    assert 2 <= values["X_1"] <= 3
    assert values["Y_0"] >= F("0.0999999")
    session = onnxruntime.InferenceSession(folder / "net.onnx")
    point = np.array([[float(values["X_0"]), float(values["X_1"])]], np.float32)
    assert [F(float(value)) for value in session.run(None, {"x": point})[0][0]] == [values["Y_0"], values["Y_1"]]


@pytest.mark.parametrize("text", [BOXED, BOXED_2])
def test_compressed_in_a_process_of_its_own(folder: Path, text: str) -> None:
    constraint = "(assert (<= Y_1 Y_0))" if text == BOXED else "(assert (<= Y[1] Y[0]))"
    (folder / "prop.vnnlib.gz").write_bytes(gzip.compress((text + constraint).encode()))
    command = [sys.executable, "-m", "pyprover", "vnnlib", "net.onnx", "prop.vnnlib.gz", "--time-limit", "60"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "unsat\n", "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (DECLARED + "(assert (>= X_0 0))", "input 1 has no lower bound"),
        (BOXED.replace("(assert (<= X_1 3.0))\n", ""), "input 1 has no upper bound"),
        (BOXED + "(assert (<= (* Y_0 Y_1) 1))", ":9:13: a product of variables"),
        (BOXED + "(assert (<= (/ 1 Y_1) 1))", ":9:13: a division by a variable"),
        (BOXED + "(assert (<= (/ Y_1 0) 1))", "a division by zero"),
        (BOXED + "(assert (<= Y_2 1))", ":9:13-15: Y_2 is not declared"),
        (BOXED + "(assert (<= Z 1))", "'Z' is neither a variable nor a decimal number"),
        (BOXED + "(assert (<= Y_0 nan))", "'nan' is neither a variable nor a decimal number"),
        (BOXED + "(assert (<= Y_0 1e99999999))", "'1e99999999' is neither"),
        (BOXED + "(assert (<= X_0 Y_0))", ":9:9: a constraint on inputs and outputs together is not supported"),
        (BOXED + "(assert (<= X_0 X_1))", ":9:9: a constraint on several inputs is not supported"),
        (BOXED + "(assert (<= X_0 1e39))", "beyond the range of float32"),
        (BOXED + "(assert (=> (<= X_0 1) (<= Y_0 1)))", "the connective '=>' is not supported"),
        (BOXED + "(assert (<= 1 Y_0 Y_1))", "'<=' takes two sides"),
        (BOXED + "(assert (<= (sin Y_0) 1))", "the function 'sin' is not supported"),
        (BOXED + "(define-fun f () Real 1)", "the command 'define-fun' is not supported"),
        (BOXED + "(assert)", "malformed assert"),
        (BOXED + "(assert (<= Y_0 1)", ":9:1: this bracket is not closed"),
        (BOXED + ")", "a closing bracket that nothing opened"),
        (BOXED + "(declare-const Y_1 Real)", "Y_1 is declared twice"),
        (BOXED + "(declare-const y Real)", "'y' is not the name of an input or output"),
        (BOXED + "(declare-const Y_2 Bool)", "variables are declared as Real"),
        (BOXED + "(declare-const Y_3 Real)", "Y_2 is not declared"),
        (BOXED + "(declare-const Y_2 Real)", "declares 3 outputs, the network has 2"),
        (
            "(declare-const X_2 Real)(assert (and (<= X_2 1) (>= X_2 0)))" + BOXED,
            "declares 3 inputs, the network has 2",
        ),
        ("", "X_0 is not declared"),
        (BOXED + "(assert " + "(not " * 300 + "false" + ")" * 301, "brackets more than"),
        (BOXED + "".join("(assert (or (<= Y_0 1) (<= Y_1 1)))" for _ in range(17)), "more than 100,000 cases"),
        (BOXED_2 + "(assert (<= Y[7] 1.0))", ":4:1: Index out of bounds for variable: Y[7]"),
        (BOXED_2 + "(assert (<= Q[0] 1.0))", ":4:1: Undeclared variable: Q"),
        (BOXED_2 + "(assert (<= Y[0] 1e-3))", "written without exponent"),
        (BOXED_2 + "(assert (<= (* Y[0] Y[1]) 1.0))", ":4:1: a product of variables"),
        (BOXED_2 + "(assert (<= Y[0] X[0,0]))", "on inputs and outputs together"),
        (BOXED_2.replace("[1,2]", "[1,3]"), "declares 3 inputs, the network has 2"),
        (BOXED_2.replace("(declare-out", '(declare-hidden H real [2] "h")(declare-out'), "H"),
        (BOXED_2.replace("real [2]", "int8 [2]"), "Y is I8"),
        (BOXED_2.replace("<2.0>", "<1.0>"), "Incompatible VNNLib version"),
    ],
)
def test_mistakes_in_files(folder: Path, text: str, words: str) -> None:
    """One message, that names the file; nothing that looks like an answer."""
    path = folder / "prop.vnnlib"
    path.write_text(text)
    result = run("vnnlib", str(folder / "net.onnx"), str(path))
    assert (result.status, result.stdout) == (3, "")
    assert words in result.stderr
    assert str(path) in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stderr.count("\nerror:") == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["net.onnx", "no.vnnlib"], "no.vnnlib cannot be read: No such file or directory"),
        (["no.onnx", "prop.vnnlib"], "no.onnx"),
        (["net.onnx", "net.onnx.gz"], "net.onnx.gz cannot be read: Not a gzipped file"),
        (["net.onnx"], "give a network and a property, or --instances"),
        (["net.onnx", "prop.vnnlib", "--instances", "i.csv"], "not both"),
        (["net.onnx", "prop.vnnlib", "--jobs", "2"], "need --instances"),
        (["net.onnx", "prop.vnnlib", "--time-limit", "nan"], "'nan' is not a positive number of seconds"),
        (["net.onnx", "prop.vnnlib", "--memory-limit", "4 apples"], "'4 apples' is not a size such as 4GiB"),
        (["net.onnx", "prop.vnnlib", "--memory-limit", "1MiB"], "a memory limit of 1 MiB is too low"),
        (["net.onnx", "prop.vnnlib", "--noise-directory", "nowhere"], "noise cannot be kept in 'nowhere'"),
        (["net.onnx", "prop.vnnlib", "--noise-symbols", "-1"], "-1 noise symbols: at least 0 are needed"),
        (["net.onnx", "prop.vnnlib", "--domain", "octagon"], "unknown domain 'octagon'"),
        (["net.onnx", "prop.vnnlib", "--witness", "no/such/folder"], "cannot be written: No such file"),
        (["--instances", "i.csv", "--resume"], "--resume needs --csv"),
        (["--instances", "no.csv"], "no.csv cannot be read"),
    ],
)
def test_mistakes_in_the_usage(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: Sequence[str], words: str
) -> None:
    monkeypatch.chdir(folder)
    (folder / "prop.vnnlib").write_text(BOXED)
    (folder / "net.onnx.gz").write_text("plain")
    result = run("vnnlib", *arguments)
    assert (result.status, result.stdout) == (3, "")
    assert words in result.stderr
    assert "Traceback" not in result.stderr


@given(st.from_regex(r"[+-]?([0-9]{1,25}\.?[0-9]{0,25}|\.[0-9]{1,25})([eE][+-]?[0-9]{1,3})?", fullmatch=True))
def test_literals_are_exact(text: str) -> None:
    assert decimal(text) == F(text)


def test_bounds_are_exact_and_keep_their_strictness() -> None:
    text = DECLARED + "".join(
        f"(assert {atom})"
        for atom in ("(> X_0 0.1)", "(>= X_0 0.1)", "(<= (* 3 X_0) 1)", "(>= X_1 -1e-3)", "(< 2 X_1)", "(< X_1 2.5)")
    )
    (question,) = questions(version1.read("p", text))
    region = question.region
    assert region.lower == (F(1, 10), F(2))
    assert region.upper == (F(1, 3), F(5, 2))
    assert (region.strict_lower, region.strict_upper) == ({0, 1}, {1})


def test_disjuncts_with_equal_bounds_share_a_region() -> None:
    text = BOXED + "(assert (or (>= Y_0 Y_1) (and (<= X_0 0) (> Y_0 1)) (>= Y_0 4) (and (> Y_0 2) (<= X_0 0))))"
    whole, half = questions(version1.read("p", text))
    assert [len(question.avoid.cases) for question in (whole, half)] == [2, 2]
    assert (whole.region.upper[0], half.region.upper[0]) == (1, 0)


@dataclass(frozen=True)
class Piece:
    """A formula as text, and what it says of a point (inputs, then outputs)."""

    text: str
    holds: Callable[[Sequence[Fraction]], bool]


RELATIONS: dict[str, Callable[[Fraction, Fraction], bool]] = {
    "<=": lambda a, b: a <= b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    ">": lambda a, b: a > b,
    "=": lambda a, b: a == b,
}
SMALL = st.integers(-2, 2)


@st.composite
def atoms(draw: st.DrawFn) -> Piece:
    relation = draw(st.sampled_from(sorted(RELATIONS)))
    compare, bound = RELATIONS[relation], draw(SMALL)
    if draw(st.booleans()):
        index, weight = draw(st.sampled_from([0, 1])), draw(st.sampled_from([-2, -1, 1, 3]))
        return Piece(f"({relation} (* {weight} X_{index}) {bound})", lambda p: compare(weight * p[index], F(bound)))
    a, b = draw(SMALL), draw(SMALL)
    text = f"({relation} (+ (* {a} Y_0) {bound}) (* {b} Y_1))"
    return Piece(text, lambda p: compare(a * p[2] + bound, b * p[3]))


def connected(parts: st.SearchStrategy[Piece]) -> st.SearchStrategy[Piece]:
    def join(word: str, pieces: list[Piece]) -> Piece:
        fold = all if word == "and" else any
        return Piece(f"({word} {' '.join(p.text for p in pieces)})", lambda point: fold(p.holds(point) for p in pieces))

    joined = st.builds(join, st.sampled_from(["and", "or"]), st.lists(parts, min_size=1, max_size=3))
    return joined | parts.map(lambda piece: Piece(f"(not {piece.text})", lambda point: not piece.holds(point)))


@settings(max_examples=150, deadline=None)
@given(st.recursive(atoms(), connected, max_leaves=8), st.lists(st.lists(SMALL, min_size=4, max_size=4), min_size=20))
def test_questions_say_what_the_formula_says(piece: Piece, points: list[list[int]]) -> None:
    """At points of the box, the formula holds exactly where a case of a region that holds the point does."""
    box = "".join(f"(assert (<= X_{i} 2))(assert (>= X_{i} -2))" for i in range(2))
    asked = questions(version1.read("p", f"{DECLARED}{box}(assert {piece.text})"))
    for numbers in points:
        point = [F(number) for number in numbers]
        found = any(
            inside(question.region, point[:2]) and any(holds(case, point[2:]) for case in question.avoid.cases)
            for question in asked
        )
        assert found == piece.holds(point)


def inside(region: Region, x: Sequence[Fraction]) -> bool:
    return all(
        (low < v or (low == v and i not in region.strict_lower))
        and (v < high or (v == high and i not in region.strict_upper))
        for i, (low, v, high) in enumerate(zip(region.lower, x, region.upper, strict=True))
    )


def holds(case: Sequence[Comparison], y: Sequence[Fraction]) -> bool:
    sums = [sum((term.weight * y[term.output] for term in c.terms), c.constant) for c in case]
    return all(value > 0 if c.strict else value >= 0 for value, c in zip(sums, case, strict=True))


def test_both_versions_say_the_same() -> None:
    one = version1.read("p", BOXED + "(assert (or (>= Y_0 Y_1) (and (< (+ Y_0 (* 2.5 Y_1)) 0.125) (> Y_1 1.0))))")
    two = version2.read(
        "p", BOXED_2 + "(assert (or (>= Y[0] Y[1]) (and (< (+ Y[0] (* 2.5 Y[1])) 0.125) (> Y[1] 1.0))))"
    )
    ((first,), (second,)) = (questions(one), questions(two))
    assert first.region == second.region
    assert first.avoid == second.avoid
    assert one.inputs == two.inputs == 2


def test_indices_of_version_2_are_row_major() -> None:
    text = """(vnnlib-version <2.0>)
    (declare-network f (declare-input X real [2,3]) (declare-output Y real [2,2]))
    (assert (<= X[1,0] 0.5)) (assert (>= Y[1,0] 1.0))"""
    with pytest.raises(Exception, match="input 0 has no lower bound"):
        questions(version2.read("p", text))
    bounds = "".join(f"(assert (and (>= X[{i},{j}] 0.0) (<= X[{i},{j}] 1.0)))" for i in range(2) for j in range(3))
    (question,) = questions(version2.read("p", text + bounds))
    assert question.region.upper == (1, 1, 1, F(1, 2), 1, 1)
    assert question.avoid.cases[0][0].terms[0].output == 2


def test_the_first_mistake_has_its_place() -> None:
    with pytest.raises(FormulaError) as caught:
        version1.read("p", "; comment (\n(declare-const X_0 Real)\n\n  (assert (<= X_9 1))")
    assert str(caught.value.mistake.place) == "4:15-17"


@pytest.mark.parametrize(
    ("error", "status", "out", "words"),
    [
        (MemoryError(), 0, "unknown\n", "undecided: out of memory"),
        (RuntimeError("can't allocate memory"), 0, "unknown\n", "undecided: out of memory"),
        (RuntimeError("a bug"), 4, "", "RuntimeError: a bug"),
    ],
)
def test_what_breaks_is_no_answer(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, out: str, words: str
) -> None:
    def broken(*_: object) -> None:
        raise error

    monkeypatch.setattr("pyprover.vnnlib.deciding.verify", broken)
    (folder / "prop.vnnlib").write_text(BOXED + "(assert (<= Y_1 Y_0))")
    result = run("vnnlib", str(folder / "net.onnx"), str(folder / "prop.vnnlib"))
    assert (result.status, result.stdout) == (status, out)
    assert words in result.stderr


def test_how_noise_was_kept_is_said(folder: Path) -> None:
    (folder / "prop.vnnlib").write_text(BOXED + "(assert (>= Y_0 Y_1))")
    asked = (str(folder / "net.onnx"), str(folder / "prop.vnnlib"), "--domain", "zonotope", "--verbose")
    result = run("vnnlib", *asked)
    assert (result.status, result.stdout) == (0, "unsat\n")
    assert result.stderr.startswith("zonotope: noise dense, ")
    result = run("vnnlib", *asked, "--noise-symbols", "1", "--noise-directory", str(folder))
    assert "noise dense, the largest symbols only, 1 symbols at the outputs" in result.stderr
    assert "1 symbols are asked for" in result.stderr


def test_many_regions_share_the_time_and_end_at_the_first_counterexample(folder: Path) -> None:
    """A hundred boxes, more than are tried together; only the last one holds a counterexample."""
    boxes = "".join(f"(and (>= X_0 {k}e-2) (<= X_0 {k + 1}e-2) (>= Y_0 0.995))" for k in range(100))
    assert answer(folder, BOXED + f"(assert (or {boxes}))") == "sat"
    assert answer(folder, BOXED + f"(assert (or {boxes.replace('0.995', '1.005')}))") == "unsat"
