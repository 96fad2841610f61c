"""From manifests to the emulated product to a real OpenBao, through the command line: a second run has nothing to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from reconciler.conformance.base import Conformance
from reconciler.conformance.estate import World, world
from reconciler.conformance.manifests import KEEPER, KEY, LEVEL
from reconciler.emulator.openbao import OpenBaoServer, openbao
from reconciler.emulator.server import Server
from reconciler.model.outcome import ExitCode
from reconciler.providers.base import Verification

DEAD = frozenset({Verification.BAD, Verification.UNVERIFIABLE})


class EstateConformance(Conformance):
    """Every provider passes these with the real planner, the real apply and a real OpenBao."""

    @pytest.fixture(scope="class")
    @classmethod
    def vault(cls) -> Iterator[OpenBaoServer]:
        """A real server. Who has one already gives it here instead."""
        with openbao() as server:
            yield server

    @pytest.fixture
    def open_world(self, emulators: Server, vault: OpenBaoServer, tmp_path: Path) -> Iterator[Callable[..., World]]:
        """A maker of estates."""
        with ExitStack() as stack:
            yield lambda **how: stack.enter_context(world(self.subject, emulators, vault, tmp_path / "estate", **how))

    @pytest.fixture
    def estate(self, open_world: Callable[..., World]) -> World:
        """An estate with the samples, applied nowhere yet."""
        return open_world()

    @pytest.fixture
    def settled(self, estate: World) -> World:
        """The same, applied."""
        estate.settle()
        return estate

    def test_what_was_applied_is_in_sync(self, open_world: Callable[..., World], variant: str) -> None:
        """With every field set, apply and then plan is nothing to do, and the secret in Vault authenticates."""
        estate = open_world(variant=variant)
        estate.settle()
        assert estate.verify(estate.issued()) is Verification.GOOD

    def test_every_field_of_a_key_can_be_changed(self, settled: World, key_field: str) -> None:
        """Each change is applied, in place or by a new key, and nothing is left to do; the secret in Vault works."""
        value = self.subject.key_changes(settled.emulator, settled.samples.now)[key_field]
        settled.samples.change_key(key_field, value)
        assert settled.run("plan", "--detailed-exitcode").status == ExitCode.PENDING
        settled.settle()
        assert settled.verify(settled.issued()) is Verification.GOOD

    def test_every_field_of_a_level_can_be_changed(self, settled: World, level_field: str | None) -> None:
        """The same for levels."""
        if level_field is None:
            pytest.skip("levels cannot be declared here")
        settled.samples.change_level(level_field, self.subject.level_changes(settled.emulator)[level_field])
        assert settled.run("plan", "--detailed-exitcode").status == ExitCode.PENDING
        settled.settle()
        assert settled.verify(settled.issued()) is Verification.GOOD

    def test_a_key_gets_another_level(self, settled: World) -> None:
        """In place or by a new key, whichever the product has."""
        settled.samples.change_key(settled.samples.level_field, settled.samples.level_ref(other=True))
        settled.settle()
        assert settled.verify(settled.issued()) is Verification.GOOD

    def test_a_key_is_renamed(self, settled: World) -> None:
        """With its former name in the manifest it stays the same key."""
        before = settled.state()["objects"][f"ApiKey/{KEY}"]["vendorId"]
        settled.samples.rename_key(KEY, "renamed")
        settled.settle()
        after = settled.state()["objects"]["ApiKey/renamed"]
        fixed = "name" in self.subject.provider.capabilities.traits.fixed
        assert (after["vendorId"] == before) is not fixed

    def test_a_rotation_leaves_the_former_secret_alive_for_the_overlap(self, settled: World) -> None:
        """The next generation is in Vault and works, the former one goes on working, and that counts as in sync."""
        settled.samples.change_key("rotation", {"every": "30d", "overlap": "24h"})
        settled.settle()
        former = settled.issued()
        settled.age(31)
        settled.settle()
        current = settled.issued()
        assert current.vendor_id != former.vendor_id
        assert settled.verify(current) is Verification.GOOD
        assert settled.verify(former) is Verification.GOOD

    def test_a_rotation_that_drops_the_former_generation_ends_its_secret(self, settled: World) -> None:
        """Without waiting for the overlap: the former secret is dead."""
        settled.samples.change_key("rotation", {"every": "30d", "overlap": "24h"})
        settled.settle()
        first = settled.issued()
        self._rotate(settled)
        second = settled.issued()
        self._rotate(settled, "--drop-previous")
        assert settled.verify(first) in DEAD
        assert settled.verify(second) is Verification.GOOD
        assert settled.verify(settled.issued()) is Verification.GOOD

    def test_a_rotation_in_place(self, settled: World) -> None:
        """Where the product has it: the same key, a new secret, and the former one dead."""
        if not self.subject.provider.capabilities.traits.regenerates_in_place:
            pytest.skip("a key keeps its secret for life")
        settled.samples.change_key("rotation", {"every": "30d", "strategy": "inPlace"})
        settled.settle()
        former = settled.issued()
        settled.age(31)
        settled.settle()
        current = settled.issued()
        assert current.vendor_id == former.vendor_id
        assert settled.verify(current) is Verification.GOOD
        assert settled.verify(former) in DEAD

    def test_a_key_is_locked_and_unlocked(self, settled: World) -> None:
        """Locked, nothing is left to do; unlocked, the key works: with its own secret where the lock is reversible."""
        before = settled.issued()
        settled.samples.change_key("state", "locked")
        settled.settle()
        settled.samples.change_key("state", "active")
        settled.settle()
        after = settled.issued()
        assert settled.verify(after) is Verification.GOOD
        reversible = self.subject.provider.capabilities.traits.reversible_lock
        assert (after.vendor_id == before.vendor_id) is reversible

    def test_a_key_that_is_created_locked(self, estate: World) -> None:
        """It is in sync at once, and works when it is unlocked."""
        estate.samples.change_key("state", "locked")
        estate.settle()
        estate.samples.change_key("state", "active")
        estate.settle()
        assert estate.verify(estate.issued()) is Verification.GOOD

    def test_what_is_taken_out_of_git_leaves_nothing_behind(self, estate: World) -> None:
        """The key is gone, its secret dead and out of Vault, its record forgotten; the other key is untouched."""
        estate.samples.keys[KEEPER] = estate.samples.key()
        estate.settle()
        removed, kept = estate.issued(), estate.issued(KEEPER)
        del estate.samples.keys[KEY]
        estate.settle()
        assert estate.secret() is None
        assert estate.verify(removed) in DEAD
        assert estate.verify(kept) is Verification.GOOD
        assert f"ApiKey/{KEY}" not in estate.state()["objects"]
        with estate.session() as session:
            assert removed.vendor_id not in {key.vendor_id for key in session.observe().keys}

    def test_somebody_elses_key_of_the_same_name_stays_as_it_is(self, estate: World) -> None:
        """It is reported, nothing is created beside or over it, and it is not touched."""
        if not self.subject.provider.traits(_tenant(estate)).lists_keys:
            pytest.skip("the product does not list keys")
        self.subject.foreign_key(estate.emulator, KEY)
        before = self._keys(estate)
        planned = estate.plan()
        assert [one["object"] for one in planned["blocked"]] == [f"ApiKey/{KEY}"]
        assert KEY in [one["name"] for one in planned["unmanaged"]]
        applied = estate.run("apply", "--auto-approve")
        assert applied.status in {ExitCode.PARTIAL, ExitCode.HANDOFF}, applied
        assert self._keys(estate) == before
        assert estate.secret() is None

    def test_somebody_elses_level_of_the_same_name_stays_as_it_is(self, estate: World) -> None:
        """The same for levels."""
        if not estate.samples.levels:
            pytest.skip("levels cannot be declared here")
        self.subject.foreign_level(estate.emulator, LEVEL)
        planned = estate.plan()
        assert f"{self.subject.level_kind}/{LEVEL}" in [one["object"] for one in planned["blocked"]]
        applied = estate.run("apply", "--auto-approve")
        assert applied.status in {ExitCode.PARTIAL, ExitCode.HANDOFF}, applied
        with estate.session() as session:
            same = [level for level in session.observe().levels if level.name == LEVEL]
        assert [level.mark for level in same] == [None]

    def test_what_somebody_changes_at_the_vendor_is_put_back(self, settled: World) -> None:
        """A deleted key is issued anew."""
        if not self.subject.provider.traits(_tenant(settled)).lists_keys or self.subject.key_creation is None:
            pytest.skip("the product does not list keys, or a person makes them")
        before = settled.issued()
        with settled.session() as session:
            session.observe()
            session.delete_key(before.vendor_id)
        settled.settle()
        assert settled.issued().vendor_id != before.vendor_id
        assert settled.verify(settled.issued()) is Verification.GOOD

    def _rotate(self, estate: World, *options: str) -> None:
        done = estate.run("rotate", f"sample/{KEY}", "--auto-approve", *options)
        assert done.status in {ExitCode.DONE, ExitCode.HANDOFF}, done
        if done.status == ExitCode.HANDOFF:
            estate.work_through_handoffs()
        estate.settle()

    def _keys(self, estate: World) -> list[Any]:
        with estate.session() as session:
            return sorted((key.vendor_id, repr(key.fields), key.level_id) for key in session.observe().keys)


def _tenant(estate: World) -> Any:
    from reconciler.manifest import load_estate  # noqa: PLC0415  needed by two tests only

    estate.samples.write(estate.folder)
    [tenant] = load_estate(estate.folder).tenants
    return tenant
