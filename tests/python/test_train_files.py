"""What is written is what was trained, and the prover reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

import pyprover
from pyprover.train.bounds import enclose, label_margins, pixels_around
from pyprover.train.export import runtime_outputs, write_onnx
from pyprover.train.layers import Fixed, MaxMin, normalize, weighted
from pyprover.train.recipes.channels import Channels
from pyprover.train.recipes.lipschitz import Lipschitz
from pyprover.train.recipes.pruning import Pruned
from pyprover.train.recipes.quantized import Quantized
from pyprover.train.simplify import folded, plain, simplified, without_dead_units
from tests.python.training import BUILDERS, CLASSES, SHAPE, convolutional, normed, padded, paired

RECIPES = {
    "pruned": Pruned(),
    "channels": Channels(),
    "quantized": Quantized(),
    "int4 channels": Quantized(Channels(), 4),
}


def constrained(name: str, seed: int) -> nn.Sequential:
    """A network as a recipe leaves it, without the training."""
    network = paired(seed) if name == "lipschitz" else padded(seed)
    recipe = (RECIPES | {"lipschitz": Lipschitz()})[name].build()
    recipe.prepare(network)
    recipe.between(network, 1.0)
    return network.eval()


def images(count: int) -> torch.Tensor:
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("build", BUILDERS)
def test_a_simplified_network_is_the_same_function(build) -> None:
    network = build(3)
    with torch.no_grad():
        torch.testing.assert_close(simplified(network)(images(20)), network(images(20)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [*RECIPES, "lipschitz"])
def test_so_is_one_that_a_recipe_has_changed_and_that_one_stays_as_it_is(name) -> None:
    network = constrained(name, 4)
    with torch.no_grad():
        before = network(images(20))
        torch.testing.assert_close(simplified(network)(images(20)), before, rtol=1e-4, atol=1e-5)
        state = torch.get_rng_state()
        assert torch.equal(simplified(network)(images(20)), simplified(network)(images(20)))
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.equal(network(images(20)), before)
    assert not any(parametrize.is_parametrized(layer) for layer in plain(network))


def test_scalings_are_folded_where_that_is_exact() -> None:
    assert not any(isinstance(layer, Fixed) for layer in folded(plain(normed(0)))[1:])
    scale = normalize((0.4, 0.5), (0.2, 0.3))
    for build, left in ((convolutional, 0), (padded, 1)):  # a padded zero would change its meaning
        network = nn.Sequential(scale, *build(0))
        with torch.no_grad():
            torch.testing.assert_close(folded(network)(images(5)), network(images(5)), rtol=1e-4, atol=1e-5)
        assert sum(isinstance(layer, Fixed) for layer in folded(network)) == left


def test_channels_of_quantised_networks_are_left_out_with_their_scalings() -> None:
    network, recipe = normed(2), Quantized(Channels()).build()
    recipe.prepare(network)
    recipe.between(network, 1.0)
    small = simplified(network)
    sizes = [len(layer.scale) for layer in small if isinstance(layer, Fixed)]
    assert sizes == [2, 2, 4]  # the pixels' scaling, then half of each batch normalisation
    assert [layer.weight.shape[:2] for layer in weighted(small)] == [(2, 2), (4, 50), (CLASSES, 4)]
    with torch.no_grad():
        torch.testing.assert_close(small(images(20)), network(images(20)), rtol=1e-4, atol=1e-5)


def test_units_that_are_always_0_are_left_out_but_one() -> None:
    network = padded(5)
    first, second = network[0], network[2]
    with torch.no_grad():
        first.weight[[0, 2]] = 0  # type: ignore[index]
        first.bias.copy_(torch.tensor([0.0, 1.0, 0.5, -1.0]))  # type: ignore[union-attr, operator]
        second.weight.zero_()  # type: ignore[union-attr, operator]
        second.bias.fill_(-1.0)  # type: ignore[union-attr, operator]
        small = without_dead_units(network)
        # Channel 2 of the first layer is constant, not 0; all of the second one are dead.
        assert [layer.weight.shape[:2] for layer in weighted(small)] == [(3, 2), (1, 3), (CLASSES, 16)]
        torch.testing.assert_close(small(images(5)), network(images(5)))


@pytest.mark.parametrize("build", BUILDERS)
def test_the_file_gives_the_same_outputs_and_stands_alone(build, tmp_path: Path) -> None:
    network, path = simplified(build(4)), tmp_path / "net.onnx"
    assert write_onnx(network, images(5), path) < 1e-5
    assert list(tmp_path.iterdir()) == [path]
    with torch.no_grad():
        expected = network(images(5))
    outputs = torch.from_numpy(runtime_outputs(path, images(5).numpy(), batch=2))
    torch.testing.assert_close(outputs, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [*RECIPES, "lipschitz", "normed"])
def test_the_prover_reads_the_function_that_was_trained(name, tmp_path: Path) -> None:
    network = normed(6) if name == "normed" else constrained(name, 6)
    final, path = simplified(network), tmp_path / "net.onnx"
    write_onnx(final, images(5), path)
    points = images(50)
    with torch.no_grad():
        expected = final.double()(points.double()).numpy()
    found = pyprover.Network.open(str(path)).exact_outputs(points.numpy())
    assert np.abs(found - expected).max() < 1e-12


@pytest.mark.parametrize(("name", "largest"), [("quantized", 127), ("int4 channels", 7)])
def test_quantised_weights_are_stored_as_integers(name, largest, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    network = simplified(constrained(name, 7))
    write_onnx(network, images(5), path)
    stored = [onnx.numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer if t.name.endswith(".int8")]
    assert [tensor.shape for tensor in stored] == [tuple(layer.weight.shape) for layer in weighted(network)]
    assert all(tensor.dtype == np.int8 and np.abs(tensor).max() == largest for tensor in stored)


def test_weights_off_their_grid_are_not_written(tmp_path: Path) -> None:
    network = simplified(constrained("quantized", 8))
    with torch.no_grad():
        network[0].weight[0, 0, 0, 0] += 1e-3  # type: ignore[index]
    with pytest.raises(ValueError, match="not made of 8-bit integers"):
        write_onnx(network, images(5), tmp_path / "net.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("build", [convolutional, normed, paired])
def test_the_prover_proves_what_training_bounds_certify(build, tmp_path: Path) -> None:
    network, path = build(9), tmp_path / "net.onnx"
    final, points, radius = simplified(network), images(4), 1 / 255
    write_onnx(final, points, path)
    with torch.no_grad():
        labels = final(points).argmax(1)
        margins = label_margins(final, enclose(final, pixels_around(points, radius)).features, labels)
        safe = margins.scatter(1, labels.unsqueeze(1), torch.inf).amin(1) > 1e-4
    assert bool(safe.any())
    regions = [pyprover.ball(point.numpy(), "1/255", lower=0, upper=1) for point in points]
    results = pyprover.verify(str(path), regions, [{int(label)} for label in labels], time_limit=20)
    assert all(result.status == "valid" for result, certain in zip(results, safe, strict=True) if certain)


def test_max_min_is_one_relu_a_pair_in_the_file(tmp_path: Path) -> None:
    network, path = simplified(paired(0)), tmp_path / "net.onnx"
    write_onnx(network, images(2), path)
    operators = [node.op_type for node in onnx.load(path).graph.node]
    assert operators.count("Relu") == sum(isinstance(layer, MaxMin) for layer in network)
    assert not {"Max", "Min", "MaxPool"} & set(operators)
