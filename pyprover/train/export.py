"""Writing a trained network as an ONNX file that takes pixels in [0, 1]."""

import copy
import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
import torch
from torch import Tensor, nn

from pyprover.train.loop import Scaling

OPSET = 17


def fold(network: nn.Sequential, scaling: Scaling) -> nn.Sequential:
    """Return the network that takes x instead of (x - mean) / std: its first convolution does the scaling.

    Folded in float64. That convolution must not pad: a padded zero means `mean` before the fold and 0 after it.
    """
    first = network[0]
    if not isinstance(first, nn.Conv2d) or first.padding != (0, 0) or first.bias is None:
        raise TypeError("the scaling can be folded only into a first convolution with a bias and no padding")
    folded = copy.deepcopy(network)
    target = folded[0]
    mean, std = (torch.tensor(values, dtype=torch.float64).view(1, -1, 1, 1) for values in (scaling.mean, scaling.std))
    weight = first.weight.detach().double() / std
    with torch.no_grad():
        target.weight.copy_(weight)  # type: ignore[operator]
        target.bias.copy_(first.bias.double() - (weight * mean).sum((1, 2, 3)))  # type: ignore[operator]
    return folded


def write_onnx(network: nn.Sequential, sample: Tensor, path: Path) -> float:
    """Write the network atomically, for inputs (batch, C, H, W).

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
        difference = _difference(network, sample, temporary)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return difference


def runtime_outputs(path: Path, images: np.ndarray, batch: int = 500) -> np.ndarray:
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
