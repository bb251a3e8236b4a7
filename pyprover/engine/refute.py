"""The refuting steps: the centre, and the search; a candidate counts once it is replayed.

Of several sets of classes that must not be left, the largest comes first: a point outside of it is outside of those
that it contains, too. The most *severe* witness of a property is the one that leaves the largest of these sets.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import torch

from pyprover.attack.gradient import Effort, Targets, search
from pyprover.attack.objective import LeaveGroup, MeetCase, Objective
from pyprover.domains.analysis import Check
from pyprover.engine.case import Case, Forms, violation
from pyprover.engine.network import Network
from pyprover.engine.problem import Progress, Store
from pyprover.errors import StorageError
from pyprover.query import Within
from pyprover.verdict import Failure, Invalid, Witness
from pyprover.witness import Checked, Rejected, maximisers

_NEARLY = 1e-5
"""Candidates this close to a violation, relative to the outputs, are replayed too: they may touch a tie."""


@dataclass(frozen=True, eq=False)
class _Aim:
    """A point to look for: out of a group of classes, or in a case; ``for_matrix``: to see which class wins there."""

    progress: Progress
    goal: frozenset[int] | Case
    for_matrix: bool = False


@dataclass(eq=False)
class Refuter:
    """Checks candidates and settles what they refute; a point is stored once."""

    network: Network
    store: Store
    _stored: dict[tuple[int, bytes], Witness] = field(default_factory=dict)

    def centres(self, batch: Sequence[Progress]) -> None:
        """Evaluate the centres; settle what fails there already."""
        shape = self.network.stored.input_shape
        points = np.stack([progress.problem.region.centre32().reshape(shape) for progress in batch])
        outputs = self.network.replayer.outputs(points)
        for progress, point, row in zip(batch, points, outputs, strict=True):
            progress.centre = maximisers(row)
            progress.centre_outputs = row.astype(np.float64)
            self.try_point(progress, point, "centre")

    def search(self, batch: Sequence[Progress], effort: Effort, check: Check) -> None:
        """Look for a counterexample to each open property, larger sets first."""
        tried = {progress: set[int]() for progress in batch}
        while True:
            chosen = {progress: _largest(progress, tried[progress]) for progress in batch}
            aims = [aim for progress, indices in chosen.items() for k in indices for aim in _aims(progress, k)]
            if not aims:
                return
            self._search(aims, effort, check)
            for progress, indices in chosen.items():
                tried[progress].update(indices)

    def search_classes(self, batch: Sequence[Progress], effort: Effort, check: Check) -> None:
        """Look for a point where each pending class wins."""
        aims = [
            _Aim(progress, frozenset(range(progress.classes)) - {label}, for_matrix=True)
            for progress in batch
            for label in progress.pending_classes()
        ]
        self._search(aims, effort, check)

    def _search(self, aims: Sequence[_Aim], effort: Effort, check: Check) -> None:
        boxed = [aim for aim in aims if aim.progress.inward is not None]
        for kind in (frozenset, Case):
            chosen = [aim for aim in boxed if isinstance(aim.goal, kind)]
            if not chosen:
                continue
            found = search(self.network.graph32, self._targets(chosen), effort, check)
            near = (found.values > -_NEARLY * found.scale).tolist()
            for k, aim in enumerate(chosen):
                point = found.points[k].numpy()
                # a point that does not leave its set may leave a smaller one
                if near[k] or len(aim.progress.open) > 1:
                    self.try_point(aim.progress, point, "search")
                if near[k] and aim.for_matrix:
                    self.try_class(aim.progress, point)

    def _targets(self, aims: Sequence[_Aim]) -> Targets:
        boxes = [aim.progress.inward for aim in aims]
        shape = (len(aims), *self.network.stored.input_shape)
        lower, upper = (
            torch.from_numpy(np.stack([box[side] for box in boxes if box is not None]).reshape(shape))
            for side in (0, 1)
        )
        centre = np.stack([aim.progress.problem.region.centre32() for aim in aims]).reshape(shape)
        return Targets(_objective(aims, self.network.stored.outputs), lower, upper, torch.from_numpy(centre))

    def try_point(self, progress: Progress, point: npt.NDArray[np.float32], step: str) -> None:
        """Settle each open property that fails at the point (*input_shape)."""
        outputs = self.network.exact_outputs(point[None])[0]
        near = -_NEARLY * float(np.abs(outputs).max())
        still_open = progress.open
        for k in still_open:
            prop = progress.problem.properties[k]
            amount = violation(prop, outputs)
            progress.note_hidden(k, outputs)
            if amount < near:
                continue
            checked = self.network.replayer.check(progress.problem.region, prop, point)
            if isinstance(checked, Rejected):
                progress.notes[k] = "tie" if checked.reason == "tie" else progress.notes[k]
            elif not amount > 0:
                progress.notes[k] = "rounding"
            else:
                self._settle(progress, k, point, checked, step)
        if len(progress.open) < len(still_open):
            self._replace_milder(progress, point, outputs)

    def _replace_milder(
        self, progress: Progress, point: npt.NDArray[np.float32], outputs: npt.NDArray[np.float64]
    ) -> None:
        """Let the point stand for what milder witnesses refuted; a centre stays, for the network is wrong there."""
        for k, known in progress.witnesses():
            prop = progress.problem.properties[k]
            if known.centre or not violation(prop, outputs) > 0:
                continue
            checked = self.network.replayer.check(progress.problem.region, prop, point)
            if isinstance(checked, Checked) and progress.severity(checked.classes) > progress.severity(known.classes):
                with suppress(StorageError):
                    progress.replace_witness(k, self._witness(progress, point, checked))

    def _settle(
        self, progress: Progress, index: int, point: npt.NDArray[np.float32], checked: Checked, step: str
    ) -> None:
        """Refute a property; a witness that cannot be kept fails this property, and nothing else."""
        try:
            witness = self._witness(progress, point, checked)
        except StorageError as error:
            progress.decide(index, Failure(error.message), step)
            return
        progress.decide(index, Invalid(witness), step)
        _reach(progress, witness)

    def try_class(self, progress: Progress, point: npt.NDArray[np.float32]) -> None:
        """Note that a pending class wins at the point, if one does."""
        outputs = self.network.exact_outputs(point[None])[0]
        label = int(outputs.argmax())
        others = Within(tuple(i for i in range(progress.classes) if i != label))
        if label not in progress.pending_classes() or not violation(others, outputs) > 0:
            return
        checked = self.network.replayer.check(progress.problem.region, others, point)
        if isinstance(checked, Checked):
            with suppress(StorageError):
                _reach(progress, self._witness(progress, point, checked))

    def _witness(self, progress: Progress, point: npt.NDArray[np.float32], checked: Checked) -> Witness:
        """The stored point, with the margin for what was checked."""
        key = (id(progress), point.tobytes())
        if key not in self._stored:
            self._stored[key] = self.store(progress.problem, point, checked)
        return replace(self._stored[key], margin=checked.margin)


def _reach(progress: Progress, witness: Witness) -> None:
    for label in progress.forbidden().intersection(witness.classes):
        progress.reached.setdefault(label, witness)


def _largest(progress: Progress, tried: set[int]) -> list[int]:
    """The open properties not tried yet that are not about sets of classes, or about the largest of these."""
    left = [k for k in progress.open if k not in tried]
    sizes = {k: len(p.classes) for k in left if isinstance(p := progress.problem.properties[k], Within)}
    most = max(sizes.values(), default=0)
    return [k for k in left if sizes.get(k, most) == most]


def _aims(progress: Progress, index: int) -> list[_Aim]:
    """What refutes a property: leaving its group, or meeting one of its cases."""
    prop = progress.problem.properties[index]
    if isinstance(prop, Within):
        group = frozenset(prop.classes)
        return [_Aim(progress, group)] if 0 < len(group) < progress.classes else []
    return [_Aim(progress, case) for case in progress.cases[index] if case.margins]


def _objective(aims: Sequence[_Aim], outputs: int) -> Objective:
    """The objective of aims of one kind."""
    cases = [aim.goal for aim in aims if isinstance(aim.goal, Case)]
    if not cases:
        group = torch.zeros(len(aims), outputs, dtype=torch.bool)
        for row, aim in enumerate(aims):
            if not isinstance(aim.goal, Case):
                group[row, sorted(aim.goal)] = True
        return LeaveGroup(group)
    forms = Forms.of(cases, outputs)
    constants = (-forms.constants).masked_fill(~forms.valid, torch.inf)
    return MeetCase(-forms.weights.to(torch.float32), constants.to(torch.float32))
