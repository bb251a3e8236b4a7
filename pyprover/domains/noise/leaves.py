"""The tensors that a storage of noise is made of, and others in their place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

Leaf = TypeVar("Leaf")


def with_leaves(value: Any, kind: type[Leaf], change: Callable[[Leaf], object]) -> Any:
    """A copy with what is of a kind changed, in fields of dataclasses, tuples and lists, however deep.

    Where parts share a leaf, those of the copy share what it is changed to.
    """
    return _copied(value, kind, change, {})


def _copied(value: Any, kind: type[Leaf], change: Callable[[Leaf], object], done: dict[int, object]) -> Any:
    if isinstance(value, kind):
        if id(value) not in done:
            done[id(value)] = change(value)
        return done[id(value)]
    if is_dataclass(value) and not isinstance(value, type):
        parts = {f.name: _copied(getattr(value, f.name), kind, change, done) for f in fields(value) if f.init}
        return replace(value, **parts)
    if isinstance(value, tuple | list):
        items = [_copied(item, kind, change, done) for item in value]
        return value._make(items) if hasattr(value, "_make") else type(value)(items)
    return value
