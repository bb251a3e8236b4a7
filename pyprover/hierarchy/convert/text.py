"""Texts of files, their places and their rows."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from pyprover.hierarchy.convert.source import Complaint, ConversionError
from pyprover.mistakes import Place


@dataclass(frozen=True)
class Text:
    """The content of ``file``, decoded."""

    file: str
    content: str

    @property
    def lines(self) -> list[str]:
        """Without their ends: line feeds, carriage returns, or both. Other separators may stand in names."""
        return re.split(r"\r\n|\n|\r", self.content)

    def line_place(self, line: int) -> Place:
        """All of a line, without the blanks around it."""
        lines = self.lines
        shown = lines[line - 1] if line <= len(lines) else ""
        first = len(shown) - len(shown.lstrip()) + 1
        return Place(line, first, line, max(len(shown.rstrip()), first))

    def refuse(self, message: str, place: Place | None = None, hint: str | None = None) -> ConversionError:
        """The error of a single mistake in this file."""
        return ConversionError([Complaint(self.file, place, message, hint)])


def read_text(file: str) -> Text:
    """The text of a file; a byte-order mark is left out."""

    def refuse(message: str, place: Place | None = None, hint: str | None = None) -> ConversionError:
        return ConversionError([Complaint(file if place else None, place, message, hint)])

    path = Path(file)
    if path.is_dir():
        raise refuse(f"cannot read {file}: it is a directory")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise refuse(f"cannot read {file}: {error.strerror}") from None
    try:
        content = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # Offsets count from after a mark, and in what was decoded before the bad byte.
        before = error.object[: error.start].decode("utf-8")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise refuse("the text is not UTF-8", Place(line, column, line, column), "save the file in UTF-8") from None
    return Text(file, content)


@dataclass(frozen=True)
class Row:
    """The cells of one row, and its (last) line."""

    cells: tuple[str, ...]
    line: int


def delimiter_of(text: Text) -> str | None:
    """Tab when a line has one, else comma when a line has one, else none: blanks."""
    return next((mark for mark in "\t," if mark in text.content), None)


def rows_of(text: Text) -> list[Row]:
    """Rows that hold something; cells without the blanks around them. There are no comments: `#` may begin a name."""
    delimiter = delimiter_of(text)
    if delimiter is None:
        rows = [Row(tuple(line.split()), number) for number, line in enumerate(text.lines, 1)]
    else:
        reader = csv.reader(io.StringIO(text.content, newline=""), delimiter=delimiter, strict=True)
        rows = []
        try:
            rows.extend(Row(tuple(cell.strip() for cell in cells), reader.line_num) for cells in reader)
        except csv.Error as error:
            hint = 'a cell that holds a " is put between " and the inner one is doubled'
            raise text.refuse(f"not a row of cells: {error}", text.line_place(reader.line_num), hint) from None
    return [row for row in rows if any(row.cells)]
