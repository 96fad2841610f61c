"""An estate as one Git revision, or the working tree, holds it: what `access-diff` compares. Makes no call.

The files of a revision are read as Git's objects and never checked out (`revision`). A symbolic link is followed within the
revision only, and only to a file or a folder of it, as the loader would follow it in a working tree.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from reconciler.errors import InvalidInput
from reconciler.manifest import pipeline, positions, reader
from reconciler.manifest.load import Held, load_estate, load_held
from reconciler.manifest.problems import Problem
from reconciler.manifest.revision import Revision, read_revision
from reconciler.manifest.source import (
    ENDINGS,
    ROOT_FILE,
    below,
    find_root,
    is_hidden,
    is_manifest,
    read,
    resolved,
    shown,
)
from reconciler.model.desired import Source
from reconciler.model.estate import Estate

JUDGING: Final = ("EndpointMap", "Policy", "Waiver", "Approval", "Estate")
"""Kinds that are compared as they stand: they say where credentials go, or judge what others want."""


@dataclass(frozen=True, slots=True)
class Document:
    """A manifest of one of the kinds `JUDGING`, as it stands."""

    kind: str
    name: str
    tenant: str
    spec: Any
    source: Source


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one side of a comparison holds."""

    ref: str
    """As it was asked for; empty for the working tree."""
    commit: str
    estate: Estate | None
    """None: there is no estate."""
    documents: Mapping[tuple[str, str, str], Document] = field(default_factory=dict)
    """By kind, tenant and name."""
    ca_cert: bytes = b""
    """Content of the CA file for Vault, if it is a file of the estate."""
    pipeline: Mapping[str, bytes] = field(default_factory=dict)
    """The repository's files that say what a pipeline installs and runs, by their paths in the repository."""
    submodules: Mapping[str, str] = field(default_factory=dict)
    """Other repositories within the estate, which are not read: their paths and the commits that they are at."""

    def __str__(self) -> str:
        return self.ref or "the working tree"


def find_estate(folder: Path, *, by_folder: bool) -> Path:
    """The root of the estate that a folder belongs to. `by_folder`: the folder itself, if no `reconciler.yaml` is there.

    InvalidInput if there is none.
    """
    real = resolved(folder)
    root = find_root(real)
    if root is None and by_folder and real.is_dir():
        return real
    if root is None:
        hint = f"'reconciler init' writes a {ROOT_FILE}"
        raise InvalidInput(f"there is no {ROOT_FILE} here or in a folder above", where=str(folder), hint=hint)
    return root


def working_tree(root: Path, *, now: datetime) -> Snapshot:
    """The estate as it lies in its folder. InvalidManifests with every problem."""
    estate = load_estate(root, now=now)
    found, _ = below(root, None)
    contents = ((shown(path), data) for path in found.values() if not isinstance(data := read(path), Problem))
    documents = {(one.kind, one.tenant, one.name): one for one in _judging(contents)}
    path = Path(estate.vault.ca_cert)
    data = read(path) if estate.vault.ca_cert and path.is_file() else b""
    return Snapshot(
        "", "", estate, documents, b"" if isinstance(data, Problem) else data, pipeline.of_working_tree(root)
    )


def at_revision(root: Path, ref: str, *, where: str, now: datetime, may_lack: bool = False) -> Snapshot:
    """The estate as a revision holds it. InvalidManifests with every problem, each at `REF:path:line:col`.

    `where`: what messages call the argument that gave the name. `may_lack`: no estate there is no problem.
    """
    revision = read_revision(root, ref, where=where, may_lack=may_lack)
    if ROOT_FILE not in revision.files:
        if may_lack:
            return Snapshot(ref, revision.commit, None)
        raise InvalidInput(f"the revision holds no {ROOT_FILE}", where=revision.place(ROOT_FILE))
    contents = dict(_manifests(revision))
    estate = load_held(root, Held(contents, revision.place), now=now, may_be_empty=may_lack)
    placed = ((revision.place(path), data) for path, data in contents.items())
    documents = {(one.kind, one.tenant, one.name): one for one in _judging(placed)}
    whole = read_revision(revision.top, revision.commit, where=where) if revision.top != root else revision
    ca_cert = _ca_cert(revision, root, estate.vault.ca_cert)
    return Snapshot(
        ref, revision.commit, estate, documents, ca_cert, pipeline.of_revision(whole, root), revision.submodules
    )


def _ca_cert(revision: Revision, root: Path, given: str) -> bytes:
    path = posixpath.normpath(given)
    inside = path.removeprefix(f"{root}/")
    if not given or inside not in revision.files:
        return b""
    [(_, data)] = revision.read([inside])
    return data


# --- the files of a revision --------------------------------------------------------------------------------------------


def _manifests(revision: Revision) -> Iterator[tuple[str, bytes]]:
    """The manifests that the loader would find in a working tree of the revision, each content once."""
    paths = [path for path in revision.files if is_manifest(path)]
    yield from revision.read(paths)
    linked = dict(_linked(revision, frozenset(paths)))
    for path, (_, data) in zip(linked, revision.read(list(linked.values())), strict=True):
        yield path, data


def _linked(revision: Revision, known: frozenset[str]) -> Iterator[tuple[str, str]]:
    """What is found only by following links: the path that leads there, and the file."""
    seen = set(known)
    for link, data in revision.read([path for path in revision.links if not is_hidden(path)]):
        named = link.endswith(ENDINGS)
        target = posixpath.normpath(posixpath.join(posixpath.dirname(link), data.decode(errors="replace")))
        if target.startswith(("/", "../")) or target == "..":
            if named:
                raise InvalidInput("the symbolic link leaves the estate's folder", where=revision.place(link))
        elif target in revision.files:
            if named and target not in seen:
                seen.add(target)
                yield link, target
        elif found := [path for path in revision.files if target == "." or path.startswith(f"{target}/")]:
            for path in found:
                rest = path if target == "." else path.removeprefix(f"{target}/")
                if is_manifest(rest) and path not in seen:
                    seen.add(path)
                    yield f"{link}/{rest}", path
        elif named or _leads_on(target, revision):
            raise InvalidInput(
                "the symbolic link leads to no file of the revision, or through another link, which is not followed",
                where=revision.place(link),
                hint="let it lead to the file itself",
            )


def _leads_on(target: str, revision: Revision) -> bool:
    """Whether a link's target is, or is below, another link or another repository."""
    return any(target == one or target.startswith(f"{one}/") for one in (*revision.links, *revision.submodules))


# --- what judges --------------------------------------------------------------------------------------------------------


def _judging(contents: Iterator[tuple[str, bytes]]) -> Iterator[Document]:
    """The documents of the kinds that are compared as they stand. The manifests are known to be good."""
    kinds = tuple(kind.encode() for kind in JUDGING)
    for name, data in contents:
        if not reader.may_hold(data, kinds):
            continue  # nearly all of a large estate
        for document in positions.documents(data):
            value = document.value
            if isinstance(value, dict) and value.get("kind") in JUDGING:
                metadata = value["metadata"]
                source = Source(name, document.line, document.column)
                tenant = metadata.get("tenant")
                yield Document(
                    value["kind"],
                    str(metadata["name"]) if value["kind"] != "Estate" else "",  # there is one, however it is called
                    tenant if isinstance(tenant, str) else "",
                    {**value.get("spec", {}), "tenantSelector": metadata.get("tenantSelector")},
                    source,
                )
