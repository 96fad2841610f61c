"""A scope in its three shapes: what a manifest says, the canonical form, and what the vendor reads and writes.

The vendor's two shapes differ (4): it reads `asset_groups` and `tags`, and writes `asset_group_ids` and `names`. A write
replaces everything. The canonical form names every section, so that two scopes are equal exactly when they mean the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from reconciler.providers.cortex_cloud.records import Assets, DatasetRows, Named, ScopeRecord

NOTHING: Final = "no_scope"
EVERYTHING: Final = "see_all"
SOME: Final = "scope"
ANY: Final = "any"
"""What endpoint tags have in place of `see_all`."""

Scope = Mapping[str, Any]


def canonical(scope: Mapping[str, Any] | None) -> dict[str, Any]:
    """A manifest's scope, checked before, with every section. None: the key reaches everything.

    In a scope, what is not named is not reached, as in the vendor's own Terraform provider; where only one of an
    endpoint's groups and tags is named, the other one does not restrict; rows of datasets are restricted only where a
    scope says so, for most tenants cannot.
    """
    if scope is None:
        return _whole(None, None, None, None, None, missing=EVERYTHING)
    endpoints = scope.get("endpoints")
    return _whole(
        scope.get("assets"),
        endpoints.get("groups") or {"mode": EVERYTHING} if endpoints else None,
        endpoints.get("tags") or {"mode": ANY} if endpoints else None,
        scope.get("casesIssues"),
        scope.get("datasets"),
        missing=NOTHING,
    )


def manifest(scope: Scope) -> dict[str, Any] | None:
    """A canonical scope as a manifest says it, in as few words as it takes; None: the key reaches everything."""
    if scope == canonical(None):
        return None
    said: dict[str, Any] = {}
    if scope["assets"]["mode"] != NOTHING:
        said["assets"] = _said(scope["assets"], "groupIds")
    groups, tags = scope["endpoints"]["groups"], scope["endpoints"]["tags"]
    if (groups["mode"], tags["mode"]) != (NOTHING, NOTHING):
        said["endpoints"] = {"groups": _said(groups, "names"), "tags": _said(tags, "names")}
    cases = scope["casesIssues"]
    if cases["mode"] != NOTHING:
        flag = {"includeWithoutEntities": True} if cases["mode"] == SOME and cases["includeWithoutEntities"] else {}
        said["casesIssues"] = {**_said(cases, "names"), **flag}
    rows = scope["datasets"]
    if rows != {"defaultMode": EVERYTHING, "filters": {}}:
        filters = [{"dataset": dataset, "filter": text} for dataset, text in rows["filters"].items()]
        said["datasets"] = {"defaultMode": rows["defaultMode"], **({"filters": filters} if filters else {})}
    return said if said.keys() - {"datasets"} else {"assets": {"mode": NOTHING}, **said}


def _said(section: Mapping[str, Any], names: str) -> dict[str, Any]:
    return {"mode": section["mode"], **({names: list(section[names])} if section["mode"] == SOME else {})}


def observed(record: ScopeRecord | None) -> dict[str, Any]:
    """What the vendor says a key reaches. A section that it does not mention, or no scope at all, restricts nothing."""
    record = record or ScopeRecord()
    endpoints = record.endpoints
    return _whole(
        _assets(record.assets),
        _named(endpoints.endpoint_groups if endpoints else None),
        _named((endpoints.endpoint_tags or endpoints.endpoint_filters) if endpoints else None),
        _named(record.cases_issues),
        _rows(record.datasets_rows),
        missing=EVERYTHING,
    )


def to_put(scope: Scope, *, datasets: bool) -> dict[str, Any]:
    """The body that makes a scope what is given. `datasets`: the tenant has dataset scoping; others refuse the section."""
    endpoints, cases = scope["endpoints"], scope["casesIssues"]
    body: dict[str, Any] = {
        "assets": {"mode": scope["assets"]["mode"], "asset_group_ids": list(scope["assets"]["groupIds"])},
        "endpoints": {
            "endpoint_groups": {"mode": endpoints["groups"]["mode"], "names": list(endpoints["groups"]["names"])},
            "endpoint_tags": {"mode": endpoints["tags"]["mode"], "names": list(endpoints["tags"]["names"])},
        },
        "cases_issues": {
            "mode": cases["mode"],
            "names": list(cases["names"]),
            "include_cases_issues_empty_entities": cases["includeWithoutEntities"],
        },
    }
    rows = scope["datasets"]
    if datasets or rows != {"defaultMode": EVERYTHING, "filters": {}}:
        filters = [{"dataset": dataset, "filter": text} for dataset, text in rows["filters"].items()]
        body["datasets_rows"] = {"default_filter_mode": rows["defaultMode"], "filters": filters}
    return body


def within(inner: Scope, outer: Scope) -> bool:
    """Whether a scope reaches nothing that the other one does not."""
    rows = inner["datasets"], outer["datasets"]
    return (
        _section_within(inner["assets"], outer["assets"], "groupIds")
        and _section_within(inner["endpoints"]["groups"], outer["endpoints"]["groups"], "names")
        and _section_within(inner["endpoints"]["tags"], outer["endpoints"]["tags"], "names")
        and _section_within(inner["casesIssues"], outer["casesIssues"], "names")
        and inner["casesIssues"]["includeWithoutEntities"] <= outer["casesIssues"]["includeWithoutEntities"]
        and (rows[0] == rows[1] or rows[1] == {"defaultMode": EVERYTHING, "filters": {}})
    )


def _section_within(inner: Mapping[str, Any], outer: Mapping[str, Any], names: str) -> bool:
    if outer["mode"] in {EVERYTHING, ANY} or inner["mode"] == NOTHING:
        return True
    return bool(inner["mode"] == outer["mode"] == SOME and set(inner[names]) <= set(outer[names]))


def _assets(section: Assets | None) -> dict[str, Any] | None:
    if section is None:
        return None
    return {"mode": section.mode, "groupIds": [group.asset_group_id for group in section.asset_groups or ()]}


def _named(section: Named | None) -> dict[str, Any] | None:
    if section is None:
        return None
    return {
        "mode": section.mode,
        "names": [tag.tag_name for tag in section.tags or ()],
        "includeWithoutEntities": section.include_cases_issues_empty_entities,
    }


def _rows(section: DatasetRows | None) -> dict[str, Any] | None:
    if section is None:
        return None
    filters = [{"dataset": one.dataset, "filter": one.filter} for one in section.filters or ()]
    return {"defaultMode": section.default_filter_mode, "filters": filters}


def _whole(
    assets: Mapping[str, Any] | None,
    groups: Mapping[str, Any] | None,
    tags: Mapping[str, Any] | None,
    cases: Mapping[str, Any] | None,
    rows: Mapping[str, Any] | None,
    *,
    missing: str,
) -> dict[str, Any]:
    cases_issues = _section(cases, "names", missing)
    without = (cases or {}).get("includeWithoutEntities") is True if cases_issues["mode"] == SOME else None
    filters: dict[str, str] = {}
    for one in (rows or {}).get("filters") or ():
        # Manifests have one filter for each dataset; somebody else's second one must not hide.
        filters[one["dataset"]] = "\n".join(filter(None, (filters.get(one["dataset"]), one["filter"])))
    tags_section = _section(tags, "names", missing)
    if tags_section["mode"] == EVERYTHING:
        tags_section["mode"] = ANY
    return {
        "assets": _section(assets, "groupIds", missing),
        "endpoints": {"groups": _section(groups, "names", missing), "tags": tags_section},
        "casesIssues": {
            **cases_issues,
            "includeWithoutEntities": cases_issues["mode"] == EVERYTHING if without is None else without,
        },
        "datasets": {
            "defaultMode": ((rows or {}).get("defaultMode") or EVERYTHING).lower(),
            "filters": dict(sorted(filters.items())),
        },
    }


def _section(section: Mapping[str, Any] | None, names: str, missing: str) -> dict[str, Any]:
    """Modes come back in any case ("Any"); what stands beside another mode than `scope` has no effect."""
    given = section or {}
    mode = (given.get("mode") or missing).lower()
    return {"mode": mode, names: _sorted(given.get(names) or ()) if mode == SOME else ()}


def _sorted(values: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(sorted(set(values)))
