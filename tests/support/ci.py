"""A Vault that was set up as docs/vault.md and docs/ci.md say, with issuers of our own in place of GitHub's and GitLab's."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from reconciler.emulator.openbao import OpenBaoServer, _binary
from reconciler.emulator.openbao import openbao as run_openbao
from tests.support.oidc import Issuer, issuer

DOCS: Final = Path(__file__).parents[2] / "docs"
ISSUERS: Final = {"jwt": "https://token.actions.githubusercontent.com", "gitlab": "https://gitlab.com"}
"""The documented issuers, by the mount of their login method."""


@dataclass(frozen=True)
class Documented:
    """The server, and the issuers by mount."""

    server: OpenBaoServer
    issuers: dict[str, Issuer]


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page."""
    return re.findall(rf"^```{language}\n(.*?)^```", (DOCS / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def documented_ci(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Documented]:
    """Policies and credentials of the one page, login methods and roles of the other, by the pages' own commands."""
    folder = tmp_path_factory.mktemp("ci")
    for text in blocks("vault.md", "hcl"):
        (folder / re.findall(r"\A# (\S+\.hcl)", text)[0]).write_text(text, encoding="utf-8")
    for name in ("plan", "apply"):
        (folder / f"{name}-key.txt").write_text(f"vendor-{name}-secret", encoding="utf-8")
    script = "\n".join(text for page in ("vault.md", "ci.md") for text in blocks(page, "sh") if text.startswith("bao "))
    with ExitStack() as stack:
        server = stack.enter_context(run_openbao())
        issuers = {mount: stack.enter_context(issuer()) for mount in ISSUERS}
        for mount, documented in ISSUERS.items():
            assert script.count(documented) == 2
            script = script.replace(documented, issuers[mount].url)
        done = subprocess.run(
            ["/bin/sh", "-eu"], input=script, cwd=folder, capture_output=True, text=True, check=False, timeout=60,
            env={"PATH": f"{Path(_binary()).parent}:{os.environ['PATH']}", "HOME": str(folder), **server.environment},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        yield Documented(server, issuers)
