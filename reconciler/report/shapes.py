"""The JSON that commands print, as types: the JSON Schemas under `schemas/report.*` are generated from them.

A number `format` stands in each document. It grows when a field changes its meaning or goes; new ones may come at any time.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, NotRequired

from pydantic import ConfigDict, Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from reconciler.model.finding import Impact, Severity

FORMAT: Final = 1
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_closed: Final = with_config(ConfigDict(extra="forbid", use_attribute_docstrings=True))

_Format = Literal[1]
_ExitCode = Annotated[int, Field(ge=0, le=6, description="As in `reconciler --help`.")]
_Place = Annotated[str | None, Field(description="`file:line:column` of the manifest.")]
_Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
_Object = Annotated[str, Field(description="`Kind/name`.")]


@_closed
class ChangeData(TypedDict):
    """One field, old and new, in canonical values."""

    field: str
    """The manifest's field, dotted for nested ones."""
    old: Any
    new: Any


@_closed
class FindingData(TypedDict):
    """Something to know: of a guardrail, a policy, an access change, drift."""

    rule: Annotated[str, Field(pattern="^[a-z]+/[a-z0-9-]+")]
    severity: Severity
    impact: Impact
    tenant: str | None
    """None: it is about the whole run."""
    object: str | None
    source: _Place
    message: str
    hint: str
    denies: bool
    """Whether it stops `plan` and `apply`."""
    allow: str | None
    """How `--allow` names it; None if nothing but a change in Git can."""
    changes: list[ChangeData]
    figures: dict[str, Any]


@_closed
class ProblemData(TypedDict):
    """Something wrong in a manifest."""

    file: str
    line: int
    column: int
    severity: Literal["error", "warning"]
    code: str
    object: str
    message: str
    hint: str


@_closed
class ActionData(TypedDict):
    """One thing that would be done."""

    object: _Object
    kind: Literal["create", "update", "replace", "rotate", "retire", "repair", "lock", "unlock", "delete", "adopt"]
    impact: Impact
    """What it means for access."""
    affects: list[str]
    """Of a level whose change means something for access: the declared keys that have it."""
    reason: str
    changes: list[ChangeData]
    deletesSecrets: list[str]
    source: _Place
    byHand: list[str] | None
    """The steps in the vendor's console, if a person has to do it."""


@_closed
class BlockedData(TypedDict):
    """An object that cannot be reconciled."""

    object: _Object
    reason: str
    hint: str
    source: _Place


@_closed
class WaitingData(TypedDict):
    """A handoff that is open."""

    object: _Object
    asks: str
    opened: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    by: str
    steps: list[str]
    clicked: str | None


@_closed
class NoteData(TypedDict):
    """Something to know that needs no action."""

    object: str | None
    text: str


@_closed
class UnmanagedData(TypedDict):
    """An object at the vendor that is in no manifest."""

    kind: str
    name: str
    vendorId: str
    deprecated: NotRequired[str]


@_closed
class TenantData(TypedDict):
    """The plan of a tenant."""

    tenant: str
    provider: str
    endpoint: str
    actions: list[ActionData]
    blocked: list[BlockedData]
    waiting: list[WaitingData]
    notes: list[NoteData]
    unmanaged: list[UnmanagedData]
    exitCode: _ExitCode


@_closed
class UnreadableData(TypedDict):
    """A tenant that could not be read, and is left out."""

    tenant: str
    provider: str
    endpoint: str
    exitCode: _ExitCode
    error: str


@_closed
class TrustedFindingData(TypedDict):
    """How the working tree differs from the trusted revision."""

    rule: str
    subject: str
    message: str


@_closed
class TrustedData(TypedDict):
    """The trusted revision, where one was asked for."""

    ref: str
    commit: str
    findings: list[TrustedFindingData]


@_closed
class PlanData(TypedDict):
    """What `plan --format json` prints, and `apply --format json` when something stops it."""

    format: _Format
    estate: str
    """The estate's UUID."""
    manifests: str
    """The digest over the manifests."""
    tenants: list[TenantData | UnreadableData]
    findings: list[FindingData]
    trusted: NotRequired[TrustedData]


@_closed
class DriftFindingData(FindingData):
    """A finding of drift. In `changes`, `old` is what the manifests want, `new` what the vendor has."""

    identity: str
    """What makes it the same one in another run: rule, tenant, object and field, and neither values nor times."""


@_closed
class PendingData(TypedDict):
    """Something that Git wants and nobody has applied yet: no drift."""

    object: _Object
    what: str
    source: _Place


@_closed
class IgnoredData(TypedDict):
    """A field whose drift its manifest ignores."""

    object: _Object
    field: str
    until: _Time
    reason: str


@_closed
class TenantDriftData(TypedDict):
    """A tenant that could be read."""

    tenant: str
    provider: str
    endpoint: str
    findings: list[DriftFindingData]
    pending: list[PendingData]
    ignored: list[IgnoredData]
    blocked: list[BlockedData]
    notes: list[NoteData]
    exitCode: Annotated[int, Field(description="2: drift was found; 0: in sync.")]


@_closed
class UnreadDriftData(UnreadableData):
    """A tenant that could not be read: neither in sync nor drift."""

    lastKnown: list[DriftFindingData]
    """Its findings in the report that `--since` names."""


@_closed
class SinceData(TypedDict):
    """What has happened since the report that `--since` names."""

    at: _Time
    new: list[str]
    """Identities of findings."""
    changed: list[str]
    """Identities of findings that are not new, but of other values."""
    resolved: list[DriftFindingData]
    """The findings that are gone, as they were."""


@_closed
class DriftData(TypedDict):
    """What `drift --format json` prints, and `drift --since` reads."""

    format: _Format
    report: Literal["drift"]
    estate: str
    """The estate's UUID."""
    name: str
    at: _Time
    targets: list[str]
    """What `--target` named; empty: everything."""
    tenants: list[TenantDriftData | UnreadDriftData]
    since: SinceData | None
    trusted: NotRequired[TrustedData]


@_closed
class ResultData(TypedDict):
    """What became of one action."""

    object: _Object
    kind: str
    status: Literal["done", "failed", "skipped", "waiting"]
    detail: str
    secret: str | None
    """Where the secret is in Vault; never what it is."""
    version: int | None
    deletedSecrets: list[str]


@_closed
class TenantResultData(TypedDict):
    """What an apply did to a tenant."""

    tenant: str
    exitCode: _ExitCode
    error: str | None
    blocked: list[BlockedData]
    waiting: list[WaitingData]
    results: list[ResultData]


@_closed
class ApplyData(TypedDict):
    """What `apply --format json` prints, and `rotate --format json`."""

    format: _Format
    estate: str
    tenants: list[TenantResultData | UnreadableData]
    trusted: NotRequired[TrustedData]


@_closed
class ValidateData(TypedDict):
    """What `validate --format json` prints."""

    format: _Format
    problems: list[ProblemData]
    files: int
    objects: int


@_closed
class CheckData(TypedDict):
    """What one check of a set-up came to."""

    check: Annotated[str, Field(pattern="^doctor/[a-z-]+$")]
    """Which check it is of; the names do not change."""
    result: Literal["ok", "warning", "problem", "skipped"]
    tenant: str | None
    """None: it is about all of them."""
    found: str
    """What was found, in a sentence; of a skipped check, why."""
    mend: str
    """What to do about it; may be empty."""
    text: list[str]
    """Lines to copy: commands, or a policy's rule."""
    facts: dict[str, Any]
    """The same for machines; each check has its own."""


@_closed
class DoctorData(TypedDict):
    """What `doctor --format json` prints."""

    format: _Format
    estate: Annotated[str | None, Field(description="The estate's UUID; None: reconciler.yaml cannot be read.")]
    identity: Literal["plan", "apply"]
    exitCode: _ExitCode
    counts: dict[Literal["ok", "warning", "problem", "skipped"], int]
    """How many results there are of each kind."""
    results: list[CheckData]


@_closed
class SideData(TypedDict):
    """One side of a comparison."""

    ref: str | None
    """As it was asked for; None for the working tree."""
    commit: str | None
    manifests: str | None
    """The digest over the manifests; None if there is no estate."""


@_closed
class CountsData(TypedDict):
    """How many keys a comparison is about, each once in each number, and how many findings there are."""

    gain: int
    lose: int
    created: int
    removed: int
    locked: int
    rotated: int
    """Keys that need a new secret."""
    trust: int
    """Findings about where credentials go and what judges a change."""
    findings: int


@_closed
class KeysData(TypedDict):
    """How many keys there are on one side, and how many of them a reviewer would rather not have."""

    keys: int
    highRisk: int
    anyAddress: int
    noEnd: int
    noRotation: int
    noOwner: int


@_closed
class PostureData(TypedDict):
    """All keys, before and after."""

    base: KeysData
    head: KeysData


@_closed
class AccessDiffData(TypedDict):
    """What `access-diff --format json` prints. Of a finding, `figures.keys` are the keys that it is about."""

    format: _Format
    base: SideData
    head: SideData
    summary: str
    """One line for people."""
    counts: CountsData
    posture: PostureData
    findings: list[FindingData]


@_closed
class FailureData(TypedDict):
    """What any command prints with `--format json` when an error ends it before it has anything else to say."""

    format: _Format
    exitCode: _ExitCode
    error: str
    hint: str
    problems: list[ProblemData]


SHAPES: Final[Mapping[str, tuple[Any, str]]] = {
    "plan": (PlanData, "reconciler plan --format json"),
    "apply": (ApplyData, "reconciler apply --format json"),
    "access-diff": (AccessDiffData, "reconciler access-diff --format json"),
    "drift": (DriftData, "reconciler drift --format json"),
    "validate": (ValidateData, "reconciler validate --format json"),
    "doctor": (DoctorData, "reconciler doctor --format json"),
    "failure": (FailureData, "an error that ends a command, with --format json"),
}
"""By the name in `schemas/report.NAME.schema.json`: the type, and a title."""


def schema(name: str, *, closed: bool = False) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one document. `closed`: without room for fields that are still to come."""
    shape, title = SHAPES[name]
    made = _tidy(TypeAdapter(shape).json_schema(), closed=closed)
    return {"$schema": _DIALECT, **made, "title": title}


def _tidy(schema: Any, *, closed: bool) -> Any:
    """Without the titles that only repeat the names."""
    if isinstance(schema, list):
        return [_tidy(one, closed=closed) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: _tidy(one, closed=closed)
        for name, one in schema.items()
        if not (name == "title" and isinstance(one, str)) and (closed or name != "additionalProperties" or one is True)
    }


def files() -> dict[str, str]:
    """The schema files by their names."""
    return {f"report.{name}.schema.json": json.dumps(schema(name), indent=2) + "\n" for name in SHAPES}
