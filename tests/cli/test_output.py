"""`--format` and `--report`: one outcome in many formats, and errors in each of them."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from reconciler.cli import main
from reconciler.cli.output import FORMATS

BAD = "apiVersion: reconciler/v1\nkind: ApiKey\nmetadata: {name: splunk, tenant: nowhere, owner: a}\nspec: {acessLevel: x}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An estate two folders below a Git repository's root, with a manifest that is wrong; the current folder."""
    (tmp_path / ".git").mkdir()
    folder = tmp_path / "teams" / "access"
    folder.mkdir(parents=True)
    (folder / "keys.yaml").write_text(BAD)
    monkeypatch.chdir(folder)
    return folder


def test_one_run_writes_every_format(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output has one format, each file another."""
    reports = [part for form in FORMATS for part in ("--report", f"{form}=out.{form}")]
    assert main(["validate", "--format", "markdown", *reports]) == 1
    assert capsys.readouterr().out == (folder / "out.markdown").read_text()
    assert "keys.yaml:4:8: error: unknown field" in (folder / "out.text").read_text()
    assert json.loads((folder / "out.json").read_text())["problems"][-1]["code"] == "unknown-field"
    assert ET.parse(folder / "out.junit").getroot().get("failures") != "0"
    results = json.loads((folder / "out.sarif").read_text())["runs"][0]["results"]
    [place] = [one["locations"][0]["physicalLocation"] for one in results if one["ruleId"] == "manifest/unknown-field"]
    assert place["artifactLocation"]["uri"] == "teams/access/keys.yaml"
    assert place["region"] == {"startLine": 4, "startColumn": 8}


def test_text_goes_to_standard_output_beside_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--report` takes nothing away from who reads along."""
    assert main(["validate", "--report", "text=out.txt"]) == 1
    assert capsys.readouterr().out == (folder / "out.txt").read_text()


@pytest.mark.parametrize("form", FORMATS)
def test_promise_9_an_error_is_told_in_every_format(
    form: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A plan that cannot begin says so where a pipeline looks for its outcome."""
    (folder / "reconciler.yaml").write_text("apiVersion: reconciler/v1\nkind: Estate\n")
    assert main(["plan", "--format", form, "--report", f"{form}=out"]) == 1
    shown = capsys.readouterr()
    file = (folder / "out").read_text()
    assert "problem" in shown.err
    assert shown.out.rstrip("\n") == ("" if form == "text" else file.rstrip("\n"))
    if form == "sarif":
        assert json.loads(file)["runs"][0]["results"][0]["ruleId"].startswith("manifest/")
    elif form == "junit":
        assert int(str(ET.fromstring(file).get("failures"))) > 0
    elif form == "json":
        assert json.loads(file)["exitCode"] == 1
    else:
        assert "reconciler.yaml" in file


@pytest.mark.parametrize("wrong", ["sarif", "=out", "sarif=", "html=out"])
def test_wrong_reports_are_refused(wrong: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the formats that there are; nothing is done."""
    assert main(["validate", "--report", wrong]) == 1
    assert "is not FORMAT=FILE with a format of text, json, markdown, sarif, junit" in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["keys.yaml"]


def test_a_file_that_cannot_be_written_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1 and the file's name."""
    assert main(["validate", "--report", f"sarif={folder}/none/out.sarif"]) == 1
    assert "none/out.sarif: No such file or directory" in capsys.readouterr().err
