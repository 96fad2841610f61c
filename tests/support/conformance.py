"""The provider conformance suite as our own providers run it: with the OpenBao that the test session has already."""

from __future__ import annotations

import pytest

from reconciler import conformance
from reconciler.emulator.openbao import OpenBaoServer


class EstateConformance(conformance.EstateConformance):
    """The estate part, on the session's own server."""

    @pytest.fixture(scope="class")
    @classmethod
    def vault(cls, openbao: OpenBaoServer) -> OpenBaoServer:
        """The session's own."""
        return openbao
