"""What a search maximises: positive values violate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor
from typing_extensions import override


class Objective(ABC):
    """How strictly each of several targets is violated."""

    @abstractmethod
    def values(self, outputs: Tensor, target: Tensor) -> Tensor:
        """At outputs (rows, outputs), row r being for target ``target[r]``: (rows,)."""


@dataclass(frozen=True, eq=False)
class LeaveGroup(Objective):
    """``max_{j not in A} f_j - max_{i in A} f_i``; ``group`` (targets, outputs) says who is in A."""

    group: Tensor

    @override
    def values(self, outputs: Tensor, target: Tensor) -> Tensor:
        group = self.group[target]
        inside = outputs.masked_fill(~group, -torch.inf).amax(1)
        return outputs.masked_fill(group, -torch.inf).amax(1) - inside


@dataclass(frozen=True, eq=False)
class MeetCase(Objective):
    """The least of several forms: ``weights`` (targets, forms, outputs), ``constants`` (targets, forms).

    A constant of +inf pads.
    """

    weights: Tensor
    constants: Tensor

    @override
    def values(self, outputs: Tensor, target: Tensor) -> Tensor:
        return (torch.einsum("tko,to->tk", self.weights[target], outputs) + self.constants[target]).amin(1)
