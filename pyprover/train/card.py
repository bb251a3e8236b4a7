"""The part of a model card that says how its network was trained: the entry `training` of `NET.card.json`."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from pyprover.train.checkpoint import replace_file
from pyprover.train.layers import MaxMin, weighted

_PACKAGES = ("pyprover", "torch", "numpy", "onnx", "onnxruntime")


def read_card(path: Path) -> dict[str, Any] | None:
    """Return the entry, or nothing when there is no card with one."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    entry = content.get("training") if isinstance(content, dict) else None
    return entry if isinstance(entry, dict) else None


def write_card(path: Path, training: Mapping[str, Any]) -> None:
    """Write a card with this entry alone: the network takes pixels, no normalisation is to be stated."""
    text = json.dumps({"training": training}, indent=2) + "\n"
    replace_file(path, lambda file: file.write(text.encode()))


def versions() -> dict[str, str]:
    """Return the versions of what computes."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in _PACKAGES}}


def sizes(network: nn.Sequential, sample: Tensor) -> dict[str, int]:
    """Count parameters, those that are not 0, and ReLUs (MaxMin has one a pair); `sample`: images (N, C, H, W)."""
    parameters = [p for layer in weighted(network) for p in (layer.weight, layer.bias) if p is not None]
    relus = 0
    for layer in network:
        if isinstance(layer, nn.ReLU | MaxMin):
            relus += sample[0].numel() // (2 if isinstance(layer, MaxMin) else 1)
        sample = layer(sample)
    return {
        "parameters": sum(p.numel() for p in parameters),
        "parameters_left": sum(int((p != 0).sum()) for p in parameters),
        "relus": relus,
    }
