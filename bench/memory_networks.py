"""The networks of `bench/memory.py`: random weights (He, from one seed), written as ONNX with their weights beside."""

from __future__ import annotations

from collections.abc import Callable
from math import prod, sqrt
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

_Array = npt.NDArray[np.float32]


class _Writer:
    """An ONNX graph under construction, from an image (channels, height, width); ``value`` is the last result."""

    def __init__(self, channels: int, size: int, seed: int) -> None:
        self.shape: tuple[int, ...] = (channels, size, size)
        self.input = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, *self.shape])
        self.value = "x"
        self._random = np.random.default_rng(seed)
        self._nodes: list[onnx.NodeProto] = []
        self._parameters: list[TensorProto] = []

    def conv(self, channels: int, kernel: int = 3, stride: int = 1, keep: int | None = None) -> None:
        """A convolution that keeps the size, or halves it; each filter reads ``keep`` channels."""
        inner, height, width = self.shape
        pad = (kernel - 1) // 2 if kernel % 2 else (kernel - stride) // 2
        weight = self._normal((channels, inner, kernel, kernel), keep)
        self._emit("Conv", [weight, self._zeros(channels)], strides=[stride] * 2, pads=[pad] * 4)
        self.shape = (channels, height // stride, width // stride)

    def batch_norm(self) -> None:
        """Batch normalisation with statistics like those of trained networks."""
        count = self.shape[0]
        draw = self._random.uniform
        scale, shift, mean, variance = (draw(a, b, count) for a, b in ((0.5, 1.5), (-0.2, 0.2), (-0.2, 0.2), (0.5, 2)))
        self._emit("BatchNormalization", [self._parameter(it) for it in (scale, shift, mean, variance)])

    def relu(self) -> None:
        """A ReLU."""
        self._emit("Relu", [])

    def pool(self) -> None:
        """The maximum over 2 by 2."""
        self._emit("MaxPool", [], kernel_shape=[2, 2], strides=[2, 2])
        self.shape = (self.shape[0], self.shape[1] // 2, self.shape[2] // 2)

    def add(self, value: str) -> None:
        """The sum with an earlier result."""
        self._emit("Add", [value])

    def dense(self, width: int, keep: int | None = None) -> None:
        """A fully connected layer; each neuron reads ``keep`` values."""
        if len(self.shape) > 1:
            self._emit("Flatten", [])
            self.shape = (prod(self.shape),)
        self._emit("Gemm", [self._normal((width, *self.shape), keep), self._zeros(width)], transB=1)
        self.shape = (width,)

    def save(self, path: Path) -> None:
        """Write the network, its weights in a file beside it; all or nothing."""
        output = helper.make_tensor_value_info(self.value, TensorProto.FLOAT, [1, *self.shape])
        graph = helper.make_graph(self._nodes, path.stem, [self.input], [output], self._parameters)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        path.with_suffix(".weights").unlink(missing_ok=True)
        onnx.save(model, path, save_as_external_data=True, location=f"{path.stem}.weights")

    def _emit(self, operator: str, operands: list[str], **attributes: object) -> None:
        result = f"{operator}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, [self.value, *operands], [result], **attributes))
        self.value = result

    def _parameter(self, array: npt.NDArray[np.floating]) -> str:
        name = f"p{len(self._parameters)}"
        self._parameters.append(numpy_helper.from_array(array.astype(np.float32), name))
        return name

    def _normal(self, shape: tuple[int, ...], keep: int | None) -> str:
        """Weights (outputs, inputs, ...) with variance 2 / fan-in; an output reads ``keep`` random inputs, or all."""
        outputs, inputs, *kernel = shape
        kept = min(keep or inputs, inputs)
        values: _Array = self._random.standard_normal(shape, dtype=np.float32)
        if kept < inputs:
            order = self._random.random((outputs, inputs), dtype=np.float32).argsort(1)
            values[np.arange(outputs)[:, None], order[:, kept:]] = 0
        return self._parameter(values * np.float32(sqrt(2 / (kept * prod(kernel)))))

    def _zeros(self, count: int) -> str:
        return self._parameter(np.zeros(count))


def conv_net() -> _Writer:
    """CIFAR-10: three convolutions and two dense layers, about the size of those that training for proofs uses."""
    net = _Writer(3, 32, seed=1)
    for channels, kernel, stride in ((32, 3, 1), (32, 4, 2), (64, 4, 2)):
        net.conv(channels, kernel, stride)
        net.relu()
    net.dense(256)
    net.relu()
    net.dense(10)
    return net


def resnet() -> _Writer:
    """CIFAR-10: a residual network of three stages with batch normalisation, 16 to 64 channels."""
    net = _Writer(3, 32, seed=2)
    net.conv(16)
    net.batch_norm()
    net.relu()
    for channels, stride in ((16, 1), (32, 2), (64, 2)):
        entry, shape = net.value, net.shape
        net.conv(channels, 3, stride)
        net.batch_norm()
        net.relu()
        net.conv(channels)
        net.batch_norm()
        branch, result = net.value, net.shape
        if shape != result:
            net.value, net.shape = entry, shape
            net.conv(channels, 1, stride) if stride == 1 else net.conv(channels, 2, stride)
            entry, net.value = net.value, branch
        net.shape = result
        net.add(entry)
        net.relu()
    net.dense(10)
    return net


def vgg16() -> _Writer:
    """The shape of VGG-16 (Simonyan and Zisserman, arXiv 1409.1556) at 224 by 224: 138 million parameters.

    It is pruned: each filter reads 16 channels, each neuron of a dense layer 128 values. Worst-case rounding errors
    grow in each layer by the sum of a filter's absolute weights, about forty without pruning: after ten such layers
    they are as large as the values.
    """
    net = _Writer(3, 224, seed=3)
    for channels, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            net.conv(channels, keep=16)
            net.relu()
        net.pool()
    for width in (4096, 4096):
        net.dense(width, keep=128)
        net.relu()
    net.dense(1000, keep=128)
    return net


NETWORKS: dict[str, Callable[[], _Writer]] = {"conv": conv_net, "resnet": resnet, "vgg16": vgg16}


def network(name: str, folder: Path) -> Path:
    """The file of a network, written into the folder when it is not there yet."""
    path = folder / f"{name}.onnx"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        NETWORKS[name]().save(path)
    return path
