"""The recipes, one small file each (two in `adversarial` and in `sparse`): the one place where each is registered.

To add one: a dataclass of options in a file here, whose `build` returns a `base.Recipe`, and a line in `RECIPES`.
"""

from __future__ import annotations

from pyprover.train.recipes.adversarial import Pgd, Trades
from pyprover.train.recipes.base import RecipeOptions
from pyprover.train.recipes.channels import Channels
from pyprover.train.recipes.crown_ibp import CrownIbp
from pyprover.train.recipes.ibp import Ibp
from pyprover.train.recipes.levels import ByLevel
from pyprover.train.recipes.lipschitz import Lipschitz
from pyprover.train.recipes.mtl_ibp import MtlIbp
from pyprover.train.recipes.pruning import Pruned
from pyprover.train.recipes.quantized import Quantized
from pyprover.train.recipes.sabr import Sabr
from pyprover.train.recipes.sparse import L1, ReluStability
from pyprover.train.recipes.standard import Standard

RECIPES: dict[str, type[RecipeOptions]] = {
    "standard": Standard,
    "pgd": Pgd,
    "trades": Trades,
    "ibp": Ibp,
    "crown_ibp": CrownIbp,
    "sabr": Sabr,
    "mtl_ibp": MtlIbp,
    "levels": ByLevel,
    "relu_stability": ReluStability,
    "l1": L1,
    "pruned": Pruned,
    "channels": Channels,
    "quantized": Quantized,
    "lipschitz": Lipschitz,
}
"""Recipes by name, as the command and the configuration call them."""
