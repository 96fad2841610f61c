"""The suite that every provider passes to be listed, ours or a plugin's (`docs/plugins.md` says how to run it).

It needs pytest, the emulators' server and an OpenBao: `pip install 'access-reconciler[conformance]'`.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(
    *(f"{__name__}.{part}" for part in ("base", "bench", "estate", "estate_suite", "offline_suite", "session_suite"))
)

from reconciler.conformance.estate_suite import EstateConformance  # noqa: E402  rewriting comes first
from reconciler.conformance.offline_suite import OfflineConformance  # noqa: E402
from reconciler.conformance.session_suite import SessionConformance  # noqa: E402
from reconciler.conformance.subject import Spec, Subject  # noqa: E402

__all__ = ["EstateConformance", "OfflineConformance", "SessionConformance", "Spec", "Subject"]
