"""Bounds for training are sound on samples, exact at points; layers and losses are what they say."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from pyprover.errors import UserError
from pyprover.hierarchy.reader import of_bytes
from pyprover.train import linear
from pyprover.train.attack import ascend, even_steps
from pyprover.train.bounds import Box, enclose, label_margins, pair_margins, pixels_around
from pyprover.train.layers import BatchNorm, MaxMin, last_layer, observe
from pyprover.train.levels import levels_of, parse_level
from pyprover.train.losses import all_margins, group_error, group_loss, worst_case
from pyprover.train.measure import certified, unstable
from pyprover.train.recipes.base import Step
from pyprover.train.recipes.crown_ibp import fused_loss
from pyprover.train.recipes.ibp import interval_loss
from pyprover.train.recipes.sabr import small_box
from pyprover.train.samples import Samples, augment
from pyprover.train.schedule import Schedule
from tests.python.training import (
    BUILDERS,
    CLASSES,
    LEVELS,
    SHAPE,
    boxes,
    convolutional,
    corners_and_points,
    normed,
    padded,
    paired,
)


def interval_margins(network: nn.Sequential, box: Box) -> Tensor:
    return pair_margins(network, enclose(network, box).features)


def linear_margins(network: nn.Sequential, box: Box) -> Tensor:
    """All pairs."""
    wanted = torch.ones(len(box.lower), CLASSES, CLASSES, dtype=torch.bool)
    return linear.linear_margins(network, enclose(network, box), wanted)


@pytest.mark.parametrize("radius", [0.0, 0.01, 0.1, 1.0])
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize("bound", [interval_margins, linear_margins])
def test_no_point_of_the_box_has_a_smaller_margin(bound, build, radius, seed) -> None:
    network, box = build(seed), boxes(radius, seed)
    with torch.no_grad():
        lower = bound(network, box)
        for points in corners_and_points(box, 100):
            assert (all_margins(network(points)) >= lower - 1e-4).all()


@pytest.mark.parametrize("bound", [interval_margins, linear_margins])
@pytest.mark.parametrize("build", BUILDERS)
def test_margins_are_exact_at_a_point(bound, build) -> None:
    network, box = build(0), boxes(0.0, 0)
    with torch.no_grad():
        torch.testing.assert_close(bound(network, box), all_margins(network(box.lower)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("build", BUILDERS)
def test_the_margins_of_the_label_are_among_those_of_all_pairs(build) -> None:
    network, labels = build(0), torch.tensor([0, 1, 2, 3, 4, 0])
    with torch.no_grad():
        features = enclose(network, boxes(0.05, 0)).features
        expected = pair_margins(network, features)[torch.arange(6), labels]
        torch.testing.assert_close(label_margins(network, features, labels), expected)


def test_only_the_wanted_margins_are_bounded() -> None:
    network, box = convolutional(0), boxes(0.05, 0)
    wanted = torch.rand(6, CLASSES, CLASSES, generator=torch.Generator().manual_seed(0)) < 0.3
    with torch.no_grad():
        some, every = linear.linear_margins(network, enclose(network, box), wanted), linear_margins(network, box)
    torch.testing.assert_close(some, every.masked_fill(~wanted, -torch.inf))


@pytest.mark.parametrize("build", BUILDERS)
def test_linear_bounds_are_tighter_on_small_boxes(build) -> None:
    network, box = build(1), boxes(0.01, 1)
    with torch.no_grad():
        assert (linear_margins(network, box) - interval_margins(network, box)).mean() > 0


def step_of(network: nn.Sequential, radius: float, growth: float = 1.0) -> Step:
    images = torch.rand(6, *SHAPE, generator=torch.Generator().manual_seed(5))
    return Step(network, images, torch.tensor([0, 1, 2, 3, 4, 0]), radius, growth, LEVELS)


@pytest.mark.parametrize("radius", [0.0, 0.01, 0.1, 1.0])
@pytest.mark.parametrize("build", BUILDERS)
def test_the_fused_loss_is_above_the_cross_entropy_of_every_point(build, radius) -> None:
    step = step_of(build(2), radius)
    with torch.no_grad():
        bound = fused_loss(step)
        for points in corners_and_points(step.region(), 100):
            assert (step.entropy(points) <= bound + 1e-3).all()


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_the_fused_loss_is_finite_where_exponentials_overflow(scale) -> None:
    network = convolutional(3)
    with torch.no_grad():
        for layer in network:
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.weight.mul_(scale)
    loss = fused_loss(step_of(network, 0.3)).mean()
    loss.backward()
    gradients = [parameter.grad for parameter in network.parameters()]
    assert bool(loss.isfinite())
    assert all(gradient is not None and bool(gradient.isfinite().all()) for gradient in gradients)


def test_fused_and_interval_losses_are_the_clean_loss_at_radius_0() -> None:
    step = step_of(padded(4), 0.0)
    torch.testing.assert_close(fused_loss(step).mean(), step.clean)
    torch.testing.assert_close(interval_loss(step), step.clean)


@pytest.mark.parametrize(
    "layer",
    [nn.Conv2d(2, 4, 3, padding="same"), nn.Conv2d(2, 4, 3, dilation=2), nn.Conv2d(2, 4, 3, groups=2), nn.Sigmoid()],
    ids=["same", "dilation", "groups", "sigmoid"],
)
def test_layers_without_bounds_are_refused(layer) -> None:
    with pytest.raises(TypeError):
        enclose(nn.Sequential(layer, nn.Flatten(), nn.Linear(8, 2)), boxes(0.1, 0))


def test_the_last_layer_must_be_linear() -> None:
    with pytest.raises(TypeError, match="ReLU"):
        last_layer(nn.Sequential(nn.Linear(2, 2), nn.ReLU()))


# Layers


def test_max_min_sorts_pairs() -> None:
    sorted_pairs = MaxMin()(torch.tensor([[1.0, -2.0, 0.5, 3.0]]))
    assert sorted_pairs.tolist() == [[1.0, 3.0, 0.5, -2.0]]


def test_batch_normalisation_is_that_of_torch() -> None:
    own, other = BatchNorm(3).train(), nn.BatchNorm2d(3).train()
    variance = torch.ones(3)
    for _ in range(3):
        batch = torch.randn(8, 3, 4, 4) * 2 + 1
        torch.testing.assert_close(observe(nn.Sequential(own), batch), other(batch))
        variance.lerp_(batch.var((0, 2, 3), unbiased=False), 0.1)
    other.running_var.copy_(variance)  # type: ignore[union-attr]  # torch itself averages the unbiased ones
    batch = torch.randn(8, 3, 4, 4)
    torch.testing.assert_close(own.eval()(batch), other.eval()(batch))


def test_one_step_uses_the_statistics_of_its_clean_images_for_everything() -> None:
    network = normed(0).train()
    step = step_of(network, 0.0)
    torch.testing.assert_close(network(step.images), step.scores)
    torch.testing.assert_close(interval_loss(step), step.clean)
    other = torch.rand(4, *SHAPE)
    assert not torch.allclose(network(other), observe(normed(0).train(), other))


def test_batch_normalisation_in_training_wants_to_observe_first() -> None:
    with pytest.raises(RuntimeError, match="observe"):
        BatchNorm(3).train()(torch.zeros(2, 3))


# Losses and levels


def test_the_worst_case_at_exact_margins_is_the_cross_entropy() -> None:
    outputs, labels = torch.randn(7, CLASSES), torch.tensor([0, 1, 2, 3, 4, 0, 1])
    own = all_margins(outputs)[torch.arange(7), labels]
    expected = nn.functional.cross_entropy(outputs, labels)
    torch.testing.assert_close(worst_case(own, labels), expected)
    alone = LEVELS["class"][labels]
    torch.testing.assert_close(group_loss(all_margins(outputs), alone).mean(), expected)


def test_group_loss_is_small_exactly_when_one_member_beats_the_outsiders() -> None:
    allowed = LEVELS["cut pairs"][torch.tensor([0])]
    by_sibling = torch.tensor([[-20.0, 20.0, 0.0, 0.0, 0.0]])
    by_outsider = torch.tensor([[0.0, 0.0, 20.0, 0.0, 0.0]])
    assert group_loss(all_margins(by_sibling), allowed) < 1e-6
    assert group_loss(all_margins(by_outsider), allowed) > 19
    assert group_error(by_sibling, allowed).tolist() == [-20.0]
    assert group_error(by_outsider, allowed).tolist() == [20.0]


def test_a_group_can_be_certified_where_the_class_is_not() -> None:
    margins = all_margins(torch.tensor([[1.0, 2.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0, 0.0]]))
    labels = torch.tensor([0, 0])
    assert certified(margins, LEVELS["class"][labels]).tolist() == [False, False]
    assert certified(margins, LEVELS["cut pairs"][labels]).tolist() == [True, False]


TREE = b"""hierarchy t {
  group ab { class a = 0  class b = 1 }
  group rest { group cd { class c = 2  class d = 3 }  class e = 4 }
  CUT
  never a -> b
}"""


def test_levels_come_from_cuts_or_else_from_heights() -> None:
    with_cut = levels_of(of_bytes("t.hier", TREE.replace(b"CUT", b"cut halves = { ab, rest }")))
    without = levels_of(of_bytes("t.hier", TREE.replace(b"CUT", b"")))
    assert list(with_cut) == ["class", "cut halves"]
    assert list(without) == ["class", "up 1", "up 2"]
    halves = with_cut["cut halves"].int().tolist()
    assert halves == [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0], *[[0, 0, 1, 1, 1]] * 3]
    assert without["up 1"][2].int().tolist() == [0, 0, 1, 1, 0]


@pytest.mark.parametrize("text", ["", "up", "up -1", "cut", "cut a b", "level 1"])
def test_what_is_no_level_is_told(text) -> None:
    with pytest.raises(UserError, match="is not a level"):
        parse_level(text)


# Boxes, attacks, schedules, samples


@pytest.mark.parametrize("ratio", [0.1, 0.5, 1.0])
def test_small_boxes_lie_in_the_region(ratio) -> None:
    step = step_of(convolutional(2), 0.1)
    region = step.region()
    box = small_box(step, region, ratio, 2)
    assert (box.lower >= region.lower - 1e-6).all()
    assert (box.upper <= region.upper + 1e-6).all()
    torch.testing.assert_close(box.radius, region.radius * ratio)


def test_attacks_stay_in_the_box_and_climb() -> None:
    step = step_of(convolutional(2), 0.1)
    region = pixels_around(step.images, 0.1)
    found = ascend(step.entropy, region, even_steps(5), torch.Generator().manual_seed(0))
    start = ascend(step.entropy, region, (), torch.Generator().manual_seed(0))
    assert ((found >= region.lower) & (found <= region.upper)).all()
    with torch.no_grad():
        assert step.entropy(found).mean() > step.entropy(start).mean()


def test_relus_are_counted_as_unstable_where_samples_show_both_signs() -> None:
    images = torch.rand(4, *SHAPE, generator=torch.Generator().manual_seed(1))
    samples = Samples(images, torch.zeros(4, dtype=torch.int64))
    for network, count in ((convolutional(0), 4 * 49), (paired(0), 3 * 16)):
        head = nn.Sequential(*network[:2], nn.Flatten(), nn.LazyLinear(2))
        head(images)
        assert unstable(head, samples, 0.0) == 0
        assert 0 < unstable(head, samples, 0.05) < unstable(head, samples, 1.0) <= count


@given(
    epochs=st.integers(2, 50),
    warm_up=st.integers(0, 5),
    ramp_up=st.integers(0, 20),
    ramp=st.sampled_from(["linear", "smooth"]),
)
@settings(max_examples=50, deadline=None)
def test_the_radius_grows_from_nothing_to_all(epochs, warm_up, ramp_up, ramp) -> None:
    schedule = Schedule(epochs=epochs, warm_up=warm_up, ramp_up=ramp_up, ramp=ramp)
    growths = [schedule.growth(warm_up + ramp_up * k / 100) for k in range(101)]
    assert growths == sorted(growths)
    if ramp_up:
        assert growths[0] == 0
        assert max(b - a for a, b in pairwise(growths)) < 0.03
    assert schedule.growth(warm_up + ramp_up) == pytest.approx(1, abs=1e-12)


def test_the_learning_rate_falls_at_the_shares_given() -> None:
    schedule = Schedule(epochs=10, learning_rate=1.0, decay_at=(0.5, 0.8), decay=0.1)
    assert [schedule.rate(k) for k in range(10)] == pytest.approx([1] * 5 + [0.1] * 3 + [0.01] * 2)


def test_augmented_images_are_shifted_and_perhaps_mirrored() -> None:
    torch.manual_seed(0)
    image = torch.zeros(1, 1, 9, 9)
    image[0, 0, 4, 3] = 1
    for how, columns in (("none", {3}), ("crop", {1, 2, 3, 4, 5}), ("crop_flip", {1, 2, 3, 4, 5, 6, 7})):
        changed = augment(image.expand(400, -1, -1, -1), how)
        assert changed.shape == (400, 1, 9, 9)
        places = changed.nonzero()
        assert len(places) == 400
        assert set(places[:, 3].tolist()) == columns
