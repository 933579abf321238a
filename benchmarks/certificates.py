"""A temporary certificate for the server's TLS mode, made when it is needed."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import subprocess
import tempfile
from typing import TYPE_CHECKING

import attrs


if TYPE_CHECKING:
    from collections.abc import Iterator


@attrs.frozen
class Certificate:
    """A self-signed certificate of `127.0.0.1`, and its key: two PEM files."""

    certificate: pathlib.Path
    key: pathlib.Path


def can_be_made() -> bool:
    """Return whether openssl, which makes them, is installed."""
    return shutil.which("openssl") is not None


@contextlib.contextmanager
def throwaway() -> Iterator[Certificate]:
    """Make a certificate that is deleted when the block is left."""
    with tempfile.TemporaryDirectory() as folder:
        made = Certificate(
            pathlib.Path(folder, "certificate.pem"), pathlib.Path(folder, "key.pem")
        )
        command = ["openssl", "req", "-x509", "-nodes", "-days", "1"]
        # P-256: what the handshakes cost is not what is measured.
        command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
        command += ["-keyout", str(made.key), "-out", str(made.certificate)]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - wherever openssl is
        yield made
