"""The vendor's own SDK, unmodified, against the emulator: every operation on keys and roles, over http and https."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

with warnings.catch_warnings():
    # The SDK was generated for Python 2 and 3: its regular expressions are no raw strings.
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    warnings.filterwarnings("ignore", category=SyntaxWarning)
    import deepsecurity
    from deepsecurity.rest import ApiException

from reconciler.emulator.base import Settings
from reconciler.emulator.clock import ManualClock
from reconciler.emulator.server import Server
from reconciler.providers.trend_workload_security.emulator import Options, WorkloadSecurity
from reconciler.providers.trend_workload_security.rights import FLAGS, LISTS, RIGHTS

V = "v1"


@pytest.fixture(scope="module", params=["http", "https"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with Server(tls=request.param == "https") as server:
        yield server


@pytest.fixture
def sdk(server: Server) -> Iterator[Callable[..., SimpleNamespace]]:
    """Makes SDK clients of one fresh emulator; each client signs in with the secret it is given."""
    emulator = WorkloadSecurity(Settings(clock=ManualClock()), Options())
    endpoint = server.mount(emulator)

    def client(secret: str = emulator.credentials["secretKey"]) -> SimpleNamespace:
        configuration = deepsecurity.Configuration()
        configuration.host = endpoint
        configuration.api_key = {"api-secret-key": secret}  # a new dict: the SDK shares the default one
        configuration.verify_ssl = True
        configuration.ssl_ca_cert = server.ca_cert
        api_client = deepsecurity.ApiClient(configuration)
        clients.append(api_client)
        return SimpleNamespace(
            keys=deepsecurity.APIKeysApi(api_client),
            roles=deepsecurity.AdministratorRolesApi(api_client),
            tenants=deepsecurity.TenantsApi(api_client),
            emulator=emulator,
        )

    clients: list[Any] = []
    yield client
    for api_client in clients:
        api_client.rest_client.pool_manager.clear()


@pytest.fixture
def api(sdk: Callable[..., SimpleNamespace]) -> SimpleNamespace:
    return sdk()


def key(name: str = "siem", **more: Any) -> Any:
    return deepsecurity.ApiKey(key_name=name, role_id=more.pop("role_id", 1), active=more.pop("active", True), **more)


def refusal(error: ApiException) -> tuple[int, str]:
    return error.status, json.loads(error.body)["message"]


def test_create_describe_and_list_a_key(api: SimpleNamespace):
    """What was sent comes back, the secret only once."""
    sent = {"description": "Reads", "locale": "ja-JP", "time_zone": "Asia/Tokyo", "expiry_date": 1_900_000_000_000}
    created = api.keys.create_api_key(key(**sent), V)
    assert created.secret_key.startswith(f"{created.id}:")
    assert created.secret_key in api.emulator.issued
    described = api.keys.describe_api_key(created.id, V)
    assert described.secret_key is None
    assert {**created.to_dict(), "secret_key": None} == described.to_dict()
    assert {name: getattr(described, name) for name in sent} == sent
    assert (described.created, described.last_sign_in, described.unsuccessful_sign_in_attempts) == (
        api.emulator.clock.now_ms(),
        None,
        0,
    )
    listed = api.keys.list_api_keys(V).api_keys
    assert {one.key_name: one.secret_key for one in listed} == {"bootstrap": None, "siem": None}


def test_modify_a_key_in_part(api: SimpleNamespace):
    """What the SDK does not send stays as it is."""
    created = api.keys.create_api_key(key(description="old"), V)
    changed = api.keys.modify_api_key(created.id, deepsecurity.ApiKey(description="new", active=False), V)
    assert (changed.key_name, changed.description, changed.active, changed.secret_key) == ("siem", "new", False, None)


def test_modify_a_key_with_the_whole_object(api: SimpleNamespace):
    """An object that was read can be sent back: what only the server sets is ignored."""
    created = api.keys.create_api_key(key(), V)
    described = api.keys.describe_api_key(created.id, V)
    described.key_name, described.created = "renamed", 1
    changed = api.keys.modify_api_key(created.id, described, V)
    assert (changed.id, changed.key_name, changed.created) == (created.id, "renamed", created.created)


def test_delete_a_key(api: SimpleNamespace):
    """It is gone, and deleting it again is a 404."""
    created = api.keys.create_api_key(key(), V)
    assert api.keys.delete_api_key(created.id, V) is None
    for call in (api.keys.describe_api_key, api.keys.delete_api_key):
        with pytest.raises(ApiException) as error:
            call(created.id, V)
        assert refusal(error.value) == (404, "The API key does not exist.")


def test_replace_a_secret(sdk: Callable[..., SimpleNamespace], api: SimpleNamespace):
    """Same key, another secret; the old one is dead at once."""
    created = api.keys.create_api_key(key(), V)
    replaced = api.keys.replace_api_secret_key(created.id, V)
    assert replaced.id == created.id
    assert sdk(replaced.secret_key).keys.describe_current_api_key(V).key_name == "siem"
    with pytest.raises(ApiException) as error:
        sdk(created.secret_key).keys.describe_current_api_key(V)
    assert error.value.status == 401


def test_search_keys_page_by_page(api: SimpleNamespace):
    """The vendor's paging pattern finds every key exactly once, in the order of IDs."""
    wanted = [api.keys.create_api_key(key(f"key-{n}"), V).id for n in range(7)]
    found: list[int] = []
    pages = 0
    while True:
        after = deepsecurity.SearchCriteria(id_value=found[-1] if found else 1, id_test="greater-than")
        page = api.keys.search_api_keys(
            V, search_filter=deepsecurity.SearchFilter(max_items=3, search_criteria=[after], sort_by_object_id=True)
        ).api_keys
        found += [one.id for one in page]
        pages += 1
        if len(page) < 3:
            break
    assert (found, pages) == (wanted, 3)


def test_search_keys_without_a_filter(api: SimpleNamespace):
    """An absent filter and an empty one find everything."""
    assert len(api.keys.search_api_keys(V).api_keys) == 1
    assert len(api.keys.search_api_keys(V, search_filter=deepsecurity.SearchFilter()).api_keys) == 1


def test_the_current_key(sdk: Callable[..., SimpleNamespace], api: SimpleNamespace):
    """A key reads itself (with three more properties), changes itself and gives itself a new secret."""
    created = api.keys.create_api_key(key(), V)
    own = sdk(created.secret_key)
    current = own.keys.describe_current_api_key(V)
    assert (current.id, current.tenant_id, current.role_id) == (created.id, 0, 1)
    assert current.tenant_guid in current.role_urn
    changed = own.keys.modify_current_api_key(deepsecurity.ApiKey(description="mine"), V)
    assert (changed.description, changed.tenant_guid) == ("mine", current.tenant_guid)
    renewed = own.keys.replace_current_api_secret_key(V)
    assert sdk(renewed.secret_key).keys.describe_current_api_key(V).id == created.id
    with pytest.raises(ApiException) as error:
        own.keys.describe_current_api_key(V)
    assert error.value.status == 401


def test_a_key_for_another_tenant(sdk: Callable[..., SimpleNamespace], api: SimpleNamespace):
    """The primary tenant makes a key that lives, and works, in the other tenant."""
    tenant = api.emulator.add_tenant()
    created = api.tenants.generate_tenant_api_secret_key(tenant.id, key("service"), V)
    assert created.service_account is True
    own = sdk(created.secret_key)
    assert own.keys.describe_current_api_key(V).tenant_id == tenant.id
    assert [one.key_name for one in own.keys.list_api_keys(V).api_keys] == ["service"]
    assert [one.key_name for one in api.keys.list_api_keys(V).api_keys] == ["bootstrap"]
    with pytest.raises(ApiException) as error:
        api.tenants.generate_tenant_api_secret_key(99, key(), V)
    assert refusal(error.value) == (404, "The tenant does not exist.")


def rights(**leaves: bool) -> Any:
    return deepsecurity.Rights(
        platform_rights=deepsecurity.PlatformRights(apikey_rights=deepsecurity.ApiKeyRights(**leaves))
    )


def test_roles(api: SimpleNamespace):
    """Create, describe, modify in part, list, search, delete."""
    sent = deepsecurity.Role(
        name="siem-read",
        description="Reads keys",
        all_computers=True,
        allow_web_service=True,
        policy_ids=[3, 1],
        rights=rights(can_view_api_keys=True),
    )
    created = api.roles.create_administrator_role(sent, V)
    assert (created.name, created.all_computers, created.all_policies) == ("siem-read", True, False)
    assert (created.immutable, created.policy_ids, created.computer_ids) == (False, [1, 3], [])
    described = api.roles.describe_administrator_role(created.id, V)
    assert described == created
    granted = described.rights.platform_rights.apikey_rights
    assert (granted.can_view_api_keys, granted.can_delete_api_keys) == (True, False)
    change = deepsecurity.Role(description="", rights=rights(can_delete_api_keys=True))
    modified = api.roles.modify_administrator_role(created.id, change, V)
    granted = modified.rights.platform_rights.apikey_rights
    assert (granted.can_view_api_keys, granted.can_delete_api_keys) == (True, True)
    assert {role.name for role in api.roles.list_administrator_roles(V).roles} == {
        "Full Access",
        "Auditor",
        "siem-read",
    }
    by_name = deepsecurity.SearchCriteria(field_name="name", string_value="siem%")
    found = api.roles.search_administrator_roles(
        V, search_filter=deepsecurity.SearchFilter(search_criteria=[by_name])
    ).roles
    assert [role.id for role in found] == [created.id]
    assert api.roles.delete_administrator_role(created.id, V) is None
    with pytest.raises(ApiException) as error:
        api.roles.describe_administrator_role(created.id, V)
    assert refusal(error.value) == (404, "The administrator role does not exist.")


def test_errors_reach_the_sdk(sdk: Callable[..., SimpleNamespace], api: SimpleNamespace):
    """Status and message of 400, 401, 403 and 429."""
    auditor = sdk(api.keys.create_api_key(key("auditor", role_id=2), V).secret_key)
    cases: list[tuple[Callable[[], Any], int, str]] = [
        (lambda: api.keys.create_api_key(key(role_id=77), V), 400, "Invalid role: 77"),
        (lambda: api.keys.list_api_keys("v2"), 400, "The api-version header is missing or not supported."),
        (lambda: auditor.keys.create_api_key(key(), V), 403, "Not authorized to create API keys."),
        (lambda: auditor.keys.replace_api_secret_key(1, V), 403, "Not authorized to generate API secret keys."),
        (lambda: auditor.roles.delete_administrator_role(2, V), 403, "Not authorized to delete administrator roles."),
    ]
    for call, status, message in cases:
        with pytest.raises(ApiException) as error:
            call()
        assert refusal(error.value) == (status, message)
    with pytest.raises(ApiException) as error:
        sdk("1:wrong").keys.list_api_keys(V)
    assert error.value.status == 401
    api.emulator.faults.inject("rate-limited")
    with pytest.raises(ApiException) as error:
        api.keys.list_api_keys(V)
    assert refusal(error.value) == (429, "Too many API requests.")


def _tree(model: Any) -> Any:
    """An SDK model's JSON names, down to its booleans."""
    return {
        model.attribute_map[attribute]: True if kind == "bool" else _tree(getattr(deepsecurity.models, kind))
        for attribute, kind in model.swagger_types.items()
    }


def test_the_rights_are_those_of_the_sdk():
    """Our tree of rights and the SDK's models name the same groups, objects and leaves."""
    ours = {
        group: {area: dict.fromkeys(leaves, True) for area, leaves in areas.items()} for group, areas in RIGHTS.items()
    }
    assert ours == _tree(deepsecurity.Rights)


def test_answers_have_the_properties_of_the_sdk(api: SimpleNamespace):
    """No property that the SDK's models do not know, and none missing from roles."""
    keys, roles = deepsecurity.ApiKey.attribute_map.values(), deepsecurity.Role.attribute_map.values()
    assert all(shown.keys() <= set(keys) for shown in api.emulator.keys())  # noqa: SIM118  no dict
    assert all(shown.keys() == set(roles) for shown in api.emulator.roles())
    assert {*FLAGS, *LISTS} == set(roles) - {"ID", "urn", "immutable", "name", "description", "rights"}
