"""Schedules as values, and the strategies that draw them. Everything is drawn before anything is run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from hypothesis import strategies as st

from reconciler.apply.tenant import BATCH
from tests.faults.soak.sites import Site

NAMES: Final = ("a", "b", "c")
LEVELS: Final = ("read", "write")


@dataclass(frozen=True)
class Key:
    """How a key is declared. `variant`: which of two values its options have; `expires`: "", "later" or "over"."""

    text: str
    level: str
    variant: int
    rotation: str
    state: str
    protect: bool
    expires: str
    reissue: bool
    renamed: bool


@dataclass(frozen=True)
class VendorFault:
    """A fault of the emulator from the n-th call of that kind on. `call` None: any call."""

    name: str
    call: tuple[str, str] | None
    nth: int
    times: int = 1
    requests: int = 3
    retry_after: int | None = None


@dataclass(frozen=True)
class VaultFault:
    """Trouble at the n-th of some requests to Vault, and as many more as `times` says."""

    trouble: str
    where: str
    nth: int
    times: int = 1
    name: str = "a"


@dataclass(frozen=True)
class Shift:
    """Somebody else deletes a key and makes another one while the pages of a list are read, before the n-th further page."""

    nth: int


@dataclass(frozen=True)
class Step:
    """What the manifests say, what somebody did since, the command, and what goes wrong meanwhile."""

    keys: dict[str, Key]
    levels: dict[str, int]
    protected_levels: bool
    on_removal: str
    meddling: tuple[tuple[str, str], ...]
    command: tuple[str, str]
    faults: tuple[VendorFault | VaultFault | Shift, ...]
    workers: int
    batch: int = BATCH
    """How many objects are announced at once. With one, the next batch begins before this one ends."""


Fault = VendorFault | VaultFault | Shift

ANYWHERE: Final = (
    "reset-before", "reset-after", "error-before", "error-after", "truncated", "cut-off", "html", "html-error",
    "forbidden", "unauthorized", "rate-limited", "unavailable", "hang-after",
)  # fmt: skip
VAULT_TROUBLE: Final = ("lost", "lost", "sealed", "away", "denied", "bump", "revoke", "steal", "slow")
VAULT_WHERE: Final = ("write", "write", "secret", "state", "any")
COMMANDS: Final = ("apply",) * 8 + ("plan", "rotate", "drop", "revoke", "revoke", "two")
MEDDLING: Final = (
    "age", "age", "overlap", "quarantine", "gone", "edited", "unmarked", "secret", "foreign", "level-gone",
    "level-edited", "clock",
)  # fmt: skip


def _keys(site: type[Site]) -> dict[str, st.SearchStrategy[Any]]:
    """Strategies for the fields of a key."""
    in_place = ("inPlace",) if site.provider.capabilities.traits.regenerates_in_place else ()
    return {
        "text": st.sampled_from(["one", "two"]),
        "level": st.sampled_from(["read", "write"]),
        "variant": st.sampled_from([0, 0, 1]),
        "rotation": st.sampled_from(["overlap", "overlap", "", "none", *in_place]),
        "state": st.sampled_from(["active"] * 5 + ["locked", "absent"]),
        "protect": st.sampled_from([False, False, False, True]),
        "expires": st.sampled_from(["", "", "later", "later", "over"]),
        "reissue": st.sampled_from([False, True]),
        "renamed": st.sampled_from([False, False, True]),
    }


def faults(site: type[Site]) -> st.SearchStrategy[Fault]:
    """One thing that goes wrong."""
    calls = st.one_of(st.none(), st.sampled_from(site.calls), st.sampled_from(site.calls[:3]))
    return st.one_of(
        st.builds(
            VendorFault, name=st.sampled_from(ANYWHERE), call=calls, nth=st.integers(1, 9),
            times=st.sampled_from([1, 1, 1, 2, 6]), retry_after=st.sampled_from([None, 1, 30]),
        ),
        st.builds(
            VendorFault, name=st.sampled_from(ANYWHERE), call=st.sampled_from(site.calls), nth=st.integers(1, 2),
            times=st.sampled_from([1, 1, 6]), retry_after=st.sampled_from([None, 1, 30]),
        ),
        st.builds(
            VendorFault, name=st.sampled_from(["reset-before", "unavailable"]), call=st.none(),
            nth=st.integers(1, 15), times=st.just(40),
        ),
        st.builds(
            VendorFault, name=st.sampled_from(["late-create", "hidden-in-list"]), call=st.sampled_from(site.calls[:2]),
            nth=st.integers(1, 2), requests=st.integers(1, 25),
        ),
        st.builds(
            VaultFault, trouble=st.sampled_from(VAULT_TROUBLE), where=st.sampled_from(VAULT_WHERE),
            nth=st.integers(0, 9), times=st.sampled_from([1, 1, 1, 4, 30]), name=st.sampled_from(NAMES),
        ),
        *([st.builds(Shift, nth=st.integers(1, 3))] if site.pages else []),
    )  # fmt: skip


@st.composite
def schedules(draw: st.DrawFn, site: type[Site]) -> list[Step]:
    """A few steps, one after the other; from step to step the manifests change a little."""
    traits = site.provider.capabilities.traits
    fields = _keys(site)
    keys = {
        name: Key(**{field: draw(some) for field, some in fields.items()})
        for name in NAMES
        if draw(st.sampled_from([True, True, False]))
    }
    removals = st.sampled_from(["delete", "delete", "orphan", *(["quarantine"] * 2 if traits.reversible_lock else [])])
    levels = {"read": 0, "write": 0}
    calm = draw(st.sampled_from([True, False, False, False]))
    found: list[Step] = []
    for _ in range(draw(st.integers(2, 5))):
        for name in NAMES:
            change = draw(st.sampled_from(["same"] * 8 + ["dropped", "redrawn", *fields]))
            if change == "redrawn" or (change != "same" and name not in keys):
                keys[name] = Key(**{field: draw(some) for field, some in fields.items()})
            elif change == "dropped":
                del keys[name]
            elif change != "same":
                keys[name] = replace(keys[name], **{change: draw(fields[change])})
        levels = {name: variant ^ draw(st.sampled_from([0, 0, 0, 1])) for name, variant in levels.items()}
        found.append(
            Step(
                keys=dict(keys),
                levels=levels,
                protected_levels=draw(st.sampled_from([False, False, False, True])),
                on_removal=draw(removals),
                meddling=tuple(
                    draw(st.lists(st.tuples(st.sampled_from(MEDDLING), st.sampled_from(NAMES)), max_size=3))
                ),
                command=draw(st.tuples(st.sampled_from(COMMANDS), st.sampled_from(NAMES))),
                faults=tuple(draw(st.lists(faults(site), max_size=0 if calm else 3))),
                workers=draw(st.sampled_from([1, 1, 8])),
                batch=draw(st.sampled_from([BATCH, BATCH, 1])),
            )
        )
    return found
