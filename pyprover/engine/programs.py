"""Sub-problems bounded by linear programs: the best weights, slopes and multipliers at once, where an ascent is slow.

The program of a region has the inputs as variables, and for each unstable ReLU its input z and its value p, between
the lines of the region (Ehlers, *Formal verification of piece-wise linear feed-forward neural networks*, ATVA 2017);
sub-problems differ by the bounds of rows alone, so that each solution starts from the one before. As in
`pyprover.engine.exact`, it minimises the largest of the margins and of the negated conditions of held ReLUs, each
scaled to its size. Its multipliers are weights, slopes and multipliers in the sense of `pyprover.domains.branching`
(Salman et al., *A convex relaxation barrier to tight robustness verification of neural networks*, NeurIPS 2019);
what they prove is evaluated there, in float64, rounding included.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import highspy
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from typing_extensions import override

from pyprover.domains.base import TINY
from pyprover.domains.branching import Branching
from pyprover.domains.linear import Linearised, rewrite
from pyprover.domains.relaxation import Places, Relaxation, Rows
from pyprover.engine.ascent import SubProblems
from pyprover.engine.case import Forms
from pyprover.engine.exact import program_of
from pyprover.engine.weights import rounding_error

MOST_ENTRIES = 8_000
"""Beyond so many coefficients of neurons, a solution costs more than an ascent, and saves little."""

_MOST_STEPS = 10_000
"""Of the simplex method, for one solution; some hundred are usual."""

_Array = npt.NDArray[np.float64]
_INFINITY = highspy.kHighsInf


@dataclass(frozen=True, eq=False)
class Programs:
    """The programs of the cases of one region."""

    branching: Branching
    forms: Forms
    solvers: dict[int, _Solver]

    @staticmethod
    def fit(branching: Branching) -> bool:
        """Whether a region has unstable ReLUs, and few enough, as it has inputs."""
        return 0 < branching.neurons * (branching.neurons + branching.box.lower.numel()) <= MOST_ENTRIES

    @classmethod
    def of(cls, branching: Branching, forms: Forms) -> Programs | None:
        """For some cases; ``None`` where they do not fit."""
        return cls(branching, forms, {}) if cls.fit(branching) else None

    def bound(self, some: SubProblems) -> tuple[SubProblems, Tensor]:
        """The sub-problems with what was found, and their bounds (rows,) in float64, rounding included.

        Infinite for a sub-problem that is empty, minus infinite where the solver fails.
        """
        weights, value = some.weights.double(), some.value.double()
        solved = torch.zeros(len(some), dtype=torch.bool)
        for row, (case, phase) in enumerate(zip(some.case.tolist(), some.phase.numpy(), strict=True)):
            solution = self._solver(case).solve(phase)
            if solution is not None:
                solved[row] = True
                weights[row, : len(solution.weights)] = torch.from_numpy(solution.weights)
                value[row] = torch.from_numpy(solution.value)
        bound, total = self._evaluate(some, weights, value), weights.sum(1)
        empty = torch.where(bound > 0, torch.inf, -torch.inf)
        bound = torch.where(solved, torch.where(total > 0, bound / total, empty), -torch.inf)
        return self._scaled(some, weights, value, bound), bound

    def _scaled(self, some: SubProblems, weights: Tensor, value: Tensor, bound: Tensor) -> SubProblems:
        """In float32, with weights that sum to 1."""
        total = weights.sum(1, keepdim=True)
        scale, free = torch.where(total > 0, total, 1.0), some.phase == 0
        return replace(
            some,
            weights=torch.where(total > 0, weights / scale, some.weights).float(),
            value=torch.where(free, value.float().maximum(self.branching.leak), (value / scale).float()),
            bound=bound.float(),
        )

    def _evaluate(self, some: SubProblems, weights: Tensor, value: Tensor) -> Tensor:
        forms = self.forms.of_cases(some.case)
        held = self.branching.held(some.phase, torch.float64)
        bound = held.bounds(torch.einsum("rm,rmo->ro", weights, forms.weights), value).value
        return bound + (weights * forms.constants).sum(1) - rounding_error(held.network.output_slack, forms, weights)

    def _solver(self, case: int) -> _Solver:
        if case not in self.solvers:
            valid = self.forms.valid[case]
            forms, constants = self.forms.weights[case][valid], self.forms.constants[case][valid]
            self.solvers[case] = _Solver(self.branching, forms, constants)
        return self.solvers[case]


@dataclass(frozen=True, eq=False)
class _Solution:
    """``weights`` (margins,), >= 0, not all 0 unless the sub-problem is empty; ``value`` (neurons,)."""

    weights: _Array
    value: _Array


class _Aside(Relaxation):
    """A ReLU node whose unstable neurons are variables: their coefficients are set aside."""

    def __init__(self, slopes: Tensor, places: Tensor) -> None:
        self.slopes, self.places = slopes.index_fill(1, places, 0.0), places
        self.found: Tensor | None = None

    @property
    @override
    def magnitude(self) -> Tensor:
        raise NotImplementedError("programs are not rounded outward")

    @override
    def substitute(self, rows: Rows) -> tuple[Tensor, Tensor]:
        coef = rows.coef.flatten(1)
        self.found = coef[:, self.places]
        return (coef * self.slopes).reshape(rows.coef.shape), coef.new_zeros(len(coef))


@dataclass(frozen=True, eq=False)
class _Affine:
    """Forms over moved inputs in [-1, 1] and over the neurons' values, with constants: (rows, ...)."""

    inputs: _Array
    neurons: _Array
    constants: _Array

    @classmethod
    def of(cls, branching: Branching, value: int, coef: Tensor) -> _Affine:
        """Forms (rows, *shape) over a value of the network."""
        whole = branching.networks[torch.float64]
        layers = branching.layers[torch.float64]
        aside = {layer.position: _Aside(layer.slopes, layer.places) for layer in layers}
        nothing: list[Tensor | None] = [None] * len(whole.slack)
        lines: dict[int, Relaxation] = {**whole.relaxations, **aside}
        network = Linearised(whole.graph, whole.input, lines, nothing, torch.zeros_like(whole.input_slack))
        places = Places(torch.zeros(len(coef), dtype=torch.int64))
        form, constant = rewrite(network, value, Rows(places, coef.reshape(-1, *whole.graph.shapes[value])))
        neurons = torch.zeros(len(coef), branching.neurons, dtype=coef.dtype)
        for layer in layers:
            found = aside[layer.position].found
            if found is not None:
                neurons[:, layer.part] = found
        form, centre, radius = form.flatten(1), whole.input.centre.flatten(), whole.input.radius.flatten()
        return cls((form * radius).numpy(), neurons.numpy(), (constant + form @ centre).numpy())


class _Solver:
    """The program of one case, and the solver's last basis.

    Variables: inputs, z, p, t. Rows: what z is; p above z; p above the leak; p below the chord; z >= 0, relaxed by t;
    z <= 0, relaxed by t; the margins.
    """

    def __init__(self, branching: Branching, forms: Tensor, constants: Tensor) -> None:
        graph = branching.networks[torch.float64].graph
        layers = branching.layers[torch.float64]
        self.neurons = branching.neurons
        self.leak = np.concatenate([np.full(len(layer.places), layer.leak) for layer in layers])
        self.slope = branching.slope.double().numpy()
        self.chord, self.offset, size = (
            torch.cat([getattr(layer, name) for layer in layers]).numpy() for name in ("chord", "offset", "size")
        )
        self.size = np.maximum(size, TINY)
        parts = []
        for layer in layers:
            coef = torch.zeros(len(layer.places), layer.slopes.shape[1], dtype=torch.float64)
            coef[torch.arange(len(layer.places)), layer.places] = 1.0
            parts.append(_Affine.of(branching, graph.nodes[layer.position].inputs[0], coef))
        before = _Affine(*(np.concatenate([getattr(p, n) for p in parts]) for n in _Affine.__dataclass_fields__))
        margins = _Affine.of(branching, graph.output, forms)
        shift = margins.constants + constants.numpy()
        self.sizes = np.maximum(np.abs(margins.inputs).sum(1) + np.abs(margins.neurons) @ size + np.abs(shift), TINY)
        self.solver = _loaded(self._program(before, margins, shift))

    def _program(self, before: _Affine, margins: _Affine, shift: _Array) -> Any:
        count, features, many = self.neurons, before.inputs.shape[1], len(shift)
        one, size, scale = np.eye(count), self.size[:, None], self.sizes[:, None]

        def zero(width: int) -> _Array:
            return np.zeros((count, width))

        matrix = np.block(
            [
                [before.inputs, -one, before.neurons, zero(1)],
                [zero(features), -one, one, zero(1)],
                [zero(features), np.diag(-self.leak), one, zero(1)],
                [zero(features), np.diag(-self.chord), one, zero(1)],
                [zero(features), one, zero(count), size],
                [zero(features), -one, zero(count), size],
                [margins.inputs / scale, np.zeros((many, count)), margins.neurons / scale, -np.ones((many, 1))],
            ]
        )
        program = program_of(matrix)
        columns = features + 2 * count + 1
        program.col_cost_ = np.concatenate([np.zeros(columns - 1), [1.0]])
        edge = np.concatenate([np.ones(features), np.full(2 * count + 1, _INFINITY)])
        program.col_lower_, program.col_upper_ = -edge, edge
        free = np.full(many, -_INFINITY)
        lower, upper = self._bounds(np.zeros(count))
        program.row_lower_ = np.concatenate([-before.constants, lower, free])
        program.row_upper_ = np.concatenate([-before.constants, upper, -shift / self.sizes])
        return program

    def _bounds(self, phase: _Array) -> tuple[_Array, _Array]:
        """Bounds of the five rows of each neuron."""

        def where(*rows: npt.NDArray[np.bool_]) -> _Array:
            return np.where(np.concatenate(rows), 0.0, _INFINITY)

        active, inactive = phase > 0, phase < 0
        never, always = np.zeros_like(active), np.ones_like(active)
        lower = -where(~inactive, ~active, never, active, inactive)
        upper = where(active, inactive, always, never, never)
        count = self.neurons
        upper[2 * count : 3 * count] = np.where(active | inactive, _INFINITY, self.offset)
        return lower, upper

    def solve(self, phase: npt.NDArray[np.int8]) -> _Solution | None:
        """The multipliers for some phases (neurons,); ``None`` when the solver fails."""
        count = self.neurons
        changed = np.arange(count, 6 * count, dtype=np.int32)
        self.solver.changeRowsBounds(len(changed), changed, *self._bounds(phase.astype(np.float64)))
        self.solver.run()
        if self.solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        dual = np.array(self.solver.getSolution().row_dual)
        steep, flat, _, active, inactive = dual[count : 6 * count].clip(min=0).reshape(5, count)
        total = steep + flat
        mixed = (steep + self.leak * flat) / np.where(total > 0, total, 1.0)
        slope = np.where(total > 0, mixed.clip(self.leak, 1.0), self.slope)
        value = np.where(phase == 0, slope, np.where(phase > 0, active, inactive))
        return _Solution((-dual[6 * count :]).clip(min=0) / self.sizes, value)


def _loaded(program: Any) -> Any:
    """A solver that starts from its last basis."""
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    for option, value in (
        ("output_flag", False),
        ("threads", 1),
        ("presolve", "off"),
        ("solver", "simplex"),
        ("simplex_iteration_limit", _MOST_STEPS),
    ):
        solver.setOptionValue(option, value)
    solver.passModel(program)
    return solver
