"""From files to the estate: `load_estate` for those who use it, `validate` for those who want to know what is wrong."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from reconciler.errors import InvalidInput
from reconciler.manifest import drafts, models, positions, reader, records
from reconciler.manifest.cache import Cache
from reconciler.manifest.check import Finding, Wrong, check
from reconciler.manifest.expand import Expansion
from reconciler.manifest.problems import InvalidManifests, Problem, Severity
from reconciler.manifest.references import Broken
from reconciler.manifest.settings import SettingsDraft, to_estate
from reconciler.manifest.source import ROOT_FILE, below, find_root, read, resolved, shown
from reconciler.manifest.supply import supply
from reconciler.model.desired import DesiredTenant, Source, VaultPath
from reconciler.model.estate import Estate
from reconciler.model.policy import NO_POLICIES, Policies

_EMPTY: Final = "empty"


@dataclass(frozen=True, slots=True)
class Report:
    """What validation found: problems sorted by place, and how many documents in how many files were looked at."""

    problems: tuple[Problem, ...]
    documents: int
    files: int
    tenants: tuple[DesiredTenant, ...] = field(default=(), compare=False, repr=False)
    """What the whole estate asks for, as far as it could be made out."""
    policies: Policies = NO_POLICIES
    """The rules that are on in the estate."""
    names: frozenset[str] = frozenset()
    """The files that were looked at, as sources name them."""

    @property
    def errors(self) -> int:
        """How many problems are errors."""
        return sum(problem.severity is Severity.ERROR for problem in self.problems)


def load_estate(
    path: Path, *, now: datetime | None = None, may_be_empty: bool = False, cache: Cache | None = None
) -> Estate:
    """Load the estate that a file or folder belongs to: `reconciler.yaml` is looked for from there upward.

    `may_be_empty`: for whoever is about to put the first objects into it. `cache`: for whoever writes nothing. Raises
    InvalidManifests with every problem, or InvalidInput if there is no estate. Makes no call.
    """
    real = resolved(path)
    root = find_root(real)
    if root is None:
        hint = f"'reconciler init' writes a {ROOT_FILE}"
        raise InvalidInput(f"there is no {ROOT_FILE} here or in a folder above", where=str(path), hint=hint)
    with _collection_paused():
        return _estate_of(_Loading(root, None, now, cache), root, may_be_empty=may_be_empty)


def validate(path: Path, *, now: datetime | None = None, cache: Cache | None = None) -> Report:
    """Everything that is wrong below a path. Within an estate, references may point to all of it. Makes no call.

    InvalidInput if there is no such path.
    """
    real = resolved(path)
    root = find_root(real)
    with _collection_paused():
        loading = _Loading(real if root is None else root, real, now, cache, estate=root is not None)
        tenants = loading.run()
        return loading.report(real, tenants)


@dataclass(frozen=True, slots=True)
class Held:
    """The manifests of an estate, by their paths below its root, and what messages call such a path."""

    contents: Mapping[str, bytes]
    place: Callable[[str], str]


def load_held(root: Path, held: Held, *, now: datetime | None = None, may_be_empty: bool = False) -> Estate:
    """Load an estate whose files are not in its folder: a Git revision holds them. As `load_estate` in everything else."""
    with _collection_paused():
        return _estate_of(_Loading(root, None, now, None, held=held), root, may_be_empty=may_be_empty)


def _estate_of(loading: _Loading, root: Path, *, may_be_empty: bool) -> Estate:
    tenants = loading.run()
    problems = [one for one in loading.problems() if not (may_be_empty and one.code == _EMPTY)]
    if any(problem.severity is Severity.ERROR for problem in problems):
        raise InvalidManifests(problems)
    settings = loading.settings
    assert settings is not None  # noqa: S101  a missing one is an error above
    return to_estate(settings, root, tenants, tuple(map(str, problems)), loading.policies)


@contextmanager
def _collection_paused() -> Iterator[None]:
    """Pause garbage collection: it would scan ever more objects that all live on."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


@dataclass(slots=True)
class _File:
    path: Path
    real: Path
    name: str
    documents: int = 0
    findings: list[tuple[int, Source, str, Finding]] = field(default_factory=list)
    """Document's number, document's place, object, what is wrong: exact places are looked up at the end, file by file."""
    reading: positions.Reading | None = None
    """Where everything stands, if somebody has looked already."""
    held: bytes | None = None
    """Its content, where that is not in the folder."""

    def read(self) -> bytes | Problem:
        """The content, or why there is none."""
        return self.held if self.held is not None else read(self.path)


_OBJECTS = [kind for kind in models.ManifestKind if kind is not models.ManifestKind.ESTATE]
"""A list, for not every kind that somebody writes can be hashed."""


class _Loading:
    def __init__(
        self,
        root: Path,
        only: Path | None,
        now: datetime | None,
        cache: Cache | None,
        *,
        estate: bool = True,
        held: Held | None = None,
    ) -> None:
        self._root = root
        self._is_estate = estate
        self._problems: list[Problem] = []
        if held is not None:
            self._settings_name = held.place(ROOT_FILE)
            self._files = [
                _File(root / path, root / path, held.place(path), held=data)
                for path, data in sorted(held.contents.items())
            ]
        else:
            self._settings_name = shown(root / ROOT_FILE)
            paths, self._problems = below(root, only if only != root else None)
            self._files = [_File(path, real, shown(path)) for real, path in paths.items()]
        self._now = now or datetime.now(UTC)
        self._broken = Broken()
        self._cache = cache
        self._drafts = drafts.Drafts()
        self._keys = records.Keys()
        self.settings: SettingsDraft | None = None
        self.policies = NO_POLICIES
        self._settings_broken = False
        self._state: VaultPath | None = None

    def run(self) -> tuple[DesiredTenant, ...]:
        in_folder = [file.path for file in self._files if file.held is None]
        with supply(self._root, in_folder, self._cache) as supplied:
            for index, file in enumerate(self._files):
                found = supplied.entries(index) if file.held is None else records.entries(file.held)
                if found is None:
                    self._read(index, file)
                else:
                    self._take(index, file, found)
        if not self._files and not self._problems:
            self._add(_nothing_in(self._root))
        objects = self._drafts.objects
        tenants = Expansion(self._report, self._broken, self._state, self._now).run(self._drafts)
        self._check_estate(objects)
        if self._drafts.policies or self._drafts.waivers or self._has_policies():
            from reconciler.manifest.policies import gather  # noqa: PLC0415  only estates with rules need it

            self.policies = gather(self._drafts.policies, self._drafts.waivers, self.settings, self._report)
        return tenants

    def _has_policies(self) -> bool:
        if self.settings is None:
            return False
        chosen = self.settings.manifest.spec.policy
        return chosen.builtin != "off" or bool(chosen.rules)

    # --- reading ---

    def _take(self, index: int, file: _File, found: list[records.Entry]) -> None:
        """A file in which every document is right by itself."""
        file.documents = len(found)
        keys, draft, name = self._drafts.keys, self._keys.draft, file.name
        for number, line, column, content in found:
            if isinstance(content, list):  # nearly all of a large estate
                keys.append(draft(content, drafts.Place(index, number, Source(name, line, column))))
            else:
                self._document(index, file, reader.Document(number, content, line, column))

    def _read(self, index: int, file: _File) -> None:
        """Any other file, with care."""
        data = file.read()
        if isinstance(data, Problem):
            self._add(data)
            return
        reading = positions.read(data)
        for line, column, code, what, hint in reading.troubles:
            self._add(Problem(Source(file.name, line, column), what, hint, code=code))
        if not reading.complete:
            self._broken.texts.append(data.decode(errors="replace"))
        file.documents = len(reading.documents)
        for document in reading.documents:
            self._document(index, file, document)
        file.reading = reading if file.findings else None

    def _document(self, index: int, file: _File, document: reader.Document) -> None:
        manifest = check(document)
        place = drafts.Place(index, document.number, Source(file.name, document.line, document.column))
        if isinstance(manifest, Wrong):
            self._wrong(file, document, manifest, place)
        elif isinstance(manifest, models.Estate):
            self._estate(file, manifest, place)
        else:
            self._draft(manifest, place)

    def _draft(self, manifest: models.Manifest, place: drafts.Place) -> None:
        if isinstance(manifest, models.ApiKey):
            self._drafts.keys.append(self._keys.draft(records.record(manifest), place))
        else:
            self._drafts.add(manifest, place)

    def _wrong(self, file: _File, document: reader.Document, wrong: Wrong, place: drafts.Place) -> None:
        name = _name_of(document.value)
        for finding in wrong.findings:
            self._report(place, name, finding)
        self._broken.add(document.value, place, provider=wrong.rest is None)
        if isinstance(wrong.rest, models.Estate):
            self._state = drafts.vault_path(wrong.rest.spec.vault.state)
        elif wrong.rest is not None:
            self._draft(wrong.rest, place)
        if file.path == self._root / ROOT_FILE and not _is_object(document.value):
            self._settings_broken = True

    def _is_settings(self, file: _File) -> bool:
        return not self._is_estate or file.path == self._root / ROOT_FILE

    def _estate(self, file: _File, manifest: models.Estate, place: drafts.Place) -> None:
        name = f"Estate/{manifest.metadata.name}"
        if file.path.name != ROOT_FILE or not self._is_settings(file):
            where = self._settings_name if self._is_estate else ROOT_FILE
            what = "an Estate stands in reconciler.yaml at the estate's root, and nowhere else"
            self._report(place, name, Finding(("kind",), what, f"move it to {where}", "estate"))
        elif self.settings is not None:
            what, hint = "there is a second Estate", f"the first is at {self.settings.place.source}"
            self._report(place, name, Finding(("kind",), what, hint, "estate"))
        else:
            self.settings = SettingsDraft(place, manifest)
            self._state = drafts.vault_path(manifest.spec.vault.state)

    def _check_estate(self, objects: int) -> None:
        """An estate has its settings, and something to look after."""
        if not self._is_estate:
            return
        place = Source(self._settings_name, 1)
        unread = any(problem.source.file == place.file for problem in self._problems)
        if self.settings is None and not self._settings_broken and not unread:
            self._add(
                Problem(
                    place, "the file holds no manifest of kind Estate", "'reconciler init' writes one", code="estate"
                )
            )
        if not objects and not self._problems and not any(file.findings for file in self._files):
            what = "the estate is empty: no manifest declares an access level or a key"
            hint = "to remove the last keys, declare them with state: absent"
            self._add(Problem(place, what, hint, code=_EMPTY))

    # --- problems ---

    def _add(self, problem: Problem) -> None:
        self._problems.append(problem)

    def _report(self, place: drafts.Place, name: str, finding: Finding) -> None:
        self._files[place.file].findings.append((place.number, place.source, name, finding))

    def problems(self) -> tuple[Problem, ...]:
        """All of them, each at its exact place, sorted."""
        for file in self._files:
            if file.findings:
                self._problems.extend(_placed(file))
                file.findings = []
        return tuple(sorted(self._problems, key=lambda problem: problem.order))

    def report(self, path: Path, tenants: tuple[DesiredTenant, ...]) -> Report:
        """What is located at or below a path."""
        files = [file for file in self._files if file.real.is_relative_to(path)]
        names = {file.name for file in files}
        problems = [
            problem
            for problem in self.problems()
            if problem.source.file in names or Path(problem.source.file).absolute().is_relative_to(path)
        ]
        if not files and not problems:
            problems.append(_nothing_in(path))
        documents = sum(file.documents for file in files)
        return Report(tuple(problems), documents, len(files), tenants, self.policies, frozenset(names))


def _nothing_in(path: Path) -> Problem:
    return Problem(
        Source(shown(path), 1), "there are no manifests here", "`reconciler init` writes the first ones", code="empty"
    )


def _is_object(value: object) -> bool:
    """Whether a document is meant to be something else than the estate's settings."""
    return isinstance(value, dict) and value.get("kind") in _OBJECTS


def _name_of(value: object) -> str:
    """`tenant/Kind/name` of a document that is not valid, as far as it says so."""
    if not isinstance(value, dict) or not isinstance(kind := value.get("kind"), str):
        return ""
    metadata = value.get("metadata")
    name, tenant = (metadata.get("name"), metadata.get("tenant")) if isinstance(metadata, dict) else (None, None)
    text = f"{kind}/{name}" if isinstance(name, str) else kind
    return f"{tenant}/{text}" if isinstance(tenant, str) else text


def _placed(file: _File) -> Iterator[Problem]:
    """The findings of a file with their exact places."""
    reading = file.reading or _careful(file)
    for number, source, name, finding in file.findings:
        place = reading.locate(number, finding.path, key=finding.key)
        where = Source(file.name, *place) if place is not None else source
        yield Problem(where, finding.what, finding.hint, name, finding.severity, finding.code)


def _careful(file: _File) -> positions.Reading:
    data = file.read()
    return positions.Reading() if isinstance(data, Problem) else positions.read(data)
