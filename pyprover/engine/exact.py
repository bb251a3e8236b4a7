"""Exact decisions: a part of a region in which every ReLU is held is decided by one linear program.

There the network is affine, and a case is empty iff the largest of its margins and of the negated conditions of the
ReLUs is positive everywhere. The program minimises that maximum t over the inputs, each row scaled to its own size,
so that it always has a solution: with t > 0 its multipliers are weights on the margins and on the conditions
(Farkas' lemma), with t <= 0 its point lies in the part, as far as possible from everything's end. A part with ReLUs
that are not held is bounded by the same program over their lines, and is not always decided.

The solver is never trusted: what its multipliers prove is evaluated anew in float64 with rounding errors, and its
point is only a candidate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from math import inf
from typing import Any, TypeVar

import highspy
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pyprover.domains.analysis import RegionBounds
from pyprover.domains.base import TINY, Box, gamma
from pyprover.domains.linear import Linearised, block_size, rewrite
from pyprover.domains.relaxation import Lines, Places, Relaxation, Rows
from pyprover.ops import Relu

_R = TypeVar("_R", bound=Relaxation)
_Array = npt.NDArray[np.float64]

_TOLERANCE = 1e-9
"""Feasibility that the solver is asked for, on rows of size one."""

_SECONDS = 10.0
"""For one program: the solver does not see the time limit of the query, and few programs take a second."""


@dataclass(frozen=True, eq=False)
class Excluded:
    """The case is empty in the part: some convex combination of its margins is at least ``bound`` > 0 there.

    Infinite when the part itself is empty. Holds in the part only.
    """

    bound: float


@dataclass(frozen=True, eq=False)
class Candidate:
    """A point (*input_shape), float64, that the solver places in the part and in the case."""

    point: Tensor


@dataclass(frozen=True, eq=False)
class Part:
    """A region of a batch, or a part of one, with some ReLUs held.

    ``phases``: for the position of a node that holds ReLUs, 1 (active), -1 (inactive) or 0 for each of its neurons,
    flat.
    """

    bounds: RegionBounds
    place: int
    phases: Mapping[int, Tensor]


def decide(part: Part, forms: Tensor, constants: Tensor) -> Excluded | Candidate | None:
    """Whether all margins ``forms @ outputs + constants`` can be <= 0 in a part; ``None`` when rounding hides it.

    ``forms`` (margins, outputs) and ``constants`` (margins,), float64.
    """
    with torch.no_grad():
        network = _held(part)
        slope, constant = _rows(network, part.phases, forms, constants)
        region = Box(network.input.lower.flatten(), network.input.upper.flatten())
        solved = _least_maximum(slope, constant, region)
        if solved is None:
            return None
        multipliers, inputs = solved
        bound = _combined(slope, constant, region, multipliers)
        if bound > 0:
            weight = float(multipliers[: len(forms)].sum())
            return Excluded(bound / weight * (1 - 4 * gamma(len(forms), torch.float64)) if weight > 0 else inf)
        least = float((slope @ inputs + constant).amax())
        return Candidate(inputs.reshape(network.graph.input_shape)) if least <= 0 else None


def _held(part: Part) -> Linearised:
    """The network over the one region, with the lines of held ReLUs exact."""
    whole, place = part.bounds.linearised, part.place
    relaxations = {position: _only(r, place) for position, r in whole.relaxations.items()}
    for position, phase in part.phases.items():
        lines, op = relaxations[position], whole.graph.nodes[position].op
        assert isinstance(lines, Lines)
        assert isinstance(op, Relu)
        sign = phase.reshape(lines.lower_slope.shape)
        exact = torch.where(sign > 0, torch.ones_like(lines.lower_slope), op.slope)
        relaxations[position] = replace(
            lines,
            lower_slope=torch.where(sign == 0, lines.lower_slope, exact),
            upper_slope=torch.where(sign == 0, lines.upper_slope, exact),
            upper_offset=torch.where(sign == 0, lines.upper_offset, 0.0),
        )

    def one(values: Tensor) -> Tensor:
        return values[place][None]

    region = Box(one(whole.input.lower), one(whole.input.upper))
    slack = [None if values is None else one(values) for values in whole.slack]
    return Linearised(whole.graph, region, relaxations, slack, one(whole.input_slack))


def _only(relaxation: _R, place: int) -> _R:
    """A relaxation over one region of its batch."""
    values = {f.name: getattr(relaxation, f.name) for f in fields(relaxation)}  # type: ignore[arg-type]
    changed = {name: value[place][None] for name, value in values.items() if isinstance(value, Tensor)}
    return replace(relaxation, **changed)  # type: ignore[type-var]


def _rows(network: Linearised, phases: Mapping[int, Tensor], forms: Tensor, constants: Tensor) -> tuple[Tensor, Tensor]:
    """Forms over the input (rows, features) and constants (rows,) that are at most 0 where the part meets the case.

    The margins first, then the negated conditions ``-s x`` of the held ReLUs; rounding included.
    """
    graph = network.graph
    slope, constant = _rewritten(network, graph.output, forms)
    slopes, found = [slope], [constant + constants - 4 * gamma(1, torch.float64) * (constant.abs() + constants.abs())]
    for position, phase in sorted(phases.items()):
        (value,) = graph.nodes[position].inputs
        held = phase.flatten().nonzero().flatten()
        coef = torch.zeros(len(held), phase.numel(), dtype=torch.float64)
        coef[torch.arange(len(held)), held] = -phase.flatten()[held].to(torch.float64)
        slope, constant = _rewritten(network, value, coef)
        slopes.append(slope)
        found.append(constant)
    return torch.cat(slopes), torch.cat(found)


def _rewritten(network: Linearised, value: int, coef: Tensor) -> tuple[Tensor, Tensor]:
    """Flat forms over a value rewritten over the input, in blocks: (rows, features) and (rows,)."""
    shape, features = network.graph.shapes[value], network.input.lower.numel()
    slopes, constants = [torch.zeros(0, features, dtype=coef.dtype)], [torch.zeros(0, dtype=coef.dtype)]
    for block in torch.split(coef, block_size(network.graph, value)):
        if len(block):
            places = Places(torch.zeros(len(block), dtype=torch.int64))
            slope, constant = rewrite(network, value, Rows(places, block.reshape(-1, *shape)))
            slopes.append(slope.flatten(1))
            constants.append(constant)
    return torch.cat(slopes), torch.cat(constants)


def _least_maximum(slope: Tensor, constant: Tensor, region: Box) -> tuple[Tensor, Tensor] | None:
    """Where in the region the largest of the rows, each scaled to its size there, is least.

    The multipliers of the rows (rows,), >= 0, and the point (features,); ``None`` when the solver fails.
    """
    centre, radius = region.centre, region.radius
    scaled, offset = slope * radius, slope @ centre + constant
    size = (scaled.abs().sum(1) + offset.abs()).clamp(min=TINY)
    matrix, shift = (scaled / size[:, None]).numpy(), (offset / size).numpy()
    if not (np.isfinite(matrix).all() and np.isfinite(shift).all()):
        return None
    solution = _solve(_program(matrix, shift))
    if solution is None:
        return None
    moved, dual = solution
    multipliers = torch.from_numpy(dual).clamp(min=0) / size
    inputs = centre + radius * torch.from_numpy(moved)
    return multipliers, torch.minimum(torch.maximum(inputs, region.lower), region.upper)


def _program(matrix: _Array, shift: _Array) -> Any:
    """Minimise t over -1 <= u <= 1 with ``matrix u + shift <= t`` in each row."""
    rows, features = matrix.shape
    columns = np.concatenate([matrix, np.full((rows, 1), -1.0)], axis=1)
    program = program_of(columns)
    program.col_cost_ = np.concatenate([np.zeros(features), [1.0]])
    program.col_lower_ = np.concatenate([np.full(features, -1.0), [-highspy.kHighsInf]])
    program.col_upper_ = np.concatenate([np.full(features, 1.0), [highspy.kHighsInf]])
    program.row_lower_ = np.full(rows, -highspy.kHighsInf)
    program.row_upper_ = -shift
    return program


def program_of(matrix: _Array) -> Any:
    """A linear program with a matrix (rows, columns), without costs and bounds as yet."""
    rows, columns = matrix.shape
    place = matrix.nonzero()
    program = highspy.HighsLp()
    program.num_col_, program.num_row_ = columns, rows
    program.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    program.a_matrix_.start_ = np.concatenate([[0], np.bincount(place[0], minlength=rows).cumsum()])
    program.a_matrix_.index_ = place[1]
    program.a_matrix_.value_ = matrix[place]
    return program


def _solve(program: Any) -> tuple[_Array, _Array] | None:
    """The variables but t, and the multipliers of the rows."""
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    for option, value in (
        ("output_flag", False),
        ("threads", 1),
        ("time_limit", _SECONDS),
        ("primal_feasibility_tolerance", _TOLERANCE),
        ("dual_feasibility_tolerance", _TOLERANCE),
    ):
        solver.setOptionValue(option, value)
    solver.passModel(program)
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return None
    solution = solver.getSolution()
    return np.array(solution.col_value)[:-1], -np.array(solution.row_dual)


def _combined(slope: Tensor, constant: Tensor, region: Box, multipliers: Tensor) -> float:
    """The least of the combination of the rows over the region, less what rounding may have added."""
    form = multipliers @ slope
    least = torch.minimum(form * region.lower, form * region.upper).sum() + multipliers @ constant
    terms = (multipliers @ slope.abs()) @ region.size + multipliers @ constant.abs()
    error = 2 * gamma(slope.shape[0] + slope.shape[1] + 8, slope.dtype) * terms + TINY
    return float(least - error)
