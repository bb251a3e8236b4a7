"""Declared options: dataclass fields that know their range and what they are for, and reading them from tables.

`option` declares a field beside its user; `parse` makes the dataclass from a TOML table. Types: `bool`, `int`,
`float`, `str`, `Fraction` (a number or text such as "2/255"), another dataclass of options (a table), tuples of these
(arrays), and the abstract class of a family of dataclasses (a table whose `name` says which).
"""

from __future__ import annotations

import difflib
import math
import operator
import typing
from collections.abc import Collection, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from fractions import Fraction
from types import MappingProxyType, UnionType
from typing import Any, TypeVar

T = TypeVar("T")
Key = tuple[str | int, ...]
"""Where an option is: names of tables, numbers of array entries, and its own name."""

Families = Mapping[type, Mapping[str, type]]
"""For each abstract class, its dataclasses by name."""


class OptionError(ValueError):
    """An option that cannot be used; `key` is its place."""

    def __init__(self, key: Key, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.key, self.message, self.hint = key, message, hint


@dataclass(frozen=True)
class Limits:
    """What an option's value, or each entry of it, must satisfy."""

    help: str
    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None
    choices: Collection[str] = ()

    def complaint(self, value: Any) -> str | None:
        """Say what is wrong with a value, or nothing."""
        if self.choices and value not in self.choices:
            return f"must be one of {', '.join(self.choices)}"
        for limit, words, holds in (
            (self.least, "at least", operator.ge),
            (self.above, "above", operator.gt),
            (self.most, "at most", operator.le),
            (self.below, "below", operator.lt),
        ):
            if limit is not None and not holds(value, limit):
                return f"must be {words} {limit:g}"
        return None


def option(default: Any, help: str, **limits: Any) -> Any:  # noqa: A002  # as argparse calls it
    """Declare a field of a dataclass of options; limits are those of `Limits`."""
    return field(default=default, metadata={"limits": Limits(help, **limits)})


def limits_of(one: Any) -> Limits:
    """Return the limits that a field was declared with."""
    return typing.cast(Limits, one.metadata["limits"])


def parse(kind: type[T], table: Mapping[str, Any], families: Families = MappingProxyType({}), at: Key = ()) -> T:
    """Read a table; `OptionError` for a name that is not known, a value that does not fit, or one that is missing."""
    known = {one.name: one for one in fields(kind)}  # type: ignore[arg-type]
    for name in table:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(known) or 'none'}"
            raise OptionError((*at, name), "unknown option", hint)
    hints = typing.get_type_hints(kind)
    values = {}
    for name, one in known.items():
        if name in table:
            values[name] = _value(hints[name], table[name], families, (*at, name))
            _check(limits_of(one), values[name], (*at, name))
        elif one.default is MISSING:
            raise OptionError((*at, name), "missing", limits_of(one).help)
    return kind(**values)


def _check(limits: Limits, value: Any, at: Key) -> None:
    entries = [(at, value)] if not isinstance(value, tuple) else [((*at, k), entry) for k, entry in enumerate(value)]
    for key, entry in entries:
        if not is_dataclass(entry) and entry is not None and (complaint := limits.complaint(entry)):
            raise OptionError(key, f"{entry} {complaint}")


def _value(kind: Any, given: Any, families: Families, at: Key) -> Any:
    if kind in families:
        return _member(families[kind], given, families, at)
    if is_dataclass(kind):
        return parse(typing.cast(type, kind), _table(given, at), families, at)
    if typing.get_origin(kind) is UnionType:  # `X | None`: TOML has no null, so what is given is an X
        return _value(typing.get_args(kind)[0], given, families, at)
    if typing.get_origin(kind) is tuple:
        if not isinstance(given, list):
            raise OptionError(at, f"{given!r} is not a list")
        entry = typing.get_args(kind)[0]
        return tuple(_value(entry, one, families, (*at, k)) for k, one in enumerate(given))
    return _scalar(kind, given, at)


def _member(family: Mapping[str, type], given: Any, families: Families, at: Key) -> Any:
    table = dict(_table(given, at))
    name = table.pop("name", None)
    if name not in family:
        raise OptionError(
            (*at, "name"), "missing" if name is None else f"unknown: {name}", f"there are {', '.join(family)}"
        )
    return parse(family[name], table, families, at)


def _table(given: Any, at: Key) -> Mapping[str, Any]:
    if not isinstance(given, dict):
        raise OptionError(at, f"{given!r} is not a table")
    return given


def _scalar(kind: type, given: Any, at: Key) -> Any:
    plain = type(given)
    if kind is Fraction and plain in (int, float, str):
        try:
            return Fraction(str(given))
        except (ValueError, ZeroDivisionError):
            raise OptionError(at, f'{given!r} is not a number such as 0.1 or "2/255"') from None
    if kind is float and plain in (int, float) and math.isfinite(given):
        return float(given)
    if plain is not kind or kind is float:
        words = {bool: "true or false", int: "an integer", float: "a finite number", str: "text", Fraction: "a number"}
        raise OptionError(at, f"{given!r} is not {words[kind]}")
    return given
