"""Our own language, `grammar/hierarchy.md`; aliases are comments."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

from pyprover.hierarchy.convert.shape import Node, Tree, preorder

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_']*")
_KEYWORDS = {"hierarchy", "group", "class", "overlay", "cut", "never"}
_WIDTH = 100


def spelling(name: str) -> str:
    """A name as the language writes it, between quotes where it must be."""
    if _WORD.fullmatch(name) and name not in _KEYWORDS:
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def write(tree: Tree) -> str:
    """One node a line."""
    lines: list[str] = []
    depth_of_open = 0
    for node, depth in preorder(tree.root):
        while depth_of_open > depth:
            depth_of_open -= 1
            lines.append("  " * depth_of_open + "}")
        margin = "  " * depth
        if node.index is not None:
            lines.append(f"{margin}class {spelling(node.name)} = {node.index}{_comment(node.aliases)}")
        else:
            keyword = "group" if depth else "hierarchy"
            lines.append(f"{margin}{keyword} {spelling(node.name)} {{{_comment(node.aliases)}")
            depth_of_open = depth + 1
    while depth_of_open > 1:
        depth_of_open -= 1
        lines.append("  " * depth_of_open + "}")
    for overlay in tree.overlays:
        lines += _list(f"overlay {spelling(overlay.name)}", overlay.members, _comment(overlay.aliases))
    for name, blocks in tree.cuts.items():
        lines += _list(f"cut {spelling(name)}", blocks, "")
    lines += [f"  never {spelling(reference)} -> {spelling(answer)}" for reference, answer in tree.never]
    return "\n".join([*lines, "}", ""])


def _comment(aliases: Iterable[str]) -> str:
    """Aliases that neither open nor close a comment."""
    shown = [re.sub(r"[\x00-\x1f\x7f]", " ", alias).replace("(*", "( *").replace("*)", "* )") for alias in aliases]
    return f" (* {', '.join(shown)} *)" if shown else ""


def _list(head: str, names: Iterable[str], comment: str) -> list[str]:
    written = f"{head} = {{ {', '.join(map(spelling, names))} }}"
    if len(written) <= _WIDTH:
        return [f"  {written}{comment}"]
    # Names are whole words here: blanks inside them do not break lines.
    glued = ", ".join(spelling(name).replace(" ", "\0") for name in names)
    wrapped = textwrap.wrap(glued, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return [f"  {head} = {{{comment}", *(f"    {line}".replace("\0", " ") for line in wrapped), "  }"]


def names_of(tree: Tree) -> list[str]:
    """Every name that is written: nodes, overlays and cuts."""
    nodes: list[Node] = [node for node, _ in preorder(tree.root)]
    return [*(node.name for node in nodes), *(overlay.name for overlay in tree.overlays), *tree.cuts]
