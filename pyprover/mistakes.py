"""A user's mistakes in a text file, with their places."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pyprover.errors import UserError


@dataclass(frozen=True, order=True)
class Place:
    """A stretch of text: lines and columns count from 1, columns in code points; the last column is included."""

    line: int
    column: int
    end_line: int
    end_column: int

    def to(self, last: Place) -> Place:
        """From the start of this place to the end of ``last``."""
        return Place(self.line, self.column, last.end_line, last.end_column)

    def __str__(self) -> str:
        if self.line != self.end_line:
            return f"{self.line}:{self.column}-{self.end_line}:{self.end_column}"
        return f"{self.line}:{self.column}" + (f"-{self.end_column}" if self.end_column != self.column else "")


@dataclass(frozen=True)
class Mistake:
    """What is wrong and where; ``hint`` says what to do next."""

    place: Place
    message: str
    hint: str | None = None


class MistakesError(UserError):
    """One or several mistakes in ``file``, in the order of the text."""

    def __init__(self, file: str, mistakes: Iterable[Mistake]) -> None:
        self.file = file
        self.mistakes = tuple(sorted(mistakes, key=lambda mistake: (mistake.place.line, mistake.place.column)))
        lines = [f"{file}:{mistake.place}: {mistake.message}" for mistake in self.mistakes]
        super().__init__("\n".join(lines), self.mistakes[0].hint)
