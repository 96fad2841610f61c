from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.cli import main
from reconciler.manifest import jsonschema
from reconciler.report import shapes


def test_files_are_written_where_asked_and_only_when_they_differ(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every schema file is there, ends with one line feed, and is not rewritten in vain."""
    out = tmp_path / "deep" / "schemas"
    assert main(["schema", "--out", str(out)]) == 0
    files = {path.name: path.read_text() for path in out.iterdir()}
    assert files == {**jsonschema.files(), **shapes.files()}
    assert f"{out}: {len(files)} files, {len(files)} written\n" == capsys.readouterr().out
    assert all(text.endswith("}\n") for text in files.values())
    assert main(["schema", "--out", str(out)]) == 0
    assert ", 0 written" in capsys.readouterr().out


def test_check_tells_missing_outdated_and_left_over_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For pipelines: exit 1 unless the files are just what would be written; nothing is written."""
    assert main(["schema", "--out", str(tmp_path)]) == 0
    assert main(["schema", "--out", str(tmp_path), "--check"]) == 0
    (tmp_path / "tenant.schema.json").unlink()
    (tmp_path / "estate.schema.json").write_text("{}\n")
    (tmp_path / "old.schema.json").write_text("{}\n")
    capsys.readouterr()
    assert main(["schema", "--out", str(tmp_path), "--check"]) == 1
    assert sorted(capsys.readouterr().err.splitlines()) == [
        f"{tmp_path}/estate.schema.json: outdated",
        f"{tmp_path}/old.schema.json: left over, no kind or provider has it",
        f"{tmp_path}/tenant.schema.json: missing",
    ]
    assert (tmp_path / "estate.schema.json").read_text() == "{}\n"
    assert main(["schema", "--out", str(tmp_path)]) == 0
    assert "old.schema.json: left over" in capsys.readouterr().err
    assert (tmp_path / "old.schema.json").exists()


def test_the_schemas_of_this_repository_are_up_to_date() -> None:
    """`schemas/` is generated from the models and checked in."""
    assert main(["schema", "--out", str(Path(__file__).parents[2] / "schemas"), "--check"]) == 0
