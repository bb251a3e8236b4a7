"""Run a command in a pseudo-terminal and draw what it prints as an SVG picture.

    tools/terminal_svg.py docs/demo.svg --title 'caisar-ext verify signs.mlw' -- COMMAND...

The command's standard output is a terminal of the given width, so that it prints its colours; standard error stays
the caller's, so that a progress bar is seen and not drawn. The picture refers to no font and no file outside of it.
"""

from __future__ import annotations

import argparse
import errno
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

# As rich's own, without its fonts from the network.
SVG_FORMAT = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" xml:space="preserve">
<style>
.{unique_id}-matrix {{
    font-family: "Fira Code", "DejaVu Sans Mono", Menlo, Consolas, monospace;
    font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width;
}}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: arial, sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def read_all(descriptor: int) -> bytes:
    """Everything up to the end; Linux tells the end of a pseudo-terminal by ``EIO``."""
    chunks: list[bytes] = []
    while True:
        try:
            chunk = os.read(descriptor, 65536)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            chunk = b""
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)


def run(command: list[str], columns: int) -> str:
    """What ``command`` prints on a terminal of that many columns; its exit code does not matter."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | {"TERM": "xterm-256color"}
    with subprocess.Popen(command, stdout=theirs, env=environment):
        os.close(theirs)
        printed = read_all(ours)
    os.close(ours)
    return printed.decode("utf-8").replace("\r\n", "\n")


def draw(printed: str, columns: int, title: str) -> str:
    """The SVG of a text with ANSI escapes; the same text gives the same bytes."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=columns, file=nowhere, force_terminal=True, color_system="truecolor")
        console.print(Text.from_ansi(printed.rstrip("\n")), no_wrap=True, crop=False)
        return console.export_svg(title=title, theme=DIMMED_MONOKAI, code_format=SVG_FORMAT, unique_id="terminal")


def main() -> int:
    """Parse the command line, run, write."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        usage="%(prog)s FILE.svg [options] -- COMMAND...",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("picture", type=Path, metavar="FILE.svg")
    parser.add_argument("--title", default="")
    parser.add_argument("--columns", type=int, default=100)
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    printed = run(arguments.command, arguments.columns)
    if not printed.strip():
        sys.stderr.write("terminal_svg.py: the command printed nothing\n")
        return 1
    arguments.picture.write_text(draw(printed, arguments.columns, arguments.title), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
