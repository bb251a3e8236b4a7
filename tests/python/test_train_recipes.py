"""Each recipe trains; what a recipe says of its loss or of its network holds."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from pyprover.errors import UserError
from pyprover.train import lipschitz, shi
from pyprover.train.bounds import Box, Enclosure, enclose
from pyprover.train.layers import weighted
from pyprover.train.levels import CLASS
from pyprover.train.loop import Job, Silent, train
from pyprover.train.measure import score, unstable
from pyprover.train.quantize import IntegerWeight
from pyprover.train.recipes import RECIPES
from pyprover.train.recipes.adversarial import Pgd, Trades
from pyprover.train.recipes.base import Aim, Recipe, RecipeOptions, Step
from pyprover.train.recipes.channels import Channels
from pyprover.train.recipes.crown_ibp import CrownIbp, fused_loss
from pyprover.train.recipes.ibp import Ibp, interval_loss
from pyprover.train.recipes.levels import ByLevel, LevelTerm
from pyprover.train.recipes.lipschitz import Lipschitz
from pyprover.train.recipes.masks import reached
from pyprover.train.recipes.mtl_ibp import MtlIbp
from pyprover.train.recipes.pruning import Pruned
from pyprover.train.recipes.quantized import Quantized
from pyprover.train.recipes.sabr import Sabr
from pyprover.train.recipes.sparse import L1, ReluStability, weight_norm
from pyprover.train.recipes.standard import Standard
from pyprover.train.schedule import Schedule
from pyprover.train.simplify import plain, simplified
from tests.python.training import LEVELS, SHAPE, convolutional, normed, padded, paired, separable

RADIUS = 2 / 255
SAMPLES = separable(100)
SEEN = SAMPLES.part(slice(40))
CERTIFIED = Ibp(regularise=0.0)


def trained(recipe: Recipe, network: nn.Sequential, epochs: int = 12) -> nn.Sequential:
    schedule = Schedule(epochs=epochs, warm_up=1, ramp_up=4, batch=20, learning_rate=1e-2)
    train(network, Job(recipe, schedule, SAMPLES, LEVELS, RADIUS, 1, lambda _: {}, every=epochs), Silent())
    return network


def unregularised(options: RecipeOptions) -> RecipeOptions:
    """Shi's regularisers are for longer trainings than these."""
    return replace(options, regularise=0.0) if hasattr(options, "regularise") else options


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_learns(name) -> None:
    recipe = unregularised(RECIPES[name]()).build()
    network = trained(recipe, paired(5) if name == "lipschitz" else convolutional(5))
    scores = score(network, SEEN, LEVELS, RADIUS)
    assert scores[CLASS].natural > 0.9
    if recipe.aim is Aim.CERTIFIED:
        assert scores[CLASS].certified > 0.8
    for level in scores.values():
        assert level.interval <= level.certified <= level.attacked <= level.natural
    assert scores["cut pairs"].certified >= scores[CLASS].certified


@pytest.mark.parametrize("name", ["pgd", "trades", "crown_ibp", "sabr", "levels"])
def test_recipes_train_with_batch_normalisation(name) -> None:
    network = trained(RECIPES[name]().build(), normed(5), epochs=8)
    assert score(network, SEEN, LEVELS, RADIUS)[CLASS].natural > 0.9


def step_of(network: nn.Sequential, growth: float = 1.0, radius: float = 0.05) -> Step:
    batch = SAMPLES.part(slice(20))
    return Step(network, batch.pixels, batch.labels, radius, growth, LEVELS)


def loss(recipe: Recipe, step: Step) -> Tensor:
    torch.manual_seed(0)
    return recipe.loss(step)


EQUAL = [
    (Trades(weight=0), lambda step: step.clean),
    (MtlIbp(weight=1.0), interval_loss),
    (MtlIbp(weight=0.0, steps=7), lambda step: loss(Pgd().build(), step)),
    (Sabr(ratio=1.0), interval_loss),
    (ByLevel(ratio=1.0), interval_loss),
    (ByLevel(ratio=0.3, steps=4), lambda step: loss(Sabr(ratio=0.3, steps=4).build(), step)),
    (Ibp(), interval_loss),
    (Ibp(clean=1.0), lambda step: step.clean),
    (CrownIbp(), interval_loss),
    (CrownIbp(crown=1.0), lambda step: fused_loss(step).mean()),
    (L1(weight=0.5, base=Standard()), lambda step: step.clean + 0.5 * weight_norm(step)),
    (ReluStability(weight=0.0, base=Ibp()), interval_loss),
]


@pytest.mark.parametrize(("options", "expected"), EQUAL, ids=[str(options) for options, _ in EQUAL])
@pytest.mark.parametrize("build", [padded, paired])
def test_limits_of_recipes_are_each_other(build, options, expected) -> None:
    step = step_of(build(0))
    torch.testing.assert_close(loss(options.build(), step), expected(step))


@pytest.mark.parametrize("name", [name for name in RECIPES if name not in ("l1", "lipschitz", "trades")])
def test_at_radius_0_every_recipe_has_the_clean_loss_and_its_regularisers(name) -> None:
    options = unregularised(RECIPES[name]())
    step = step_of(padded(1), growth=0.0)
    torch.testing.assert_close(loss(options.build(), step), step.clean)


def test_adversarial_and_worst_case_losses_are_ordered() -> None:
    step = step_of(padded(2))
    clean, adversarial, small, worst = (
        step.clean,
        loss(Pgd().build(), step),
        loss(Sabr().build(), step),
        interval_loss(step),
    )
    assert clean < adversarial < small < worst
    assert clean < loss(Trades().build(), step)


# Levels


def test_a_level_that_allows_more_costs_less_and_weights_add_up() -> None:
    step = step_of(padded(3))
    fine, coarse = (loss(ByLevel((LevelTerm(level),), ratio=1).build(), step) for level in LEVELS)
    assert coarse < fine
    both = ByLevel((LevelTerm(CLASS, 0.3), LevelTerm("cut pairs", 2.0)), ratio=1)
    torch.testing.assert_close(loss(both.build(), step), 0.3 * fine + 2.0 * coarse)
    wide = ByLevel((LevelTerm("cut pairs", 1.0, 2.0),), ratio=1)
    torch.testing.assert_close(
        loss(wide.build(), step), loss(ByLevel((LevelTerm("cut pairs"),), 1).build(), step_of(step.network, radius=0.1))
    )
    assert both.build().levels == {CLASS: 0.3, "cut pairs": 2.0}


def test_boxes_near_where_the_group_is_lost_cost_the_group_more() -> None:
    step = step_of(trained(Standard().build(), convolutional(7), epochs=4), radius=0.1)
    term = (LevelTerm("cut pairs"),)
    near_class, near_group = (
        loss(ByLevel(term, ratio=0.05, steps=10, towards=towards).build(), step) for towards in ("class", "level")
    )
    assert near_group > near_class


def test_training_for_groups_certifies_groups() -> None:
    by_group = ByLevel((LevelTerm(CLASS, 0.1), LevelTerm("cut pairs", 0.9, 8.0)))
    networks = [trained(options.build(), convolutional(5), epochs=20) for options in (by_group, ByLevel())]
    shares = [score(network, SEEN, LEVELS, 0.05)["cut pairs"].certified for network in networks]
    assert shares[0] > shares[1]


# Regularisers


def test_the_regulariser_is_0_where_bounds_stay_narrow_and_balanced() -> None:
    region = Box(torch.zeros(1, 4), torch.ones(1, 4))

    def of(lower: list[float], upper: list[float]) -> float:
        box = Box(torch.tensor([lower]), torch.tensor([upper]))
        return float(shi.regulariser(Enclosure(region, {0: box}, box, ())))

    assert of([1.0, -2.0, 1.0, -2.0], [2.0, -1.0, 2.0, -1.0]) == 0
    # Radii of 4 where the input's are 0.5: (0.5 - 1/8) / 0.5.
    assert of([-4.0] * 4, [4.0] * 4) == pytest.approx(0.75)
    # Centres 1.5, 1.5, 1.5, -0.5 around 1: the sums over active and inactive are 4.5 and 0.5, 0.75 and 2.25.
    assert of([1.0, 1.0, 1.0, -1.0], [2.0, 2.0, 2.0, -1e-9]) == pytest.approx((0.5 - 1 / 9) / 0.5 + (0.5 - 1 / 3) / 0.5)


def test_the_initial_weights_keep_interval_bounds_of_one_size() -> None:
    torch.manual_seed(0)
    deep = nn.Sequential(
        nn.Flatten(), *(layer for _ in range(8) for layer in (nn.Linear(162, 162), nn.ReLU())), nn.Linear(162, 2)
    )
    region = Box(torch.full((4, *SHAPE), 0.4), torch.full((4, *SHAPE), 0.6))
    widths = []
    for initialise in (lambda _: None, shi.initialise):
        initialise(deep)
        with torch.no_grad():
            widths.append([float(box.radius.mean()) for box in enclose(deep, region).activations.values()])
    assert widths[0][-1] > 20 * widths[0][0]
    assert 0.5 < widths[1][-1] / widths[1][0] < 2


def test_stability_leaves_fewer_unstable_relus() -> None:
    counts = [
        unstable(trained(ReluStability(Standard(), weight).build(), convolutional(5)), SAMPLES, RADIUS)
        for weight in (0.0, 1e-2)
    ]
    assert counts[1] < 0.8 * counts[0]


# Pruning


def zeros(network: nn.Sequential) -> list[float]:
    return [float((layer.weight == 0).float().mean()) for layer in weighted(network)]


@pytest.mark.parametrize("rounds", [1, 3])
@pytest.mark.parametrize("base", [Standard(), CERTIFIED])
def test_pruned_weights_stay_0_while_the_others_train_on(base, rounds) -> None:
    network = trained(Pruned(base, 0.8, rounds, 0.3, 0.6).build(), padded(5))
    assert zeros(network) == pytest.approx([0.8] * 3, abs=0.01)
    assert zeros(plain(network)) == pytest.approx([0.8] * 3, abs=0.01)
    assert score(network, SEEN, LEVELS, RADIUS)[CLASS].natural > 0.9


def test_the_smallest_weights_of_the_whole_network_go() -> None:
    network = padded(6)
    recipe = Pruned(sparsity=0.5, start=0.0, scope="network").build()
    recipe.prepare(network)
    before = torch.cat([layer.weight.detach().abs().flatten() for layer in weighted(network)])
    recipe.between(network, 0.0)
    after = torch.cat([layer.weight.detach().abs().flatten() for layer in weighted(network)])
    assert torch.equal(after, torch.where(before > before.median(), before, 0))


def test_rounds_of_pruning_take_less_and_less() -> None:
    shares = [reached(done / 100, 0.2, 0.8, 4) for done in range(101)]
    assert sorted(set(shares)) == pytest.approx([0, 1 - (3 / 4) ** 3, 1 - (1 / 2) ** 3, 1 - (1 / 4) ** 3, 1])
    assert shares == sorted(shares)
    assert (shares[19], shares[80]) == (0, 1)
    assert [reached(done, 0.5, 0.1, 1) for done in (0.49, 0.5, 1.0)] == [0, 1, 1]


@pytest.mark.parametrize("build", [padded, normed])
def test_pruned_channels_are_not_in_the_network_that_is_written(build) -> None:
    network = trained(Channels(Standard(), 0.5, start=0.3).build(), build(5), epochs=8)
    small = simplified(network)
    full = [layer.weight.shape[0] for layer in weighted(network)]
    assert [layer.weight.shape[0] for layer in weighted(small)] == [size // 2 for size in full[:-1]] + [full[-1]]
    images = torch.rand(20, *SHAPE)
    with torch.no_grad():
        torch.testing.assert_close(small(images), network(images), rtol=1e-4, atol=1e-5)


def test_channels_in_pairs_cannot_be_pruned() -> None:
    with pytest.raises(UserError, match="maxmin"):
        Channels().build().prepare(paired(0))


# Quantisation


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_quantised_weights_are_few_integers_times_a_scale(bits) -> None:
    weight = torch.randn(6, 3, 4, 4, generator=torch.Generator().manual_seed(bits))
    weight[2] = 0
    quantize = IntegerWeight(bits)
    rounded, scale = quantize(weight), quantize.scale(weight)
    integers = (rounded / scale).double()
    assert torch.equal(integers, integers.round())
    assert torch.equal(integers * scale.double(), rounded.double())  # the products are exact
    assert integers.abs().amax((1, 2, 3)).tolist() == [quantize.largest] * 2 + [0] + [quantize.largest] * 3
    assert ((rounded - weight).abs() <= scale / 2 * (1 + 1e-6)).all()


def test_the_gradient_passes_through_the_rounding() -> None:
    weight = torch.randn(3, 4, requires_grad=True)
    IntegerWeight(8)(weight).sum().backward()
    assert torch.equal(weight.grad, torch.ones(3, 4))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "base", [Standard(), Pruned(CERTIFIED, 0.5, start=0.2), Pruned(Quantized(CERTIFIED), 0.5, start=0.2)]
)
def test_quantisation_combines_with_other_recipes(base) -> None:
    network = plain(trained(Quantized(base, start=0.3).build(), padded(5)))
    for layer in weighted(network):
        scale = layer.weight_scale
        assert torch.equal((layer.weight / scale).round() * scale, layer.weight)
    if isinstance(base, Pruned):
        assert min(zeros(network)) >= 0.5
    assert score(network, SEEN, LEVELS, RADIUS)[CLASS].natural > 0.9


# Lipschitz


def test_lipschitz_layers_stretch_no_distance() -> None:
    network = trained(Lipschitz(radius=0.3).build(), paired(5))
    constant = lipschitz.constant(plain(network))
    assert constant <= 1 + 1e-5
    one = torch.rand(200, *SHAPE)
    for size in (1e-2, 1.0):
        other = one + size * torch.randn_like(one)
        with torch.no_grad():
            moved = (network(one) - network(other)).norm(dim=1)
        assert (moved <= constant * (one - other).flatten(1).norm(dim=1) + 1e-5).all()


@pytest.mark.parametrize("shape", [(4, 9), (9, 4), (1, 5)])
def test_dense_layers_are_orthogonal_and_trainable(shape) -> None:
    torch.manual_seed(0)
    weight = torch.randn(shape, requires_grad=True)
    found = lipschitz.Orthogonal()(weight)
    small = found if shape[0] <= shape[1] else found.T
    torch.testing.assert_close(small @ small.T, torch.eye(len(small)), rtol=0, atol=1e-5)
    nearest = torch.linalg.svd(weight.detach(), full_matrices=False)  # U V' of W = U S V'
    torch.testing.assert_close(found.detach(), nearest.U @ nearest.Vh, rtol=0, atol=1e-5)
    (found * torch.randn(shape)).sum().backward()
    assert bool(weight.grad.isfinite().all())  # type: ignore[union-attr]


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(3, 1, 1), (4, 2, 1), (3, 2, 1), (2, 2, 0), (5, 3, 0)])
def test_the_constant_is_above_the_norm_of_convolutions(kernel, stride, padding) -> None:
    torch.manual_seed(kernel)
    layer = nn.Conv2d(3, 5, kernel, stride, padding)
    basis = torch.eye(3 * 36, dtype=torch.float64).view(-1, 3, 6, 6)
    with torch.no_grad():
        images = nn.functional.conv2d(basis, layer.weight.double(), None, stride, padding)
    norm = float(torch.linalg.matrix_norm(images.flatten(1), 2))
    assert norm <= lipschitz.constant(nn.Sequential(layer)) <= 3 * norm
    scaled = lipschitz.AlmostOrthogonal(layer.stride)(layer.weight)
    assert scaled.shape == layer.weight.shape
    with torch.no_grad():
        layer.weight.copy_(scaled)
    assert lipschitz.constant(nn.Sequential(layer)) <= 1 + 1e-6


def test_what_the_constant_certifies_holds_nearby() -> None:
    network = trained(Lipschitz(radius=0.3).build(), paired(5))
    samples, radius = SAMPLES, 0.2
    with torch.no_grad():
        scores = network(samples.pixels)
        safe = lipschitz.certified_l2(scores, samples.labels, lipschitz.constant(plain(network)), radius)
        assert safe.float().mean() > 0.2
        for _ in range(20):
            move = torch.randn(100, *SHAPE)
            move = radius * move / move.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
            assert (network(samples.pixels + move).argmax(1) == samples.labels)[safe].all()


def test_a_margin_of_exactly_the_needed_size_is_not_certified() -> None:
    margin = math.sqrt(2) * 1.0 * 0.5
    scores = torch.tensor([[margin, 0.0], [margin + 1e-4, 0.0]], dtype=torch.float64)
    assert lipschitz.certified_l2(scores, torch.tensor([0, 0]), 1.0, 0.5).tolist() == [False, True]
