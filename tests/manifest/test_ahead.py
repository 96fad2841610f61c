"""The second process changes nothing but the time that loading takes."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from reconciler.manifest import ahead, records

KEY = """\
apiVersion: reconciler/v1
kind: ApiKey
metadata: {{name: k{n}, tenant: dsm}}
spec: {{description: "Key {n}", accessLevel: {{existing: Auditor}}}}
---
"""
SCRIPT = """
    import os, sys
    from pathlib import Path
    from reconciler.manifest import InvalidManifests, ahead, load_estate

    asked = []
    file = ahead.Ahead.file
    def watched(self, index):
        found = file(self, index)
        asked.append(found is not None)
        return found
    ahead.Ahead.file = watched

    def load():
        try:
            return load_estate(Path(sys.argv[1])).digest
        except InvalidManifests as problem:
            return [str(one) for one in problem.problems]

    alone = load()
    assert not any(asked), "a small estate is not worth a process"
    ahead.WORTH_IT = 1
    asked.clear()
    together = load()
    assert together == alone, (together, alone)
    print(sum(asked), "of", len(asked))
    ahead._serve = lambda paths, answer: os._exit(3)
    asked.clear()
    assert load() == alone
    assert not any(asked), "nothing came from a process that died"
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        print("no process left")
"""


def estate(folder: Path) -> Path:
    (folder / "reconciler.yaml").write_text(
        "apiVersion: reconciler/v1\nkind: Estate\nmetadata: {name: acme}\n"
        "spec: {id: 5b0c1f0e-7c55-4e0e-9d53-0a6f6f3f2c11, vault: {address: 'https://vault.example.com'}}\n"
    )
    (folder / "a-tenant.yaml").write_text(
        "apiVersion: reconciler/v1\nkind: Tenant\nmetadata: {name: dsm}\n"
        "spec: {provider: trend-workload-security, endpoint: 'https://dsm.example.com/api', "
        "credentials: {vault: {path: c/dsm}}, unmanaged: prune}\n"
    )
    (folder / "z-approval.yaml").write_text(
        "apiVersion: reconciler/v1\nkind: Approval\nmetadata: {name: old, tenant: dsm}\n"
        "spec: {object: ApiKey/Old one, action: prune, until: 2038-01-01}\n"
    )
    for number in range(8):
        (folder / f"k{number}.yaml").write_text(KEY.format(n=number))
    return folder


def both_ways(folder: Path) -> list[str]:
    """Load with and without the other process, in a process that has one thread only; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_same_estate(tmp_path: Path) -> None:
    """Half of the files come from the other process, and the estate is the same; if that process dies, too."""
    shared, left = both_ways(estate(tmp_path))
    assert int(shared.split()[0]) >= 3
    assert left == "no process left"


def test_same_problems(tmp_path: Path) -> None:
    """Files that need the careful pass, that are broken, too large or wrong are told of in just the same words."""
    folder = estate(tmp_path)
    (folder / "y1.yaml").write_text(KEY.format(n=100).replace("spec: {", "spec: &a {").replace("}\n---", "}\n---"))
    (folder / "y2.yaml").write_text("a: [\n")
    (folder / "y3.yaml").write_text(KEY.format(n=101).replace("accessLevel", "accesLevel"))
    (folder / "y4.yaml").write_bytes(b"caf\xe9: 1\n")
    both_ways(folder)


def test_what_the_other_process_reads(tmp_path: Path) -> None:
    """The content's digest and the entries of plain files; nothing for the others."""
    plain, unusual = tmp_path / "plain.yaml", tmp_path / "unusual.yaml"
    plain.write_text(KEY.format(n=1))
    unusual.write_text("a: &x 1\nb: *x\n")
    content = plain.read_bytes()
    assert ahead.read_entries(plain) == (records.digest(content), records.entries(content))
    assert ahead.read_entries(unusual) is None
    assert ahead.read_entries(tmp_path / "missing.yaml") is None


def test_sharing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other process gets rather more than half of the bytes; a vanished file counts nothing."""
    monkeypatch.setattr(ahead, "WORTH_IT", 100)
    paths = [tmp_path / f"{number}.yaml" for number in range(10)]
    for path in paths:
        path.write_text("x" * 100)
    assert ahead._split(paths) == 5
    assert ahead._split([*paths, tmp_path / "gone.yaml"]) == 5
    assert ahead._split([]) is None
