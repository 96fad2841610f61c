from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.desired import CredentialRef, DesiredTenant, Source, Unmanaged, VaultPath
from reconciler.model.mark import Mark
from reconciler.providers.base import Step, Write
from reconciler.providers.lacework import PROVIDER

MARK = Mark("ab" * 8, 2, "a" * 16)


def steps(write: Write, *, options: Any = None, **step: Any) -> str:
    in_vault = CredentialRef(vault=VaultPath("secret", "lw"))
    tenant = DesiredTenant(
        name="lw",
        provider="lacework",
        endpoint="https://acme.lacework.net/",
        credentials_plan=in_vault,
        credentials_apply=in_vault,
        secrets=VaultPath("secret", "{tenant}/{key}"),
        unmanaged=Unmanaged.REPORT,
        levels=(),
        keys=(),
        source=Source("keys.yaml", 1),
        options=options or {},
    )
    fields = {"name": "splunk", "description": "Ingestion", "state": "active", **step.pop("fields", {})}
    wanted = {"name": "splunk", "fields": fields, "mark": MARK, "level": "siem", **step}
    lines = PROVIDER.console_steps(tenant, write, Step(**wanted))
    assert all("\n" not in line for line in lines)
    return "\n".join(lines)


@pytest.mark.parametrize("write", [Write.CREATE_KEY, Write.REGENERATE_KEY])
def test_a_new_key(write: Write) -> None:
    """Where to sign in, what to enter (the mark and the generation included), whose it is, and how to hand it in."""
    assert steps(write).splitlines() == [
        "Sign in to https://acme.lacework.net, with the right to write API keys, for example as an account admin",
        "Open Settings > API keys, the tab 'Service user API keys', and click '+ Add New'",
        "Name: splunk.g2",
        f"Description: Ingestion {MARK}",
        (
            "Switch on 'Assign this to a service user' and select 'siem': "
            "a user that the reconciler made is listed under that name with a mark in square brackets behind it"
        ),
        "Click 'Save', then download the key's file; do not open it, and do not send it to anybody",
        "Run: reconciler handoff complete lw/splunk --key-file FILE",
    ]


def test_a_new_key_of_a_person() -> None:
    """The console makes a person's keys for whoever is signed in."""
    said = steps(Write.CREATE_KEY, level="alice@example.com", mark=MARK._replace(generation=1))
    assert "as alice@example.com" in said
    assert "'User API keys'" in said
    assert "Assign" not in said
    assert "Name: splunk\n" in said


def test_a_new_key_that_is_locked() -> None:
    """It is disabled once it was proved to work."""
    last = steps(Write.CREATE_KEY, fields={"state": "locked"}).splitlines()[-1]
    assert "disable the key" in last


def test_a_sub_account() -> None:
    """The person switches to it, under the name that is sent."""
    assert "switch to the account dev," in steps(Write.CREATE_KEY, options={"subAccount": "DEV"})


@pytest.mark.parametrize(
    ("changed", "state", "said"),
    [
        ({"state"}, "locked", "Disable the key"),
        ({"state"}, "active", "Enable the key"),
        ({"description"}, "active", f"Description: Ingestion {MARK}"),
        ({"name"}, "active", "Name: splunk.g2"),
    ],
)
def test_a_change(changed: set[str], state: str, said: str) -> None:
    """The key by its ID, what to change, and nothing else."""
    text = steps(Write.UPDATE_KEY, vendor_id="ACME_1", changed=frozenset(changed), fields={"state": state})
    assert "find the key with the ID ACME_1" in text
    assert said in text
    assert ("no way to edit" in text) == ("state" not in changed)
    assert ("24 hours" in text) == (state == "locked")
    assert text.endswith("Run: reconciler handoff complete lw/splunk")


def test_a_deletion() -> None:
    """The key by its ID, in the tab of its owner's kind."""
    text = steps(Write.DELETE_KEY, vendor_id="ACME_1", level="alice@example.com (existing)", fields={})
    assert "'User API keys', and find the key with the ID ACME_1" in text
    assert "Delete the key" in text
    assert text.endswith("Run: reconciler handoff complete lw/splunk")


@pytest.mark.parametrize("write", [Write.CREATE_LEVEL, Write.UPDATE_LEVEL, Write.DELETE_LEVEL])
def test_users_need_nobody(write: Write) -> None:
    """Service users are managed by API."""
    assert steps(write) == ""
