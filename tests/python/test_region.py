"""Regions: exact bounds, directed rounding, normalisation, and the mistakes that a specification can make."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyprover.errors import UserError
from pyprover.normalization import network_inputs
from pyprover.query import IMAGES, Ball, Bound, DatasetRef, Feature, Normalization, Range
from pyprover.region import Region, resolve
from pyprover.rounding import down32, nearest64, neighbours, up32

REF = DatasetRef("samples.npz", "/")
F = Fraction


class Pixels:
    """One sample of k/255 values."""

    def __init__(self, *values: int, shape: tuple[int, ...] | None = None) -> None:
        self.shape = shape or (len(values),)
        self.values = tuple(F(value, 255) for value in values)

    def exact(self, index: int) -> tuple[Fraction, ...]:
        return self.values

    def beside(self, array: str) -> Pixels:
        assert array == IMAGES
        return self


def region(*bounds: Bound, samples: Pixels, normalization: Normalization | None = None) -> Region:
    return resolve(bounds, normalization, samples.shape, lambda _: samples)


def features(lower: Fraction, upper: Fraction, strict_lower: bool = False, strict_upper: bool = False) -> Region:
    return resolve([Feature(0, lower, upper, strict_lower, strict_upper)], None, (1,), lambda _: Pixels(0))


rationals = st.one_of(
    st.fractions(),
    st.fractions(min_value=0, max_value=1),
    st.floats(allow_nan=False, allow_infinity=False).map(F),
    st.floats(allow_nan=False, allow_infinity=False, width=32).map(F),
    st.builds(lambda k, e: F(k) * F(2) ** e, st.integers(-(2**60), 2**60), st.integers(-1200, 900)),
)


@given(rationals)
def test_directed_rounding_to_float64_is_tight(value: Fraction) -> None:
    below, above = neighbours(value)
    assert below == -math.inf or F(below) <= value
    assert above == math.inf or F(above) >= value
    assert below == above or math.nextafter(below, math.inf) == above
    assert nearest64(value) in (below, above)


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=8), st.data())
def test_directed_rounding_to_float32_is_tight(values: list[float], data: st.DataObject) -> None:
    array = np.array(values)
    strict = data.draw(st.sets(st.integers(0, len(values) - 1)))
    above = up32(array, strict)
    with np.errstate(over="ignore"):
        for index, (bound, value) in enumerate(zip(above, array, strict=True)):
            before = np.nextafter(bound, np.float32(-np.inf))
            if index in strict and value != math.inf:
                assert float(bound) > value >= float(before)
            else:
                assert float(bound) >= value
                assert float(before) < value or value == -math.inf
    assert np.array_equal(down32(-array, strict), -above)


bounded = st.fractions(min_value=-4, max_value=4, max_denominator=10**9)


@settings(max_examples=200)
@given(bounded, bounded, st.booleans(), st.booleans())
def test_boxes_contain_and_are_contained(a: Fraction, b: Fraction, strict_lower: bool, strict_upper: bool) -> None:
    low, high = min(a, b), max(a, b)
    box = features(low, high, strict_lower, strict_upper)
    outer_low, outer_high = box.outward()
    assert F(float(outer_low[0])) <= low <= high <= F(float(outer_high[0]))
    inner = box.inward()
    if inner is None:
        between = np.float32(nearest64((low + high) / 2))
        for near in (np.nextafter(between, np.float32(-9)), between, np.nextafter(between, np.float32(9))):
            value = F(float(near))
            assert not (low <= value <= high) or (strict_lower and value == low) or (strict_upper and value == high)
        return
    inner_low, inner_high = F(float(inner[0][0])), F(float(inner[1][0]))
    assert low < inner_low if strict_lower else low <= inner_low
    assert inner_high < high if strict_upper else inner_high <= high
    assert inner_low <= F(float(box.centre32()[0])) <= inner_high


@given(
    st.lists(st.integers(0, 255), min_size=4, max_size=4),
    st.fractions(min_value=0, max_value=1),
    st.fractions(min_value=-2, max_value=2),
    st.fractions(min_value=F(1, 1000), max_value=3),
)
def test_normalisation_is_exact(values: list[int], radius: Fraction, mean: Fraction, std: Fraction) -> None:
    samples = Pixels(*values, shape=(2, 2))
    normalization = Normalization((F(0), mean), (std,))
    box = region(Ball(REF, 0, radius), Range(F(0), F(1)), samples=samples, normalization=normalization)
    for index, pixel in enumerate(samples.values):
        shift = mean if index >= 2 else F(0)
        assert box.lower[index] * std + shift == max(pixel - radius, F(0))
        assert box.upper[index] * std + shift == min(pixel + radius, F(1))
        assert box.centre[index] * std + shift == pixel
    assert box.scale == (std,) * 4
    assert not box.empty
    assert box.holds_centre


def test_what_is_remembered_is_never_mistaken() -> None:
    """Boxes are remembered by identity; values that live briefly must not be taken for later ones."""
    rng = np.random.default_rng(0)
    for _ in range(300):
        values = rng.random(8).tolist()
        samples = Pixels(shape=(8,))
        samples.values = tuple(F(value) for value in values)
        box = region(Ball(REF, 0, F(1, 10)), samples=samples)
        assert box.lower == tuple(F(value) - F(1, 10) for value in values)
        assert box.centre == samples.values


def test_centres_are_rounded_as_the_samples_are() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 1, 256)
    normalization = Normalization((F(4914, 10000),), (F(2023, 10000),))
    inputs = network_inputs(pixels, lambda k: F(int(k), 255), normalization, (1, 256))
    box = region(Ball(REF, 0, F(1, 10)), samples=Pixels(*range(256), shape=(1, 256)), normalization=normalization)
    assert np.array_equal(inputs.ravel(), box.centre32())


def test_intersection_keeps_the_tightest_bound_and_its_strictness() -> None:
    samples = Pixels(51, 51)
    box = region(
        Ball(REF, 0, F(1, 10)),
        Feature(0, F(1, 10), F(1, 2), True, True),
        Feature(0, F(1, 10), None, False, False),
        Feature(1, F(1, 5), None, True, False),
        Feature(1, F(1, 4), None, False, False),
        samples=samples,
    )
    assert box.lower == (F(1, 10), F(1, 4))
    assert box.upper == (F(3, 10), F(3, 10))
    assert box.strict_lower == {0}  # strict at equal bounds; a tighter closed bound replaces a strict one
    assert box.strict_upper == frozenset()


def test_a_ball_may_lie_outside_the_range() -> None:
    box = region(Ball(REF, 0, F(1, 100)), Range(F(1, 2), F(1)), samples=Pixels(0))
    assert box.empty
    assert not box.holds_centre
    assert box.centre == (F(0),)


@pytest.mark.parametrize(
    ("low", "high", "strict", "empty"),
    [(0, 1, True, False), (1, 0, False, True), (1, 1, False, False), (1, 1, True, True)],
)
def test_emptiness_respects_strict_bounds(low: int, high: int, strict: bool, empty: bool) -> None:
    assert features(F(low), F(high), strict).empty is empty


def test_a_point_that_is_no_float32_holds_no_float32() -> None:
    box = region(Ball(REF, 0, F(0)), samples=Pixels(1))
    assert box.inward() is None
    assert box.centre32() == np.float32(1 / 255)


@pytest.mark.parametrize(
    ("bounds", "normalization", "words"),
    [
        ([], None, "feature 0 of the region has no lower bound"),
        ([Feature(0, F(0), F(1), False, False)], None, "feature 1 of the region has no lower bound"),
        ([Range(F(0), None)], None, "feature 0 of the region has no upper bound"),
        ([Range(F(0), F(1)), Feature(4, None, F(1), False, False)], None, "feature 4 does not exist"),
        ([Range(F(0), F(1)), Feature(-1, None, F(1), False, False)], None, "feature -1 does not exist"),
        ([Range(F(0), F(10) ** 39)], None, "beyond the range of float32"),
        ([Range(F(0), F(1))], Normalization((F(0),) * 3, (F(1),)), "lengths 3 and 1"),
        ([Range(F(0), F(1))], Normalization((), ()), "lengths 0 and 0"),
        ([Range(F(0), F(1))], Normalization((F(0),), (F(0),)), "std that is not positive"),
    ],
)
def test_mistakes_are_told(bounds: list[Bound], normalization: Normalization | None, words: str) -> None:
    with pytest.raises(UserError, match=words):
        resolve(bounds, normalization, (2,), lambda _: Pixels(0, 0))


@pytest.mark.parametrize(
    ("sample", "network", "fits"),
    [
        ((1, 28, 28), (784,), True),
        ((1, 28, 28), (1, 784, 1), True),
        ((3, 32, 32), (3072,), True),
        ((5,), (1, 1, 5), True),
        ((3, 32, 32), (32, 32, 3), False),
        ((3072,), (3, 32, 32), False),
        ((3, 32, 32), (3, 32, 31), False),
    ],
)
def test_samples_are_never_shuffled_into_a_network(
    sample: tuple[int, ...], network: tuple[int, ...], fits: bool
) -> None:
    samples = Pixels(*[0] * math.prod(sample), shape=sample)
    bounds = [Ball(REF, 0, F(1))]
    if fits:
        assert len(resolve(bounds, None, network, lambda _: samples).lower) == math.prod(network)
    else:
        with pytest.raises(UserError, match="samples have shape"):
            resolve(bounds, None, network, lambda _: samples)
