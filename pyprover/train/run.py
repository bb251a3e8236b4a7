"""One training from its configuration to its files: `NET.onnx`, and `NET.card.json` with all that repeats it.

What is done already is not done again: a card of the same key, beside a network of the digest that it states, ends the
run at once; a checkpoint of the same key is gone on with. So a grid of trainings is a loop over `perform`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pyprover.data.files import sha256
from pyprover.errors import UserError
from pyprover.hierarchy.reader import read_file
from pyprover.train import lipschitz
from pyprover.train.card import read_card, sizes, versions, write_card
from pyprover.train.checkpoint import Checkpoint
from pyprover.train.config import Config, digest, table_of
from pyprover.train.data import TrainingData, read_test, read_training
from pyprover.train.export import runtime_outputs, write_onnx
from pyprover.train.levels import Levels, levels_of, parse_level, table
from pyprover.train.loop import Figures, Job, Progress, Show, train
from pyprover.train.measure import score, unstable
from pyprover.train.networks import build
from pyprover.train.options import OptionError
from pyprover.train.recipes.base import Recipe
from pyprover.train.samples import Samples
from pyprover.train.simplify import plain, simplified

BOUNDED = 1000
"""Samples on which bounds and attacks are measured at the end, the first ones; answers are on all."""


_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Place:
    """Where things are: the network to write, the folder that `hierarchy` is relative to, the data, the device."""

    output: Path
    base: Path
    data_dir: str | None = None
    device: torch.device = _CPU

    @property
    def checkpoint(self) -> Path:
        """The file that keeps an unfinished training."""
        return self.output.with_suffix(".checkpoint.pt")

    @property
    def card(self) -> Path:
        """The card beside the network."""
        return self.output.with_suffix(".card.json")


@dataclass(frozen=True, eq=False)
class _Inputs:
    """Everything that decides a training, read and checked; `key` is the digest of it all."""

    config: Config
    recipe: Recipe
    data: TrainingData
    levels: Levels
    key: str


def perform(config: Config, place: Place, show: Show, *, test: bool = True) -> dict[str, Any]:
    """Train, write and measure, unless it is done; returns the card's entry `training`.

    With `test` the test images are measured, once, when all else is settled; without, the checkpoint stays, so that a
    later call can. Raises `UserError` for what cannot be read or written or belongs to another training, `OptionError`
    for a configuration that does not fit the data.
    """
    inputs = _read(config, place)
    done = _finished(place, inputs.key)
    if done is not None and ("test" in done["figures"] or not test):
        return done
    checkpoint = Checkpoint(place.checkpoint, inputs.key)
    if place.output.exists() and not place.checkpoint.exists():
        raise UserError(f"{place.output} is there already, of another training", "--restart replaces it")
    torch.manual_seed(config.seed)
    data = inputs.data
    statistics = data.statistics() if config.network.normalize else None
    network = build(config.network, data.fit.images.shape[1:], data.classes, statistics)
    progress = train(network, _job(inputs, place.device), show, checkpoint)
    entry = _write(network, progress, inputs, place)
    if test:
        samples, entry["data"]["test_digest"] = read_test(config.data, place.data_dir)
        entry["figures"]["test"] = _figures(plain(network), place.output, samples, inputs)
    write_card(place.card, entry)
    if test:
        checkpoint.remove()
    return entry


def restart(place: Place) -> None:
    """Forget a training, so that `perform` begins anew."""
    for path in (place.card, place.output, place.checkpoint):
        path.unlink(missing_ok=True)


def _read(config: Config, place: Place) -> _Inputs:
    """Read what the configuration names."""
    if not place.output.parent.is_dir():
        raise UserError(f"there is no folder {place.output.parent}")
    data = read_training(config.data, config.validation.images, place.data_dir)
    levels, hierarchy = dict(data.levels), ""
    recipe = config.recipe.build()
    if config.hierarchy:
        path = place.base / config.hierarchy
        tree, hierarchy = read_file(path), sha256(path)
        if len(tree.leaves) != data.classes:
            message = f"{path} has {len(tree.leaves)} classes, {config.data} has {data.classes}"
            raise OptionError(("hierarchy",), message)
        levels = dict(levels_of(tree))
        for name in recipe.levels:
            try:
                levels.setdefault(name, table(tree, parse_level(name)))
            except KeyError:
                raise OptionError(("recipe", "levels"), f"{path} has no {name}") from None
    if missing := [name for name in recipe.levels if name not in levels]:
        raise OptionError(("recipe", "levels"), f"{missing[0]} needs a hierarchy", 'write `hierarchy = "classes.hier"`')
    key = digest(table_of(config), data.source, data.digest, hierarchy, versions())
    return _Inputs(config, recipe, data, levels, key)


def _finished(place: Place, key: str) -> dict[str, Any] | None:
    """The card's entry, when it is of this key and the network is the one that it is about."""
    entry = read_card(place.card)
    if entry is None or entry.get("key") != key or not place.output.is_file():
        return None
    return entry if entry["network"]["digest"] == sha256(place.output) else None


def _job(inputs: _Inputs, device: torch.device) -> Job:
    config, data, recipe = inputs.config, inputs.data, inputs.recipe
    watched = data.held_out.part(slice(config.validation.measured)).to(device)
    judged = {name: inputs.levels[name].to(device) for name in recipe.levels}
    radius = float(config.radius)

    def measure(network: nn.Sequential) -> Figures:
        scores = {name: asdict(found) for name, found in score(network, watched, judged, radius).items()}
        total = sum(recipe.levels.values())
        figures = {
            share: sum(weight * scores[name][share] for name, weight in recipe.levels.items()) / total
            for share in ("natural", "attacked", "certified")
        }
        return figures if recipe.l2 is None else {**figures, "l2": _l2(network, watched, recipe.l2)}

    return Job(
        recipe,
        config.schedule,
        data.fit,
        {name: allowed.to(device) for name, allowed in inputs.levels.items()},
        radius,
        config.seed,
        measure,
        config.validation.every,
        config.validation.patience,
        device,
    )


def _l2(network: nn.Sequential, samples: Samples, radius: float) -> float:
    """The share of samples whose class the Lipschitz constant certifies within an l2 radius, in data units."""
    certain = 0
    constant = lipschitz.constant(plain(network))
    for batch in samples.batches(500):
        with torch.no_grad():
            certain += int(lipschitz.certified_l2(network(batch.pixels), batch.labels, constant, radius).sum())
    return certain / len(samples)


def _write(network: nn.Sequential, progress: Progress, inputs: _Inputs, place: Place) -> dict[str, Any]:
    """Write the network and return its entry, measured on the images held out."""
    config, data = inputs.config, inputs.data
    sample = data.held_out.part(slice(100)).pixels
    final = simplified(network)
    difference = write_onnx(final, sample, place.output)
    return {
        "key": inputs.key,
        "config": table_of(config),
        "data": {
            "source": data.source,
            "digest": data.digest,
            "fit": len(data.fit),
            "held_out": len(data.held_out),
        },
        "versions": versions(),
        "device": str(place.device),
        "threads": torch.get_num_threads(),
        "network": {"digest": sha256(place.output), **sizes(final, sample[:1]), "runtime_difference": difference},
        "epochs": {"run": progress.epoch, "kept": progress.best.get("epoch", progress.epoch)},
        "cpu_seconds": round(progress.cpu_seconds, 1),
        "history": progress.history,
        "figures": {"held_out": _figures(plain(network), place.output, data.held_out, inputs)},
    }


def _figures(network: nn.Sequential, path: Path, samples: Samples, inputs: _Inputs) -> dict[str, Any]:
    """Shares at each level: answers of the file on all samples, attacks and bounds on the first `BOUNDED`."""
    answers = torch.from_numpy(runtime_outputs(path, samples.pixels.numpy()).argmax(1))
    first, radius = samples.part(slice(BOUNDED)), float(inputs.config.radius)
    scores = score(network, first, inputs.levels, radius)
    levels = {
        name: {"answers": float(allowed[samples.labels, answers].double().mean()), **asdict(scores[name])}
        for name, allowed in inputs.levels.items()
    }
    figures = {
        "samples": len(samples),
        "bounded": len(first),
        "levels": levels,
        "unstable_relus": unstable(network, first, radius),
    }
    if inputs.recipe.l2 is not None:
        share = _l2(network, first, inputs.recipe.l2)
        figures["l2"] = {"radius": inputs.recipe.l2, "lipschitz": lipschitz.constant(network), "certified": share}
    return figures
