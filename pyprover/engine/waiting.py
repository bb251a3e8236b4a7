"""Sub-problems that wait to be split, in tables that grow."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from pyprover.engine.ascent import SubProblems

MOST_BYTES = 512 << 20
"""When more than this waits, what is nearest to being excluded is split first: then hardly more will wait."""

_FIRST_SLOTS = 256


class Waiting:
    """Open sub-problems, each with the neuron to hold next.

    Slots of growing tables; ``bound`` is NaN where a slot is empty.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._tables: dict[str, Tensor] = {}
        self._bound = torch.zeros(0)

    def __len__(self) -> int:
        return int((~self._bound.isnan()).sum())

    def put(self, some: SubProblems, neuron: Tensor) -> None:
        """Keep sub-problems, and which neuron (rows,) is to be held in each."""
        fields = {
            "case": some.case,
            "phase": some.phase,
            "value": some.value,
            "lower": some.lower,
            "upper": some.upper,
            "weights": some.weights,
            "neuron": neuron,
        }
        empty = self._bound.isnan().nonzero().flatten()
        if len(empty) < len(some):
            empty = torch.cat([empty, self._grow(max(_FIRST_SLOTS, len(self._bound), len(some)), fields)])
        slots = empty[: len(some)]
        for name, values in fields.items():
            self._tables[name][slots] = values
        self._bound[slots] = some.bound

    def _grow(self, more: int, fields: Mapping[str, Tensor]) -> Tensor:
        count = len(self._bound)
        for name, values in fields.items():
            table = self._tables.get(name, values[:0])
            self._tables[name] = torch.cat([table, table.new_zeros(more, *values.shape[1:])])
        self._bound = torch.cat([self._bound, torch.full((more,), torch.nan)])
        return torch.arange(count, count + more)

    def cases(self) -> set[int]:
        """Which cases have sub-problems here."""
        full = (~self._bound.isnan()).nonzero().flatten()
        return set(self._tables["case"][full].tolist()) if len(full) else set()

    def drop(self, case: int) -> None:
        """Forget the sub-problems of a case."""
        self._bound[self._tables["case"] == case] = torch.nan

    def take(self, cases: Tensor, most: int) -> tuple[SubProblems, Tensor]:
        """Remove those of some cases (mask over cases) with the least bounds; and the neurons to hold."""
        chosen = cases[self._tables["case"]] & ~self._bound.isnan()
        slots = chosen.nonzero().flatten()
        if len(slots) > most:
            order = self._bound[slots].topk(most, largest=self.full).indices
            slots = slots[order]
        return self._removed(slots)

    def take_each(self, cases: Tensor, most: int) -> tuple[SubProblems, Tensor]:
        """Remove, of each of some cases (mask over cases), those with the least bounds; and the neurons to hold."""
        slots = (cases[self._tables["case"]] & ~self._bound.isnan()).nonzero().flatten()
        slots = slots[self._bound[slots].argsort()]
        case, order = self._tables["case"][slots].sort(stable=True)
        rank = torch.arange(len(case)) - torch.searchsorted(case, case)
        return self._removed(slots[order[rank < most]])

    def _removed(self, slots: Tensor) -> tuple[SubProblems, Tensor]:
        tables = {name: values[slots] for name, values in self._tables.items()}
        neuron = tables.pop("neuron")
        some = SubProblems(bound=self._bound[slots], **tables)
        self._bound[slots] = torch.nan
        return some, neuron

    @property
    def full(self) -> bool:
        """Whether so much waits that the search should go deep."""
        used = sum(values.element_size() * values[:1].numel() for values in self._tables.values())
        return used * len(self) > self._most_bytes
