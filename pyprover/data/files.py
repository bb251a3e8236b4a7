"""What the readers share: digests, and files that may be compressed."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from pathlib import Path

from pyprover.errors import UserError


def sha256(*paths: Path) -> str:
    """Return the SHA-256 of the files, joined in this order, in hexadecimal."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def read_bytes(path: Path) -> bytes:
    """Return the content of ``path``, decompressed when its name ends in ``.gz``."""
    content = path.read_bytes()
    if path.suffix != ".gz":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be decompressed: {error}") from error
