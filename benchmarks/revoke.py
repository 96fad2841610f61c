"""Revoking: one leaked key, and a hundred of them in one command, where every vendor answer takes 120 ms.

The whole command is timed, from start to exit, and by the wall's clock: it is people who wait for it. The command itself
ends well only if the vendor has deleted every key; that no secret can be read is asked of Vault here.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks import measure
from benchmarks.generate import generate, tenant_names
from benchmarks.latency import slow
from benchmarks.measure import Asked
from reconciler.emulator.openbao import OpenBaoServer

HUNDRED: Final = 100


def figures(asked: Asked) -> measure.Figures:
    environment = {**asked.environment, measure.CLOCK: "wall"}
    with tempfile.TemporaryDirectory(dir=asked.scratch) as scratch, slow(1) as running:
        environment.update(running.environment)
        generate(Path(scratch), HUNDRED + 1, 1, running.endpoints)
        measure.phase("apply", Path(scratch), environment)
        (tenant,) = tenant_names(1)
        found = running.bao.request("LIST", f"secret/metadata/security-keys/{tenant}")["data"]["keys"]
        revoke = [
            sys.executable, "-m", "reconciler", "revoke", "--estate", scratch, "--auto-approve", "--reason", "leaked",
        ]  # fmt: skip
        one = measure.seconds([*revoke, f"{tenant}/{found[0]}"], environment)
        others = measure.seconds([*revoke, "--selector", "env=bench"], environment)
        left = [name for name in found if _readable(running.bao, tenant, name)]
    if left:
        raise measure.Broken(f"revoked, and {len(left)} secrets can be read")
    return {"revoke_one": [one], "revoke_hundred": [others]}


def _readable(bao: OpenBaoServer, tenant: str, name: str) -> bool:
    versions = bao.request("GET", f"secret/metadata/security-keys/{tenant}/{name}")["data"]["versions"]
    return any(not version["deletion_time"] for version in versions.values())
