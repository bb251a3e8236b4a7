"""Rounding: networks on which floating point lies, compared with the rationals without tolerance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise, product
from math import prod

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from pyprover.domains import analysis, interval
from pyprover.domains.analysis import ANALYSES, bound_parts, bound_regions, linear_bounds
from pyprover.domains.base import FUNCTION_ULPS, LARGEST, Box, unit
from pyprover.domains.branching import Branching
from pyprover.domains.linear import Linearised, lower_bounds
from pyprover.domains.narrowing import Narrowing
from pyprover.domains.relaxation import Places, Rows
from pyprover.engine.ascent import Ascent, SubProblems
from pyprover.engine.case import Case, Forms, Margin
from pyprover.engine.weights import evaluate
from pyprover.graph import Graph, Node, Operator
from pyprover.ops import Add, Concat, Conv, Dense, MaxPool, Relu, Reshape, Scale
from pyprover.rounding import neighbours
from tests.python.rationals import Rational, combined

pytestmark = pytest.mark.usefixtures("few_steps")

seeds = st.integers(0, 2**31)
spreads = st.sampled_from([0, 4, 12, 40])


def never() -> None:
    """No time limit."""


def numbers(generator: torch.Generator, spread: int, *shape: int) -> Tensor:
    """Random numbers whose magnitudes differ by up to ``2 * spread`` binary orders."""
    scale = torch.randint(-spread, spread + 1, shape, generator=generator).double().exp2()
    return torch.randn(shape, generator=generator, dtype=torch.float64) * scale


def graph_of(shape: tuple[int, ...], *steps: tuple[Operator, tuple[int, ...]]) -> Graph:
    """A network from operators and the numbers of the values that they read."""
    shapes, nodes = [shape], []
    for op, inputs in steps:
        shapes.append(op.shape(*(shapes[value] for value in inputs)))
        nodes.append(Node(op, inputs, shapes[-1], type(op).__name__))
    return Graph(shape, tuple(nodes))


def layer(generator: torch.Generator, spread: int, width: int, out: int) -> Dense:
    """A random layer, some of whose rows nearly cancel others."""
    weight = numbers(generator, spread, out, width)
    bias = numbers(generator, spread, out)
    if out > 1:
        weight[1], bias[1] = -weight[0] * (1 + 2**-51), -bias[0]
    return Dense(weight, bias)


def chain(seed: int, widths: Sequence[int], spread: int, slope: float = 0.0) -> Graph:
    """Layers with ReLUs between them."""
    generator = torch.Generator().manual_seed(seed)
    ops: list[Operator] = []
    for width, out in pairwise(widths):
        ops += [layer(generator, spread, width, out), Relu(slope)]
    return graph_of((widths[0],), *((op, (k,)) for k, op in enumerate(ops[:-1])))


def meshed(seed: int, spread: int) -> Graph:
    """Convolution, pool, skips that meet in a sum, a value that is concatenated with itself."""
    generator = torch.Generator().manual_seed(seed)

    def conv(channels: int, out: int) -> Conv:
        return Conv(numbers(generator, spread, out, channels, 2, 2), numbers(generator, spread, out))

    square = Conv(numbers(generator, spread, 2, 2, 3, 3), numbers(generator, spread, 2), padding=(1, 1))
    scale = Scale(numbers(generator, spread, 2, 1, 1), numbers(generator, spread, 2, 1, 1))
    return graph_of(
        (1, 3, 3),
        (conv(1, 2), (0,)),
        (Relu(), (1,)),
        (square, (2,)),
        (scale, (2,)),
        (Add(), (3, 4, 2)),
        (Relu(), (5,)),
        (MaxPool((2, 2), (1, 1)), (6,)),
        (Reshape((2,)), (7,)),
        (Concat(0), (8, 8)),
        (layer(generator, spread, 4, 3), (9,)),
    )


def region(seed: int, graph: Graph, spread: int, width: float) -> Box:
    """One box; some of its intervals are points."""
    generator = torch.Generator().manual_seed(seed + 1)
    centre = numbers(generator, spread // 4, 1, *graph.input_shape)
    radius = width * centre.abs() * (torch.rand(centre.shape, generator=generator) > 0.2)
    return Box(centre - radius, centre + radius)


def corners(box: Box, seed: int, most: int = 16) -> list[list[Fraction]]:
    """Corners of one box, and its middle: all of them, or a random choice."""
    lower, upper = box.lower.flatten().tolist(), box.upper.flatten().tolist()
    if 2 ** len(lower) <= most:
        points = [list(point) for point in product(*zip(lower, upper, strict=True))]
    else:
        generator = torch.Generator().manual_seed(seed)
        bits = torch.randint(0, 2, (most, len(lower)), generator=generator).tolist()
        points = [[(a, b)[bit] for a, b, bit in zip(lower, upper, row, strict=True)] for row in bits]
    exact = [[Fraction(x) for x in point] for point in points]
    return [*exact, [(Fraction(a) + Fraction(b)) / 2 for a, b in zip(lower, upper, strict=True)]]


def assert_rows_hold(network: Linearised, rows: Tensor, values: Sequence[Sequence[Fraction]]) -> None:
    """The lower bounds of forms over the outputs (rows, outputs) at exact outputs."""
    found = lower_bounds(network, network.graph.output, Rows(Places(torch.zeros(len(rows), dtype=torch.int64)), rows))
    for row, bound in zip(rows.tolist(), found.tolist(), strict=True):
        if bound > -torch.inf:
            least = min(combined(row, 0.0, outputs) for outputs in values)
            assert Fraction(bound) <= least, float(Fraction(bound) - least)


NETS = {
    "wide": lambda seed, spread: chain(seed, [5, 9, 7, 3], spread),
    "deep and narrow": lambda seed, spread: chain(seed, [2] * 16, min(spread, 4)),
    "leaky": lambda seed, spread: chain(seed, [3, 6, 6, 2], spread, 0.01),
    "meshed": meshed,
}


@pytest.mark.parametrize("domain", list(ANALYSES))
@pytest.mark.parametrize("kind", list(NETS))
@settings(max_examples=5, deadline=None)
@given(seed=seeds, spread=spreads, width=st.sampled_from([0.0, 1e-12, 1e-3, 0.5]))
def test_bounds_hold_exactly(domain: str, kind: str, seed: int, spread: int, width: float) -> None:
    graph = NETS[kind](seed, spread)
    box = region(seed, graph, spread, width)
    exact = Rational(graph)
    values = [exact.outputs(point) for point in corners(box, seed)]
    generator = torch.Generator().manual_seed(seed)
    rows = torch.cat([torch.eye(graph.outputs).double(), numbers(generator, spread, 4, graph.outputs)])
    for wanted in (rows, -rows):
        assert_rows_hold(bound_regions(domain, graph, box, never).linearised, wanted, values)


@pytest.mark.parametrize("kind", list(NETS))
@settings(max_examples=10, deadline=None)
@given(seed=seeds, spread=spreads)
def test_parts_hold_exactly(kind: str, seed: int, spread: int) -> None:
    """Halves of halves of a box: no point is lost where they meet."""
    graph = NETS[kind](seed, spread)
    whole = region(seed, graph, spread, 0.5)
    exact = Rational(graph)
    parts = [whole]
    for feature in range(2):
        parts = [half for part in parts for half in _halves(part, feature)]
    for part in parts:
        values = [exact.outputs(point) for point in corners(part, seed, most=4)]
        network = bound_parts(graph, part, never).linearised
        assert_rows_hold(network, torch.eye(graph.outputs).double(), values)


def _halves(box: Box, feature: int) -> list[Box]:
    lower, upper = box.lower.clone(), box.upper.clone()
    middle = box.lower.flatten()[feature] / 2 + box.upper.flatten()[feature] / 2
    upper.view(-1)[feature] = lower.view(-1)[feature] = middle
    return [Box(box.lower, upper), Box(lower, box.upper)]


@pytest.mark.parametrize("kind", list(NETS))
@settings(max_examples=15, deadline=None)
@given(seed=seeds, spread=spreads, width=st.sampled_from([1e-3, 0.5, 2.0]))
@example(seed=39439, spread=12, width=2.0)  # a slope of .01 that passed through float32 on its way
def test_branches_hold_exactly(kind: str, seed: int, spread: int, width: float) -> None:
    """Random slopes, multipliers and weights, ReLUs held as they are at a corner: the bound holds at that corner."""
    graph = NETS[kind](seed, spread)
    box = region(seed, graph, spread, width)
    branching = Branching(bound_regions("linear", graph, box, never), 0, graph.to(torch.float32))
    if branching.neurons == 0:
        return
    generator = torch.Generator().manual_seed(seed)
    case = some_case(generator, spread, graph.outputs)
    ascent, exact = Ascent.of(branching, [case], graph.outputs), Rational(graph)
    for point in corners(box, seed, most=4):
        values = exact.values(point)
        some = _held_at(branching, values, generator, len(case.margins))
        found = float(ascent.conclude(some))
        if found > -torch.inf:
            margins = [margin_at(margin, values[-1]) for margin in case.margins]
            assert Fraction(found) <= combined(some.weights[0].tolist(), 0.0, margins)


@pytest.mark.parametrize("kind", list(NETS))
@settings(max_examples=15, deadline=None)
@given(seed=seeds, spread=spreads, width=st.sampled_from([1e-3, 0.5, 2.0]))
def test_narrowed_boxes_hold_exactly(kind: str, seed: int, spread: int, width: float) -> None:
    """A margin that is 0 or just below at a corner, and nowhere else perhaps: the corner's values are in the boxes."""
    graph = NETS[kind](seed, spread)
    box = region(seed, graph, spread, width)
    branching = Branching(bound_regions("linear", graph, box, never), 0, graph.to(torch.float32), boxed=True)
    if branching.boxes.lower.shape[1] == 0:
        return
    generator = torch.Generator().manual_seed(seed)
    exact = Rational(graph)
    for point in corners(box, seed, most=3):
        values = exact.values(point)
        weights = numbers(generator, spread, graph.outputs).tolist()
        score = sum(Fraction(weight) * value for weight, value in zip(weights, values[-1], strict=True))
        terms = tuple((k, Fraction(weight)) for k, weight in enumerate(weights))
        margin = Margin(terms, Fraction(-neighbours(score)[1]), strict=False)
        assert margin_at(margin, values[-1]) <= 0
        ascent = Ascent.of(branching, [Case((margin,))], graph.outputs)
        some = replace(_held_at(branching, values, generator, 1), weights=torch.ones(1, 1))
        for _ in range(2):
            known = ascent.concluded(some)
            phase, tight, empty = Narrowing(branching, known, 1 << 20, lambda: True).narrow(some.phase, some.box, known)
            assert not bool(empty.any())
            for layer in branching.layers[torch.float64]:
                source = values[graph.nodes[layer.position].inputs[0]]
                for neuron, place in enumerate(layer.places.tolist() if layer.boxed else ()):
                    column = layer.boxed.start + neuron
                    assert Fraction(float(tight.lower[0, column])) <= source[place]
                    assert source[place] <= Fraction(float(tight.upper[0, column]))
            some = replace(some, phase=phase, lower=tight.lower, upper=tight.upper)
            some = replace(some, value=torch.where(phase != 0, some.value, branching.slope))


def some_case(generator: torch.Generator, spread: int, outputs: int) -> Case:
    """Random margins, and some that nearly cancel them."""
    rows = numbers(generator, spread, outputs, outputs)
    rows = torch.cat([rows, -rows * torch.rand(outputs, 1, generator=generator, dtype=torch.float64)])
    constants = numbers(generator, spread, 2 * outputs)
    return Case(
        tuple(
            Margin(tuple((k, Fraction(w)) for k, w in enumerate(row)), Fraction(c), strict=False)
            for row, c in zip(rows.tolist(), constants.tolist(), strict=True)
        )
    )


def margin_at(margin: Margin, outputs: Sequence[Fraction]) -> Fraction:
    """The margin's value."""
    return sum((weight * outputs[k] for k, weight in margin.terms), margin.constant)


def _held_at(
    branching: Branching, values: Sequence[Sequence[Fraction]], generator: torch.Generator, margins: int
) -> SubProblems:
    """About half of the neurons held, in the phase that they have at some values."""
    sign = torch.ones(1, branching.neurons)
    for layer in branching.layers[torch.float64]:
        source = values[branching.networks[torch.float64].graph.nodes[layer.position].inputs[0]]
        sign[0, layer.part] = torch.tensor([1.0 if source[place] >= 0 else -1.0 for place in layer.places.tolist()])
    held = torch.rand(sign.shape, generator=generator) < 0.5
    share = torch.rand(sign.shape, generator=generator).round(decimals=1)
    slope = branching.leak + (1 - branching.leak) * share
    return SubProblems(
        torch.tensor([0]),
        torch.where(held, sign, 0.0).to(torch.int8),
        torch.where(held, 10 * share, slope),
        branching.boxes.lower,
        branching.boxes.upper,
        torch.rand(1, margins, generator=generator),
        torch.full((1,), -torch.inf),
    )


@settings(max_examples=60, deadline=None)
@given(seed=seeds, spread=spreads, width=st.sampled_from([0.0, 1e-6, 0.1]))
def test_combinations_hold_exactly(seed: int, spread: int, width: float) -> None:
    """Margins that cancel each other but for rounding: what remains is as large as what was rounded."""
    graph = chain(seed, [3, 5, 3], spread)
    box = region(seed, graph, spread, width)
    generator = torch.Generator().manual_seed(seed)
    rows = numbers(generator, spread, 3, 3)
    share = 1 / 64 + torch.rand(3, 1, generator=generator, dtype=torch.float64)
    rows = torch.cat([rows, -rows * share])
    margins = tuple(
        Margin(tuple((k, Fraction(w)) for k, w in enumerate(row)), Fraction(0), strict=False) for row in rows.tolist()
    )
    weights = torch.rand(3, generator=generator, dtype=torch.float64)
    simplex = torch.cat([weights, weights / share[:, 0]])[None]
    network = bound_regions("linear", graph, box, never).linearised
    found, _ = evaluate(network, Forms.of([Case(margins)], 3), Places(torch.zeros(1, dtype=torch.int64)), simplex)
    exact = Rational(graph)
    for point in corners(box, seed):
        outputs = exact.outputs(point)
        values = [margin_at(margin, outputs) for margin in margins]
        assert Fraction(float(found)) <= combined(simplex[0].tolist(), 0.0, values)


def naive(monkeypatch: pytest.MonkeyPatch) -> None:
    """What bounds would be without any slack."""
    for module in (analysis, interval):
        monkeypatch.setattr(module, "rounding", lambda *_: 0.0)
    monkeypatch.setattr(analysis, "gamma", lambda *_: 0.0)


def point_box(*values: float) -> Box:
    x = torch.tensor([values], dtype=torch.float64)
    return Box(x, x)


def cancelling() -> tuple[Graph, Box]:
    """``-1.5 + 1e16 - 1e16 + 1.2`` is -0.3; from the last step to the first, float64 says 0.5."""
    ops = [Dense(torch.ones(1, 1).double(), torch.tensor([bias]).double()) for bias in (1e16, -1e16, 1.2)]
    return graph_of((1,), (ops[0], (0,)), (Relu(), (1,)), (ops[1], (2,)), (ops[2], (3,))), point_box(-1.5)


def long_sum() -> tuple[Graph, Box]:
    """A thousand terms, half of each rounding upward, and what they sum to taken off but for a little."""
    terms = torch.full((1, 1000), 0.1, dtype=torch.float64)
    exact = sum((Fraction(x) for x in terms[0].tolist()), Fraction(0))
    bias = torch.tensor([-float(exact)]).double()
    return graph_of((1000,), (Dense(terms, bias), (0,))), point_box(*[1.0] * 1000)


def deep_chain() -> tuple[Graph, Box]:
    """A hundred steps that each add a third."""
    step = Dense(torch.ones(1, 1).double(), torch.full((1,), 1 / 3).double())
    ops = [op for _ in range(100) for op in (step, Relu())]
    return graph_of((1,), *((op, (k,)) for k, op in enumerate(ops))), point_box(0.1)


@pytest.mark.parametrize("make", [cancelling, long_sum, deep_chain])
@pytest.mark.parametrize("domain", list(ANALYSES))
def test_floating_point_lies_where_bounds_do_not(domain: str, make: object) -> None:
    assert callable(make)
    graph, box = make()
    values = Rational(graph).outputs([Fraction(x) for x in box.lower.flatten().tolist()])
    rows = torch.tensor([[1.0], [-1.0]]).double()
    assert_rows_hold(bound_regions(domain, graph, box, never).linearised, rows, [values])
    computed = float(graph.forward(box.lower))
    assert Fraction(computed) != values[0]


def test_without_slack_a_wrong_answer_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, box = cancelling()
    assert Rational(graph).outputs([Fraction(-1.5)])[0] < 0
    row = Rows(Places(torch.zeros(1, dtype=torch.int64)), torch.ones(1, 1).double())
    assert not lower_bounds(linear_bounds(graph, box, never), graph.output, row) > 0
    naive(monkeypatch)
    assert lower_bounds(linear_bounds(graph, box, never), graph.output, row) > 0


@pytest.mark.parametrize("make", [cancelling, long_sum, deep_chain])
def test_without_slack_bounds_lie(make: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above can fail."""
    assert callable(make)
    graph, box = make()
    values = Rational(graph).outputs([Fraction(x) for x in box.lower.flatten().tolist()])
    naive(monkeypatch)
    with pytest.raises(AssertionError):
        assert_rows_hold(linear_bounds(graph, box, never), torch.tensor([[1.0], [-1.0]]).double(), [values])


def test_a_concatenation_of_one_value_is_a_sum() -> None:
    """The forms over the copies meet before anything else is computed."""
    graph = graph_of((1,), (Dense(torch.ones(1, 1).double(), torch.zeros(1).double()), (0,)), (Concat(0), (1, 1, 1)))
    row = torch.tensor([[1e16, 1.0, -1e16]]).double()
    for domain in ANALYSES:
        for wanted in (row, -row):
            bounds = bound_regions(domain, graph, point_box(1.0), never)
            assert_rows_hold(bounds.linearised, wanted, [[Fraction(1)] * 3])


@pytest.mark.parametrize("domain", list(ANALYSES))
def test_underflow_is_covered(domain: str) -> None:
    """Products below the least number, multiplied up again."""
    small, large = (torch.full((1, 1), x, dtype=torch.float64) for x in (1e-170, 1e150))
    zero = torch.zeros(1).double()
    ops = [Dense(small, zero), Relu(), Dense(small, zero), Relu(), Dense(large, zero), Dense(large, zero)]
    graph = graph_of((1,), *((op, (k,)) for k, op in enumerate(ops)))
    box = point_box(0.7)
    values = Rational(graph).outputs([Fraction(0.7)])
    assert float(graph.forward(box.lower)) == 0.0
    rows = torch.tensor([[1.0], [-1.0]]).double()
    assert_rows_hold(bound_regions(domain, graph, box, never).linearised, rows, [values])


def test_values_beyond_the_largest_are_unbounded() -> None:
    ends = torch.tensor([[-2 * LARGEST, 1.0], [-LARGEST, 2 * LARGEST]], dtype=torch.float64)
    box = Box(*ends).widen(torch.zeros(2).double())
    assert box.lower.tolist() == [-torch.inf, 1.0]
    assert box.upper.tolist() == [-LARGEST, torch.inf]


FUNCTIONS: dict[Callable[[Tensor], Tensor], Callable[[Decimal], Decimal]] = {
    torch.exp: Decimal.exp,
    torch.expm1: lambda x: x.exp() - 1,
    torch.log: lambda x: abs(x).ln(),
    torch.sigmoid: lambda x: 1 / (1 + (-x).exp()),
    torch.tanh: lambda x: ((2 * x).exp() - 1) / ((2 * x).exp() + 1),
}


@pytest.mark.parametrize("function", list(FUNCTIONS), ids=lambda function: function.__name__)
def test_functions_are_as_right_as_assumed(function: Callable[[Tensor], Tensor]) -> None:
    """Near zero, where differences cancel, and far from it."""
    generator = torch.Generator().manual_seed(0)
    x = numbers(generator, 24, 400).clamp(-100, 100)
    x = x.abs() if function is torch.log else x
    with localcontext() as context:
        context.prec = 120  # the exponential of -100 is added to 1
        exact = [FUNCTIONS[function](Decimal(value)) for value in x.tolist()]
        errors = [abs(Decimal(y) - e) / abs(e) for y, e in zip(function(x).tolist(), exact, strict=True)]
    assert float(max(errors)) <= FUNCTION_ULPS * unit(torch.float64)


KERNELS = [
    (channels, out, size, kernel, stride, dilation)
    for channels, out, size in ((1, 2, 8), (16, 16, 14), (64, 32, 28))
    for kernel in (1, 3, 5)
    for stride, dilation in ((1, 1), (2, 1), (1, 2))
    if dilation * (kernel - 1) < size
]


@pytest.mark.parametrize(("channels", "out", "size", "kernel", "stride", "dilation"), KERNELS)
def test_convolutions_are_sums_of_products(
    channels: int, out: int, size: int, kernel: int, stride: int, dilation: int
) -> None:
    """Integers whose sums stay below 2^53: a sum of products is exact, a transform that divides is not.

    The numbers are as large as they can be, so that a transform's intermediate values would not fit.
    """
    generator = torch.Generator().manual_seed(0)
    most = int((2**52 / (channels * kernel**2)) ** 0.5)
    x = torch.randint(-most, most + 1, (2, channels, size, size), generator=generator)
    weight = torch.randint(-most, most + 1, (out, channels, kernel, kernel), generator=generator)
    windows = functional.unfold(x.double(), kernel, dilation, 0, stride).long()
    exact = torch.einsum("ok,bkp->bop", weight.flatten(1), windows)
    found = functional.conv2d(x.double(), weight.double(), None, stride, 0, dilation)
    assert torch.equal(found.flatten(2).long(), exact)
    rows = torch.randint(-1, 2, tuple(found.shape), generator=generator)
    spread = torch.einsum("ok,bop->bkp", weight.flatten(1), rows.flatten(2)).double()
    span = (found.shape[2] - 1) * stride + dilation * (kernel - 1) + 1
    exact = functional.fold(spread, span, kernel, dilation, 0, stride)
    back = functional.conv_transpose2d(rows.double(), weight.double(), None, stride, 0, 0, 1, dilation)
    assert torch.equal(back, exact)


@pytest.mark.parametrize("shape", [(3, 5, 7), (64, 300, 64), (512, 1024, 256)])
def test_products_of_matrices_are_sums_of_products(shape: tuple[int, int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    rows, inner, columns = shape
    most = int((2**52 / inner) ** 0.5)
    a = torch.randint(-most, most + 1, (rows, inner), generator=generator)
    b = torch.randint(-most, most + 1, (inner, columns), generator=generator)
    assert torch.equal((a.double() @ b.double()).long(), a @ b)
    assert prod(shape) == a.numel() * columns
