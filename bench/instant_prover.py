"""A prover that answers at once: everything is proven. For measuring the orchestrator alone; it proves nothing.

Usage: instant_prover.py SAMPLES CLASSES COST, where COST is a file for the CPU seconds that it used.
"""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

REQUEST = re.compile(rb"\(\(id (\d+)\)\(body\((\w+)")
QUERY = re.compile(rb"\(query (\d+)\)")
PROPERTY = re.compile(rb"\(Within|\(Avoid")
PROVEN = b"((verdict Valid)(step instant)(margin(0x1p+0)))"


def send(number: bytes, body: bytes) -> None:
    """Write one frame."""
    payload = b"((id %s)(body(%s)))" % (number, body)
    sys.stdout.buffer.write(b"%d\n%s" % (len(payload), payload))


def verify(number: bytes, payload: bytes) -> None:
    """Answer each query of a batch."""
    starts = [m.start() for m in QUERY.finditer(payload)]
    for start, end in zip(starts, [*starts[1:], len(payload)], strict=True):
        query = QUERY.match(payload, start)
        assert query
        outcomes = PROVEN * len(PROPERTY.findall(payload, start, end))
        send(
            number,
            b"Answer((query %s)(outcomes(%s))(centre(0))(impossible())(reached())(seconds 0x0p+0)(steps()))"
            % (query[1], outcomes),
        )
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cpu = (usage.ru_utime + usage.ru_stime).hex().encode()
    send(number, b"Done((cpu_seconds %s)(peak_memory 0))" % cpu)


def main() -> None:
    """Serve until the input ends."""
    samples, classes, cost = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    labels = b" ".join(b"%d" % (k % classes) for k in range(samples))
    replies = {
        b"Hello": b"Welcome((version 1)(prover instant)(release 0)(rounding none))",
        b"Describe_network": b"Network((input_shape(3 32 32))(outputs %d)(opset 17)(operators())(parameters 0)"
        b"(neurons 0)(digest 00)(normalization_source()))" % classes,
        b"Describe_dataset": b"Dataset((length %d)(shape(3 32 32))(labels(%s))(class_names())(arrays())(digest 00))"
        % (samples, labels),
    }
    while header := sys.stdin.buffer.readline():
        payload = sys.stdin.buffer.read(int(header))
        request = REQUEST.match(payload)
        assert request, payload[:80]
        number, name = request.groups()
        if name == b"Verify":
            verify(number, payload)
        else:
            send(number, replies[name])
        sys.stdout.buffer.flush()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cost.write_text(str(usage.ru_utime + usage.ru_stime), encoding="ascii")


if __name__ == "__main__":
    main()
