"""Adoption: write manifests for what exists at a vendor, and record it as ours. The vendor and its secrets are not touched.

First the manifests, then the state: a run that dies in between leaves manifests of things that are foreign, which the next
import finds again and records. What is written is loaded and planned before the state learns of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from reconciler.apply.annotate import annotate
from reconciler.apply.issue import Stored, store
from reconciler.apply.run import ApplyRun
from reconciler.apply.tools import Tools
from reconciler.apply.verify import tried
from reconciler.errors import Conflict, InvalidInput, OutcomeUnknown, RetryLater
from reconciler.manifest import load_estate, write
from reconciler.model.action import TenantPlan
from reconciler.model.desired import DesiredKey, DesiredTenant, KeyState, VaultPath
from reconciler.model.mark import Mark, new_nonce, owner_tag
from reconciler.model.names import Kind, ObjectId
from reconciler.model.observed import KnownKey
from reconciler.model.state import Record
from reconciler.plan.adopt import Adoption, Request, candidates, mismatches, propose
from reconciler.plan.observe import Access, OpenTenant, observe, open_tenant
from reconciler.plan.planner import plan_tenant
from reconciler.plan.run import PlannedTenant
from reconciler.providers.base import Issued, Verification

FOLDERS: Final = {Kind.ACCESS_LEVEL: "access-levels", Kind.SERVICE_USER: "service-users", Kind.API_KEY: "keys"}
"""Where the manifests of each kind go, below the folder that was asked for."""


@dataclass(frozen=True, slots=True)
class Import:
    """What was asked for: of which tenant, in which estate, to which folder."""

    desired: DesiredTenant
    estate: Path
    out: Path
    only: tuple[str, ...] = ()
    known: Mapping[str, str] | None = None
    """Names of keys by vendor id, for a vendor that does not list keys."""

    def file_of(self, name: ObjectId) -> Path:
        """Where an object's manifest goes."""
        return self.out / FOLDERS[name.kind] / f"{name.name}.yaml"


def run_import(run: ApplyRun, asked: Import) -> Adoption:
    """Adopt what can be adopted. InvalidInput, with nothing written, if a file is in the way or the folder is no good."""
    asked = replace(asked, out=write.place(asked.out, asked.estate))
    tenant = open_tenant(run.access, asked.desired)
    try:
        before = _proposal(run.access, tenant, asked)  # a lease would hide that the state was lost
        if not before.adopted:
            return before
        plan = TenantPlan(asked.desired.name, asked.desired.provider, asked.desired.endpoint)
        with run.held(PlannedTenant(tenant, plan)) as tools:
            adoption = _proposal(run.access, tenant, asked)
            _carry_out(tools, asked, adoption)
        return adoption
    finally:
        tenant.session.close()


def _proposal(access: Access, tenant: OpenTenant, asked: Import) -> Adoption:
    traits, known = tenant.provider.traits(asked.desired), asked.known or {}
    if known and traits.lists_keys:
        raise InvalidInput("this tenant's keys are listed by the vendor", hint="choose some of them with --only")
    tag = owner_tag(access.estate.id, asked.desired.name)
    also = tuple(KnownKey(vendor_id, name, Mark(tag, 1, new_nonce()), "") for vendor_id, name in known.items())
    request = Request(
        desired=asked.desired,
        provider=tenant.provider,
        view=observe(access, tenant, also),
        estate=access.estate.id,
        only=asked.only,
        known=known,
        holds=lambda name, text: write.holds(asked.file_of(name), text),
    )
    if traits.marked_only:
        request = replace(request, view=observe(access, tenant, candidates(request)))
    return propose(request)


def _carry_out(tools: Tools, asked: Import, adoption: Adoption) -> None:
    written = write.write_new({asked.file_of(item.id): item.text for item in adoption.adopted})
    try:
        _check(tools, asked, adoption)
        tools.journal.flush(adoption.document)
    except (OutcomeUnknown, RetryLater):
        raise  # whether the state knows of them cannot be told: run again, the manifests are taken for what they are
    except BaseException:
        write.take_away(written)
        raise


def _check(tools: Tools, asked: Import, adoption: Adoption) -> None:
    """Load the estate with what was written, and plan it: there must be nothing to do."""
    access = tools.access
    tenants = load_estate(asked.estate).tenants
    desired = next((tenant for tenant in tenants if tenant.name == asked.desired.name), asked.desired)
    names = [item.id for item in adoption.adopted]
    tag = owner_tag(access.estate.id, desired.name)
    also = tuple(
        KnownKey(item.record.vendor_id, item.id.name, Mark(tag, 1, item.record.nonce), item.record.level_id)
        for item in adoption.adopted
        if item.id.kind is Kind.API_KEY
    )
    traits = tools.tenant.provider.traits(desired)
    view = observe(access, tools.tenant, also if traits.marked_only or not traits.lists_keys else ())
    if view.document is None:  # pragma: no cover  holding the lease has made one
        raise AssertionError("the lease is in the document")
    view = replace(view, document=adoption.document(view.document))
    plan = plan_tenant(replace(desired, adopt_rotate=False), tools.tenant.provider, view, access.estate.id)
    lost = set(names) - {level.id for level in desired.levels} - {key.id for key in desired.keys}
    wrong = mismatches(plan, names) | dict.fromkeys(lost, "its manifest is not seen where it was written")
    for name, reason in sorted(wrong.items()):
        raise Conflict(
            f"{name} would not be left alone: {reason}",
            where=desired.name,
            hint="nothing was written; has somebody changed it meanwhile? Run it again",
        )


# --- the secret of an adopted key ---------------------------------------------------------------------------------------


def waits_for_secret(access: Access, plan: TenantPlan, name: ObjectId) -> bool:
    """Whether this is an adopted key whose secret is not in Vault, and that has no handoff of its own."""
    document, _ = access.states.load(plan.tenant)
    record = document.objects.get(str(name)) if document is not None else None
    asked = {item.object for item in plan.waiting}
    return _is_unknown(record) and name not in asked and name.kind is Kind.API_KEY


def take_in(tools: Tools, name: ObjectId, issued: Issued, *, unverified: bool) -> Stored:
    """Verify and store the secret that an adopted key has. InvalidInput, with nothing written, if it is not that key's."""
    where = f"{tools.tenant.desired.name}/{name}"
    desired = next((key for key in tools.tenant.desired.keys if key.id == name), None)
    record = tools.journal.document.objects.get(str(name))
    if desired is None or record is None or not _is_unknown(record):
        raise InvalidInput("it is no adopted key that waits for its secret", where=where)
    verification = _refuse(tools, desired, record, issued, unverified=unverified)
    path = desired.secret_path
    metadata = tools.access.secrets.metadata(path)
    if metadata.live and path != VaultPath(record.mount, record.path):
        raise Conflict(f"{path} already holds a secret that the reconciler did not write", where=where)
    tools.access.secrets.preflight({path})
    # The path first: a run that dies after it has stored the secret finds what lies there to be its own.
    tools.journal.flush(lambda document: document.amend(str(name), mount=path.mount, path=path.path))
    version = store(tools, path, issued, metadata.current_version, on_top=False)
    issued_at = record.issued_at or tools.access.vault.now()
    annotate(
        tools, name, path, vendor_id=record.vendor_id, generation=record.generation, owner=desired.owner,
    )  # fmt: skip
    tools.journal.flush(lambda document: document.amend(str(name), version=version, issued_at=issued_at))
    return Stored(path, version, verification)


def _refuse(tools: Tools, desired: DesiredKey, record: Record, issued: Issued, *, unverified: bool) -> Verification:
    where = f"{tools.tenant.desired.name}/{desired.id}"
    if issued.vendor_id != record.vendor_id:
        what = f"this is key {issued.vendor_id}, and the adopted one is key {record.vendor_id}"
        raise InvalidInput(what, where=where, hint="nothing was written")
    return tried(tools, issued, where, locked=desired.state is KeyState.LOCKED, unverified=unverified)


def _is_unknown(record: Record | None) -> bool:
    return record is not None and record.adopted and not record.version and record.revoked is None
