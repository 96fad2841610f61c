"""`ignoreDrift` in manifests: which fields it may name, and until when."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.manifest.estates import Folder, key, manifest, tenant

TREND = "trend-workload-security"


@pytest.fixture
def estate(bare: Folder) -> Folder:
    """A tenant of Workload Security."""
    bare.write("t.yaml", tenant("t", TREND))
    return bare


def ignoring(fields: str, until: str = "2099-06-30") -> str:
    return f"ignoreDrift: [{{fields: [{fields}], reason: testing, until: {until}}}]"


def test_of_keys_and_levels(estate: Folder) -> None:
    """Fields, each once, a reason and an end become part of what is wanted, and of the estate's digest."""
    level = manifest("AccessLevel", "read", ignoring("permissions.platformRights"), tenant="t")
    estate.write("k.yaml", key("a", "t", ignoring("description, options.locale, description")), level)
    found = estate.tenant()
    (item,) = found.keys[0].ignore_drift
    assert (item.fields, item.reason) == (("description", "options.locale"), "testing")
    assert item.until == datetime(2099, 7, 1, tzinfo=UTC)
    assert found.levels[0].ignore_drift[0].fields == ("permissions.platformRights",)
    digest = estate.digest()
    estate.write("k.yaml", key("a", "t", ignoring("description")), level)
    assert estate.digest() != digest


@pytest.mark.promise(9)
@pytest.mark.parametrize(
    ("given", "told"),
    [
        (ignoring("descripton"), "names 'descripton', which is no field that can drift (did you mean 'description'?)"),
        (ignoring("protect"), "names 'protect', which is no field that can drift (those are name, description, "),
        (ignoring("options"), "names all options at once (name each one, such as options.locale)"),
        (ignoring("options.local"), "names 'options.local', which keys of trend-workload-security do not have"),
        ("ignoreDrift: [{fields: [], reason: x, until: 2099-01-01}]", "spec.ignoreDrift[0].fields"),
        ("ignoreDrift: [{fields: [name], until: 2099-01-01}]", "reason"),
        ("ignoreDrift: [{fields: [name], reason: x}]", "until"),
    ],
)
def test_promise_9_what_is_wrong(estate: Folder, given: str, told: str) -> None:
    """A field that cannot drift, all options at once, an option that the vendor does not have, a part that is missing."""
    estate.write("k.yaml", key("a", "t", given))
    (line,) = estate.found()
    assert line.startswith("k.yaml:6:")
    assert "error: " in line
    assert told in line


def test_an_end_that_has_passed(estate: Folder) -> None:
    """It is a warning: the manifest is right, and what it says counts no more."""
    level = manifest("AccessLevel", "read", ignoring("description", "2020-01-31"), tenant="t")
    estate.write("k.yaml", key("a", "t", ignoring("description", "2020-01-31")), level)
    for line in estate.found():
        assert "warning: spec.ignoreDrift[0].until has passed: it was 2020-01-31" in line
    assert len(estate.found()) == 2
