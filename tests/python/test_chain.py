"""A chain of sets of classes asked about at once: one analysis, coarse links first, the most severe witness."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import helper
from torch import Tensor

from pyprover.domains.analysis import RegionBounds, bound_regions
from pyprover.domains.linear import Linearised, lower_bounds
from pyprover.domains.relaxation import Rows
from pyprover.engine import Network, Problem, Settings, cascade, prove, refute, verify
from pyprover.engine.problem import Progress
from pyprover.engine.refute import Refuter
from pyprover.query import Within
from pyprover.region import Region
from pyprover.verdict import Answer, Invalid, Valid, Witness
from pyprover.witness import Checked
from tests.python.networks import Recipe, dense, save

CHAIN = (Within((0,)), Within((0, 1)), Within((0, 1, 2)))


class Saved:
    """Witnesses by number."""

    def __init__(self) -> None:
        self.points: list[NDArray[np.float32]] = []

    def __call__(self, _problem: Problem, point: NDArray[np.float32], checked: Checked) -> Witness:
        self.points.append(point)
        name = str(len(self.points) - 1)
        return Witness(name, None, checked.classes, checked.margin, checked.distance, checked.centre)


def box(low: float, high: float, features: int = 4) -> Region:
    lower, upper = Fraction(low), Fraction(high)
    middle = ((lower + upper) / 2,) * features
    return Region((lower,) * features, (upper,) * features, middle, (Fraction(1),) * features)


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Network:
    """``y = x + (1, 0, 0, 0)``: over [-1, 1] every class can win."""
    constants = {"c": np.array([1, 0, 0, 0], np.float32)}
    recipe = Recipe((4,), [helper.make_node("Add", ["x", "c"], ["y"])], constants)
    return Network.open(save(recipe, tmp_path_factory.mktemp("nets") / "scores.onnx"))


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> Network:
    return Network.open(save(dense([6, 20, 20, 8], 1, scale=1.2), tmp_path_factory.mktemp("nets") / "deep.onnx"))


def answer(network: Network, region: Region, chain: tuple[Within, ...], saved: Saved) -> Answer:
    answers: list[Answer] = []
    verify(network, [Problem(0, region, chain)], Settings(20.0, saved), answers.append)
    return answers[0]


def witnesses(found: Answer) -> list[Witness]:
    return [outcome.verdict.witness for outcome in found.outcomes if isinstance(outcome.verdict, Invalid)]


def test_one_witness_refutes_the_whole_chain(scores: Network) -> None:
    """Classes 1 and 2 can win too, but only class 3 is outside of every set."""
    saved = Saved()
    found = witnesses(answer(scores, box(-1, 1), CHAIN, saved))
    assert [witness.classes for witness in found] == [(3,)] * 3
    assert len({witness.file for witness in found}) == len(saved.points) == 1
    assert [witness.margin for witness in found] == sorted((w.margin for w in found), reverse=True)


def test_the_order_of_the_links_does_not_matter(scores: Network) -> None:
    found = witnesses(answer(scores, box(-1, 1), CHAIN[::-1], Saved()))
    assert [witness.classes for witness in found] == [(3,)] * 3


def test_the_coarsest_link_is_searched_first(scores: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[int] = []

    def recording(*arguments: object) -> object:
        searched.append(int(arguments[1].objective.group.sum()))  # type: ignore[attr-defined]
        return search(*arguments)  # type: ignore[arg-type]

    search = refute.search
    monkeypatch.setattr(refute, "search", recording)
    answer(scores, box(-1, 1), CHAIN, Saved())
    assert searched == [3]
    searched.clear()
    answer(scores, box(-0.6, 0.6), (Within((0,)), Within((0, 1, 2, 3))), Saved())
    assert searched == [1]


def progress_after(network: Network, saved: Saved, *points: list[float]) -> Progress:
    progress = Progress.start(Problem(0, box(-1, 1), CHAIN), 4)
    refuter = Refuter(network, saved)
    for point in points:
        refuter.try_point(progress, np.array(point, np.float32), "search")
    return progress


MILD, MIDDLE, SEVERE = [-1.0, 0.5, 0.0, 0.0], [-1.0, 0.0, 0.5, 0.0], [-1.0, 0.0, 0.0, 0.5]


def test_a_severe_witness_takes_the_place_of_milder_ones(scores: Network) -> None:
    saved = Saved()
    known = progress_after(scores, saved, MILD).witnesses()
    assert [(k, witness.classes) for k, witness in known] == [(0, (1,))]
    known = progress_after(scores, saved, MILD, MIDDLE, SEVERE).witnesses()
    assert [(k, witness.classes) for k, witness in known] == [(0, (3,)), (1, (3,)), (2, (3,))]
    known = progress_after(scores, saved, SEVERE, MILD, MIDDLE).witnesses()
    assert [witness.classes for _, witness in known] == [(3,)] * 3


def test_a_mistake_at_the_centre_stays(scores: Network) -> None:
    """It says more: the network is wrong without any perturbation."""
    lower = (Fraction(-1),) * 4
    upper = (Fraction(0), *(Fraction(1),) * 3)
    centre = (Fraction(-1), Fraction(1, 2), Fraction(0), Fraction(0))
    region = Region(lower, upper, centre, (Fraction(1),) * 4)
    found = witnesses(answer(scores, region, CHAIN, Saved()))
    assert [(witness.classes, witness.centre) for witness in found] == [((1,), True), ((3,), False), ((3,), False)]


def test_a_chain_shares_one_analysis(deep: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """No region is analysed twice in a domain, and no margin is bounded twice."""
    domains: list[str] = []
    rows: list[tuple[int, int, tuple[float, ...]]] = []

    def analysing(domain: str, *rest: object) -> RegionBounds:
        domains.append(domain)
        return bound_regions(domain, *rest)  # type: ignore[arg-type]

    def bounding(network: Linearised, value: int, asked: Rows) -> Tensor:
        regions = asked.places.sample.tolist()
        rows.extend((id(network), r, tuple(row)) for r, row in zip(regions, asked.coef.tolist(), strict=True))
        return lower_bounds(network, value, asked)

    monkeypatch.setattr(cascade, "bound_regions", analysing)
    monkeypatch.setattr(prove, "lower_bounds", bounding)
    rng = np.random.default_rng(0)
    problems = []
    for k in range(4):
        centre = rng.normal(size=6).astype(np.float32)
        order = deep.exact_outputs(centre[None])[0].argsort()[::-1].tolist()
        middle = tuple(map(Fraction, centre.tolist()))
        lower, upper = (tuple(c + sign * Fraction(1, 20) for c in middle) for sign in (-1, 1))
        region = Region(lower, upper, middle, (Fraction(1),) * 6)
        problems.append(Problem(k, region, tuple(Within(tuple(order[:size])) for size in (1, 2, 4, 6))))
    answers: list[Answer] = []
    verify(deep, problems, Settings(20.0, Saved()), answers.append)
    assert len(domains) == len(set(domains))
    assert len(rows) == len(set(rows))
    proven = [all(outcome.verdict == Valid() for outcome in found.outcomes) for found in answers]
    assert any(proven)


def test_links_bounded_alone_cost_no_less(deep: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chain's bounds are those of its finest link where that is proven: coarser ones are free."""
    count = 0

    def bounding(network: Linearised, value: int, asked: Rows) -> Tensor:
        nonlocal count
        count += len(asked.coef)
        return lower_bounds(network, value, asked)

    monkeypatch.setattr(prove, "lower_bounds", bounding)
    centre = np.full(6, 0.3, np.float32)
    order = deep.exact_outputs(centre[None])[0].argsort()[::-1].tolist()
    chain = tuple(Within(tuple(order[:size])) for size in (1, 2, 4, 6))
    where = box(0.2999, 0.3001, 6)
    costs = []
    for links in ((chain[0],), chain):
        count = 0
        found = answer(deep, where, links, Saved())
        assert all(outcome.verdict == Valid() for outcome in found.outcomes)
        costs.append(count)
    assert costs[0] > 0
    assert costs[0] == costs[1]
