from __future__ import annotations

import re
import stat
from pathlib import Path
from uuid import UUID

import pytest

from reconciler.cli import main


def test_what_init_writes_is_valid_and_in_the_usual_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A new estate passes `validate` without a warning and `fmt --check` without a change."""
    estate = tmp_path / "new"
    assert main(["init", str(estate)]) == 0
    said = capsys.readouterr().out
    assert f"wrote {estate}/reconciler.yaml" in said
    assert f"reconciler plan --estate {estate}" in said
    assert main(["fmt", "--check", str(estate)]) == 0
    assert main(["validate", str(estate)]) == 0
    assert "warning" not in "".join(capsys.readouterr())


def test_every_estate_has_an_id_of_its_own(tmp_path: Path) -> None:
    """The UUID tells our objects from another estate's, so no two are alike."""
    ids = []
    for name in ("One Estate", "two"):
        assert main(["init", str(tmp_path / name)]) == 0
        text = (tmp_path / name / "reconciler.yaml").read_text()
        ids.append(UUID(re.search(r"^  id: (\S+)$", text, re.MULTILINE)[1]))  # type: ignore[index]
    assert ids[0] != ids[1]
    assert "\n  name: one-estate\n" in (tmp_path / "One Estate" / "reconciler.yaml").read_text()


def test_init_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a folder it is the current one, and the next steps need none either."""
    monkeypatch.chdir(tmp_path)
    assert main(["init", "--name", "acme"]) == 0
    assert "\n  2. reconciler validate\n" in capsys.readouterr().out
    assert "\n  name: acme\n" in (tmp_path / "reconciler.yaml").read_text()
    assert stat.S_IMODE((tmp_path / "keys" / "splunk.yaml").stat().st_mode) & 0o111 == 0


def test_nothing_is_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One file that is there already stops it before the first is written."""
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "splunk.yaml").write_text("mine")
    assert main(["init", str(tmp_path)]) == 1
    assert f"already there: {tmp_path}/keys/splunk.yaml" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["keys", "splunk.yaml"]


def test_a_gitignore_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Most repositories have one; the patterns to add are printed."""
    (tmp_path / ".gitignore").write_text("mine\n")
    assert main(["init", str(tmp_path)]) == 0
    assert (tmp_path / ".gitignore").read_text() == "mine\n"
    assert "*.plan, *.plan.json" in capsys.readouterr().out


def test_a_name_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The estate's name follows the rules of all names."""
    assert main(["init", str(tmp_path), "--name", "No Name"]) == 1
    assert "'No Name' is no name" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
