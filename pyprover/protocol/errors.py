"""The peer does not speak the protocol."""

from __future__ import annotations


class ProtocolError(Exception):
    """A frame, an s-expression or a message that is none; the server cannot go on after it."""
