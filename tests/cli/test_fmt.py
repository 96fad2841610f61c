from __future__ import annotations

import time
from pathlib import Path

import pytest

from reconciler.cli import main

UGLY = "kind: ApiKey # k\napiVersion:  'reconciler/v1'\n"
PRETTY = "apiVersion: reconciler/v1\nkind: ApiKey  # k\n"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_files_are_rewritten_and_listed_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All YAML files below the folder, whatever their depth; what is in order already is not touched or listed."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "ugly.yml").write_text(UGLY)
    (tmp_path / "pretty.yaml").write_text(PRETTY)
    (tmp_path / "other.txt").write_text(UGLY)
    assert main(["fmt"]) == 0
    assert capsys.readouterr().out == "a/b/ugly.yml\n"
    assert (tmp_path / "a" / "b" / "ugly.yml").read_text() == PRETTY
    assert (tmp_path / "other.txt").read_text() == UGLY
    assert main(["fmt", "a", "pretty.yaml"]) == 0
    assert capsys.readouterr() == ("", "")


def test_check_lists_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--check` is for pipelines: exit 1 and the names of the files that would change."""
    (tmp_path / "ugly.yaml").write_text(UGLY)
    assert main(["fmt", "--check"]) == 1
    assert capsys.readouterr().out == "ugly.yaml\n"
    assert (tmp_path / "ugly.yaml").read_text() == UGLY
    (tmp_path / "ugly.yaml").write_text(PRETTY)
    assert main(["fmt", "--check"]) == 0


def test_mode_and_links_stay(tmp_path: Path) -> None:
    """The file is replaced as a whole, keeps its permissions, and is still what a link leads to."""
    (tmp_path / "real").mkdir()
    real = tmp_path / "real" / "keys.yaml"
    real.write_text(UGLY)
    real.chmod(0o640)
    (tmp_path / "link.yaml").symlink_to(real)
    assert main(["fmt", "link.yaml"]) == 0
    assert (real.read_text(), real.stat().st_mode & 0o777) == (PRETTY, 0o640)
    assert (tmp_path / "link.yaml").is_symlink()
    assert [path.name for path in real.parent.iterdir()] == ["keys.yaml"]


def test_a_failed_write_leaves_the_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full, the old text is still there and the new one's file is not."""
    (tmp_path / "ugly.yaml").write_text(UGLY)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device", "ugly.yaml")

    monkeypatch.setattr("os.fsync", full)
    assert main(["fmt"]) == 1
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("ugly.yaml", UGLY)]


def test_line_ends_become_line_feeds(tmp_path: Path) -> None:
    """A file with carriage returns is not in the usual form."""
    (tmp_path / "a.yaml").write_bytes(PRETTY.replace("\n", "\r\n").encode())
    assert main(["fmt", "--check"]) == 1
    assert main(["fmt"]) == 0
    assert (tmp_path / "a.yaml").read_bytes() == PRETTY.encode()


def test_promise_9_files_that_cannot_be_read_have_a_message_each_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No YAML, no UTF-8, far too large, a link out of the folder: each with its place, and nothing else is held up."""
    (tmp_path / "broken.yaml").write_text("a: [1,\n")
    (tmp_path / "latin.yaml").write_bytes(b"a: 1\nb: \xe4\n")
    with (tmp_path / "huge.yaml").open("wb") as huge:
        huge.truncate(33 << 20)
    (tmp_path / "out.yaml").symlink_to("/etc/hostname")
    (tmp_path / "ugly.yaml").write_text(UGLY)
    assert main(["fmt"]) == 1
    said = capsys.readouterr()
    assert said.out == "ugly.yaml\n"
    for text in (
        "broken.yaml:2:1: error: ",
        "latin.yaml:2:1: error: this is not UTF-8",
        "huge.yaml:1:1: error: the file has 33 MiB",
        "out.yaml:1:1: error: the symbolic link leaves the folder",
    ):
        assert text in said.err
    assert "Traceback" not in said.err


def test_a_folder_without_manifests_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is no error, but silence would pass for "all in order"."""
    (tmp_path / "sub").mkdir()
    assert main(["fmt"]) == 0
    assert capsys.readouterr() == ("", "no manifests in .; 'reconciler init' writes the first ones\n")
    assert main(["fmt", "--check", "sub"]) == 0
    assert "no manifests in sub;" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[" * 100_000, "1:51"),
        ("a:\n  " + "[" * 50 + "]" * 50, "2:52"),
        ("".join(" " * depth + "a:\n" for depth in range(52)), "51:51"),
        ("- " * 51 + "1", "1:101"),
        ("{a: " * 51 + "1" + "}" * 51, "1:201"),
    ],
)
def test_promise_9_nesting_has_the_limit_of_validate(
    text: str, place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same message at the same place, and at once: each level costs libyaml more than the one before."""
    (tmp_path / "deep.yaml").write_text(text)
    begun = time.process_time()
    assert main(["fmt"]) == 1
    assert time.process_time() - begun < 5, "half a minute, if all of it is read"
    told = f"deep.yaml:{place}: error: the nesting is deeper than 50 levels"
    assert capsys.readouterr().err == f"{told}\n"
    main(["validate"])
    assert told in capsys.readouterr().out


def test_nesting_up_to_the_limit_is_laid_out(tmp_path: Path) -> None:
    """Fifty levels, in flow and in blocks, one file after the other."""
    (tmp_path / "flow.yaml").write_text("[" * 50 + "]" * 50 + "\n" + "---\n" + "[" * 50 + "]" * 50 + "\n")
    (tmp_path / "block.yaml").write_text("".join("  " * depth + "a:\n" for depth in range(50)))
    assert main(["fmt"]) == 0


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ("a:\n  b: 1\n c: 2\n", "3:2", "check the indentation"),
        ("a: 1\n  b: 2\n", "2:4", "check the indentation"),
        ("a:\n\tb: 1\n", "2:1", "indent with spaces, not tabs"),
        ("a: [1,\n", "2:1", ""),
    ],
)
def test_wrong_indentation_is_hinted_at(
    text: str, place: str, hint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The parser says what it did not find; a person looks for the column."""
    (tmp_path / "a.yaml").write_text(text)
    assert main(["fmt"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"a.yaml:{place}: error: this is not YAML: ")
    assert hint in said
    assert ("(" in said) is bool(hint)
