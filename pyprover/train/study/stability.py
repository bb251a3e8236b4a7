"""How many ReLUs of an ONNX network stay unstable over regions, by intervals: a plain measure of how hard it is."""

from __future__ import annotations

from pathlib import Path

import torch

from pyprover.domains import interval
from pyprover.domains.base import Box
from pyprover.load import load
from pyprover.ops import Relu
from pyprover.train.samples import Samples

_AT_ONCE = 25


def unstable_relus(network: Path, samples: Samples, radius: float) -> float:
    """The mean over samples; regions are max-norm balls within [0, 1]."""
    graph = load(str(network)).graph
    total = 0
    for batch in samples.batches(_AT_ONCE):
        pixels = batch.pixels.double()
        boxes = {0: Box((pixels - radius).clamp(min=0), (pixels + radius).clamp(max=1))}
        for position, node in enumerate(graph.nodes):
            inputs = tuple(boxes[value] for value in node.inputs)
            if isinstance(node.op, Relu):
                total += int(((inputs[0].lower < 0) & (inputs[0].upper > 0)).sum())
            boxes[position + 1] = interval.step(graph.operator(position, torch.float64), inputs)
            for value in set(node.inputs):
                if graph.last_use[value] == position:
                    del boxes[value]
    return total / len(samples)
