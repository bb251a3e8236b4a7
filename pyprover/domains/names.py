"""Names of domains: what users may write, and the form of each name that the table of analyses has."""

from __future__ import annotations

from collections.abc import Mapping

from pyprover.errors import UserError

SIMPLE = ("interval", "zonotope", "constrained_zonotope", "linear")
"""The domains, in the order in which names of products list them; each but ``linear`` is finer than those before."""

ALIASES: Mapping[str, str] = {
    "box": "interval",
    "ibp": "interval",
    "deepz": "zonotope",
    "deeppoly": "linear",
    "crown": "linear",
}
"""What the field also calls them."""

_HINT = f"domains are {', '.join(SIMPLE)}, and products of them such as zonotope+linear; " + ", ".join(
    f"{alias} is {name}" for alias, name in ALIASES.items()
)


def canonical(name: str) -> str:
    """The name of a domain, or of a product of several joined by ``+``, as the table of analyses has it.

    Every domain intersects its boxes with intervals, and constrained zonotopes contain plain ones: these are left out
    of products. ``UserError`` when there is no such domain.
    """
    parts = {ALIASES.get(part, part) for part in name.split("+")}
    if unknown := parts - set(SIMPLE):
        raise UserError(f"unknown domain {min(unknown)!r}", _HINT)
    zonotopes = [part for part in SIMPLE[:-1] if part in parts]
    if "linear" not in parts:
        return zonotopes[-1]
    return "+".join([*(part for part in zonotopes[-1:] if part != "interval"), "linear"])
