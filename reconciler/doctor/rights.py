"""Whether a vendor credential may do what it must, and no more: as far as the vendor tells, and as we know what it needs."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final

from reconciler.doctor.catalogue import RIGHTS
from reconciler.doctor.results import Result, ok, problem, skipped, warning
from reconciler.errors import foreign
from reconciler.providers.base import Capabilities, OwnCredential
from reconciler.vault.failures import Identity

_SHOWN: Final = 5


def of(own: OwnCredential, can: Capabilities, identity: Identity, tenant: str) -> Iterator[Result]:
    """What is missing, and what is too much."""
    roles = ", ".join(map(foreign, own.roles))
    told = f"({own.evidence}, {own.source})"
    if own.permissions is not None:
        yield from _by_permission(own.permissions, can, identity, tenant, f"its role {roles} {told}")
    elif own.roles:
        yield _by_role(own, can, identity, tenant, f"{roles} {told}")
    else:
        yield skipped(RIGHTS, f"the vendor does not tell what it may do {told}", tenant=tenant)


def _by_permission(
    held: frozenset[str], can: Capabilities, identity: Identity, tenant: str, role: str
) -> Iterator[Result]:
    need = can.own_key.plan if identity == "plan" else can.own_key.apply
    missing = sorted(need - held)
    if missing:
        what = f"{role} lacks what the {identity} identity needs: {_several(missing)}"
        yield problem(RIGHTS, what, can.own_key.advice, missing, tenant=tenant, missing=missing)
    excess = [one for one in held - need if not any(fnmatchcase(one, known) for known in can.own_key.harmless)]
    risky = sorted(one for one in excess if any(fnmatchcase(one, known) for known in can.high_risk))
    ordered = [*risky, *sorted(set(excess) - set(risky))]
    if need and ordered:
        more = f", {len(risky)} of them of high risk" if risky else ""
        found = (
            f"{role} can do {len(ordered)} things that the {identity} identity does not need{more}: {_several(ordered)}"
        )
        mend = can.own_key.advice
        yield warning(RIGHTS, found, mend, tenant=tenant, excess=ordered, highRisk=risky)
    elif not missing:
        yield ok(RIGHTS, f"{role} can do what the {identity} identity needs, and nothing else", tenant=tenant)


def _by_role(own: OwnCredential, can: Capabilities, identity: Identity, tenant: str, told: str) -> Result:
    """The vendor names a role and not what it permits: roles that are known to permit everything are questioned."""
    too_much = can.own_key.too_much_to_plan if identity == "plan" else can.own_key.too_much
    found = sorted(too_much & set(own.roles))
    roles = [foreign(role) for role in own.roles]
    if found:
        what = f"its role {told} may do far more than the {identity} identity needs"
        return warning(RIGHTS, what, can.own_key.advice, tenant=tenant, roles=roles, excess=found)
    return ok(RIGHTS, f"its role is {told}; the vendor does not tell what that permits", tenant=tenant, roles=roles)


def _several(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(foreign, names[:_SHOWN])) + more
