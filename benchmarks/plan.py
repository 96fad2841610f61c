"""A plan that has nothing to do: the whole command, its phases, and its part without servers beside `octodns-sync`.

The servers are emulators, one per tenant, and a real OpenBao. Up to 200 keys to a tenant; more would have to wait for the
vendor's rate limit.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from benchmarks import octodns
from benchmarks.generate import generate
from benchmarks.measure import Asked, Figures, phase, rounds, seconds
from benchmarks.servers import servers


def figures(asked: Asked) -> Figures:
    estate, peer = asked.scratch / "estate", octodns.Peer(asked.scratch / "octodns")
    peer.generate(asked.keys, asked.tenants)
    with servers(asked.tenants) as running:
        generate(estate, asked.keys, asked.tenants, running.endpoints)
        environment = {**asked.environment, **running.environment}
        print(f"applying {asked.keys} keys in {asked.tenants} tenants, once", file=sys.stderr)
        seeding = phase("apply", estate, environment)
        # The peer's commands stand between ours, so that both meet the machine in the same state.
        found = rounds(
            asked.rounds,
            [
                lambda: {"python": seconds([sys.executable, "-c", "pass"], environment)},
                lambda: phase("csafeloader", estate, environment),
                lambda: phase("load_to_diff", estate, environment),
                lambda: octodns_figures(peer, environment),
                lambda: phase("load_to_diff_warm", estate, environment),
                lambda: phase("load", estate, environment),
                lambda: phase("plan", estate, environment),
                lambda: {"plan": seconds([sys.executable, "-m", "reconciler", "plan", "--no-cache", "--estate", str(estate),
                                       "--detailed-exitcode"], environment)},
                lambda: {"plan_warm": seconds([sys.executable, "-m", "reconciler", "plan", "--estate", str(estate),
                                            "--detailed-exitcode"], environment)},
            ],
        )  # fmt: skip
    return {**found, "apply_all": [seeding["apply"]]}


def octodns_figures(peer: octodns.Peer, environment: Mapping[str, str]) -> dict[str, float]:
    """The peer's commands, and what they take beyond starting: both sides read and compared, and one side read."""
    start, sync, validate = (seconds(command, environment) for command in (peer.version, peer.sync, peer.validate))
    return {"octodns_start": start, "octodns_sync": sync, "octodns_validate": validate,
            "octodns_sync_work": sync - start, "octodns_validate_work": validate - start}  # fmt: skip
