"""The cache saves time and changes nothing, whoever wrote into it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reconciler.errors import InvalidInput
from reconciler.manifest import Cache, InvalidManifests, cache, load_estate, open_cache, records, supply, validate
from reconciler.model.desired import DesiredTenant
from tests.manifest.estates import NOW, Folder, key, tenant

TREND = "trend-workload-security"
SECRET = b"k" * 32


@pytest.fixture
def estate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """A small estate for which the cache is used all the same."""
    monkeypatch.setattr(supply, "WORTH_KEEPING", 1)
    (tmp_path / "estate").mkdir()
    folder = Folder(tmp_path / "estate")
    folder.write("t.yaml", tenant("t", TREND))
    folder.write("a.yaml", key("a", "t", "description: One"), key("b", "t"))
    folder.write("c.yaml", key("c", "t"))
    return folder


@pytest.fixture
def kept(tmp_path: Path) -> Cache:
    """An empty cache."""
    return Cache(tmp_path / "cache", SECRET)


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """The contents that were parsed."""
    seen: list[bytes] = []
    original = records.entries
    monkeypatch.setattr(records, "entries", lambda data: seen.append(data) or original(data))
    return seen  # type: ignore[return-value]


def loaded(folder: Folder, using: Cache | None) -> tuple[DesiredTenant, ...]:
    """What is wanted, with the places of everything."""
    return load_estate(folder.path, now=NOW, cache=using).tenants


def places(tenants: tuple[DesiredTenant, ...]) -> list[str]:
    return [str(one.source) for tenant in tenants for one in (tenant, *tenant.levels, *tenant.keys)]


def same(folder: Folder, using: Cache) -> None:
    """With and without the cache: the same values at the same places."""
    with_cache, without = load_estate(folder.path, now=NOW, cache=using), load_estate(folder.path, now=NOW)
    assert with_cache.digest == without.digest
    assert places(with_cache.tenants) == places(without.tenants)
    assert validate(folder.path, now=NOW, cache=using) == validate(folder.path, now=NOW)


# --- it saves time ------------------------------------------------------------------------------------------------------


def test_the_second_run_parses_nothing(estate: Folder, kept: Cache, parsed: list[bytes]) -> None:
    """What was read once is not read again, and the estate is the same."""
    same(estate, kept)
    parsed.clear()
    loaded(estate, kept)
    assert parsed == []


def test_a_changed_file_is_read_anew(estate: Folder, kept: Cache, parsed: list[bytes]) -> None:
    """Only the files whose content changed are parsed; what their content was is forgotten."""
    loaded(estate, kept)
    before = kept.read(estate.path)
    parsed.clear()
    estate.write("c.yaml", key("c", "t", "description: Two"))
    [only] = loaded(estate, kept)
    assert [one.description for one in only.keys] == ["One", "", "Two"]
    assert parsed == [(estate.path / "c.yaml").read_bytes()]
    assert len(before) == len(kept.read(estate.path)) == 4
    assert before.keys() != kept.read(estate.path).keys()


def test_content_counts_and_no_name(estate: Folder, kept: Cache, parsed: list[bytes]) -> None:
    """A file that moved is known, and is at its new place."""
    loaded(estate, kept)
    parsed.clear()
    (estate.path / "c.yaml").rename(estate.path / "moved.yaml")
    assert str(estate.path / "moved.yaml") + ":1:1" in places(loaded(estate, kept))
    assert parsed == []
    same(estate, kept)


def test_what_is_wrong_is_never_kept(estate: Folder, kept: Cache) -> None:
    """A file with a problem is looked at every time, and told of in the same words; the others are kept."""
    estate.write("bad.yaml", key("d", "t", "x: 1"))
    estate.write("odd.yaml", key("e", "t", "options: &a {}"))
    estate.write("lost.yaml", key("f", "nowhere"))
    first, again = (validate(estate.path, now=NOW, cache=kept) for _ in range(2))
    assert len(first.problems) == 2
    assert list(map(str, again.problems)) == list(map(str, first.problems))
    assert len(kept.read(estate.path)) == 5
    with pytest.raises(InvalidManifests):
        load_estate(estate.path, now=NOW, cache=kept)


def test_small_estates_leave_nothing_behind(
    estate: Folder, kept: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where parsing takes no time, nothing is written anywhere."""
    monkeypatch.setattr(supply, "WORTH_KEEPING", 10_000)
    same(estate, kept)
    assert not (tmp_path / "cache").exists()


# --- whoever wrote it ---------------------------------------------------------------------------------------------------


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(st.binary(max_size=300))
@example(b"")
@example(b"\n")
@example(b"0" * 64 + b"\n")
@example(b"\n" + b"0" * 64 + b" []")
def test_any_bytes_change_nothing(estate: Folder, kept: Cache, content: bytes) -> None:
    """Whatever the file holds, the result is that of a run without a cache."""
    kept.file(estate.path).parent.mkdir(exist_ok=True)
    kept.file(estate.path).write_bytes(content)
    assert kept.read(estate.path) == {}
    same(estate, kept)


def test_any_change_breaks_the_seal(estate: Folder, kept: Cache) -> None:
    """A cut, an addition or a flipped bit anywhere: all of it is ignored."""
    loaded(estate, kept)
    file = kept.file(estate.path)
    content = file.read_bytes()
    assert kept.read(estate.path)
    changed = [content[:-1], content[: len(content) // 2], content + b"\n", content + b"\n" + content]
    changed += [content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :] for at in range(0, len(content), 31)]
    for one in changed:
        file.write_bytes(one)
        assert kept.read(estate.path) == {}
    file.write_bytes(changed[-1])
    same(estate, kept)


def test_entries_for_other_content_are_not_served(estate: Folder, kept: Cache, tmp_path: Path) -> None:
    """Somebody who can write the folder, but not read the key, cannot say what a file means."""
    loaded(estate, kept)
    data = (estate.path / "c.yaml").read_bytes()
    forged = {
        **kept.read(estate.path),
        records.digest(data): records.encode(records.entries(data.replace(b"c", b"z")) or []),
    }
    Cache(tmp_path / "cache", b"x" * 32).write(estate.path, forged)
    assert kept.read(estate.path) == {}
    same(estate, kept)
    assert kept.read(estate.path), "and it is written anew"


def test_other_code_is_foreign(estate: Folder, kept: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another version has read counts no more: it may have understood it otherwise."""
    loaded(estate, kept)
    monkeypatch.setattr(cache, "_version", lambda: b"another")
    assert kept.read(estate.path) == {}
    same(estate, kept)
    assert kept.read(estate.path)


def test_the_version_is_that_of_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It changes with any line of the rooms that read manifests, and with the libraries below them."""
    for room in ("manifest", "model"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "a.py").write_text("a = 1\n")
    monkeypatch.setattr(cache, "__file__", str(tmp_path / "manifest" / "cache.py"))
    versions = [cache._version.__wrapped__()]
    (tmp_path / "model" / "a.py").write_text("a = 2\n")
    versions.append(cache._version.__wrapped__())
    monkeypatch.setattr("pydantic.VERSION", "0")
    versions.append(cache._version.__wrapped__())
    assert len(set(versions)) == 3


def test_odd_files_are_ignored(estate: Folder, kept: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder, a pipe that nobody writes to, or a file that is much too large in its place."""
    file = kept.file(estate.path)
    file.parent.mkdir()
    file.mkdir()
    same(estate, kept)  # writing it fails, too
    file.rmdir()
    os.mkfifo(file)
    assert kept.read(estate.path) == {}
    file.unlink()
    loaded(estate, kept)
    monkeypatch.setattr(cache, "_LARGEST", 10)
    assert kept.read(estate.path) == {}


def test_it_is_for_its_owner_alone(estate: Folder, kept: Cache, tmp_path: Path) -> None:
    """Folder and file are the user's; no scratch file stays."""
    loaded(estate, kept)
    [file] = (tmp_path / "cache").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


# --- which one ----------------------------------------------------------------------------------------------------------


def test_usual_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below the user's cache folder, under a key in another one, which is made once."""
    monkeypatch.setenv("HOME", str(tmp_path))
    first = open_cache({"XDG_CACHE_HOME": "relative", "XDG_STATE_HOME": ""})
    assert first is not None
    assert first.file(Path("/estate")).parent == tmp_path / ".cache" / "reconciler"
    secret = tmp_path / ".local" / "state" / "reconciler" / "cache.key"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    first.write(Path("/estate"), {"0" * 64: b"[]"})
    again = open_cache({})
    assert again is not None
    assert again.read(Path("/estate")) == {"0" * 64: b"[]"}
    assert again.read(Path("/other")) == {}
    secret.unlink()
    other = open_cache({})
    assert other is not None
    assert other.read(Path("/estate")) == {}, "another key: foreign"


def test_places_of_ones_own(tmp_path: Path) -> None:
    """The environment may name the folders, and the key: then nothing is written beside the folder."""
    environ = {
        "RECONCILER_CACHE": str(tmp_path / "c"),
        "RECONCILER_CACHE_KEY": "k" * 32,
        "XDG_STATE_HOME": str(tmp_path / "s"),
    }
    one = open_cache(environ)
    assert one is not None
    assert one.file(tmp_path).parent == tmp_path / "c"
    assert list(tmp_path.iterdir()) == []
    named = open_cache({"XDG_CACHE_HOME": str(tmp_path / "x"), "XDG_STATE_HOME": str(tmp_path / "s")})
    assert named is not None
    assert named.file(tmp_path).parent == tmp_path / "x" / "reconciler"
    assert (tmp_path / "s" / "reconciler" / "cache.key").is_file()


def test_off() -> None:
    """It can be switched off."""
    assert open_cache({"RECONCILER_CACHE": "off"}) is None


def test_a_key_that_can_be_guessed(tmp_path: Path) -> None:
    """A short key is refused with the reason, and never shown."""
    with pytest.raises(InvalidInput, match="fewer than 32 characters") as caught:
        open_cache({"RECONCILER_CACHE": str(tmp_path), "RECONCILER_CACHE_KEY": "short-and-canary"})
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_can_use(tmp_path: Path, mode: int) -> None:
    """Then there is no cache, and the key is left for its owner to look at."""
    environ = {"XDG_STATE_HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    assert open_cache(environ) is not None
    secret = tmp_path / "reconciler" / "cache.key"
    secret.chmod(mode)
    assert open_cache(environ) is None


def test_a_key_of_another_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link, a short file, or another user's file is no key."""
    environ = {"XDG_STATE_HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    secret = tmp_path / "reconciler" / "cache.key"
    secret.parent.mkdir()
    (tmp_path / "elsewhere").write_bytes(SECRET)
    secret.symlink_to(tmp_path / "elsewhere")
    assert open_cache(environ) is None
    secret.unlink()
    secret.touch(mode=0o600)
    assert open_cache(environ) is None
    secret.write_bytes(SECRET)
    assert open_cache(environ) is not None
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert open_cache(environ) is None


def test_two_runs_make_one_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run that comes second to make the key uses the first one's."""
    secret = tmp_path / "reconciler" / "cache.key"
    exists = Path.exists

    def first(self: Path) -> bool:
        found = exists(self)
        if self == secret and not found:
            secret.parent.mkdir()
            secret.touch(mode=0o600)
            secret.write_bytes(SECRET)
        return found

    monkeypatch.setattr(Path, "exists", first)
    one = open_cache({"XDG_STATE_HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)})
    assert one is not None
    assert one._key == SECRET
    assert [file.name for file in secret.parent.iterdir()] == ["cache.key"]


def test_nowhere_to_write(estate: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a home, or with folders that cannot be made, runs go on without a cache."""
    (tmp_path / "file").touch()
    assert open_cache({"XDG_STATE_HOME": str(tmp_path / "file")}) is None
    same(estate, Cache(tmp_path / "file" / "cache", SECRET))

    def homeless() -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", homeless)
    assert open_cache({}) is None
