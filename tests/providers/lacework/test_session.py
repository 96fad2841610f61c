from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from reconciler.errors import (
    InvalidInput,
    NotFound,
    NotPermitted,
    OutcomeUnknown,
    ReconcilerError,
    Rejected,
    Stopped,
    WriteRefused,
)
from reconciler.model.credential import Credential
from reconciler.model.mark import Mark, new_nonce
from reconciler.model.names import Kind
from reconciler.model.observed import KnownKey, Observed
from reconciler.model.secret import Secret
from reconciler.providers.base import ConnectionSettings, Verification
from reconciler.providers.lacework import PROVIDER
from reconciler.providers.lacework.emulator import ADMIN, POWER_USER, READ_ONLY_USER
from reconciler.providers.lacework.mapping import groups
from reconciler.providers.lacework.session import Session
from tests.support.lacework import Organisation

USER: dict[str, Any] = {
    "name": "siem",
    "description": "Reads alerts",
    "groups": groups([READ_ONLY_USER, POWER_USER]),
    "state": "active",
}
READABLE = ("name", "groups", "state")


def mark(generation: int = 1) -> Mark:
    return Mark("ab" * 8, generation, new_nonce())


def readable(user: dict[str, Any]) -> dict[str, Any]:
    return {name: user[name] for name in READABLE}


@pytest.fixture
def connect() -> Iterator[Callable[..., Session]]:
    opened: list[Session] = []

    def connect(lacework: Organisation, *, write: bool = True, options: Any = None, **credential: str) -> Session:
        fields = {name: Secret(value) for name, value in {**lacework.credentials, **credential}.items()}
        settings = ConnectionSettings(write=write, timeout=5.0, options=options or {}, sleep=lambda seconds: None)
        session = PROVIDER.connect(lacework.endpoint + "/", Credential(fields, lacework.endpoint), settings)
        assert isinstance(session, Session)
        opened.append(session)
        return session

    yield connect
    for session in opened:
        session.close()


@pytest.fixture
def session(lacework: Organisation, connect: Callable[..., Session]) -> Session:
    return connect(lacework)


def user_of(session: Session, guid: str) -> Observed:
    [found] = [user for user in session.observe().levels if user.vendor_id == guid]
    return found


@pytest.mark.promise(6)
def test_promise_6_observing_takes_three_reads(lacework: Organisation, connect: Callable[..., Session]) -> None:
    """Token, users, and who we are; a planning session can do that and nothing else."""
    planning = connect(lacework, write=False)
    lacework.add_service_user("theirs", groups=[ADMIN])
    seen = planning.observe()
    assert (planning.calls, lacework.requests.total()) == (3, 3)
    assert {user.name: user.builtin for user in seen.levels} == {"admin@example.com": True, "theirs": False}
    assert seen.own_key_id == lacework.credentials["keyId"]
    assert [user.vendor_id for user in seen.levels if user.facts["own"]] == [lacework.admin]
    writes: list[Callable[[], object]] = [
        lambda: planning.create_level("siem", USER, mark()),
        lambda: planning.update_level(seen.levels[0].vendor_id, USER, mark()),
        lambda: planning.delete_level(seen.levels[0].vendor_id),
    ]
    for write in writes:
        with pytest.raises(WriteRefused):
            write()
    assert set(lacework.requests) <= {
        "POST /api/v2/access/tokens",
        "GET /api/v2/TeamUsers",
        "GET /api/v2/TeamUsers/{userGuid}",
        "GET /api/v2/UserProfile",
    }


@pytest.mark.promise(5)
@pytest.mark.parametrize("tells", [False, True])
@pytest.mark.parametrize("sub_account", ["", "Acme-Dev"])
def test_promise_5_what_was_made_reads_back_as_wanted(
    make_lacework: Callable[..., Organisation], connect: Callable[..., Session], tells: bool, sub_account: str
) -> None:
    """Created, then changed in every field, whether or not descriptions are told, in either kind of account."""
    lacework = make_lacework(tells_descriptions=tells, sub_accounts=("ACME-DEV",))
    session = connect(lacework, options={"subAccount": sub_account} if sub_account else {})
    ours = mark()
    guid = session.create_level("siem", USER, ours)
    assert [user.guid for user in lacework.users(sub_account) if user.guid != lacework.admin] == [guid]
    user = user_of(session, guid)
    assert user.fields == (USER if tells else readable(USER))
    assert (user.kind, user.name, user.mark, user.builtin) == (Kind.SERVICE_USER, "siem", ours, False)
    assert session.find_level("siem", ours) is not None
    [made] = [user for user in lacework.users(sub_account) if user.guid == guid]
    assert (made.name, made.description, made.type) == (f"siem {ours}", "Reads alerts", "ServiceUser")

    again = ours._replace(generation=2)
    changed = {"name": "siem-2", "description": "", "groups": groups([ADMIN, READ_ONLY_USER]), "state": "locked"}
    for _ in range(2):
        session.update_level(guid, changed, again)
    user = user_of(session, guid)
    assert user.fields == (changed if tells else readable(changed))
    assert user.mark == again
    session.update_level(guid, {**changed, "state": "active", "groups": ()}, again)
    assert user_of(session, guid).fields["state"] == "active"
    assert user_of(session, guid).fields["groups"] == ()
    session.delete_level(guid)
    session.delete_level(guid)
    assert session.find_level("siem-2", again) is None


@pytest.mark.promise(5)
def test_promise_5_case_and_order_of_groups_and_addresses_do_not_matter(
    lacework: Organisation, session: Session
) -> None:
    """Groups are a set, spelled in any case; people are found by their e-mail address in lower case."""
    lacework.add_user("Alice", email="Alice@Example.com", groups=[POWER_USER])
    guid = session.create_level("siem", {**USER, "groups": groups([POWER_USER.lower(), READ_ONLY_USER])}, mark())
    assert user_of(session, guid).fields["groups"] == USER["groups"]
    calls = lacework.requests.copy()
    session.update_level(guid, {**USER, "groups": groups([READ_ONLY_USER.lower(), POWER_USER])}, mark())
    assert {
        name for name in lacework.requests if "UserGroups" in name and lacework.requests[name] > calls[name]
    } == set()
    [alice] = [user for user in session.observe().levels if user.name == "alice@example.com"]
    assert (alice.builtin, alice.mark, alice.facts["displayName"]) == (True, None, "Alice")


def test_over_a_thousand_users_are_read_page_by_page(
    make_lacework: Callable[..., Organisation], connect: Callable[..., Session]
) -> None:
    """Every user is there once, and further pages are asked for at our own endpoint, whatever host their address names."""
    lacework = make_lacework(rows=100)
    for number in range(1040):
        lacework.add_service_user(f"user-{number}")
    session = connect(lacework, write=False)
    assert len({user.vendor_id for user in session.observe().levels}) == 1041
    assert lacework.requests["GET /api/v2/NextPage/TeamUsers/{page}"] == 10


def test_keys_are_returned_as_they_are_known(session: Session) -> None:
    """The vendor tells nothing of keys, so nothing is made up about them."""
    known = KnownKey("ACME_1", "splunk", mark(), "USER_1")
    [key] = session.observe([known]).keys
    assert (key.kind, key.vendor_id, key.name) == (Kind.API_KEY, "ACME_1", "splunk")
    assert (key.mark, key.level_id, key.fields) == (known.mark, "USER_1", {})
    assert session.find_key("splunk", known.mark) is None
    session.clicked("splunk", datetime(2026, 1, 1, tzinfo=UTC))
    session.finish_key("ACME_1", {}, "USER_1", known.mark)


def test_writes_that_are_made_by_hand_are_refused(session: Session) -> None:
    """No call is made for a key."""
    by_hand: list[Callable[[], object]] = [
        lambda: session.create_key("splunk", {}, "USER_1", mark()),
        lambda: session.update_key("ACME_1", {"state": "locked"}, None, mark()),
        lambda: session.regenerate_key("ACME_1"),
        lambda: session.delete_key("ACME_1"),
    ]
    for write in by_hand:
        with pytest.raises(InvalidInput, match="console"):
            write()
    assert session.calls == 0


def test_a_downloaded_key_through_its_life(lacework: Organisation, session: Session) -> None:
    """What a person downloads is accepted and verified; disabling it, or its user, ends that."""
    guid = session.create_level("siem", USER, mark())
    file = lacework.console_create_key(guid, "splunk")
    issued = session.accept_key({**file, "secret": Secret(file["secret"])})
    assert issued.vendor_id == file["keyId"]
    assert set(issued.secret) == {"keyId", "secret", "account"}
    assert issued.secret["secret"] == Secret(file["secret"])
    assert issued.secret["account"] == lacework.account
    assert session.verify(issued) is Verification.GOOD
    lacework.console_disable_key(file["keyId"])
    assert session.verify(issued) is Verification.BAD
    lacework.console_enable_key(file["keyId"])
    session.update_level(guid, {**USER, "state": "locked"}, mark())
    assert session.verify(issued) is Verification.BAD
    session.update_level(guid, USER, mark())
    assert session.verify(issued) is Verification.GOOD
    session.delete_level(guid)
    assert session.verify(issued) is Verification.BAD
    assert session.observe().levels


def test_a_key_of_a_sub_account(make_lacework: Callable[..., Organisation], connect: Callable[..., Session]) -> None:
    """Consumers get the sub-account too; a file of another one is refused."""
    lacework = make_lacework(sub_accounts=("dev", "prod"))
    session = connect(lacework, options={"subAccount": "Dev"})
    guid = session.create_level("siem", USER, mark())
    file = lacework.console_create_key(guid, "splunk")
    assert file["subAccount"] == "dev"
    assert session.accept_key(file).secret["subAccount"] == "dev"
    with pytest.raises(InvalidInput, match="another sub-account"):
        session.accept_key({**file, "subAccount": "prod"})
    with pytest.raises(InvalidInput, match="another sub-account"):
        connect(lacework).accept_key(file)


def test_a_service_users_key_acts_on_its_own_account_only(
    make_lacework: Callable[..., Organisation], connect: Callable[..., Session]
) -> None:
    """Neither header is usable with such a key, as documented."""
    lacework = make_lacework(sub_accounts=("dev",))
    file = lacework.console_create_key(lacework.add_service_user("tool", groups=[ADMIN]), "tool")
    session = connect(lacework, options={"subAccount": "dev"}, keyId=file["keyId"], secret=file["secret"])
    with pytest.raises(NotPermitted, match="own account only"):
        session.observe()


def test_a_group_that_does_not_exist_leaves_no_user(lacework: Organisation, session: Session) -> None:
    """The vendor refuses the group: the user that was made for it goes again, and the vendor's words are shown."""
    with pytest.raises(Rejected, match="group does not exist"):
        session.create_level("siem", {**USER, "groups": groups([POWER_USER, "NOBODY"])}, mark())
    assert [user.guid for user in lacework.users()] == [lacework.admin]


@pytest.mark.promise(3)
@pytest.mark.parametrize("fault", ["reset-before", "error-before", "html", "unavailable"])
def test_promise_3_a_user_without_its_groups_is_completed(lacework: Organisation, session: Session, fault: str) -> None:
    """Trouble between creating and joining: the user is found by its mark, and an update completes it."""
    ours = mark()
    lacework.faults.inject(fault, path="/api/v2/UserGroups/*", times=None)
    with pytest.raises(OutcomeUnknown):
        session.create_level("siem", USER, ours)
    lacework.faults.clear()
    found = session.find_level("siem", ours)
    assert found is not None
    assert found.fields["groups"] == ()
    session.update_level(found.vendor_id, USER, ours)
    assert user_of(session, found.vendor_id).fields == readable(USER)


@pytest.mark.promise(3)
@pytest.mark.parametrize("fault", ["error-after", "reset-after", "truncated", "late-create", "cut-off"])
def test_promise_3_a_creation_of_unknown_outcome_is_not_repeated(
    lacework: Organisation, session: Session, fault: str
) -> None:
    """One request, whatever the answer; a later look tells."""
    ours = mark()
    lacework.faults.inject(fault, method="POST", path="/api/v2/TeamUsers", requests=0)
    with pytest.raises(OutcomeUnknown):
        session.create_level("siem", USER, ours)
    assert lacework.requests["POST /api/v2/TeamUsers"] == 1
    assert session.find_level("siem", ours) is not None


def test_the_user_that_we_are_is_spared(lacework: Organisation, session: Session) -> None:
    """Neither locked nor deleted, though a session that has not observed yet asks first who it is."""
    with pytest.raises(Stopped, match="does not delete it"):
        session.delete_level(lacework.admin)
    with pytest.raises(Stopped, match="does not lock it"):
        session.update_level(lacework.admin, {**USER, "state": "locked"}, mark())
    assert [user.guid for user in lacework.users() if user.enabled] == [lacework.admin]
    assert lacework.requests["GET /api/v2/UserProfile"] == 1


@pytest.mark.parametrize("profile_for_all", [False, True])
def test_a_key_that_can_only_read(
    make_lacework: Callable[..., Organisation], connect: Callable[..., Session], profile_for_all: bool
) -> None:
    """Planning needs no admin: where the vendor does not tell such a caller who it is, that stays unknown."""
    lacework = make_lacework(profile_for_all=profile_for_all)
    reader = lacework.add_service_user("reader", groups=[READ_ONLY_USER])
    file = lacework.console_create_key(reader, "plan")
    session = connect(lacework, keyId=file["keyId"], secret=file["secret"])
    own = [user.vendor_id for user in session.observe().levels if user.facts["own"]]
    assert own == ([reader] if profile_for_all else [])
    assert session.calls == 3
    with pytest.raises(NotPermitted):
        session.create_level("siem", USER, mark())


def test_a_user_in_a_stale_list_can_be_deleted_again(
    make_lacework: Callable[..., Organisation], connect: Callable[..., Session]
) -> None:
    """A list may lag behind: what it still shows is gone all the same."""
    lacework = make_lacework(stale_lists=True)
    session = connect(lacework)
    guid = session.create_level("siem", USER, mark())
    session.delete_level(guid)
    assert guid in {user.vendor_id for user in session.observe().levels}
    session.delete_level(guid)
    with pytest.raises(NotFound):
        session.update_level(guid, USER, mark())


def test_somebody_elses_edits_are_seen(lacework: Organisation, session: Session) -> None:
    """Drift in groups, state and name shows; a name that lost its mark is not ours any more."""
    guid = session.create_level("siem", USER, mark())
    lacework.edit_user(guid, groups=[ADMIN], enabled=False)
    assert user_of(session, guid).fields == {"name": "siem", "groups": (ADMIN,), "state": "locked"}
    lacework.edit_user(guid, name="renamed")
    assert (user_of(session, guid).name, user_of(session, guid).mark) == ("renamed", None)


@pytest.mark.promise(1)
@pytest.mark.parametrize("fault", ["", "truncated", "error-after", "html", "unauthorized", "reset-after"])
def test_promise_1_no_secret_in_errors_logs_or_representations(
    lacework: Organisation, session: Session, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    """Whatever happens to tokens and keys, nothing that can be printed holds one."""
    caplog.set_level(logging.DEBUG)
    file = lacework.console_create_key(lacework.admin, "splunk")
    issued = session.accept_key(PROVIDER.key_file(str(file).replace("'", '"').encode()))
    seen = [repr(issued)]
    if fault:
        lacework.faults.inject(fault, times=1)
    seen.append(repr(session.verify(issued)))
    if fault:
        lacework.faults.inject(fault, times=None)
    contexts: list[BaseException | None] = []
    try:
        seen.append(repr(session.observe()))
    except ReconcilerError as error:
        contexts.append(error.__context__)
        seen += [repr(error), "".join(traceback.format_exception(error)), repr(error.__dict__)]
    client = session._client
    seen += [repr(client), repr(vars(client)), repr(vars(client._transport)), repr(vars(client._tokens))]
    assert contexts == ([None] if fault else [])
    text = caplog.text + "".join(seen)
    assert len(lacework.issued) >= 2
    for secret in lacework.issued:
        assert secret not in text
    assert "POST /api/v2/access/tokens" in caplog.text
