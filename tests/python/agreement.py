"""The graph beside ONNX Runtime."""

from __future__ import annotations

import numpy as np
import onnxruntime
import torch

from pyprover.graph import Graph
from pyprover.load import load


def assert_agrees(path: str, count: int = 3, output: str | None = None) -> Graph:
    """The graph in float64 and in float32 is within float32 rounding of ONNX Runtime; the graph."""
    graph = load(path).graph
    x = np.random.default_rng(0).normal(size=(count, *graph.input_shape)).astype(np.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name, wanted = session.get_inputs()[0].name, output or session.get_outputs()[0].name
    rows = [session.run([wanted], {name: x[k : k + 1]})[0].reshape(1, -1) for k in range(count)]
    expected = np.concatenate(rows)
    found = graph.forward(torch.from_numpy(x.astype(np.float64))).numpy()
    assert found.shape == (count, graph.outputs)
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-4)
    single = graph.to(torch.float32).forward(torch.from_numpy(x)).numpy()
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected, rtol=2e-4, atol=2e-4)
    return graph
