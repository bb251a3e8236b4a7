"""A prover process to talk to, the command line in this process, and small files for both."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnx.parser

from pyprover.__main__ import main
from pyprover.protocol import codec, messages, sexp
from pyprover.protocol.frames import read_frame, write_frame
from pyprover.query import DatasetRef, NetworkRef, Normalization
from pyprover.verdict import Answer

# Four pixels; class 0 is how light the left column is, class 1 the right one, class 2 how dark all is.
COLUMNS = """<ir_version: 8, opset_import: ["": 13]>
columns (float[1,1,2,2] image) => (float[1,3] y)
<float[2,4] w = {1,0,1,0, 0,1,0,1}, float[2] b = {0,0}, float[3,2] v = {1,0, 0,1, -1,-1}, float[3] c = {0,0,1}> {
    flat = Flatten(image)
    sides = Gemm<transB=1>(flat, w, b)
    light = Relu(sides)
    y = Gemm<transB=1>(light, v, c)
}"""


def write_files(folder: Path) -> Path:
    """Write a network, a dataset that fits, one that does not, and a folder for witnesses; return ``folder``."""
    onnx.save(onnx.parser.parse_model(COLUMNS), folder / "columns.onnx")
    images = np.array([[[204, 0], [204, 0]], [[0, 255], [0, 255]], [[128, 127], [128, 127]]], np.uint8)
    np.savez(folder / "test.npz", images=images, labels=np.array([0, 0, 0]), class_names=["left", "right", "dark"])
    np.savez(folder / "wide.npz", images=np.zeros((1, 3, 3), np.uint8), labels=np.array([0]))
    (folder / "witnesses").mkdir()
    return folder


class Server:
    """A prover process; ``ask`` sends a request and yields the replies."""

    def __init__(self) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pyprover", "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        self.asked = 0

    def send(self, payload: bytes) -> None:
        assert self.process.stdin is not None
        write_frame(self.process.stdin, payload)

    def receive(self) -> bytes | None:
        assert self.process.stdout is not None
        return read_frame(self.process.stdout)

    def ask(self, body: messages.Body) -> Iterator[messages.ReplyBody]:
        self.asked += 1
        self.send(sexp.render(codec.encode(messages.Request, messages.Request(self.asked, body))))
        while True:
            payload = self.receive()
            assert payload is not None
            reply: messages.Reply = codec.decode(messages.Reply, sexp.parse(payload))
            assert reply.id == self.asked
            yield reply.body
            if not isinstance(reply.body, Answer):
                return

    def ask_one(self, body: messages.Body) -> messages.ReplyBody:
        (reply,) = self.ask(body)
        return reply

    def hello(
        self,
        folder: Path,
        *,
        pictures: bool = False,
        memory_limit: int | None = None,
        noise_directory: str | None = None,
        noise_symbols: int | None = None,
        deployment: str = "real",
    ) -> messages.ReplyBody:
        return self.ask_one(
            messages.Hello(
                messages.VERSION,
                "test",
                str(folder),
                str(folder / "witnesses"),
                pictures,
                memory_limit,
                noise_directory,
                noise_symbols,
                threads=1,
                seed=0,
                deployment=deployment,
            )
        )

    def end(self) -> tuple[int, str]:
        """Close the input; return the exit status and standard error."""
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, errors.decode()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(BrokenPipeError):
                if stream is not None:
                    stream.close()


def network(folder: Path, normalization: Normalization | None = None) -> NetworkRef:
    return NetworkRef(str(folder / "columns.onnx"), normalization)


def samples(folder: Path, source: str = "test.npz") -> DatasetRef:
    return DatasetRef(source, str(folder))


@dataclass(frozen=True)
class Result:
    status: int
    stdout: str
    stderr: str


def run(*arguments: str) -> Result:
    """Run the command line in this process."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            status = main(arguments)
        except SystemExit as stop:
            status = int(stop.code or 0)
    return Result(status, out.getvalue(), err.getvalue())
