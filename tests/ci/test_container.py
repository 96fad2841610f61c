"""The Containerfile: what can be said of it without building it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINES = (ROOT / "Containerfile").read_text("utf-8").replace("\\\n", " ").splitlines()
INSTRUCTIONS = [line for line in LINES if line and not line.startswith("#")]


def test_the_image_runs_as_nobody_special() -> None:
    """The last user is a number that is not root's, and nothing follows it but how the program is called."""
    after = INSTRUCTIONS[[line.split()[0] for line in INSTRUCTIONS].index("USER") :]
    assert after[0] == "USER 10001:10001"
    assert [line.split()[0] for line in after[1:]] == ["ENTRYPOINT", "CMD"]


def test_everything_from_an_index_is_hashed() -> None:
    """Each installation by pip has hashes, or an archive of our own and no index."""
    installs = re.findall(r"pip (?:install|wheel) [^&\n]*", "\n".join(INSTRUCTIONS))
    assert len(installs) == 4
    assert [one for one in installs if "--require-hashes" not in one and "--no-index" not in one] == []


def test_the_image_is_made_of_what_is_named() -> None:
    """The base has a version, no secret is an argument, and files come one by one from what git holds."""
    arguments = [line for line in INSTRUCTIONS if line.startswith("ARG ")]
    assert [re.fullmatch(r"ARG BASE=\S+:\d+\.\d+-\S+", line) is not None for line in arguments] == [True]
    assert {line for line in INSTRUCTIONS if line.startswith("FROM ")} == {"FROM ${BASE} AS build", "FROM ${BASE}"}
    copied = [line for line in INSTRUCTIONS if line.startswith(("COPY ", "ADD "))]
    assert not any(line.startswith("ADD ") or line.split()[1] == "." for line in copied)
    ignored = (ROOT / ".containerignore").read_text("utf-8").splitlines()
    assert ignored[0] == "*"
    sources = {word for line in copied if "--from" not in line for word in line.split()[1:-1]}
    assert sources == {line.removeprefix("!") for line in ignored if line.startswith("!")}
