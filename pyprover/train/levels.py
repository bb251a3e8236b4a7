"""Levels of a hierarchy as tables of what may be answered, for training and measuring."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from pyprover.errors import UserError
from pyprover.hierarchy.lattice import Cut, Hierarchy, Level, Up

Levels = Mapping[str, Tensor]
"""For each level by name, finest first: `allowed` (C, C), bool; row c tells which answers are right for class c."""

CLASS = "class"


def class_level(classes: int) -> Levels:
    """Return the finest level alone: nothing but the class itself."""
    return {CLASS: torch.eye(classes, dtype=torch.bool)}


def blocks(group_of: Sequence[int]) -> Tensor:
    """Return the level whose groups are numbered by class: `group_of[c]` is the group of c."""
    groups = torch.tensor(group_of)
    return groups == groups.unsqueeze(1)


def levels_of(hierarchy: Hierarchy) -> Levels:
    """Return the classes and the named cuts, finest first; where no cut is named, `up 1`, `up 2` ... below the root."""
    cuts = sorted(hierarchy.cuts, key=lambda name: (-len(hierarchy.cuts[name]), name))
    coarser = [f"cut {name}" for name in cuts] or [f"up {k}" for k in range(1, hierarchy.depth)]
    return {name: table(hierarchy, parse_level(name)) for name in (CLASS, *coarser)}


def table(hierarchy: Hierarchy, level: Level) -> Tensor:
    """Return what is allowed at a level."""
    classes = range(len(hierarchy.leaves))
    allowed = torch.zeros(len(classes), len(classes), dtype=torch.bool)
    for label in classes:
        allowed[label, sorted(hierarchy.allowed(level, label))] = True
    return allowed


def parse_level(text: str) -> Level:
    """Read `class`, `up K` or `cut NAME`; `UserError` otherwise."""
    match re.split(r"\s+", text.strip()):
        case ["class"]:
            return Up(0)
        case ["up", k] if k.isdecimal():
            return Up(int(k))
        case ["cut", name]:
            return Cut(name)
    raise UserError(f"{text!r} is not a level", "levels are written `class`, `up 1`, `cut coarse`")
