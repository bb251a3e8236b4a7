"""A prover that plays its part of a transcript: ``scripted_prover.py TRANSCRIPT FOLDER LOG``.

Each request must be the transcript's next one; the recorded replies answer it. ``LOG`` says what went wrong, or
``complete`` when the conversation was played to its end.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from pyprover.protocol import sexp
from pyprover.protocol.frames import read_frame, write_frame

# Something of the right type for what a transcript leaves open.
_OPEN = {
    "(margin (_))": "(margin (0x1p-1))",
    "(seconds _)": "(seconds 0x1p-4)",
    "(cpu_seconds _)": "(cpu_seconds 0x1p-4)",
    "(peak_memory _)": "(peak_memory 1048576)",
    "(steps _)": "(steps ())",
    "-_.": "-00000000.",
}


def completed(line: str) -> str:
    """A recorded line with values for what differs from run to run."""
    return re.sub("|".join(map(re.escape, _OPEN)), lambda found: _OPEN[found[0]], line)


def tell(log: Path, text: str) -> None:
    """Add to the log: a prover that ends early is started again."""
    with log.open("a", encoding="utf-8") as stream:
        stream.write(text)


def main(transcript: Path, folder: str, log: Path) -> None:
    """Play the replies, as long as the requests are the expected ones."""
    lines = [line.replace("$DIR", folder) for line in transcript.read_text("utf-8").splitlines()]
    waiting = [line for line in lines if line.startswith(("> ", "< "))]
    while waiting:
        expected = waiting.pop(0).removeprefix("> ")
        request = read_frame(sys.stdin.buffer)
        if request is None or sexp.parse(request) != sexp.parse(expected.encode()):
            tell(log, f"expected {expected}\ngot {request!r}\n")
            sys.exit(4)
        while waiting and waiting[0].startswith("< "):
            write_frame(sys.stdout.buffer, completed(waiting.pop(0).removeprefix("< ")).encode())
    tell(log, "complete" if read_frame(sys.stdin.buffer) is None else "a request too many")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
