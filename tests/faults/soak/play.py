"""Playing one schedule, and what must be true after each step and in the end."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import reconciler.apply.tenant
from reconciler.apply.result import TenantResult
from reconciler.apply.run import ApplyRun
from reconciler.model.action import TenantPlan
from reconciler.model.desired import DesiredTenant
from reconciler.model.mark import owner_tag
from reconciler.model.names import Kind, ObjectId
from reconciler.plan.run import Planned, plan_all
from reconciler.plan.target import only_rotation
from tests.faults.soak.drawn import NAMES, Fault, Key, Shift, Step, VaultFault, VendorFault
from tests.faults.soak.sites import FOREIGN, PASSER, LiveKey
from tests.faults.soak.stage import TENANT, TIGHT, Stage, earlier
from tests.support import builders
from tests.support.troubled import LOST, Instead, Trouble

TAG: Final = owner_tag(builders.ESTATE_ID, TENANT)
_DENIED: Final = Instead(403, '{"errors": ["1 error occurred:\\n\\t* permission denied\\n\\n"]}')
_SEALED: Final = Instead(503, '{"errors": ["Vault is sealed"]}')
_TROUBLE: Final[Mapping[str, Trouble]] = {"lost": LOST, "sealed": _SEALED, "away": Instead(502), "denied": _DENIED}
_OVERLAP: Final = 2  # days: longer than any overlap


@dataclass
class Model:
    """What the schedule has done so far, as far as it decides what must be true."""

    revoked: set[str] = field(default_factory=set)
    """Keys that were revoked, and that no step has asked for anew since."""
    dead: set[str] = field(default_factory=set)
    """Vendor ids that were alive, and ours, when their key was revoked."""
    squatted: set[str] = field(default_factory=set)
    """Names under which somebody else has made a key."""


class Play:
    """One schedule on one stage."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.site = stage.site
        self.ground = stage.ground
        self.model = Model()
        self.traits = self.site.provider.capabilities.traits
        self.told: list[str] = []
        """What happened, for whoever has to understand a failure."""
        self.troubled = False
        """Whether any fault has happened so far: what was made then may not be known to anybody."""

    def play(self, schedule: list[Step]) -> None:
        """All steps, then the end."""
        try:
            for number, step in enumerate(schedule):
                self.told.append(f"== step {number}: {step.command}")
                self.step(step)
            self.told.append("== end")
            self.end(schedule[-1])
        except AssertionError as failed:
            story = "\n".join(self.told)
            raise AssertionError(f"{failed}\n{story}\n{self._scene()}") from failed

    # -- a step ----------------------------------------------------------------------------------------------------

    def step(self, step: Step) -> None:
        desired = self.stage.desired(step)
        self.let_reissue(step)
        for what, name in step.meddling:
            self.meddle(what, name)
        before = self.snapshot()
        foreign = self.site.foreign()
        regenerated = self._regenerations()
        tight = any(
            (isinstance(f, VendorFault) and f.name == "hang-after")
            or (isinstance(f, VaultFault) and f.trouble == "slow")
            for f in step.faults
        )
        let_work(step)
        hit = self.arm(step.faults)
        try:
            errors = self.command(step, desired, tight=tight)
        finally:
            self.disarm(hit)
        for error in errors:
            assert "internal error" not in error, error
        calm = self._regenerations() == regenerated and not any(
            isinstance(f, VendorFault) and f.name == "unauthorized" for f in step.faults
        )
        self.check(step, before, foreign, calm=calm)
        self.forgive(step)
        self.stage.end_lease()

    def let_reissue(self, step: Step) -> None:
        """A new key can only be asked for by a time after the revocation: that was yesterday."""

        def back(state: dict[str, Any]) -> None:
            for name, key in step.keys.items():
                record = state["objects"].get(f"ApiKey/{name}") or state["objects"].get(f"ApiKey/{name}2") or {}
                if key.reissue and record.get("revoked"):
                    record["revoked"]["at"] = earlier(record["revoked"]["at"], 1)
                    self.stage.say_revoked(record["path"], record["revoked"]["at"])

        if self.model.revoked:
            self.stage.edit_state(back)

    def forgive(self, step: Step) -> None:
        """A revoked key that was asked for again, and has got a record of its own, is a key like any other."""
        state = self.stage.state()
        for name, key in step.keys.items():
            record = self.stage.record(name, state)
            if key.reissue and record is not None and not record.get("revoked"):
                self.model.revoked.discard(name)

    def command(self, step: Step, desired: DesiredTenant, *, tight: bool) -> list[str]:
        """Carry out the step's command; what went wrong, in words."""
        command, name = step.command
        alias = ObjectId(Kind.API_KEY, self.stage.alias(name))
        if command == "revoke":
            return self.revoke(name)
        if command == "plan":
            return self._only_plan(desired, tight=tight)
        rotate = frozenset({(TENANT, alias)}) if command in {"rotate", "drop"} else frozenset()
        access = self.stage.access(tight=tight, rotate=rotate, drop_previous=command == "drop")
        planned = plan_all(access, [desired])
        stale = plan_all(access, [desired]) if command == "two" else None
        try:
            if rotate:
                planned = planned.with_plans([only_rotation(plan, alias) for plan in planned.plans])
            errors = self._words(planned)
            errors += self._results(ApplyRun(access, fresh=True).apply_all(planned.readable))
            if stale is not None:
                errors += self._results(ApplyRun(access, fresh=True).apply_all(stale.readable))
        finally:
            planned.close()
            if stale is not None:
                stale.close()
        return errors

    def _only_plan(self, desired: DesiredTenant, *, tight: bool) -> list[str]:
        was = self._calm_snapshot()
        planned = plan_all(self.stage.access(tight=tight, write=False), [desired])
        planned.close()
        if was is not None and not self.ground_is_moving:
            assert was == self._calm_snapshot(), "planning has changed something at the vendor"
        return self._words(planned)

    ground_is_moving = False

    def _calm_snapshot(self) -> list[LiveKey] | None:
        self.ground_is_moving = bool(self.stage.late())
        return [key for key in self.site.living() if not key.name.startswith(PASSER)]

    def revoke(self, name: str) -> list[str]:
        """Revoke a key now."""
        live = {key.vendor_id for key in self.live(name)}
        ended = self.stage.revoke(name)
        if ended is None:
            return []
        self.told.append(f"revoked {name}: {ended}")
        self.stage.said.append(repr(ended))
        if ended.error is None:
            self.model.revoked.add(name)
            self.model.dead |= live
        return [str(ended.error or "")] + [left for key in ended.keys for left in key.left]

    def _words(self, planned: Planned) -> list[str]:
        self.stage.said.append(repr(planned.plans))
        for plan in planned.plans:
            self.told += [f"plan {a.kind} {a.operation} {a.object} id={a.vendor_id}: {a.reason}" for a in plan.actions]
            self.told += [f"blocked {item.object}: {item.reason}" for item in plan.blocked]
            self.told += [f"note {item.object}: {item.text}" for item in plan.notes]
        words = [str(one.error) for one in planned.unreadable]
        self.told += [f"unreadable: {word}" for word in words]
        return words

    def _results(self, results: Iterable[TenantResult]) -> list[str]:
        words = []
        for tenant in results:
            self.told += [f"{r.status} {r.action.operation} {r.action.object}: {r.detail}" for r in tenant.results]
            words += [r.detail for r in tenant.results] + ([str(tenant.error)] if tenant.error else [])
            if tenant.error:
                self.told.append(f"error: {tenant.error}")
        self.stage.said += words
        return words

    # -- meddling --------------------------------------------------------------------------------------------------

    def meddle(self, what: str, name: str) -> None:
        """Somebody does something, or time passes."""
        self.told.append(f"meddling: {what} {name}")
        record = self.stage.record(name)
        ours = [key for key in self.live(name) if record and key.vendor_id == record["vendorId"]]
        match what:
            case "age":
                self._pass_time(name, 91, "issuedAt")
            case "overlap":
                self._pass_time(name, _OVERLAP, "until")
            case "quarantine":
                self._pass_time(name, 8, "quarantineUntil")
            case "gone" if ours:
                self.site.delete(ours[0].vendor_id)
            case "edited" if ours:
                self.site.edit(ours[0].vendor_id)
            case "unmarked" if ours:
                self.site.unmark(ours[0].vendor_id)
            case "secret" if record and record.get("path"):
                self.stage.lose_secret(record["path"])
            case "foreign":
                self.site.add_foreign(f"{FOREIGN}-{name}")
            case "level-gone":
                for level in list(self.site.levels())[:1]:
                    self.site.delete_level(level)
            case "level-edited":
                for level in list(self.site.levels())[:1]:
                    self.site.edit_level(level)
            case "clock":
                self.ground.counts["vendor clock jumps"] += 1
                self.site.clock.advance(timedelta(hours=3 if name == "a" else -3))

    def _pass_time(self, name: str, days: float, what: str) -> None:
        def back(state: dict[str, Any]) -> None:
            for one in (name, f"{name}2"):
                record = state["objects"].get(f"ApiKey/{one}", {})
                if record.get(what):
                    record[what] = earlier(record[what], days)
                if what == "until" and record.get("previous"):
                    record["previous"]["until"] = earlier(record["previous"]["until"], days)

        self.stage.edit_state(back)

    # -- faults ----------------------------------------------------------------------------------------------------

    def arm(self, faults: Iterable[Fault]) -> list[tuple[str, Any]]:
        """Have these things go wrong."""
        hits: list[tuple[str, Any]] = []
        vault: list[tuple[VaultFault, Any, Any]] = []
        for fault in faults:
            if isinstance(fault, Shift):
                hits.append(("vendor pages shift while they are read", self._shift(fault)))
                continue
            if isinstance(fault, VaultFault):
                count = [0]
                vault.append((fault, itertools.count(), count))
                hits.append((f"vault {fault.trouble}", count))
                continue
            method, path = fault.call or ("", "")
            hits.append(
                (
                    f"vendor {fault.name}",
                    self.site.emulator.faults.inject(
                        fault.name, method=method, path=path, nth=fault.nth, times=fault.times,
                        requests=fault.requests, retry_after=fault.retry_after, seconds=2 * TIGHT,
                    ),
                )
            )  # fmt: skip
        lock = threading.Lock()

        def trouble(method: str, path: str) -> Trouble | None:
            for fault, count, hit in vault:
                if not self._concerns(fault, method, path):
                    continue
                with lock:
                    number = next(count)
                times = 1 if fault.trouble in {"bump", "revoke", "steal", "slow"} else fault.times
                if not fault.nth <= number < fault.nth + times:
                    continue
                hit[0] += 1
                return self._get_in_the_way(fault)
            return None

        self.ground.proxy.trouble = trouble
        return hits

    def _shift(self, fault: Shift) -> list[int]:
        """Have somebody else come and go between two pages of a list; how often that happened."""
        emulator, hit, pages = self.site.emulator, [0], itertools.count(1)
        ordinary = emulator.handle

        def handle(endpoint: Any, call: Any) -> Any:
            if self.site.is_further_page(call) and next(pages) == fault.nth:
                self.site.shift()
                hit[0] += 1
            return ordinary(endpoint, call)

        setattr(emulator, "handle", handle)  # noqa: B010
        return hit

    def _concerns(self, fault: VaultFault, method: str, path: str) -> bool:
        if fault.where == "any":
            return True
        if method not in {"POST", "PATCH", "PUT"} or "capabilities-self" in path:
            return False
        part = {"write": "", "secret": f"{self.stage.folder}/keys", "state": f"{self.stage.folder}/reconciler"}
        return part[fault.where] in path

    def _get_in_the_way(self, fault: VaultFault) -> Trouble | None:
        match fault.trouble:
            case "bump":  # somebody has written the state a moment ago
                self.stage.edit_state(lambda state: None)
            case "revoke":
                self.told.append(f"-- in the middle: revoke {fault.name}")
                self.revoke(fault.name)
            case "steal":
                self.told.append("-- in the middle: another run has the lease")
                self.stage.steal_lease()
            case "slow":
                time.sleep(2 * TIGHT)
            case _:
                return _TROUBLE[fault.trouble]
        return None

    def disarm(self, hits: list[tuple[str, Any]]) -> None:
        """Nothing goes wrong any more."""
        self.ground.proxy.trouble = lambda method, path: None
        self.site.emulator.faults.clear()
        vars(self.site.emulator).pop("handle", None)
        for name, hit in hits:
            times = hit[0] if isinstance(hit, list) else hit.hits
            self.ground.counts[name] += times
            if times:
                self.troubled = True
                self.told.append(f"fault: {name} x{times}")

    # -- after each step -------------------------------------------------------------------------------------------

    def live(self, name: str, state: Mapping[str, Any] | None = None) -> list[LiveKey]:
        """The keys at the vendor with our mark, and this name or the other one."""
        names = {name, f"{name}2"}
        record = self.stage.record(name, state) or {}
        recorded = {record.get("vendorId"), (record.get("previous") or {}).get("vendorId")}
        return [
            key
            for key in self.site.living()
            if (key.name in names and key.mark and key.mark.estate == TAG) or key.vendor_id in recorded
        ]

    def snapshot(self) -> dict[str, tuple[dict[str, Any] | None, set[str], str | None]]:
        """By key: its record, the living vendor ids, and as which of them the secret in Vault works."""
        found, state = {}, self.stage.state()
        for name in NAMES:
            record = self.stage.record(name, state)
            secret = self.stage.secret(record["path"]) if record and record.get("path") else None
            works = self.site.works(secret) if secret else None
            found[name] = record, {key.vendor_id for key in self.live(name, state)}, works
        return found

    def check(self, step: Step, before: Mapping[str, Any], foreign: list[Any], *, calm: bool) -> None:
        """What holds after every step, faults or not."""
        assert self.site.foreign() == foreign, "something foreign was touched"
        after = self.snapshot()
        for name, (_, ids, _works) in after.items():
            assert self.troubled or len(ids) <= 2, f"{name} has {len(ids)} live generations"
        for name, (record, ids, works) in before.items():
            if record is None or record.get("revoked") or name in self.model.revoked:
                continue
            now, ids_now, works_now = after[name]
            if now is not None and now.get("revoked"):
                continue
            spec = step.keys.get(name)
            remembered = bool(record.get("protect")) and not (spec and not spec.protect)
            if (self.gone(spec) and not remembered) or record["vendorId"] not in ids:
                continue
            assert ids_now, f"{name} lived, was wanted or protected, and no key of it is left"
            if self.gone(spec) or not calm or works is None or (spec and spec.state == "locked"):
                continue
            assert works_now is not None, f"the secret of {name} worked, and the one in Vault does not any more"

    def gone(self, spec: Key | None) -> bool:
        """Whether a key should not be there, by its manifest."""
        if spec is None or spec.state == "absent" or spec.expires == "over":
            return True
        return spec.state == "locked" and not self.traits.reversible_lock

    def _regenerations(self) -> int:
        return sum(count for call, count in self.site.emulator.requests.items() if call.endswith("/secretkey"))

    # -- in the end ------------------------------------------------------------------------------------------------

    def end(self, last: Step) -> None:
        """Two clean runs make everything as it should be, and the third finds nothing to do."""
        let_work(last)
        self.stage.end_late()
        foreign = self.site.foreign()
        desired = self.stage.desired(last)
        self.let_reissue(last)
        plan: TenantPlan | None = None
        for attempt in range(3):
            access = self.stage.access(direct=True)
            planned = plan_all(access, [desired])
            try:
                assert not self._words(planned), "a clean run cannot read"
                plan = planned.plans[0]
                if attempt == 2:
                    break
                for result in ApplyRun(access, fresh=True).apply_all(planned.readable):
                    self._results([result])
                    assert result.error is None, f"a clean run failed: {result.error}"
                    assert all(one.status == "done" for one in result.results), "a clean run left something undone"
            finally:
                planned.close()
        assert plan is not None
        assert not plan.actions, "a third run still finds something to do"
        assert self.site.foreign() == foreign, "something foreign was touched"
        self.forgive(last)
        self._settled(last, plan)
        self._no_secrets()

    def _settled(self, last: Step, plan: TenantPlan) -> None:
        state = self.stage.state()
        blocked = {item.object.name.removesuffix("2"): item.reason for item in plan.blocked}
        assert not state["intents"], "intents are open"
        recorded: set[str] = set()
        for record in state["objects"].values():
            recorded.add(record["vendorId"])
            if record.get("previous"):
                recorded.add(record["previous"]["vendorId"])
        for key in self.site.living():
            if key.mark and key.mark.estate == TAG:
                assert key.vendor_id in recorded, f"{key.vendor_id} ({key.name}) is an orphan"
            assert key.vendor_id not in self.model.dead, f"{key.vendor_id} was revoked, and lives"
        told = " ".join([*blocked.values(), *(note.text for note in plan.notes)])
        kept = "keys still use it" in told or "it stays until" in told or "stays while keys use it" in told
        for vendor_id, mark in self.site.levels().items():
            # One that was replaced while a key kept it stays as an orphan, and the plan says why.
            assert mark is None or vendor_id in recorded or kept, f"level {vendor_id} is an orphan"
        for name in NAMES:
            self._settled_key(name, last, blocked)

    def _settled_key(self, name: str, last: Step, blocked: Mapping[str, str]) -> None:
        state = self.stage.state()
        spec, record = last.keys.get(name), self.stage.record(name, state)
        live = {key.vendor_id: key for key in self.live(name, state)}
        why = blocked.get(name, "")
        if name in self.model.revoked:
            assert not live, f"{name} was revoked, and lives"
            if record and record.get("path"):
                assert self.stage.secret(record["path"]) is None, f"{name} was revoked, and its secret can be read"
            return
        if record is None:
            assert not live
            assert self.gone(spec) or why, f"{name} is wanted and not there"
            return
        mine = {record["vendorId"], (record.get("previous") or {}).get("vendorId")} - {None, ""}
        assert "older than what it describes" not in why, f"{name}: {why}"
        if why and "protected" not in why:
            self.ground.counts[f"blocked in the end: {why.split(' (')[0][:60]}"] += 1
            return
        if "protected" in why:
            assert set(live) <= mine, f"{name}: {sorted(live)} live, {sorted(mine)} are recorded"
            return
        assert set(live) == mine, f"{name}: {sorted(live)} live, {sorted(mine)} are recorded"
        if self.gone(spec):
            kept = why or record.get("phase") in {"quarantined", "orphaned"} or record.get("revoked")
            assert kept, f"{name} should be gone"
            if record.get("phase") == "quarantined":
                assert all(key.locked for key in live.values()), f"{name} is in quarantine, and not locked"
            return
        assert spec is not None
        secret = self.stage.secret(record["path"])
        assert secret is not None, f"the secret of {name} cannot be read"
        locked = spec.state == "locked"
        assert self.site.works(secret) == (None if locked else record["vendorId"]), (
            f"the secret of {name} does not work"
        )
        stored = self.stage.secret(record["path"]) or {}
        assert live[record["vendorId"]].secret == stored.get(self.site.secret_field)

    def _no_secrets(self) -> None:
        text = "\n".join([*self.stage.said, *self.ground.heard.lines])
        self.ground.heard.lines.clear()
        for secret in self.site.emulator.issued:
            assert secret not in text, "a secret got out"

    def _scene(self) -> str:
        lines = ["-- at the vendor:"]
        with contextlib.suppress(Exception):
            lines += [f"{k.vendor_id} {k.name} {k.mark} locked={k.locked}" for k in self.site.living()]
            lines.append(f"levels: {self.site.levels()}")
            state = self.stage.state()
            lines += [f"-- in the state, lease {state.get('lease')}:"]
            lines += [f"{name}: {value}" for name, value in {**state["objects"]}.items()]
            lines += [f"intent {name}: {value}" for name, value in state["intents"].items()]
        return "\n".join(lines)


def let_work(step: Step) -> None:
    """Let an apply make as many calls at once, and announce as many objects, as the step says."""
    setattr(reconciler.apply.tenant, "WORKERS", step.workers)  # noqa: B010
    setattr(reconciler.apply.tenant, "BATCH", step.batch)  # noqa: B010
