from __future__ import annotations

import pytest

from reconciler.cli import main


def explain(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    assert main(["explain", *args]) == 0
    return capsys.readouterr().out


def test_alone_it_lists_the_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    """Where to begin: each kind in a line."""
    lines = explain(capsys).splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["Estate", "Tenant", "AccessLevel", "ApiKey"]
    assert lines[3].endswith("One API key, whose secret goes to Vault.")


def test_a_field_with_fields(capsys: pytest.CaptureFixture[str]) -> None:
    """What it means, an example, and its fields in a line each, with their values and whether they must be there."""
    text = explain(capsys, "ApiKey.spec.rotation")
    assert text.startswith("ApiKey.spec.rotation  (mapping, optional)\n\n  How often the key gets a new secret.")
    assert "  Example:  {every: 90d}\n" in text
    assert "  every          text, required     How long" in text
    assert "  strategy       overlap | inPlace  `overlap` issues" in text


def test_a_single_field(capsys: pytest.CaptureFixture[str]) -> None:
    """Type, default, allowed values and limits."""
    text = explain(capsys, "ApiKey.spec.state")
    assert "(text, optional)" in text
    assert "  Default:  active\n  Allowed:  active, locked, absent\n" in text
    assert "Fields:" not in text
    assert "up to 1000 characters" in explain(capsys, "AccessLevel.spec.description")


def test_the_providers_part(capsys: pytest.CaptureFixture[str]) -> None:
    """What a provider defines is explained for the provider that is named."""
    text = explain(capsys, "AccessLevel.spec.permissions")
    assert "--provider NAME shows it (" in text
    assert "trend-workload-security" in text
    text = explain(capsys, "AccessLevel.spec.permissions", "--provider", "trend-workload-security")
    assert "--provider" not in text
    assert "platformRights" in text


def test_a_provider_that_describes_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A plugin's schema may leave out descriptions."""

    class Loose:
        name = "loose"

        def options_schema(self) -> dict[str, object]:
            return {"type": "object", "properties": {"any": {}}}

        def scope_schema(self) -> None:
            return None

    monkeypatch.setattr("reconciler.providers.registry.get", lambda _: Loose())
    assert (
        explain(capsys, "ApiKey.spec.options.any", "--provider", "loose")
        == "ApiKey.spec.options.any  (anything, optional)\n"
    )


@pytest.mark.parametrize(
    ("args", "hint"),
    [
        (["ApiKye"], "did you mean 'ApiKey'?"),
        (["ApiKey.spec.rotaton"], "did you mean 'ApiKey.spec.rotation'?"),
        (["ApiKey", "--provider", "nobody"], "trend-workload-security"),
    ],
)
def test_promise_9_unknown_words_are_answered_with_the_nearest_right_one(
    args: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A misspelt kind, field or provider: exit 1, and what was meant."""
    assert main(["explain", *args]) == 1
    assert hint in capsys.readouterr().err
