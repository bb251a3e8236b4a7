"""What is asked of a network, as a WhyML specification: whether answers stay inside, at each level."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import jinja2
import numpy as np

from pyprover.hierarchy.reader import read_file
from pyprover.train.data import DIGITS, read_test
from pyprover.train.levels import CLASS, levels_of

_TEXT = """\
theory Study
  use real.RealInfix
  use caisar_ext.model.Model
  use caisar_ext.dataset.Dataset
  use caisar_ext.hierarchy.Hierarchy
  use caisar_ext.safety.AbstractSafety

  constant net  : model     = read_model "net.onnx"
  constant tree : hierarchy = read_hierarchy "{{ hierarchy }}"
  constant test : dataset   = first {{ images }} (read_dataset "{{ dataset }}")
  constant eps  : real      = {{ radius.numerator }}.0 /. {{ radius.denominator }}.0
{% for level in levels %}
  goal level{{ loop.index0 }} : abstract_safe net tree ({{ level }}) test eps
{%- endfor %}
end
"""


def specification(data: str, hierarchy: Path, folder: Path, radius: Fraction, images: int) -> str:
    """The text for a network in a folder; goal k is about the k-th level of `levels_of` the hierarchy."""
    text: str = jinja2.Template(_TEXT, undefined=jinja2.StrictUndefined, keep_trailing_newline=True).render(
        hierarchy=os.path.relpath(hierarchy, folder),
        dataset=f"{DIGITS}.npz" if data == DIGITS else f"{data}:test",
        images=images,
        radius=radius,
        levels=[_written(name) for name in levels_of(read_file(hierarchy))],
    )
    return text


def _written(level: str) -> str:
    kind, _, name = level.partition(" ")
    if kind == CLASS:
        return "up 0"
    return f'cut "{name}"' if kind == "cut" else level


def write_digits(folder: Path) -> None:
    """Write scikit-learn's test digits where a specification finds them: other data is in the data folder."""
    samples, _ = read_test(DIGITS)
    images = samples.images.permute(0, 2, 3, 1).numpy()
    np.savez(folder / f"{DIGITS}.npz", images=images, labels=samples.labels.numpy())
