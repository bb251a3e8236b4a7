"""The server: one request after the other, each answered; what cannot be served is refused, not fatal."""

from __future__ import annotations

import os
import sys
import traceback
from typing import BinaryIO

from pyprover.errors import ProverError
from pyprover.memory import is_out_of_memory
from pyprover.protocol import messages
from pyprover.protocol.errors import ProtocolError
from pyprover.protocol.frames import read_frame, write_frame
from pyprover.protocol.service import Service


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer requests until they end; ``ProtocolError`` when one is not of the protocol."""
    service: Service | None = None
    while (payload := read_frame(requests)) is not None:
        request = messages.read_request(payload)

        def reply(body: messages.ReplyBody, id_: int = request.id) -> None:
            write_frame(replies, messages.write_reply(messages.Reply(id_, body)))

        if service is None and not isinstance(request.body, messages.Hello):
            raise ProtocolError("the first message is not Hello")
        try:
            if isinstance(request.body, messages.Hello):
                service = Service(request.body)
                reply(service.welcome())
            elif service is not None:
                service.answer(request.body, reply)
        except (ProtocolError, BrokenPipeError):
            raise
        except Exception as error:
            reply(refusal(error))


def refusal(error: Exception) -> messages.Refused:
    """Return the reply for a request that ended in ``error``; a traceback is for bugs only."""
    if isinstance(error, ProverError):
        return messages.Refused(error.kind, error.message, error.hint)
    if is_out_of_memory(error):
        return messages.Refused("memory", f"out of memory: {str(error)[:200] or type(error).__name__}", None)
    return messages.Refused("internal", "".join(traceback.format_exception(error)), None)


def serve_standard_streams() -> None:
    """Serve on standard input and output, which belong to the frames alone from now on.

    Whatever a library prints goes to standard error, and whatever it would read is empty. Returns when the input ends
    or when nobody reads the replies any more.
    """
    with os.fdopen(os.dup(0), "rb") as requests, os.fdopen(os.dup(1), "wb") as replies:
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        try:
            serve(requests, replies)
        except BrokenPipeError:
            sink = os.open(os.devnull, os.O_WRONLY)
            os.dup2(sink, replies.fileno())  # what is still buffered has no reader; closing must not fail on it
            os.close(sink)
