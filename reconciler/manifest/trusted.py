"""What the trusted revision says about where credentials go: its settings, its endpoint maps, and where its tenants are.

Read leniently on purpose: what is not valid there is as good as not there, and so not trusted, and a key that an older
version let pass stops nobody. `verdict` compares.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from reconciler.errors import InvalidInput
from reconciler.manifest import models, positions, reader
from reconciler.manifest.check import Finding, Wrong, check, dotted
from reconciler.manifest.drafts import Drafts, Place, TenantDraft
from reconciler.manifest.policies import gather
from reconciler.manifest.revision import Revision, read_revision
from reconciler.manifest.settings import SettingsDraft, to_estate
from reconciler.manifest.source import ROOT_FILE, find_root, is_manifest, resolved
from reconciler.model.desired import Source
from reconciler.model.estate import Estate
from reconciler.model.policy import NO_POLICIES, Policies

_KINDS: Final = (b"Tenant", b"EndpointMap", b"Policy", b"Waiver")
_MEND: Final = "have it mended there first: nothing is judged while a rule cannot be read"


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
    policies: Policies = NO_POLICIES
    """The rules that are on in the revision, and its waivers. They are not read leniently: see `read_trusted`."""


def read_trusted(folder: Path, ref: str, scratch: Path, *, manifests: bool = True, ca_cert: bool = True) -> Trusted:
    """Read what a revision says of the estate that a folder belongs to. `scratch`: an empty folder for the CA file.

    `manifests=False` reads `reconciler.yaml` alone. `ca_cert=False`: the environment names the CA file.
    InvalidInput if the revision cannot be read, or holds no (valid) estate there, or a policy or a waiver that is not
    valid: a rule that is left out would let pass what it is there to deny. Makes no call.
    """
    root = find_root(resolved(folder))
    if root is None:
        raise InvalidInput(f"there is no {ROOT_FILE} here or in a folder above", where=str(folder))
    revision = read_revision(root, ref)
    if ROOT_FILE not in revision.files:
        what = f"there is no estate in the trusted revision: no file {ROOT_FILE}"
        raise InvalidInput(what, where=revision.place(ROOT_FILE), hint="give the revision that the change goes into")
    [(_, data)] = revision.read([ROOT_FILE])
    draft = _settings(data, revision)
    settings = to_estate(draft, root, (), ())
    content = b""
    if ca_cert and settings.vault.ca_cert:
        copy, content = _ca_cert(Path(settings.vault.ca_cert), revision, root, scratch)
        settings = replace(settings, vault=replace(settings.vault, ca_cert=str(copy)))
    found = Trusted(revision.ref, revision.commit, settings, content)
    if not manifests:
        return found
    drafts = _drafts(revision)
    policies = gather(drafts.policies, drafts.waivers, draft, _refuse)
    maps = {one.name: one.content for one in drafts.shared if one.kind is models.ManifestKind.ENDPOINT_MAP}
    return replace(found, maps=maps, tenants={one.name: one for one in drafts.tenants}, policies=policies)


def _refuse(place: Place, name: str, finding: Finding) -> None:
    what = f"{name} of the trusted revision is not valid: {dotted(finding.path)}: {finding.what}"
    raise InvalidInput(what, where=str(place.source), hint=_MEND)


def _settings(data: bytes, revision: Revision) -> SettingsDraft:
    place = revision.place(ROOT_FILE)
    for document in positions.read(data).documents:
        manifest = check(document)
        if isinstance(manifest, models.Estate):
            source = Source(place, document.line, document.column)
            return SettingsDraft(Place(0, document.number, source), manifest)
    raise InvalidInput("this holds no valid manifest of kind Estate", where=place, hint="mend it there first")


def _ca_cert(path: Path, revision: Revision, root: Path, scratch: Path) -> tuple[Path, bytes]:
    """The CA file as the revision holds it, copied to where it can be opened. One outside the repository is not its own."""
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
    for path, data in revision.read([path for path in revision.files if is_manifest(path)]):
        if not reader.may_hold(data, _KINDS):
            continue  # keys and levels, mostly: they decide nothing here
        for document in positions.documents(data):
            kind = document.value.get("kind") if isinstance(document.value, dict) else None
            manifest = check(document) if kind in {"Tenant", "EndpointMap", "Policy", "Waiver"} else None
            place = revision.place(path)
            if isinstance(manifest, Wrong) and kind in {"Policy", "Waiver"}:
                _refuse(Place(0, 0, Source(place, document.line, document.column)), str(kind), manifest.findings[0])
            if not isinstance(manifest, (models.Tenant, models.EndpointMap, models.Policy, models.Waiver)):
                continue
            name = manifest.metadata.name
            if isinstance(manifest, models.Waiver):
                name = f"{manifest.metadata.tenant}/{name}"
            if (
                first := seen.setdefault((manifest.kind, name), f"{place}:{document.line}")
            ) != f"{place}:{document.line}":
                raise InvalidInput(
                    f"there is a second {manifest.kind} {name!r}", where=place, hint=f"the first: {first}"
                )
            drafts.add(manifest, Place(0, document.number, Source(place, document.line, document.column)))
    return drafts
