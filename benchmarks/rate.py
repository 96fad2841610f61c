"""`python -m benchmarks.rate`: a tenant that is bound by its vendor's rate uses what it may of it, and is never told 429.

Cortex Cloud allows ten calls a second for the whole tenant, and the scope of each key costs one. The emulator counts in a
sliding window, in real time; a 429 would be answered by asking again, so it shows as a call too many.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Final

from reconciler.emulator.base import RateLimit, Settings
from reconciler.emulator.server import serve
from reconciler.model.credential import Credential
from reconciler.model.mark import Mark, new_nonce
from reconciler.model.secret import Secret
from reconciler.providers.base import ConnectionSettings
from reconciler.providers.cortex_cloud import PROVIDER
from reconciler.providers.cortex_cloud.emulator import CortexTenant, Options

USED_LIMIT: Final = 0.95
LISTS: Final = 2
"""Calls of an observation beside one for each key: the keys and the roles."""


def measured(keys: int, share: float, latency: float) -> dict[str, float]:
    """Observe one tenant whose every key is ours. `share` of the documented rate; `latency` of each answer in seconds."""
    allowed = PROVIDER.capabilities.rate
    most = int(allowed.calls * share)
    tenant = CortexTenant(Settings(seed=1, rate_limit=RateLimit(per_tenant=allowed.calls)), Options())
    for number in range(keys):
        tenant.add_key(f"key-{number:03}: bench {Mark('ab' * 8, 1, new_nonce())}")
    with serve(tenant, latency=latency) as server:
        credential = Credential({name: Secret(value) for name, value in tenant.credentials.items()}, server.endpoint)
        session = PROVIDER.connect(server.endpoint, credential, ConnectionSettings(write=False))
        start = time.perf_counter()
        session.observe()
        seconds = time.perf_counter() - start
        session.close()
    least = least_seconds(session.calls, most, allowed.seconds)
    return {
        "calls": session.calls, "too_many": session.calls - LISTS - keys, "seconds": seconds,
        "allowed_per_second": most / allowed.seconds, "least_seconds": least, "used": least / seconds,
    }  # fmt: skip


def least_seconds(calls: int, most: int, window: float) -> float:
    """When the last of so many calls may leave at the earliest, if any `window` seconds take `most` of them.

    The first window's worth may leave at once, the next one when the window is over.
    """
    return (calls - 1) // most * window


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rate", description=__doc__.split("\n")[0])
    parser.add_argument("--keys", type=int, default=100, help="keys, each a call (default: 100)")
    parser.add_argument("--latency-ms", type=int, default=120, help="what every answer takes longer (default: 120)")
    parser.add_argument("--out", type=Path, help="file for the JSON (default: standard output)")
    given = parser.parse_args()
    found = measured(given.keys, 0.5, given.latency_ms / 1000)
    kept = found["used"] >= USED_LIMIT and not found["too_many"]
    text = json.dumps({"figures": found, "budgets": {"used": USED_LIMIT, "too_many": 0}, "kept": kept}, indent=2)
    if given.out is not None:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(text + "\n", encoding="utf-8")
    print(text)
    return int(not kept)


if __name__ == "__main__":
    sys.exit(main())
