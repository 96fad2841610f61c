from __future__ import annotations

import pytest

from reconciler.model.mark import Mark
from reconciler.providers.base import Step, Write
from reconciler.providers.carbon_black_cloud import PROVIDER
from reconciler.providers.carbon_black_cloud.emulator import ENDPOINT_MAP
from tests.support.builders import desired_tenant

MARK = Mark("ab" * 8, 2, "c" * 16)
OPTIONS = {"orgKey": "ABCD1234"}
TENANT = desired_tenant(
    name="cbc-prod", provider=PROVIDER.name, endpoint="https://defense-eu.conferdeploy.net/", options=OPTIONS
)
KEY = Step(
    "splunk",
    {
        "name": "splunk",
        "description": "Ingestion",
        "allowedIPs": ("203.0.113.0/28", "198.51.100.7/32"),
        "state": "active",
    },
    MARK,
    level="alerts-read",
    vendor_id="AB12CD34EF",
    changed=frozenset({"description", "allowedIPs"}),
)
LEVEL = Step(
    "alerts-read",
    {
        "name": "alerts-read",
        "description": "",
        "permissions": {"made.up": ("EXECUTE",), "org.alerts.notes": ("CREATE", "READ")},
    },
    MARK,
    vendor_id="psc:role:ABCD1234:X",
)


def steps(write: Write, step: Step) -> tuple[str, ...]:
    lines = PROVIDER.console_steps(TENANT, write, step)
    assert lines[0] == "Sign in at https://defense-eu.conferdeploy.net to the organisation ABCD1234."
    assert "Then run: reconciler " in lines[-1]
    return lines


def test_a_new_key() -> None:
    """Name of the generation, description with the mark, type, level, addresses, and what to run with the secret."""
    lines = steps(Write.CREATE_KEY, KEY)
    assert "Name: splunk.g2" in lines
    assert f"Description: Ingestion {MARK}" in lines
    assert "Access Level type: Custom" in lines
    assert "Custom Access Level: alerts-read" in lines
    assert "Authorized IP addresses: 203.0.113.0/28, 198.51.100.7/32" in lines
    assert lines[-1] == (
        "Then run: reconciler handoff complete cbc-prod/splunk (it asks for API ID and API Secret Key)"
    )
    open_key = Step("splunk", {**KEY.fields, "allowedIPs": ()}, MARK._replace(generation=1), level="alerts-read")
    lines = steps(Write.CREATE_KEY, open_key)
    assert {"Name: splunk", "Authorized IP addresses: leave empty"} <= set(lines)


def test_a_changed_key() -> None:
    """Only what is to be changed, at the key with that id."""
    text = "\n".join(steps(Write.UPDATE_KEY, KEY))
    assert "find API ID AB12CD34EF" in text
    assert f"Description: Ingestion {MARK}" in text
    assert "203.0.113.0/28" in text
    assert "Name:" not in text
    renamed = Step("splunk", KEY.fields, MARK, vendor_id="X", changed=frozenset({"name"}))
    text = "\n".join(steps(Write.UPDATE_KEY, renamed))
    assert "Name: splunk.g2" in text
    assert "Description:" not in text


def test_a_new_secret_and_a_removal() -> None:
    """The same key, by its id; a removal says what to do when a notification holds the key."""
    lines = steps(Write.REGENERATE_KEY, KEY)
    assert any("AB12CD34EF" in line and "API Credentials" in line for line in lines)
    text = "\n".join(steps(Write.DELETE_KEY, KEY))
    assert "AB12CD34EF (name splunk.g2)" in text
    assert "Settings > Notifications" in text


@pytest.mark.parametrize("write", [Write.CREATE_LEVEL, Write.UPDATE_LEVEL])
def test_a_level(write: Write) -> None:
    """Name, description with the mark, and every tick."""
    lines = steps(write, LEVEL)
    assert "Name: alerts-read" in lines
    assert f"Description: {MARK}" in lines
    assert "  org.alerts.notes (Alerts: notes): CREATE, READ" in lines
    assert "  made.up: EXECUTE" in lines
    made = write is Write.CREATE_LEVEL  # it is found by its mark: nobody has to say that it is there
    assert ("reconciler apply" if made else "handoff complete cbc-prod/AccessLevel/alerts-read") in lines[-1]


def test_a_removed_level() -> None:
    """By its name and URN."""
    assert any("psc:role:ABCD1234:X" in line for line in steps(Write.DELETE_LEVEL, LEVEL))


def test_nothing_is_clicked_that_a_map_does() -> None:
    """With driver console, only what the map leaves out has steps."""
    options = {**OPTIONS, "driver": "console", "endpointMap": "x"}
    whole = desired_tenant(provider=PROVIDER.name, options=options, endpoint_map=ENDPOINT_MAP)
    assert all(PROVIDER.console_steps(whole, write, KEY) == () for write in Write)
    one = {"operations": {"deleteKey": ENDPOINT_MAP["operations"]["deleteKey"]}}
    part = desired_tenant(provider=PROVIDER.name, options=options, endpoint_map=one)
    assert {write for write in Write if not PROVIDER.console_steps(part, write, KEY)} == {Write.DELETE_KEY}
