from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from reconciler.errors import WriteRefused
from reconciler.model.credential import Credential
from reconciler.model.mark import Mark, new_nonce
from reconciler.model.secret import Secret
from reconciler.providers.base import ConnectionSettings, Verification
from reconciler.providers.trend_workload_security import PROVIDER
from reconciler.providers.trend_workload_security.session import Session, _exactly
from tests.support.emulators import Trend

pytest_plugins = ["tests.support.emulators"]

FLAGS = ("allComputers", "allPolicies", "allowUserInterface", "allowWebService", "allowManageWorkloadSecurityLink")
MORE = ("allowMigration", "canOnlyManipulateUsersWithEqualOrLesserRights")
PERMISSIONS: dict[str, Any] = {
    **dict.fromkeys((*FLAGS, *MORE), False),
    "allComputers": True,
    "computerIDs": (),
    "computerGroupIDs": (),
    "policyIDs": (2, 5),
    "platformRights": {"computerRights": {"canViewOtherComputers": True}},
}
LEVEL = {"name": "reader", "description": "Reads", "permissions": PERMISSIONS}
KEY = {
    "name": "splunk",
    "description": "Ingestion",
    "locale": "ja-JP",
    "timeZone": "Asia/Kolkata",
    "expires": datetime(2030, 1, 1, tzinfo=UTC),
    "state": "active",
}


def mark(generation: int = 1) -> Mark:
    return Mark("ab" * 8, generation, new_nonce())


@pytest.fixture
def open_session(trend: Trend) -> Iterator[Callable[..., Session]]:
    opened: list[Session] = []

    def open_session(*, write: bool = True, secret: str = "") -> Session:
        credential = Credential({"secretKey": Secret(secret or trend.credentials["secretKey"])}, trend.endpoint)
        session = PROVIDER.connect(trend.endpoint + "/", credential, ConnectionSettings(write=write, timeout=5.0))
        assert isinstance(session, Session)
        opened.append(session)
        return session

    yield open_session
    for session in opened:
        session.close()


@pytest.fixture
def session(open_session: Callable[..., Session]) -> Session:
    return open_session()


@pytest.mark.promise(6)
def test_promise_6_observing_takes_three_reads(trend: Trend, open_session: Callable[..., Session]) -> None:
    """Keys, roles, and whose key this is; a planning session can do that and nothing else."""
    planning = open_session(write=False)
    seen = planning.observe()
    assert planning.calls == 3
    assert [key.name for key in seen.keys] == ["bootstrap"]
    assert seen.own_key_id == seen.keys[0].vendor_id
    assert {level.name for level in seen.levels if level.builtin} == {"Full Access", "Auditor"}
    writes: list[Callable[[], object]] = [
        lambda: planning.create_level("reader", LEVEL, mark()),
        lambda: planning.update_level("1", LEVEL, mark()),
        lambda: planning.delete_level("2"),
        lambda: planning.create_key("splunk", KEY, "1", mark()),
        lambda: planning.update_key("1", {"state": "locked"}, None, mark()),
        lambda: planning.regenerate_key("1"),
        lambda: planning.delete_key("1"),
    ]
    for write in writes:
        with pytest.raises(WriteRefused):
            write()
    assert trend.requests.total() == 3


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"truncate_ms": 1000, "canonical_time_zones": True, "created_statuses": True},
        {"role_defaults": True, "rights_modify": "replace"},
    ],
)
def test_promise_5_what_was_made_reads_back_as_wanted(
    make_trend: Callable[..., Trend], options: dict[str, Any]
) -> None:
    """Created, then changed in every field, on servers of several habits: what is observed is what was wanted."""
    trend = make_trend(**options)
    credential = Credential({"secretKey": Secret(trend.credentials["secretKey"])}, trend.endpoint)
    session = PROVIDER.connect(trend.endpoint, credential, ConnectionSettings(write=True, timeout=5.0))
    ours, theirs = mark(), mark()
    level_id = session.create_level("reader", LEVEL, ours)
    issued = session.create_key("splunk", KEY, level_id, theirs)
    level, key = session.find_level("reader", ours), session.find_key("splunk", theirs)
    assert level is not None
    assert key is not None
    assert (level.fields, level.vendor_id) == (LEVEL, level_id)
    assert (key.fields, key.vendor_id, key.level_id) == (KEY, issued.vendor_id, level_id)
    assert session.verify(issued) is Verification.GOOD
    changed = {
        "description": "",
        "locale": "en-US",
        "timeZone": "UTC",
        "expires": None,
        "state": "locked",
    }
    again = theirs._replace(generation=2)
    session.update_key(key.vendor_id, changed, "2", again)
    session.update_level(level_id, {**LEVEL, "permissions": {**PERMISSIONS, "platformRights": {}}}, ours)
    seen = session.observe()
    [key] = [key for key in seen.keys if key.mark == again]
    [level] = [level for level in seen.levels if level.mark == ours]
    assert (key.fields, key.level_id) == ({**KEY, **changed}, "2")
    assert level.fields["permissions"] == {
        name: value for name, value in PERMISSIONS.items() if name != "platformRights"
    }
    assert session.verify(issued) is Verification.BAD
    session.delete_key(key.vendor_id)
    session.delete_level(level_id)
    seen = session.observe()
    assert not [one for one in (*seen.keys, *seen.levels) if one.mark is not None]
    session.close()


def test_an_update_of_nothing_is_no_call(session: Session) -> None:
    """No changed field, no request."""
    session.update_key("1", {}, None, mark())
    assert session.calls == 0


def test_only_the_mark_tells_ours_from_theirs(trend: Trend, session: Session) -> None:
    """Names with wildcards in them are taken literally, and a key of the same name with another mark is not found."""
    ours = mark()
    trend.add_key("a%", description="somebody's")
    trend.add_key("abc")
    assert session.find_key("a%", ours) is None
    assert session.find_level("Full Access", ours) is None
    assert [key.keyName for key in session._client.search_keys(_exactly("keyName", "a%"))] == ["a%"]
    session.create_key("a%", {**KEY, "name": "a%"}, "1", ours)
    found = session.find_key("a%", ours)
    assert found is not None
    assert found.mark == ours


def test_regenerating_ends_the_former_secret(session: Session) -> None:
    """The key stays, its old secret is dead at once."""
    first = session.create_key("splunk", KEY, "1", mark())
    second = session.regenerate_key(first.vendor_id)
    assert second.vendor_id == first.vendor_id
    assert session.verify(first) is Verification.BAD
    assert session.verify(second) is Verification.GOOD


def test_somebody_elses_edits_are_seen(trend: Trend, session: Session) -> None:
    """Drift in any field shows in what is observed."""
    ours = mark()
    session.create_key("splunk", KEY, "1", ours)
    trend.edit_key("splunk", active=False, locale="en-US", expiryDate=None)
    key = session.find_key("splunk", ours)
    assert key is not None
    assert {name for name in KEY if key.fields[name] != KEY[name]} == {"state", "locale", "expires"}
