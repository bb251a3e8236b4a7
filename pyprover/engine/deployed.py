"""The network as it is deployed: what a proof must leave room for when it is to cover evaluations in float32."""

from __future__ import annotations

from collections.abc import Sequence

from pyprover.domains.analysis import Check, bound_regions
from pyprover.domains.deployment import SUPPORTED, evaluation_error
from pyprover.engine.network import Network
from pyprover.engine.problem import Progress
from pyprover.engine.prove import regions
from pyprover.errors import UserError
from pyprover.load import OnnxFile

_REARRANGED = frozenset({"BatchNormalization", "Resize", "Upsample"})
"""ONNX operators whose constants are combined in reading, where a runtime may round and cancel in another order."""


def require_deployable(file: OnnxFile) -> None:
    """Raise ``UserError`` when the error of some operator in float32 has no bound."""
    unknown = [name for name, _ in file.operators if name in _REARRANGED]
    unknown += sorted({type(node.op).__name__ for node in file.graph.nodes if not isinstance(node.op, SUPPORTED)})
    if unknown:
        raise UserError(
            f"{file.path}: the evaluation in float32 of {', '.join(unknown)} has no bound",
            "verify without it, or export a network without them: batch normalisation folded, softmax left out",
        )
    if file.folded:
        raise UserError(
            f"{file.path}: a runtime computes {', '.join(file.folded)} of constants in float32, which has no bound",
            "fold the network's constants, with onnxsim for example",
        )


def leave_room(network: Network, batch: Sequence[Progress], check: Check) -> None:
    """Have each problem ask for margins that rounding in float32 cannot undo."""
    bounds = bound_regions("linear", network.graph, regions(batch, network), check)
    for progress, error in zip(batch, evaluation_error(bounds.linearised, check).tolist(), strict=True):
        progress.leave_room(error)
