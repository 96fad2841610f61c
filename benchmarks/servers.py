"""What a connected run talks to: an OpenBao server and one vendor emulator per tenant, in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.generate import PROVIDER, tenant_names
from benchmarks.measure import Broken
from reconciler.emulator.openbao import OpenBaoServer, openbao


@dataclass(frozen=True, slots=True)
class Servers:
    """Where everything is."""

    endpoints: tuple[str, ...]
    """One per tenant, in the order of `tenant_names`."""
    bao: OpenBaoServer

    @property
    def environment(self) -> dict[str, str]:
        return self.bao.environment


@contextmanager
def servers(tenants: int, *options: str) -> Iterator[Servers]:
    """Fresh servers, empty but for the tenants' credentials; gone when the block ends. `options`: of `emulate`."""
    with openbao() as bao, _emulators(tenants, options) as emulated:
        for name, tenant in zip(tenant_names(tenants), emulated, strict=True):
            credential = {**tenant["credentials"], "endpoint": tenant["endpoint"]}
            bao.request("POST", f"secret/data/reconciler-credentials/{name}", {"data": credential})
        yield Servers(tuple(tenant["endpoint"] for tenant in emulated), bao)


@contextmanager
def _emulators(tenants: int, options: Sequence[str]) -> Iterator[list[dict[str, Any]]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "reconciler", "emulate", PROVIDER, "--tenants", str(tenants), "--seed", "1", *options],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise Broken("the emulators did not start")
        ready = json.loads(line)[PROVIDER]
        yield ready.get("tenants", [ready])
    finally:
        process.terminate()
        process.wait(10)
