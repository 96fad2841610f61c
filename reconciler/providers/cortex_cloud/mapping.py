"""Between manifests and the vendor's JSON: canonical fields in both directions. No I/O.

A key has no name at the vendor. Its comment carries what a name would: `NAME: DESCRIPTION MARK`. A role has a name, which
must be unique and can never be changed, and neither can anything else of it: so a role of ours is called after its
manifest and eight digits that its content decides, and another content makes another role beside it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from reconciler.model import mark as marks
from reconciler.model.desired import DesiredKey, DesiredLevel
from reconciler.model.mark import Mark
from reconciler.model.names import NAME, Kind
from reconciler.model.observed import Fields, Observed
from reconciler.providers.cortex_cloud import permissions, scopes
from reconciler.providers.cortex_cloud.capabilities import SECURITY_LEVELS
from reconciler.providers.cortex_cloud.records import KeyRecord, RoleRecord
from reconciler.providers.specs import spec
from reconciler.providers.times import from_milliseconds, to_milliseconds, whole_seconds

_DIGITS: Final = re.compile(r"-[0-9a-f]{8}\Z")


def level_fields(level: DesiredLevel) -> Fields:
    """An access level in canonical form. The permissions must have passed the check."""
    return {
        "name": level.name,
        "description": level.description.strip(),
        "permissions": permissions.canonical(level.permissions),
    }


def key_fields(key: DesiredKey) -> Fields:
    """A key in canonical form, its level left out. The scope has every section."""
    return {
        "name": key.name,
        "description": key.description.strip(),
        "securityLevel": str(key.options.get("securityLevel", SECURITY_LEVELS[0])),
        "expires": whole_seconds(key.expires),
        "scope": scopes.canonical(key.scope),
    }


def observed_level(role: RoleRecord) -> Observed:
    """A role as the vendor describes it; what it permits is not told. `facts`: its name there, and times."""
    description, mark = marks.split(role.description)
    name = role.pretty_name if mark is None else _DIGITS.sub("", role.pretty_name)
    facts = {
        "vendorName": role.pretty_name,
        "created": from_milliseconds(role.created_ts),
        "updated": from_milliseconds(role.updated_ts),
    }
    return Observed(
        kind=Kind.ACCESS_LEVEL,
        vendor_id=role.role_id,
        name=name,
        mark=mark,
        fields={"name": name, "description": description},
        builtin=role.is_custom is False,
        facts=facts,
    )


def observed_key(key: KeyRecord, role_ids: Mapping[str, str], scope: Mapping[str, Any] | None) -> Observed:
    """A key as the vendor describes it. `role_ids`: role ids by display name. `scope`: canonical, None if it was not read.

    A key of another number of roles than one, or of a role that is gone, has a level id that is none: it shows as a
    difference. `facts`: creation, who created it.
    """
    name, description, mark = comment_parts(key)
    level = "+".join(sorted(role_ids.get(role, role) for role in key.roles))
    fields: dict[str, Any] = {
        "name": name,
        "description": description,
        "securityLevel": (key.security_level or "").lower(),
        "expires": from_milliseconds(key.expiration),
    }
    return Observed(
        kind=Kind.API_KEY,
        vendor_id=str(key.id),
        name=name,
        mark=mark,
        fields=fields if scope is None else {**fields, "scope": scope},
        level_id=level or None,
        facts={"created": from_milliseconds(key.creation_time), "createdBy": key.created_by or key.user_name},
    )


def key_spec(found: Observed) -> dict[str, Any] | None:
    """A manifest's `spec` of a key, its level left out; None if its scope was not read, for left out it means everything."""
    fields = found.fields
    if "scope" not in fields:
        return None
    level = fields["securityLevel"]
    return spec(
        description=fields["description"],
        expires=fields["expires"],
        options={} if level == SECURITY_LEVELS[0] else {"securityLevel": level},
        scope=scopes.manifest(fields["scope"]),
    )


def comment_parts(key: KeyRecord) -> tuple[str, str, Mark | None]:
    """Name, description and mark from a comment. Without a mark, all of it is the name: people write what they like."""
    text, mark = marks.split(key.comment)
    if mark is None:
        return text or f"id {key.id}", "", None
    name, _, description = text.partition(":")
    if NAME.fullmatch(name.strip()):
        return name.strip(), description.strip(), mark
    return text or f"id {key.id}", "", mark


def comment(name: str, description: str, mark: Mark) -> str:
    """What stands in a key's comment."""
    return mark.attach(f"{name}: {description}" if description else name)


def role_name(fields: Fields, mark: Mark) -> str:
    """What a role is called at the vendor: one of other content, generation or estate gets another name."""
    content = json.dumps(
        [fields["description"], fields["permissions"], mark.estate, mark.generation],
        sort_keys=True,
        separators=(",", ":"),
    )
    return f"{fields['name']}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def role_to_create(fields: Fields, mark: Mark) -> dict[str, Any]:
    """The body that creates a role."""
    wanted = fields["permissions"]
    body: dict[str, Any] = {
        "pretty_name": role_name(fields, mark),
        "description": mark.attach(fields["description"]),
        "component_permissions": list(wanted["components"]),
    }
    if wanted["datasets"]:
        body["dataset_permissions"] = [
            {"category": category, "access_all": one["accessAll"], "permissions": list(one["permissions"])}
            for category, one in wanted["datasets"].items()
        ]
    return body


def key_to_create(fields: Fields, role: str, mark: Mark) -> dict[str, Any]:
    """The body that creates a key. The expiry is always sent, as an integer: left out, it would be about a week (2.2)."""
    return {
        **key_to_update(fields["name"], fields["description"], [role], fields["securityLevel"], mark),
        "expiration": to_milliseconds(fields["expires"]),
    }


def key_to_update(name: str, description: str, roles: Iterable[str], security_level: str, mark: Mark) -> dict[str, Any]:
    """The body that edits a key. The comment is always sent: whether one that is left out stays is not known (2.5)."""
    return {"roles": list(roles), "security_level": security_level, "comment": comment(name, description, mark)}
