"""A certificate authority made on the spot, for `https` on loopback."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path

import trustme


class LocalCA:
    """A certificate authority that lives as long as this object; its certificate (never a key) is in a file."""

    def __init__(self) -> None:
        self._ca = trustme.CA(organization_name="access-reconciler emulators")
        self._folder = tempfile.TemporaryDirectory(prefix="reconciler-emulator-")
        self.path = str(Path(self._folder.name, "ca.pem"))
        """The file that a client's trust store should name."""
        self._ca.cert_pem.write_to_path(self.path)

    def server_context(self) -> ssl.SSLContext:
        """What a server on loopback needs."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._ca.issue_cert("localhost", "127.0.0.1", "::1").configure_cert(context)
        return context

    def close(self) -> None:
        """Remove the file."""
        self._folder.cleanup()
