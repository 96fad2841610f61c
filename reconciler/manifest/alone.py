"""The parts of an estate that an emergency needs, without reading more than those.

A leaked key must be revoked even while some manifest is broken: `load_settings` reads `reconciler.yaml` and nothing else.
Labels of keys matter to selectors only, so that no other run carries them along.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reconciler.errors import InvalidInput
from reconciler.manifest import models, positions
from reconciler.manifest.check import check
from reconciler.manifest.drafts import Place
from reconciler.manifest.load import load_estate, validate
from reconciler.manifest.problems import InvalidManifests, Problem, Severity
from reconciler.manifest.references import matches
from reconciler.manifest.settings import SettingsDraft, to_estate
from reconciler.manifest.source import ROOT_FILE, below, find_root, read, resolved, shown
from reconciler.model.desired import DesiredKey, Source
from reconciler.model.estate import Estate
from reconciler.model.names import Kind


def load_settings(path: Path) -> Estate:
    """The estate that a file or folder belongs to, as its `reconciler.yaml` describes it: without any tenant.

    InvalidManifests if that file is wrong, InvalidInput if there is none. Other files are not looked at.
    """
    root, file = _root(path)
    data = read(file)
    if isinstance(data, Problem):
        raise InvalidManifests([data])
    for document in positions.read(data).documents:
        manifest = check(document)
        if isinstance(manifest, models.Estate):
            source = Source(shown(file), document.line, document.column)
            return to_estate(SettingsDraft(Place(0, document.number, source), manifest), root, (), ())
    wrong = [problem for problem in validate(file).problems if problem.severity is Severity.ERROR]
    raise InvalidManifests(wrong or [Problem(Source(shown(file), 1), "the file holds no manifest of kind Estate")])


def select_keys(path: Path, selector: Mapping[str, str]) -> tuple[DesiredKey, ...]:
    """The keys that have all these labels, or whose tenants have those that the keys do not give. Reads every manifest.

    InvalidManifests if any manifest is wrong: half of them could leave out a key that was meant.
    """
    estate = load_estate(path)
    root, _ = _root(path)
    labels = {str(source): found for source, found in _labels(root)}
    return tuple(
        key
        for tenant in estate.tenants
        for key in tenant.keys
        if matches({**tenant.labels, **labels.get(str(key.source), {})}, selector)
    )


def _root(path: Path) -> tuple[Path, Path]:
    root = find_root(resolved(path))
    if root is None:
        hint = f"'reconciler init' writes a {ROOT_FILE}"
        raise InvalidInput(f"there is no {ROOT_FILE} here or in a folder above", where=str(path), hint=hint)
    return root, root / ROOT_FILE


def _labels(root: Path) -> Iterator[tuple[Source, Mapping[str, Any]]]:
    """The labels of every key, by the place of its manifest. The manifests are known to be good."""
    files, _ = below(root, None)
    for path in files.values():
        data = read(path)
        for document in () if isinstance(data, Problem) else positions.documents(data):
            value = document.value
            if isinstance(value, dict) and value.get("kind") == Kind.API_KEY:
                labels = value["metadata"].get("labels") or {}
                yield Source(shown(path), document.line, document.column), labels
