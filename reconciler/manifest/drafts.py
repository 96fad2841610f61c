"""Manifests that are right by themselves, in the form in which they wait for references to be resolved.

A pydantic model of a key takes ten times the memory of what it says, so none outlives its file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from reconciler.manifest import models
from reconciler.manifest.models.tenant import DEFAULT_GRACE, Adopt
from reconciler.model.desired import (
    NO_TEXTS,
    Approval,
    CredentialRef,
    IgnoredDrift,
    KeyState,
    LevelRef,
    OnRemoval,
    RateLimit,
    Removal,
    Rotation,
    Source,
    Unmanaged,
    VaultPath,
)
from reconciler.model.names import Kind, ObjectId
from reconciler.model.policy import Waiver


@dataclass(slots=True)
class Place:
    """Which document of which file a draft comes from."""

    file: int
    number: int
    source: Source


@dataclass(slots=True)
class TenantDraft:
    """A tenant, without what is in it."""

    place: Place
    name: str
    provider: str
    endpoint: str
    plan: CredentialRef
    apply: CredentialRef
    secrets: VaultPath
    unmanaged: Unmanaged
    labels: Mapping[str, str]
    rate: RateLimit
    split: bool
    """Whether the credentials are given apart, as `plan` and `apply`."""
    on_removal: OnRemoval | None
    """None: what is usual for the product."""
    adopt_rotate: bool
    options: Mapping[str, Any]


@dataclass(slots=True)
class SharedDraft:
    """What is in no tenant: a network list's networks, or an endpoint map's spec."""

    place: Place
    kind: models.ManifestKind
    name: str
    content: Any
    used: bool = False


@dataclass(slots=True)
class ObjectDraft:
    """What objects have in common: they are in a tenant that is only a name yet, or in those with these labels."""

    place: Place
    name: str
    tenant: str | None
    selector: Mapping[str, str] | None
    owner: str
    description: str


@dataclass(slots=True)
class ScopeDraft(ObjectDraft):
    """A scope."""

    scope: Mapping[str, Any]
    used: bool = False


@dataclass(slots=True)
class ApprovalDraft(ObjectDraft):
    """An approval."""

    approval: Approval


@dataclass(slots=True)
class LevelDraft(ObjectDraft):
    """An access level, or a service user."""

    permissions: Mapping[str, Any]
    protect: bool
    previous_names: tuple[str, ...]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    ignore_drift: tuple[IgnoredDrift, ...] = ()
    kind: Kind = Kind.ACCESS_LEVEL
    locked: bool = False


class ListName(NamedTuple):
    """A network list that a key refers to."""

    name: str


@dataclass(slots=True)
class KeyDraft(ObjectDraft):
    """A key. `scope` is a Scope's name or a mapping; `allowed_ips` are canonical networks and lists, in their order."""

    level: LevelRef
    expires: datetime | None
    rotation: Rotation | None
    state: KeyState
    protect: bool
    options: Mapping[str, Any]
    allowed_ips: tuple[str | ListName, ...]
    scope: str | Mapping[str, Any] | None
    previous_names: tuple[str, ...]
    reissue_after: datetime | None
    labels: Mapping[str, str] = field(default_factory=lambda: NO_TEXTS)
    annotations: Mapping[str, str] = field(default_factory=lambda: NO_TEXTS)
    ignore_drift: tuple[IgnoredDrift, ...] = ()


@dataclass(slots=True)
class PolicyDraft:
    """A policy: its rules as the manifest has them, for their expressions are still to be checked."""

    place: Place
    name: str
    rules: list[models.RuleSpec]


@dataclass(slots=True)
class WaiverDraft:
    """A waiver, and what it is called."""

    place: Place
    waiver: Waiver


@dataclass(slots=True)
class Drafts:
    """All drafts of an estate, by what they are, in the order of files."""

    tenants: list[TenantDraft] = field(default_factory=list)
    levels: list[LevelDraft] = field(default_factory=list)
    keys: list[KeyDraft] = field(default_factory=list)
    scopes: list[ScopeDraft] = field(default_factory=list)
    shared: list[SharedDraft] = field(default_factory=list)
    approvals: list[ApprovalDraft] = field(default_factory=list)
    policies: list[PolicyDraft] = field(default_factory=list)
    waivers: list[WaiverDraft] = field(default_factory=list)

    def add(self, manifest: models.Manifest, place: Place) -> None:
        """Draft a manifest of any kind but the Estate, which is no draft, and the key, which `records` drafts."""
        match manifest:
            case models.Tenant():
                self.tenants.append(_tenant(manifest, place))
            case models.AccessLevel():
                self.levels.append(_access_level(manifest, place))
            case models.ServiceUser():
                self.levels.append(_service_user(manifest, place))
            case models.Scope():
                self.scopes.append(ScopeDraft(*_frame(manifest, place), manifest.spec.scope))
            case models.Approval():
                self.approvals.append(_approval(manifest, place))
            case models.Policy():
                self.policies.append(PolicyDraft(place, manifest.metadata.name, manifest.spec.rules))
            case models.Waiver():
                self.waivers.append(WaiverDraft(place, _waiver(manifest, place)))
            case models.NetworkList():
                self.shared.append(_shared(manifest, place, tuple(manifest.spec.networks)))
            case models.EndpointMap():  # pragma: no branch  the other two are not for here
                self.shared.append(_shared(manifest, place, {"operations": manifest.spec.operations}))

    @property
    def objects(self) -> int:
        """How many manifests ask for something at a vendor."""
        return len(self.levels) + len(self.keys)


def vault_path(entry: models.VaultEntry | models.SecretsLocation | models.StateLocation) -> VaultPath:
    """A mount and a path."""
    return VaultPath(entry.mount, entry.path)


def _tenant(manifest: models.Tenant, place: Place) -> TenantDraft:
    spec = manifest.spec
    given = spec.credentials
    split = given.plan is not None and given.apply is not None
    return TenantDraft(
        place=place,
        name=manifest.metadata.name,
        provider=spec.provider,
        endpoint=spec.endpoint,
        plan=_credential(given.plan or given),
        apply=_credential(given.apply or given),
        secrets=vault_path(spec.secrets),
        unmanaged=spec.unmanaged,
        labels=manifest.metadata.labels,
        rate=RateLimit(spec.rate.calls, spec.rate.per.total_seconds(), spec.rate.share),
        split=split,
        on_removal=_on_removal(spec.on_removal),
        adopt_rotate=spec.adopt is Adopt.ROTATE,
        options=spec.options,
    )


def _credential(given: models.Credential | models.Credentials) -> CredentialRef:
    return CredentialRef(vault_path(given.vault) if given.vault is not None else None, given.env or {})


def _on_removal(given: Removal | models.RemovalSpec | None) -> OnRemoval | None:
    if given is None:
        return None
    action, grace = (given, None) if isinstance(given, Removal) else (given.action, given.grace)
    return on_removal(action, grace)


def on_removal(action: Removal, grace: timedelta | None = None) -> OnRemoval:
    """What happens on removal, with the default grace where there is one."""
    return OnRemoval(action, grace or DEFAULT_GRACE) if action is Removal.QUARANTINE else OnRemoval(action)


def _shared(manifest: models.NetworkList | models.EndpointMap, place: Place, content: Any) -> SharedDraft:
    return SharedDraft(place, models.ManifestKind(manifest.kind), manifest.metadata.name, content)


def _frame(
    manifest: models.AccessLevel | models.ServiceUser | models.Scope, place: Place
) -> tuple[Place, str, str | None, Mapping[str, str] | None, str, str]:
    metadata = manifest.metadata
    selector = metadata.tenant_selector
    return (
        place,
        metadata.name,
        metadata.tenant,
        selector.match_labels if selector is not None else None,
        metadata.owner,
        manifest.spec.description.strip(),
    )


def _access_level(manifest: models.AccessLevel, place: Place) -> LevelDraft:
    spec, metadata = manifest.spec, manifest.metadata
    names = tuple(metadata.previous_names or ())
    return LevelDraft(
        *_frame(manifest, place),
        spec.permissions,
        spec.protect,
        names,
        metadata.labels,
        metadata.annotations,
        _ignored(spec.ignore_drift),
    )


def _service_user(manifest: models.ServiceUser, place: Place) -> LevelDraft:
    spec, metadata = manifest.spec, manifest.metadata
    return LevelDraft(
        *_frame(manifest, place),
        {"groups": spec.groups},
        spec.protect,
        tuple(metadata.previous_names or ()),
        metadata.labels,
        metadata.annotations,
        _ignored(spec.ignore_drift),
        Kind.SERVICE_USER,
        spec.state is models.UserState.LOCKED,
    )


def ignored(given: Iterable[tuple[Sequence[str], datetime, str]]) -> tuple[IgnoredDrift, ...]:
    """What may drift (fields, until when, why), with each field once."""
    return tuple(IgnoredDrift(tuple(dict.fromkeys(fields)), until, reason) for fields, until, reason in given)


def _ignored(given: Sequence[models.IgnoreDriftSpec]) -> tuple[IgnoredDrift, ...]:
    return ignored((item.fields, item.until, item.reason) for item in given)


def _approval(manifest: models.Approval, place: Place) -> ApprovalDraft:
    metadata, spec = manifest.metadata, manifest.spec
    if isinstance(spec.object, models.ApprovedObject):
        kind, name, vendor_id = spec.object.kind, "", spec.object.vendor_id
    else:
        (kind, name), vendor_id = models.read_object(spec.object), ""
    approval = Approval(kind, name, spec.until, place.source, vendor_id, spec.reason.strip())
    return ApprovalDraft(place, metadata.name, metadata.tenant, None, metadata.owner, approval.reason, approval)


def _waiver(manifest: models.Waiver, place: Place) -> Waiver:
    metadata, spec = manifest.metadata, manifest.spec
    wanted = ObjectId.parse(spec.object)
    reason = spec.reason.strip()
    return Waiver(metadata.name, spec.rule, metadata.tenant, wanted, reason, spec.approver, spec.until, place.source)
