"""What the vendor's own SDK does with an organisation; runs in the SDK's own environment, never in ours.

Reads one JSON object from standard input: `url`, `token`, `org_key`, `ca`, `api_id`, `level`, `other`, `former`. Writes what
the SDK saw as one JSON object to standard output.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from cbc_sdk import CBCloudAPI
from cbc_sdk.errors import ApiError
from cbc_sdk.platform import AuditLog, Grant


def refusal(action: Callable[[], Any]) -> list[Any]:
    """The SDK's exception, and the status in it."""
    try:
        action()
    except ApiError as error:
        return [type(error).__name__, getattr(error, "error_code", None)]
    return ["no error", None]


def read(api: CBCloudAPI, principal: str) -> Grant:
    """A grant as the server has it now: the SDK remembers objects."""
    grant = api.select(Grant, principal)
    grant.refresh()
    return grant


def main() -> None:
    """Everything that we rely on, through the SDK."""
    given = json.load(sys.stdin)
    org, level, other = given["org_key"], given["level"], given["other"]
    base = {"url": given["url"], "org_key": org, "ssl_cert_file": given["ca"]}
    api = CBCloudAPI(**base, token=given["token"])
    seen: dict[str, Any] = {"permitted": sorted(Grant.get_permitted_role_urns(api))}

    key = f"psc:cnn:{org}:{given['api_id']}"
    template = {
        "principal": key,
        "org_ref": f"psc:org:{org}",
        "principal_name": "sdk",
        "roles": [level],
        "profiles": [],
    }
    grant = Grant.create(api, template=template)
    seen["created"] = {"roles": grant.roles, "by": grant.created_by, "name": grant.principal_name}
    seen["twice"] = refusal(lambda: Grant.create(api, template=template))
    seen["described"] = read(api, key).roles
    grant = read(api, key)
    grant.roles = [other]
    grant.save()
    seen["replaced"] = read(api, key).roles
    query = api.select(Grant).add_principal(key, f"psc:org:{org}")
    query = query.add_principal(f"psc:cnn:{org}:NOBODY", f"psc:org:{org}")
    seen["fetched"] = [[one.principal, one.roles] for one in query]
    grant.delete()
    seen["deleted"] = refusal(lambda: read(api, key))

    builder = Grant.create(api, org_key=org, userid="4711").set_org(org).set_principal_name("person")
    builder.create_profile().add_org(org).add_role(level).build()
    person = read(api, builder.build().principal)
    [profile] = person.profiles_
    seen["profile"] = [bool(profile.profile_uuid), profile.roles]
    profile.set_disabled(True)  # the SDK does not take this for a change
    profile.roles = [level, other]
    profile.save()
    added = person.create_profile().add_org(org).add_role(other).build()
    added.delete()
    again = read(api, person.principal)
    seen["disabled"] = [one.conditions["disabled"] for one in again.profiles_]

    logs = list(api.select(AuditLog).where('"Created grant"').sort_by("create_time", direction="DESC"))
    seen["audit"] = [log.description for log in logs]
    actor = given["token"].partition("/")[2]
    ours = api.select(AuditLog).add_criteria("actor", [actor]).add_boolean_criteria("flagged", False)
    ours.add_time_criteria(start="2025-12-31T00:00:00Z", end="2026-01-02T00:00:00Z")
    seen["ours"] = len(ours)
    seen["excluded"] = len(api.select(AuditLog).add_exclusions("actor", [actor]).add_time_criteria(range="-1d"))
    seen["queued"] = [len(AuditLog.get_queued_auditlogs(api)) > 0, len(AuditLog.get_queued_auditlogs(api))]

    seen["former"] = refusal(lambda: list(CBCloudAPI(**base, token=given["former"]).select(AuditLog).where("x")))
    wrong = CBCloudAPI(**base, token="WRONG/" + given["api_id"])
    seen["wrong"] = refusal(lambda: Grant.get_permitted_role_urns(wrong))
    elsewhere = CBCloudAPI(**{**base, "org_key": "ELSEWHERE"}, token=given["token"])
    seen["elsewhere"] = refusal(lambda: list(elsewhere.select(AuditLog).where("x")))
    json.dump(seen, sys.stdout)


if __name__ == "__main__":
    main()
