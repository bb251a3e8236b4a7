"""Regions from rows of a dataset: bounds, radii, relative radii, against their definitions."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from pyprover.query import IMAGES, Ball, Bound, Box, DatasetRef, Normalization, Radii, Relative, Row
from pyprover.region import Region, resolve

REF = DatasetRef("samples.npz", "/")
F = Fraction


class Rows:
    """Named arrays of one entry each."""

    def __init__(self, **rows: list[Fraction]) -> None:
        self.rows = rows
        self.shape = (len(rows[IMAGES]),)
        self.array = IMAGES

    def exact(self, index: int) -> tuple[Fraction, ...]:
        assert index == 7
        return tuple(self.rows[self.array])

    def beside(self, array: str) -> Rows:
        other = Rows(**self.rows)
        other.array = array
        return other


def region(*bounds: Bound, samples: Rows, normalization: Normalization | None = None) -> Region:
    return resolve(bounds, normalization, samples.shape, lambda _: samples)


# Pixels, floats (negative ones too), and any rational; more shapes than pictures have.
feature_values = st.one_of(
    st.integers(0, 255).map(lambda k: F(k, 255)),
    st.floats(-4, 4, width=32).map(F),
    st.fractions(min_value=-4, max_value=4, max_denominator=10**6),
)
three = st.lists(feature_values, min_size=3, max_size=3)
ratios = st.fractions(min_value=-1, max_value=2)
affine_maps = st.tuples(st.fractions(min_value=-2, max_value=2), st.fractions(min_value=F(1, 1000), max_value=3))


def row(array: str) -> Row:
    return Row(REF, array, 7)


# Straight from the definitions in the page of the language.
def satisfies(bound: Bound, x: Fraction, i: int, rows: dict[str, list[Fraction]]) -> bool:
    centre = rows[IMAGES][i]
    match bound:
        case Ball():
            return abs(x - centre) <= bound.radius
        case Radii():
            return abs(x - centre) <= rows["radii"][i]
        case Relative():
            return abs(x - centre) <= bound.ratio * abs(centre)
        case Box():
            return rows["lower"][i] <= x <= rows["upper"][i]
    raise AssertionError(bound)


@settings(max_examples=300)
@given(
    st.fixed_dictionaries(dict.fromkeys((IMAGES, "lower", "upper", "radii"), three)),
    ratios,
    st.sets(st.sampled_from(["ball", "radii", "relative", "box"]), min_size=1),
    affine_maps,
    st.data(),
)
def test_regions_mean_what_the_page_says(
    rows: dict[str, list[Fraction]],
    ratio: Fraction,
    names: set[str],
    map_: tuple[Fraction, Fraction],
    data: st.DataObject,
) -> None:
    """The bounds hold exactly in the box, which only grows in float64 and only shrinks in float32."""
    every: dict[str, Bound] = {
        "ball": Ball(REF, 7, ratio),
        "radii": Radii(REF, 7, row("radii")),
        "relative": Relative(REF, 7, ratio),
        "box": Box(row("lower"), row("upper")),
    }
    bounds = [every[name] for name in sorted(names)]
    mean, std = map_
    box = region(*bounds, samples=Rows(**rows), normalization=Normalization((mean,), (std,)))
    outer, inner = box.outward(), box.inward()
    assert box.empty == any(low > high for low, high in zip(box.lower, box.upper, strict=True))
    for i in range(3):
        edges = [value * std + mean for value in (box.lower[i], box.upper[i], box.centre[i])]
        for x in (*edges, *(rows[name][i] for name in rows), data.draw(feature_values)):
            inside = all(satisfies(bound, x, i, rows) for bound in bounds)
            assert inside == (box.lower[i] <= (x - mean) / std <= box.upper[i])
        assert F(float(outer[0][i])) <= box.lower[i]
        assert box.upper[i] <= F(float(outer[1][i]))
        if inner is not None:
            assert box.lower[i] <= F(float(inner[0][i])) <= F(float(inner[1][i])) <= box.upper[i]
        if names != {"box"}:
            assert box.centre[i] * std + mean == rows[IMAGES][i]


@given(three, three)
def test_a_box_has_its_middle_for_a_centre(lower: list[Fraction], upper: list[Fraction]) -> None:
    box = region(Box(row("lower"), row("upper")), samples=Rows(images=lower, lower=lower, upper=upper))
    assert box.centre == tuple((low + high) / 2 for low, high in zip(lower, upper, strict=True))
    assert box.holds_centre != box.empty


def test_pixels_have_exact_relative_radii() -> None:
    box = region(Relative(REF, 7, F(1, 10)), samples=Rows(images=[F(0), F(1, 255), F(1)]))
    assert box.lower == (F(0), F(9, 2550), F(9, 10))
    assert box.upper == (F(0), F(11, 2550), F(11, 10))


def test_a_negative_radius_leaves_nothing() -> None:
    rows = Rows(images=[F(1), F(1)], radii=[F(1), F(-1, 10**9)])
    assert region(Radii(REF, 7, row("radii")), samples=rows).empty
    zero = Rows(images=[F(0), F(0)])
    assert region(Relative(REF, 7, F(-1)), samples=zero).lower == (F(0), F(0))  # |x - 0| <= -1 * 0 at 0
    assert region(Relative(REF, 7, F(-1)), samples=rows).empty


def test_what_is_remembered_of_one_kind_is_not_taken_for_another() -> None:
    """The same values, as a ball's, a relative ball's, radii and a box."""
    half = F(1, 2)
    rows = Rows(images=[half], lower=[half], upper=[half], radii=[half])
    bounds = [Ball(REF, 7, half), Relative(REF, 7, half), Radii(REF, 7, row("radii")), Box(row("lower"), row("upper"))]
    found = [(box.lower[0], box.upper[0]) for box in (region(bound, samples=rows) for bound in bounds * 2)]
    assert found == [(F(0), F(1)), (F(1, 4), F(3, 4)), (F(0), F(1)), (half, half)] * 2
