"""Nested JSON, as `caisar-ext hierarchy show --json` prints it, with the aliases; `nested` reads it back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from pyprover.hierarchy.convert.shape import Node, Tree


def write(tree: Tree) -> str:
    """One node a line; by a stack, for the standard writer goes no deeper than Python calls."""
    lines = ["{", '  "tree":']
    waiting: list[tuple[Node | None, int, str]] = [(tree.root, 1, ",")]
    while waiting:
        node, depth, after = waiting.pop()
        margin = "  " * (depth + 1)
        if node is None:
            lines.append(f"{margin}]}}{after}")
            continue
        aliases = f', "aliases": {_json(node.aliases)}' if node.aliases else ""
        if node.index is not None:
            lines.append(f'{margin}{{"class": {_json(node.name)}, "index": {node.index}{aliases}}}{after}')
            continue
        lines.append(f'{margin}{{"group": {_json(node.name)}{aliases}, "members": [')
        waiting.append((None, depth, after))
        members = [(child, depth + 1, ",") for child in node.children]
        members[-1] = (members[-1][0], depth + 1, "")
        waiting.extend(reversed(members))
    overlays = [{"overlay": o.name, "classes": o.classes, "aliases": o.aliases} for o in tree.overlays]
    cuts = [{"cut": name, "blocks": blocks} for name, blocks in tree.cuts.items()]
    never = [{"reference": reference, "answer": answer} for reference, answer in tree.never]
    lines.append(f'  "overlays": {_rows(overlays)},')
    lines.append(f'  "cuts": {_rows(cuts)},')
    lines.append(f'  "never": {_rows(never)}')
    return "\n".join([*lines, "}", ""])


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _rows(items: Sequence[Mapping[str, object]]) -> str:
    rows = ",\n".join(f"    {_json(item)}" for item in items)
    return f"[\n{rows}\n  ]" if rows else "[]"
