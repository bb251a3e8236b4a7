"""Comments of the WhyML kind, which both languages have: ``(* ... *)``, nested."""

from __future__ import annotations

import re

_EDGE = re.compile(r"\(\*\)|\(\*|\*\)")
_NOT_A_NEWLINE = re.compile(r"[^\n]")


def without_comments(text: str, landmarks: re.Pattern[str]) -> str:
    """The same text with blanks for comments, up to what is not closed: there the lexer stumbles.

    ``landmarks`` matches what can hold or start a comment: ``(*``, and whatever hides one (strings, the operator
    ``(*)``, which inside a comment opens and closes nothing either). A lone ``"`` among them is a string that is not
    closed.
    """
    kept: list[str] = []
    position = 0
    while landmark := landmarks.search(text, position):
        end = landmark.end()
        kept.append(text[position : landmark.start()])
        if landmark.group() == "(*":
            closed = _end_of_comment(text, end)
            if closed is None:
                return "".join([*kept, text[landmark.start() :]])
            kept.append(_NOT_A_NEWLINE.sub(" ", text[landmark.start() : closed]))
            end = closed
        elif landmark.group() == '"':
            return "".join([*kept, text[landmark.start() :]])
        else:
            kept.append(landmark.group())
        position = end
    return "".join([*kept, text[position:]])


def _end_of_comment(text: str, position: int) -> int | None:
    depth = 1
    for edge in _EDGE.finditer(text, position):
        depth += {"(*": 1, "*)": -1, "(*)": 0}[edge.group()]
        if depth == 0:
            return edge.end()
    return None
