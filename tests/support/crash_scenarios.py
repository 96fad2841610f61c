"""What runs are killed at: each kind of action, for any provider, and what Git says when a dead run is recovered from.

A scenario is prepared, then something changes, then the command runs that is killed at every boundary. Where `meanwhile` is
given, the manifests change once more between the death and the next run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from reconciler.cli.group import COMMANDS
from reconciler.model.names import Kind
from reconciler.model.outcome import ExitCode
from reconciler.providers.base import Traits, Write
from tests.support.crash_site import Site
from tests.support.crash_world import TENANT, CrashWorld

APPLY: Final = ("apply", "--auto-approve")
OVERLAP: Final = {"every": "90d", "overlap": "24h"}
AT_ONCE: Final = {"every": "90d", "overlap": "0s"}
IN_PLACE: Final = {"every": "90d", "strategy": "inPlace"}
SPLUNK: Final = frozenset({"splunk"})

Change = Callable[[CrashWorld], object]
Fits = Callable[[Traits], bool]


# -- what the manifests say, or what somebody does ---------------------------------------------------------------------


def nothing(world: CrashWorld) -> None:
    """As it is."""


def apply(world: CrashWorld) -> None:
    """What is declared is carried out."""
    world.must(*APPLY)


def asked(world: CrashWorld) -> None:
    """A run asks a person."""
    ran = world.run(*APPLY)
    while world.open() and not world.completable():  # a level that only the next run can find
        world.act()
        ran = world.run(*APPLY)
    assert ran.status == ExitCode.HANDOFF, ran.output


def done_by_hand(world: CrashWorld) -> None:
    """The person does in the console what the steps say, and brings nothing back yet."""
    world.act()


def state_lost(world: CrashWorld) -> None:
    """The state is lost."""
    world.lose_state()


def left_locked(world: CrashWorld) -> None:
    """A run that is dead holds the lease, and will for long."""
    lease = {"run": "dead", "holder": "x", "since": "2026-01-01T00:00:00Z", "expires": "2999-01-01T00:00:00Z"}
    world.edit_state(lambda state: state.update(lease=lease))


def records_lost(world: CrashWorld) -> None:
    """The state is an old one, from before there was anything."""
    world.edit_state(lambda state: state.update(objects={}))


def level(name: str = "read", variant: int = 0) -> Change:
    """A level is declared."""
    return lambda world: world.level(name, variant)


def key(name: str = "splunk", **spec: Any) -> Change:
    """A key is declared."""
    return lambda world: world.key(name, **spec)


def without_key(name: str = "splunk") -> Change:
    """A key is taken out of Git."""
    return lambda world: world.without_key(name)


def without_level(name: str) -> Change:
    """A level is taken out of Git."""
    return lambda world: world.without_level(name)


def moved(world: CrashWorld) -> None:
    """The tenant's secrets are to be somewhere else."""
    world.tenant(secrets="moved")


def quarantining(world: CrashWorld) -> None:
    """Keys that are taken out of Git are locked first."""
    world.tenant(removal="quarantine")


def grace_over(world: CrashWorld) -> None:
    """The quarantine is over."""
    world.end_quarantine()


def due(world: CrashWorld) -> None:
    """The rotation is due, and so is the end of an overlap."""
    world.age(91)


def many_due(world: CrashWorld) -> None:
    """The rotations of two keys are due."""
    for name in ("one", "two"):
        world.age(91, name)


def over(world: CrashWorld) -> None:
    """The overlap is over."""
    world.age(2, issue=False)


def secret_lost(world: CrashWorld) -> None:
    """Somebody deleted the secret."""
    world.lose_secret()


def key_gone(world: CrashWorld) -> None:
    """Somebody deleted the key."""
    world.site.delete_key(world.record()["vendorId"])


def level_gone(world: CrashWorld) -> None:
    """Somebody deleted the level."""
    world.site.delete_level(world.state()["objects"][f"{world.site.level_kind}/read"]["vendorId"])


def orphaned(world: CrashWorld) -> None:
    """A key carries our mark, and nothing that we remember knows it: a creation that came late."""
    world.lose_secret()
    world.edit_state(lambda state: state["objects"].pop("ApiKey/splunk"))


def both(*changes: Change) -> Change:
    """One after the other."""

    def each(world: CrashWorld) -> None:
        for change in changes:
            change(world)

    return each


one: Final = both(level(), key())
many: Final = both(level(), key("one"), key("two"))
many_settled: Final = both(level(), key("one", rotation=OVERLAP), key("two", rotation=OVERLAP), apply)
settled: Final = both(level(), key(rotation=OVERLAP), apply)
in_place: Final = both(level(), key(rotation=IN_PLACE), apply)
at_once: Final = both(level(), key(rotation=AT_ONCE), apply)
locked: Final = both(level(), key(state="locked"), apply)
rotated: Final = both(settled, due, apply)
rotated_and_moved: Final = both(settled, moved, due, apply)
beside_another: Final = both(level(), key("other"), apply)
"""An estate that is not empty without the first key."""
two_kept: Final = both(quarantining, one, key("other"), apply)
repointed: Final = both(level("write", 1), key(level="write"), without_level("read"))


# -- what products can do ----------------------------------------------------------------------------------------------


def any_product(_: Traits) -> bool:
    """Every product."""
    return True


def in_place_fits(traits: Traits) -> bool:
    """A key can get a new secret."""
    return traits.regenerates_in_place


def anew_fits(traits: Traits) -> bool:
    """A key cannot get a new secret: it is issued anew."""
    return not traits.regenerates_in_place


def levels_fit(traits: Traits) -> bool:
    """Manifests can declare levels."""
    return bool(traits.kinds - {Kind.API_KEY})


def listing_fits(traits: Traits) -> bool:
    """What somebody did to a key can be seen."""
    return traits.lists_keys


def lock_deletes(traits: Traits) -> bool:
    """A key can be locked only by deleting it."""
    return not traits.reversible_lock


def by_hand(*writes: Write) -> Fits:
    """A person makes these."""
    return lambda traits: set(writes) <= traits.by_hand


def updated_by_hand(traits: Traits) -> bool:
    """A person changes keys, or some of what they are."""
    return Write.UPDATE_KEY in traits.by_hand or bool(traits.by_hand_fields)


def and_(*several: Fits) -> Fits:
    """All of them."""
    return lambda traits: all(fits(traits) for fits in several)


def lock_fits(traits: Traits) -> bool:
    """A key can be locked for a while, by API."""
    return traits.reversible_lock and Write.UPDATE_KEY not in traits.by_hand


def two_fit_by_api(traits: Traits) -> bool:
    """Two generations can live at once, and nobody has to end one by hand before the next."""
    return two_fit(traits) and Write.DELETE_KEY not in traits.by_hand


def two_fit(traits: Traits) -> bool:
    """Two generations can live at once."""
    return traits.most_keys_per_level != 1


def two_and_lock_fit(traits: Traits) -> bool:
    """Both."""
    return two_fit(traits) and lock_fits(traits)


def level_changes(traits: Traits) -> bool:
    """A key can be given another level."""
    return not traits.fixed_level


def level_is_fixed(traits: Traits) -> bool:
    """A key has its level for life."""
    return traits.fixed_level


@dataclass(frozen=True)
class Scenario:
    """See the module's text."""

    name: str
    change: Change
    prepare: Change = settled
    kinds: str = ""
    """The kinds of the actions that the command carries out."""
    meanwhile: Change | None = None
    retiring: frozenset[str] | None = frozenset()
    """Keys of which a former generation lives on at the end. None: that depends on when the run died."""
    steady: bool = False
    """Whether a consumer that reads its secret at any moment gets one that works."""
    outlives: bool = False
    """Whether the secret that consumers held before goes on working all the time and at the end."""
    quarantined: frozenset[str] = frozenset()
    """Keys that are not wanted any more, and locked at the end."""
    revoked: frozenset[str] = frozenset()
    """Keys that were revoked: none of them lives, and nothing brings them back."""
    fits: Fits = any_product
    command: tuple[str, ...] = APPLY
    again: tuple[str, ...] = APPLY
    """The one more run."""
    then: tuple[str, ...] = ()
    """A run after that, for a product that does not tell all that would be needed to be done without."""
    within: bool = False
    """Whether runs die in the middle of requests as well."""
    workers: int = 1
    """How many threads a pool may have; 0: as many as it wants."""
    batch: int = 0
    """How many objects are announced at once; 0: as many as it wants. With one, a batch begins before another ends."""
    anew: str = ""
    """The kinds where a key cannot get a new secret in place, if others."""

    def at(self, site: Site) -> str:
        """The kinds of the actions that it has at a product."""
        traits = site.traits()
        # Nobody is asked to delete a key whose successor somebody else has yet to make.
        anew = self.anew if not traits.regenerates_in_place and Write.CREATE_KEY not in traits.by_hand else ""
        return site.kinds.get(self.name) or anew or self.kinds


def _scenarios() -> Iterator[Scenario]:
    calm: dict[str, Any] = {"steady": True, "outlives": True}
    yield Scenario("create", one, nothing, "create", within=True)
    yield Scenario("create-many", many, nothing, "create", workers=0)
    yield Scenario("create-batches", both(many, key("three")), nothing, "create", workers=0, batch=1)
    yield Scenario("create-second", key("other"), settled, "create", **calm)
    yield Scenario("update-key", key(rotation=OVERLAP, variant=1), settled, "update", **calm)
    yield Scenario("update-level", level(variant=1), settled, "update", fits=levels_fit, **calm)
    yield Scenario("new-owner", key(rotation=OVERLAP, owner="b"), settled, "update", **calm)
    yield Scenario("repoint", repointed, both(one, apply), "create update delete", fits=level_changes, **calm)
    yield Scenario(
        "replace", repointed, both(one, apply), "create replace retire delete", steady=True, fits=level_is_fixed
    )
    yield Scenario("lock", key(state="locked"), both(one, apply), "lock", fits=lock_fits)
    yield Scenario("unlock", key(), locked, "unlock", fits=lock_fits)
    yield Scenario("rotate-overlap", due, settled, "rotate", retiring=SPLUNK, fits=two_fit, within=True,
                   **calm)  # fmt: skip
    yield Scenario("rotate-in-place", due, in_place, "rotate", fits=in_place_fits, within=True)
    yield Scenario("rotate-at-once", due, at_once, "rotate", anew="rotate retire")
    yield Scenario("rotate-batches", many_due, many_settled, "rotate", retiring=frozenset({"one", "two"}), fits=two_fit,
                   workers=0, batch=1, **calm)  # fmt: skip
    yield Scenario("retire", over, rotated, "retire", fits=two_fit, **calm)
    yield Scenario("retire-and-rotate", due, rotated, "retire rotate", retiring=SPLUNK, fits=two_fit_by_api, **calm)
    yield Scenario(
        "retire-locked", key(rotation=OVERLAP, state="locked"), rotated, "lock retire", fits=two_and_lock_fit
    )
    yield Scenario("move-overlap", both(moved, due), settled, "rotate", retiring=SPLUNK, fits=two_fit, **calm)
    yield Scenario("move-retire", over, rotated_and_moved, "retire", fits=two_fit, **calm)
    yield Scenario("move-in-place", both(moved, due), in_place, "rotate", fits=in_place_fits)
    yield Scenario("move-repair", both(moved, secret_lost), settled, "repair", anew="repair retire")
    yield Scenario("delete-key", without_key(), both(one, key("other"), apply), "delete")
    yield Scenario("quarantine", without_key(), two_kept, "lock", quarantined=SPLUNK, fits=lock_fits)
    yield Scenario("quarantine-over", grace_over, both(two_kept, without_key(), apply), "delete", fits=lock_fits)
    yield Scenario("quarantine-then-wanted", without_key(), two_kept, "lock", key(), fits=lock_fits)
    yield Scenario("absent", key(state="absent"), both(one, key("other"), apply), "delete")
    yield Scenario("delete-retiring", both(key("other"), without_key()), rotated, "create delete", fits=two_fit)
    yield Scenario("delete-level", without_level("spare"), both(one, level("spare"), apply), "delete", fits=levels_fit,
                   **calm)  # fmt: skip
    yield Scenario("repair-secret", secret_lost, settled, "repair", anew="repair retire")
    yield Scenario("repair-key", key_gone, settled, "repair", fits=listing_fits)
    yield Scenario("repair-key-retiring", key_gone, rotated, "repair", retiring=SPLUNK,
                   fits=and_(two_fit, listing_fits))  # fmt: skip
    yield Scenario("repair-all", both(key_gone, level_gone), settled, "repair", fits=and_(levels_fit, listing_fits))
    yield Scenario("orphan", orphaned, settled, "repair create", fits=listing_fits)
    yield Scenario("lock-deletes", key(state="locked"), both(one, apply), "lock", fits=lock_deletes)


def _with_another_commit() -> Iterator[Scenario]:
    """What Git says has changed between the death and the next run."""
    absent, lock, move = key(state="absent"), key(rotation=OVERLAP, state="locked"), moved
    wanted, gone = key(rotation=OVERLAP), without_key()
    rotating = both(settled, key("other"), apply)
    yield Scenario("create-then-removed", key(), beside_another, "create", gone)
    yield Scenario("create-then-absent", key(), beside_another, "create", absent)
    yield Scenario("create-then-moved", one, nothing, "create", move)
    yield Scenario("create-then-locked", one, nothing, "create", key(state="locked"), fits=lock_fits)
    yield Scenario("create-then-updated", one, nothing, "create", both(level(variant=1), key(variant=1)))
    yield Scenario("repoint-then-back", repointed, both(one, apply), "create update delete",
                   both(one, without_level("write")), fits=level_changes, steady=True, outlives=True)  # fmt: skip
    yield Scenario("rotate-then-removed", due, rotating, "rotate", gone, fits=two_fit)
    yield Scenario("rotate-then-moved", due, settled, "rotate", move, SPLUNK, outlives=True, fits=two_fit)
    yield Scenario("rotate-then-locked", due, settled, "rotate", lock, fits=two_and_lock_fit)
    yield Scenario("rotate-then-in-place", due, settled, "rotate", key(rotation=IN_PLACE), None, fits=in_place_fits)
    yield Scenario("in-place-then-moved", due, in_place, "rotate", move, fits=in_place_fits)
    yield Scenario(
        "in-place-then-removed", due, both(in_place, key("other"), apply), "rotate", gone, fits=in_place_fits
    )
    yield Scenario("in-place-then-locked", due, in_place, "rotate", key(rotation=IN_PLACE, state="locked"),
                   fits=lambda traits: in_place_fits(traits) and lock_fits(traits))  # fmt: skip
    yield Scenario("retire-then-removed", over, both(rotated, key("other"), apply), "retire", gone, fits=two_fit)
    yield Scenario("delete-then-wanted", gone, rotating, "delete", wanted)
    yield Scenario("delete-then-moved", gone, rotating, "delete", both(wanted, move))
    yield Scenario("repair-then-removed", secret_lost, rotating, "repair", gone, anew="repair retire")
    yield Scenario("repair-then-moved", secret_lost, settled, "repair", move, anew="repair retire")


def _other_commands() -> Iterator[Scenario]:
    """Commands that need no change in Git."""
    rotate = ("rotate", f"{TENANT}/splunk", "--auto-approve")
    revoke = ("revoke", f"{TENANT}/splunk", "--reason", "leaked", "--auto-approve")
    steady: dict[str, Any] = {"steady": True, "outlives": True}
    every: dict[str, Any] = {"command": revoke, "again": revoke, "revoked": SPLUNK}
    # A rotation that died before its intent is as if nobody had asked for it.
    yield Scenario("rotate-now", nothing, settled, "rotate", retiring=None, steady=True, outlives=True, fits=two_fit,
                   command=rotate)  # fmt: skip
    yield Scenario("rotate-now-in-place", nothing, in_place, "rotate", fits=in_place_fits, command=rotate)
    yield Scenario("rotate-now-again", nothing, rotated, "retire rotate", retiring=None, steady=True, outlives=True,
                   fits=two_fit, command=(*rotate, "--drop-previous"))  # fmt: skip
    yield Scenario("revoke", nothing, settled, within=True, **every)
    yield Scenario("revoke-both", nothing, rotated, **every)
    unlock = ("unlock", TENANT, "--holder", "dead")
    yield Scenario(
        "unlock-lease", nothing, both(settled, left_locked), command=unlock, again=unlock, then=APPLY, **steady
    )
    rebuild = ("state", "rebuild", TENANT, "--auto-approve")
    still: dict[str, Any] = {"command": rebuild, "again": rebuild, "then": APPLY, **steady}
    yield Scenario("rebuild", state_lost, settled, **still)
    yield Scenario("rebuild-records", records_lost, settled, **still)
    # Vault's metadata tells one key of each path: where keys are not listed, a former generation is lost with the state.
    yield Scenario("rebuild-rotated", state_lost, rotated, retiring=None, fits=and_(two_fit, listing_fits), **still)


def _by_hand() -> Iterator[Scenario]:
    """What a person has done in the console is told to the reconciler."""
    complete: dict[str, Any] = {"command": ("handoff", "complete", f"{TENANT}/splunk")}
    level_complete: dict[str, Any] = {"command": ("handoff", "complete", f"{TENANT}/AccessLevel/read")}
    calm: dict[str, Any] = {"steady": True, "outlives": True}
    told = both(asked, done_by_hand)
    creates, deletes = by_hand(Write.CREATE_KEY), by_hand(Write.DELETE_KEY)
    for suffix, again in (("", complete["command"]), ("-then-apply", APPLY)):
        yield Scenario(f"told-create{suffix}", both(one, told), nothing, fits=creates, **complete, again=again,
                       within=not suffix)  # fmt: skip
        yield Scenario(f"told-rotate{suffix}", both(due, told), settled, retiring=SPLUNK, fits=creates, **complete,
                       again=again, **calm)  # fmt: skip
        yield Scenario(f"told-move{suffix}", both(moved, due, told), settled, retiring=SPLUNK, fits=creates, **complete,
                       again=again, **calm)  # fmt: skip
        yield Scenario(f"told-in-place{suffix}", both(due, told), in_place, **complete, again=again,
                       fits=and_(by_hand(Write.REGENERATE_KEY), in_place_fits))  # fmt: skip
        yield Scenario(f"told-repair{suffix}", both(secret_lost, told), settled, fits=creates, **complete, again=again)
        yield Scenario(f"told-update{suffix}", both(key(rotation=OVERLAP, variant=1), told), settled,
                       fits=updated_by_hand, **complete, again=again, **calm)  # fmt: skip
        yield Scenario(f"told-delete{suffix}", both(without_key(), told), both(one, key("other"), apply), fits=deletes,
                       **complete, again=again)  # fmt: skip
        yield Scenario(f"told-retire{suffix}", both(over, told), rotated, fits=deletes, **complete, again=again, **calm)
        yield Scenario(f"told-level{suffix}", both(level(variant=1), told), settled, again=again, **level_complete,
                       fits=by_hand(Write.UPDATE_LEVEL), **calm)  # fmt: skip
    yield Scenario("cancel", both(due, asked), settled, retiring=SPLUNK, fits=creates,
                   command=("handoff", "cancel", f"{TENANT}/splunk"), again=APPLY, **calm)  # fmt: skip


SCENARIOS: Final = (
    *_scenarios(),
    *_with_another_commit(),
    *(scenario for scenario in _other_commands() if scenario.command[0] in COMMANDS),
    *_by_hand(),
)
