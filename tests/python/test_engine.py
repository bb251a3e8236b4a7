"""The engine from query to answer: verdicts are right, witnesses are real, nothing proven is refuted."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import helper

from pyprover.domains.analysis import ANALYSES, RegionBounds, bound_parts, bound_regions
from pyprover.domains.base import Box
from pyprover.engine import Network, Problem, Settings, verify
from pyprover.engine.case import Case, beats, cases_of, difference, violation
from pyprover.engine.ledger import Cover, Ledger
from pyprover.engine.problem import Progress
from pyprover.engine.split import Bounded, Parts, few_features
from pyprover.engine.weights import Ask, combine, project
from pyprover.errors import StorageError, UserError
from pyprover.query import Avoid, Comparison, Property, Term, Within
from pyprover.region import Region
from pyprover.verdict import Answer, Failure, Invalid, Outcome, Timeout, Unknown, Valid, Witness
from pyprover.witness import Checked
from tests.python.networks import Recipe, dense, residual, save, toy


def never() -> None:
    """No time limit."""


def box_region(lower: Sequence[float], upper: Sequence[float]) -> Region:
    low, high = tuple(map(Fraction, lower)), tuple(map(Fraction, upper))
    centre = tuple((a + b) / 2 for a, b in zip(low, high, strict=True))
    return Region(low, high, centre, (Fraction(1),) * len(low))


def ball(centre: NDArray[np.float64], radius: float) -> Region:
    flat = centre.ravel()
    return box_region((flat - radius).tolist(), (flat + radius).tolist())


@dataclass
class Saved:
    """A store that keeps what it is given."""

    points: list[tuple[int, NDArray[np.float32]]] = field(default_factory=list)

    def __call__(self, problem: Problem, point: NDArray[np.float32], checked: Checked) -> Witness:
        self.points.append((problem.query, point.copy()))
        name = f"{len(self.points) - 1}"
        return Witness(name, None, checked.classes, checked.margin, checked.distance, checked.centre)

    def point(self, witness: Witness) -> NDArray[np.float32]:
        return self.points[int(witness.file)][1]


@dataclass
class Run:
    """Answers by query, and what was saved."""

    answers: dict[int, Answer]
    saved: Saved

    def outcomes(self, query: int = 0) -> tuple[Outcome, ...]:
        return self.answers[query].outcomes


def run(network: Network, asked: Sequence[tuple[Region, Sequence[Property]]], **options: object) -> Run:
    saved = Saved()
    answers: list[Answer] = []
    chosen = Settings(**{"time_limit": 60.0, "store": saved, **options})  # type: ignore[arg-type]
    verify(
        network, [Problem(k, region, tuple(props)) for k, (region, props) in enumerate(asked)], chosen, answers.append
    )
    assert sorted(answer.query for answer in answers) == list(range(len(asked)))
    return Run({answer.query: answer for answer in answers}, saved)


@pytest.fixture(scope="module")
def nets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Network]:
    folder = tmp_path_factory.mktemp("nets")
    recipes = {
        "dense": dense([3, 12, 12, 4], 0, scale=1.5),
        "sigmoid": dense([3, 10, 10, 4], 1, activation="Sigmoid", scale=4.0),
        "residual": residual(0),
        "toy": toy(),
        "linear": Recipe((2,), *_linear()),
    }
    return {name: Network.open(save(recipe, folder / f"{name}.onnx")) for name, recipe in recipes.items()}


def _linear() -> tuple[list[object], dict[str, NDArray[np.float32]]]:
    """Outputs x_0, x_1, x_0."""
    from onnx import helper

    weight = np.array([[1, 0], [0, 1], [1, 0]], dtype=np.float32)
    return [helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)], {"w": weight}


SQUARE = box_region([-1, -1], [1, 1])


def at_least(output: int, bound: str, *, strict: bool = False) -> Comparison:
    """``f_output >= bound``, or ``>``."""
    return Comparison((Term(output, Fraction(1)),), -Fraction(bound), strict)


class TestCases:
    def test_group(self) -> None:
        (case,) = cases_of(Within((0, 1, 2)), 4)
        assert case == beats(3, (0, 1, 2))
        assert [margin.loser for margin in case.margins] == [3, 3, 3]

    def test_comparison_is_turned_round(self) -> None:
        comparison = Comparison(
            (Term(1, Fraction(2)), Term(1, Fraction(1)), Term(0, Fraction(0))), Fraction(1, 3), True
        )
        ((margin,),) = (case.margins for case in cases_of(Avoid(((comparison,),)), 2))
        assert (margin.terms, margin.constant, margin.strict) == (((1, Fraction(-3)),), Fraction(-1, 3), True)

    @pytest.mark.parametrize("prop", [Within((0, 4)), Within((-1,)), Avoid(((at_least(7, "0"),),))])
    def test_output_that_does_not_exist(self, prop: Property) -> None:
        with pytest.raises(UserError, match="the network has 4 outputs"):
            cases_of(prop, 4)

    def test_violation(self) -> None:
        outputs = np.array([1.0, 3.0, 2.0])
        assert violation(Within((0, 2)), outputs) == 1.0
        assert violation(Within((1,)), outputs) == -1.0
        assert violation(Within((0, 1, 2)), outputs) == -np.inf
        assert violation(Avoid(((at_least(0, "0.5"), at_least(1, "2")), (at_least(2, "4"),))), outputs) == 0.5
        assert violation(Avoid(()), outputs) == -np.inf


class TestLedger:
    def test_a_proof_for_a_group_is_one_for_every_larger_group(self, nets: dict[str, Network]) -> None:
        ledger, bounds = Ledger(), analysed(nets["toy"])
        weights = {difference(0, 2): 0.5, difference(1, 2): 0.5}
        ledger.record(bounds, [(weights, 0.1)])
        assert ledger.excludes(beats(2, (0, 1)))
        assert ledger.excludes(beats(2, (0, 1, 3)))
        assert not ledger.excludes(beats(2, (0, 3)))
        assert ledger.losers() == {2}

    def test_strictness(self, nets: dict[str, Network]) -> None:
        ledger, bounds = Ledger(), analysed(nets["toy"])
        weak, strong = (cases_of(Avoid(((at_least(0, "0", strict=s),),)), 3)[0] for s in (False, True))
        for case in (weak, strong):
            ledger.record(bounds, [({case.margins[0]: 1.0}, 0.0)])
        assert not ledger.excludes(weak)
        assert ledger.excludes(strong)

    def test_nothing_is_proven_by_nan(self, nets: dict[str, Network]) -> None:
        ledger = Ledger()
        ledger.record(analysed(nets["toy"]), [({difference(0, 2): 1.0}, float("nan"))])
        assert not ledger.excludes(beats(2, (0,)))
        assert ledger.losers() == set()

    def test_an_empty_case_is_not_excluded(self) -> None:
        assert not Ledger().excludes(Case(()))

    def test_conditional_bounds_cannot_enter(self, nets: dict[str, Network]) -> None:
        """Bounds on the part x_0 >= 0, where f_0 beats f_1, would prove that class 1 never wins."""
        half = Box(torch.tensor([[0.5, -1.0]], dtype=torch.float64), torch.ones(1, 2, dtype=torch.float64))
        ledger, conditional = Ledger(), bound_parts(nets["toy"].graph, half, never)
        with pytest.raises(TypeError, match="PartBounds do not hold in the whole region"):
            ledger.record(conditional, [({difference(0, 1): 1.0}, 0.5)])  # type: ignore[arg-type]
        assert ledger.losers() == set()

    def test_a_cover_excludes_its_cases_and_larger_groups(self) -> None:
        ledger = Ledger()
        ledger.record_cover(Cover({beats(2, (0, 1)): 0.25, beats(3, (0,)): -0.1}))
        assert ledger.excludes(beats(2, (0, 1, 4)))
        assert not ledger.excludes(beats(2, (0,)))
        assert not ledger.excludes(beats(3, (0,)))
        assert ledger.margin(beats(2, (0, 1))) == 0.25


def analysed(network: Network, region: Region = SQUARE, domain: str = "linear") -> RegionBounds:
    shape = (1, *network.graph.input_shape)
    lower, upper = (torch.from_numpy(side).reshape(shape) for side in region.outward())
    return bound_regions(domain, network.graph, Box(lower, upper), never)


class TestWeights:
    @settings(max_examples=40, deadline=None)
    @given(seed=st.integers(0, 1000), width=st.integers(1, 6), scale=st.sampled_from([1e-3, 1.0, 1e3]))
    def test_projection_is_the_nearest_point(self, seed: int, width: int, scale: float) -> None:
        rng = np.random.default_rng(seed)
        point = torch.from_numpy(rng.normal(size=(1, width)) * scale)
        valid = torch.from_numpy(rng.random((1, width)) > 0.3)
        valid[0, 0] = True
        found = project(point, valid)
        assert float(found.sum()) == pytest.approx(1.0)
        assert bool((found >= 0).all())
        assert float(found[~valid].sum()) == 0.0
        other = torch.from_numpy(rng.dirichlet(np.ones(width), size=200)) * valid
        other = other[other.sum(1) > 0]
        other = other / other.sum(1, keepdim=True)
        distance = ((other - point) * valid).square().sum(1)
        assert float(((found - point) * valid).square().sum()) <= float(distance.min()) + 1e-9 * (1 + scale**2)

    def test_the_group_is_provable_where_no_member_is(self, nets: dict[str, Network]) -> None:
        case = beats(2, (0, 1))
        for start in (0, 1):
            (found,) = combine(analysed(nets["toy"]).linearised, [Ask(case, 0, start)])
            assert found.bound > 0
            assert found.bound <= 0.2
            assert sum(found.weights.values()) == pytest.approx(1.0)

    @settings(max_examples=15, deadline=None)
    @given(seed=st.integers(0, 1000), radius=st.sampled_from([0.05, 0.3, 1.0]), domain=st.sampled_from(list(ANALYSES)))
    def test_never_weaker_than_the_start(self, nets: dict[str, Network], seed: int, radius: float, domain: str) -> None:
        centre = np.random.default_rng(seed).normal(size=3)
        network = analysed(nets["dense"], ball(centre, radius), domain).linearised
        case = beats(3, (0, 1, 2))
        singles = [combine(network, [Ask(beats(3, (i,)), 0, 0)])[0].bound for i in range(3)]
        for start in range(3):
            (found,) = combine(network, [Ask(case, 0, start)])
            assert found.bound >= singles[start] - 1e-9 * (1 + abs(singles[start]))

    def test_the_bound_is_below_every_sampled_combination(self, nets: dict[str, Network]) -> None:
        region = ball(np.array([0.2, -0.4, 0.1]), 0.4)
        (found,) = combine(analysed(nets["dense"], region).linearised, [Ask(beats(3, (0, 1, 2)), 0, 1)])
        lower, upper = region.outward()
        points = torch.from_numpy(np.random.default_rng(0).uniform(lower, upper, size=(2000, 3)))
        outputs = nets["dense"].graph.forward(points).numpy()
        weights = np.array([found.weights[difference(i, 3)] for i in range(3)])
        assert found.bound <= float((outputs[:, :3] @ weights - outputs[:, 3] * weights.sum()).min())


class TestAnswers:
    @pytest.mark.parametrize("domain", list(ANALYSES))
    def test_toy(self, nets: dict[str, Network], domain: str) -> None:
        found = run(nets["toy"], [(SQUARE, [Within((0,)), Within((0, 1))])], domain=domain)
        single, group = found.outcomes()
        assert isinstance(single.verdict, Invalid)
        assert (group.verdict, group.step) == (Valid(), domain)
        assert group.margin is not None
        assert 0 < group.margin <= 0.2
        assert found.answers[0].impossible == (2,)
        assert {reached.class_index for reached in found.answers[0].reached} == {1}

    @pytest.mark.parametrize("domain", list(ANALYSES))
    def test_only_the_domain_asked_for_is_used(self, nets: dict[str, Network], domain: str) -> None:
        answer = run(
            nets["dense"], [(ball(np.zeros(3), 1.0), [Within((0,)), Within((0, 1, 2))])], domain=domain
        ).answers[0]
        assert {step.name for step in answer.steps} & set(ANALYSES) <= {domain}

    def test_wrong_at_the_centre(self, nets: dict[str, Network]) -> None:
        found = run(nets["linear"], [(box_region([0, 1], [0.5, 2]), [Within((0, 2))])])
        (outcome,) = found.outcomes()
        assert outcome.step == "centre"
        assert isinstance(outcome.verdict, Invalid)
        assert outcome.verdict.witness.centre
        assert found.answers[0].centre == (1,)

    def test_tie(self, nets: dict[str, Network]) -> None:
        """f_0 = f_2 everywhere: neither {0} nor its negation can be shown."""
        (outcome,) = run(nets["linear"], [(box_region([1, 0], [2, 0.5]), [Within((0,))])]).outcomes()
        assert outcome.verdict == Unknown("tie")

    def test_empty_region(self, nets: dict[str, Network]) -> None:
        answer = run(nets["linear"], [(box_region([1, 0], [0, 1]), [Within((0,)), Avoid(((),))])]).answers[0]
        assert [(outcome.verdict, outcome.step) for outcome in answer.outcomes] == [(Valid(), "empty")] * 2
        assert answer.centre == ()

    def test_everything_allowed_and_nothing_allowed(self, nets: dict[str, Network]) -> None:
        everything, nothing = run(nets["linear"], [(SQUARE, [Within((0, 1, 2)), Within(())])]).outcomes()
        assert everything.verdict == Valid()
        assert isinstance(nothing.verdict, Invalid)

    def test_avoid(self, nets: dict[str, Network]) -> None:
        """x_0, x_1 in [-1, 1]."""
        props = [
            Avoid(((at_least(0, "1.01"),),)),
            Avoid(((at_least(0, "0.99"),),)),
            Avoid(((at_least(0, "0.5"), _sum_at_most("-0.6")),)),
            Avoid(((at_least(0, "0.5"), _sum_at_most("-0.4")),)),
            Avoid(((at_least(0, "2"),), (at_least(1, "0.9"),))),
            Avoid(()),
            Avoid(((),)),
        ]
        kinds = [type(outcome.verdict) for outcome in run(nets["linear"], [(SQUARE, props)]).outcomes()]
        assert kinds == [Valid, Invalid, Valid, Invalid, Invalid, Valid, Invalid]

    def test_strict_comparison_at_its_bound(self, nets: dict[str, Network]) -> None:
        """x_0 <= 1: x_0 > 1 never holds, x_0 >= 1 holds in a point that is not strictly inside."""
        region = box_region([-1, -1], [0, 1])
        strict, weak = run(
            nets["linear"], [(region, [Avoid(((at_least(0, "0", strict=s),),)) for s in (True, False)])]
        ).outcomes()
        assert isinstance(strict.verdict, Valid | Unknown)
        assert isinstance(weak.verdict, Unknown)
        assert weak.verdict.reason == "tie"

    def test_order_of_verdicts_in_a_chain(self, nets: dict[str, Network]) -> None:
        """A chain of growing groups: once Valid, Valid from there on; once Invalid, Invalid before."""
        chain = [Within((0,)), Within((0, 1)), Within((0, 1, 2)), Within((0, 1, 2, 3))]
        rng = np.random.default_rng(1)
        asked = [(ball(rng.normal(size=3), radius), chain) for radius in (0.02, 0.1, 0.5, 2.0) for _ in range(8)]
        found = run(nets["dense"], asked)
        for k in range(len(asked)):
            kinds = [type(outcome.verdict) for outcome in found.outcomes(k)]
            ranks = [(Invalid, Unknown, Valid).index(kind) for kind in kinds]
            assert ranks == sorted(ranks)

    def test_full_matrix(self, nets: dict[str, Network]) -> None:
        rng = np.random.default_rng(2)
        asked = [(ball(rng.normal(size=3), radius), [Within((0,))]) for radius in (0.05, 3.0) for _ in range(5)]
        found = run(nets["dense"], asked, full_matrix=True)
        for k, answer in found.answers.items():
            reached = {r.class_index for r in answer.reached}
            assert not reached & set(answer.impossible)
            for entry in answer.reached:
                point = found.saved.point(entry.witness)
                outputs = nets["dense"].replayer.outputs(point[None])[0]
                assert int(outputs.argmax()) == entry.class_index
            lower, upper = asked[k][0].outward()
            points = torch.from_numpy(np.random.default_rng(k).uniform(lower, upper, size=(3000, 3)))
            seen = set(nets["dense"].graph.forward(points).argmax(1).tolist())
            assert not seen & set(answer.impossible)
        assert any(len(answer.reached) > 1 for answer in found.answers.values())
        assert any(answer.impossible for answer in found.answers.values())

    def test_steps_add_up(self, nets: dict[str, Network]) -> None:
        answer = run(nets["toy"], [(SQUARE, [Within((0,)), Within((0, 1))])]).answers[0]
        assert answer.seconds == pytest.approx(sum(step.seconds for step in answer.steps))
        assert [step.name for step in answer.steps][:2] == ["empty", "centre"]

    def test_unknown_domain(self, nets: dict[str, Network]) -> None:
        with pytest.raises(UserError, match="unknown domain 'octagon'"):
            run(nets["toy"], [(SQUARE, [Within((0,))])], domain="octagon")

    def test_misfit_is_refused_before_any_answer(self, nets: dict[str, Network]) -> None:
        answers: list[Answer] = []
        problems = [Problem(0, SQUARE, (Within((0,)),)), Problem(1, SQUARE, (Within((9,)),))]
        with pytest.raises(UserError):
            verify(nets["toy"], problems, Settings(1.0, Saved()), answers.append)
        assert answers == []


def _sum_at_most(bound: str) -> Comparison:
    """``x_0 + x_1 <= bound`` on the linear network."""
    terms = (Term(0, Fraction(-1)), Term(1, Fraction(-1)))
    return Comparison(terms, Fraction(bound), strict=False)


@pytest.mark.parametrize("name", ["dense", "sigmoid", "residual"])
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), radius=st.sampled_from([0.0, 0.01, 0.1, 0.3, 1.0]))
def test_verdicts_agree_with_dense_sampling(nets: dict[str, Network], name: str, seed: int, radius: float) -> None:
    network = nets[name]
    rng = np.random.default_rng(seed)
    region = ball(rng.normal(size=network.graph.input_shape), radius)
    comparisons = tuple(
        Comparison(
            tuple(Term(k, Fraction(str(w))) for k, w in enumerate(rng.normal(size=4).round(2).tolist())),
            Fraction(str(round(float(rng.normal()), 2))),
            strict=bool(rng.random() > 0.5),
        )
        for _ in range(4)
    )
    properties = [Within((0,)), Within((1, 2)), Within((0, 1, 3)), Avoid((comparisons[:2], comparisons[2:]))]
    found = run(network, [(region, properties)], time_limit=1.0)
    lower, upper = region.outward()
    share = rng.random((1500, len(lower)))
    share[:500] = share[:500].round()
    points = np.clip(lower + (upper - lower) * share, lower, upper).reshape(-1, *network.graph.input_shape)
    outputs = network.graph.forward(torch.from_numpy(points)).numpy()
    for prop, outcome in zip(properties, found.outcomes(), strict=True):
        worst = max(violation(prop, row) for row in outputs)
        if isinstance(outcome.verdict, Valid):
            assert worst <= 0
            if outcome.margin is not None:
                assert worst <= -outcome.margin + 1e-9
        if isinstance(outcome.verdict, Invalid):
            point = found.saved.point(outcome.verdict.witness)
            assert isinstance(network.replayer.check(region, prop, point), Checked)


def test_time_out_keeps_what_was_found(nets: dict[str, Network]) -> None:
    found = run(
        nets["residual"], [(ball(np.zeros(36), 0.3), [Within((0, 1)), Within((0, 1, 2, 3))])] * 3, time_limit=0.0
    )
    for answer in found.answers.values():
        assert isinstance(answer.outcomes[0].verdict, Timeout | Valid | Invalid)
    assert any(isinstance(answer.outcomes[0].verdict, Timeout) for answer in found.answers.values())


def test_time_limit_is_respected(nets: dict[str, Network]) -> None:
    start = time.monotonic()
    run(nets["residual"], [(ball(np.zeros(36), 1.0), [Within((k,)) for k in range(4)])] * 40, time_limit=0.005)
    assert time.monotonic() - start < 5


def test_batches_answer_every_query(nets: dict[str, Network], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyprover.engine.cascade._BATCH_BYTES", 1)
    rng = np.random.default_rng(0)
    found = run(nets["dense"], [(ball(rng.normal(size=3), 0.1), [Within((0,))]) for _ in range(5)])
    assert all(len(answer.outcomes) == 1 for answer in found.answers.values())


def test_verdicts_repeat(nets: dict[str, Network]) -> None:
    rng = np.random.default_rng(4)
    asked = [(ball(rng.normal(size=3), 0.3), [Within((0,)), Within((0, 1))]) for _ in range(6)]
    first, second = run(nets["dense"], asked), run(nets["dense"], asked)
    for k in range(6):
        assert [type(o.verdict) for o in first.outcomes(k)] == [type(o.verdict) for o in second.outcomes(k)]
    for one, two in zip(first.saved.points, second.saved.points, strict=True):
        np.testing.assert_array_equal(one[1], two[1])


@pytest.mark.data("nets/groups/toy/toy.onnx")
def test_public_toy(data_dir: Path) -> None:
    network = Network.open(str(data_dir / "nets/groups/toy/toy.onnx"))
    prop = Avoid(((_lead(2, 0), _lead(2, 1)),))
    (outcome,) = run(network, [(SQUARE, [prop])]).outcomes()
    assert outcome.verdict == Valid()
    assert outcome.margin is not None
    assert 0 < outcome.margin <= 0.2


def _lead(first: int, second: int) -> Comparison:
    """``f_first - f_second >= 0``."""
    return Comparison((Term(first, Fraction(1)), Term(second, Fraction(-1))), Fraction(0), strict=False)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Network, Network]:
    """A network with a softmax at its end, and the same one without."""
    folder = tmp_path_factory.mktemp("softmax")
    plain = dense([3, 8, 3], 0)
    nodes = [*plain.nodes[:-1], copy.deepcopy(plain.nodes[-1])]
    nodes[-1].output[0] = "scores"
    nodes.append(helper.make_node("Softmax", ["scores"], ["y"], axis=-1))
    recipes = (Recipe(plain.shape, nodes, plain.constants), plain)
    soft, hard = (Network.open(save(recipe, folder / f"{k}.onnx")) for k, recipe in enumerate(recipes))
    return soft, hard


class TestSoftmaxAtTheEnd:
    """It is left out where only the order of the outputs matters, and nowhere else."""

    def test_an_order_is_proven_on_the_scores(self, pair: tuple[Network, Network]) -> None:
        asked = [(ball(np.array([0.3, -0.2, 0.5]), 0.01), [Within((k,)) for k in range(3)])]
        soft, hard = (run(network, asked, domain="linear").outcomes() for network in pair)
        assert [type(o.verdict) for o in soft] == [type(o.verdict) for o in hard]
        assert [o.margin for o in soft] == [o.margin for o in hard]
        assert Valid() in [o.verdict for o in soft]

    def test_values_are_those_after_it(self, pair: tuple[Network, Network]) -> None:
        soft, hard = pair
        assert soft.ranked is not soft
        assert hard.ranked is hard
        prop = Avoid(((at_least(0, "1.001"),), (at_least(1, "1.001"),), (at_least(2, "1.001"),)))
        region = ball(np.zeros(3), 3.0)
        assert [type(o.verdict) for o in run(soft, [(region, [prop])]).outcomes()] == [Valid]
        assert [type(o.verdict) for o in run(hard, [(region, [prop])]).outcomes()] == [Invalid]

    def test_both_kinds_in_one_query(self, pair: tuple[Network, Network]) -> None:
        prop = Avoid(((at_least(0, "1.001"),),))
        asked = [(ball(np.array([0.3, -0.2, 0.5]), 0.01), [Within((0, 1, 2)), prop])]
        assert [o.verdict for o in run(pair[0], asked).outcomes()] == [Valid(), Valid()]


class TestStorage:
    def test_a_witness_that_cannot_be_kept_fails_its_property_alone(self, nets: dict[str, Network]) -> None:
        """As on a full disk: what is proven stays proven, in the same query and in others."""

        def full(problem: Problem, point: NDArray[np.float32], checked: Checked) -> Witness:
            raise StorageError("No space left on device")

        region = ball(np.array([0.1, 0.2, -0.3]), 0.01)
        answer = int(nets["dense"].graph.forward(torch.tensor([[0.1, 0.2, -0.3]], dtype=torch.float64)).argmax())
        others = tuple(k for k in range(4) if k != answer)
        found = run(
            nets["dense"], [(region, [Within((answer,)), Within(others)]), (region, [Within((answer,))])], store=full
        )
        assert [o.verdict for o in found.outcomes(0)] == [Valid(), Failure("No space left on device")]
        assert [o.verdict for o in found.outcomes(1)] == [Valid()]


class TestSplit:
    @pytest.fixture(autouse=True)
    def _parts_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The networks of these tests are so small that their ReLUs would be split instead."""
        monkeypatch.setattr("pyprover.engine.cascade.few_relus", lambda *_: False)

    def test_what_the_region_leaves_open_its_parts_decide(self, nets: dict[str, Network]) -> None:
        rng = np.random.default_rng(3)
        asked = [(ball(rng.normal(size=3), 0.4), [Within((0, 1)), Within((2,)), Within((1, 2, 3))]) for _ in range(12)]
        found = run(nets["dense"], asked)
        kinds = [type(o.verdict) for k in range(12) for o in found.outcomes(k)]
        assert set(kinds) == {Valid, Invalid}
        steps = [o.step for k in range(12) for o in found.outcomes(k)]
        assert "split" in steps

    def test_a_property_that_needs_splits(self, nets: dict[str, Network]) -> None:
        """Just above and just below the greatest value of an output that samples find, its corners among them."""
        region = ball(np.array([0.1, 0.2, -0.3]), 0.5)
        lower, upper = region.outward()
        share = np.random.default_rng(0).uniform(-0.2, 1.2, size=(20_000, 3)).clip(0, 1)
        outputs = nets["dense"].graph.forward(torch.from_numpy(lower + (upper - lower) * share))[:, 0]
        most = float(outputs.max())
        slack = 0.05 * (most - float(outputs.min()))
        above, below = (Avoid(((at_least(0, str(most + sign * slack)),),)) for sign in (1, -1))
        found = run(nets["dense"], [(region, [above, below])])
        assert [type(o.verdict) for o in found.outcomes()] == [Valid, Invalid]
        assert found.outcomes()[0].margin is not None
        assert 0 < found.outcomes()[0].margin <= slack + 1e-9  # type: ignore[operator]

    def test_a_single_domain_never_splits(self, nets: dict[str, Network]) -> None:
        answer = run(nets["dense"], [(ball(np.zeros(3), 0.6), [Within((0,))])], domain="linear").answers[0]
        assert "split" not in [step.name for step in answer.steps]

    def test_many_features_are_not_split(self, nets: dict[str, Network]) -> None:
        for radius in (0.3, 0.0):
            problem = Problem(0, ball(np.zeros(36), radius), (Within((0,)),))
            assert few_features(Progress.start(problem, nets["residual"].graph.outputs)) == (radius == 0.0)

    def test_an_incomplete_cover_proves_nothing(
        self, nets: dict[str, Network], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Parts that cannot be halved any more leave their cases open."""
        region = ball(np.array([0.1, 0.2, -0.3]), 0.0)
        prop = Within(
            (int(nets["dense"].graph.forward(torch.tensor([[0.1, 0.2, -0.3]], dtype=torch.float64)).argmax()),)
        )
        monkeypatch.setattr("pyprover.engine.cascade.CASCADE", ())
        monkeypatch.setattr("pyprover.engine.split._Bisection.bound", _no_bound)
        (outcome,) = run(nets["dense"], [(region, [prop])]).outcomes()
        assert (outcome.verdict, outcome.step) == (Unknown("bound"), "split")

    def test_time_is_shared(self, nets: dict[str, Network], monkeypatch: pytest.MonkeyPatch) -> None:
        """A query that never ends leaves time for the next ones."""
        monkeypatch.setattr("pyprover.engine.cascade.CASCADE", ())
        monkeypatch.setattr("pyprover.engine.split._Bisection.bound", _no_bound)
        asked = [(ball(np.array([5.0, 5.0, 5.0]), 0.2), [Within((0, 1, 2))])] * 3
        found = run(nets["dense"], asked, time_limit=0.3)
        for k in range(3):
            (outcome,) = found.outcomes(k)
            assert isinstance(outcome.verdict, Timeout | Invalid)


def _no_bound(self: object, parts: Parts, check: object) -> Bounded:
    """An analysis that knows nothing."""
    nothing = torch.zeros(*parts.todo.shape, parts.lower.shape[1], dtype=torch.float64)
    return Bounded(parts, torch.full(parts.todo.shape, -torch.inf, dtype=torch.float64), nothing, nothing)
