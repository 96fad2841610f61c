from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.emulator.base import Settings
from reconciler.emulator.faults import FaultName, Faults, parse
from reconciler.emulator.server import serve
from reconciler.providers.trend_workload_security.emulator import WorkloadSecurity
from tests.support.emulators import Trend

KEY = {"keyName": "splunk", "roleID": 1, "active": True}


def names(trend: Trend) -> list[str]:
    return [key["keyName"] for key in trend.keys()]  # noqa: SIM118  no dict


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("unavailable", 503),
        ("unauthorized", 401),
        ("forbidden", 403),
        ("rate-limited", 429),
        ("error-before", 500),
        ("html", 200),
        ("html-error", 502),
    ],
)
def test_faults_that_answer_without_acting(trend: Trend, fault: str, status: int):
    """The status is the fault's, nothing was created, and the next call goes well."""
    injected = trend.faults.inject(fault, method="POST", path="/apikeys")
    answer = trend.call("POST", "/apikeys", KEY)
    assert answer.status == status
    assert ("text/html" in answer.headers["Content-Type"]) == fault.startswith("html")
    assert "Retry-After" not in answer.headers
    assert names(trend) == ["bootstrap"]
    assert (injected.seen, injected.hits) == (1, 1)
    assert trend.call("POST", "/apikeys", KEY).status == 200


def test_rate_limited_can_say_when(trend: Trend):
    """`Retry-After` is there when asked for."""
    trend.faults.inject("rate-limited", retry_after=7)
    assert trend.call("GET", "/apikeys").headers["Retry-After"] == "7"


def test_error_after_acted(trend: Trend):
    """A 500 does not mean that nothing happened."""
    trend.faults.inject("error-after", method="POST")
    assert trend.call("POST", "/apikeys", KEY).status == 500
    assert names(trend) == ["bootstrap", "splunk"]


@pytest.mark.parametrize(("fault", "acted"), [("reset-before", False), ("reset-after", True)])
@pytest.mark.parametrize("tls", [False, True])
def test_a_reset_ends_the_connection_without_an_answer(fault: str, acted: bool, tls: bool):
    """The client sees a broken connection, over plain TCP and over TLS; whether it acted is the fault's name."""
    emulator = WorkloadSecurity()
    headers = {"api-version": "v1", "api-secret-key": emulator.credentials["secretKey"]}
    with serve(emulator, tls=tls) as server, requests.Session() as session:
        how = {"headers": headers, "timeout": 20, "verify": server.ca_cert or True}
        emulator.faults.inject(fault, method="POST")
        with pytest.raises(requests.exceptions.ConnectionError):
            session.post(f"{server.endpoint}/apikeys", json=KEY, **how)
        assert session.get(f"{server.endpoint}/apikeys", **how).status_code == 200
    assert (len(emulator.keys()) == 2) is acted


def test_hang_after_acts_and_lets_the_client_time_out(trend: Trend):
    """The client's own time-out ends the call; the object exists."""
    trend.faults.inject("hang-after", method="POST")
    headers = {"api-version": "v1", "api-secret-key": trend.credentials["secretKey"]}
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.post(f"{trend.endpoint}/apikeys", json=KEY, headers=headers, timeout=0.2)
    assert names(trend) == ["bootstrap", "splunk"]


def test_hang_after_is_bounded(trend: Trend):
    """When its time is up, the connection is reset."""
    trend.faults.inject("hang-after", seconds=0.05)
    with pytest.raises(requests.exceptions.ConnectionError):
        trend.call("GET", "/apikeys")


def test_a_stopping_server_lets_go_of_what_hangs():
    """Nobody waits for a hanging request when the server ends."""
    emulator = WorkloadSecurity()
    fault = emulator.faults.inject("hang-after", times=None)
    errors: list[BaseException] = []
    with serve(emulator) as server:

        def call() -> None:
            try:
                requests.get(server.endpoint, timeout=30)
            except requests.exceptions.ConnectionError as error:
                errors.append(error)

        client = threading.Thread(target=call)
        client.start()
        assert fault.wait_until_hit(20)
        before = time.monotonic()
    assert time.monotonic() - before < 1.5
    client.join(timeout=10)
    assert len(errors) == 1


def test_truncated_looks_whole_and_is_half(trend: Trend):
    """A complete HTTP answer with half a JSON document; the key exists."""
    trend.faults.inject("truncated", method="POST")
    answer = trend.call("POST", "/apikeys", KEY)
    assert answer.status == 200
    assert answer.text.startswith('{"description"')
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        _ = answer.json
    assert names(trend) == ["bootstrap", "splunk"]


def test_cut_off_ends_in_the_middle_of_the_body(trend: Trend):
    """Fewer bytes come than were announced; the key exists."""
    trend.faults.inject("cut-off", method="POST")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        trend.call("POST", "/apikeys", KEY)
    assert names(trend) == ["bootstrap", "splunk"]


def test_a_late_creation_happens_after_further_requests(trend: Trend):
    """504 at once; the key appears only after so many more requests, whatever they are."""
    trend.faults.inject("late-create", requests=2)
    assert trend.call("GET", "/apikeys").status == 200
    assert trend.call("POST", "/apikeys", KEY).status == 504
    seen = [len(trend.call("GET", "/apikeys").json["apiKeys"]) for _ in range(4)]
    assert seen == [1, 1, 2, 2]


@pytest.mark.parametrize(("path", "body"), [("/apikeys", KEY), ("/roles", {"name": "siem"})])
@pytest.mark.parametrize("search", [False, True])
def test_a_created_object_can_be_missing_from_the_next_list(trend: Trend, path: str, body: dict, search: bool):
    """The first list or search leaves it out, the second shows it."""
    trend.faults.inject("hidden-in-list")
    created = trend.call("POST", path, body).json["ID"]

    def listed() -> bool:
        answer = trend.call("POST", f"{path}/search", {}) if search else trend.call("GET", path)
        (found,) = answer.json.values()
        return created in [item["ID"] for item in found]

    assert [listed(), listed()] == [False, True]


def test_a_refused_creation_hides_nothing(trend: Trend):
    """The fault meets an answer that tells of no object."""
    trend.faults.inject("hidden-in-list")
    assert trend.call("POST", "/apikeys", {}).status == 400
    assert len(trend.call("GET", "/apikeys").json["apiKeys"]) == 1


def test_a_fault_waits_for_its_turn(trend: Trend):
    """The n-th matching request, as many times as asked, and none that does not match."""
    fault = trend.faults.inject("unavailable", method="GET", path="/apikeys/{apiKeyID}", nth=2, times=2)
    assert trend.call("GET", "/apikeys").status == 200
    assert [trend.call("GET", "/apikeys/1").status for _ in range(5)] == [200, 503, 503, 200, 200]
    assert (fault.seen, fault.hits) == (5, 2)
    trend.faults.inject("forbidden", path="/api/role*", times=None)
    assert [trend.call("GET", path).status for path in ("/roles", "/roles/1", "/apikeys")] == [403, 403, 200]
    trend.faults.clear()
    assert trend.call("GET", "/roles").status == 200


def test_requests_that_a_fault_hit_are_counted(trend: Trend):
    """The counters say what clients sent, not what was done."""
    trend.faults.inject("reset-before", times=2)
    for _ in range(2):
        with pytest.raises(requests.exceptions.ConnectionError):
            trend.call("POST", "/apikeys/1/secretkey")
    trend.call("GET", "/nothing")
    trend.call("PATCH", "/apikeys/1")
    assert trend.requests == {
        "POST /apikeys/{apiKeyID}/secretkey": 2,
        "GET /api/nothing": 1,
        "PATCH /apikeys/{apiKeyID}": 1,
    }


@settings(deadline=None)
@given(seed=st.integers(), rate=st.floats(0, 1))
def test_a_seed_makes_chance_repeatable(seed: int, rate: float):
    """The same seed hits the same requests."""

    def run() -> list[bool]:
        faults = Faults(seed)
        faults.inject("unavailable", rate=rate, times=None)
        return [faults.choose("GET", "/a", "/a", creates=False) is not None for _ in range(50)]

    assert run() == run()


@pytest.mark.parametrize("name", list(FaultName))
def test_a_bare_name_hits_every_request(name: FaultName):
    """As on the command line."""
    fault = parse(name)
    assert (fault.name, fault.times, fault.rate, fault.nth) == (name, None, 1.0, 1)


def test_settings_of_a_fault_are_read():
    """Everything that can be said about a fault can be said in a text."""
    fault = parse("late-create,method=post,path=/roles,nth=2,times=3,rate=0.5,requests=7,seconds=1.5,retry-after=9")
    assert (fault.method, fault.path, fault.nth, fault.times) == ("POST", "/roles", 2, 3)
    assert (fault.rate, fault.requests, fault.seconds, fault.retry_after) == (0.5, 7, 1.5, 9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("reset-aftre", "unknown fault 'reset-aftre': did you mean 'reset-after'?"),
        ("x", "unknown fault 'x': there are unavailable, html, "),
        ("html,tims=2", "unknown fault 'html': setting 'tims': did you mean 'times'?"),
        ("html,times=two", "fault 'html': times wants a number, not 'two'"),
    ],
)
def test_a_wrong_fault_gets_an_explanation(text: str, message: str):
    """What is wrong, and what would be right."""
    with pytest.raises(ValueError) as error:  # noqa: PT011  the text is compared
        parse(text)
    assert str(error.value).startswith(message)


def test_a_seed_makes_secrets_repeatable_and_tenants_differ(mount: Callable):
    """Same seed, same secrets; another tenant of the same seed has others; no seed, no repetition."""
    first, again, other = (WorkloadSecurity(Settings(seed=5, tenant=tenant)) for tenant in (1, 1, 2))
    assert first.issued == again.issued
    assert first.issued != other.issued
    assert WorkloadSecurity().issued != WorkloadSecurity().issued
