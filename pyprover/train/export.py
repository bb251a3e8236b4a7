"""Writing a trained network as an ONNX file that takes pixels in [0, 1]."""

from __future__ import annotations

import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime  # type: ignore[import-untyped]
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import Tensor, nn

from pyprover.train.simplify import SCALE

OPSET = 17


def write_onnx(network: nn.Sequential, sample: Tensor, path: Path) -> float:
    """Write a simplified network atomically, for inputs (batch, C, H, W).

    Weights that are integers times a scale are stored as int8 and `DequantizeLinear`.
    Returns the largest difference between ONNX Runtime's outputs and torch's on `sample` (N, C, H, W).
    """
    handle, temporary = tempfile.mkstemp(suffix=".onnx", dir=path.parent)
    os.close(handle)
    try:
        with warnings.catch_warnings():
            # The exporter that writes plain opset-17 graphs without further packages is announced as the older one.
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.onnx.export(
                network.eval(),
                (sample[:1],),
                temporary,
                dynamo=False,
                opset_version=OPSET,
                input_names=["image"],
                output_names=["scores"],
                dynamic_axes={"image": {0: "batch"}, "scores": {0: "batch"}},
            )
        _store_integers(network, temporary)
        difference = _difference(network, sample, temporary)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return difference


def runtime_outputs(path: Path, images: NDArray[np.float32], batch: int = 500) -> NDArray[np.float32]:
    """Run the file with ONNX Runtime, on one thread: float32 images (N, C, H, W) to outputs (N, classes)."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    parts = [session.run(None, {name: images[k : k + batch]})[0] for k in range(0, len(images), batch)]
    return np.concatenate(parts)


def _difference(network: nn.Sequential, sample: Tensor, path: str) -> float:
    with torch.no_grad():
        expected = network(sample).numpy()
    return float(np.abs(runtime_outputs(Path(path), sample.numpy()) - expected).max())


def _store_integers(network: nn.Sequential, path: str) -> None:
    """Replace quantised weights in the file by int8 ones and their scales; the products are the same numbers."""
    scales = {f"{place}.weight": getattr(layer, SCALE) for place, layer in enumerate(network) if hasattr(layer, SCALE)}
    if not scales:
        return
    model = onnx.load(path)
    graph = model.graph
    places = {tensor.name: place for place, tensor in enumerate(graph.initializer)}
    for name, scale in scales.items():
        tensor = graph.initializer[places[name]]
        weight, row = numpy_helper.to_array(tensor), scale.numpy()
        integers = np.rint(weight / row)
        if not np.array_equal(row * integers, weight) or np.abs(integers).max(initial=0) > np.iinfo(np.int8).max:
            raise ValueError(f"{name} is not made of 8-bit integers times a scale a row")
        stored, scaled = f"{name}.int8", f"{name}.scale"
        tensor.CopyFrom(numpy_helper.from_array(integers.astype(np.int8), stored))
        graph.initializer.append(numpy_helper.from_array(row.reshape(-1), scaled))
        graph.node.insert(
            0, helper.make_node("DequantizeLinear", [stored, scaled], [name], name=f"{name}.widen", axis=0)
        )
    onnx.checker.check_model(model)
    onnx.save(model, path)
