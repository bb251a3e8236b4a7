"""Training of networks whose weights are small integers times a scale."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import nn
from torch.nn.utils import parametrize
from typing_extensions import override

from pyprover.train.layers import weighted
from pyprover.train.options import option
from pyprover.train.quantize import IntegerWeight
from pyprover.train.recipes.base import Recipe, RecipeOptions
from pyprover.train.recipes.sparse import BASE
from pyprover.train.recipes.standard import Standard


@dataclass(frozen=True)
class Quantized(RecipeOptions):
    """A recipe whose weights are rounded to integers of few bits, a scale an output channel; biases stay float32.

    Gradients pass through the rounding: Jacob et al. 2018 (arXiv 1712.05877), Bengio et al. 2013 (arXiv 1308.3432).
    The file that is written holds the integers (int8) and the scales: it is the function that was trained.
    """

    base: RecipeOptions = option(Standard(), BASE)
    bits: int = option(8, "of a weight, the sign included", least=2, most=8)
    start: float = option(0.0, "share of the epochs trained without rounding", least=0, most=1)

    @override
    def build(self) -> Recipe:
        base = self.base.build()

        def prepare(network: nn.Sequential) -> None:
            base.prepare(network)
            for layer in weighted(network):
                parametrize.register_parametrization(layer, "weight", IntegerWeight(self.bits))

        def between(network: nn.Sequential, done: float) -> None:
            base.between(network, done)
            for module in network.modules():
                if isinstance(module, IntegerWeight):
                    module.active.fill_(done >= self.start)

        return replace(base, prepare=prepare, between=between, settled=max(base.settled, self.start))
