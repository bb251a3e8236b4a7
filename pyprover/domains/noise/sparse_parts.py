"""Some symbols of sparse noise: the rows of one matrix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array, vstack  # type: ignore[import-untyped]
from torch import Tensor

from pyprover.domains.noise.dense import PART_BYTES
from pyprover.domains.noise.sparse_maps import NONZERO_BYTES, Array
from pyprover.domains.resources import require
from pyprover.graph import Shape


@dataclass(frozen=True, eq=False)
class Part:
    """Some symbols: ``count`` in each region from number ``first`` on; ``matrix`` (batch * count, entries).

    Values that share symbols have them in parts of the same first and count. A part without coefficients is left out.
    """

    first: int
    count: int
    matrix: csr_array

    @property
    def key(self) -> tuple[int, int]:
        """What parts of the same symbols have in common."""
        return self.first, self.count

    @property
    def bytes(self) -> int:
        """What is held."""
        matrix = self.matrix
        return int(matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes)

    @property
    def batch(self) -> int:
        """How many regions there are."""
        return int(self.matrix.shape[0] // self.count)

    def spans(self) -> list[slice]:
        """Where the coefficients of each region are."""
        ends = self.matrix.indptr[:: self.count].tolist()
        return [slice(start, stop) for start, stop in pairwise(ends)]

    def rows(self, region: int) -> csr_array:
        """The symbols of one region; a copy, where there are others."""
        if self.batch == 1:
            return self.matrix
        return self.matrix[region * self.count : (region + 1) * self.count]

    def radius(self) -> Array:
        """Sums of absolute values, (batch, entries), formed in float64."""
        width, matrix = self.matrix.shape[1], self.matrix
        parts = ((matrix.indices[span], np.abs(matrix.data[span])) for span in self.spans())
        return np.stack([np.bincount(indices, sizes, width) for indices, sizes in parts])

    def scaled(self, slope: Array) -> Part:
        """Each entry multiplied, ``slope`` (batch, entries); without those that become zero."""
        matrix, data = self.matrix, np.empty_like(self.matrix.data)
        with np.errstate(all="ignore"):  # what overflows bounds nothing; `Box.widen` sees to it
            for region, span in enumerate(self.spans()):
                np.multiply(matrix.data[span], slope[region][matrix.indices[span]], out=data[span])
        kept = data != 0
        if kept.all():
            return self.of((data, matrix.indices, matrix.indptr), matrix.shape[1])
        starts = np.concatenate([[0], np.cumsum(kept)])[matrix.indptr].astype(matrix.indptr.dtype)
        return self.of((data[kept], matrix.indices[kept], starts), matrix.shape[1])

    def of(self, content: Any, width: int) -> Part:
        """The same symbols with other coefficients: data, indices, starts of rows."""
        return replace(self, matrix=csr_array(content, shape=(self.matrix.shape[0], width)))

    def times(self, matrices: Sequence[csr_array]) -> Part:
        """Each region's symbols through a matrix (entries, entries of the result) of its own, or all through one."""
        for matrix in matrices:
            terms = int(np.diff(matrix.indptr)[self.matrix.indices].sum()) // len(matrices)
            require(NONZERO_BYTES * min(terms, self.matrix.shape[0] * matrix.shape[1]), "sparse noise symbols")
        if len(matrices) == 1:
            return replace(self, matrix=self.matrix @ matrices[0])
        return replace(self, matrix=vstack([self.rows(r) @ m for r, m in enumerate(matrices)], format="csr"))


def as_dense(matrix: csr_array, shape: Shape, more: int = 0) -> Iterator[tuple[int, Tensor]]:
    """Rows as dense ones (rows, *shape), a few at a time, with the number of the first.

    ``more``: how many entries the caller makes of each.
    """
    step = max(1, PART_BYTES // (matrix.dtype.itemsize * (prod(shape) + more)))
    for first in range(0, matrix.shape[0], step):
        yield first, torch.from_numpy(matrix[first : first + step].toarray()).reshape(-1, *shape)
