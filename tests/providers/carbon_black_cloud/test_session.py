from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler.errors import (
    Conflict,
    InvalidInput,
    NotPermitted,
    OutcomeUnknown,
    Rejected,
    RetryLater,
    WriteRefused,
)
from reconciler.model.mark import Mark
from reconciler.model.observed import KnownKey
from reconciler.model.secret import Secret
from reconciler.providers.base import Verification
from reconciler.providers.carbon_black_cloud.session import Session
from reconciler.providers.pacing import Pacer
from tests.support.carbonblack import CarbonBlack

Connect = Callable[..., Session]
NewMark = Callable[..., Mark]

LEVEL = {"name": "alerts-read", "description": "Reads alerts", "permissions": {"org.alerts": ("READ",)}}
KEY = {"name": "splunk", "description": "Ingestion", "allowedIPs": ("203.0.113.0/28",), "state": "active"}
SINCE = datetime(2025, 12, 31, tzinfo=UTC)


def new_key(session: Session, level: str, mark: Mark, **more: Any) -> str:
    """A key through both steps; its id."""
    fields = {**KEY, **more}
    issued = session.create_key(fields["name"], fields, level, mark)
    session.finish_key(issued.vendor_id, fields, level, mark)
    return issued.vendor_id


def known(api_id: str, mark: Mark, level: str, name: str = "splunk") -> KnownKey:
    return KnownKey(api_id, name, mark, level)


@pytest.mark.promise(6)
def test_promise_6_observing_with_a_handoff_takes_two_reads(
    carbonblack: CarbonBlack, connect: Connect, mark: NewMark
) -> None:
    """Permitted roles and the grants of known keys, by documented calls; a planning session can do nothing else."""
    ours = mark()
    carbonblack.click_create_level("reader", {"org.alerts": ["READ"]}, description=ours.attach("Reads"))
    api_id, _ = carbonblack.click_create_key("splunk", "reader")
    planning = connect(carbonblack, write=False)
    seen = planning.observe([known(api_id, ours, "old"), known("GONE", ours, "old", "gone")])
    assert planning.calls == 2
    assert seen.own_key_id == carbonblack.credentials["apiId"]
    [level] = [level for level in seen.levels if not level.builtin]
    assert (level.name, level.mark, level.fields) == ("reader", ours, {"name": "reader", "description": "Reads"})
    assert {level.name for level in seen.levels if level.builtin} == {"Super Admin", "View All"}
    key, gone = seen.keys
    assert (key.name, key.mark, key.fields, key.level_id) == ("splunk", ours, {"state": "active"}, level.vendor_id)
    assert (gone.fields, gone.level_id) == ({"state": "locked"}, None)
    assert planning.clicked("splunk", SINCE) == api_id
    with pytest.raises(WriteRefused):
        planning.update_key(api_id, {"state": "locked"}, None, ours)
    with pytest.raises(WriteRefused):
        planning.update_key("GONE", {"state": "active"}, None, ours)


@pytest.mark.promise(6)
def test_promise_6_a_planning_console_session_writes_nothing(
    carbonblack: CarbonBlack, connect: Connect, mark: NewMark
) -> None:
    """Finding keys, fetching grants and searching the log are reads that are POSTs; all else is stopped unsent."""
    planning = connect(carbonblack, console=True, write=False)
    seen = planning.observe()
    assert planning.calls == 4
    assert {key.name for key in seen.keys} == {"bootstrap", "Platform service", "old-siem"}
    sent = carbonblack.requests.total()
    writes: list[Callable[[], object]] = [
        lambda: planning.create_level("reader", LEVEL, mark()),
        lambda: planning.update_level("urn", LEVEL, mark()),
        lambda: planning.delete_level("urn"),
        lambda: planning.create_key("splunk", KEY, "urn", mark()),
        lambda: planning.update_key("ID", KEY, None, mark()),
        lambda: planning.regenerate_key("ID"),
        lambda: planning.delete_key("ID"),
    ]
    for write in writes:
        with pytest.raises(WriteRefused):
            write()
    assert carbonblack.requests.total() == sent


@pytest.mark.promise(5)
@pytest.mark.parametrize("options", [{}, {"grants_as_map": True, "org_urns": True, "first_row": 1, "most_rows": 3}])
def test_promise_5_what_the_console_driver_made_reads_back_as_wanted(
    make_carbonblack: Callable[..., CarbonBlack], connect: Connect, mark: NewMark, options: dict[str, Any]
) -> None:
    """Created, then changed in every field: what is observed is what was wanted, and addresses reach the vendor."""
    organisation = make_carbonblack(**options)
    session = connect(organisation, console=True)
    ours, theirs = mark(), mark(2)
    level_id = session.create_level("alerts-read", LEVEL, ours)
    other_id = session.create_level("other", {**LEVEL, "name": "other"}, mark())
    api_id = new_key(session, level_id, theirs)
    seen = session.observe()
    [level] = [level for level in seen.levels if level.vendor_id == level_id]
    [key] = [key for key in seen.keys if key.vendor_id == api_id]
    assert (level.mark, level.fields) == (ours, {"name": "alerts-read", "description": "Reads alerts"})
    assert organisation.levels()[level_id].permissions == {"org.alerts:READ"}
    assert (key.mark, key.level_id) == (theirs, level_id)
    assert key.fields == {name: KEY[name] for name in ("name", "description", "state")}
    assert (organisation.keys()[api_id].name, organisation.keys()[api_id].ips) == ("splunk.g2", ("203.0.113.0/28",))
    changed = {"name": "splunk-two", "description": "", "allowedIPs": ("198.51.100.7/32", "2001:db8::/32")}
    session.update_key(api_id, changed, other_id, theirs)
    session.update_level(level_id, {**LEVEL, "permissions": {"device": ("READ",), "org.feeds": ("CREATE",)}}, ours)
    [key] = [key for key in session.observe().keys if key.vendor_id == api_id]
    assert (key.name, key.fields["description"], key.level_id) == ("splunk-two", "", other_id)
    assert organisation.keys()[api_id].ips == changed["allowedIPs"]
    assert organisation.levels()[level_id].permissions == {"device:READ", "org.feeds:CREATE"}
    session.delete_key(api_id)
    session.delete_key(api_id)
    session.delete_level(level_id)
    session.delete_level(level_id)
    seen = session.observe()
    assert not [one for one in (*seen.keys, *seen.levels) if one.vendor_id in (api_id, level_id)]


@pytest.mark.promise(5)
@pytest.mark.parametrize("console", [False, True])
def test_promise_5_locking_takes_the_grant_and_unlocking_gives_it_back(
    carbonblack: CarbonBlack, connect: Connect, mark: NewMark, console: bool
) -> None:
    """The state is the grant, by documented calls, with both drivers; doing it twice changes nothing."""
    ours = mark()
    urn = carbonblack.click_create_level("reader", {"org.alerts": ["READ"]})
    api_id, _ = carbonblack.click_create_key("splunk", "reader", description=ours.attach("x"))
    session = connect(carbonblack, console=console)

    def seen() -> tuple[Any, Any]:
        found = session.observe([known(api_id, ours, urn)]).keys
        [key] = [key for key in found if key.vendor_id == api_id]
        return key.fields["state"], key.level_id

    assert seen() == ("active", urn)
    for _ in range(2):
        session.update_key(api_id, {"state": "locked"}, None, ours)
    assert carbonblack.level_of(api_id) is None
    assert seen() == ("locked", None)
    for _ in range(2):
        session.update_key(api_id, {"state": "active"}, urn, ours)
    assert seen() == ("active", urn)
    calls = session.calls
    session.update_key(api_id, {}, None, ours)
    assert session.calls == calls


def test_a_key_whose_grant_was_never_made_is_finished(
    carbonblack: CarbonBlack, connect: Connect, mark: NewMark
) -> None:
    """A run that died between key and grant: the key shows as locked, and an update makes the grant."""
    session, ours = connect(carbonblack, console=True), mark()
    urn = session.create_level("reader", LEVEL, mark())
    issued = session.create_key("splunk", KEY, urn, ours)
    found = session.find_key("splunk", ours)
    assert found is not None
    assert (found.vendor_id, found.fields["state"], found.level_id) == (issued.vendor_id, "locked", None)
    assert session.find_key("splunk", mark()) is None
    with pytest.raises(InvalidInput, match="access level is not known"):
        session.update_key(issued.vendor_id, {"state": "active"}, None, ours)
    session.update_key(issued.vendor_id, {"state": "active"}, urn, ours)
    session.finish_key(issued.vendor_id, KEY, urn, ours)
    assert carbonblack.level_of(issued.vendor_id) == "reader"


def test_a_remembered_level_is_granted_again(carbonblack: CarbonBlack, connect: Connect, mark: NewMark) -> None:
    """With driver handoff, a grant that somebody deleted is made anew with the level that our records name."""
    ours = mark()
    urn = carbonblack.click_create_level("reader", {"org.alerts": ["READ"]})
    api_id, _ = carbonblack.click_create_key("splunk", "reader", grant=False)
    session = connect(carbonblack)
    session.observe([known(api_id, ours, urn)])
    session.update_key(api_id, {"state": "active"}, None, ours)
    assert carbonblack.level_of(api_id) == "reader"


def test_a_locked_key_is_not_unlocked_by_the_way(carbonblack: CarbonBlack, connect: Connect, mark: NewMark) -> None:
    """A new level for a key without a grant does not give it one, and a key made to be locked loses the console's."""
    ours = mark()
    urn = carbonblack.click_create_level("reader", {"org.alerts": ["READ"]})
    api_id, _ = carbonblack.click_create_key("splunk", "reader", grant=False)
    session = connect(carbonblack)
    session.update_key(api_id, {}, urn, ours)
    assert carbonblack.level_of(api_id) is None
    carbonblack.give(api_id, "reader")
    session.finish_key(api_id, {**KEY, "state": "locked"}, urn, ours)
    assert carbonblack.level_of(api_id) is None


def test_what_a_person_granted_is_made_right(carbonblack: CarbonBlack, connect: Connect, mark: NewMark) -> None:
    """The wrong level, or one more than wanted, shows as another level and is replaced."""
    ours = mark()
    urn = carbonblack.click_create_level("reader", {"org.alerts": ["READ"]})
    api_id, _ = carbonblack.click_create_key("splunk", "View All")
    session = connect(carbonblack)
    session.finish_key(api_id, KEY, urn, ours)
    assert carbonblack.level_of(api_id) == "reader"
    carbonblack.org.grants[carbonblack.org.principal(api_id)]["roles"].append("psc:role::BETA_SUPER_ADMIN")
    [key] = session.observe([known(api_id, ours, urn)]).keys
    assert key.level_id == " ".join(sorted([urn, "psc:role::BETA_SUPER_ADMIN"]))
    session.update_key(api_id, {}, urn, ours)
    [key] = session.observe([known(api_id, ours, urn)]).keys
    assert key.level_id == urn


def test_grants_in_the_form_for_several_organisations(
    carbonblack: CarbonBlack, connect: Connect, mark: NewMark
) -> None:
    """A profile gives the level as roles do; one that is switched off gives nothing; ours becomes plain roles."""
    ours = mark()
    urn = carbonblack.click_create_level("reader", {"org.alerts": ["READ"]})
    api_id, _ = carbonblack.click_create_key("splunk", "reader")
    grant = carbonblack.org.grants[carbonblack.org.principal(api_id)]
    profile: dict[str, Any] = {"profile_uuid": "p", "roles": [urn], "conditions": None}
    grant.update(roles=[], profiles=[profile])
    session = connect(carbonblack)
    [key] = session.observe([known(api_id, ours, "old")]).keys
    assert (key.fields["state"], key.level_id) == ("active", urn)
    profile["conditions"] = {"disabled": True}
    [key] = session.observe([known(api_id, ours, urn)]).keys
    assert (key.fields["state"], key.level_id) == ("locked", None)
    session.update_key(api_id, {"state": "active"}, None, ours)
    assert (grant["roles"], grant["profiles"]) == ([urn], [])


def test_paths_with_the_organisations_number(carbonblack: CarbonBlack, connect: Connect, mark: NewMark) -> None:
    """A map may want it, in its paths and its bodies, beside the text forms of lists."""
    base = "/emulator-defined/orgs/{orgId}"
    operations = carbonblack.endpoint_map["operations"]
    create = {**operations["createKey"], "path": f"{base}/keys"}
    create["body"] = {**create["body"], "comment": "{orgId}: {allowedIPsText}"}
    spec = {"operations": {"createKey": create, "deleteKey": {"method": "DELETE", "path": f"{base}/keys/{{id}}"}}}
    session = connect(carbonblack, console=True, endpoint_map=spec, orgId=carbonblack.org.number)
    issued = session.create_key("splunk", KEY, "psc:role::BETA_VIEW_ALL", mark())
    assert carbonblack.key_id("splunk") == issued.vendor_id
    session.delete_key(issued.vendor_id)
    with pytest.raises(InvalidInput, match="endpoint map leaves it out"):
        session.regenerate_key(issued.vendor_id)


@pytest.mark.promise(1)
def test_promise_1_secrets_in_the_list_are_dropped(carbonblack: CarbonBlack, connect: Connect) -> None:
    """The console's list leaks every secret; nothing that we make of it holds one."""
    listed = carbonblack.call("POST", "/appservices/v5/orgs/{org}/connectors/find", {"maxRows": 9})
    assert all(entry["apiKey"] in carbonblack.issued for entry in listed.json["entries"])
    session = connect(carbonblack, console=True)
    shown = repr(session.observe()) + repr(session._client.connectors()) + repr(vars(session))
    assert not [secret for secret in carbonblack.issued if secret in shown]


def test_what_the_console_lists_besides(carbonblack: CarbonBlack, connect: Connect) -> None:
    """Service connectors are the vendor's; types that are switched off say so; a session tells the last use."""
    carbonblack.clock.advance(timedelta(days=1))
    keys = {key.name: key for key in connect(carbonblack, console=True).observe().keys}
    assert [name for name, key in keys.items() if key.builtin] == ["Platform service"]
    assert "switches them off by 31 January 2025" in keys["old-siem"].facts["deprecated"]
    assert keys["old-siem"].facts["type"] == "SIM"
    assert "deprecated" not in keys["bootstrap"].facts
    assert keys["bootstrap"].facts["lastUsed"] == carbonblack.clock.now()
    assert keys["old-siem"].facts["lastUsed"] is None


@pytest.mark.parametrize("options", [{}, {"first_row": 1}, {"most_rows": 300}])
def test_more_than_a_thousand_keys(
    make_carbonblack: Callable[..., CarbonBlack], connect: Connect, options: dict[str, Any]
) -> None:
    """Every key once, wherever rows begin and however few rows an answer holds; grants in several calls."""
    organisation = make_carbonblack(**options)
    organisation.click_create_level("reader", {"org.alerts": ["READ"]})
    made = {organisation.click_create_key(f"k{number}", "reader")[0] for number in range(1100)}
    session = connect(organisation, console=True)
    keys = session.observe().keys
    assert len(keys) == 1103
    assert {key.vendor_id for key in keys if key.fields["state"] == "active" and key.name.startswith("k")} == made
    assert session.calls <= 5 + 3 + (1103 // 299 if "most_rows" in options else 0)


def test_a_list_that_shifts_while_it_is_read_is_read_again(carbonblack: CarbonBlack, connect: Connect) -> None:
    """A key that is deleted between two pages does not hide another one; a list without pages is no list."""
    carbonblack.click_create_level("reader", {"org.alerts": ["READ"]})
    ids = [carbonblack.click_create_key(f"k{number}", "reader")[0] for number in range(6)]
    session = connect(carbonblack, console=True, page=4)
    send = session._client._transport.send
    bodies: list[Any] = []

    def deleting(call: Any, body: Any = None, **more: Any) -> Any:
        answer = send(call, body, **more)
        if "connectors" in call.template:
            bodies.append(body)
            if len(bodies) == 1:
                carbonblack.click_delete_key(ids[0])
        return answer

    session._client._transport.send = deleting  # type: ignore[method-assign]
    assert {key.vendor_id for key in session.observe().keys} == set(carbonblack.keys())
    whole = carbonblack.call("POST", "/appservices/v5/orgs/{org}/connectors/find", {"maxRows": 4}).json

    def unpaged(call: Any, body: Any = None, **more: Any) -> Any:
        return whole if "connectors" in call.template else send(call, body, **more)

    session._client._transport.send = unpaged  # type: ignore[method-assign]
    with pytest.raises(RetryLater, match="has no pages"):
        session.observe()


@pytest.mark.parametrize("shape", ["message", "reason", "other"])
def test_a_key_that_a_notification_holds_stays(
    make_carbonblack: Callable[..., CarbonBlack], connect: Connect, mark: NewMark, shape: str
) -> None:
    """409 shows what the body says, whatever its shape, and is not tried again; the key and its grant stay."""
    organisation = make_carbonblack(conflict_body=shape)
    session = connect(organisation, console=True)
    api_id = new_key(session, session.create_level("reader", LEVEL, mark()), mark())
    organisation.subscribe(api_id, "Weekly malware digest")
    calls = session.calls
    with pytest.raises(Conflict, match="Weekly malware digest"):
        session.delete_key(api_id)
    assert session.calls == calls + 1
    assert organisation.level_of(api_id) is not None
    organisation.unsubscribe(api_id)
    session.delete_key(api_id)
    assert "splunk" not in {key.name for key in organisation.keys().values()}


@pytest.mark.promise(3)
@pytest.mark.parametrize("fault", ["reset-after", "error-after", "truncated", "late-create"])
def test_promise_3_an_unknown_outcome_is_looked_up(
    carbonblack: CarbonBlack, connect: Connect, mark: NewMark, fault: str
) -> None:
    """A creation without an answer is not repeated; the mark finds what it made, and a new secret replaces the lost."""
    session, ours, theirs = connect(carbonblack, console=True), mark(), mark()
    path = "/emulator-defined/orgs/{org_key}/"
    carbonblack.faults.inject(fault, method="POST", path=path + "levels", requests=0)
    with pytest.raises(OutcomeUnknown):
        session.create_level("reader", LEVEL, ours)
    session.observe()
    level = session.find_level("reader", ours)
    assert level is not None
    carbonblack.faults.inject(fault, method="POST", path=path + "keys", requests=0)
    with pytest.raises(OutcomeUnknown):
        session.create_key("splunk", KEY, level.vendor_id, theirs)
    session.observe()
    found = session.find_key("splunk", theirs)
    assert found is not None
    assert carbonblack.requests["POST /emulator-defined/orgs/{org_key}/keys"] == 1
    issued = session.regenerate_key(found.vendor_id)
    assert issued.secret["apiSecret"].reveal() == carbonblack.secret_of(found.vendor_id)  # type: ignore[union-attr]


def test_a_name_that_is_taken_is_refused(carbonblack: CarbonBlack, connect: Connect, mark: NewMark) -> None:
    """The vendor's names are unique: a foreign key of the same name is an error that says so, and stays."""
    carbonblack.click_create_level("reader", {"org.alerts": ["READ"]})
    foreign, _ = carbonblack.click_create_key("splunk", "reader")
    session = connect(carbonblack, console=True)
    with pytest.raises(Rejected, match="of this name exists"):
        session.create_key("splunk", KEY, "psc:role::BETA_VIEW_ALL", mark())
    [seen] = [key for key in session.observe().keys if key.vendor_id == foreign]
    assert seen.mark is None
    session.create_key("splunk", KEY, "psc:role::BETA_VIEW_ALL", mark(2))
    assert {"splunk", "splunk.g2"} <= {key.name for key in carbonblack.keys().values()}


def test_nobody_grants_what_he_lacks(carbonblack: CarbonBlack, connect: Connect, mark: NewMark) -> None:
    """A credential that lacks a permission is not offered a level with it, and is refused to give it away."""
    carbonblack.click_create_level("manager", {"org.alerts": ["READ"]}, user_role=True)
    wider = carbonblack.click_create_level("wider", {"org.policies": ["DELETE"]})
    own, secret = carbonblack.click_create_key("reconciler", "manager")
    api_id, _ = carbonblack.click_create_key("splunk", "manager")
    session = connect(carbonblack, api_id=own, secret=secret)
    assert wider not in {level.vendor_id for level in session.observe().levels}
    with pytest.raises(NotPermitted, match="the caller lacks"):
        session.finish_key(api_id, KEY, wider, mark())
    assert session.clicked("splunk", SINCE) is None


def test_handoffs_are_not_made_by_the_session(carbonblack: CarbonBlack, connect: Connect, mark: NewMark) -> None:
    """What has no documented request raises instead of guessing one; nothing is sent."""
    session = connect(carbonblack)
    writes: list[Callable[[], object]] = [
        lambda: session.create_level("reader", LEVEL, mark()),
        lambda: session.update_level("urn", LEVEL, mark()),
        lambda: session.delete_level("urn"),
        lambda: session.create_key("splunk", KEY, "urn", mark()),
        lambda: session.update_key("ID", {"description": "x"}, None, mark()),
        lambda: session.regenerate_key("ID"),
        lambda: session.delete_key("ID"),
    ]
    for write in writes:
        with pytest.raises(InvalidInput):
            write()
    assert session.find_key("splunk", mark()) is None
    assert session.calls == 0


def test_addresses_are_never_lost_by_another_change(carbonblack: CarbonBlack, connect: Connect, mark: NewMark) -> None:
    """They cannot be read, so a change that would send none of them is refused; a session that set them knows them."""
    session, ours = connect(carbonblack, console=True), mark()
    api_id = new_key(session, session.create_level("reader", LEVEL, mark()), ours)
    session.observe()
    session.update_key(api_id, {"description": "new"}, None, ours)
    assert carbonblack.keys()[api_id].ips == ("203.0.113.0/28",)
    later = connect(carbonblack, console=True)
    later.observe()
    with pytest.raises(InvalidInput, match="would lose its allowedIPs"):
        later.update_key(api_id, {"description": "newer"}, None, ours)
    later.update_key(api_id, {"description": "newer", "allowedIPs": ()}, None, ours)
    assert carbonblack.keys()[api_id].ips == ()


def test_a_level_whose_urn_the_answer_lacks(carbonblack: CarbonBlack, connect: Connect, mark: NewMark) -> None:
    """A map may leave the reply out: then the mark finds the level. One that says it wrongly leaves it unknown."""
    operations = dict(carbonblack.endpoint_map["operations"])
    create = {name: value for name, value in operations["createLevel"].items() if name != "reply"}
    session = connect(carbonblack, console=True, endpoint_map={"operations": {**operations, "createLevel": create}})
    urn = session.create_level("reader", {**LEVEL, "name": "reader"}, mark())
    assert carbonblack.levels()[urn].name == "reader"
    carbonblack.faults.inject("hidden-in-list", path="/emulator-defined/orgs/{org_key}/levels")
    with pytest.raises(OutcomeUnknown, match="URN"):
        session.create_level("other", LEVEL, mark())
    wrong = {**operations, "createLevel": {**create, "reply": {"id": "no.where"}}}
    session = connect(carbonblack, console=True, endpoint_map={"operations": wrong})
    with pytest.raises(OutcomeUnknown, match="URN"):
        session.create_level("third", LEVEL, mark())


@pytest.mark.promise(8)
def test_promise_8_pace(make_carbonblack: Callable[..., CarbonBlack], connect: Connect, fake_time: Any) -> None:
    """Ten times the vendor's limit of calls meets no 429; without pacing it does, and Retry-After is waited out."""
    organisation = make_carbonblack(calls=40)
    fake_time.on_sleep = lambda seconds: organisation.clock.advance(timedelta(seconds=seconds))
    session = connect(organisation, pacer=Pacer(20, 300.0, clock=fake_time.clock, sleep=fake_time.sleep))
    for _ in range(200):
        session.observe([])
    assert session.calls == organisation.requests.total() == 200
    fake_time.slept.clear()
    hasty = connect(organisation)
    for _ in range(41):
        hasty.observe([])
    assert hasty.calls > 41
    assert max(fake_time.slept) >= 100


def test_case_does_not_matter(carbonblack: CarbonBlack, connect: Connect, mark: NewMark) -> None:
    """Organisation keys and URNs are compared whatever their case."""
    urn = carbonblack.click_create_level("reader", {"org.alerts": ["READ"]})
    api_id, _ = carbonblack.click_create_key("splunk", "reader")
    session = connect(carbonblack)
    answer = {
        "results": [
            {"principal": carbonblack.org.principal(api_id).upper(), "roles": [urn]},
            {"principal": "psc:cnn:OTHER:X"},
        ]
    }
    session._client._transport.send = lambda *_, **__: answer  # type: ignore[method-assign]
    assert set(session._client.grants([api_id])) == {api_id}


class TestVerify:
    """Whether a new secret works."""

    def test_a_strong_key_proves_itself(self, carbonblack: CarbonBlack, connect: Connect) -> None:
        """A key that may list roles answers for itself."""
        api_id, secret = carbonblack.click_create_key("admin", "Super Admin")
        session = connect(carbonblack)
        issued = session.accept_key({"apiId": api_id, "apiSecret": Secret(secret)})
        assert session.verify(issued) is Verification.GOOD

    @pytest.mark.parametrize("granted", [True, False])
    def test_the_audit_log_proves_a_weak_key(self, carbonblack: CarbonBlack, connect: Connect, granted: bool) -> None:
        """Forbidden says nothing; that a session began does, with or without a grant."""
        carbonblack.click_create_level("reader", {"org.alerts": ["READ"]})
        api_id, secret = carbonblack.click_create_key("splunk", "reader", grant=granted)
        session = connect(carbonblack)
        issued = session.accept_key({"apiId": api_id, "apiSecret": Secret(secret)})
        assert session.verify(issued) is Verification.GOOD
        carbonblack.click_regenerate_key(api_id)
        assert session.verify(issued) is Verification.BAD

    def test_a_wrong_secret_is_bad(self, carbonblack: CarbonBlack, connect: Connect) -> None:
        """401 is plain, and does not count against our own credential."""
        session = connect(carbonblack)
        api_id, _ = carbonblack.click_create_key("splunk", "View All")
        assert session.verify(session.accept_key({"apiId": api_id, "apiSecret": "WRONG"})) is Verification.BAD
        assert session.observe().levels

    def test_a_former_secret_answered_with_401(
        self, make_carbonblack: Callable[..., CarbonBlack], connect: Connect
    ) -> None:
        """Some pages of the vendor say 401 for it."""
        organisation = make_carbonblack(dead_secret_status=401)
        api_id, secret = organisation.click_create_key("splunk", "View All")
        organisation.click_regenerate_key(api_id)
        session = connect(organisation)
        assert session.verify(session.accept_key({"apiId": api_id, "apiSecret": secret})) is Verification.BAD

    def test_it_cannot_be_told_without_the_log(
        self, make_carbonblack: Callable[..., CarbonBlack], connect: Connect, fake_time: Any
    ) -> None:
        """Where our credential may not read the log, or the log says nothing, nobody claims to know."""
        organisation = make_carbonblack(writes_logins=False)
        organisation.click_create_level("manager", {"org.alerts": ["READ"]}, user_role=True)
        own, own_secret = organisation.click_create_key("reconciler", "manager")
        api_id, secret = organisation.click_create_key("splunk", "View All")
        fields = {"apiId": api_id, "apiSecret": secret}
        blind = connect(organisation, api_id=own, secret=own_secret)
        assert blind.verify(blind.accept_key(fields)) is Verification.UNVERIFIABLE
        assert fake_time.slept == []
        session = connect(organisation)
        assert session.verify(session.accept_key(fields)) is Verification.UNVERIFIABLE
        assert fake_time.slept == [1.0, 1.0]

    def test_an_address_restriction_is_no_proof(
        self, carbonblack: CarbonBlack, connect: Connect, mark: NewMark
    ) -> None:
        """A key that may not be used from here is not called bad."""
        session = connect(carbonblack, console=True)
        urn = session.create_level("reader", LEVEL, mark())
        issued = session.create_key("splunk", {**KEY, "allowedIPs": ("198.51.100.0/24",)}, urn, mark())
        assert session.verify(issued) is Verification.UNVERIFIABLE
        assert connect(carbonblack).verify(issued) is Verification.UNVERIFIABLE

    def test_a_consumer_with_the_former_secret_is_no_proof(self, carbonblack: CarbonBlack, connect: Connect) -> None:
        """While somebody fails with the former secret, failures are not held against the new one."""
        api_id, first = carbonblack.click_create_key("splunk", "View All")
        second = carbonblack.click_regenerate_key(api_id)
        carbonblack.call("GET", "/access/v3/orgs/{org}/principals/x/roles/permitted", token=f"{first}/{api_id}")
        session = connect(carbonblack)
        old, new = (session.accept_key({"apiId": api_id, "apiSecret": one}) for one in (first, second))
        assert session.verify(old) is Verification.UNVERIFIABLE
        assert session.verify(new) is Verification.GOOD


class TestHandoff:
    """Keys that a person made."""

    def test_what_consumers_get(self, carbonblack: CarbonBlack, connect: Connect) -> None:
        """Id, secret, the SDK's token, organisation and endpoint, and no secret in its representation."""
        session = connect(carbonblack)
        issued = session.accept_key({"apiId": Secret(" AB12 "), "apiSecret": Secret("S3CRET\n")})
        assert issued.vendor_id == "AB12"
        assert set(issued.secret) == {"apiId", "apiSecret", "token", "orgKey", "endpoint"}
        assert issued.secret["token"] == Secret("S3CRET/AB12")
        assert (issued.secret["orgKey"], issued.secret["endpoint"]) == (carbonblack.org.key, carbonblack.endpoint)
        assert "S3CRET" not in repr(issued)
        assert session.calls == 0

    @pytest.mark.parametrize(
        ("fields", "what"),
        [
            ({}, "apiId is missing"),
            ({"apiId": "AB12"}, "apiSecret is missing"),
            ({"apiId": "AB12", "apiSecret": "S3 CRET"}, "apiSecret holds"),
            ({"apiId": "AB12", "apiSecret": "S3CRET/AB12"}, "apiSecret holds"),
            ({"apiId": "ÄB12", "apiSecret": "S3CRET"}, "apiId holds"),
            ({"apiId": "AB12", "apiSecret": "S3CRET", "keyId": "x"}, "has no keyId"),
        ],
    )
    def test_what_cannot_be_a_key(
        self, carbonblack: CarbonBlack, connect: Connect, fields: dict[str, str], what: str
    ) -> None:
        """Said in words that quote nothing."""
        with pytest.raises(InvalidInput, match=what) as caught:
            connect(carbonblack).accept_key(fields)
        assert "CRET" not in str(caught.value)

    def test_our_own_credential_is_no_new_key(self, carbonblack: CarbonBlack, connect: Connect) -> None:
        """The key in use is not taken for one that a handoff made."""
        with pytest.raises(InvalidInput, match="credential in use"):
            connect(carbonblack).accept_key({**carbonblack.credentials})

    def test_clocks_may_differ_a_little(self, carbonblack: CarbonBlack, connect: Connect) -> None:
        """A key is not overlooked because the vendor's clock is a minute behind."""
        api_id, _ = carbonblack.click_create_key("splunk", "View All")
        session, now = connect(carbonblack), carbonblack.clock.now()
        assert session.clicked("splunk", now + timedelta(minutes=1)) == api_id
        assert session.clicked("splunk", now + timedelta(minutes=3)) is None

    def test_the_log_tells_who_clicked(self, carbonblack: CarbonBlack, connect: Connect) -> None:
        """The newest key of that name since the handoff was opened, and no other name."""
        carbonblack.click_create_level("reader", {"org.alerts": ["READ"]})
        carbonblack.click_create_key("splunk-two", "reader")
        session = connect(carbonblack)
        assert session.clicked("splunk", SINCE) is None
        first, _ = carbonblack.click_create_key("splunk", "reader")
        assert session.clicked("splunk", SINCE) == first
        carbonblack.clock.advance(timedelta(hours=1))
        second, _ = carbonblack.click_create_key("splunk.g2", "reader")
        assert session.clicked("splunk", SINCE) == first
        assert session.clicked("splunk.g2", SINCE) == second
        assert session.clicked("splunk.g2", carbonblack.clock.now()) == second
        assert session.clicked("splunk", carbonblack.clock.now()) is None
