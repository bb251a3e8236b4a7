"""The service without a process: what is refused how, and batches that do not fit into memory."""

from __future__ import annotations

import io
from fractions import Fraction

import pytest

from pyprover.engine import Problem
from pyprover.errors import MemoryLimitError, UserError
from pyprover.protocol.errors import ProtocolError
from pyprover.protocol.server import refusal, serve
from pyprover.protocol.service import in_smaller_batches
from pyprover.region import Region

F = Fraction


def test_bugs_are_refused_with_their_traceback() -> None:
    try:
        raise KeyError("ours")
    except KeyError as error:
        reply = refusal(error)
    assert reply.kind == "internal"
    assert "test_service.py" in reply.message
    assert "KeyError: 'ours'" in reply.message


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryLimitError("of ours"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
        RuntimeError("std::bad_alloc"),
    ],
)
def test_exhausted_memory_is_told_from_bugs(error: Exception) -> None:
    assert refusal(error).kind == "memory"
    assert refusal(RuntimeError("mat1 and mat2 shapes cannot be multiplied")).kind == "internal"
    assert refusal(UserError("theirs")).kind == "user"


@pytest.mark.parametrize("capacity", [0, 1, 2, 3, 8])
@pytest.mark.parametrize("count", [1, 5, 8])
def test_batches_shrink_until_they_fit(capacity: int, count: int) -> None:
    region = Region((F(0),), (F(1),), (F(0),), (F(1),))
    problems = [Problem(number, region, ()) for number in range(count)]
    answered: set[int] = set()
    calls: list[int] = []

    def work(part: list[Problem]) -> None:  # answers the first even where the rest is too much
        calls.append(len(part))
        for problem in part[: max(capacity, 1) if len(part) > 1 else capacity]:
            assert problem.query not in answered
            answered.add(problem.query)
        if len(part) > capacity:
            raise MemoryError

    lost = in_smaller_batches(work, problems, answered)  # type: ignore[arg-type]
    assert {problem.query for problem in lost} | answered == set(range(count))
    assert not {problem.query for problem in lost} & answered
    assert capacity == 0 or not lost
    assert len(calls) <= 2 * count


def test_other_errors_are_not_retried() -> None:
    with pytest.raises(KeyError):
        in_smaller_batches(lambda part: {}[0], [], set())


@pytest.mark.parametrize(
    "content",
    [
        b"hello\n",
        b"3\n(a)",
        b"10\n(a)",
        b"1\n(",
        b"52\n((id 1)(body(Describe_dataset((dataset((source a)))))))",
        b"62\n((id 1)(body(Describe_dataset((dataset((source a)(base /))))))   )",
    ],
)
def test_what_is_not_of_the_protocol_is_an_error(content: bytes) -> None:
    replies = io.BytesIO()
    with pytest.raises(ProtocolError):
        serve(io.BytesIO(content), replies)
    assert replies.getvalue() == b""
