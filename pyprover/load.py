"""ONNX files (opset 7 and later) to graphs.

Parameters are read as float64 and whatever depends on constants alone (shape arithmetic included) is computed once,
node by node, by ONNX's reference implementation. The batch axis is the first axis of the input and counts as one.

Large networks pass through in little memory: external data is mapped, and large parameters on which nothing is computed
stay in the type of the file (`pyprover.graph`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import ExternalDataInfo, uses_external_data

from pyprover.data.files import sha256
from pyprover.errors import UserError
from pyprover.graph import Graph, Node, Shape
from pyprover.ops import READERS
from pyprover.ops.dense import fuse_bias, in_parts
from pyprover.ops.reading import Builder, Constant, Operand, Source, Variable, widened
from pyprover.ops.shapes import Reshape

OLDEST_OPSET = 7

_REFERENCE_OPSETS = {"DequantizeLinear": 19, "QuantizeLinear": 19}
"""The first versions that the reference implementation has; each reads what those before it read."""

_MOVES = frozenset(
    {"Cast", "Concat", "Constant", "ConstantOfShape", "Expand", "Flatten", "Gather", "Identity", "Reshape", "Slice"}
    | {"Split", "Squeeze", "Tile", "Transpose", "Unsqueeze"}
)
"""ONNX operators that compute nothing."""


@dataclass(frozen=True, eq=False)
class OnnxFile:
    """What a network file says about itself, with its graph."""

    path: str
    digest: str
    """SHA-256 of the file, and of what it keeps in files beside it, hexadecimal."""
    opset: int
    operators: tuple[tuple[str, int], ...]
    """ONNX operators and how often each occurs, by name."""
    parameters: int
    """Numbers in floating-point initialisers."""
    folded: tuple[str, ...]
    """ONNX operators that compute numbers from constants alone; those that only move numbers are left out."""
    graph: Graph
    ranking: Graph
    """A graph whose outputs are ordered as the network's: without the `Softmax` at the end, if there is one.

    For arg-max properties only; the same object as ``graph`` when there is nothing to leave out.
    """


def load(path: str) -> OnnxFile:
    """Read a network; raises ``UserError`` when it is missing, not ONNX, or out of what is supported."""
    model = _parse(path)
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if opset < OLDEST_OPSET:
        hint = f"export the network again with opset {OLDEST_OPSET} or later"
        raise UserError(f"{path}: opset {opset} is too old", hint)
    constants = {tensor.name: _constant(path, tensor) for tensor in model.graph.initializer}
    name, shape = _input(path, model, set(constants))
    output = _output(path, model)
    translation = _Translation(path, opset, {**constants, name: Variable(0, shape)})
    nodes = _leading_to(output, model.graph.node)
    for node in nodes:
        translation.step(node)
    graph = translation.finish(output, shape)
    scores = translation.scores(nodes[-1], graph.outputs) if nodes else None
    return OnnxFile(
        path=path,
        digest=sha256(*_files(path, model)),
        opset=opset,
        operators=tuple(sorted(Counter(node.op_type for node in model.graph.node).items())),
        parameters=sum(c.size for c in constants.values() if np.issubdtype(c.dtype, np.floating)),
        folded=tuple(sorted(translation.folded)),
        graph=graph,
        ranking=graph if scores is None else translation.finish(scores, shape),
    )


def _parse(path: str) -> onnx.ModelProto:
    """The checked model, its external data left where it is."""
    try:
        Path(path).open("rb").close()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}", "check the path of the network") from None
    try:
        model = onnx.load(path, "protobuf", load_external_data=False)
        onnx.checker.check_model(path)
    except DecodeError:
        raise UserError(f"{path}: not an ONNX file", "export the network with torch.onnx.export or the like") from None
    except (onnx.checker.ValidationError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{path}: not a valid ONNX file: {reason}", "check it with onnx.checker") from None
    return model


def _constant(path: str, tensor: TensorProto) -> Constant:
    """An initialiser in its own type; one with external data is mapped into memory, not read."""
    if not uses_external_data(tensor):
        return np.asarray(numpy_helper.to_array(tensor))
    info, shape = ExternalDataInfo(tensor), tuple(tensor.dims)
    offset: int | None = info.offset
    dtype: Any = helper.tensor_dtype_to_np_dtype(tensor.data_type)
    if 0 in shape:
        return np.zeros(shape, dtype)
    try:
        return np.memmap(Path(path).parent / info.location, dtype, "r", offset or 0, shape)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: the parameter {tensor.name!r} cannot be read: {error}") from None


def _files(path: str, model: onnx.ModelProto) -> list[Path]:
    """The file and those that hold its external data."""
    outside = [ExternalDataInfo(tensor).location for tensor in model.graph.initializer if uses_external_data(tensor)]
    return [Path(path), *(Path(path).parent / location for location in dict.fromkeys(outside))]


def _finite(path: str, name: str, constant: Constant) -> Constant:
    """The constant itself."""
    if np.issubdtype(constant.dtype, np.floating) and not np.isfinite(constant).all():
        raise UserError(f"{path}: the parameter {name!r} holds NaN or infinity", "train or export the network again")
    return constant


def _only(path: str, what: str, names: Sequence[str]) -> str:
    if len(names) != 1:
        listed = ", ".join(names) or "none"
        message = f"{path}: one {what} is supported, the network has {len(names)} ({listed})"
        raise UserError(message, "export a part of it that has one")
    return names[0]


def _output(path: str, model: onnx.ModelProto) -> str:
    """The output's name: the only one, or else the only one with float32 scores (labels beside them are ignored)."""
    names = [value.name for value in model.graph.output]
    scores = [v.name for v in model.graph.output if v.type.tensor_type.elem_type == TensorProto.FLOAT]
    if len(names) > 1 and not scores:
        message = f"{path}: none of the outputs ({', '.join(names)}) is a float32 tensor"
        raise UserError(message, "export one with the scores; skl2onnx does with the option zipmap=False")
    return _only(path, "output", scores if len(scores) == 1 else names)


def _input(path: str, model: onnx.ModelProto, constants: set[str]) -> tuple[str, Shape]:
    """The input's name, and its shape without the batch axis."""
    inputs = {value.name: value for value in model.graph.input if value.name not in constants}
    value = inputs[_only(path, "input", list(inputs))]
    tensor = value.type.tensor_type
    if tensor.elem_type != TensorProto.FLOAT:
        kind = TensorProto.DataType.Name(tensor.elem_type)
        raise UserError(f"{path}: the input {value.name!r} has type {kind}", "export the network with a float32 input")
    batch, *shape = [axis.dim_value if axis.HasField("dim_value") else None for axis in tensor.shape.dim] or [0]
    if batch not in (1, None, 0):
        raise UserError(f"{path}: the input {value.name!r} has a fixed batch of {batch}", "export with a batch of 1")
    known = tuple(n for n in shape if n)
    if not shape or len(known) != len(shape):
        hint = "export with fixed dimensions after the batch axis"
        raise UserError(f"{path}: the input {value.name!r} has the shape {[batch, *shape]}", hint)
    return value.name, known


def _leading_to(output: str, nodes: Sequence[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """The nodes that the output needs, in order."""
    needed, found = {output}, []
    for node in reversed(nodes):
        if needed.intersection(node.output):
            needed.update(node.input)
            found.append(node)
    return found[::-1]


class _Translation:
    """The walk over the ONNX nodes: ``known`` maps ONNX value names to constants and graph values."""

    def __init__(self, path: str, opset: int, known: dict[str, Operand]) -> None:
        self.path = path
        self.opset = opset
        self.known = known
        self.builder = Builder()
        self.folded: set[str] = set()

    def step(self, node: onnx.NodeProto) -> None:
        """Translate or compute one node."""
        unknown = next((name for name in node.input if name and name not in self.known), None)
        if unknown is not None:
            raise self._source(node, []).unsupported(f"its operand {unknown!r} is a result that is not supported")
        operands = [self._operand(name) for name in node.input]
        variables = [o for o in operands if isinstance(o, Variable)]
        if not variables and node.domain in ("", "ai.onnx"):
            self._fold(node)
        elif node.op_type == "Shape":
            self.known[node.output[0]] = _shape(node, variables[0])
        else:
            self._translate(node, operands)

    def _operand(self, name: str) -> Operand | None:
        operand = self.known[name] if name else None
        return operand if operand is None or isinstance(operand, Variable) else _finite(self.path, name, operand)

    def _source(self, node: onnx.NodeProto, operands: Sequence[Operand | None]) -> Source:
        attributes = {a.name: _attribute(a) for a in node.attribute}
        name = node.name or node.output[0]
        operator = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
        return Source(name, operator, self.opset, attributes, tuple(operands), len(node.output))

    def _translate(self, node: onnx.NodeProto, operands: Sequence[Operand | None]) -> None:
        source = self._source(node, operands)
        reader = READERS.get(source.operator)
        if reader is None:
            raise source.unsupported()
        results = reader(source, self.builder)
        self.known.update(zip(node.output, results if isinstance(results, tuple) else (results,), strict=False))

    def _fold(self, node: onnx.NodeProto) -> None:
        """Compute a node of constants."""
        operands = ((name, self._operand(name)) for name in node.input)
        feeds = {name: widened(operand) for name, operand in operands if isinstance(operand, np.ndarray)}
        graph = helper.make_graph([node], "constant", [], [helper.make_empty_tensor_value_info(o) for o in node.output])
        opset = max(self.opset, _REFERENCE_OPSETS.get(node.op_type, 0))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
        graph_inputs = [helper.make_empty_tensor_value_info(name) for name in feeds]
        model.graph.input.extend(graph_inputs)
        try:
            from onnx.reference import ReferenceEvaluator  # most networks do without, and it takes .1 s to load

            results = ReferenceEvaluator(model).run(None, feeds)
        except Exception as error:  # the reference implementation raises whatever numpy raises
            raise self._source(node, []).unsupported(f"on constants: {error}") from None
        for name, result in zip(node.output, results, strict=True):
            self.known[name] = np.asarray(result)
            if node.op_type not in _MOVES and np.issubdtype(result.dtype, np.floating):
                self.folded.add(node.op_type)

    def scores(self, last: onnx.NodeProto, outputs: int) -> str | None:
        """The name of what the last node normalises, when it is a softmax over all the outputs."""
        if last.op_type not in ("Softmax", "LogSoftmax"):
            return None
        operand = self.known[last.input[0]]
        return last.input[0] if isinstance(operand, Variable) and operand.shape == (outputs,) else None

    def finish(self, output: str, input_shape: Shape) -> Graph:
        """The graph up to the output, made flat, without the nodes that do not reach it."""
        value = self.known[output]
        if not isinstance(value, Variable):
            raise UserError(f"{self.path}: the output {output!r} does not depend on the input")
        if value.value == 0 or len(value.shape) != 1:
            source = Source(output, "Flatten", self.opset, {}, ())
            value = self.builder.emit(source, Reshape((prod(value.shape),)), value)
        return Graph(input_shape, in_parts(_reaching(fuse_bias(self.builder.nodes), value.value)))


def _reaching(nodes: Sequence[Node], output: int) -> tuple[Node, ...]:
    """The nodes that the value ``output`` needs, renumbered."""
    needed = {output}
    for value in range(output, 0, -1):
        if value in needed:
            needed.update(nodes[value - 1].inputs)
    renumbered = {value: rank for rank, value in enumerate(sorted(needed | {0}))}
    return tuple(
        Node(node.op, tuple(renumbered[v] for v in node.inputs), node.shape, node.name)
        for value, node in enumerate(nodes, start=1)
        if value in needed
    )


def _shape(node: onnx.NodeProto, x: Variable) -> Constant:
    """The result of ONNX `Shape`, the batch counted as one."""
    bounds = {a.name: a.i for a in node.attribute}
    return np.array((1, *x.shape), dtype=np.int64)[bounds.get("start", 0) : bounds.get("end")]


def _attribute(attribute: onnx.AttributeProto) -> Any:
    """An attribute's value: text as ``str``, lists as ``list``."""
    value = helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode()
    return list(value) if attribute.type in (onnx.AttributeProto.INTS, onnx.AttributeProto.FLOATS) else value
