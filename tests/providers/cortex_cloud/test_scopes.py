from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from reconciler.providers.cortex_cloud import scope_rules, scopes
from reconciler.providers.cortex_cloud.records import ScopeRecord

_WORD = st.text("abcdefg ", min_size=1, max_size=4).filter(lambda text: text.strip() == text)


def _section(names: str, values: st.SearchStrategy[Any], modes: tuple[str, ...], **more: Any) -> st.SearchStrategy[Any]:
    some = st.fixed_dictionaries(
        {"mode": st.just("scope"), names: st.lists(values, min_size=1, unique=True)}, optional=more
    )
    return some | st.fixed_dictionaries({"mode": st.sampled_from(modes)})


_ENDPOINTS = st.fixed_dictionaries(
    {},
    optional={
        "groups": _section("names", _WORD, ("no_scope", "see_all")),
        "tags": _section("names", _WORD, ("no_scope", "any")),
    },
).filter(bool)
_FILTERS = st.lists(
    st.fixed_dictionaries({"dataset": _WORD, "filter": _WORD}), max_size=3, unique_by=lambda one: one["dataset"]
)
_DATASETS = st.fixed_dictionaries(
    {}, optional={"defaultMode": st.sampled_from(["no_scope", "see_all"]), "filters": _FILTERS}
).filter(bool)
SCOPES = st.fixed_dictionaries(
    {},
    optional={
        "assets": _section("groupIds", st.integers(1, 9), ("no_scope", "see_all")),
        "endpoints": _ENDPOINTS,
        "casesIssues": _section("names", _WORD, ("no_scope", "see_all"), includeWithoutEntities=st.booleans()),
        "datasets": _DATASETS,
    },
).filter(bool)


def as_read(body: dict[str, Any], *, capitals: bool = False) -> ScopeRecord:
    """What the vendor would read of what was written."""

    def tags(section: dict[str, Any]) -> dict[str, Any]:
        rest = {name: value for name, value in section.items() if name != "names"}
        return {
            **rest,
            "mode": mode(section["mode"]),
            "tags": [{"tag_id": "1", "tag_name": n} for n in section["names"]],
        }

    def mode(text: str) -> str:
        return text.upper() if capitals else text

    groups = [{"asset_group_id": number} for number in body["assets"]["asset_group_ids"]]
    read = {
        "assets": {"mode": mode(body["assets"]["mode"]), "asset_groups": groups},
        "endpoints": {name: tags(section) for name, section in body["endpoints"].items()},
        "cases_issues": tags(body["cases_issues"]),
        "datasets_rows": body.get("datasets_rows"),
    }
    return ScopeRecord.model_validate(read)


@given(SCOPES | st.none(), st.booleans(), st.booleans())
def test_what_is_written_reads_back_the_same(scope: Any, datasets: bool, capitals: bool) -> None:
    """Whatever a manifest says, writing and reading it gives the same canonical scope."""
    wanted = scopes.canonical(scope)
    assert scopes.observed(as_read(scopes.to_put(wanted, datasets=datasets), capitals=capitals)) == wanted


@given(SCOPES)
def test_what_is_sound_passes_both_checks(scope: Any) -> None:
    """The check and the schema agree on what is sound; order and case of what is listed do not matter."""
    assert list(scope_rules.check(scope)) == []
    assert Draft202012Validator(scope_rules.schema()).is_valid(scope)


@given(SCOPES | st.none(), SCOPES | st.none())
def test_within(one: Any, other: Any) -> None:
    """Everything is the widest, each scope is within itself, and two that are within each other are the same."""
    a, b = scopes.canonical(one), scopes.canonical(other)
    assert scopes.within(a, scopes.canonical(None))
    assert scopes.within(a, a)
    if scopes.within(a, b) and scopes.within(b, a):
        assert a == b


def test_what_is_left_out() -> None:
    """No scope is everything; in a scope, what is not named is not reached, but for rows and the other half of endpoints."""
    everything, some = scopes.canonical(None), scopes.canonical({"assets": {"mode": "see_all"}})
    assert [everything["assets"]["mode"], everything["endpoints"]["tags"]["mode"]] == ["see_all", "any"]
    assert everything["casesIssues"] == {"mode": "see_all", "names": (), "includeWithoutEntities": True}
    assert some["endpoints"] == {"groups": {"mode": "no_scope", "names": ()}, "tags": {"mode": "no_scope", "names": ()}}
    assert some["casesIssues"] == {"mode": "no_scope", "names": (), "includeWithoutEntities": False}
    assert some["datasets"] == everything["datasets"] == {"defaultMode": "see_all", "filters": {}}
    groups = scopes.canonical({"endpoints": {"groups": {"mode": "scope", "names": ["b", "a"]}}})
    assert groups["endpoints"] == {
        "groups": {"mode": "scope", "names": ("a", "b")},
        "tags": {"mode": "any", "names": ()},
    }
    tags = scopes.canonical({"endpoints": {"tags": {"mode": "scope", "names": ["a"]}}})
    assert tags["endpoints"]["groups"] == {"mode": "see_all", "names": ()}


def test_what_the_vendor_may_say() -> None:
    """No scope or half of one restricts nothing; an older name for tags; two filters for one dataset do not hide."""
    everything = scopes.canonical(None)
    assert scopes.observed(None) == scopes.observed(ScopeRecord()) == everything
    older = ScopeRecord.model_validate(
        {"endpoints": {"endpoint_filters": {"mode": "Scope", "tags": [{"tag_name": "a"}]}}, "assets": {"mode": None}}
    )
    assert scopes.observed(older)["endpoints"]["tags"] == {"mode": "scope", "names": ("a",)}
    assert scopes.observed(older)["assets"] == everything["assets"]
    tags = ScopeRecord.model_validate({"endpoints": {"endpoint_tags": {"mode": "see_all"}}})
    assert scopes.observed(tags) == everything
    rows = {"default_filter_mode": None, "filters": [{"dataset": "d", "filter": "a"}, {"dataset": "d", "filter": "b"}]}
    found = scopes.observed(ScopeRecord.model_validate({"datasets_rows": rows}))["datasets"]
    assert found == {"defaultMode": "see_all", "filters": {"d": "a\nb"}}
    assert not scopes.within(everything, {**everything, "datasets": found})
