"""What the command lists: recipes, and the keys of a training file."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from types import UnionType
from typing import Any

from rich.markup import escape
from rich.table import Table

from pyprover.train.config import Config, table_of
from pyprover.train.options import limits_of
from pyprover.train.recipes import RECIPES
from pyprover.train.recipes.base import RecipeOptions


def recipes() -> Table:
    """List the recipes with the first sentence of what they say of themselves."""
    lines = Table("recipe", "what it does", title="python -m pyprover train RECIPE --config FILE.toml")
    for name, kind in RECIPES.items():
        lines.add_row(name, (inspect.getdoc(kind) or "").split("\n\n")[0].replace("\n", " "))
    return lines


def keys_of(recipe: type[RecipeOptions]) -> Iterator[Table]:
    """List the keys of a training file table by table, with those of a recipe."""
    yield _keys("", Config)
    for name, kind in typing.get_type_hints(Config).items():
        if is_dataclass(kind):
            yield _keys(f"[{name}]", recipe if kind is RecipeOptions else typing.cast(type, kind))


def _keys(title: str, kind: type) -> Table:
    lines = Table("key", "type", "default", "", title=escape(title) or "at the top")
    hints = typing.get_type_hints(kind)
    for one in fields(kind):
        if title or not is_dataclass(hints[one.name]):
            default = "needed" if one.default is MISSING else _shown(one.default)
            limits = limits_of(one)
            choices = f" ({', '.join(limits.choices)})" if limits.choices else ""
            lines.add_row(one.name, _type(hints[one.name]), default, limits.help + choices)
    return lines


def _type(kind: Any) -> str:
    if typing.get_origin(kind) is tuple:
        return f"list of {_type(typing.get_args(kind)[0])}"
    if typing.get_origin(kind) is UnionType:
        return _type(typing.get_args(kind)[0])
    return {bool: "true, false", int: "integer", float: "number", str: "text"}.get(
        kind, "table" if is_dataclass(kind) else "number"
    )


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_shown, value))
    if is_dataclass(value):
        return str(table_of(value))
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
