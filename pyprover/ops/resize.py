"""Interpolation over a regular grid: ONNX `Resize` and `Upsample`.

Each mode of interpolation is linear and works axis by axis. The matrix of an axis is what ONNX's reference
implementation makes of the identity.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import helper

from pyprover.ops.axes import apply_along
from pyprover.ops.gather import pick
from pyprover.ops.reading import Builder, Constant, Source, Variable

_GEOMETRY = (
    "antialias",
    "coordinate_transformation_mode",
    "cubic_coeff_a",
    "exclude_outside",
    "mode",
    "nearest_mode",
)
_OLD_GEOMETRY = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
_FIRST_OPSET = 11
"""Before it, `Resize` and `Upsample` take no geometry but ``mode``."""


def read_resize(source: Source, builder: Builder) -> Variable:
    """Any mode but cropping, by factors or to sizes, along any axes but the batch's."""
    source.require("keep_aspect_ratio_policy", "stretch")
    if source.attribute("coordinate_transformation_mode", "") == "tf_crop_and_resize":
        raise source.unsupported("coordinate_transformation_mode = 'tf_crop_and_resize'")
    old = source.opset < _FIRST_OPSET
    scales, sizes = source.optional_constant(1 if old else 2), source.optional_constant(3)
    attributes = {name: source.attributes[name] for name in _GEOMETRY if name in source.attributes}
    return _resize(source, builder, attributes | (_OLD_GEOMETRY if old else {}), (scales, sizes))


def read_upsample(source: Source, builder: Builder) -> Variable:
    """The form that `Resize` replaced: factors as an attribute (opset 7) or as an operand."""
    given = source.optional_constant(1)
    scales = np.array(source.attribute("scales", [])) if given is None else given
    mode = source.attribute("mode", "nearest")
    return _resize(source, builder, {"mode": mode, **_OLD_GEOMETRY}, (scales, None))


def _resize(
    source: Source, builder: Builder, attributes: dict[str, Any], target: tuple[Constant | None, Constant | None]
) -> Variable:
    x = source.variable()
    rank = len(x.shape) + 1
    name, values = ("sizes", target[1]) if target[1] is not None and target[1].size else ("scales", target[0])
    axes = [int(a) % rank for a in source.attribute("axes", range(rank))]
    if values is None or len(values) != len(axes):
        raise source.unsupported(f"{len(axes)} factors or sizes are needed")
    for axis, value in zip(axes, values.tolist(), strict=True):
        if axis == 0:
            if value != 1:
                raise source.unsupported("the batch axis would be resized")
            continue
        matrix = _matrix(source, attributes, x.shape[axis - 1], (name, value))
        x = _apply(source, builder, x, axis - 1, matrix)
    return x


def _apply(source: Source, builder: Builder, x: Variable, axis: int, matrix: Constant) -> Variable:
    """A matrix (new cells, old cells) along an axis; as a choice of cells when it is one."""
    if bool(((matrix == 0) | (matrix == 1)).all()) and bool((matrix.sum(1) == 1).all()):
        return pick(source, builder, x, axis, matrix.argmax(1).tolist())
    return apply_along(source, builder, x, axis, matrix)


def _matrix(source: Source, attributes: dict[str, Any], size: int, target: tuple[str, float]) -> Constant:
    """How the cells of an axis of ``size`` are mixed, (new cells, old cells)."""
    name, value = target
    operands = ["x", "", "scales"] if name == "scales" else ["x", "", "", "sizes"]
    node = helper.make_node("Resize", operands, ["y"], **attributes)
    infos = [helper.make_empty_tensor_value_info(n) for n in ("x", name, "y")]
    graph = helper.make_graph([node], "axis", infos[:2], infos[2:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", max(source.opset, _FIRST_OPSET))])
    factors = np.array([1, value], np.float32) if name == "scales" else np.array([size, value], np.int64)
    try:
        from onnx.reference import ReferenceEvaluator  # most networks do without, and it takes .1 s to load

        mixed = ReferenceEvaluator(model).run(None, {"x": np.eye(size), name: factors})
    except Exception as error:  # the reference implementation raises whatever numpy raises
        raise source.unsupported(str(error)) from None
    return np.asarray(next(iter(mixed)), dtype=np.float64).T
