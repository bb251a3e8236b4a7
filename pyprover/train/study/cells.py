"""The cells of a study: each one network, with its folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from pyprover.data.files import sha256
from pyprover.train.card import read_card
from pyprover.train.config import Config, digest, table_of
from pyprover.train.data import read_test, read_training
from pyprover.train.run import Place
from pyprover.train.study.config import Study
from pyprover.train.study.specification import specification


@dataclass(frozen=True)
class Basis:
    """What figures rest on beside a study's files: digests of the data, and what programs say of their versions."""

    training: str
    test: str
    programs: str

    @classmethod
    def of(cls, study: Study, programs: str, data_dir: str | None) -> Basis:
        """Read the data; `UserError` when it cannot be had."""
        config = next(iter(study.recipes.values()))
        training = read_training(config.data, config.validation.images, data_dir).digest
        return cls(training, read_test(config.data, data_dir)[1], programs)


@dataclass(frozen=True)
class Cell:
    """A recipe and a seed.

    ``folder`` holds the network, its card, and for each radius a specification and what was found.
    """

    study: Study
    label: str
    seed: int
    folder: Path

    @property
    def name(self) -> str:
        """For people, and for the folder."""
        return f"{self.label}-seed{self.seed}"

    @property
    def config(self) -> Config:
        """Its training."""
        return replace(self.study.recipes[self.label], seed=self.seed)

    @property
    def settings(self) -> str:
        """The digest of all that decides its training but the data, kept in `training.txt`."""
        return digest(table_of(self.config), sha256(self.study.hierarchy))

    @property
    def kept_settings(self) -> Path:
        """The file that says which training is in the folder."""
        return self.folder / "training.txt"

    @property
    def place(self) -> Place:
        """Where its training is."""
        return Place(self.folder / "net.onnx", self.study.path.parent)

    def question(self, radius: Fraction) -> Path:
        """The specification at a radius."""
        return self.folder / f"within-{radius.numerator}-{radius.denominator}.mlw"

    def answer(self, radius: Fraction) -> Path:
        """What was found at a radius."""
        return self.question(radius).with_suffix(".json")

    def key(self, radius: Fraction, basis: Basis) -> str:
        """The digest of all that decides a report."""
        files = sha256(self.place.output), sha256(self.study.hierarchy)
        return digest(*files, self.text(radius), self.study.asked.time_limit, basis.test, basis.programs)

    def text(self, radius: Fraction) -> str:
        """The specification as it is to be."""
        return specification(self.config.data, self.study.hierarchy, self.folder, radius, self.study.asked.images)

    def found(self, radius: Fraction, basis: Basis) -> dict[str, Any] | None:
        """What was found at a radius, when just this was asked of just this network: see `work`."""
        try:
            kept: dict[str, Any] = json.loads(self.answer(radius).read_text(encoding="utf-8"))
            return kept if kept["key"] == self.key(radius, basis) else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def card(self, basis: Basis) -> dict[str, Any] | None:
        """The card's entry, when the training is done: measured on test images, with a network that belongs to it."""
        entry = read_card(self.place.card)
        if entry is None or "test" not in entry.get("figures", {}) or not self.begun():
            return None
        if (entry["data"]["digest"], entry["data"]["test_digest"]) != (basis.training, basis.test):
            return None
        network = self.place.output
        return entry if network.is_file() and entry["network"]["digest"] == sha256(network) else None

    def begun(self) -> bool:
        """Whether what is in the folder belongs to this training."""
        return self.kept_settings.is_file() and self.kept_settings.read_text(encoding="ascii") == self.settings

    def done(self, basis: Basis) -> bool:
        """Whether nothing is left to do."""
        if self.card(basis) is None:
            return False
        return all(self.found(radius, basis) is not None for radius in self.study.asked.radii)


def cells(study: Study, output: Path) -> Iterator[Cell]:
    """All cells, seed after seed, so that a study that is stopped has something of every recipe."""
    for seed in study.asked.seeds:
        for label in study.recipes:
            yield Cell(study, label, seed, output / "cells" / f"{label}-seed{seed}")
