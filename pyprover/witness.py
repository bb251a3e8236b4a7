"""The check of a counterexample: ONNX Runtime for the network, rationals for the region.

Nothing here is shared with the engine (no torch, no graph, no abstract domain), so that a mistake there cannot let a
wrong counterexample through. The region is checked number by number in integer arithmetic, not by its rounded boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import inf

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray

from pyprover.errors import UserError
from pyprover.query import Avoid, Comparison, Property
from pyprover.region import Region


@dataclass(frozen=True, slots=True)
class Checked:
    """A true counterexample: the fields of the protocol's ``witness``, without its files."""

    classes: tuple[int, ...]
    margin: float
    distance: float
    centre: bool


@dataclass(frozen=True, slots=True)
class Rejected:
    """Not a counterexample: ``outside`` the region, ``not finite``, ``not violated``, or only a ``tie``."""

    reason: str


class Replayer:
    """The ONNX file as ONNX Runtime runs it: one thread, on the CPU.

    ``input_shape`` is without the batch axis.
    """

    def __init__(self, onnx_path: str) -> None:
        self._path = onnx_path
        self._runtime: onnxruntime.InferenceSession | None = None
        inputs, outputs = self._session().get_inputs(), self._session().get_outputs()
        # a converted classifier gives labels beside its scores
        scores = [output for output in outputs if len(outputs) == 1 or output.type == "tensor(float)"]
        if len(inputs) != 1 or len(scores) != 1:
            raise UserError(f"{onnx_path} has {len(inputs)} inputs and {len(outputs)} outputs, not one of each")
        if inputs[0].type != "tensor(float)":
            raise UserError(f"the input of {onnx_path} is a {inputs[0].type}, not a float32 tensor")
        batch, *shape = inputs[0].shape
        if not shape or not all(isinstance(axis, int) for axis in shape):
            raise UserError(f"the input of {onnx_path} has shape {inputs[0].shape}: only the batch axis may be open")
        self._input, self._output = inputs[0].name, scores[0].name
        self._batch = batch if isinstance(batch, int) else None
        self.input_shape: tuple[int, ...] = tuple(shape)

    def _session(self) -> onnxruntime.InferenceSession:
        if self._runtime is None:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            options.log_severity_level = 3
            try:
                self._runtime = onnxruntime.InferenceSession(self._path, options, ["CPUExecutionProvider"])
            except Exception as error:  # the runtime's exceptions have no common base of their own
                reason = str(error).strip().splitlines()[0]
                raise UserError(f"ONNX Runtime cannot load {self._path}: {reason}") from error
        return self._runtime

    def rest(self) -> None:
        """Let go of the runtime's copy of the network until it is needed again."""
        self._runtime = None

    def outputs(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the outputs (N, outputs) at a float32 batch (N, *input_shape); a fixed batch size is met in pieces."""
        if batch.dtype != np.float32 or batch.shape[1:] != self.input_shape:
            raise ValueError(f"{batch.dtype} batch of shape {batch.shape} for an input of shape {self.input_shape}")
        step = self._batch or max(len(batch), 1)
        return np.concatenate([self._run(batch[start : start + step]) for start in range(0, max(len(batch), 1), step)])

    def _run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """One run; a piece shorter than the network's fixed batch is filled up with zeros."""
        missing = (self._batch or len(batch)) - len(batch)
        filled = np.concatenate([batch, np.zeros((missing, *self.input_shape), np.float32)]) if missing else batch
        outputs = np.asarray(self._session().run([self._output], {self._input: filled})[0], np.float32)
        return outputs.reshape(len(filled), -1)[: len(batch)]

    def check(self, region: Region, prop: Property, point: NDArray[np.float32]) -> Checked | Rejected:
        """Whether ``point`` (*input_shape), float32, lies in ``region`` and violates ``prop`` strictly."""
        if point.dtype != np.float32 or point.shape != self.input_shape:
            return Rejected(f"a {point.dtype} array of shape {point.shape}")
        if not np.all(np.isfinite(point)):
            return Rejected("not finite")
        if not _inside(region, point.ravel().tolist()):
            return Rejected("outside")
        outputs = self.outputs(point[None])[0]
        if not np.all(np.isfinite(outputs)):
            return Rejected("not finite")
        margin = _violation(prop, [Fraction(value) for value in outputs.tolist()])
        if margin <= 0:
            return Rejected("tie" if margin == 0 else "not violated")
        return Checked(
            classes=maximisers(outputs),
            margin=float(margin),
            distance=_distance(region, point.ravel()),
            centre=region.holds_centre and np.array_equal(point.ravel(), region.centre32()),
        )


def maximisers(outputs: NDArray[np.float32]) -> tuple[int, ...]:
    """Return the arg-max set of one row of outputs (n,)."""
    return tuple(np.flatnonzero(outputs == outputs.max()).tolist())


def _inside(region: Region, point: Sequence[float]) -> bool:
    """Exact membership, by cross-multiplication: ``a/b <= c/d`` iff ``a d <= c b`` for positive ``b``, ``d``."""
    for i, (value, low, high) in enumerate(zip(point, region.lower, region.upper, strict=True)):
        a, b = value.as_integer_ratio()
        above = a * low.denominator - low.numerator * b
        below = high.numerator * b - a * high.denominator
        if above < (i in region.strict_lower) or below < (i in region.strict_upper):
            return False
    return True


def _violation(prop: Property, outputs: Sequence[Fraction]) -> Fraction | float:
    """How strictly ``prop`` fails at ``outputs``: positive when it fails, 0 when it touches a tie."""
    if isinstance(prop, Avoid):
        return max((_case(case, outputs) for case in prop.cases), default=-inf)
    within = set(prop.classes)
    inner = [value for index, value in enumerate(outputs) if index in within]
    outer = [value for index, value in enumerate(outputs) if index not in within]
    return max(outer, default=-inf) - max(inner, default=-inf) if outer else -inf


def _case(case: Sequence[Comparison], outputs: Sequence[Fraction]) -> Fraction | float:
    """Return the least of the case's comparisons; infinite for a case that asks nothing."""
    sums = (sum((term.weight * outputs[term.output] for term in c.terms), c.constant) for c in case)
    return min(sums, default=inf)


def _distance(region: Region, point: NDArray[np.float32]) -> float:
    """Max norm from the region's centre in data units; the farthest feature is found in float64, measured exactly."""
    centre = np.array([float(value) for value in region.centre])
    scale = np.array([float(value) for value in region.scale])
    far = int(np.argmax(np.abs(point - centre) * scale))
    return float(abs(Fraction(float(point[far])) - region.centre[far]) * region.scale[far])
