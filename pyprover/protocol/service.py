"""What a client is served: the settings of its ``Hello``, what has been read so far, and each kind of request."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

import numpy as np
import torch

from pyprover import engine
from pyprover.card import Source, normalization_of
from pyprover.data import Dataset
from pyprover.domains.resources import Resources
from pyprover.errors import MemoryLimitError, UserError, VersionError
from pyprover.memory import is_out_of_memory, limit_memory, peak_memory
from pyprover.normalization import network_inputs
from pyprover.protocol import messages
from pyprover.protocol.library import Library
from pyprover.protocol.witnesses import Sample, WitnessStore
from pyprover.query import IMAGES, Around, Deployment, NetworkRef, Normalization, Query
from pyprover.region import resolve
from pyprover.verdict import Answer
from pyprover.witness import maximisers

COVERED = {
    Deployment.REAL: "up to float64 rounding",
    Deployment.FLOAT32: "up to float64 rounding, and for every evaluation of the network in float32",
}
"""What a proof covers, for reports."""

_CHUNK = 256  # samples predicted at a time

Reply = Callable[[messages.ReplyBody], None]


class Service:
    """Serves the requests of one client after its ``Hello``; the settings hold for the whole process."""

    def __init__(self, hello: messages.Hello) -> None:
        if hello.version != messages.VERSION:
            raise VersionError(
                f"{hello.client} speaks protocol version {hello.version}, this prover version {messages.VERSION}",
                "install the prover and the orchestrator from one release",
            )
        if not Path(hello.witness_dir).is_dir():
            raise UserError(f"the folder for witnesses, {hello.witness_dir}, does not exist")
        if hello.threads < 1:
            raise UserError(f"{hello.threads} threads: at least one is needed")
        if hello.memory_limit is not None:
            limit_memory(hello.memory_limit)
        if hello.deployment not in list(Deployment):
            choice = ", ".join(Deployment)
            raise UserError(f"{hello.deployment!r} is no deployment that is known here", f"choose one of {choice}")
        torch.set_num_threads(hello.threads)
        folder = None if hello.noise_directory is None else Path(hello.noise_directory)
        self._resources = Resources.asked(hello.memory_limit, folder, hello.noise_symbols)
        self._deployment = Deployment(hello.deployment)
        self._hello = hello
        self._library = Library(hello.data_dir)

    def welcome(self) -> messages.Welcome:
        """Return the answer to ``Hello``."""
        return messages.Welcome(messages.VERSION, "pyprover", release(), COVERED[self._deployment])

    def answer(self, request: messages.Body, reply: Reply) -> None:
        """Serve one request; what cannot be served raises."""
        match request:
            case messages.DescribeNetwork():
                reply(self._describe_network(request.network))
            case messages.DescribeDataset():
                dataset = self._library.dataset(request.dataset)
                reply(describe_dataset(dataset))
            case messages.Predict():
                reply(self._predict(request))
            case messages.Verify():
                self._verify(request, reply)
            case messages.Hello():
                raise AssertionError("the server answers Hello itself")

    def _describe_network(self, ref: NetworkRef) -> messages.Network:
        return describe(self._library.network(ref.path), normalization_of(ref))

    def _predict(self, request: messages.Predict) -> messages.Predicted:
        network, dataset = self._library.network(request.network.path), self._library.dataset(request.dataset)
        normalization = _normalization(request.network)
        indices = [dataset.check_index(index) for index in request.indices]
        answers: list[tuple[int, ...]] = []
        for start in range(0, len(indices), _CHUNK):
            samples = dataset.samples[indices[start : start + _CHUNK]]
            inputs = network_inputs(samples, dataset.exact_value, normalization, network.replayer.input_shape)
            outputs = network.replayer.outputs(inputs)
            if not np.all(np.isfinite(outputs)):
                raise UserError(f"{request.network.path} gives outputs that are not finite at some samples")
            answers += map(maximisers, outputs)
        return messages.Predicted(tuple(answers))

    def _verify(self, request: messages.Verify, reply: Reply) -> None:
        started = time.process_time()
        if not request.time_limit > 0:
            raise UserError(f"a time limit of {request.time_limit:g} s: it must be positive")
        network = self._library.network(request.network.path)
        normalization = _normalization(request.network)
        problems, samples = self._problems(request.queries, network, normalization)
        folder = Path(self._hello.witness_dir)
        settings = engine.Settings(
            time_limit=request.time_limit,
            full_matrix=request.full_matrix,
            domain=request.domain,
            seed=self._hello.seed,
            deployment=self._deployment,
            resources=self._resources,
            store=WitnessStore(folder, self._hello.pictures, normalization, samples).save,
        )
        answered: set[int] = set()

        def emit(answer: Answer) -> None:
            answered.add(answer.query)
            reply(answer)

        def verify(part: Sequence[engine.Problem]) -> None:
            engine.verify(network, part, settings, emit)

        if lost := in_smaller_batches(verify, problems, answered):
            queries = ", ".join(str(problem.query) for problem in lost)
            raise MemoryLimitError(
                f"out of memory, even with one query at a time (queries {queries})",
                "raise the memory limit, or let fewer provers run at a time",
            )
        reply(messages.Done(time.process_time() - started, peak_memory()))

    def _problems(
        self, queries: Sequence[Query], network: engine.Network, normalization: Normalization | None
    ) -> tuple[list[engine.Problem], dict[int, Sample]]:
        problems, samples = [], {}
        for query in queries:
            region = resolve(query.region, normalization, network.replayer.input_shape, self._library.dataset)
            problems.append(engine.Problem(query.query, region, query.properties))
            around = next((bound for bound in query.region if isinstance(bound, Around)), None)
            if around is not None:
                samples[query.query] = Sample(self._library.dataset(around.dataset), around.index)
        return problems, samples


def in_smaller_batches(
    verify: Callable[[Sequence[engine.Problem]], None], problems: Sequence[engine.Problem], answered: set[int]
) -> list[engine.Problem]:
    """Verify all ``problems``; where memory runs out, those not in ``answered`` again, in halves.

    Returns the problems that no memory is left for even alone. ``verify`` adds to ``answered`` as it goes.
    """
    lost: list[engine.Problem] = []
    waiting = [list(problems)]
    while waiting:
        part = waiting.pop()
        try:
            verify(part)
            continue
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        gc.collect()  # after the handler: the error's traceback held the arrays of every frame
        left = [problem for problem in part if problem.query not in answered]
        if len(part) == 1:
            lost += left
        elif left:
            half = (len(left) + 1) // 2
            waiting += [rest for rest in (left[half:], left[:half]) if rest]
    return lost


def describe(network: engine.Network, source: Source | None) -> messages.Network:
    """Return what is known about a network, with who states its normalisation."""
    file = network.file
    return messages.Network(
        input_shape=file.graph.input_shape,
        outputs=file.graph.outputs,
        opset=file.opset,
        operators=tuple(messages.Operator(name, count) for name, count in file.operators),
        parameters=file.parameters,
        neurons=file.graph.neurons,
        digest=file.digest,
        normalization_source=None if source is None else source.name,
    )


def describe_dataset(dataset: Dataset) -> messages.Dataset:
    """Return what is known about a dataset."""
    return messages.Dataset(
        length=len(dataset),
        shape=dataset.shape,
        labels=tuple(dataset.labels.tolist()),
        class_names=dataset.class_names,
        arrays=(IMAGES, *dataset.arrays),
        digest=dataset.digest,
    )


def _normalization(ref: NetworkRef) -> Normalization | None:
    source = normalization_of(ref)
    return None if source is None else source.normalization


def release() -> str:
    """Return the installed release of the prover."""
    try:
        return metadata.version("pyprover")
    except metadata.PackageNotFoundError:
        return "not installed"
