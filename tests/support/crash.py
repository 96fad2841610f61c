"""Runs are killed at every boundary, and one more run has to make everything right.

The first run of a scenario is let live and counted: each of its requests is a boundary. Then, for each of them, a fresh
world is made, the same command is killed there, its lease is let run out, and one more run is made.

Which boundaries there are. With one worker, requests come one after the other, and nothing outside of the process changes
between the reply to one and the next one being sent: "after reply k" and "before request k + 1" are the same world. So
there is one death for each gap: before the first request, and after the reply to each. A death within a request leaves one
of these worlds, too, if the server does what it should with half of a request: some scenarios try that (`Scenario.within`).
With many workers others are in flight, so there each request has both sides, in the order of arrival, which differs from run
to run. What is killed is always the k-th arrival; a run that makes fewer requests than the first one simply lives, and has
to end well.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import requests

from reconciler.model.outcome import ExitCode
from tests.support.crash_process import AFTER, BEFORE, HALF, HELD, UNREAD, Kill, Ran
from tests.support.crash_scenarios import APPLY, Scenario
from tests.support.crash_site import FOREIGN, Site
from tests.support.crash_world import CrashWorld, foreign

MakeWorld = Callable[[], AbstractContextManager[CrashWorld]]


@dataclass(frozen=True)
class Death:
    """Where a run dies, and perhaps where the run that recovers from it dies as well."""

    first: Kill
    second: Kill | None = None

    def __str__(self) -> str:
        return f"{self.first}" if self.second is None else f"{self.first}, recovery {self.second}"


@dataclass
class Matrix:
    """One scenario at one provider."""

    scenario: Scenario
    make_world: MakeWorld
    requests: tuple[str, ...] = ()
    creations: tuple[int, ...] = ()
    """The numbers of the requests that create something at the vendor, where they have one order."""
    problems: list[str] = field(default_factory=list)
    killed: int = 0
    lived: int = 0

    def record(self) -> None:
        """Let the command live, check what it leaves behind, and learn which requests it makes."""
        scenario = self.scenario
        with self.make_world() as world:
            begin(world, scenario)
            if scenario.command == APPLY:
                kinds, said = _kinds(world), set(scenario.at(world.site).split())
                assert kinds == said, f"{scenario.name} is said to {said}, and does {kinds}"
            ran = world.run(*scenario.command, workers=scenario.workers, batch=scenario.batch)
            assert ran.status == 0 or self._asks(world, ran), ran.output
            self.requests = ran.requests
            if scenario.workers == 1:
                every = enumerate(ran.requests, 1)
                self.creations = tuple(number for number, request in every if _creates(world.site, request))
            if scenario.meanwhile is not None:
                scenario.meanwhile(world)
            if scenario.meanwhile is not None or scenario.again != scenario.command:
                ran = world.run(*scenario.again)
            self._expect(world, ran, "not killed")

    def deaths(self) -> list[Death]:
        """Every boundary."""
        last = len(self.requests)
        if self.scenario.workers == 1:
            return [Death(Kill(1, BEFORE)), *(Death(Kill(number)) for number in range(1, last + 1))]
        return [Death(Kill(number, side)) for number in range(1, last + 1) for side in (BEFORE, AFTER)]

    def deaths_of_two(self) -> list[Death]:
        """Every boundary after which the world is another one, and one of the recovery's with each: another each time."""
        last = len(self.requests)
        if self.scenario.workers != 1:
            return []
        return [
            Death(Kill(number), Kill(number * 7 % last + 1))
            for number, request in enumerate(self.requests, 1)
            if not request.startswith("GET ")
        ]

    def deaths_within(self) -> list[Death]:
        """Deaths in the middle of a request that changes something: half of it has left, or its answer is on its way."""
        if self.scenario.workers != 1:
            return []
        return [
            Death(Kill(number, side))
            for number, request in enumerate(self.requests, 1)
            if not request.startswith(("GET ", "FILE "))
            for side in (HALF, UNREAD)
        ]

    def die(self, death: Death) -> None:
        """Kill a run, recover, and note what is wrong then."""
        scenario = self.scenario
        with self.make_world() as world:
            begin(world, scenario)
            ran = world.run(*scenario.command, kill=death.first, workers=scenario.workers, batch=scenario.batch)
            where = f"{death} ({_last(ran)})"
            self._dead(world, ran, where)
            if scenario.meanwhile is not None:
                scenario.meanwhile(world)
            if death.second is not None:
                ran = world.run(*scenario.again, kill=death.second)
                where += f" ({_last(ran)})"
                self._dead(world, ran, where)
            self._expect(world, world.run(*scenario.again), where)

    def come_late(self, creation: int) -> None:
        """Kill a run while a creation is on its way, and let the vendor carry that out after the next run."""
        scenario, kill = self.scenario, Kill(creation, HELD)
        with self.make_world() as world:
            begin(world, scenario)
            ran = world.run(*scenario.command, kill=kill)
            where = f"{kill} ({_last(ran)})"
            assert ran.killed, where
            self.killed += 1
            world.expire_lease()
            if scenario.meanwhile is not None:
                scenario.meanwhile(world)
            self._expect(world, world.run(*scenario.again), f"{where}: and the vendor has not acted yet")
            before = world.site.keys().keys(), world.site.levels().keys()
            late = requests.request(**ran.held, timeout=20)
            if not late.ok:  # what the next run has made stands in its way, where names are unique
                assert late.status_code in {400, 409}, (where, late.status_code)
                assert (world.site.keys().keys(), world.site.levels().keys()) == before, where
            self._expect(world, world.run(*scenario.again), f"{where}: and the vendor acted after the next run")

    def after(self, method: str, part: str, nth: int = 1) -> Kill:
        """Right after the n-th request with that method and that text in its path was answered."""
        found = [n for n, line in enumerate(self.requests, 1) if line.startswith(f"{method} ") and part in line]
        return Kill(found[nth - 1])

    # -- what must hold --------------------------------------------------------------------------------------------

    def _dead(self, world: CrashWorld, ran: Ran, where: str) -> None:
        """What is so right after a death. A run that made fewer requests than were counted lived, and has to end well."""
        self.killed += ran.killed
        self.lived += not ran.killed
        if not ran.killed and ran.status != 0 and not self._asks(world, ran):
            self._wrong(where, f"the run was not killed and ended with {ran.status}", ran.output)
        world.expire_lease()
        self._consumers(world, where)

    def _consumers(self, world: CrashWorld, where: str) -> None:
        """What consumers see of a death, before anybody does anything about it."""
        for name, (path, secret) in world.consumers.items():
            now = world.read(path)
            if self.scenario.steady and not world.site.two_steps and not (now and world.site.authenticates(now)):
                self._wrong(where, f"the secret of {name} that Vault has now does not work")
            if self.scenario.outlives and not world.site.authenticates(secret):
                self._wrong(where, f"the secret that {name} had before does not work any more")

    def _asks(self, world: CrashWorld, ran: Ran) -> bool:
        """Whether a run has done all that it could and asks a person for the rest, or has nothing left to complete."""
        nothing_to_complete = "no handoff is open", "nobody has been asked for it yet"
        if (
            self.scenario.command[0] == "handoff"
            and ran.status == 1
            and any(said in ran.output for said in nothing_to_complete)
        ):
            return True
        # In part, where something has to wait until a person has done the rest.
        return ran.status in {ExitCode.HANDOFF, ExitCode.PARTIAL} and bool(world.site.traits().by_hand)

    def _expect(self, world: CrashWorld, ran: Ran, where: str) -> None:
        if not self._asks(world, ran) and ran.status != 0:
            self._wrong(where, f"the one more run ended with {ran.status}", ran.output)
        if ran.arguments == APPLY and world.site.traits().by_hand:  # and once more, before the person has done anything
            ran = world.run(*APPLY)
            self._consumers(world, where)
        ran = self._go_on(world, ran)
        if ran.status != (ExitCode.PARTIAL if self.scenario.revoked and ran.arguments[0] == "apply" else ExitCode.DONE):
            self._wrong(where, f"the one more run ended with {ran.status}", ran.output)
        for problem in problems(world, self.scenario):
            self._wrong(where, problem)
        planned = world.run("plan", "--detailed-exitcode")
        if planned.status != (ExitCode.PARTIAL if self.scenario.revoked else ExitCode.DONE):
            self._wrong(where, f"a plan after that ended with {planned.status}", planned.output)
        if self.scenario.revoked and _kinds(world, blocked=True):
            self._wrong(where, "a plan after that does something about a revoked key", planned.output)
        text = "".join(world.printed)
        for secret in world.site.emulator.issued:
            if secret in text:
                self._wrong(where, "a secret was printed")

    def _go_on(self, world: CrashWorld, ran: Ran) -> Ran:
        """What has to follow the one more run: what a person does, and what only then can be done. The last run."""
        scenario = self.scenario
        if world.site.traits().by_hand:
            again = APPLY if scenario.again[0] == "handoff" else scenario.again
            ran = world.finish(ran if again == scenario.again else world.run(*again), again)
            if scenario.revoked:
                ran = world.run(*APPLY)  # users that were locked for the time being work again
        if scenario.then:
            ran = world.finish(world.run(*scenario.then), scenario.then)
        return ran

    def _wrong(self, where: str, what: str, output: str = "") -> None:
        lines = [f"{self.scenario.name}: {where}: {what}", *(f"    {line}" for line in output.strip().splitlines())]
        self.problems.append("\n".join(lines))


def begin(world: CrashWorld, scenario: Scenario) -> None:
    """Everything that comes before the command."""
    scenario.prepare(world)
    world.remember()
    scenario.change(world)


def problems(world: CrashWorld, scenario: Scenario) -> Iterator[str]:
    """What is not as it must be after the one more run."""
    state = world.state()
    if state["intents"]:
        yield f"intents are open: {state['intents']}"
    lease = state.get("lease")
    if lease and datetime.fromisoformat(lease["expires"]) > datetime.now(UTC):
        yield "the lease was not given back"  # a dead run's, which has expired, stays until somebody needs it
    yield from _objects(world, scenario, state["objects"])
    if [key["name"] for key in foreign(world.site)] != [FOREIGN]:
        yield "the key of somebody else was touched"


def _objects(world: CrashWorld, scenario: Scenario, objects: dict[str, dict[str, Any]]) -> Iterator[str]:
    gone = {"absent"} if world.site.traits().reversible_lock else {"absent", "locked"}
    keys = {name for name, spec in world.keys.items() if spec.get("state") not in gone}
    keys |= scenario.quarantined
    wanted = {f"ApiKey/{name}" for name in keys} | {f"{world.site.level_kind}/{name}" for name in world.levels}
    if set(objects) != wanted:
        yield f"recorded are {sorted(objects)}, wanted are {sorted(wanted)}"
    records = {name.partition("/")[2]: record for name, record in objects.items() if name.startswith("ApiKey/")}
    for name in scenario.revoked & records.keys():
        if not records.pop(name).get("revoked"):
            yield f"{name} has no tombstone"
    retiring = {name for name, record in records.items() if record.get("previous")}
    if scenario.retiring is not None and retiring != scenario.retiring & keys:
        yield f"former generations live of {sorted(retiring)}, wanted are {sorted(scenario.retiring)}"
    recorded = Counter(record["vendorId"] for record in records.values())
    recorded.update(records[name]["previous"]["vendorId"] for name in retiring)
    live = Counter(vendor_id for vendor_id, key in world.site.keys().items() if key["name"] != FOREIGN)
    if recorded != live:
        yield f"keys that live at the vendor are {dict(live)}, recorded are {dict(recorded)}"
    levels = {record["vendorId"] for name, record in objects.items() if not name.startswith("ApiKey/")}
    if levels != set(world.site.levels()):
        yield f"levels that live at the vendor are {world.site.levels()}, recorded are {levels}"
    paths = {record["path"] for record in records.values()}
    paths |= {records[name]["previous"].get("path") or records[name]["path"] for name in retiring}
    if world.secrets() != paths:
        yield f"secrets can be read at {sorted(world.secrets())}, recorded are {sorted(paths)}"
    for name in scenario.revoked & world.consumers.keys():
        if world.site.authenticates(world.consumers[name][1]):
            yield f"the secret of {name}, which was revoked, still works"
    for name in records.keys() & keys:
        yield from _secret(world, scenario, name, records[name])


def _secret(world: CrashWorld, scenario: Scenario, name: str, record: dict[str, Any]) -> Iterator[str]:
    secret = world.read(record["path"])
    works_as = world.site.authenticates(secret) if secret else None
    if name in scenario.quarantined or world.keys[name].get("state") == "locked":
        if works_as is not None:
            yield f"the locked key {name} still works"
    elif works_as != record["vendorId"]:
        yield f"the secret of {name} in Vault works as {works_as}, and should as {record['vendorId']}"
    _, before = world.consumers.get(name, ("", {}))
    if before and scenario.outlives and not world.site.authenticates(before):
        yield f"the secret that {name} had before does not work any more"
    if secret:
        found = world.ground.bao.request("GET", f"{world.ground.kv}/metadata/{record['path']}")["data"]
        if found["current_version"] != record["version"]:
            yield f"Vault's version of {name} is not the recorded one"
        if (said := (found["custom_metadata"] or {}).get("vendor-id")) != record["vendorId"]:
            yield f"Vault's metadata says that the secret of {name} is of {said}, and it is of {record['vendorId']}"


def _kinds(world: CrashWorld, *, blocked: bool = False) -> set[str]:
    planned = json.loads(world.run("plan", "--format", "json").output)
    (tenant,) = planned["tenants"]
    assert "error" not in tenant, tenant
    assert blocked or not tenant["blocked"], tenant["blocked"]
    return {action["kind"] for action in tenant["actions"]}


def _creates(site: Site, request: str) -> bool:
    method, _, path = request.partition(" ")
    _, mount, below = path.split("/", 2)
    endpoint = site.emulator.match(method, f"/{below}")[0] if mount.startswith("crash") else None
    return endpoint is not None and endpoint.creates


def _last(ran: Ran) -> str:
    return f"the last request was {ran.requests[-1]}" if ran.requests else "no request was made"
