"""Each file's entries come from where they are had soonest, and the cache gets them whatever that was."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from reconciler.manifest import Cache, ahead, records, supply
from tests.manifest.estates import key


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Six files: two that the cache knows, one that needs care, and three others."""
    monkeypatch.setattr(supply, "WORTH_KEEPING", 1)
    paths = [tmp_path / f"{number}.yaml" for number in range(6)]
    for path in paths:
        path.write_text(key(f"k{path.stem}", "t"))
    paths[2].write_text("a: &b 1\n")
    return paths


def names(supplied: supply.Supply, count: int) -> list[str | None]:
    found = [supplied.entries(index) for index in range(count)]
    return [entries[0][3][0] if entries else None for entries in found]  # type: ignore[index]


class LastOnly(ahead.Ahead):
    """Has read the last of the files that it was asked for."""

    def __init__(self, paths: list[Path]) -> None:
        super().__init__()
        self.paths = paths

    def file(self, index: int) -> ahead.Read | None:
        return ahead.read_entries(self.paths[index]) if index == len(self.paths) - 1 else None


def test_from_everywhere(tmp_path: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Known files are not read again, and everything that is right is known the next time."""
    cache = Cache(tmp_path / "cache", b"k" * 32)
    cache.write(tmp_path, {records.digest(path.read_bytes()): records.encode(records.entries(path.read_bytes()) or [])
                           for path in files[:2]})  # fmt: skip
    asked: list[Path] = []

    def afar(paths: list[Path]) -> AbstractContextManager[ahead.Ahead]:
        asked.extend(paths)
        return nullcontext(LastOnly(paths))

    monkeypatch.setattr(supply, "reading_ahead", afar)
    with supply.supply(tmp_path, files, cache) as supplied:
        assert names(supplied, 6) == ["k0", "k1", None, "k3", "k4", "k5"]
    assert asked == files[2:], "the known ones are left out"
    assert len(cache.read(tmp_path)) == 5
    asked.clear()
    with supply.supply(tmp_path, files, cache) as supplied:
        assert names(supplied, 6) == ["k0", "k1", None, "k3", "k4", "k5"]
    assert asked == [files[2]]


def test_without_a_cache(tmp_path: Path, files: list[Path]) -> None:
    """Nothing is gathered for nobody."""
    files[4].unlink()
    with supply.supply(tmp_path, files, None) as supplied:
        assert names(supplied, 6) == ["k0", "k1", None, "k3", None, "k5"]
    assert supplied.kept == {}


def test_nothing_new(tmp_path: Path, files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache is written when something in it changes, and only then."""
    cache = Cache(tmp_path / "cache", b"k" * 32)
    written: list[int] = []
    original = Cache.write
    monkeypatch.setattr(
        Cache, "write", lambda self, root, entries: written.append(len(entries)) or original(self, root, entries)
    )  # type: ignore[func-returns-value]
    for paths in (files, files, files[:3], files[:3]):
        with supply.supply(tmp_path, paths, cache) as supplied:
            names(supplied, len(paths))
    assert written == [5, 2]
