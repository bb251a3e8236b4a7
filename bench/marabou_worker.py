"""One query in Marabou's own Python environment: ``marabou_worker.py QUERY.json SECONDS``.

Reads what `marabou.py` writes, and prints ``sat``, ``unsat``, ``unknown`` or ``timeout`` last. Each case of each region
is a query of its own, with the comparisons as inequalities. ``sat`` only where ONNX Runtime confirms the assignment.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

warnings.simplefilter("ignore")  # what Marabou says about parsers that are not installed

import numpy as np  # noqa: E402
import onnxruntime  # noqa: E402
from maraboupy import Marabou  # noqa: E402


def violated(session: Any, point: Any, case: list[dict[str, Any]]) -> bool:
    """Whether all comparisons of the case hold at the point, by ONNX Runtime."""
    outputs = session.run(None, {session.get_inputs()[0].name: point})[0].astype(np.float64).ravel()
    values = [comparison["constant"] + sum(w * outputs[k] for k, w in comparison["terms"]) for comparison in case]
    return all(
        value > 0 if comparison["strict"] else value >= 0 for value, comparison in zip(values, case, strict=True)
    )


def main(path: str, seconds: float) -> str:
    """The answer to a query."""
    deadline = time.monotonic() + seconds
    query = json.loads(Path(path).read_text())
    network = Marabou.read_onnx(query["network"])
    session = onnxruntime.InferenceSession(query["network"], providers=["CPUExecutionProvider"])
    inputs, outputs = network.inputVars[0], network.outputVars[0].ravel()
    answer = "unsat"
    for region in query["regions"]:
        lower, upper = np.array(region["lower"]), np.array(region["upper"])
        for variable, low, high in zip(inputs.ravel(), lower, upper, strict=True):
            network.setLowerBound(variable, low)
            network.setUpperBound(variable, high)
        for case in region["cases"]:
            network.additionalEquList.clear()
            for comparison in case:
                variables = [outputs[k] for k, _ in comparison["terms"]]
                weights = [-weight for _, weight in comparison["terms"]]
                network.addInequality(variables, weights, comparison["constant"], isProperty=True)
            left = int(deadline - time.monotonic())
            if left < 1:
                return "timeout"
            options = Marabou.createOptions(timeoutInSeconds=left, verbosity=0)
            status, values, _ = network.solve(verbose=False, options=options)
            if status == "sat":
                point = np.array([values[variable] for variable in inputs.ravel()])
                point = np.clip(point, lower, upper).astype(np.float32).reshape(inputs.shape)
                if violated(session, point, case):
                    return "sat"
                print("an assignment that ONNX Runtime does not confirm", file=sys.stderr)
                answer = "unknown"
            elif status == "TIMEOUT":
                return "timeout"
            elif status != "unsat":
                answer = "unknown"
    return answer


if __name__ == "__main__":
    print(main(sys.argv[1], float(sys.argv[2])))
