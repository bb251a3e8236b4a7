"""What a study file says, in TOML: what is verified, what all trainings share, and how each recipe differs from it.

images = 100              # the first test images
time_limit = 4.0          # seconds a query
seeds = [0, 1, 2]
radii = ["2/255"]         # at which networks are verified, in data units

[training]                # as a training file; `hierarchy` must be there, and is relative to this file
data = "cifar10"
radius = "2/255"
hierarchy = "cifar10.hier"

[[recipes]]
label = "sabr"            # by default the name of the recipe
recipe = {name = "sabr", ratio = 0.1}
schedule = {epochs = 40}  # whatever differs
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from pyprover.errors import UserError
from pyprover.train.config import Config, located, of_table
from pyprover.train.options import OptionError, option, parse

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")


@dataclass(frozen=True)
class Asked:
    """What is asked of every network."""

    radii: tuple[Fraction, ...] = option(MISSING, "at which networks are verified, in data units", above=0, most=1)
    images: int = option(100, "test images that are verified, the first ones", least=1)
    time_limit: float = option(10.0, "seconds a query", above=0)
    seeds: tuple[int, ...] = option((0,), "each recipe is trained once with each", least=0)


@dataclass(frozen=True)
class Study:
    """A study file; `recipes`: the training of each label, whose seed is still to be set."""

    path: Path
    asked: Asked
    recipes: Mapping[str, Config]

    @property
    def hierarchy(self) -> Path:
        """The hierarchy of all trainings."""
        return self.path.parent / next(iter(self.recipes.values())).hierarchy


def read_study(path: Path) -> Study:
    """Read a study file; `UserError` names file, line and key of what does not fit."""
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{path}: {error}", "the file is TOML: https://toml.io") from error
    try:
        return _study(path, table)
    except OptionError as error:
        raise located(error, path, text) from error


def _study(path: Path, table: dict[str, Any]) -> Study:
    shared, recipes = table.pop("training", {}), table.pop("recipes", [])
    asked = parse(Asked, table)
    if not isinstance(shared, dict):
        raise OptionError(("training",), "must be a table")
    if not isinstance(recipes, list) or not recipes or not all(isinstance(one, dict) for one in recipes):
        raise OptionError(("recipes",), "at least one is needed", "write `[[recipes]]` and `recipe = {name = ...}`")
    for name in ("radii", "seeds"):
        values = getattr(asked, name)
        if not values or len(set(values)) < len(values):
            raise OptionError((name,), "must name some, each once")
    found: dict[str, Config] = {}
    for place, changes in enumerate(recipes):
        label, config = _recipe(place, shared, changes)
        if label in found:
            raise OptionError(("recipes", place, "label"), f"{label} is there already", "labels tell recipes apart")
        found[label] = config
    first, *others = found.values()
    for one in others:
        if (one.data, one.hierarchy) != (first.data, first.hierarchy):
            raise OptionError(("recipes",), "all must have the same data and hierarchy, those of `[training]`")
    return Study(path, asked, found)


def _recipe(place: int, shared: Mapping[str, Any], changes: Mapping[str, Any]) -> tuple[str, Config]:
    """The label and the training of an entry; mistakes are placed where they are written."""
    own = {name: value for name, value in changes.items() if name != "label"}
    try:
        config = of_table(merged(shared, own))
    except OptionError as error:
        before: tuple[str | int, ...] = ("recipes", place) if _has(own, error.key) else ("training",)
        raise OptionError((*before, *error.key), error.message, error.hint) from error
    if not config.hierarchy:
        raise OptionError(("training", "hierarchy"), "missing", "a study measures the levels of a hierarchy")
    label = changes.get("label", merged(shared, own).get("recipe", {}).get("name"))
    if not isinstance(label, str) or not _LABEL.fullmatch(label):
        raise OptionError(("recipes", place, "label"), f"{label!r} cannot name a folder", "letters, digits and _.+-")
    return label, config


def merged(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Change some entries of a table, and of tables in it; a recipe of another name replaces all of the one before."""
    result = dict(table)
    for name, value in changes.items():
        known = result.get(name)
        if isinstance(known, dict) and isinstance(value, dict):
            same = value.get("name", known.get("name")) == known.get("name")
            value = merged(known, value) if same else value
        result[name] = value
    return result


def _has(table: Any, key: tuple[str | int, ...]) -> bool:
    for part in key:
        if not isinstance(table, Mapping) or part not in table:
            return False
        table = table[part]
    return True
