"""Certified training: bounds sound on samples, losses as they say, folding and exporting that change nothing."""

from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pyprover.train import bounds
from pyprover.train.bounds import Box, enclose, interval_margins, last_layer
from pyprover.train.export import fold, runtime_outputs, write_onnx
from pyprover.train.loop import Recipe, Samples, Scaling, Task, train
from pyprover.train.losses import class_loss, group_loss, small_box
from pyprover.train.measure import certified, score
from pyprover.train.settings import add_settings, recipe

CLASSES = 5
LEVEL = torch.tensor([0, 0, 1, 1, 1])
SCALING = Scaling(mean=(0.4, 0.5), std=(0.2, 0.3))


def convolutional(seed: int) -> nn.Sequential:
    """A random network on (2, 9, 9); the second convolution leaves a row and a column that no window reaches."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=1),
        nn.ReLU(),
        nn.Conv2d(4, 6, 4, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(24, 10),
        nn.ReLU(),
        nn.Linear(10, CLASSES),
    )


def padded(seed: int) -> nn.Sequential:
    """A random network on (2, 9, 9) whose second convolution leaves a row and a column of its padding over."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, stride=1, padding=1),
        nn.ReLU(),
        nn.Conv2d(4, 6, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(96, CLASSES),
    )


def linear_margins(network: nn.Sequential, box: Box) -> Tensor:
    """All pairs."""
    return bounds.linear_margins(network, box, torch.ones(len(box.lower), CLASSES, CLASSES, dtype=torch.bool))


def boxes(radius: float, seed: int) -> Box:
    centre = torch.rand(6, 2, 9, 9, generator=torch.Generator().manual_seed(seed))
    return Box(centre - radius, centre + radius)


def corners_and_points(box: Box, count: int) -> Tensor:
    """Random points and random corners, (count, B, ...)."""
    weights = torch.rand(count, *box.lower.shape)
    weights[::2] = weights[::2].round()
    return box.lower + weights * (box.upper - box.lower)


@pytest.mark.parametrize("radius", [0.0, 0.01, 0.1, 1.0])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("build", [convolutional, padded])
@pytest.mark.parametrize("bound", [interval_margins, linear_margins])
def test_no_point_of_the_box_has_a_smaller_margin(bound, build, radius, seed) -> None:
    network, box = build(seed), boxes(radius, seed)
    with torch.no_grad():
        lower = bound(network, box)
        for points in corners_and_points(box, 200):
            outputs = network(points)
            margins = outputs.unsqueeze(2) - outputs.unsqueeze(1)
            assert (margins >= lower - 1e-4).all()


@pytest.mark.parametrize("bound", [interval_margins, linear_margins])
@pytest.mark.parametrize("build", [convolutional, padded])
def test_margins_are_exact_at_a_point(bound, build) -> None:
    network, box = build(0), boxes(0.0, 0)
    with torch.no_grad():
        outputs = network(box.lower)
        torch.testing.assert_close(bound(network, box), outputs.unsqueeze(2) - outputs.unsqueeze(1))


def test_only_the_wanted_margins_are_bounded() -> None:
    network, box = convolutional(0), boxes(0.05, 0)
    wanted = torch.rand(6, CLASSES, CLASSES, generator=torch.Generator().manual_seed(0)) < 0.3
    with torch.no_grad():
        some, every = bounds.linear_margins(network, box, wanted), linear_margins(network, box)
    torch.testing.assert_close(some, every.masked_fill(~wanted, -torch.inf))


def test_linear_bounds_are_tighter_on_small_boxes() -> None:
    network, box = convolutional(1), boxes(0.01, 1)
    with torch.no_grad():
        gain = linear_margins(network, box) - interval_margins(network, box)
    assert gain.mean() > 0


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


def exact_margins(outputs: Tensor) -> Tensor:
    return outputs.unsqueeze(2) - outputs.unsqueeze(1)


def test_class_loss_at_exact_margins_is_the_cross_entropy() -> None:
    outputs, labels = torch.randn(7, CLASSES), torch.tensor([0, 1, 2, 3, 4, 0, 1])
    torch.testing.assert_close(class_loss(exact_margins(outputs), labels), nn.functional.cross_entropy(outputs, labels))


def test_group_loss_is_small_exactly_when_one_member_beats_the_outsiders() -> None:
    labels = torch.tensor([0])
    by_sibling = exact_margins(torch.tensor([[-20.0, 20.0, 0.0, 0.0, 0.0]]))
    by_outsider = exact_margins(torch.tensor([[0.0, 0.0, 20.0, 0.0, 0.0]]))
    assert group_loss(by_sibling, labels, LEVEL) < 1e-6
    assert group_loss(by_outsider, labels, LEVEL) > 19


def test_a_group_can_be_certified_where_the_class_is_not() -> None:
    margins = exact_margins(torch.tensor([[1.0, 2.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0, 0.0]]))
    labels = torch.tensor([0, 0])
    assert certified(margins, labels, torch.arange(CLASSES)).tolist() == [False, False]
    assert certified(margins, labels, LEVEL).tolist() == [True, False]


@pytest.mark.parametrize("ratio", [0.1, 0.5, 1.0])
def test_small_boxes_lie_in_the_region(ratio) -> None:
    region = boxes(0.1, 2)
    box = small_box(convolutional(2), torch.zeros(6, dtype=torch.int64), region, ratio)
    assert (box.lower >= region.lower - 1e-6).all()
    assert (box.upper <= region.upper + 1e-6).all()
    torch.testing.assert_close(box.radius, region.radius * ratio)


def test_folding_the_scaling_changes_nothing() -> None:
    network, images = convolutional(3), torch.rand(5, 2, 9, 9)
    with torch.no_grad():
        torch.testing.assert_close(fold(network, SCALING)(images), network(SCALING.apply(images)), rtol=1e-4, atol=1e-4)


def test_folding_into_a_padded_convolution_is_refused() -> None:
    network = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.Flatten(), nn.Linear(324, 2))
    with pytest.raises(TypeError, match="padding"):
        fold(network, SCALING)


def test_the_exported_file_gives_the_same_outputs(tmp_path: Path) -> None:
    network, images = convolutional(4), torch.rand(5, 2, 9, 9)
    path = tmp_path / "net.onnx"
    assert write_onnx(network, images, path) < 1e-5
    assert list(tmp_path.iterdir()) == [path]
    with torch.no_grad():
        expected = network(images)
    torch.testing.assert_close(torch.from_numpy(runtime_outputs(path, images.numpy(), batch=2)), expected)


RECIPE = Recipe(
    radius=2 / 255,
    epochs=30,
    warm_up=2,
    ramp_up=4,
    ratio=0.5,
    group_weight=0.5,
    group_radius=3 / 255,
    batch=20,
    learning_rate=5e-3,
    seed=1,
)


def separable(count: int) -> Samples:
    """Images whose mean brightness tells the class."""
    labels = torch.arange(count) % CLASSES
    noise = torch.randint(-8, 9, (count, 2, 9, 9), generator=torch.Generator().manual_seed(0))
    return Samples((30 + 48 * labels.view(-1, 1, 1, 1) + noise).to(torch.uint8), labels)


def test_training_learns_certifies_and_is_deterministic() -> None:
    samples, seen = separable(200), []
    networks = [convolutional(5), convolutional(6)]
    for network in networks:
        task = Task(network, LEVEL, SCALING)
        train(task, samples, RECIPE, lambda images: images, lambda epoch: seen.append(epoch) or "")
    assert seen == 2 * list(range(1, 31))
    for one, other in zip(*(network.state_dict().values() for network in networks), strict=True):
        assert torch.equal(one, other)
    scores = score(networks[0], samples, {"class": torch.arange(CLASSES), "group": LEVEL}, SCALING, RECIPE.radius)
    assert scores["class"].certified > 0.8
    for level in scores.values():
        assert level.interval <= level.certified <= level.attacked <= level.natural
    assert scores["group"].certified >= scores["class"].certified


def parse(tmp_path: Path, *arguments: str) -> Recipe:
    parser = ArgumentParser()
    add_settings(parser, tmp_path / "net.onnx", RECIPE)
    return recipe(parser, parser.parse_args(arguments), RECIPE)


def test_settings_default_to_the_recipe(tmp_path: Path) -> None:
    assert parse(tmp_path, "--epochs", "12", "--radius", "2") == replace(RECIPE, epochs=12, ramp_up=4)
    assert parse(tmp_path, "--ratio", "1", "--seed", "7") == replace(RECIPE, ramp_up=10, ratio=1.0, seed=7)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "--epochs must be at least 1"),
        (["--radius", "-1"], "must not be negative"),
        (["--ratio", "0"], "--ratio must be above 0"),
        (["--group-weight", "1.5"], "--group-weight must be between 0 and 1"),
        (["--output", "/no/such/folder/net.onnx"], "there is no folder /no/such/folder"),
        (["--quick"], "--quick needs --output"),
    ],
)
def test_settings_out_of_range_are_one_message(tmp_path: Path, capsys, arguments, message) -> None:
    with pytest.raises(SystemExit):
        parse(tmp_path, *arguments)
    assert message in capsys.readouterr().err.splitlines()[-1]
