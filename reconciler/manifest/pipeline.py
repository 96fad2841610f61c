"""The files of a repository that say what a pipeline installs and runs: a plugin comes with them, or anything else."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from reconciler.manifest.problems import Problem
from reconciler.manifest.revision import Revision
from reconciler.manifest.source import read

_FOLDERS: Final = (".github", ".gitlab", ".circleci", ".buildkite", ".ci")
_NAMES: Final = (
    "requirements*.txt", "constraints*.txt", "pyproject.toml", "setup.py", "setup.cfg", "uv.lock", "poetry.lock",
    "Pipfile", "Pipfile.lock", "tox.ini", "noxfile.py", "Makefile", "Dockerfile*", "Containerfile*", "Jenkinsfile*",
    ".gitlab-ci.yml", "azure-pipelines.yml", "bitbucket-pipelines.yml", ".pre-commit-config.yaml", "CODEOWNERS",
)  # fmt: skip


def of_revision(revision: Revision, root: Path) -> Mapping[str, bytes]:
    """Those of a revision that was read from the repository's top, by their paths there. `root`: the estate's folder."""
    inside = root.relative_to(revision.top).as_posix()
    return dict(revision.read([path for path in revision.files if _counts(path, inside)]))


def of_working_tree(root: Path) -> Mapping[str, bytes]:
    """Those of the working tree that the estate's folder is in, links left out."""
    top = next((one for one in (root, *root.parents) if (one / ".git").exists()), root)
    inside = root.relative_to(top).as_posix()
    places = [path for folder in (top, root) for path in folder.iterdir()]
    places += [path for name in _FOLDERS for path in (top / name).rglob("*")]
    found = {}
    for path in sorted(places):
        name = path.relative_to(top).as_posix()
        if path.is_file() and not path.is_symlink() and _counts(name, inside):
            data = read(path)
            if not isinstance(data, Problem):
                found[name] = data
    return found


def _counts(path: str, inside: str) -> bool:
    """Whether a file is one of these: by its folder, or by its name at the repository's top or the estate's root."""
    folder, _, name = path.rpartition("/")
    if folder.partition("/")[0] in _FOLDERS:
        return True
    return folder in {"", inside} and any(fnmatchcase(name, one) for one in _NAMES)
