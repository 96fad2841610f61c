from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from reconciler.providers.carbon_black_cloud import endpoint_map
from reconciler.providers.carbon_black_cloud.capabilities import CAPABILITIES
from reconciler.providers.carbon_black_cloud.emulator import ENDPOINT_MAP


def changed(operation: str, **parts: Any) -> dict[str, Any]:
    """The emulator's map with one operation changed; None takes a part away."""
    spec = copy.deepcopy(ENDPOINT_MAP)
    for part, value in parts.items():
        spec["operations"][operation].pop(part, None)
        if value is not None:
            spec["operations"][operation][part] = value
    return spec


def test_the_emulators_map_is_sound() -> None:
    """It passes the check and the schema, and says itself that its paths are nobody's but the emulator's."""
    assert list(endpoint_map.check(ENDPOINT_MAP)) == []
    Draft202012Validator.check_schema(endpoint_map.schema())
    assert Draft202012Validator(endpoint_map.schema()).is_valid(ENDPOINT_MAP)
    assert all("emulator-defined" in one["path"] for one in ENDPOINT_MAP["operations"].values())


@pytest.mark.parametrize(
    ("spec", "path", "what"),
    [
        ({}, ("operations",), "no mapping"),
        ({"operations": {}}, ("operations",), "no mapping"),
        ({**ENDPOINT_MAP, "host": "x"}, ("host",), "unknown field 'host'"),
        ({"operations": {"makeKey": {}}}, ("operations", "makeKey"), "unknown operation"),
        ({"operations": {"listLevels": {}}}, ("operations", "listLevels"), "unknown operation"),
        ({"operations": {"createKey": "POST"}}, ("operations", "createKey"), "no mapping"),
        (changed("createKey", headers={}), ("operations", "createKey", "headers"), "unknown field"),
        (changed("createKey", method="GET"), ("operations", "createKey", "method"), "'GET' is no method"),
        (changed("createKey", method="post"), ("operations", "createKey", "method"), "'post' is no method"),
        (changed("createKey", method=None), ("operations", "createKey", "method"), "no method"),
        (changed("createKey", path=None), ("operations", "createKey", "path"), "no path"),
        (changed("createKey", path=3), ("operations", "createKey", "path"), "no path"),
        (changed("createKey", path="https://evil.example/x"), ("operations", "createKey", "path"), "names a host"),
        (changed("createKey", path="//evil.example/x"), ("operations", "createKey", "path"), "names a host"),
        (changed("createKey", path="x/y"), ("operations", "createKey", "path"), "names a host"),
        (changed("createKey", path="/a/../b"), ("operations", "createKey", "path"), "climbs"),
        (changed("createKey", path="/a/./b"), ("operations", "createKey", "path"), "climbs"),
        (changed("createKey", path="/a/%2e%2e/b"), ("operations", "createKey", "path"), "characters other"),
        (changed("createKey", path="/a?b=c"), ("operations", "createKey", "path"), "characters other"),
        (changed("createKey", path="/a#b"), ("operations", "createKey", "path"), "characters other"),
        (changed("createKey", path="/a//b"), ("operations", "createKey", "path"), "characters other"),
        (changed("createKey", path="/a/{b"), ("operations", "createKey", "path"), "characters other"),
        (changed("createKey", path="/a/@b"), ("operations", "createKey", "path"), "characters other"),
        (changed("createKey", path="/x/{id}"), ("operations", "createKey", "path"), "unknown placeholder {id}"),
        (changed("updateKey", path="/x/{name}"), ("operations", "updateKey", "path"), "unknown placeholder {name}"),
        (changed("deleteKey", path="/x"), ("operations", "deleteKey", "body"), "{id} is missing"),
        (changed("deleteKey", body={"x": ["{secret}"]}), ("operations", "deleteKey", "body"), "placeholder {secret}"),
        (
            changed("createKey", body={"name": "{name}", "d": "{description}"}),
            ("operations", "createKey", "body"),
            "{allowedIPs} or {allowedIPsText} is missing",
        ),
        (
            changed("createLevel", body={"name": "{name}", "permissions": "{permissions}"}),
            ("operations", "createLevel", "body"),
            "{description} is missing",
        ),
        (changed("createKey", reply={"id": "key.id"}), ("operations", "createKey", "reply"), "has the secret"),
        (changed("createKey", reply=None), ("operations", "createKey", "reply"), ""),
        (changed("createKey", reply="x"), ("operations", "createKey", "reply"), ""),
        (
            changed("createKey", reply={"id": "a b", "secret": "s"}),
            ("operations", "createKey", "reply", "id"),
            "no place in an answer",
        ),
        (changed("deleteKey", reply={"id": "x"}), ("operations", "deleteKey", "reply", "id"), "unknown field"),
        (
            changed("regenerateKey", reply={"secret": "s", "name": "n"}),
            ("operations", "regenerateKey", "reply", "name"),
            "unknown field",
        ),
    ],
)
def test_maps_that_are_refused(spec: dict[str, Any], path: tuple[str, ...], what: str) -> None:
    """A read's method, a host, a way up, and placeholders and fields that there are not: each with its place."""
    found = list(endpoint_map.check(spec))
    assert any(problem.path == path and what in problem.what for problem in found), found
    assert all(problem.hint for problem in found)


@pytest.mark.promise(6)
@pytest.mark.parametrize("request_line", [one.request for one in CAPABILITIES.operations if one.read])
def test_promise_6_a_map_cannot_disguise_a_write_as_a_read(request_line: str) -> None:
    """What the provider reads with cannot be a map's write, whatever stands for the organisation and in any case."""
    method, _, template = request_line.partition(" ")
    path = template.partition("?")[0]
    for filled in (path.replace("{org}", "{orgKey}"), path.replace("{org}", "ABCD").upper().replace("{ORGKEY}", "X")):
        used = (
            filled.replace("{apiId}", "A")
            .replace("{APIID}", "A")
            .replace("{principal}", "P")
            .replace("{PRINCIPAL}", "P")
        )
        spec = changed(
            "updateKey",
            method=method,
            path=used + "/",
            body={**ENDPOINT_MAP["operations"]["updateKey"]["body"], "i": "{id}"},
        )
        wanted = "is what the provider reads with" if method != "GET" else "no method of a write"
        assert wanted in " ".join(problem.what for problem in endpoint_map.check(spec))


def test_bodies_are_filled() -> None:
    """A text that is one placeholder becomes the value as it is; within a text it becomes text; all else stays."""
    body = {"a": "{list}", "b": "x {word} y {number}", "c": [{"d": "{word}"}, 1, None, True], "e": "{}"}
    [operation] = endpoint_map.parse(
        {"operations": {"updateKey": {"method": "PUT", "path": "/{id}", "body": body}}}
    ).values()
    assert operation.placeholders == {"id", "list", "word", "number", ""}
    values = {"list": ["p", "q"], "word": "w", "number": 3, "": "empty"}
    assert operation.fill(values) == {
        "a": ["p", "q"],
        "b": "x w y 3",
        "c": [{"d": "w"}, 1, None, True],
        "e": "empty",
    }


@given(st.lists(st.text("abc", min_size=1), min_size=1, max_size=4), st.text())
def test_what_is_taken_is_gone(names: list[str], value: str) -> None:
    """A secret is found at its place and is not in the answer afterwards."""
    answer: Any = value
    for name in reversed(names):
        answer = {name: answer, "other": 1}
    dotted = ".".join(names)
    assert endpoint_map.at(answer, dotted) == value
    assert endpoint_map.take(answer, dotted) == value
    assert endpoint_map.at(answer, dotted) is None
    assert endpoint_map.take(answer, dotted) is None
    assert endpoint_map.take({"a": 3}, "a.b") is None


def test_what_a_map_offers() -> None:
    """Known operations only, and nothing of what is no map."""
    assert endpoint_map.wants_number({"operations": {"deleteKey": {"body": [{"x": "a {orgId}"}]}}})
    assert not endpoint_map.wants_number(ENDPOINT_MAP)
    assert endpoint_map.offered(None) == frozenset()
    assert endpoint_map.offered({"operations": 3}) == frozenset()
    assert endpoint_map.offered({"operations": {"deleteKey": {}, "x": {}}}) == {"deleteKey"}
