"""The state document: its format is fixed, and copies are made, never changes."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from reconciler.model.state import Lease, Revoked, StateDocument
from tests.support import builders as b

FULL = b.document(
    {
        b.key_id(): b.record(previous=b.previous(), revoked=Revoked(at=b.NOW, by="me", reason="leak")),
        b.level_id(): b.level_record(),
    },
    {b.key_id(): b.intent()},
    lease=Lease(run="r", holder="me@host", since=b.NOW, expires=b.NOW),
)


def test_document_survives_json() -> None:
    """What is written is what is read."""
    text = FULL.model_dump_json(by_alias=True, exclude_none=True)
    assert StateDocument.model_validate_json(text) == FULL


def test_format_is_the_protocols() -> None:
    """Field names are a contract with documents that lie in Vaults."""
    shape = json.loads(FULL.model_dump_json(by_alias=True))
    assert set(shape) == {
        "format",
        "estate",
        "tenant",
        "provider",
        "endpoint",
        "credentials",
        "options",
        "endpointMap",
        "lease",
        "objects",
        "intents",
    }
    assert shape["format"] == 1
    assert set(shape["lease"]) == {"run", "holder", "since", "expires"}
    record = shape["objects"]["ApiKey/splunk"]
    assert set(record) >= {
        "vendorId", "generation", "nonce", "phase", "path", "version", "issuedAt", "expires", "owner", "protect",
        "previous", "revoked", "handoff",
    }  # fmt: skip
    assert set(record["previous"]) >= {"vendorId", "generation", "nonce", "until"}
    assert set(record["revoked"]) == {"at", "by", "reason"}
    assert set(shape["intents"]["ApiKey/splunk"]) >= {"run", "action", "generation", "nonce", "baseVersion"}


@pytest.mark.parametrize("change", [{"format": 2}, {"surprise": 1}, {"estate": "x"}])
def test_document_of_another_format_is_refused(change: dict[str, object]) -> None:
    """A newer version's document is not half-understood."""
    with pytest.raises(ValidationError):
        StateDocument.model_validate_json(json.dumps({**json.loads(FULL.model_dump_json(by_alias=True)), **change}))


def test_records_and_intents_are_put_and_dropped_in_copies() -> None:
    """The document itself stays as it was."""
    name = "ApiKey/jira"
    with_both = FULL.record(name, b.record()).intend(name, b.intent("k9"))
    assert (with_both.objects[name], with_both.intents[name]) == (b.record(), b.intent("k9"))
    assert with_both.record(name, None).intend(name, None) == FULL
    assert name not in FULL.objects
    assert FULL.record(name, None) == FULL
