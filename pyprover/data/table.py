"""CSV files: one sample a line, ``label,feature,feature,...``.

Comment lines may state what the numbers are::

    # scale: pixels      integers 0..255 that count as k/255   (or `exact`: numbers that count as they are)
    # shape: 28,28       the axes of one sample; else it is a flat vector

Without a stated scale, integers 0..255 are pixels and anything else is exact; values that are all 0 or 1 could be
either, and are refused. Decimal text is read as the nearest float64. A first line of column names is skipped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyprover.data.dataset import Dataset, channels_first, make_dataset
from pyprover.data.files import read_bytes, sha256
from pyprover.errors import UserError

_LARGEST_LABEL = 2**53  # float64 tells integers apart below this
_COMMENT = re.compile(r"#\s*(scale|shape)\s*:\s*(.*?)\s*$")


def read_csv(path: Path) -> Dataset:
    """Read ``path``, possibly compressed (``.csv.gz``)."""
    try:
        lines = read_bytes(path).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text: {error}") from error
    stated = {match[1]: match[2] for line in lines if (match := _COMMENT.match(line))}
    rows = [(number, line) for number, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
    if rows and not _is_number(rows[0][1].split(",")[0]):
        rows = rows[1:]
    if not rows:
        raise UserError(f"{path} has no sample", "write one sample a line: label,feature,feature,...")
    table = np.array(_parse(path, rows), np.float64)
    whole = (np.abs(table[:, 0]) < _LARGEST_LABEL) & (table[:, 0] == np.floor(table[:, 0]))
    if not whole.all():
        wrong = int(np.argmin(whole))
        raise UserError(f"{path}:{rows[wrong][0]}: the label {table[wrong, 0]:g} is not an integer")
    samples = _shaped(_scaled(table[:, 1:], stated.get("scale"), path), stated.get("shape"), path)
    return make_dataset(samples, table[:, 0].astype(np.int64), (), digest=sha256(path), origin=str(path))


def _parse(path: Path, rows: Sequence[tuple[int, str]]) -> list[list[float]]:
    parsed: list[list[float]] = []
    for number, line in rows:
        cells = line.split(",")
        try:
            row = list(map(float, cells))
        except ValueError:
            column = next(i for i, cell in enumerate(cells, 1) if not _is_number(cell))
            raise UserError(f"{path}:{number}: column {column}, {cells[column - 1]!r}, is not a number") from None
        if parsed and len(row) != len(parsed[0]):
            raise UserError(f"{path}:{number}: {len(row)} columns, where earlier lines have {len(parsed[0])}")
        parsed.append(row)
    if len(parsed[0]) < 2:
        raise UserError(f"{path}:{rows[0][0]}: one column, where a label and features are expected")
    return parsed


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _scaled(values: NDArray[np.float64], scale: str | None, path: Path) -> NDArray[Any]:
    """Apply the stated scale, or find it out: uint8 for pixels, float64 for exact values."""
    if scale not in (None, "pixels", "exact"):
        raise UserError(f"{path}: unknown scale {scale!r}", "write `# scale: pixels` or `# scale: exact`")
    bytes_only = bool(np.all((values >= 0) & (values <= 255) & (values == np.floor(values))))
    if scale == "pixels" and not bytes_only:
        raise UserError(f"{path} states pixels, but not every value is an integer from 0 to 255")
    if scale is None and bytes_only and values.max() <= 1:
        raise UserError(
            f"{path}: every value is 0 or 1; these may be pixels (1 is 1/255) or exact values",
            "say which in a comment line: `# scale: pixels` or `# scale: exact`",
        )
    return values.astype(np.uint8) if scale != "exact" and bytes_only else values


def _shaped(values: NDArray[Any], shape: str | None, path: Path) -> NDArray[Any]:
    if shape is None:
        return values
    axes = [int(axis) for axis in re.findall(r"\d+", shape)]
    if not axes or int(np.prod(axes)) != values.shape[1]:
        raise UserError(f"{path} states the shape {shape!r}, but its samples have {values.shape[1]} features")
    return channels_first(values.reshape(len(values), *axes), str(path))
