"""What the trusted revision overrules in the working tree, and every difference between the two.

A pipeline plans what a stranger proposes, with an identity that Vault knows and credentials that vendors know. So the Vault
that we log in to, the estate's identity and state, the guardrails' limits and the endpoint maps come from a revision that
was reviewed (PROTOCOL.md, "Where credentials may go"; ADR 0013). No I/O but the working tree's CA file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

from reconciler.errors import InvalidInput
from reconciler.manifest.drafts import TenantDraft
from reconciler.manifest.problems import Problem
from reconciler.manifest.source import read
from reconciler.manifest.trusted import Trusted
from reconciler.model.desired import CredentialRef, DesiredTenant, Source, VaultPath
from reconciler.model.estate import Estate, VaultConfig
from reconciler.model.policy import Policies, Rule, Waiver
from reconciler.model.trusted import Difference, TrustedEstate

_MAP: Final = "endpointMap"


def ca_content(estate: Estate) -> bytes:
    """What the CA file of the working tree holds; empty if there is none that can be read."""
    path = Path(estate.vault.ca_cert)
    data = read(path) if estate.vault.ca_cert and path.is_file() else b""
    return b"" if isinstance(data, Problem) else data


def judge(estate: Estate, trusted: Trusted, *, ca_cert: bytes | None = None) -> TrustedEstate:
    """The estate as the trusted revision lets it be, with every difference. A pure function.

    `ca_cert` is the content of the working tree's CA file; None: neither file counts, for the environment names one.
    InvalidInput if a secret would lie among the state documents.
    """
    settings = trusted.settings
    differences = list(_of_settings(estate, trusted, ca_cert))
    overruled = bool(differences)
    tenants, unvouched = estate.tenants, []
    if settings.vault.state != estate.vault.state:
        _keep_off(settings.vault.state, tenants)
    if trusted.maps is not None:
        differences += _of_maps(tenants, trusted)
        tenants = tuple(_with_map(tenant, trusted.maps) for tenant in tenants)
        overruled = overruled or tenants != estate.tenants
        for tenant in tenants:
            before = trusted.tenants.get(tenant.name)
            differences += _of_tenant(tenant, before, trusted.ref)
            if not _vouched(tenant, before):
                unvouched.append(tenant.name)
        differences += _of_policies(estate.policies, trusted)
    kept = {one.name: getattr(estate, one.name) for one in fields(Estate)}
    kept.update(id=settings.id, vault=settings.vault, limits=settings.limits, tenants=tenants)
    if trusted.maps is not None:
        kept["policies"] = trusted.policies
    if overruled:
        kept["digest_of"] = _digest(estate, trusted, tenants)
    return TrustedEstate(
        **kept,
        ref=trusted.ref,
        commit=trusted.commit,
        differences=tuple(differences),
        unvouched=tuple(unvouched),
    )


def _of_settings(estate: Estate, trusted: Trusted, ca_cert: bytes | None) -> Iterator[Difference]:
    """Everything here is overruled by the revision. What the environment may say, says so."""
    ref, ours, theirs = trusted.ref, estate.vault, trusted.settings.vault
    wins = f"the one of {ref} is used"
    shown: tuple[tuple[str, str, object, object, str], ...] = (
        ("vault.address", "Vault address", ours.address, theirs.address, ", unless VAULT_ADDR is set"),
        ("vault.namespace", "Vault namespace", ours.namespace, theirs.namespace, ", unless VAULT_NAMESPACE is set"),
        ("vault.state", "place of the state in Vault", ours.state, theirs.state, ""),
        ("id", "estate's id", estate.id, trusted.settings.id, ""),
    )
    for subject, words, here, there, unless in shown:
        if here != there:
            yield Difference(subject, f"{words} differs from {ref} ({_pair(here, there, ref)}): {wins}{unless}")
    if ca_cert is not None and _other_ca(ours, theirs, ca_cert, trusted.ca_cert):
        yield Difference("vault.caCert", f"CA certificate of Vault differs from {ref}: {wins}")
    for subject, identity, login, other in (
        ("vault.auth.plan", "planning", ours.auth_plan, theirs.auth_plan),
        ("vault.auth.apply", "applying", ours.auth_apply, theirs.auth_apply),
    ):
        if login != other:
            yield Difference(subject, f"Vault login for {identity} differs from {ref}: {wins}")
    if estate.limits != trusted.settings.limits:
        yield Difference("limits", f"limits of the guardrails differ from {ref}: those of {ref} are used")


def _other_ca(ours: VaultConfig, theirs: VaultConfig, here: bytes, there: bytes) -> bool:
    if bool(ours.ca_cert) != bool(theirs.ca_cert):
        return True
    return here != there if there else ours.ca_cert != theirs.ca_cert


def _pair(here: object, there: object, ref: str) -> str:
    return f"{str(here) or 'none'} here, {str(there) or 'none'} at {ref}"


def _keep_off(state: VaultPath, tenants: tuple[DesiredTenant, ...]) -> None:
    """The manifests were checked against the working tree's place of the state, which does not count."""
    for tenant in tenants:
        paths = [(str(key.source), key.secret_path) for key in tenant.keys]
        for ref in (tenant.credentials_plan, tenant.credentials_apply):
            paths += [(str(tenant.source), ref.vault)] if ref.vault is not None else []
        for where, path in paths:
            if path.lies_under(state):
                what = f"{str(path)!r} lies under the state documents of the trusted revision at {str(state)!r}"
                raise InvalidInput(what, where=where, hint="keep it elsewhere")


def _named_map(options: Mapping[str, Any]) -> str | None:
    name = options.get(_MAP)
    return name if isinstance(name, str) else None


def _with_map(tenant: DesiredTenant, maps: Mapping[str, Mapping[str, Any]]) -> DesiredTenant:
    name = _named_map(tenant.options)
    found = maps.get(name) if name is not None else None
    return tenant if found == tenant.endpoint_map else replace(tenant, endpoint_map=found)


def _of_maps(tenants: tuple[DesiredTenant, ...], trusted: Trusted) -> Iterator[Difference]:
    """Each map once, though many tenants name it."""
    told = set()
    for tenant in tenants:
        name = _named_map(tenant.options)
        if name is None or name in told:
            continue
        told.add(name)
        known = (trusted.maps or {}).get(name)
        if known is None:
            text = f'endpoint map "{name}" is not in {trusted.ref}: it is not used'
            yield Difference(f"EndpointMap/{name}", text)
        elif known != tenant.endpoint_map:
            text = f'endpoint map "{name}" differs from {trusted.ref}: the one of {trusted.ref} is used'
            yield Difference(f"EndpointMap/{name}", text)


def _of_tenant(tenant: DesiredTenant, before: TenantDraft | None, ref: str) -> Iterator[Difference]:
    """Where a tenant is, and what is sent there. The working tree's is used: what binds a credential is stored beside it."""
    subject = f"Tenant/{tenant.name}"
    if before is None:
        credential = _credentials(tenant.credentials_plan, tenant.credentials_apply)
        text = f'tenant "{tenant.name}" is not in {ref}: it is at {tenant.endpoint}, with the credential {credential}'
        yield Difference(subject, text)
        return
    pairs: tuple[tuple[str, Callable[[], str], bool], ...] = (
        ("provider", lambda: _pair(tenant.provider, before.provider, ref), tenant.provider != before.provider),
        ("endpoint", lambda: _pair(tenant.endpoint, before.endpoint, ref), tenant.endpoint != before.endpoint),
        (
            "credential",
            lambda: _pair(
                _credentials(tenant.credentials_plan, tenant.credentials_apply),
                _credentials(before.plan, before.apply),
                ref,
            ),
            (tenant.credentials_plan, tenant.credentials_apply) != (before.plan, before.apply),
        ),
        ("place of secrets", lambda: _pair(tenant.secrets, before.secrets, ref), tenant.secrets != before.secrets),
        ("options", lambda: "see the manifest", tenant.options != before.options),
    )
    for what, shown, differs in pairs:
        if differs:
            verb = "differ" if what == "options" else "differs"
            text = f'{what} of tenant "{tenant.name}" {verb} from {ref} ({shown()}): used as it is here'
            yield Difference(subject, text)


def _of_policies(ours: Policies, trusted: Trusted) -> Iterator[Difference]:
    """Rules and waivers, each once. A change does not judge itself: all of them are the revision's."""
    ref, theirs = trusted.ref, trusted.policies
    rules = _differing({one.id: one for one in ours.rules}, {one.id: one for one in theirs.rules})
    for name, here, there in rules:
        yield Difference(f"Policy/{name}", f'policy rule "{name}" {_told(here, there, ref)}')
    waivers = _differing({_called(one): one for one in ours.waivers}, {_called(one): one for one in theirs.waivers})
    for name, here, there in waivers:
        yield Difference(f"Waiver/{name}", f'waiver "{name}" {_told(here, there, ref)}')


def _called(waiver: Waiver) -> str:
    return f"{waiver.tenant}/{waiver.name}"


_Ruling = TypeVar("_Ruling", Rule, Waiver)


def _differing(ours: Mapping[str, _Ruling], theirs: Mapping[str, _Ruling]) -> Iterator[tuple[str, bool, bool]]:
    """What is not the same on both sides, wherever it stands: its name, and whether it is here and there."""
    nowhere = Source("", 0)
    for name in sorted({*ours, *theirs}):
        here, there = ours.get(name), theirs.get(name)
        if here is None or there is None or replace(here, source=nowhere) != replace(there, source=nowhere):
            yield name, here is not None, there is not None


def _told(here: bool, there: bool, ref: str) -> str:
    if not there:
        return f"is not in {ref}: it does not count"
    return f"differs from {ref}: the one of {ref} counts" if here else f"is in {ref} and not here: it counts"


def _credentials(plan: CredentialRef, apply: CredentialRef) -> str:
    return _credential(plan) if plan == apply else f"{_credential(plan)} and {_credential(apply)}"


def _credential(ref: CredentialRef) -> str:
    return str(ref.vault) if ref.vault is not None else f"in {', '.join(sorted(ref.env.values()))}"


def _vouched(tenant: DesiredTenant, before: TenantDraft | None) -> bool:
    if all(ref.vault is not None for ref in (tenant.credentials_plan, tenant.credentials_apply)):
        return True
    return before is not None and (tenant.provider, tenant.endpoint, tenant.credentials_plan, tenant.credentials_apply) == (
        before.provider, before.endpoint, before.plan, before.apply,
    )  # fmt: skip


def _digest(estate: Estate, trusted: Trusted, tenants: tuple[DesiredTenant, ...]) -> Callable[[], str]:
    """A saved plan stands only as long as the revision says the same, too."""

    def compute() -> str:
        vault = asdict(replace(trusted.settings.vault, ca_cert=hashlib.sha256(trusted.ca_cert).hexdigest()))
        maps = {tenant.name: tenant.endpoint_map for tenant in tenants}
        parts = [estate.digest, str(trusted.settings.id), vault, asdict(trusted.settings.limits), maps]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    return cache(compute)
