"""An independent oracle for small ReLU networks: a mixed-integer linear program (MILP), solved by HiGHS.

Nothing of ``pyprover`` is used: the ONNX file is read here, in numpy. Every value of the network is affine in the
features of the input and in the results of the ReLUs before it; a ReLU whose interval straddles 0 gets one binary
variable and four inequalities with the ends of that interval (Tjeng, Xiao and Tedrake, *Evaluating robustness of
neural networks with mixed integer programming*, ICLR 2019, equation 4; with a slope a below 0 for LeakyRelu).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper
from scipy.optimize import Bounds, LinearConstraint, milp

Array = NDArray[np.float64]
Side = tuple[Array, float]
"""An affine form of the outputs: weights (outputs,) and a constant."""


@dataclass(frozen=True)
class Least:
    """The least, over a region, of the largest of some forms: between ``low`` and ``high``, up to the tolerances.

    ``high`` is attained at ``point``, by evaluation; ``low`` is what the solver proves.
    """

    low: float
    high: float
    point: Array


@dataclass
class _Program:
    """Variables with their bounds; inequalities ``coef . variables + constant <= 0``, rows padded at the end."""

    lower: list[float]
    upper: list[float]
    integral: list[bool]
    rows: list[tuple[Array, float]] = field(default_factory=list)

    def variable(self, lower: float, upper: float, *, integral: bool = False) -> Array:
        """A new variable, as a form: zeros and a one at the end."""
        self.lower.append(lower)
        self.upper.append(upper)
        self.integral.append(integral)
        return np.eye(len(self.lower))[-1]

    def at_most_zero(self, constant: float, *forms: Array) -> None:
        """Require a sum of forms and a constant to be <= 0."""
        self.rows.append((_sum(*forms), constant))


def _sum(*forms: Array) -> Array:
    """The sum of forms over fewer or more of the first variables."""
    total = np.zeros(max(len(form) for form in forms))
    for form in forms:
        total[: len(form)] += form
    return total


@dataclass(frozen=True)
class _Value:
    """A tensor: each entry's constant ``base`` (*shape), coefficients (variables, *shape), and interval."""

    base: Array
    coef: Array
    lower: Array
    upper: Array


class Oracle:
    """A network file and a box (features,) in float64, encoded once; each question adds one variable."""

    def __init__(self, path: str, lower: Array, upper: Array) -> None:
        model = onnx.load(path)
        self._nodes = list(model.graph.node)
        self._constants = {it.name: numpy_helper.to_array(it).astype(np.float64) for it in model.graph.initializer}
        self._input, self._output = model.graph.input[0].name, model.graph.output[0].name
        self._shape = tuple(axis.dim_value for axis in model.graph.input[0].type.tensor_type.shape.dim[1:])
        self._box = lower, upper
        self._program = _Program(list(lower), list(upper), [False] * len(lower))
        self._outputs = self._encode()

    def evaluate(self, point: Array) -> Array:
        """The outputs (outputs,) at a point (features,), in float64."""
        values = {self._input: point.reshape(self._shape)}
        for node in self._nodes:
            slope = _slope(node)
            if slope is None:
                values[node.output[0]] = self._affine(node, {k: v[None] for k, v in values.items()}, biased=True)[0]
            else:
                x = values[node.input[0]]
                values[node.output[0]] = np.maximum(x, slope * x)
        return values[self._output].ravel()

    def least(self, forms: Sequence[Side]) -> Least:
        """The least over the box of the largest form."""
        program = self._program
        top = len(program.lower)
        count = top + 1
        rows, limits = [], []
        for coef, constant in program.rows:
            rows.append(np.pad(coef, (0, count - len(coef))))
            limits.append(-constant)
        for weights, constant in forms:
            coef = self._outputs.coef.reshape(len(self._outputs.coef), -1) @ weights
            row = np.pad(coef, (0, count - len(coef)))
            row[top] = -1.0
            rows.append(row)
            limits.append(-constant - float(self._outputs.base.ravel() @ weights))
        cost = np.eye(count)[top]
        found: Any = milp(
            cost,
            integrality=np.array([*program.integral, False], dtype=int),
            bounds=Bounds(np.array([*program.lower, -np.inf]), np.array([*program.upper, np.inf])),
            constraints=LinearConstraint(np.array(rows), -np.inf, np.array(limits)),
            options={"mip_rel_gap": 0.0},
        )
        if found.x is None:
            raise RuntimeError(f"HiGHS found nothing: {found.message}")
        point = np.clip(found.x[: len(self._box[0])], *self._box)
        outputs = self.evaluate(point)
        high = max(float(outputs @ weights) + constant for weights, constant in forms)
        low = found.fun if found.mip_dual_bound is None else found.mip_dual_bound  # None: no ReLU is unstable
        return Least(float(low), high, point)

    def leaves(self, group: Sequence[int]) -> Least:
        """How far the answers stay inside a group: the least over the box of its best lead over an outsider."""
        count = self._outputs.base.size
        eye = np.eye(count)
        outsiders = [j for j in range(count) if j not in set(group)]
        return min((self.least([(eye[i] - eye[j], 0.0) for i in group]) for j in outsiders), key=lambda it: it.high)

    def _encode(self) -> _Value:
        lower, upper = (side.reshape(self._shape) for side in self._box)
        start = np.eye(lower.size).reshape(lower.size, *self._shape)
        values = {self._input: _Value(np.zeros(self._shape), start, lower, upper)}
        for node in self._nodes:
            slope = _slope(node)
            if slope is None:
                values[node.output[0]] = self._linear(node, values)
            else:
                values[node.output[0]] = self._relu(values[node.input[0]], slope)
        return values[self._output]

    def _linear(self, node: onnx.NodeProto, values: dict[str, _Value]) -> _Value:
        """An affine operator on each coefficient, and on intervals by centre and radius."""
        used = {name: values[name] for name in node.input if name in values}
        most = max(len(value.coef) for value in used.values())
        base = {name: value.base[None] for name, value in used.items()}
        coef = {name: np.pad(v.coef, [(0, most - len(v.coef)), *[(0, 0)] * v.base.ndim]) for name, v in used.items()}
        centre = {name: ((v.lower + v.upper) / 2)[None] for name, v in used.items()}
        radius = {name: ((v.upper - v.lower) / 2)[None] for name, v in used.items()}
        middle = self._affine(node, centre, biased=True)[0]
        spread = self._affine(node, radius, biased=False, absolute=True)[0]
        spread = spread * (1 + 1e-9) + 1e-9  # outward: much more than the rounding of numbers of ordinary size
        return _Value(
            self._affine(node, base, biased=True)[0],
            self._affine(node, coef, biased=False),
            middle - spread,
            middle + spread,
        )

    def _affine(
        self, node: onnx.NodeProto, operands: dict[str, Array], *, biased: bool, absolute: bool = False
    ) -> Array:
        """An affine operator on stacks (n, *shape) of its inputs that are not constants."""
        attributes = {it.name: onnx.helper.get_attribute_value(it) for it in node.attribute}

        def constant(place: int) -> Array:
            found = self._constants[node.input[place]]
            return np.abs(found) if absolute else found

        match node.op_type:
            case "Gemm":
                weight = constant(1).T if attributes.get("transB", 0) else constant(1)
                result = operands[node.input[0]] @ weight
                return result + constant(2) if biased and len(node.input) > 2 else result
            case "Conv":
                result = _convolved(operands[node.input[0]], constant(1), attributes)
                return result + constant(2)[:, None, None] if biased and len(node.input) > 2 else result
            case "Add":
                one, two = (operands[name] for name in node.input)
                return one + two
            case "Flatten":
                x = operands[node.input[0]]
                return x.reshape(len(x), -1)
        raise ValueError(f"the oracle does not read {node.op_type}")

    def _relu(self, value: _Value, slope: float) -> _Value:
        """``max(x, slope x)``: stable entries stay affine, the others become variables."""
        base, lower, upper = (array.ravel().copy() for array in (value.base, value.lower, value.upper))
        forms = list(value.coef.reshape(len(value.coef), -1).T)
        for k in range(base.size):
            low, high = float(lower[k]), float(upper[k])
            if low >= 0 or high <= 0:
                factor = 1.0 if low >= 0 else slope
                base[k], forms[k] = factor * base[k], factor * forms[k]
                continue
            x, constant, gap = forms[k], float(base[k]), 1 - slope
            y = self._program.variable(slope * low, high)
            active = self._program.variable(0.0, 1.0, integral=True)
            self._program.at_most_zero(constant, x, -y)  # x <= y
            self._program.at_most_zero(slope * constant, slope * x, -y)  # a x <= y
            self._program.at_most_zero(-slope * constant, y, -slope * x, -gap * high * active)
            self._program.at_most_zero(-constant + gap * low, y, -x, -gap * low * active)
            base[k], forms[k] = 0.0, y
        most = max(len(form) for form in forms)
        coef = np.array([np.pad(form, (0, most - len(form))) for form in forms]).T
        shape = value.base.shape
        ends = (np.maximum(end, slope * end).reshape(shape) for end in (lower, upper))
        return _Value(base.reshape(shape), coef.reshape(most, *shape), *ends)


def _slope(node: onnx.NodeProto) -> float | None:
    """The slope below 0 of a ReLU, or ``None`` for another operator."""
    if node.op_type == "Relu":
        return 0.0
    if node.op_type == "LeakyRelu":
        return next((it.f for it in node.attribute if it.name == "alpha"), 0.01)
    return None


def _convolved(x: Array, weight: Array, attributes: dict[str, Any]) -> Array:
    """A convolution of (n, channels, height, width) written out as a sum over the kernel's cells."""
    pads = attributes.get("pads", [0, 0, 0, 0])
    step = attributes.get("strides", [1, 1])
    x = np.pad(x, [(0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])])
    rows, columns = weight.shape[2:]
    height, width = ((size - k) // s + 1 for size, k, s in zip(x.shape[2:], (rows, columns), step, strict=True))
    result = np.zeros((len(x), len(weight), height, width))
    for i in range(rows):
        for j in range(columns):
            window = x[:, :, i : i + step[0] * height : step[0], j : j + step[1] * width : step[1]]
            result += np.einsum("nchw,oc->nohw", window, weight[:, :, i, j])
    return result
