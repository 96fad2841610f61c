"""What each product tells of the credential that we call with, against its emulator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler.errors import AuthenticationFailed, RetryLater
from reconciler.model.credential import Credential
from reconciler.model.secret import Secret
from reconciler.providers import registry
from reconciler.providers.base import ConnectionSettings, Evidence, Heard, Session
from reconciler.providers.carbon_black_cloud.emulator.organisation import SUPER_ADMIN
from reconciler.providers.lacework.emulator import ADMIN, READ_ONLY_USER
from reconciler.providers.trend_workload_security.emulator.rights import VIEW

ENDS = datetime(2031, 6, 30, tzinfo=UTC)


@pytest.fixture
def connect() -> Iterator[Callable[..., Session]]:
    """A planning session to an emulator, with its bootstrap credential unless another one is given."""
    opened: list[Session] = []

    def connect(emulator: Any, credential: dict[str, str] | None = None, **settings: Any) -> Session:
        fields = {name: Secret(value) for name, value in (credential or dict(emulator.credentials)).items()}
        how = ConnectionSettings(
            write=False, timeout=5.0, options=emulator.tenant_options, sleep=lambda seconds: None, **settings
        )
        session = registry.get(emulator.name).connect(emulator.endpoint, Credential(fields, emulator.endpoint), how)
        opened.append(session)
        return session

    yield connect
    for session in opened:
        session.close()


def test_workload_security_tells_the_end_and_every_right(trend: Any, connect: Callable[..., Session]) -> None:
    """The key in use names its end and its role, and the list of roles says what the role grants."""
    trend.add_role("Planner", VIEW)
    secret = trend.add_key("planner", "Planner", expiryDate=int(ENDS.timestamp() * 1000))
    found = connect(trend, {"secretKey": secret}).own_credential()
    assert (found.key_id, found.expires, found.roles) == (secret.partition(":")[0], ENDS, ("Planner",))
    assert found.permissions == VIEW
    assert found.evidence is Evidence.DOCUMENTED


def test_workload_security_without_the_right_to_see_roles(trend: Any, connect: Callable[..., Session]) -> None:
    """A key that may not see roles is told so, and its end all the same."""
    trend.add_role("Keys only", frozenset({"platformRights.apikeyRights.canViewApiKeys"}))
    found = connect(trend, {"secretKey": trend.add_key("keys", "Keys only")}).own_credential()
    assert (found.permissions, found.tells_expiry) == (None, True)
    assert "canViewAdministratorRoles" in found.remark


def test_workload_security_with_an_accounts_key(trend: Any, connect: Callable[..., Session]) -> None:
    """An account's key is tried, and nothing is told of it."""
    found = connect(trend, {"apiKey": trend.add_account_key()}).own_credential()
    assert (found.key_id, found.tells_expiry, found.permissions) == (None, False, None)
    assert "account's key" in found.remark
    with pytest.raises(AuthenticationFailed):
        connect(trend, {"apiKey": "1:wrong"}).own_credential()


def test_cloud_one_tells_the_role_and_addresses(make_cloud_one: Any, connect: Callable[..., Session]) -> None:
    """The key's role by its id, the addresses that it may come from, and that it has no end."""
    account = make_cloud_one()
    found = connect(account).own_credential()
    assert (found.roles, found.tells_expiry, found.expires) == (("full-access",), True, None)
    limited = account.add_key("limited", allowedIPs=["203.0.113.7"], allowedCIDRs=["127.0.0.0/8"])
    assert "203.0.113.7, 127.0.0.0/8" in connect(account, {"apiKey": limited}).own_credential().remark


def test_vision_one_tells_role_and_end_of_a_key_that_it_can_name(
    make_vision_one: Any, connect: Callable[..., Session]
) -> None:
    """With the key's id beside its token its role and end are told; without it, that it works and what to store."""
    tenant = make_vision_one()
    tenant.add_key("short", monthsToExpiration=3)
    [short] = [key for key in tenant.tenant.keys.values() if key.name == "short"]
    found = connect(tenant, {"token": short.value, "keyId": short.id}).own_credential()
    assert (found.key_id, found.roles) == (short.id, ("API Key Manager",))
    assert found.expires == datetime.fromtimestamp(short.expires / 1000, UTC)
    silent = connect(tenant, {"token": short.value}).own_credential()
    assert (silent.key_id, silent.tells_expiry) == (None, False)
    assert "store its keyId" in silent.remark
    with pytest.raises(AuthenticationFailed):
        connect(tenant, {"token": "wrong"}).own_credential()


def test_cortex_tells_roles_and_end(cortex: Any, connect: Callable[..., Session]) -> None:
    """The list entry of the key in use has its roles, its end, and whether it is an advanced one."""
    ends = cortex.clock.now() + timedelta(days=30)
    number = cortex.add_key(
        "planner", "Instance Administrator", security_level="standard", expiration=int(ends.timestamp() * 1000)
    )
    credential = {"keyId": str(number), "key": cortex.secret_of(number), "securityLevel": "standard"}
    found = connect(cortex, credential).own_credential()
    assert (found.key_id, found.roles, found.expires) == (str(number), ("Instance Administrator",), ends)
    assert "standard key" in found.remark
    assert cortex.requests["POST /public_api/v1/api_keys/get_api_keys"] == 1


def test_carbon_black_tells_the_grant(carbonblack: Any, connect: Callable[..., Session]) -> None:
    """What the key's own grant gives it, by name."""
    found = connect(carbonblack).own_credential()
    assert found.roles == (carbonblack.levels()[SUPER_ADMIN].name,)
    assert (found.tells_expiry, found.expires) == (True, None)


def test_lacework_tells_the_groups_of_administrators(make_lacework: Any, connect: Callable[..., Session]) -> None:
    """An administrator's key tells its groups; others get an error for the same question, and that is no failure."""
    lacework = make_lacework()
    assert connect(lacework).own_credential().roles == (ADMIN,)
    reader = lacework.add_service_user("reader", groups=[READ_ONLY_USER])
    file = lacework.console_create_key(reader, "plan", "")
    session = connect(lacework, {"keyId": file["keyId"], "secret": file["secret"]})
    found = session.own_credential()
    assert (found.key_id, found.roles) == (file["keyId"], ())
    assert "administrators" in found.remark


def test_lacework_that_does_not_answer_is_an_error(make_lacework: Any, connect: Callable[..., Session]) -> None:
    """Silence is no "not told"."""
    lacework = make_lacework()
    lacework.faults.inject("unavailable", times=None)
    with pytest.raises(RetryLater):
        connect(lacework).own_credential()


def test_what_is_left_of_a_limit_is_heard(make_lacework: Any, connect: Callable[..., Session]) -> None:
    """Lacework's headers say how many calls there are, how many are left, and when the window opens again."""
    heard: list[Heard] = []
    lacework = make_lacework(calls=480)
    connect(lacework, on_answer=heard.append).own_credential()
    assert {(one.limit, one.remaining) for one in heard} == {(480, 479)}
    assert all(one.reset == 3600 and one.date == lacework.clock.now() for one in heard)
