"""The messages of the protocol; the page ``grammar/protocol.md`` says what each field means."""

from __future__ import annotations

from dataclasses import dataclass

from pyprover.protocol import codec, sexp
from pyprover.query import DatasetRef, NetworkRef, Query
from pyprover.verdict import Answer

VERSION = 3


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message: who asks, and the settings of the process."""

    version: int
    client: str
    data_dir: str | None
    witness_dir: str
    pictures: bool
    memory_limit: int | None
    noise_directory: str | None
    noise_symbols: int | None
    threads: int
    seed: int
    deployment: str


@dataclass(frozen=True, slots=True)
class DescribeNetwork:
    """Asks for a ``Network``."""

    network: NetworkRef


@dataclass(frozen=True, slots=True)
class DescribeDataset:
    """Asks for a ``Dataset``."""

    dataset: DatasetRef


@dataclass(frozen=True, slots=True)
class Predict:
    """Asks for the arg-max sets at some samples."""

    network: NetworkRef
    dataset: DatasetRef
    indices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Verify:
    """Asks for an ``Answer`` to each query."""

    network: NetworkRef
    queries: tuple[Query, ...]
    time_limit: float
    full_matrix: bool
    domain: str | None


Body = Hello | DescribeNetwork | DescribeDataset | Predict | Verify


@dataclass(frozen=True, slots=True)
class Request:
    """A message to the prover."""

    id: int
    body: Body


@dataclass(frozen=True, slots=True)
class Welcome:
    """Answers ``Hello``."""

    version: int
    prover: str
    release: str
    rounding: str


@dataclass(frozen=True, slots=True)
class Operator:
    """How often an ONNX operator occurs."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Network:
    """Answers ``DescribeNetwork``."""

    input_shape: tuple[int, ...]
    outputs: int
    opset: int
    operators: tuple[Operator, ...]
    parameters: int
    neurons: int
    digest: str
    normalization_source: str | None


@dataclass(frozen=True, slots=True)
class Dataset:
    """Answers ``DescribeDataset``."""

    length: int
    shape: tuple[int, ...]
    labels: tuple[int, ...]
    class_names: tuple[str, ...]
    arrays: tuple[str, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class Predicted:
    """Answers ``Predict``."""

    maximisers: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Done:
    """Ends the answers to ``Verify``; the peak is the process's, in bytes."""

    cpu_seconds: float
    peak_memory: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Answers any request that cannot be served."""

    kind: str
    message: str
    hint: str | None


ReplyBody = Welcome | Network | Dataset | Predicted | Answer | Done | Refused


@dataclass(frozen=True, slots=True)
class Reply:
    """A message from the prover, with the id of its request."""

    id: int
    body: ReplyBody


def read_request(payload: bytes) -> Request:
    """Read a frame's payload; ``ProtocolError`` when it is not a request."""
    request: Request = codec.decode(Request, sexp.parse(payload))
    return request


def write_reply(reply: Reply) -> bytes:
    """Return the payload of ``reply``."""
    return sexp.render(codec.encode(Reply, reply))
