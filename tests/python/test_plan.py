"""Zonotopes within a memory limit: what is predicted, what is chosen, what happens when it does not fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from pyprover.domains import planned
from pyprover.domains.analysis import linear_bounds, zonotope_bounds
from pyprover.domains.base import Box
from pyprover.domains.linear import Linearised, block_size
from pyprover.domains.noise.base import Noise, TooLargeError
from pyprover.domains.noise.blocks import BlockNoise
from pyprover.domains.noise.kinds import DenseKind, Kind, SparseKind, SplitKind, WindowKind
from pyprover.domains.noise.plan import Account, Batch, Layer, ranked
from pyprover.domains.noise.reach import Activity
from pyprover.domains.noise.windows import WindowNoise
from pyprover.domains.planned import Planned, estimated, forecasts, regions_at_once
from pyprover.domains.resources import Resources, Room
from pyprover.domains.zonotope import Propagation, Zonotope
from pyprover.errors import UserError
from pyprover.graph import Graph, Node, Operator
from pyprover.memory import held_memory
from pyprover.ops import Add, Conv, Dense, MaxPool, Relu, Reshape, Scale
from pyprover.verdict import NoiseUse
from tests.python.test_domains import (
    NETWORKS,
    assert_contains,
    graph_of,
    magnitudes,
    never,
    output_bounds,
    outputs_at,
    points_in,
    seeds,
    some_box,
    widths,
)
from tests.python.test_zonotope import hull, prefixes


def chained(shape: tuple[int, ...], steps: list[tuple[Operator, tuple[int, ...]]]) -> Graph:
    """A graph of operators, each with the numbers of the values that it reads."""
    nodes: list[Node] = []
    shapes = [shape]
    for op, inputs in steps:
        shapes.append(op.shape(*(shapes[value] for value in inputs)))
        nodes.append(Node(op, inputs, shapes[-1], f"node{len(nodes)}"))
    return Graph(shape, tuple(nodes))


def conv_net(size: int = 12, pooled: bool = False) -> Graph:
    """Convolutions with a residual sum and a scale between them, then two dense layers; random weights."""
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64) / (shape[-1] * shape[-2]) ** 0.5

    def conv(out: int, into: int, stride: int = 1) -> Conv:
        return Conv(random(out, into, 3, 3), random(1, out)[0], (stride, stride), (1, 1))

    half = size // 2
    after = half // 2 if pooled else half
    steps: list[tuple[Operator, tuple[int, ...]]] = [
        (conv(6, 2), (0,)),
        (Relu(), (1,)),
        (conv(6, 6, 2), (2,)),
        (Scale(random(6, 1, 1), random(6, 1, 1)), (3,)),
        (Relu(), (4,)),
        (conv(6, 6), (5,)),
        (Add(), (4, 6)),
        (MaxPool((2, 2), (2, 2)) if pooled else Relu(), (7,)),
        (Reshape((6 * after * after,)), (8,)),
        (Dense(random(9, 6 * after * after), random(1, 9)[0]), (9,)),
        (Relu(), (10,)),
        (Dense(random(3, 9), random(1, 3)[0]), (11,)),
    ]
    return chained((2, size, size), steps)


NET = conv_net()


def box_of(graph: Graph, count: int = 1, width: float = 0.01) -> Box:
    """Boxes around random centres."""
    centre = torch.rand(count, *graph.input_shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return Box(centre - width, centre + width)


@contextmanager
def room_of(size: int, folder: Path | None = None, symbols: int | None = None) -> Iterator[None]:
    """Resources that leave so many bytes, whatever the process holds."""

    class Fixed(Resources):
        def room(self) -> Room:
            return Room(size, held_memory())

    with Fixed(size, folder, symbols).force():
        yield


def analysed(graph: Graph, box: Box) -> tuple[Box, NoiseUse]:
    """Bounds of the outputs, and how the noise of the first region was kept."""
    found = zonotope_bounds(graph, box, never)
    return output_bounds(found), found.noise[0]


def assert_same(one: Box, other: Box) -> None:
    torch.testing.assert_close(one.lower, other.lower, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(one.upper, other.upper, rtol=1e-9, atol=1e-9)


KINDS = [DenseKind(), SparseKind(), WindowKind(), SplitKind(DenseKind(), 50, None), SplitKind(WindowKind(), 50, None)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("count", [1, 2])
def test_predicted_bytes_are_those_held(kind: Kind, pooled: bool, count: int) -> None:
    """With exact counts, at every step: within a fifth, and the sums that go with each group."""
    graph = conv_net(20, pooled)
    box = box_of(graph, count)
    account = Account(graph, kind, Batch(count), graph.shapes[0][0] * 400)
    predicted: list[int] = []

    def before(position: int, activity: Activity) -> None:
        predicted.append(account.step(position, activity).noise)

    found = Propagation(graph, box, never, kind.storage, None, before)
    for position in range(len(graph.nodes)):
        live = {id(value.noise): value.noise for value in found.live}
        found.value(position + 1)
        live |= {id(value.noise): value.noise for value in found.live}
        held = bytes_of(list(live.values()))
        assert account.reaches[-1].symbols == found.symbols or not graph.nodes[position].op.linear
        assert 0.8 * predicted[-1] - 60_000 <= held <= 1.2 * predicted[-1] + 60_000, graph.nodes[position].name


def bytes_of(noises: Sequence[Noise]) -> int:
    """What several values hold together: they may share shelves, or the cells of windows."""
    shelves = {id(noise.shelf): noise.bytes for noise in noises if isinstance(noise, BlockNoise)}
    windows = [noise for noise in noises if isinstance(noise, WindowNoise)]
    leaves = [set().union(*(group.leaves() for group in noise.groups)) for noise in windows]
    twice = sum(leaf.bytes for own in leaves for leaf in own) - sum(leaf.bytes for leaf in set().union(*leaves))
    others = sum(noise.bytes for noise in noises if not isinstance(noise, BlockNoise))
    return sum(shelves.values()) + others - twice


def test_intervals_count_what_can_appear() -> None:
    """No zonotope has more symbols than were estimated."""
    box = box_of(NET)
    counts = estimated(NET, box)
    found: dict[int, Activity] = {}
    Propagation(NET, box, never, before=found.__setitem__).value(NET.output)
    assert all(found[position].fresh <= counts[position].fresh for position in counts)
    assert all(found[position].alive <= counts[position].alive for position in counts)
    assert sum(count.fresh for count in found.values()) > 0
    assert min(count.alive for count in found.values()) < 1


def test_what_fits_is_tried_first() -> None:
    found = forecasts(conv_net(32), box_of(conv_net(32)), Batch(), 40 << 20, Path())
    fits = [one.peak <= 40 << 20 for one in found]
    assert fits == sorted(fits, reverse=True)
    assert True in fits
    assert False in fits
    assert {one.kind.name for one in ranked(found, 0)} == {one.kind.name for one in found}
    assert [one.peak for one in ranked(found, 0)] == sorted(one.peak for one in found)


def test_all_storages_give_the_same_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Less and less room: other storages, the same bounds; at last fewer symbols, and looser ones."""
    monkeypatch.setattr(planned, "_SMALL", 0)
    graph = conv_net(32)
    box = box_of(graph)
    expected, _ = analysed(graph, box)
    seen = {}
    for one in forecasts(graph, box, Batch(), 1 << 30, tmp_path):
        monkeypatch.setattr(planned, "kinds", lambda *_, kind=one.kind: [kind])
        with room_of(one.peak + (64 << 20), tmp_path):
            found, use = analysed(graph, box)
        assert_same(found, expected)
        assert (use.storage, use.boxed) == (one.kind.name, 0.0)
        assert use.predicted <= one.peak + (64 << 20)
        seen[use.storage] = use
    assert len(seen) == 7
    assert not list(tmp_path.iterdir())


def test_the_last_resort_is_coarser_and_sound() -> None:
    graph = conv_net(32)
    box = box_of(graph)
    expected, exact = analysed(graph, box)
    with room_of(13 << 20):
        found, use = analysed(graph, box)
    assert "the largest" in use.storage
    assert "folder for noise on disk" in use.reason
    assert 0 < use.symbols < exact.symbols
    assert 0 < use.boxed < 1
    assert float((found.upper - found.lower).sum()) > float((expected.upper - expected.lower).sum())
    assert_contains(found, outputs_at(graph, points_in(box, 0)))


def test_what_does_not_fit_while_it_runs_is_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Estimates may be wrong; what was learnt is learnt again."""
    monkeypatch.setattr(planned, "_SMALL", 0)
    graph = conv_net(32)
    box = box_of(graph, width=0.2)
    tight = Propagation(graph, box, never).value(1).box
    tight = Box(tight.centre - tight.radius / 2, tight.centre + tight.radius / 2)

    def outputs(found: Planned | Propagation) -> Zonotope:
        found.learn(1, tight)
        return found.value(graph.output)

    expected = outputs(Propagation(graph, box, never))
    monkeypatch.setattr(planned, "estimated", lambda *_: {})
    first, second, *_ = forecasts(graph, box, Batch(), 1 << 30, None)
    assert second.kind != first.kind
    run = Planned(graph, box, never)
    taken: list[str] = []
    real = Account.step

    def step(self: Account, position: int, activity: Activity) -> Layer:
        taken.append(self.kind.name)
        if position == 6 and self.kind == first.kind:
            raise TooLargeError("for the test")
        return real(self, position, activity)

    monkeypatch.setattr(Account, "step", step)
    found = outputs(run)
    assert_same(found.box, expected.box)
    assert taken.count(first.kind.name) == 7
    assert run.use().storage == second.kind.name
    assert f"{first.kind.name} did not fit: for the test" in run.use().reason


def test_running_out_of_memory_is_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """An allocation that fails is as good as one that was foreseen to; other errors are not taken for it."""
    monkeypatch.setattr(planned, "_SMALL", 0)
    box = box_of(NET)
    expected, first = analysed(NET, box)
    message = "DefaultCPUAllocator: can't allocate memory"

    def failing(self: object, *_: object) -> object:
        raise RuntimeError(message)

    kind = WindowKind if first.storage == "patch" else DenseKind
    monkeypatch.setattr(kind, "storage", property(lambda _: lambda like: failing(like)))
    found, use = analysed(NET, box)
    assert_same(found, expected)
    assert message in use.reason
    message = "a bug"
    with pytest.raises(RuntimeError, match="a bug"):
        analysed(NET, box)


def test_without_a_way_that_keeps_all_symbols_there_is_an_end() -> None:
    with room_of(9 << 20), pytest.raises(TooLargeError, match=r"noise symbols over \d+ values need"):
        Planned(conv_net(32), box_of(conv_net(32)), never, exact=True).value(1)


def test_regions_share_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planned, "_SMALL", 0)
    graph = conv_net(32)
    box = box_of(graph, 5)
    expected, _ = analysed(graph, box)
    one = forecasts(graph, box, Batch(), 1 << 30, None)[0]
    with room_of(3 * one.peak):
        assert regions_at_once(graph, box) == 3
        found, use = analysed(graph, box)
    assert_same(found, expected)
    assert use.predicted <= 3 * one.peak


def test_regions_that_do_not_fit_together_are_analysed_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = conv_net(32)
    box = box_of(graph, 3)
    expected, _ = analysed(graph, box)
    monkeypatch.setattr("pyprover.domains.analysis.regions_at_once", lambda *_: 3)
    peaks = [one.peak for one in forecasts(graph, box, Batch(3), 1 << 30, None)]
    with room_of(min(peaks) - 1):
        found = zonotope_bounds(graph, box, never)
    assert len(found.noise) == 3
    assert all(use.boxed == 0 for use in found.noise)
    assert_same(output_bounds(found), expected)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(sorted(NETWORKS)), seed=seeds, magnitude=magnitudes, width=widths, symbols=st.integers(0, 40)
)
def test_fewer_symbols_are_sound(kind: str, seed: int, magnitude: float, width: float, symbols: int) -> None:
    """Every value at points of the box is in its zonotope, box and hull; regions of a batch too."""
    graph = graph_of(NETWORKS[kind](seed % 3))
    box = some_box(graph, seed, magnitude, width)
    points = points_in(box, seed)
    for prefix in prefixes(graph):
        found = Propagation(prefix, box, never, most=symbols).value(prefix.output)
        values = prefix.forward(points.flatten(0, 1)).reshape(len(points), *found.centre.shape)
        assert_contains(found.box, values)
        assert_contains(hull(found), values)
        assert found.noise.symbols <= symbols


@pytest.mark.parametrize("kind", sorted(NETWORKS))
def test_enough_symbols_change_nothing(kind: str) -> None:
    graph = graph_of(NETWORKS[kind](1))
    box = some_box(graph, 1, 1.0, 0.2)
    expected = Propagation(graph, box, never)
    whole = expected.value(graph.output)
    found = Propagation(graph, box, never, most=expected.symbols).value(graph.output)
    torch.testing.assert_close(found.noise.dense(), whole.noise.dense(), rtol=0, atol=0)
    torch.testing.assert_close(found.error, whole.error, rtol=0, atol=0)


def test_the_loss_of_fewer_symbols_is_told() -> None:
    box = box_of(NET)
    boxed = []
    for symbols in (0, 50, 150, 10_000):
        with Resources(symbols=symbols).force():
            _, use = analysed(NET, box)
        assert use.reason.startswith(f"{symbols} symbols are asked for")
        assert use.symbols <= symbols
        boxed.append(use.boxed)
    assert boxed == sorted(boxed, reverse=True)
    assert boxed[0] == 1
    assert boxed[-1] == 0


def test_rows_of_linear_bounds_heed_the_limit() -> None:
    graph = conv_net(96)
    wanted = block_size(graph, graph.output)
    with room_of(8 * 8 * 96 * 96 * 6 * 4):
        few = block_size(graph, graph.output)
    with room_of(0):
        assert block_size(graph, graph.output) == 1
    assert (few, wanted) == (4, 32)


def test_linear_bounds_in_fewer_rows_are_the_same() -> None:
    box = box_of(NET)

    def bounds() -> Box:
        found: Linearised = linear_bounds(NET, box, never)
        return output_bounds(found)

    expected = bounds()
    with room_of(0):
        assert_same(bounds(), expected)


def test_resources_that_cannot_be_are_refused(tmp_path: Path) -> None:
    for memory, folder, symbols in ((0, None, None), (None, tmp_path / "nowhere", None), (None, None, -1)):
        with pytest.raises(UserError):
            Resources.asked(memory, folder, symbols)
    assert Resources.asked(1 << 30, tmp_path, 7) == Resources(1 << 30, tmp_path, 7)


def test_what_the_process_holds_is_not_there_twice() -> None:
    held = held_memory()
    assert held > 50 << 20
    room = Resources(held + (1 << 30)).room()
    assert 0.8 * (1 << 30) < room.granted < 1 << 30
    ballast = torch.zeros(1 << 24, dtype=torch.float64)
    assert room.granted - room.left() >= 0.9 * ballast.numel() * 8
    assert Resources(1).room().granted == 0
