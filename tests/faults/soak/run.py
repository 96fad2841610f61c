"""Running one schedule in a world of its own."""

from __future__ import annotations

import itertools

from tests.faults.soak.drawn import Step
from tests.faults.soak.play import Play
from tests.faults.soak.sites import FOREIGN, PASSER, SITES
from tests.faults.soak.stage import Ground, Stage

_numbers = itertools.count(1)


def run_one(ground: Ground, provider: str, schedule: list[Step]) -> None:
    """One schedule on a fresh account and a fresh folder."""
    number = next(_numbers)
    site = SITES[provider](number)
    site.endpoint = ground.server.mount(site.emulator, f"soak{number}")
    stage = Stage(ground, site, f"s{number}")
    try:
        site.add_foreign(f"{PASSER}0")
        site.add_foreign(FOREIGN)
        credential = {**site.emulator.credentials, "endpoint": site.endpoint}
        ground.ask("POST", f"{ground.kv}/data/{stage.folder}/credentials", {"data": credential})
        Play(stage).play(schedule)
        ground.counts["schedules"] += 1
    finally:
        ground.server.unmount(f"soak{number}")
