from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler.errors import Conflict, InvalidInput, NotFound, NotPermitted, OutcomeUnknown, Rejected, WriteRefused
from reconciler.model.desired import RateLimit
from reconciler.model.mark import Mark, new_nonce
from reconciler.model.observed import KnownKey
from reconciler.providers.base import ConnectionSettings, Verification
from reconciler.providers.cortex_cloud import PROVIDER, scopes
from reconciler.providers.cortex_cloud.emulator import ADMIN, CLI_READ_ONLY, VIEWER
from reconciler.providers.cortex_cloud.session import Session
from tests.support.cortex import Cortex

PERMISSIONS: dict[str, Any] = {
    "components": ("investigation_query_view", "rules_action"),
    "datasets": {"xdr": {"accessAll": False, "permissions": ("xdr_data",)}},
}
LEVEL = {"name": "siem-read", "description": "Reads: all of it", "permissions": PERMISSIONS}
SCOPE = scopes.canonical(
    {
        "assets": {"mode": "scope", "groupIds": [12, 3]},
        "endpoints": {"groups": {"mode": "scope", "names": ["servers", "db"]}},
        "casesIssues": {"mode": "scope", "names": ["soc"], "includeWithoutEntities": True},
    }
)
EVERYTHING = scopes.canonical(None)
KEY = {
    "name": "splunk",
    "description": "Ingestion: of events",
    "securityLevel": "advanced",
    "expires": datetime(2026, 5, 1, tzinfo=UTC),
    "scope": SCOPE,
}
GET_SCOPE = "GET /platform/iam/v1/scope/api-key/{api_key_id}"
LIST = "POST /public_api/v1/api_keys/get_api_keys"
ROLES = "GET /platform/iam/v1/role"
GENERATE = "POST /public_api/v1/api_keys/generate"


def mark(generation: int = 1) -> Mark:
    return Mark("ab" * 8, generation, new_nonce())


@pytest.fixture
def connect() -> Iterator[Callable[..., Session]]:
    opened: list[Session] = []

    def connect(cortex: Cortex, *, write: bool = True, **options: Any) -> Session:
        rate = RateLimit(calls=100_000, seconds=1.0, share=1.0)  # other tests are about the pace
        settings = ConnectionSettings(write=write, timeout=5.0, rate=rate, options=options, sleep=lambda seconds: None)
        session = PROVIDER.connect(cortex.endpoint + "/", cortex.credential(), settings)
        assert isinstance(session, Session)
        opened.append(session)
        return session

    yield connect
    for session in opened:
        session.close()


@pytest.fixture
def session(cortex: Cortex, connect: Callable[..., Session]) -> Session:
    return connect(cortex)


def issue(session: Session, level_id: str, ours: Mark, **fields: Any) -> Any:
    """A whole key: made, and finished."""
    issued = session.create_key("splunk", {**KEY, **fields}, level_id, ours)
    session.finish_key(issued.vendor_id, {**KEY, **fields}, level_id, ours)
    return issued


@pytest.mark.promise(6)
def test_promise_6_observing_only_reads(cortex: Cortex, connect: Callable[..., Session]) -> None:
    """A planning session reads keys, roles and scopes, and can do nothing else."""
    planning = connect(cortex, write=False)
    seen = planning.observe()
    assert planning.calls == 2
    assert [key.name for key in seen.keys] == ["bootstrap"]
    assert seen.own_key_id == seen.keys[0].vendor_id == cortex.credentials["keyId"]
    assert {VIEWER, ADMIN, CLI_READ_ONLY} <= {level.name for level in seen.levels if level.builtin}
    writes: list[Callable[[], object]] = [
        lambda: planning.create_level("reader", LEVEL, mark()),
        lambda: planning.delete_level("VIEWER"),
        lambda: planning.create_key("splunk", KEY, "VIEWER", mark()),
        lambda: planning.finish_key("1", KEY, "VIEWER", mark()),
        lambda: planning.update_key("1", {"scope": SCOPE}, None, mark()),
        lambda: planning.delete_key("1"),
    ]
    for write in writes:
        with pytest.raises(WriteRefused):
            write()
    assert {name for name in cortex.requests if cortex.requests[name]} <= {LIST, ROLES, GET_SCOPE}


@pytest.mark.parametrize("marked", [0, 3])
def test_scopes_cost_one_call_for_each_marked_key(cortex: Cortex, connect: Callable[..., Session], marked: int) -> None:
    """Ten calls a second are all that the tenant has: nobody else's scopes are read, but for those that are asked for."""
    others = [cortex.add_key(f"somebody's {number}") for number in range(5)]
    for number in range(marked):
        cortex.add_key(f"k{number}: text {mark()}", VIEWER)
    session = connect(cortex, write=False)
    seen = session.observe()
    assert session.calls == 2 + marked
    assert sum("scope" in key.fields for key in seen.keys) == marked
    seen = session.observe([KnownKey(str(others[0]), "adopted", mark(), "")])
    assert session.calls == 2 * (2 + marked) + 1
    assert next(key for key in seen.keys if key.vendor_id == str(others[0])).fields["scope"] == EVERYTHING


@pytest.mark.promise(5)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lower_case_envelope": True, "update_count_as_text": True, "scope_level": True, "capitals": True},
        {"dataset_scoping": True, "fresh_scope": "no_scope", "omitted_comment": "kept"},
        {"page_limit": 1, "counts": False},
        {"page_limit": 1},
    ],
)
def test_promise_5_what_was_made_reads_back_as_wanted(
    make_cortex: Callable[..., Cortex], connect: Callable[..., Session], options: dict[str, Any]
) -> None:
    """Created, finished, then changed in every field that can be, on tenants of several habits."""
    cortex = make_cortex(**options)
    session = connect(cortex)
    ours, theirs = mark(), mark()
    level_id = session.create_level("siem-read", LEVEL, ours)
    issued = issue(session, level_id, theirs)
    seen = session.observe()
    [key] = [key for key in seen.keys if key.mark == theirs]
    [level] = [level for level in seen.levels if level.mark == ours]
    assert (key.fields, key.name, key.vendor_id, key.level_id) == (KEY, "splunk", issued.vendor_id, level_id)
    assert {**level.fields, "permissions": PERMISSIONS} == LEVEL
    assert (level.name, level.vendor_id, level.builtin) == ("siem-read", level_id, False)
    [role] = [role for role in cortex.roles() if role["role_id"] == level_id]
    assert {"investigation_query_view", "rules_action", "rules_view"} == set(role["granted"])
    assert role["datasets"] == [{"category": "xdr", "access_all": False, "permissions": ["xdr_data"]}]
    assert session.verify(issued) is Verification.GOOD
    again = theirs._replace(generation=2)
    session.update_key(key.vendor_id, {"description": "", "scope": EVERYTHING}, "VIEWER", again)
    found = session.find_key("splunk", again)
    assert found is not None
    assert (found.fields, found.level_id) == ({**KEY, "description": "", "scope": EVERYTHING}, "VIEWER")
    calls = session.calls
    session.finish_key(key.vendor_id, found.fields, "VIEWER", again)
    assert session.calls == calls + 1, "what is so already costs one read"
    session.delete_key(key.vendor_id)
    session.delete_key(key.vendor_id)
    session.delete_level(level_id)
    session.delete_level(level_id)
    seen = session.observe()
    assert not [one for one in (*seen.keys, *seen.levels) if one.mark is not None]


@pytest.mark.parametrize("fresh", ["see_all", "no_scope"])
def test_a_new_key_gets_its_scope_before_its_real_role(
    make_cortex: Callable[..., Cortex], connect: Callable[..., Session], fresh: str
) -> None:
    """While the secret is on its way to Vault the key can do least; its role comes last."""
    cortex = make_cortex(fresh_scope=fresh)
    session, ours = connect(cortex), mark()
    issued = session.create_key("splunk", KEY, "RESPONDER", ours)
    for path in ("/platform/iam/v1/scope/*", "/platform/iam/v1/api-key/*"):
        fault = cortex.faults.inject("forbidden", method="PUT", path=path)
        with pytest.raises(NotPermitted):
            session.finish_key(issued.vendor_id, KEY, "RESPONDER", ours)
        found = session.find_key("splunk", ours)
        assert found is not None
        assert (fault.hits, found.level_id) == (1, "VIEWER")
    assert found.fields["scope"] == SCOPE
    session.finish_key(issued.vendor_id, KEY, "RESPONDER", ours)
    found = session.find_key("splunk", ours)
    assert found is not None
    assert found.level_id == "RESPONDER"


@pytest.mark.parametrize(
    ("wished", "first"),
    [
        (EVERYTHING, "role"),
        ({**SCOPE, "assets": {"mode": "scope", "groupIds": (3,)}}, "scope"),
        ({**SCOPE, "assets": {"mode": "scope", "groupIds": (3, 99)}}, "scope"),
    ],
)
def test_nothing_in_between_reaches_more(cortex: Cortex, session: Session, wished: Any, first: str) -> None:
    """A narrower scope comes before the new role, a wider one after it."""
    ours = mark()
    issued = issue(session, "RESPONDER", ours)
    cortex.faults.inject("forbidden", method="PUT", nth=2)
    with pytest.raises(NotPermitted):
        session.update_key(issued.vendor_id, {"scope": wished}, "VIEWER", ours)
    found = session.find_key("splunk", ours)
    assert found is not None
    assert first == ("role" if found.level_id == "VIEWER" else "scope")
    assert (found.fields["scope"] == wished) is (first == "scope")
    session.update_key(issued.vendor_id, {"scope": wished}, "VIEWER", ours)
    found = session.find_key("splunk", ours)
    assert found is not None
    assert (found.fields["scope"], found.level_id) == (wished, "VIEWER")


def test_a_run_that_died_before_finishing_is_healed_by_an_update(
    make_cortex: Callable[..., Cortex], connect: Callable[..., Session]
) -> None:
    """Least role and no scope of ours: a plan sees both differences, and updating the key does the same work."""
    cortex = make_cortex(fresh_scope="no_scope")
    session, ours = connect(cortex), mark()
    issued = session.create_key("splunk", KEY, "RESPONDER", ours)
    [key] = [key for key in session.observe().keys if key.mark == ours]
    assert key.level_id == "VIEWER"
    assert {name for name in KEY if key.fields[name] != KEY[name]} == {"scope"}
    session.update_key(issued.vendor_id, {"scope": SCOPE}, "RESPONDER", ours)
    [key] = [key for key in session.observe().keys if key.mark == ours]
    assert (key.fields, key.level_id) == (KEY, "RESPONDER")


def test_an_administrators_key_can_keep_its_scope(session: Session) -> None:
    """The vendor refuses to write the scope of an admin; one that is as wished is not written."""
    ours = mark()
    issued = issue(session, "INSTANCE_ADMINISTRATOR", ours, scope=EVERYTHING)
    session.finish_key(issued.vendor_id, {**KEY, "scope": EVERYTHING}, "INSTANCE_ADMINISTRATOR", ours)
    session.update_key(issued.vendor_id, {"scope": EVERYTHING}, None, ours)
    with pytest.raises(Rejected, match="Scope cannot be updated for admin entity"):
        session.update_key(issued.vendor_id, {"scope": SCOPE}, None, ours)


def test_becoming_an_administrator_and_back(cortex: Cortex, session: Session) -> None:
    """Where a scope is refused because of the role before or after, it is set under the least role in between."""
    ours = mark()
    issued = issue(session, "VIEWER", ours)
    for level, scope in (("INSTANCE_ADMINISTRATOR", EVERYTHING), ("RESPONDER", SCOPE)):
        session.update_key(issued.vendor_id, {"scope": scope, "description": level}, level, ours)
        found = session.find_key("splunk", ours)
        assert found is not None
        assert (found.fields, found.level_id) == ({**KEY, "scope": scope, "description": level}, level)


@pytest.mark.parametrize("status", ["404", "405"])
def test_a_tenant_that_cannot_edit_keys(
    make_cortex: Callable[..., Cortex], connect: Callable[..., Session], status: str
) -> None:
    """The documented call is unproven: where it is missing, the error says what to do, and an option makes it unneeded."""
    cortex = make_cortex(edit_key=status)
    session, ours = connect(cortex), mark()
    issued = session.create_key("splunk", KEY, "RESPONDER", ours)
    with pytest.raises(Rejected, match="editableKeys: false"):
        session.finish_key(issued.vendor_id, KEY, "RESPONDER", ours)
    with pytest.raises(Rejected, match="replace the key"):
        session.update_key(issued.vendor_id, {"description": "new"}, None, ours)
    fixed, other = connect(cortex, editableKeys=False), mark()
    issue(fixed, "RESPONDER", other)
    found = fixed.find_key("splunk", other)
    assert found is not None
    assert (found.fields, found.level_id) == (KEY, "RESPONDER")


def test_a_key_that_is_gone_is_not_a_missing_call(cortex: Cortex, session: Session) -> None:
    """404 for a key that does not exist says just that."""
    issued = session.create_key("splunk", KEY, "RESPONDER", mark())
    cortex.delete_key(int(issued.vendor_id))
    with pytest.raises(NotFound, match="no key"):
        session.update_key(issued.vendor_id, {"description": "new"}, None, mark())
    with pytest.raises(NotFound, match="does not exist"):
        session._client.edit_key(issued.vendor_id, {"roles": [VIEWER], "security_level": "advanced", "comment": ""})


def test_an_unknown_outcome_is_looked_up_by_the_mark(cortex: Cortex, session: Session) -> None:
    """500 may mean bad input or a lost answer: it is asked once, and the comment tells which."""
    ours = mark()
    cortex.faults.inject("error-after", path="/public_api/v1/api_keys/generate")
    with pytest.raises(OutcomeUnknown):
        session.create_key("splunk", KEY, "RESPONDER", ours)
    assert cortex.requests[GENERATE] == 1
    found = session.find_key("splunk", ours)
    assert found is not None
    assert (found.name, found.level_id) == ("splunk", "VIEWER")
    assert session.find_key("splunk", mark()) is None
    session.delete_key(found.vendor_id)
    assert session.find_key("splunk", ours) is None


def test_a_lookup_needs_no_plan_before_it(cortex: Cortex, connect: Callable[..., Session]) -> None:
    """A session that has read no roles yet knows what level the key has."""
    ours = mark()
    issued = issue(connect(cortex), "RESPONDER", ours)
    found = connect(cortex, write=False).find_key("splunk", ours)
    assert found is not None
    assert (found.vendor_id, found.level_id, found.fields) == (issued.vendor_id, "RESPONDER", KEY)


def test_a_role_whose_answer_was_lost_is_found_by_its_mark(cortex: Cortex, session: Session) -> None:
    """The name depends on the content, so the mark alone tells; the same content once more is a conflict."""
    ours = mark()
    cortex.faults.inject("reset-after", method="POST", path="/platform/iam/v1/role")
    with pytest.raises(OutcomeUnknown):
        session.create_level("siem-read", LEVEL, ours)
    found = session.find_level("siem-read", ours)
    assert found is not None
    assert found.facts["vendorName"].startswith("siem-read-")
    assert session.find_level("siem-read", mark()) is None
    with pytest.raises(Conflict, match="already utilized"):
        session.create_level("siem-read", LEVEL, mark())
    session.create_level("siem-read", {**LEVEL, "description": "other"}, mark())
    session.create_level("siem-read", LEVEL, mark(2))


def test_a_role_in_use_is_kept(make_cortex: Callable[..., Cortex], connect: Callable[..., Session]) -> None:
    """What keys of a deleted role can do is not known, so nobody's key may have it."""
    cortex = make_cortex(role_in_use="allow")
    session = connect(cortex)
    level_id = session.create_level("siem-read", LEVEL, mark())
    name = next(role["pretty_name"] for role in cortex.roles() if role["role_id"] == level_id)
    foreign = cortex.add_key("somebody's", roles=[VIEWER, name])
    with pytest.raises(Conflict, match=str(foreign)):
        session.delete_level(level_id)
    cortex.delete_key(foreign)
    session.delete_level(level_id)
    assert session.find_level("siem-read", mark()) is None


def test_what_is_not_ours_shows_as_it_is(cortex: Cortex, session: Session) -> None:
    """Foreign keys are called after their comment or id; several roles, or one that is gone, are no level of anybody."""
    named = cortex.add_key("splunk: somebody's", VIEWER)
    bare = cortex.add_key("", VIEWER, roles=[VIEWER, CLI_READ_ONLY])
    cortex.add_role("Gone")
    lost = cortex.add_key("x", "Gone", expiration=1)
    cortex.delete_role(next(role["role_id"] for role in cortex.roles() if role["pretty_name"] == "Gone"))
    strange = mark()
    odd = cortex.add_key(f"Not A Name {strange}", VIEWER)
    none = cortex.add_key(str(mark()), VIEWER, roles=[])
    seen = {int(key.vendor_id): key for key in session.observe().keys}
    assert (seen[named].name, seen[named].mark, seen[named].fields["description"]) == ("splunk: somebody's", None, "")
    assert (seen[bare].name, seen[bare].level_id) == (f"id {bare}", "CLI_READ_ONLY+VIEWER")
    assert (seen[lost].level_id, seen[lost].fields["expires"]) == ("Gone", datetime(1970, 1, 1, tzinfo=UTC))
    assert (seen[odd].name, seen[odd].mark) == ("Not A Name", strange)
    assert (seen[none].name, seen[none].level_id) == (f"id {none}", None)
    assert seen[named].facts == {"created": cortex.clock.now(), "createdBy": "Ann Admin"}


def test_a_lost_name_is_put_back(cortex: Cortex, session: Session) -> None:
    """Whatever a person wrote into the comment, an update writes name, description and mark."""
    ours = mark()
    issued = issue(session, "RESPONDER", ours)
    cortex.edit_key(int(issued.vendor_id), comment=f"Hands off! {ours}")
    session.update_key(issued.vendor_id, {"name": "splunk", "description": KEY["description"]}, None, ours)
    found = session.find_key("splunk", ours)
    assert found is not None
    assert (found.fields, found.level_id) == (KEY, "RESPONDER")


@pytest.mark.parametrize("beyond", ["shorten", "refuse"])
def test_a_far_expiry_is_shortened_and_read_back(
    make_cortex: Callable[..., Cortex], connect: Callable[..., Session], beyond: str
) -> None:
    """The vendor may shorten what lies beyond half a year, or refuse it: what it made of it is what is observed."""
    cortex = make_cortex(beyond_longest=beyond)
    session, ours = connect(cortex), mark()
    far = {**KEY, "expires": datetime(2030, 1, 1, tzinfo=UTC)}
    if beyond == "refuse":
        with pytest.raises(OutcomeUnknown, match="too far in the future"):
            session.create_key("splunk", far, "VIEWER", ours)
        assert session.find_key("splunk", ours) is None
        return
    session.create_key("splunk", far, "VIEWER", ours)
    found = session.find_key("splunk", ours)
    assert found is not None
    assert found.fields["expires"] == cortex.clock.now() + timedelta(days=180)


def test_expired_keys_are_still_there(cortex: Cortex, session: Session) -> None:
    """They stay in the list, and authenticate no more."""
    ours = mark()
    issued = issue(session, "VIEWER", ours)
    assert session.verify(issued) is Verification.GOOD
    cortex.clock.advance(timedelta(days=180))
    assert session.verify(issued) is Verification.BAD
    found = session.find_key("splunk", ours)
    assert found is not None
    assert found.fields["expires"] < cortex.clock.now()


def test_what_cannot_be_is_refused_before_any_call(cortex: Cortex, session: Session) -> None:
    """No secret anew, no changed role, no other security level or expiry, no handoff, nothing to the key in use."""
    own = cortex.credentials["keyId"]
    refusals: list[tuple[Callable[[], object], str]] = [
        (lambda: session.regenerate_key("7"), "cannot get a new secret"),
        (lambda: session.update_level("VIEWER", LEVEL, mark()), "cannot be changed"),
        (lambda: session.update_key("7", {"expires": KEY["expires"]}, None, mark()), "expires of key 7"),
        (lambda: session.update_key("7", {"securityLevel": "standard"}, None, mark()), "replace the key"),
        (lambda: session.accept_key({}), "no handoff"),
        (lambda: session.create_key("splunk", {**KEY, "expires": None}, "VIEWER", mark()), "without expires"),
        (lambda: session.delete_key(own), "itself calls with"),
        (lambda: session.update_key(own, {"description": "x"}, None, mark()), "itself calls with"),
    ]
    for refuse, what in refusals:
        with pytest.raises((Rejected, InvalidInput), match=what):
            refuse()
    session.update_key("7", {}, None, mark())
    session.clicked("splunk", datetime(2026, 1, 1, tzinfo=UTC))
    assert session.calls == 0


def test_roles_that_do_not_exist(cortex: Cortex, connect: Callable[..., Session]) -> None:
    """Neither the least role nor the real one is guessed: no key is made that could not be finished."""
    session = connect(cortex, leastRole="Nobody")
    with pytest.raises(Rejected, match=r"'Nobody'.*leastRole"):
        session.create_key("splunk", KEY, "VIEWER", mark())
    with pytest.raises(NotFound, match="NO_SUCH"):
        connect(cortex).create_key("splunk", KEY, "NO_SUCH", mark())
    assert cortex.requests[GENERATE] == 0
    lesser = connect(cortex, leastRole=CLI_READ_ONLY)
    issued = lesser.create_key("splunk", KEY, "VIEWER", mark())
    assert next(key for key in cortex.keys() if key["id"] == int(issued.vendor_id))["roles"] == [CLI_READ_ONLY]  # noqa: SIM118


def test_a_tenant_without_scopes(make_cortex: Callable[..., Cortex], connect: Callable[..., Session]) -> None:
    """No scope at all restricts nothing: keys without one are as wished, others are refused by the vendor."""
    cortex = make_cortex(has_scopes=False)
    session, ours = connect(cortex), mark()
    issued = issue(session, "RESPONDER", ours, scope=EVERYTHING)
    found = session.find_key("splunk", ours)
    assert found is not None
    assert found.fields["scope"] == EVERYTHING
    with pytest.raises(NotFound):
        session.update_key(issued.vendor_id, {"scope": SCOPE}, None, ours)


def test_dataset_rows(make_cortex: Callable[..., Cortex], connect: Callable[..., Session]) -> None:
    """Sent where the tenant has them or the manifest asks for them; where it has not, the refusal says so."""
    rows = scopes.canonical({"datasets": {"defaultMode": "no_scope", "filters": [{"dataset": "a", "filter": "x"}]}})
    cortex = make_cortex(dataset_scoping=True)
    session, ours = connect(cortex), mark()
    issued = issue(session, "VIEWER", ours, scope=rows)
    found = session.find_key("splunk", ours)
    assert found is not None
    assert found.fields["scope"] == rows
    session.update_key(issued.vendor_id, {"scope": EVERYTHING}, None, ours)
    found = session.find_key("splunk", ours)
    assert found is not None
    assert found.fields["scope"] == EVERYTHING
    without = make_cortex()
    session = connect(without)
    issued = session.create_key("splunk", KEY, "VIEWER", ours)
    with pytest.raises(Rejected, match="Dataset scoping is not enabled"):
        session.finish_key(issued.vendor_id, {**KEY, "scope": rows}, "VIEWER", ours)
