"""The whole way with driver handoff: the real command line, a real OpenBao, and a person who clicks."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tests.support.carbonblack import CarbonBlack
from tests.support.world import World

MANIFESTS = """
apiVersion: reconciler/v1
kind: Tenant
metadata: {{name: cbc}}
spec:
  provider: carbon-black-cloud
  endpoint: {endpoint}
  credentials: {{vault: {{mount: {kv}, path: credentials/cbc}}}}
  secrets: {{mount: {kv}, path: "keys/{{tenant}}/{{key}}"}}
  options: {{orgKey: {org}}}
---
apiVersion: reconciler/v1
kind: AccessLevel
metadata: {{name: alerts-read, tenant: cbc}}
spec:
  description: Reads
  permissions: {{org.alerts: [READ]}}
---
apiVersion: reconciler/v1
kind: ApiKey
metadata: {{name: splunk, tenant: cbc, owner: secops@example.com}}
spec: {{description: Ingestion, accessLevel: alerts-read, allowedIPs: [203.0.113.0/28]}}
"""


def test_a_handoff_from_plan_to_in_sync(
    world: World, make_carbonblack: Callable[..., CarbonBlack], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked for once, noticed when clicked, a wrong secret refused, the right one stored, and nothing to do after that."""
    cloud = make_carbonblack()
    cloud.clock.advance(datetime.now(UTC) - cloud.clock.now())
    world.settings()
    world.put("credentials/cbc", {**cloud.credentials, "endpoint": cloud.endpoint})
    world.write("cbc.yaml", MANIFESTS.format(endpoint=cloud.endpoint, kv=world.kv, org=cloud.org.key))

    def complete(api_id: str, secret: str) -> int:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(f"{api_id}\n{secret}\n".encode())))
        return world.run("handoff", "complete", "cbc/splunk").status

    asked = world.run("apply", "--auto-approve")
    assert asked.status == 6
    descriptions = re.findall(r"Description: (.+ \[rcl:.+\])", asked.all)
    assert [text.split(" ")[0] for text in descriptions] == ["Reads", "Ingestion"]
    cloud.click_create_level("alerts-read", {"org.alerts": ["READ"]}, description=descriptions[0])
    assert world.run("apply", "--auto-approve").status == 6
    cloud.clock.advance(datetime.now(UTC) - cloud.clock.now())
    api_id, secret = cloud.click_create_key(
        "splunk", "alerts-read", description=descriptions[1], ips=["203.0.113.0/28"]
    )
    assert f"the audit log tells of key {api_id}" in world.run("handoff").all
    assert complete(api_id, "WRONGWRONGWRONGWRONGWRON") == 1
    assert complete(api_id, secret) == 0
    assert world.run("plan", "--detailed-exitcode").status == 0
    cloud.take_away(api_id)
    assert world.run("plan", "--detailed-exitcode").status == 2
    assert world.run("apply", "--auto-approve").status == 0
    assert cloud.level_of(api_id) == "alerts-read"
    assert world.run("plan", "--detailed-exitcode").status == 0
    assert not [one for one in cloud.issued if one in "".join(world.printed)]
