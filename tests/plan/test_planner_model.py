"""The planner against a model of vendor, Vault and state: random wishes, tampering, deaths and time."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from reconciler.model.desired import DesiredKey, DesiredLevel, KeyState, LevelRef, Rotation
from reconciler.model.names import Kind
from reconciler.model.observed import Observed
from reconciler.model.state import Revoked
from tests.support import builders
from tests.support.model import Died, World, Written

KEYS = ("jira", "splunk")
LEVELS = ("read", "write")
REFS = [LevelRef("read"), LevelRef("write"), LevelRef("Auditor", existing=True)]
ROTATIONS = [None, builders.rotation(10, 1), builders.rotation(10, 0), builders.rotation(10, in_place=True)]


def keys_strategy(name: str) -> st.SearchStrategy[DesiredKey]:
    return st.builds(
        lambda **fields: builders.desired_key(name, **fields),
        level=st.sampled_from(REFS),
        expires=st.sampled_from([None, None, builders.NOW + timedelta(days=15), builders.NOW + timedelta(days=500)]),
        rotation=st.sampled_from(ROTATIONS),
        state=st.sampled_from([KeyState.ACTIVE, KeyState.ACTIVE, KeyState.ACTIVE, KeyState.LOCKED, KeyState.ABSENT]),
        protect=st.sampled_from([False, False, True]),
        description=st.sampled_from(["", "for the SIEM"]),
        secret_path=st.sampled_from([builders.path_of(name), builders.path_of(name, "elsewhere")]),
    )


def levels_strategy(name: str) -> st.SearchStrategy[DesiredLevel]:
    return st.builds(
        lambda **fields: builders.desired_level(name, **fields),
        description=st.sampled_from(["", "for the SIEM"]),
        protect=st.sampled_from([False, False, True]),
    )


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.desired = builders.desired_tenant(levels=())
        self.foreign: dict[str, Observed] = {}

    @initialize(keys=st.tuples(*map(keys_strategy, KEYS)), levels=st.tuples(*map(levels_strategy, LEVELS)))
    def begin(self, keys: tuple[DesiredKey, ...], levels: tuple[DesiredLevel, ...]) -> None:
        auditor = builders.found_level(builders.desired_level("Auditor"), "5", marked=None, builtin=True)
        self.world.levels["5"] = auditor
        self.desired = replace(self.desired, keys=keys, levels=levels)
        self.apply()

    # -- what people do ------------------------------------------------------------------------------------------------

    @rule(
        keys=st.tuples(*(st.one_of(keys_strategy(name), st.none()) for name in KEYS)),
        levels=st.tuples(*(st.one_of(st.none(), levels_strategy(name)) for name in LEVELS)),
    )
    def commit(self, keys: tuple[DesiredKey | None, ...], levels: tuple[DesiredLevel | None, ...]) -> None:
        wanted = tuple(key for key in keys if key is not None)
        needed = {key.level.name for key in wanted if not key.level.existing}
        given = {level.name: level for level in levels if level is not None}
        given |= {name: builders.desired_level(name) for name in needed - set(given)}
        self.desired = replace(self.desired, keys=wanted, levels=tuple(given[name] for name in sorted(given)))

    @precondition(lambda self: self.world.keys)
    @rule(data=st.data(), change=st.sampled_from(["rename", "lock", "unmark", "describe", "delete", "move"]))
    def tamper_with_key(self, data: st.DataObject, change: str) -> None:
        keys = self.world.keys
        vendor_id = data.draw(st.sampled_from(sorted(keys)))
        found = keys[vendor_id]
        if vendor_id in self.foreign:
            return
        match change:
            case "rename":
                keys[vendor_id] = replace(found, name="renamed", fields={**found.fields, "name": "renamed"})
            case "lock":
                keys[vendor_id] = replace(found, fields={**found.fields, "state": "locked"})
            case "describe":
                keys[vendor_id] = replace(found, fields={**found.fields, "description": "mine!"})
            case "unmark":
                keys[vendor_id] = replace(found, mark=None)
            case "move":
                keys[vendor_id] = replace(found, level_id="5")
            case _:
                del keys[vendor_id]

    @precondition(lambda self: len(self.world.levels) > 1)
    @rule(data=st.data(), change=st.sampled_from(["rename", "unmark", "delete"]))
    def tamper_with_level(self, data: st.DataObject, change: str) -> None:
        levels = self.world.levels
        vendor_id = data.draw(st.sampled_from(sorted(set(levels) - {"5"})))
        found = levels[vendor_id]
        match change:
            case "rename":
                levels[vendor_id] = replace(found, name="renamed", fields={**found.fields, "name": "renamed"})
            case "unmark":
                levels[vendor_id] = replace(found, mark=None)
            case _:
                del levels[vendor_id]
                for name, key in self.world.keys.items():
                    if key.level_id == vendor_id and name not in self.foreign:
                        self.world.keys[name] = replace(key, level_id=None)

    @rule(name=st.sampled_from(KEYS), data=st.data())
    def create_foreign_key(self, name: str, data: st.DataObject) -> None:
        tag = data.draw(st.sampled_from([None, "f" * 16]))
        level = data.draw(st.sampled_from(sorted(self.world.levels)))
        mark = builders.mark("x", tag=tag) if tag else None
        self._foreign(
            builders.found_key(builders.desired_key(name), str(next(self.world._ids)), marked=mark, level=level)
        )

    def _foreign(self, found: Observed) -> None:
        self.foreign[found.vendor_id] = self.world.keys[found.vendor_id] = found

    @precondition(lambda self: self.foreign)
    @rule()
    def clean_up_foreign_keys(self) -> None:
        for vendor_id in self.foreign:
            del self.world.keys[vendor_id]
        self.foreign.clear()

    @rule(data=st.data(), change=st.sampled_from(["delete", "overwrite"]))
    def tamper_with_secret(self, data: st.DataObject, change: str) -> None:
        paths = sorted(path for path, versions in self.world.vault.items() if versions)
        if not paths:
            return
        path = data.draw(st.sampled_from(paths))
        if change == "delete":
            self.world.vault[path][-1] = replace(self.world.vault[path][-1], live=False)
        else:
            self.world.vault[path] = [*self.world.vault[path][:-1], replace(self.world.vault[path][-1], live=False)]
            self.world.vault[path].append(Written("", 0, live=False))

    @rule(hours=st.sampled_from([1, 30, 24 * 11]))
    def wait(self, hours: int) -> None:
        self.world.pass_time(timedelta(hours=hours))

    @rule(data=st.data())
    def use_a_key(self, data: st.DataObject) -> None:
        """The reconciler is given one of the keys as its own credential, or another one."""
        self.world.own = data.draw(st.sampled_from([None, *sorted(self.world.keys)]))

    @precondition(lambda self: self.world.document)
    @rule(name=st.sampled_from(KEYS))
    def revoke(self, name: str) -> None:
        document = self.world.document
        key = f"ApiKey/{name}"
        if document is not None and key in document.objects:
            tombstone = Revoked(at=self.world.now, by="on-call", reason="leaked")
            self.world.document = document.record(key, document.objects[key].model_copy(update={"revoked": tombstone}))

    # -- what runs do --------------------------------------------------------------------------------------------------

    @rule(name=st.sampled_from(KEYS), rotation=st.sampled_from(ROTATIONS[1:]), step=st.integers(1, 6))
    def die_rotating(self, name: str, rotation: Rotation, step: int) -> None:
        """A rotation falls due, and the run that does it is killed somewhere."""
        keys = [replace(key, rotation=rotation) if key.name == name else key for key in self.desired.keys]
        self.desired = replace(self.desired, keys=tuple(keys))
        self.world.pass_time(timedelta(days=11))
        self.die(step)

    @rule(step=st.integers(1, 25))
    def die(self, step: int) -> None:
        """An apply that is killed somewhere."""
        with contextlib.suppress(Died):
            self.world.apply(self.world.plan(self.desired), die_before=step)

    @rule()
    def apply(self) -> None:
        """Apply, then plan: in sync; nothing is lost, and what is not ours, protected or in use by us is untouched."""
        before = self.protected()
        own = self.world.own
        foreign = dict(self.foreign)
        own_before = self.world.keys.get(own) if own else None
        plan = self.world.plan(self.desired)
        self.world.apply(plan)
        if any("whose end will empty it" in item.reason for item in plan.blocked):
            self.world.apply(self.world.plan(self.desired))  # what that block waited for has gone
        if own_before is not None and own is not None:
            assert own in self.world.keys
            assert own not in self.world.regenerated
            assert self.world.keys[own].fields["state"] == own_before.fields["state"] or (
                self.world.keys[own].fields["state"] == "active"
            )
        assert foreign == {vendor_id: self.world.keys.get(vendor_id) for vendor_id in foreign}
        for name in before:
            assert self.world.document is not None
            assert self.alive(name), f"{name} is protected: rotated at most, never removed"
        again = self.world.plan(self.desired)
        assert not again.actions, builders.told(again)
        if self.world.document is not None:
            self.world.check(self.desired, again)

    def alive(self, name: str) -> bool:
        """Whether the recorded object exists at the vendor."""
        assert self.world.document is not None
        record = self.world.document.objects.get(name)
        alive = self.world.levels if name.startswith(Kind.ACCESS_LEVEL) else self.world.keys
        return record is not None and record.vendor_id in alive

    def protected(self) -> set[str]:
        """Everything alive that our state says is protected."""
        objects = self.world.document.objects if self.world.document else {}
        return {name for name, item in objects.items() if item.protect and item.revoked is None and self.alive(name)}

    @invariant()
    def every_object_has_one_owner(self) -> None:
        from reconciler.plan.ownership import Ownership

        owners = Ownership(self.world.view().observed, self.world.document, builders.TAG)
        for kind in Kind:
            orphans = {item.vendor_id for item in owners.orphans(kind)}
            foreign = {item.vendor_id for item in owners.foreign(kind)}
            for item in self.world.view().observed.of(kind):
                classes = [owners.is_ours(item), item.vendor_id in orphans, item.vendor_id in foreign]
                assert sum(classes) == (0 if item.builtin and not owners.is_ours(item) else 1)


TestPlanner = pytest.mark.promise(5)(Machine.TestCase)
TestPlanner.settings = settings(
    max_examples=150, stateful_step_count=25, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)  # fmt: skip
