"""What worlds of the crash harness stand on, once per worker."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from reconciler.emulator.openbao import OpenBaoServer
from reconciler.emulator.server import Server
from tests.support.crash_process import processes
from tests.support.crash_world import Ground

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def ground(
    openbao: OpenBaoServer, emulator_server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ground]:
    """A KV mount of its own, and a program that forks."""
    kv = f"crash{next(_numbers)}"
    openbao.mount_kv(kv)
    folder = tmp_path_factory.mktemp("crash")
    with processes(folder) as made:
        yield Ground(openbao, emulator_server, made, folder, kv)
