"""Networks as torch writes them, by both exporters and in several opsets: read, and equal to ONNX Runtime."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.python.agreement import assert_agrees


class Perceptron(nn.Module):
    shape = (3, 4)

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(12, 7), nn.ReLU(), nn.Linear(7, 5, bias=False), nn.ReLU())
        self.head = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layers(x))  # type: ignore[no-any-return]


class Convolutional(nn.Module):
    shape = (2, 9, 8)

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(2, 4, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Conv2d(4, 4, 3, padding=1, groups=2),
            nn.LeakyReLU(0.1),
            nn.AvgPool2d(2, ceil_mode=False, padding=1),
            nn.Dropout(),
        )
        self.head = nn.Linear(4 * 3 * 3, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.features((x - 0.5) / 0.25)
        return self.head(h.view(x.size(0), -1))  # type: ignore[no-any-return]


class Residual(nn.Module):
    shape = (2, 6, 6)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 4, 3, padding=1)
        self.body = nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 8, 3, stride=2, padding=1))
        self.short = nn.Conv2d(4, 8, 1, stride=2)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = self.stem(x)
        h = functional.relu(self.body(h) - self.short(h))
        h = functional.adaptive_avg_pool2d(h, 1).squeeze(3).squeeze(2)
        return self.head(h)  # type: ignore[no-any-return]


class Shapes(nn.Module):
    """Parts, joins, enlargements, computed shapes."""

    shape = (4, 6, 6)

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1, output_padding=1)
        self.head = nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        first, second = x.chunk(2, dim=1)
        h = torch.cat([functional.relu(first[:, :, ::2, 1:]), second[:, :, 3:, :-1]], dim=1)
        h = functional.interpolate(h, scale_factor=2.0, mode="nearest")
        h = functional.pad(h, (0, 2, 1, 0), value=0.5)
        h = torch.cat([self.up(h[:, :2]), x.mean((2, 3), keepdim=True).expand(-1, -1, 14, 24)], dim=1)
        b, c, height, width = h.shape
        h = h.reshape(b, c, height * width)[..., :6].sum(-1)
        h = torch.stack([h, h * 0.5], dim=2).transpose(1, 2).flatten(1)[:, :12]
        h = functional.pad(h, (0, 12 - h.shape[1]))
        return self.head(h) + h.mean(1, keepdim=True)  # type: ignore[no-any-return]


MODULES: tuple[type[nn.Module], ...] = (Perceptron, Convolutional, Residual, Shapes)
OPSETS: dict[bool, tuple[int, ...]] = {False: (9, 11, 13, 20), True: (18, 23)}
"""By exporter, the newer one last."""
CASES = [
    (module, dynamo, opset)
    for module in MODULES
    for dynamo in OPSETS
    for opset in OPSETS[dynamo]
    if (module, opset) != (Shapes, 9)  # torch cannot write slices with steps in it
]


def export(module: type[nn.Module], path: Path, *, dynamo: bool, opset: int, batched: bool) -> str:
    torch.manual_seed(0)
    model, x = module().eval(), torch.randn(2 if batched else 1, *module.shape)  # type: ignore[misc, arg-type]
    for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.uniform_(norm.running_var, 0.5, 2.0)  # type: ignore[arg-type]
        nn.init.normal_(norm.running_mean)  # type: ignore[arg-type]
    extra: dict[str, object] = {}
    if batched and dynamo:
        extra["dynamic_shapes"] = ({0: torch.export.Dim("n")},)
    elif batched:
        extra["dynamic_axes"] = {"x": {0: "n"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model, (x,), str(path), input_names=["x"], dynamo=dynamo, opset_version=opset, verbose=False, **extra
        )
    return str(path)


@pytest.mark.parametrize(("module", "dynamo", "opset"), CASES)
def test_export_agrees(module: type[nn.Module], dynamo: bool, opset: int, tmp_path: Path) -> None:
    assert_agrees(export(module, tmp_path / "net.onnx", dynamo=dynamo, opset=opset, batched=False))


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize(("dynamo", "opset"), [(False, 17), (True, 18)])
def test_export_with_an_open_batch_agrees(module: type[nn.Module], dynamo: bool, opset: int, tmp_path: Path) -> None:
    assert_agrees(export(module, tmp_path / "net.onnx", dynamo=dynamo, opset=opset, batched=True))
