"""The estate: its manifests, and with a trusted revision what that says of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from reconciler.doctor.catalogue import MANIFESTS, TRUSTED
from reconciler.doctor.results import Result, failed, ok, problem, warning
from reconciler.errors import ReconcilerError
from reconciler.manifest import InvalidManifests, load_estate
from reconciler.manifest.alone import load_settings
from reconciler.model.estate import Estate
from reconciler.model.trusted import TrustedEstate

_SHOWN: Final = 8


class Loaded(NamedTuple):
    """What could be read. `whole`: the tenants are in it; else it is `reconciler.yaml` alone, or nothing."""

    estate: Estate | None
    whole: bool
    results: tuple[Result, ...]


def load(folder: Path) -> Loaded:
    """Read the manifests; where some are wrong, the settings alone, so that Vault can be looked at all the same."""
    try:
        estate = load_estate(folder, may_be_empty=True)
    except ReconcilerError as error:
        return Loaded(_settings(folder), whole=False, results=(_wrong(error, folder),))
    return Loaded(estate, whole=True, results=tuple(_found(estate)))


def _settings(folder: Path) -> Estate | None:
    try:
        return load_settings(folder)
    except ReconcilerError:
        return None


def _wrong(error: ReconcilerError, folder: Path) -> Result:
    if not isinstance(error, InvalidManifests):
        return failed(MANIFESTS, error)
    lines = [" ".join(str(one).split()) for one in error.problems]
    more = [f"… and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    mend = f"mend them; `reconciler validate {folder}` lists them all" if more else "mend them"
    return problem(MANIFESTS, error.what, mend, [*lines[:_SHOWN], *more], problems=len(lines))


def _found(estate: Estate) -> Iterator[Result]:
    keys = sum(len(tenant.keys) for tenant in estate.tenants)
    if not estate.tenants:
        mend = "write one, or look whether the folder is the right one"
        yield warning(MANIFESTS, "the manifests are valid, and there is no tenant among them", mend)
    else:
        found = f"{_counted(len(estate.tenants), 'tenant')} and {_counted(keys, 'key')}: valid"
        yield ok(MANIFESTS, found, tenants=len(estate.tenants), keys=keys)
    if estate.warnings:
        told = [" ".join(one.split()) for one in estate.warnings]
        more = [f"… and {len(told) - _SHOWN} more"] if len(told) > _SHOWN else []
        counted = _counted(len(told), "warning")
        yield warning(MANIFESTS, f"the manifests have {counted}", "look at each", [*told[:_SHOWN], *more])


def trusted(estate: Estate) -> Iterator[Result]:
    """What the trusted revision differs in. Nothing where none was asked for."""
    if not isinstance(estate, TrustedEstate):
        return
    for difference in estate.differences:
        mend = "have the change merged first, if it is meant: until then the revision's word counts"
        yield warning(TRUSTED, difference.text, mend, subject=difference.subject)
    if not estate.differences:
        found = f"{estate.ref} ({estate.commit[:12]}) says the same of where credentials go"
        yield ok(TRUSTED, found, ref=estate.ref, commit=estate.commit)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
