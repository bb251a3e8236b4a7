"""Networks of scikit-learn as skl2onnx writes them: perceptrons are read, other models are refused by name."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from pyprover.errors import UnsupportedOperator, UserError
from pyprover.load import load
from pyprover.witness import Replayer
from tests.python.agreement import assert_agrees

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from skl2onnx import to_onnx

X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
LABELS = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)


def converted(model: Any, targets: Any, path: Path, **options: Any) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a few steps of training do not converge
        onnx.save(to_onnx(model.fit(X, targets), X[:1], **options), path)
    return str(path)


def perceptron(kind: type[Any], activation: str = "relu") -> Any:
    return kind(hidden_layer_sizes=(8, 5), activation=activation, max_iter=20, random_state=0)


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
@pytest.mark.parametrize("targets", [LABELS, LABELS > 0])
@pytest.mark.parametrize("scaled", [False, True])
def test_classifiers(activation: str, targets: Any, scaled: bool, tmp_path: Path) -> None:
    model = perceptron(MLPClassifier, activation)
    model = make_pipeline(StandardScaler(), model) if scaled else model
    path = converted(model, targets, tmp_path / "net.onnx", options={"zipmap": False})
    assert_agrees(path, output="probabilities")
    np.testing.assert_allclose(Replayer(path).outputs(X), model.predict_proba(X), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic"])
def test_regressors(activation: str, tmp_path: Path) -> None:
    path = converted(perceptron(MLPRegressor, activation), X[:, 0] * X[:, 1], tmp_path / "net.onnx")
    assert_agrees(path)


def test_maps_of_probabilities_are_refused_with_a_hint(tmp_path: Path) -> None:
    path = converted(perceptron(MLPClassifier), LABELS, tmp_path / "net.onnx")
    with pytest.raises(UserError, match="output_label, output_probability") as caught:
        load(path)
    assert "zipmap=False" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("model", "name"),
    [(DecisionTreeClassifier(), "TreeEnsembleClassifier"), (SVC(), "SVMClassifier")],
)
def test_other_models_are_refused_by_name(model: Any, name: str, tmp_path: Path) -> None:
    path = converted(model, LABELS, tmp_path / "net.onnx", options={"zipmap": False})
    with pytest.raises(UnsupportedOperator, match=f"ai.onnx.ml.{name}"):
        load(path)
