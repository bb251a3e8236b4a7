"""A network ready to be verified: its graph in float64 and float32, and its replay in ONNX Runtime."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from pyprover.graph import LARGE, Graph
from pyprover.load import OnnxFile, load
from pyprover.memory import give_back
from pyprover.witness import Replayer


@dataclass(frozen=True, eq=False)
class Network:
    """What is computed once a network file."""

    file: OnnxFile
    replayer: Replayer

    @classmethod
    def open(cls, path: str) -> Network:
        """Load an ONNX file; ``UserError`` when it cannot be verified."""
        return cls(load(path), Replayer(path))

    @property
    def stored(self) -> Graph:
        """The network as it is kept: for its shapes, and for forward steps in float64."""
        return self.file.graph

    @cached_property
    def graph(self) -> Graph:
        """The network in float64, all of it."""
        return self.stored.to(torch.float64)

    @cached_property
    def ranked(self) -> Network:
        """The network for arg-max properties: a softmax at the end is left out, and margins are those of its scores."""
        file = self.file
        return self if file.ranking is file.graph else replace(self, file=replace(file, graph=file.ranking))

    @cached_property
    def graph32(self) -> Graph:
        """The network in float32, for the search."""
        return self.stored.to(torch.float32)

    def rest(self) -> None:
        """Hold little while an analysis needs memory: what a large network is replayed with is loaded again later."""
        if self.file.parameters >= LARGE:
            self.replayer.rest()
            give_back()

    def exact_outputs(self, points: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Float64 outputs (N, outputs) at points (N, *input_shape)."""
        with torch.inference_mode():
            outputs: npt.NDArray[np.float64] = self.stored.forward(torch.from_numpy(points.astype(np.float64))).numpy()
        return outputs
