"""The engine beside an independent exact oracle, on random small networks, regions and questions.

Each way to an answer is forced in turn, once with the search for counterexamples and once without: a wrong *Valid*
must not hide behind a counterexample that another step finds first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import helper

from pyprover.domains.analysis import ANALYSES
from pyprover.engine import Network, Problem, Settings, verify
from pyprover.engine.refute import Refuter
from pyprover.query import Avoid, Comparison, Property, Term, Within
from pyprover.region import Region
from pyprover.verdict import Answer, Invalid, Valid, Verdict, Witness
from pyprover.witness import Checked
from tests.python.networks import Arrays, Recipe, dense, save
from tests.python.oracle import Array, Least, Oracle
from tests.python.test_branch import narrow_at_once

TOLERANCE = 1e-4
"""How far the oracle and float32 may be off, for outputs of size 1: closer to a tie, nothing is required."""

SEARCHES = ("branch", "narrow", "split", "cascade")
"""After the bounds only branching on ReLUs; that with boxes narrowed from the first sub-problem on, without linear
programs; only bisection of the input; all steps as they come."""

COMPLETE = ("branch", "cascade")
"""What decides all that is not close to a tie, and soon. Bisection does so too, but some take it minutes."""

WAYS = (*SEARCHES, *ANALYSES)

LONG, SHORT, BLIND = 60.0, 1.0, 0.3
"""Time limits: the second for ways that are not complete, the third for those without counterexamples. Then nothing
ends a search in what does not hold, and what it wrongly proves, it proves early."""


@dataclass(frozen=True)
class Question:
    """A region of a network, properties, and what the oracle says of each."""

    network: Network
    problem: Problem
    truth: tuple[Least, ...]


def normal(rng: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    """Weights of a layer, scaled to its inputs."""
    return (1.4 * rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)


def shift(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    return (0.3 * rng.normal(size=size)).astype(np.float32)


def dense_recipe(rng: np.random.Generator, activation: str) -> Recipe:
    depth = int(rng.integers(1, 4))
    hidden = rng.integers(3, 1 + 18 // depth, size=depth).tolist()
    widths = [int(rng.integers(2, 7)), *hidden, int(rng.integers(3, 6))]
    return dense(widths, int(rng.integers(1 << 30)), activation=activation, scale=1.4)


def conv_recipe(rng: np.random.Generator) -> Recipe:
    """Two windows of a small plane, then a dense end."""
    constants: Arrays = {
        "w0": normal(rng, 3, 1, 2, 2),
        "b0": shift(rng, 3),
        "w1": normal(rng, 5, 6),
        "b1": shift(rng, 5),
        "w2": normal(rng, 4, 5),
        "b2": shift(rng, 4),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w0", "b0"], ["c"], strides=[1, 1], pads=[0, 0, 0, 0]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Flatten", ["r"], ["f"]),
        helper.make_node("Gemm", ["f", "w1", "b1"], ["h"], transB=1),
        helper.make_node("Relu", ["h"], ["a"]),
        helper.make_node("Gemm", ["a", "w2", "b2"], ["y"], transB=1),
    ]
    return Recipe((1, 2, 3), nodes, constants)


def residual_recipe(rng: np.random.Generator) -> Recipe:
    """A dense layer, a block with a skip around it, a dense end."""
    features, width, classes = int(rng.integers(2, 6)), int(rng.integers(4, 9)), int(rng.integers(3, 5))
    sizes = [(width, features), (width, width), (width, width), (classes, width)]
    constants: Arrays = {f"w{k}": normal(rng, *size) for k, size in enumerate(sizes)}
    constants |= {f"b{k}": shift(rng, size[0]) for k, size in enumerate(sizes)}
    nodes = [
        helper.make_node("Gemm", ["x", "w0", "b0"], ["h"], transB=1),
        helper.make_node("Relu", ["h"], ["a"]),
        helper.make_node("Gemm", ["a", "w1", "b1"], ["i"], transB=1),
        helper.make_node("Relu", ["i"], ["c"]),
        helper.make_node("Gemm", ["c", "w2", "b2"], ["j"], transB=1),
        helper.make_node("Add", ["j", "a"], ["s"]),
        helper.make_node("Relu", ["s"], ["d"]),
        helper.make_node("Gemm", ["d", "w3", "b3"], ["y"], transB=1),
    ]
    return Recipe((features,), nodes, constants)


KINDS: dict[str, Callable[[np.random.Generator], Recipe]] = {
    "dense": lambda rng: dense_recipe(rng, "Relu"),
    "leaky": lambda rng: dense_recipe(rng, "LeakyRelu"),
    "conv": conv_recipe,
    "residual": residual_recipe,
}


def chain(rng: np.random.Generator, outputs: Array) -> list[Within]:
    """Growing groups around the answer at the centre, as the levels of a hierarchy."""
    answer = int(outputs.argmax())
    others = rng.permutation([k for k in range(len(outputs)) if k != answer]).tolist()
    return [Within(tuple(sorted([answer, *others[:size]]))) for size in range(len(others))]


def comparison(weights: Array, constant: float, *, strict: bool) -> Comparison:
    """``weights . outputs + constant`` at least 0, exactly as written in binary."""
    terms = tuple(Term(k, Fraction(float(weight))) for k, weight in enumerate(weights) if weight)
    return Comparison(terms, Fraction(constant), strict)


def nearly_tied(rng: np.random.Generator, oracle: Oracle, outputs: int) -> tuple[Property, Least]:
    """Half-spaces of the outputs, moved so that they just meet in the region, or just do not: bounds seldom decide."""
    weights = rng.integers(-2, 3, size=(int(rng.integers(1, 4)), outputs)).astype(np.float64)
    weights[:, rng.integers(outputs)] = 1
    least = oracle.least([(row, 0.0) for row in weights])
    away = float(rng.choice([-1, 1]) * 10 ** rng.uniform(-2, -0.7))
    constant = least.high - away
    case = tuple(comparison(-row, constant, strict=bool(rng.random() < 0.5)) for row in weights)
    return Avoid((case,)), Least(least.low - constant, away, least.point)


def draw(folder: Path, seed: int) -> Question:
    """A network, a box around a point, a chain of groups and two forbidden sets."""
    rng = np.random.default_rng(seed)
    kind = list(KINDS)[seed % len(KINDS)]
    path = save(KINDS[kind](rng), folder / f"{kind}{seed}.onnx")
    network = Network.open(path)
    features = int(np.prod(network.graph.input_shape))
    centre, radius = rng.normal(size=features).round(3), 10 ** rng.uniform(-1.5, 0.3)
    radii = radius * rng.choice([0.0, 0.5, 1.0], size=features, p=[0.1, 0.2, 0.7])
    lower, upper = (np.float32(centre + sign * radii).astype(np.float64) for sign in (-1, 1))
    bounds = (tuple(map(Fraction, side.tolist())) for side in (lower, upper, (lower + upper) / 2))
    region = Region(*bounds, (Fraction(1),) * features)
    oracle = Oracle(path, lower, upper)
    outputs = oracle.evaluate(centre)
    groups = chain(rng, outputs)
    leads = [oracle.leaves(group.classes) for group in groups]
    tied = [nearly_tied(rng, oracle, len(outputs)) for _ in range(2)]
    props = (*groups, *(prop for prop, _ in tied))
    return Question(network, Problem(0, region, props), (*leads, *(least for _, least in tied)))


class Blind(Refuter):
    """Tries no point: what is answered then is proven."""

    def try_point(self, *_: object) -> None:
        """Nothing is found."""


def ask(question: Question, way: str, monkeypatch: pytest.MonkeyPatch, *, blind: bool) -> tuple[Verdict, ...]:
    """The verdicts, reached in one way: a domain, or a search; ``blind``: without counterexamples."""
    with monkeypatch.context() as patch:
        if blind:
            patch.setattr("pyprover.engine.cascade.Refuter", Blind)
        if way in ("split", "branch", "narrow"):
            patch.setattr("pyprover.engine.cascade.few_features", lambda _: way == "split")
        if way == "narrow":
            narrow_at_once(patch)
        if way == "split":
            patch.setattr("pyprover.engine.cascade.few_relus", lambda *_: False)
        domain = way if way in ANALYSES else None
        answers: list[Answer] = []
        limit = BLIND if blind else LONG if way in COMPLETE else SHORT
        verify(question.network, [question.problem], Settings(limit, keep, domain=domain), answers.append)
    (answer,) = answers
    return tuple(outcome.verdict for outcome in answer.outcomes)


def keep(problem: Problem, point: object, checked: Checked) -> Witness:
    return Witness("", None, checked.classes, checked.margin, checked.distance, checked.centre)


def failing(question: Question) -> Question:
    """With the properties that do not hold alone."""
    chosen = [
        (p, least) for p, least in zip(question.problem.properties, question.truth, strict=True) if least.high < 0
    ]
    problem = replace(question.problem, properties=tuple(prop for prop, _ in chosen))
    return replace(question, problem=problem, truth=tuple(least for _, least in chosen))


def mistakes(question: Question, way: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What contradicts the oracle in one way to answers, and what is open although it is not close to a tie."""
    found = []
    for asked, blind in ((question, False), (failing(question), True)):
        verdicts = ask(asked, way, monkeypatch, blind=blind)
        for prop, verdict, least in zip(asked.problem.properties, verdicts, asked.truth, strict=True):
            said = f"{way}: {verdict} for {prop}, least {least.low} to {least.high}"
            holds, fails = least.low > TOLERANCE, least.high < -TOLERANCE
            if (fails and verdict == Valid()) or (holds and isinstance(verdict, Invalid)):
                found.append(f"wrong: {said}")
            elif way in COMPLETE and not blind and (holds or fails) and not isinstance(verdict, Valid | Invalid):
                found.append(f"open: {said}")
    return found


def in_turn(seed: int) -> str:
    """One way for each network; each kind of network meets each way."""
    return WAYS[seed // len(KINDS) % len(WAYS)]


@pytest.mark.parametrize("seed", range(40))
def test_answers_agree_with_the_oracle(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mistakes(draw(tmp_path, seed), in_turn(seed), monkeypatch) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40, 540))
def test_more_answers_agree_with_the_oracle(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    question = draw(tmp_path, seed)
    ways = dict.fromkeys([*COMPLETE, "narrow", in_turn(seed)])
    assert [it for way in ways for it in mistakes(question, way, monkeypatch)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_oracle_evaluates_what_onnx_runtime_does(kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    path = save(KINDS[kind](rng), tmp_path / "net.onnx")
    network = Network.open(path)
    points = rng.normal(size=(20, int(np.prod(network.graph.input_shape))))
    oracle = Oracle(path, points.min(0), points.max(0))
    expected = network.replayer.outputs(points.reshape(-1, *network.graph.input_shape).astype(np.float32))
    np.testing.assert_allclose([oracle.evaluate(point) for point in points], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_the_oracle_finds_the_least(kind: str, tmp_path: Path) -> None:
    """Attained where it says, and not above any of many points."""
    rng = np.random.default_rng(5)
    path = save(KINDS[kind](rng), tmp_path / "net.onnx")
    features = int(np.prod(Network.open(path).graph.input_shape))
    lower, upper = -np.ones(features) * 0.5, np.ones(features) * 0.5
    oracle = Oracle(path, lower, upper)
    outputs = len(oracle.evaluate(lower))
    forms = [(rng.normal(size=outputs), float(rng.normal())) for _ in range(2)]

    def value(point: Array) -> float:
        return max(float(oracle.evaluate(point) @ weights) + constant for weights, constant in forms)

    least = oracle.least(forms)
    assert least.high == value(least.point)
    assert least.high - least.low < 1e-6
    points = rng.uniform(lower, upper, size=(2000, features))
    assert min(map(value, points)) >= least.low - 1e-9
