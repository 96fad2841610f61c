"""Findings as SARIF 2.1.0, for code scanning: each on its manifest's line.

Fields are those that GitHub reads (docs.github.com, "SARIF support for code scanning"); what only we know stands in
`properties`. Worst first: GitHub shows 5,000 results of a run and takes 25,000.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from posixpath import join, normpath
from typing import Any, Final
from urllib.parse import quote

import reconciler
from reconciler.errors import printable
from reconciler.model.finding import Finding, Severity
from reconciler.report.words import level

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
MOST: Final = 25_000
"""Results that GitHub takes of one run."""
FALLBACK: Final = "reconciler.yaml"
"""Where a finding is shown that has no manifest of its own: code scanning drops what has no place."""


def sarif(findings: Sequence[Finding], rules: Mapping[str, str], folder: str = "") -> str:
    """A SARIF log with one run. `rules` describes rules in a sentence; one that is not in it is described by its name.

    `folder`: the current folder as seen from the repository's root, for a manifest's place is told from the former and
    code scanning wants it from the latter.
    """
    shown = sorted(findings, key=lambda one: -one.severity.rank)[:MOST]
    names = sorted({one.rule for one in shown})
    driver = {
        "name": "reconciler",
        "semanticVersion": reconciler.__version__,
        "rules": [
            {"id": name, "shortDescription": {"text": rules.get(name, name)}, "properties": {"tags": ["access"]}}
            for name in names
        ],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(one, names.index(one.rule), folder) for one in shown],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _result(one: Finding, index: int, folder: str) -> dict[str, Any]:
    place = f"{one.where}: " if one.where else ""
    hint = f" ({one.hint})" if one.hint else ""
    return {
        "ruleId": one.rule,
        "ruleIndex": index,
        "level": level(one),
        "message": {"text": printable(f"{place}{one.message}{hint}")},
        "locations": [{"physicalLocation": _place(one, folder)}],
        "partialFingerprints": {"reconciler/v1": fingerprint(one)},
        "rank": 100.0 * one.severity.rank / Severity.CRITICAL.rank,
        "properties": {"severity": str(one.severity), "impact": str(one.impact), "tenant": one.tenant},
    }


def _place(one: Finding, folder: str) -> dict[str, Any]:
    if one.source is None:
        return {"artifactLocation": {"uri": _uri(FALLBACK, folder)}, "region": {"startLine": 1}}
    region = {"startLine": max(one.source.line, 1), "startColumn": max(one.source.column, 1)}
    return {"artifactLocation": {"uri": _uri(one.source.file, folder)}, "region": region}


def _uri(file: str, folder: str) -> str:
    return quote(normpath(join(folder, file.replace("\\", "/"))))


def fingerprint(one: Finding) -> str:
    """The same for the same thing in the next run, wherever in the file it stands then: hexadecimal."""
    about = sorted(change.path for change in one.changes) if one.object else [one.message]
    return sha256("\0".join([one.rule, one.where, *about]).encode()).hexdigest()
