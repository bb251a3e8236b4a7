"""The prover as a process: verdicts, refusals, memory, and what happens at its ends."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pyprover.protocol import codec, messages, sexp
from pyprover.query import (
    Ball,
    Bound,
    Box,
    Feature,
    NetworkRef,
    Normalization,
    Query,
    Radii,
    Range,
    Relative,
    Row,
    Within,
)
from pyprover.verdict import Answer, Invalid
from tests.python.prover_process import Server, network, run, samples, write_files

F = Fraction


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_files(tmp_path)


@pytest.fixture
def server() -> Iterator[Server]:
    """Start a process for one test."""
    server = Server()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    """Start a process for several tests; each says Hello anew."""
    server = Server()
    yield server
    status, errors = server.end()
    assert (status, errors) == (0, "")


# Verdicts


def test_verify_answers_every_query(running: Server, folder: Path) -> None:
    running.hello(folder, pictures=True)
    unit = Range(F(0), F(1))
    queries = (
        Query(0, (Ball(samples(folder), 0, F(1, 10)), unit), (Within((0,)), Within((0, 1)))),
        Query(1, (Ball(samples(folder), 1, F(1, 10)), unit), (Within((0,)), Within((0, 1)))),
        Query(2, (Ball(samples(folder), 2, F(1, 10)), unit), (Within((0,)), Within((0, 1)))),
        Query(3, (Range(F(1), F(0)),), (Within((2,)),)),
        Query(4, (unit,), (Within((0, 1, 2)),)),
    )
    *answers, done = running.ask(messages.Verify(network(folder), queries, 20.0, full_matrix=False, domain=None))
    assert isinstance(done, messages.Done)
    assert done.peak_memory > 10**7
    by_query = {answer.query: answer for answer in answers if isinstance(answer, Answer)}
    kinds = {query: [type(o.verdict).__name__ for o in answer.outcomes] for query, answer in by_query.items()}
    assert kinds == {
        0: ["Valid", "Valid"],
        1: ["Invalid", "Valid"],
        2: ["Invalid", "Valid"],
        3: ["Valid"],
        4: ["Valid"],
    }
    assert by_query[3].outcomes[0].step == "empty"
    assert by_query[1].centre == (1,)
    refuted = by_query[2].outcomes[0].verdict
    assert isinstance(refuted, Invalid)
    check_witness(refuted, folder)
    at_centre = by_query[1].outcomes[0].verdict
    assert isinstance(at_centre, Invalid)
    assert at_centre.witness.centre


def check_witness(refuted: Invalid, folder: Path) -> None:
    """The file holds a point of the ball that the command line classifies as the witness says."""
    witness = refuted.witness
    point = np.load(witness.file)
    assert (point.dtype, point.shape) == (np.float32, (1, 2, 2))
    centre = [F(128, 255), F(127, 255)] * 2
    distances = [abs(F(float(value)) - middle) for value, middle in zip(point.ravel(), centre, strict=True)]
    assert max(distances) <= F(1, 10)
    assert witness.distance == float(max(distances))
    result = json.loads(run("replay", str(folder / "columns.onnx"), witness.file, "--json").stdout)
    assert tuple(result["classes"]) == witness.classes == (1,)
    assert result["outputs"][1] - result["outputs"][0] == pytest.approx(witness.margin)
    assert witness.picture is not None
    with Image.open(witness.picture) as picture:
        assert picture.size[0] > 3 * 192


def test_regions_may_come_from_arrays(running: Server, folder: Path) -> None:
    """Proofs hold for all of a region, and witnesses lie in it, where its bounds or radii are a dataset's."""
    narrow = {"lower": [0.8, 0.0, 0.8, 0.0], "upper": [1.0, 0.5, 1.0, 0.5], "radii": [0.1, 0.3, 0.1, 0.3]}
    wide = {"below": [102, 0, 102, 0], "above": [255] * 4, "large": [102, 204, 102, 204]}
    arrays = {name: np.reshape(values, (1, 2, 2)) for name, values in narrow.items()}
    arrays |= {name: np.array(values, np.uint8).reshape(1, 2, 2) for name, values in wide.items()}
    images = np.array([[[204, 0], [204, 0]]], np.uint8)
    np.savez(folder / "boxes.npz", images=images, labels=np.array([0]), **arrays)
    data = samples(folder, "boxes.npz")
    row = {name: Row(data, name, 0) for name in arrays}
    regions: dict[Bound, tuple[list[Fraction], list[Fraction]] | None] = {
        Box(row["lower"], row["upper"]): None,
        Radii(data, 0, row["radii"]): None,
        Relative(data, 0, F(1, 2)): None,
        Box(row["below"], row["above"]): ([F(2, 5), F(0)] * 2, [F(1)] * 4),
        Radii(data, 0, row["large"]): ([F(2, 5), F(-4, 5)] * 2, [F(6, 5), F(4, 5)] * 2),
        Relative(data, 0, F(9, 10)): ([F(2, 25), F(0)] * 2, [F(38, 25), F(0)] * 2),
    }
    running.hello(folder, pictures=True)
    queries = tuple(Query(i, (region,), (Within((0,)),)) for i, region in enumerate(regions))
    *answers, _ = running.ask(messages.Verify(network(folder), queries, 20.0, full_matrix=False, domain=None))
    verdicts = {answer.query: answer.outcomes[0].verdict for answer in answers if isinstance(answer, Answer)}
    for i, box in enumerate(regions.values()):
        verdict = verdicts[i]
        assert type(verdict).__name__ == ("Valid" if box is None else "Invalid")
        if box is not None:
            assert isinstance(verdict, Invalid)
            point = [F(float(value)) for value in np.load(verdict.witness.file).ravel()]
            assert all(low <= value <= high for low, value, high in zip(box[0], point, box[1], strict=True))


def test_normalised_networks_get_witnesses_in_their_own_units(running: Server, folder: Path) -> None:
    running.hello(folder)
    normalization = Normalization((F(1, 2),), (F(1, 4),))
    features = tuple(Feature(index, F(0), F(1, 8 if index % 2 else 1), False, True) for index in range(4))
    query = Query(0, features, (Within((2,)),))
    answer, _ = running.ask(messages.Verify(network(folder, normalization), (query,), 20.0, False, None))
    assert isinstance(answer, Answer)
    refuted = answer.outcomes[0].verdict
    assert isinstance(refuted, Invalid)
    point = np.load(refuted.witness.file).astype(np.float64).ravel() / 4 + 0.5
    assert point.min() >= 0
    assert (point < [1, 1 / 8, 1, 1 / 8]).all()
    assert refuted.witness.classes == (0,)


def test_predict_gives_maximisers_at_the_samples(running: Server, folder: Path) -> None:
    running.hello(folder)
    indices = tuple(np.arange(1000) % 3)
    reply = running.ask_one(messages.Predict(network(folder), samples(folder), tuple(map(int, indices))))
    assert reply == messages.Predicted(((0,), (1,), (0,)) * 333 + ((0,),))
    normalization = Normalization((F(128, 255),), (F(1),))
    reply = running.ask_one(messages.Predict(network(folder, normalization), samples(folder), (2,)))
    assert reply == messages.Predicted(((2,),))


# Refusals


def test_mistakes_are_refused_and_the_server_goes_on(running: Server, folder: Path) -> None:
    running.hello(folder)
    net, data = network(folder), samples(folder)
    (folder / "columns.card.json").write_text('{"normalization": {"mean": [0.5], "std": [0.25]}}')
    cases: list[tuple[messages.Body, str]] = [
        (messages.DescribeNetwork(NetworkRef(str(folder / "no.onnx"), None)), "no.onnx"),
        (messages.DescribeNetwork(NetworkRef(str(folder / "test.npz"), None)), "test.npz"),
        (messages.DescribeNetwork(network(folder, Normalization((F(0),), (F(1),)))), "stated twice"),
        (messages.DescribeDataset(samples(folder, "no.npz")), "does not exist"),
        (messages.DescribeDataset(samples(folder, "no:test")), "was not found"),
        (messages.Predict(net, data, (0, 3)), "sample 3 does not exist"),
        (messages.Predict(net, samples(folder, "wide.npz"), (0,)), "samples have shape [1, 3, 3]"),
        (verify(net, Query(0, (Ball(data, -1, F(0)),), ())), "sample -1 does not exist"),
        (verify(net, Query(0, (), ())), "has no lower bound"),
        (verify(net, Query(0, (Range(F(0), F(1)),), (Within((3,)),))), "output 3 does not exist"),
        (messages.Verify(net, (), 0.0, False, None), "time limit"),
        (messages.Verify(net, (), 1.0, False, "octagon"), "unknown domain"),
    ]
    for body, words in cases:
        reply = running.ask_one(body)
        assert isinstance(reply, messages.Refused)
        assert (reply.kind, words in reply.message) == ("user", True), reply


def verify(net: NetworkRef, query: Query) -> messages.Verify:
    return messages.Verify(net, (query,), 20.0, full_matrix=False, domain=None)


def test_answers_say_how_noise_was_kept(server: Server, folder: Path) -> None:
    assert isinstance(server.hello(folder, noise_directory=str(folder), noise_symbols=1), messages.Welcome)
    query = Query(0, (Ball(samples(folder), 0, F(1, 10)), Range(F(0), F(1))), (Within((0,)),))
    answer, _ = server.ask(messages.Verify(network(folder), (query,), 20.0, full_matrix=False, domain="zonotope"))
    assert isinstance(answer, Answer)
    kept = {step.name: step.noise for step in answer.steps}
    assert kept["centre"] is None
    assert kept["zonotope"] is not None
    assert kept["zonotope"].symbols == 1
    refused = server.hello(folder, noise_directory=str(folder / "nowhere"))
    assert isinstance(refused, messages.Refused)
    assert (refused.kind, "cannot be kept" in refused.message) == ("user", True)


def test_a_memory_limit_holds(server: Server, folder: Path) -> None:
    reply = server.hello(folder, memory_limit=1 << 20)
    assert isinstance(reply, messages.Refused)
    assert reply.kind == "user"
    assert isinstance(server.hello(folder, memory_limit=600 << 20), messages.Welcome)
    with zipfile.ZipFile(folder / "huge.npz", "w") as archive, archive.open("images.npy", "w") as member:
        header = {"descr": "|u1", "fortran_order": False, "shape": (1_000_000, 28, 28)}
        np.lib.format.write_array_header_1_0(member, header)
    refused = server.ask_one(messages.DescribeDataset(samples(folder, "huge.npz")))
    assert isinstance(refused, messages.Refused)
    assert refused.kind == "memory"
    described = server.ask_one(messages.DescribeDataset(samples(folder)))
    assert isinstance(described, messages.Dataset)


def test_a_deployment_is_one_of_those_known(server: Server, folder: Path) -> None:
    refused = server.hello(folder, deployment="float16")
    assert isinstance(refused, messages.Refused)
    assert (refused.kind, refused.hint) == ("user", "choose one of real, float32")
    welcome = server.hello(folder, deployment="float32")
    assert isinstance(welcome, messages.Welcome)
    assert "float32" in welcome.rounding
    query = Query(0, (Ball(samples(folder), 0, F(1, 1000)),), (Within((0, 1)),))
    *_, done = server.ask(verify(network(folder), query))
    assert isinstance(done, messages.Done)


# The process


def test_what_libraries_print_does_not_reach_the_frames(folder: Path) -> None:
    code = (
        "import os, sys; from pyprover.protocol import server as s;"
        "old = s.serve\n"
        "def serve(requests, replies):\n"
        "    print('python'); os.system('echo shell'); os.write(1, b'descriptor\\n'); assert sys.stdin.read() == ''\n"
        "    old(requests, replies)\n"
        "s.serve = serve; s.serve_standard_streams()"
    )
    request = messages.Request(1, messages.Hello(9, "test", None, str(folder), False, None, None, None, 1, 0, "real"))
    payload = sexp.render(codec.encode(messages.Request, request))
    result = subprocess.run(
        [sys.executable, "-c", code],
        input=b"%d\n%s" % (len(payload), payload),
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert {b"python", b"shell", b"descriptor"} <= set(result.stderr.split())
    header, _, reply = result.stdout.partition(b"\n")
    assert int(header) == len(reply)
    assert b"(kind version)" in reply


def test_a_client_that_is_gone_is_no_bug(server: Server, folder: Path) -> None:
    assert server.process.stdout is not None
    server.process.stdout.close()
    hello = messages.Hello(9, "test", None, str(folder), False, None, None, None, 1, 0, "real")
    server.send(sexp.render(codec.encode(messages.Request, messages.Request(1, hello))))
    assert server.process.stdin is not None
    server.process.stdin.close()
    assert server.process.wait(60) == 0
    assert server.process.stderr is not None
    assert server.process.stderr.read() == b""


def test_files_that_change_are_read_again(running: Server, folder: Path) -> None:
    running.hello(folder)
    before = running.ask_one(messages.DescribeDataset(samples(folder)))
    np.savez(folder / "test.npz", images=np.zeros((7, 2, 2), np.uint8), labels=np.zeros(7, np.int64))
    after = running.ask_one(messages.DescribeDataset(samples(folder)))
    assert isinstance(before, messages.Dataset)
    assert isinstance(after, messages.Dataset)
    assert (before.length, after.length) == (3, 7)
    assert before.digest != after.digest
