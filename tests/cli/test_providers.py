from __future__ import annotations

import json

import pytest

from reconciler.cli.providers import markdown, sheets
from reconciler.cli.run import run
from reconciler.model.outcome import ExitCode
from reconciler.providers import registry

NAME = "trend-workload-security"


def test_text_lists_all_or_describes_one(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a name a line for each provider, with one everything; plain text when nobody looks."""
    assert run(["providers"]) == ExitCode.DONE
    overview = capsys.readouterr().out
    assert NAME in overview
    assert "POST /apikeys" not in overview
    assert run(["providers", NAME]) == ExitCode.DONE
    everything = capsys.readouterr().out
    for operation in registry.get(NAME).capabilities.operations:
        assert operation.request in everything
    assert "cannot restrict API keys to addresses" in everything
    assert "\x1b" not in everything


def test_text_fits_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the tables keep within its width."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "100")
    assert run(["--no-color", "providers", NAME]) == ExitCode.DONE
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 100


def test_json_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    """A list without a name, one object with it."""
    assert run(["providers", "--format", "json"]) == ExitCode.DONE
    listed = json.loads(capsys.readouterr().out)
    assert run(["providers", NAME, "--format", "json"]) == ExitCode.DONE
    one = json.loads(capsys.readouterr().out)
    assert one in listed
    can = registry.get(NAME).capabilities
    assert [entry["field"] for entry in one["fields"]] == [field.field for field in can.fields]
    assert one["rate"] == {"calls": 500, "seconds": 60.0, "evidence": "documented", "source": "T4"}
    assert ["secretKey"] in one["credentials"]


def test_markdown_makes_the_docs_tables(capsys: pytest.CaptureFixture[str]) -> None:
    """Headings and tables, cells escaped."""
    assert run(["providers", NAME, "--format", "markdown"]) == ExitCode.DONE
    printed = capsys.readouterr().out
    for sheet in sheets(registry.get(NAME)):
        assert markdown(sheet) in printed
        assert markdown(sheet._replace(rows=[("a|b",)])).endswith(r"| a\|b |")


def test_an_unknown_provider(capsys: pytest.CaptureFixture[str]) -> None:
    """A sentence and exit 1."""
    assert run(["providers", "nonesuch"]) == ExitCode.ERROR
    assert "unknown provider 'nonesuch'" in capsys.readouterr().err
