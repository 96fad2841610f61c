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
from reconciler.manifest.check import check
from reconciler.manifest.drafts import Drafts, Place, TenantDraft
from reconciler.manifest.revision import Revision, read_revision
from reconciler.manifest.settings import SettingsDraft, to_estate
from reconciler.manifest.source import ROOT_FILE, find_root, resolved
from reconciler.model.desired import Source
from reconciler.model.estate import Estate

_ENDINGS: Final = (".yaml", ".yml")
_KINDS: Final = (b"Tenant", b"EndpointMap")
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")


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


def read_trusted(folder: Path, ref: str, scratch: Path, *, manifests: bool = True, ca_cert: bool = True) -> Trusted:
    """Read what a revision says of the estate that a folder belongs to. `scratch`: an empty folder for the CA file.

    `manifests=False` reads `reconciler.yaml` alone. `ca_cert=False`: the environment names the CA file.
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
