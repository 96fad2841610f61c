"""The trusted revision: what decides where credentials go, and who judges, is not taken from the working tree.

A pipeline plans what a stranger proposes, with an identity that Vault knows and credentials that vendors know. So the Vault
that we log in to, the estate's identity and state, the guardrails' limits and the endpoint maps come from a revision that
was reviewed (PROTOCOL.md, "Where credentials may go"; ADR 0013). `judge` compares, and tells every difference.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from reconciler.errors import InvalidInput, printable
from reconciler.manifest import models, positions, reader
from reconciler.manifest.check import check
from reconciler.manifest.drafts import Drafts, Place, TenantDraft
from reconciler.manifest.problems import Problem
from reconciler.manifest.revision import Revision, read_revision
from reconciler.manifest.settings import SettingsDraft, to_estate
from reconciler.manifest.source import ROOT_FILE, find_root, read, resolved
from reconciler.model.desired import CredentialRef, DesiredTenant, Source, VaultPath
from reconciler.model.estate import Estate, VaultConfig

_ENDINGS: Final = (".yaml", ".yml")
_KINDS: Final = (b"Tenant", b"EndpointMap")
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_MAP: Final = "endpointMap"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which the working tree differs from the trusted revision. `str()` is the line for people."""

    subject: str
    """`vault.address`, `EndpointMap/console`, `Tenant/dsm-prod` …"""
    text: str
    """What differs, and which of the two is used."""

    def __str__(self) -> str:
        return printable(f"finding: {self.text}")


@dataclass(frozen=True, slots=True)
class Trusted:
    """What a revision says about where credentials go."""

    ref: str
    commit: str
    settings: Estate
    """`reconciler.yaml` of the revision; no tenants. The CA file is a copy of the revision's."""
    ca_cert: bytes
    """Content of the CA file; empty if there is none, or if it is none of the repository's."""
    maps: Mapping[str, Mapping[str, Any]] | None = None
    """The specs of the EndpointMaps by name, used by tenants or not. None: they were not read, nor were the tenants."""
    tenants: Mapping[str, TenantDraft] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrustedEstate(Estate):
    """An estate of which the trusted revision decides what it has to."""

    ref: str = ""
    commit: str = ""
    differences: tuple[Difference, ...] = ()
    unvouched: tuple[str, ...] = ()
    """Tenants whose credential comes from the environment, and of which the revision does not name endpoint and credential.

    Nothing but `--trust-endpoints` binds such a credential to an endpoint, and that would trust the working tree."""


# --- reading ------------------------------------------------------------------------------------------------------------


def read_trusted(folder: Path, ref: str, scratch: Path, *, manifests: bool = True, ca_cert: bool = True) -> Trusted:
    """Read what a revision says of the estate that a folder belongs to. `scratch`: an empty folder for the CA file.

    `manifests=False` reads `reconciler.yaml` alone. `ca_cert=False`: the CA file is not needed, for the environment names one.
    InvalidInput if the revision cannot be read, or holds no (valid) estate there. Makes no call.
    """
    root = find_root(resolved(folder))
    if root is None:
        raise InvalidInput(f"there is no {ROOT_FILE} here or in a folder above", where=str(folder))
    revision = read_revision(root, ref)
    if ROOT_FILE not in revision.files:
        what = f"there is no estate in the trusted revision: no file {ROOT_FILE}"
        raise InvalidInput(what, where=revision.place(ROOT_FILE), hint="give the revision that the change goes into")
    [(_, data)] = revision.read([ROOT_FILE])
    settings = _settings(data, revision, root)
    content = b""
    if ca_cert and settings.vault.ca_cert:
        copy, content = _ca_cert(Path(settings.vault.ca_cert), revision, root, scratch)
        settings = replace(settings, vault=replace(settings.vault, ca_cert=str(copy)))
    found = Trusted(revision.ref, revision.commit, settings, content)
    if not manifests:
        return found
    drafts = _drafts(revision)
    maps = {one.name: one.content for one in drafts.shared if one.kind is models.ManifestKind.ENDPOINT_MAP}
    return replace(found, maps=maps, tenants={one.name: one for one in drafts.tenants})


def _settings(data: bytes, revision: Revision, root: Path) -> Estate:
    place = revision.place(ROOT_FILE)
    for document in positions.read(data).documents:
        manifest = check(document)
        if isinstance(manifest, models.Estate):
            source = Source(place, document.line, document.column)
            return to_estate(SettingsDraft(Place(0, document.number, source), manifest), root, (), ())
    raise InvalidInput("this holds no valid manifest of kind Estate", where=place, hint="mend it there first")


def _ca_cert(path: Path, revision: Revision, root: Path, scratch: Path) -> tuple[Path, bytes]:
    """The CA file as the revision holds it, copied to where it can be opened. One outside the repository is the operator's."""
    place = Path(os.path.normpath(path))
    if not place.is_relative_to(revision.top):
        return place, b""
    inside = place.relative_to(root).as_posix() if place.is_relative_to(root) else None
    if inside not in revision.files or inside is None:
        raise InvalidInput(
            "spec.vault.caCert names no regular file of the trusted revision in the estate's folder",
            where=revision.place(ROOT_FILE),
            hint=f"keep it beside {ROOT_FILE}, or set VAULT_CACERT",
        )
    [(_, content)] = revision.read([inside])
    copy = scratch / "ca.pem"
    copy.write_bytes(content)
    return copy, content


def _drafts(revision: Revision) -> Drafts:
    """The tenants and endpoint maps of a revision. What is not valid there is not there; InvalidInput for two of a name."""
    drafts = Drafts()
    seen: dict[tuple[str, str], str] = {}
    for path, data in revision.read([path for path in revision.files if _is_manifest(path)]):
        if not any(kind in data for kind in _KINDS) and data[:2] not in _UTF16:
            continue  # keys and levels, mostly: they decide nothing here
        for document in _documents(data):
            kind = document.value.get("kind") if isinstance(document.value, dict) else None
            manifest = check(document) if kind in {"Tenant", "EndpointMap"} else None
            if not isinstance(manifest, (models.Tenant, models.EndpointMap)):
                continue
            name = manifest.metadata.name
            place = revision.place(path)
            if (
                first := seen.setdefault((manifest.kind, name), f"{place}:{document.line}")
            ) != f"{place}:{document.line}":
                raise InvalidInput(
                    f"there is a second {manifest.kind} {name!r}", where=place, hint=f"the first: {first}"
                )
            drafts.add(manifest, Place(0, document.number, Source(place, document.line, document.column)))
    return drafts


def _is_manifest(path: str) -> bool:
    return path.endswith(_ENDINGS) and not any(part.startswith(".") for part in path.split("/"))


def _documents(data: bytes) -> list[reader.Document]:
    try:
        return list(reader.values(data))
    except reader.Unusual:
        return list(positions.read(data).documents)


# --- comparing ----------------------------------------------------------------------------------------------------------


def ca_content(estate: Estate) -> bytes:
    """What the CA file of the working tree holds; empty if there is none that can be read."""
    path = Path(estate.vault.ca_cert)
    data = read(path) if estate.vault.ca_cert and path.is_file() else b""
    return b"" if isinstance(data, Problem) else data


def judge(estate: Estate, trusted: Trusted, *, ca_cert: bytes = b"") -> TrustedEstate:
    """The estate as the trusted revision lets it be, with every difference. A pure function.

    `ca_cert` is the content of the working tree's CA file. InvalidInput if a secret would lie among the state documents.
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
    kept = {one.name: getattr(estate, one.name) for one in fields(Estate)}
    kept.update(id=settings.id, vault=settings.vault, limits=settings.limits, tenants=tenants)
    if overruled:
        kept["digest_of"] = _digest(estate, trusted, tenants)
    return TrustedEstate(
        **kept,
        ref=trusted.ref,
        commit=trusted.commit,
        differences=tuple(differences),
        unvouched=tuple(unvouched),
    )


def _of_settings(estate: Estate, trusted: Trusted, ca_cert: bytes) -> Iterator[Difference]:
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
    if _other_ca(ours, theirs, ca_cert, trusted.ca_cert):
        text = f"CA certificate of Vault differs from {ref}: {wins}, unless VAULT_CACERT is set"
        yield Difference("vault.caCert", text)
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
        text = f"it is at {tenant.endpoint}, with the credential {_credentials(tenant.credentials_plan, tenant.credentials_apply)}"
        yield Difference(subject, f'tenant "{tenant.name}" is not in {ref}: {text}')
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
