"""Questions, as the protocol page defines them: exact, independent of any network library."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Normalization:
    """The network is applied to ``(x - mean) / std``; one number a channel, or one for all."""

    mean: tuple[Fraction, ...]
    std: tuple[Fraction, ...]


@dataclass(frozen=True, slots=True)
class NetworkRef:
    """An ONNX file by absolute path, with the normalisation that the specification wrote."""

    path: str
    normalization: Normalization | None


@dataclass(frozen=True, slots=True)
class DatasetRef:
    """A dataset as the specification names it; relative paths start at ``base``."""

    source: str
    base: str


@dataclass(frozen=True, slots=True)
class Ball:
    """Closed max-norm ball around a sample; radius in data units."""

    dataset: DatasetRef
    index: int
    radius: Fraction


IMAGES = "images"  # the array of the samples themselves


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of an array with as many features as a sample: ``images``, or another of the dataset's arrays."""

    dataset: DatasetRef
    array: str
    index: int


@dataclass(frozen=True, slots=True)
class Radii:
    """Closed box around a sample, with a radius of its own for each feature; where one is negative, nothing."""

    dataset: DatasetRef
    index: int
    radii: Row


@dataclass(frozen=True, slots=True)
class Relative:
    """Closed box around a sample: each feature ``c`` has the radius ``ratio * |c|``."""

    dataset: DatasetRef
    index: int
    ratio: Fraction


@dataclass(frozen=True, slots=True)
class Box:
    """Closed box between two rows, feature by feature."""

    lower: Row
    upper: Row


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds on every feature."""

    lower: Fraction | None
    upper: Fraction | None


@dataclass(frozen=True, slots=True)
class Feature:
    """Bounds on one feature (row-major index)."""

    index: int
    lower: Fraction | None
    upper: Fraction | None
    strict_lower: bool
    strict_upper: bool


Around = Ball | Radii | Relative
Bound = Around | Box | Range | Feature


@dataclass(frozen=True, slots=True)
class Term:
    """``weight * output``."""

    output: int
    weight: Fraction


@dataclass(frozen=True, slots=True)
class Comparison:
    """``sum of terms + constant >= 0``, or ``> 0`` when strict."""

    terms: tuple[Term, ...]
    constant: Fraction
    strict: bool


@dataclass(frozen=True, slots=True)
class Within:
    """Every maximiser of the outputs, everywhere in the region, is one of these classes."""

    classes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Avoid:
    """At no point of the region do all comparisons of one of the cases hold."""

    cases: tuple[tuple[Comparison, ...], ...]


Property = Within | Avoid


class Deployment(StrEnum):
    """What is proven about: the network over the reals, or also its evaluation in float32, at float32 inputs."""

    REAL = "real"
    FLOAT32 = "float32"


@dataclass(frozen=True, slots=True)
class Query:
    """One region of one network, and what must hold there."""

    query: int
    region: tuple[Bound, ...]
    properties: tuple[Property, ...]
