"""Writing manifests: the usual form at once, every text as it was, and files that were not there before."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.errors import InvalidInput
from reconciler.manifest import write
from reconciler.manifest.check import Wrong
from reconciler.manifest.format import format_text
from reconciler.manifest.jsonschema import field_order
from reconciler.manifest.reader import CONTROL


@settings(deadline=None)
@given(st.text(max_size=60), st.lists(st.text(st.characters(codec="utf-8"), max_size=20), max_size=2))
def test_texts_survive_and_fmt_has_nothing_to_do(description: str, comments: list[str]) -> None:
    """Whatever a vendor has as description: read back it is the same, or it is refused; fmt leaves the text as it is."""
    wanted = write.manifest("ApiKey", "splunk", "dsm", {"description": description, "accessLevel": "read"})
    try:
        text = write.text_of(wanted, comments)
        value, manifest = write.read_back(text)
    except InvalidInput:
        assert CONTROL.search(description) or not description.isprintable()
        return
    assert format_text(text, "again", field_order) == text
    if value != wanted:
        assert not description.isprintable()  # line ends of other systems are line ends
    elif "[rcl:" not in description:
        assert not isinstance(manifest, Wrong)


@pytest.mark.parametrize("text", ["0E0", "0o7", "no", "2027-01-01", "~", "", "a: b", "#x", "'", "1" * 200, "null"])
def test_what_looks_like_something_else_stays_a_text(text: str) -> None:
    """By YAML 1.1 as by YAML 1.2."""
    wanted = write.manifest("ApiKey", "splunk", "dsm", {"description": text, "accessLevel": {"existing": "0E0"}})
    value, manifest = write.read_back(write.text_of(wanted))
    assert value == wanted
    assert not isinstance(manifest, Wrong)


def test_a_place_inside_the_estate(tmp_path: Path) -> None:
    """A folder that need not be there yet: not in another estate, not hidden, and not where a link leads out."""
    estate = tmp_path / "estate"
    (estate / "inner").mkdir(parents=True)
    (estate / "reconciler.yaml").touch()
    (estate / "inner" / "reconciler.yaml").touch()
    (estate / "out").symlink_to(tmp_path)
    assert write.place(estate / "a" / "b", estate) == (estate / "a" / "b").resolve()
    for bad in (estate / "inner" / "x", estate / "out" / "x", tmp_path / "y", estate / ".git"):
        with pytest.raises(InvalidInput):
            write.place(bad, estate)
    with pytest.raises(InvalidInput, match="outside the estate"):
        write.place(tmp_path / "x", tmp_path)


def test_all_files_or_none(tmp_path: Path) -> None:
    """What says the same already is no file of ours; what says something else stops everything."""
    (tmp_path / "same.yaml").write_text("a\n", encoding="utf-8")
    files = {tmp_path / "same.yaml": "a\n", tmp_path / "new" / "x.yaml": "b\n"}
    assert write.write_new(files) == (tmp_path / "new" / "x.yaml",)
    write.take_away([tmp_path / "new" / "x.yaml", tmp_path / "gone"])
    (tmp_path / "new" / "y.yaml").mkdir()
    with pytest.raises(InvalidInput, match="not overwritten"):
        write.write_new({**files, tmp_path / "new" / "y.yaml": "c\n"})
    with pytest.raises(InvalidInput, match="cannot be written"):
        write.write_new({**files, tmp_path / "same.yaml" / "z.yaml": "c\n"})
    assert not (tmp_path / "new" / "x.yaml").exists()


def test_nothing_is_left_when_it_is_interrupted(tmp_path: Path) -> None:
    """Ctrl-C, or a bug: the files that were written are gone."""
    files = {tmp_path / "x.yaml": "b\n", tmp_path / "y.yaml": 7}
    with pytest.raises(TypeError):
        write.write_new(files)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
