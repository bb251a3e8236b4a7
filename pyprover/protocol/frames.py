"""Frames: the number of bytes of the payload in decimal, a newline, the payload."""

from __future__ import annotations

import re
from typing import BinaryIO

from pyprover.protocol.errors import ProtocolError

MAX_PAYLOAD = 64 * 1024 * 1024
_MAX_DIGITS = 10
_HEADER = re.compile(rb"\d{1,10}\n")


def read_frame(stream: BinaryIO) -> bytes | None:
    """Return the next payload, or None where the stream ends between two frames."""
    header = stream.readline(_MAX_DIGITS + 1)
    if not header:
        return None
    if not _HEADER.fullmatch(header):
        raise ProtocolError(f"a frame starts with {header!r}, not with its length")
    length = int(header)
    if length > MAX_PAYLOAD:
        raise ProtocolError(f"a frame of {length} bytes; the largest has {MAX_PAYLOAD}")
    payload = stream.read(length)
    if len(payload) < length:
        raise ProtocolError(f"the stream ended after {len(payload)} of a frame's {length} bytes")
    return payload


def write_frame(stream: BinaryIO, payload: bytes) -> None:
    """Write one frame and flush it; ``ProtocolError`` when it is too long, before anything is written."""
    if len(payload) > MAX_PAYLOAD:
        raise ProtocolError(f"a reply of {len(payload)} bytes; the largest frame has {MAX_PAYLOAD}")
    stream.write(b"%d\n" % len(payload) + payload)
    stream.flush()
