"""Properties that fail at one point by nothing at all: whatever proves them is wrong.

The constants of a property are exact: those chosen here make every comparison an equality, over the rationals, at a
corner of the region. Where all ReLUs are stable, bounds are as close to zero as rounding lets them be.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprover.domains.analysis import ANALYSES
from pyprover.engine import Network, Problem, Settings, cascade, verify
from pyprover.query import Avoid, Comparison, Term
from pyprover.region import Region
from pyprover.verdict import Answer, Valid, Witness
from pyprover.witness import Checked
from tests.python.networks import Recipe, dense, save
from tests.python.rationals import Rational

seeds = st.integers(0, 10_000)
radii = st.sampled_from([0.0, 1e-6, 1e-2, 0.5])
PATHS = ("split", "branch", "as it comes")


def keep(_problem: Problem, _point: object, checked: Checked) -> Witness:
    return Witness("", None, checked.classes, checked.margin, checked.distance, checked.centre)


def scaled(recipe: Recipe, rng: np.random.Generator, spread: int) -> Recipe:
    """With weights of magnitudes that differ by up to so many binary orders each way, some rows nearly cancelling."""
    constants = {}
    for name, array in recipe.constants.items():
        wide = array * np.exp2(rng.integers(-spread, spread + 1, array.shape))
        if wide.ndim == 2 and len(wide) > 1:
            wide[1] = -wide[0] * (1 + 2**-20)
        constants[name] = wide.astype(np.float32)
    return Recipe(recipe.shape, recipe.nodes, constants)


def network_of(seed: int, spread: int, activation: str) -> Network:
    recipe = scaled(dense([3, 6, 5, 3], seed, activation=activation), np.random.default_rng(seed), spread)
    with TemporaryDirectory() as folder:
        return Network.open(save(recipe, Path(folder) / "net.onnx"))


def touching(network: Network, seed: int, radius: float, count: int) -> tuple[Region, Avoid]:
    """A box, and comparisons that are all equalities at the corner where a sum of them is largest."""
    rng = np.random.default_rng(seed)
    lows = (centre := rng.normal(size=3)) - radius * np.abs(centre)
    highs = centre + radius * np.abs(centre)
    lower, upper = (tuple(map(Fraction, side.astype(np.float32).tolist())) for side in (lows, highs))
    middle = tuple((a + b) / 2 for a, b in zip(lower, upper, strict=True))
    region = Region(lower, upper, middle, (Fraction(1),) * 3)
    weights = [[Fraction(w) for w in row] for row in rng.normal(size=(count, network.graph.outputs)).tolist()]
    exact = Rational(network.graph)
    corners = [exact.outputs(corner) for corner in product(*zip(lower, upper, strict=True))]

    def values(outputs: list[Fraction]) -> list[Fraction]:
        return [sum((w * y for w, y in zip(row, outputs, strict=True)), Fraction(0)) for row in weights]

    at_corner = values(max(corners, key=lambda outputs: sum(values(outputs), Fraction(0))))
    case = tuple(
        Comparison(tuple(Term(k, w) for k, w in enumerate(row)), -value, strict=False)
        for row, value in zip(weights, at_corner, strict=True)
    )
    return region, Avoid((case,))


def proven(network: Network, region: Region, prop: Avoid, domain: str | None) -> bool:
    answers: list[Answer] = []
    verify(network, [Problem(0, region, (prop,))], Settings(0.6, keep, domain=domain), answers.append)
    return answers[0].outcomes[0].verdict == Valid()


@pytest.mark.parametrize("domain", list(ANALYSES))
@settings(max_examples=12, deadline=None)
@given(seed=seeds, spread=st.sampled_from([0, 10, 30]), radius=radii, count=st.integers(1, 3))
def test_no_domain_proves_what_touches(domain: str, seed: int, spread: int, radius: float, count: int) -> None:
    network = network_of(seed, spread, "LeakyRelu" if seed % 2 else "Relu")
    assert not proven(network, *touching(network, seed, radius, count), domain)


def take(path: str, patch: pytest.MonkeyPatch) -> None:
    """Take regions apart by features alone, by ReLUs alone, or as the cascade does."""
    if path in ("split", "branch"):
        patch.setattr(cascade, "few_relus", lambda *_: False)
        patch.setattr(cascade, "few_features", lambda _: path == "split")


@pytest.mark.parametrize("path", PATHS)
@settings(max_examples=12, deadline=None)
@given(seed=seeds, spread=st.sampled_from([0, 10, 30]), radius=radii, count=st.integers(1, 3))
def test_no_search_proves_what_touches(path: str, seed: int, spread: int, radius: float, count: int) -> None:
    network = network_of(seed, spread, "LeakyRelu" if seed % 2 else "Relu")
    with pytest.MonkeyPatch.context() as patch:
        take(path, patch)
        assert not proven(network, *touching(network, seed, radius, count), None)


@pytest.mark.parametrize("path", PATHS)
def test_a_little_room_is_enough(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same properties with constants a billionth smaller are proven: what is above is no lack of strength."""
    take(path, monkeypatch)
    decided = 0
    for seed in range(8):
        network = network_of(seed, 0, "Relu")
        region, prop = touching(network, seed, 1e-2, 1)
        ((comparison,),) = prop.cases
        moved = Comparison(comparison.terms, comparison.constant - Fraction(1, 10**9), strict=False)
        decided += proven(network, region, Avoid(((moved,),)), None)
    assert decided >= 4
