"""The report of an earlier run, read back for `--since`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reconciler.errors import InvalidInput, foreign, printable
from reconciler.plan.since import Reported
from reconciler.report.data import FORMAT
from reconciler.report.drift import Before

_HINT = "give the JSON of an earlier `reconciler drift --format json` of this estate"


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True, hide_input_in_errors=True)


class _Finding(_Part):
    model_config = ConfigDict(extra="allow", strict=True, hide_input_in_errors=True)

    identity: str
    rule: str
    message: str
    tenant: str
    object: str | None
    changes: list[dict[str, Any]]


class _Tenant(_Part):
    tenant: str
    findings: list[_Finding] | None = None
    last_known: list[_Finding] = Field([], alias="lastKnown")


class _Last(_Part):
    report: Literal["drift"]
    estate: UUID = Field(strict=False)
    at: datetime = Field(strict=False)
    targets: list[str]
    tenants: list[_Tenant]


def read(path: Path, estate: UUID, targets: Sequence[str]) -> Before:
    """The report in a file. InvalidInput if it is none, another estate's, another format's, or of other targets."""
    try:
        content = json.loads(path.read_bytes())
    except OSError as problem:
        raise InvalidInput(f"--since cannot be read: {problem.strerror}", where=printable(str(path))) from None
    except (ValueError, RecursionError):
        raise InvalidInput("--since is no JSON", where=printable(str(path)), hint=_HINT) from None
    if isinstance(content, dict) and content.get("report") == "drift" and content.get("format") != FORMAT:
        what = f"--since is of format {foreign(str(content.get('format')))}, and this version reads {FORMAT}"
        raise InvalidInput(what, where=printable(str(path)), hint="begin anew without --since")
    try:
        last = _Last.model_validate(content)
    except ValidationError:
        raise InvalidInput("--since is no report of drift", where=printable(str(path)), hint=_HINT) from None
    if last.estate != estate:
        what = f"--since is of another estate ({last.estate}), and this one is {estate}"
        raise InvalidInput(what, where=printable(str(path)), hint=_HINT)
    if sorted(last.targets) != sorted(targets):
        was = foreign(", ".join(last.targets)) or "everything"
        what = f"--since is of other targets: it was asked for {was}"
        raise InvalidInput(what, where=printable(str(path)), hint="compare like with like: give the same --target")
    return Before(last.at, _reported(last))


def _reported(last: _Last) -> Reported:
    def named(found: list[_Finding]) -> dict[str, dict[str, Any]]:
        return {one.identity: one.model_dump() for one in found}

    return Reported(
        {one.tenant: named(one.findings) for one in last.tenants if one.findings is not None},
        {one.tenant: named(one.last_known) for one in last.tenants if one.findings is None},
    )
