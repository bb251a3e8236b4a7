"""What a training file says, in TOML.

    data = "mnist"            # of pyprover.train.data.NAMES
    radius = 0.1              # training radius in data units; text such as "2/255" is exact, too
    seed = 0

    [schedule]                # schedule.Schedule
    epochs = 70

    [network]                 # networks.NetworkOptions
    name = "small"

    [recipe]                  # options of the recipe that the command names
    ratio = 0.4

Every key may be left out but `data` and `radius`. `table_of` is the inverse of reading: all keys with their values.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from pyprover.errors import UserError
from pyprover.train.data import NAMES
from pyprover.train.networks import NetworkOptions
from pyprover.train.options import Families, Key, OptionError, option, parse
from pyprover.train.recipes import RECIPES
from pyprover.train.recipes.base import RecipeOptions
from pyprover.train.recipes.standard import Standard
from pyprover.train.schedule import Schedule

FAMILIES: Families = {RecipeOptions: RECIPES}


@dataclass(frozen=True)
class Validation:
    """The images held out of the training set, and how they are used."""

    images: int = option(1000, "training images held out", least=1)
    measured: int = option(200, "of these, how many are measured after an epoch; all at the end", least=1)
    every: int = option(1, "epochs from one measure to the next", least=1)
    patience: int = option(
        0, "measures without a better one after which training stops, and the best epoch is kept; 0: never", least=0
    )


@dataclass(frozen=True)
class Config:
    """One training, all of it: with the data it decides the network, on one machine and version of torch."""

    data: str = option(MISSING, "training data", choices=NAMES)
    radius: Fraction = option(MISSING, "max-norm radius, in data units", least=0, most=1)
    seed: int = option(0, "of the initial weights, the order of images, attacks", least=0)
    hierarchy: str = option("", "a .hier file, relative to this one: its levels are measured, and may be trained for")
    validation: Validation = option(Validation(), "images held out")
    network: NetworkOptions = option(NetworkOptions(), "hidden layers")
    schedule: Schedule = option(Schedule(), "epochs, growth of the radius, learning rate")
    recipe: RecipeOptions = option(Standard(), "options of the recipe")


def of_table(table: Mapping[str, Any], recipe: str | None = None) -> Config:
    """Make a configuration from a table such as a TOML file gives; `OptionError` for what does not fit.

    `recipe` may be left out where `recipe.name` says it. A grid of trainings is a list of such tables: change entries,
    call this, and run each one (`run.perform`), which skips what its output has already.
    """
    own = table.get("recipe", {})
    if isinstance(own, dict) and recipe is not None:
        if own.get("name", recipe) != recipe:
            raise OptionError(("recipe", "name"), f"{own['name']} is not the recipe asked for, {recipe}")
        own = {**own, "name": recipe}
    return parse(Config, {**table, "recipe": own}, FAMILIES)


def read_config(path: Path, recipe: str, changes: Mapping[str, Any]) -> Config:
    """Read a training file, with some of its entries changed; `UserError` names file, line and key."""
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path}: {error}", "the file is TOML: https://toml.io") from error
    try:
        return of_table({**table, **changes}, recipe)
    except OptionError as error:
        raise located(error, path, text) from error


def located(error: OptionError, path: Path, text: str | None = None) -> UserError:
    """Say where in a training file a mistake is."""
    text = path.read_text(encoding="utf-8") if text is None else text
    line = line_of(text, error.key)
    name = ".".join(str(part) for part in error.key)
    return UserError(f"{path}{f':{line}' if line else ''}: {name}: {error.message}", error.hint)


def line_of(text: str, key: Key) -> int | None:
    """Return the line of a TOML text where a key, or the innermost table around it, is written; none when it is not."""
    table: Key = ()
    entries: dict[Key, int] = {}
    best: tuple[int, int] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*(\[\[?)\s*([\w.\s\"-]+?)\s*\]", line):
            names = re.split(r"\s*\.\s*", header[2].replace('"', ""))
            table = _entered(names, entries, new_entry=header[1] == "[[")
            here = table
        elif entry := re.match(r"\s*([\w.-]+)\s*=", line):
            here = (*table, *entry[1].split("."))
        else:
            continue
        around = here[:-1] if here == (*key, 0) else here  # an array of tables is where its first entry is
        if around == key[: len(around)] and (best is None or len(around) > best[0]):
            best = len(around), number
    return best[1] if best else None


def _entered(names: Sequence[str], entries: dict[Key, int], *, new_entry: bool) -> Key:
    """Return the key of the table that a header opens: in arrays of tables, of their latest entry."""
    key: Key = ()
    for place, name in enumerate(names, 1):
        key = (*key, name)
        if new_entry and place == len(names):
            entries[key] = entries.get(key, -1) + 1
        if key in entries:
            key = (*key, entries[key])
    return key


def table_of(options: Any) -> dict[str, Any]:
    """Return a dataclass of options as plain data, complete, in the form of a training file."""
    table = {one.name: _plain(getattr(options, one.name)) for one in fields(options)}
    if isinstance(options, RecipeOptions):
        table = {"name": next(name for name, kind in RECIPES.items() if kind is type(options)), **table}
    return {name: value for name, value in table.items() if value is not None}


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return table_of(value)
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    return str(value) if isinstance(value, Fraction) else value


def digest(*parts: Any) -> str:
    """Return the SHA-256 of plain data, in a form that does not depend on the order of keys."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
