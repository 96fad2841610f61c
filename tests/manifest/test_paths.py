"""Vault paths: which are refused, how templates are filled, and what is reserved."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from reconciler.manifest.paths import Path, Reserved, Template, fill
from reconciler.model.desired import VaultPath
from reconciler.model.names import NAME_PATTERN

PATH: TypeAdapter[str] = TypeAdapter(Path)
TEMPLATE: TypeAdapter[str] = TypeAdapter(Template)


def message(adapter: TypeAdapter[str], value: str) -> str:
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python(value)
    [error] = caught.value.errors()
    return f"{error['ctx']['what']} ({error['ctx']['hint']})"


@pytest.mark.parametrize("path", ["a", "a/b", "a-b/c_d/e.f", "a..b/...", "A1"])
def test_good_paths(path: str) -> None:
    """Letters, digits, '-', '_' and '.', in segments."""
    assert PATH.validate_python(path) == path


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("../b", "climbs out"),
        ("a/../b", "climbs out"),
        ("a/./b", "climbs out"),
        ("a/..", "climbs out"),
        ("/a", "begins or ends with '/' (did you mean 'a'?)"),
        ("a/", "begins or ends with '/'"),
        ("/", "begins or ends with '/'"),
        ("a//b", "has an empty segment"),
        ("", "has an empty segment"),
        ("a%2Fb", "holds '%'"),
        ("a b", "holds ' '"),
        ("a\nb", r"holds '\n'"),
        ("a\n", r"holds '\n'"),
        ("ä", "holds 'ä'"),
        ("a?b", "holds '?'"),
        ("a{key}", "holds '{'"),
        ("a\\b", r"holds '\\'"),
    ],
)
def test_bad_paths(path: str, why: str) -> None:
    """Whatever could climb, split or be normalised is refused."""
    assert why in message(PATH, path)


@pytest.mark.parametrize("path", ["security-keys/{tenant}/{key}", "{key}", "a-{tenant}.{key}/x"])
def test_good_templates(path: str) -> None:
    """Templates hold {key}, and {tenant} if they like."""
    assert TEMPLATE.validate_python(path) == path


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("a/{tenant}", "without {key}"),
        ("a/{name}/{key}", "unknown placeholder {name} (known are {tenant} and {key})"),
        ("a/{}/{key}", "unknown placeholder {}"),
        ("a/{key", "holds '{'"),
        ("../{key}", "climbs out"),
        ("a/../{key}", "climbs out"),
        ("/{key}", "begins or ends with '/'"),
        ("a//{key}", "empty segment"),
        ("{{key}}", "holds '{'"),
    ],
)
def test_bad_templates(path: str, why: str) -> None:
    """A template that climbs out, shares one entry, or holds an unknown placeholder is refused."""
    assert why in message(TEMPLATE, path)


@given(
    st.text("ab.%/{}keytnan-\n", max_size=30),
    st.from_regex(NAME_PATTERN[:-1] + r"\Z"),
    st.from_regex(NAME_PATTERN[:-1] + r"\Z"),
)
def test_filling_keeps_paths_safe(template: str, tenant: str, key: str) -> None:
    """A template that is accepted gives accepted paths, whatever the names are."""
    try:
        accepted = TEMPLATE.validate_python(template)
    except ValidationError:
        return
    filled = fill(VaultPath("secret", accepted), tenant, key)
    assert PATH.validate_python(filled.path) == filled.path


def test_reserved() -> None:
    """What lies at or under a reserved entry is found, what merely begins alike is not."""
    reserved = Reserved([(VaultPath("secret", "a/b"), "B"), (VaultPath("kv", "c"), "C")])

    assert reserved.above("secret/a/b") == "B"
    assert reserved.above("secret/a/b/c/d") == "B"
    assert reserved.above("secret/a/b/c/e") == "B"
    assert reserved.above("secret/a/bc") is None
    assert reserved.above("secret/a") is None
    assert reserved.above("secret/c") is None
    assert reserved.above("kv/c/x") == "C"
