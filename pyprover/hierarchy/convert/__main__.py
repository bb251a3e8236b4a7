"""`python -m pyprover.hierarchy.convert REQUEST`: the Python half of `caisar-ext hierarchy convert`.

REQUEST is a JSON object with the fields of `conversion.Request`. The answer, on standard output, is a JSON object:
`text`, or null when there are `mistakes`; and `notes`. A mistake or a note has `file`, `line`, `column`,
`end_line`, `end_column` (null where there is no place), `message` and `hint`. The exit status is 0 whenever there
is an answer.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from pyprover.hierarchy.convert.conversion import Request, convert
from pyprover.hierarchy.convert.source import Complaint, ConversionError


def main(request: str) -> None:
    """Answer one request."""
    fields: dict[str, Any] = json.loads(request)
    if fields.get("columns") is not None:
        fields["columns"] = tuple(fields["columns"])
    answer: dict[str, object]
    try:
        done = convert(Request(**fields))
        answer = {"text": done.text, "mistakes": [], "notes": [_told(note) for note in done.notes]}
    except ConversionError as error:
        answer = {"text": None, "mistakes": [_told(mistake) for mistake in error.complaints], "notes": []}
    sys.stdout.buffer.write(json.dumps(answer, ensure_ascii=False).encode("utf-8", "surrogateescape"))


def _told(complaint: Complaint) -> dict[str, object]:
    # Without a place, the file is part of the message.
    place = complaint.place
    message = complaint.message
    if place is None and complaint.file is not None:
        message = f"{complaint.file}: {message}"
    return {
        "file": complaint.file,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "end_line": place.end_line if place else None,
        "end_column": place.end_column if place else None,
        "message": message,
        "hint": complaint.hint,
    }


if __name__ == "__main__":
    main(sys.argv[1])
