from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import InvalidInput
from reconciler.model.secret import Secret
from reconciler.providers.lacework import PROVIDER

FILE = {"keyId": "ACME_0123", "secret": "_canary", "account": "acme.lacework.net", "subAccount": "dev"}


@pytest.mark.parametrize("left_out", [(), ("account",), ("subAccount",), ("account", "subAccount")])
def test_what_the_console_gives_out(left_out: tuple[str, ...]) -> None:
    """Two members are always there; what else the file has is passed over, and so is a byte order mark."""
    file = {name: value for name, value in FILE.items() if name not in left_out}
    for content in (json.dumps({**file, "created": 7}).encode(), b"\xef\xbb\xbf" + json.dumps(file, indent=2).encode()):
        found = PROVIDER.key_file(content)
        assert found == {**file, "secret": Secret("_canary")}
        assert "canary" not in repr(found)


def test_empty_members_are_none() -> None:
    """The vendor's command line writes them empty where there are none."""
    assert set(PROVIDER.key_file(json.dumps({**FILE, "account": "", "subAccount": None}).encode())) == {
        "keyId",
        "secret",
    }


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"canary",
        b"\xff\xfecanary",
        b'["canary"]',
        b'{"keyId": "canary"}',
        b'{"secret": "canary"}',
        b'{"keyId": "canary", "secret": ""}',
        b'{"keyId": 7, "secret": "canary"}',
        b'{"keyId": "canary", "secret": ["canary"]}',
        b'{"keyId": "canary", "keyId": "canary", "secret": "canary"}',
        b'{"keyId": "canary", "secret": "canary", "account": ["canary"]}',
        b"apiId:canary\npassword:canary\n",
        b"[" * 5000 + b"canary",
        json.dumps({**FILE, "more": "canary" * 20_000}).encode(),
    ],
)
def test_promise_1_another_file_is_refused_and_not_quoted(content: bytes) -> None:
    """Whatever a person hands in may hold a secret."""
    with pytest.raises(InvalidInput, match="no key file of Lacework") as caught:
        PROVIDER.key_file(content)
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*FILE, "x"]), inner),
    max_leaves=8,
)


@given(st.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_a_key_file_or_refused(content: bytes) -> None:
    """Nothing else ever comes out, and a secret is always a `Secret`."""
    try:
        found = PROVIDER.key_file(content)
    except InvalidInput:
        return
    assert isinstance(found["secret"], Secret)
    assert all(isinstance(value, str) and value for name, value in found.items() if name != "secret")
