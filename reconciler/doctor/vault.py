"""Vault: whether it is there, who we are in it, what we may do, and what we may do without need."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from shlex import quote
from typing import Any, Final

from reconciler.doctor import clocks
from reconciler.doctor.catalogue import (
    CAPABILITIES,
    EXCESS,
    LOGIN,
    MOUNTS,
    REACHABLE,
    READY,
    SERVER,
    TOKEN,
    UNDECLARED,
    VAULT_CLOCK,
)
from reconciler.doctor.needs import Ban, Need, Rule
from reconciler.doctor.results import Result, failed, ok, problem, skipped, warning
from reconciler.errors import NotFound, NotPermitted, ReconcilerError, foreign
from reconciler.model.desired import DesiredTenant
from reconciler.model.estate import AppRoleAuth, Estate, JwtAuth, TokenAuth, VaultAuth
from reconciler.vault.connection import Vault
from reconciler.vault.health import Health, TokenFacts, plugin_version
from reconciler.vault.state import StateStore

_A_RUN: Final = timedelta(minutes=10)
"""How long a token should live on at least. Nobody knows how long a run takes: it depends on the vendors' limits."""
_FEW_USES: Final = 1000
_SHOWN: Final = 3
_VERSION: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_OPENBAO: Final = ".bao"
_LISTS_FOLDERS: Final = (2, 2, 0)
_LISTS_SAFELY: Final = (2, 3, 1)
_HAS_NAMESPACES: Final = (2, 3, 0)


def reachable(vault: Vault) -> Result:
    """Where it answered; what kept it from answering is an error before this."""
    namespace = f", namespace {vault.namespace}" if vault.namespace else ""
    return ok(REACHABLE, f"{vault.address} answers{namespace}", address=vault.address, namespace=vault.namespace)


def ready(found: Health) -> Result:
    """Sealed and not initialised are problems; a standby passes calls on."""
    if not found.initialised:
        return problem(READY, "Vault is not initialised", "initialise and unseal it", ["vault operator init"])
    if found.sealed:
        return problem(READY, "Vault is sealed", "unseal it", ["vault operator unseal"])
    role = "a standby node, which passes calls on to the active one" if found.standby else "active"
    return ok(READY, f"initialised and unsealed; {role}", standby=found.standby)


def server(vault: Vault, found: Health, mount: str) -> Result:
    """Product and version, and what that version lacks. `mount` is one that we may ask after."""
    version = foreign(found.version) or "of an unknown version"
    numbers = _VERSION.match(found.version)
    known = (int(numbers[1]), int(numbers[2]), int(numbers[3])) if numbers else (0, 0, 0)
    openbao = plugin_version(vault, mount).endswith(_OPENBAO)
    if not openbao:
        product = "HashiCorp Vault" if 0 < known[0] < 2 else "a server with Vault's API,"
        found_text = f"{product} {version}: metadata is read secret by secret, for only OpenBao lists whole folders"
        return ok(SERVER, found_text, product="vault", version=version)
    if vault.namespace and known < _HAS_NAMESPACES:
        what = f"OpenBao {version} has no namespaces, and `{vault.namespace}` is asked for"
        return problem(SERVER, what, "upgrade to OpenBao 2.3.1 or newer, or leave the namespace out")
    if known < _LISTS_FOLDERS:
        what = f"OpenBao {version} cannot list a folder with its metadata: every secret's is read by itself"
        return warning(SERVER, what, "upgrade to OpenBao 2.3.1 or newer", product="openbao", version=version)
    if known < _LISTS_SAFELY:
        what = f"OpenBao {version} crashes when a folder is listed with its metadata"
        return warning(SERVER, what, "upgrade to OpenBao 2.3.1 or newer", product="openbao", version=version)
    return ok(SERVER, f"OpenBao {version}", product="openbao", version=version)


def logged_in(method: VaultAuth, facts: TokenFacts) -> Result:
    """How, and with which policies."""
    how = _how(method)
    policies = ", ".join(map(foreign, facts.policies)) or "none"
    return ok(LOGIN, f"by {how}; policies: {policies}", method=how, policies=list(facts.policies))


def token(method: VaultAuth, facts: TokenFacts) -> Iterator[Result]:
    """Whether it is a root token, and whether it lives long enough."""
    if facts.root:
        mend = "make a token for each identity, under the policies of docs/vault.md, and revoke this one"
        commands = ["vault token create -policy=reconciler-plan", "vault token create -policy=reconciler-apply"]
        yield warning(TOKEN, "this is a root token: it may read every secret and change every policy", mend, commands)
    if facts.uses is not None:
        report = problem if facts.uses < _FEW_USES else warning
        what = f"this token may be used {facts.uses} times more, and every call counts"
        yield report(TOKEN, what, "make one without a limit (num_uses=0)", uses=facts.uses)
    ours = not isinstance(method, TokenAuth)
    if facts.ttl is None:
        if not facts.root:
            yield ok(TOKEN, "it does not expire")
        return
    left = (
        f"{round(facts.ttl.total_seconds() / 60)} min"
        if facts.ttl >= timedelta(minutes=2)
        else f"{facts.ttl.seconds} s"
    )
    seconds = int(facts.ttl.total_seconds())
    if ours and facts.renewable:
        yield ok(TOKEN, f"it lives for {left}, is renewed during a run, and revoked at its end", ttlSeconds=seconds)
    elif facts.ttl < _A_RUN:
        why = "it cannot be renewed" if ours else "a token from the environment is not renewed"
        mend = (
            "let the role give tokens that can be renewed"
            if ours
            else "get a fresh one for each run, or log in by AppRole or JWT"
        )
        yield warning(TOKEN, f"it ends in {left}, and {why}: a longer run stops half-way", mend, ttlSeconds=seconds)
    else:
        yield ok(TOKEN, f"it lives for {left}", ttlSeconds=seconds)


def clock(vault: Vault, method: VaultAuth) -> Result:
    """This machine's clock against the server's. Leases do not depend on it: they have the server's time."""
    skew = datetime.now(UTC) - vault.now()
    breaks = "dates in plans and reports are wrong"
    if isinstance(method, JwtAuth):
        breaks = f"Vault forgives a JSON Web Token ten seconds, and {breaks}"
    return clocks.agree(VAULT_CLOCK, "Vault's", skew, breaks)


def mounts(vault: Vault, used: Mapping[str, str]) -> tuple[list[Result], dict[str, str]]:
    """Each mount that is used, and what for; and those that cannot be, with the reason."""

    def look(mount: str) -> ReconcilerError | None:
        try:
            vault.mounts.require_v2(mount)
        except ReconcilerError as error:
            return error
        return None

    names = sorted(used)
    errors = {mount: error for mount, error in zip(names, vault.each(look, names), strict=True) if error is not None}
    results = [_unusable(mount, used[mount], error) for mount, error in errors.items()]
    good = [mount for mount in names if mount not in errors]
    if good:
        told = ", ".join(f"{mount}/ ({used[mount]})" for mount in good)
        results.append(ok(MOUNTS, f"KV version 2: {told}", mounts=good))
    return results, {mount: f"{mount}/ cannot be used" for mount in errors}


def _unusable(mount: str, use: str, error: ReconcilerError) -> Result:
    result = failed(MOUNTS, error)
    mend, commands = error.hint, [f"vault secrets enable -path={mount} kv-v2"]
    if isinstance(error, NotFound):
        mend = (
            "Vault does not tell the two apart: mend first what vault-capabilities says; if this stays, make the mount"
        )
    elif "KV version" in error.what:
        commands = [f"vault kv enable-versioning {mount}/"]
    return problem(MOUNTS, f"{result.found} (used for {use})", mend, commands, mount=mount)


def capabilities(
    granted: Mapping[str, frozenset[str]], wanted: Sequence[Need], identity: str, *, lists_folders: bool
) -> Iterator[Result]:
    """What is missing, rule by rule, each with the lines that its policy lacks."""
    missing: dict[tuple[Rule, str], list[tuple[str, frozenset[str]]]] = defaultdict(list)
    for need in wanted:
        if need.wish and "detailed-metadata" in need.request and not lists_folders:
            continue
        lack = need.capabilities - granted[need.request]
        if lack and "root" not in granted[need.request]:
            missing[need.rule, need.wish].append((need.request, lack))
    for (rule, wish), places in missing.items():
        lack = frozenset[str]().union(*(one for _, one in places))
        told = ", ".join(f"`{one}`" for one in sorted(lack))
        what = f"the {identity} identity lacks {told} on {_places([place for place, _ in places])}"
        found = f"{what}: {wish}" if wish else what
        report = warning if wish else problem
        facts: dict[str, Any] = {"missing": sorted(lack), "paths": len(places), "rule": rule.path}
        yield report(CAPABILITIES, found, "put this into its policy", rule.lines, **facts)
    if not missing:
        if any("root" in one for one in granted.values()):
            yield skipped(
                CAPABILITIES, "a root token may do everything: log in as the identity itself to see what it may do"
            )
        else:
            found = f"the {identity} identity may do what it needs, on {len(wanted)} paths that it uses"
            yield ok(CAPABILITIES, found, paths=len(wanted))


def excess(
    granted: Mapping[str, frozenset[str]], banned: Sequence[Ban], identity: str, policies: Collection[str]
) -> Iterator[Result]:
    """What may be done without need, reason by reason."""
    if any("root" in one for one in granted.values()):
        yield skipped(EXCESS, "a root token may do everything: see vault-token")
        return
    found: dict[str, list[tuple[str, frozenset[str]]]] = defaultdict(list)
    for ban in banned:
        held = ban.capabilities & granted[ban.request]
        if held:
            found[ban.why].append((ban.request, held))
    others = sorted(set(policies) - {"default"})
    for why, places in found.items():
        held = frozenset[str]().union(*(one for _, one in places))
        told = ", ".join(f"`{one}`" for one in sorted(held))
        what = f"the {identity} identity has {told} on {_places([place for place, _ in places])}: {why}"
        mend = "take it out of the policy that grants it; docs/vault.md has the least that will do"
        commands = [f"vault policy read {quote(foreign(name))}" for name in others]
        yield warning(EXCESS, what, mend, commands, excess=sorted(held), paths=len(places))
    if not found:
        yield ok(EXCESS, f"the {identity} identity can read no issued secret, and do nothing else that it need not")


def undeclared(states: StateStore, declared: Iterable[DesiredTenant], identity: str) -> Result:
    """State documents that no manifest's tenant has: what they name lives on, and nobody looks after it."""
    try:
        left = sorted(set(states.tenants()) - {tenant.name for tenant in declared})
    except NotPermitted:
        return skipped(UNDECLARED, f"the {identity} identity may not list the state documents")
    except ReconcilerError as error:
        return failed(UNDECLARED, error)
    if not left:
        return ok(UNDECLARED, "every state document is of a tenant that is declared")
    names = ", ".join(map(foreign, left[:_SHOWN])) + (f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else "")
    commands = [f"reconciler state show {quote(foreign(name))}" for name in left[:_SHOWN]]
    mend = "look what they record: their keys live on at the vendor. Put the Tenant back, and take its keys out first"
    what = f"there are states of tenants that no manifest declares: {names}"
    return warning(UNDECLARED, what, mend, commands, tenants=left)


def used_mounts(estate: Estate, tenants: Iterable[DesiredTenant], identity: str) -> dict[str, str]:
    """Every mount that a run as this identity uses, and what for."""
    uses: dict[str, set[str]] = defaultdict(set)
    uses[estate.vault.state.mount].add("state")
    for tenant in tenants:
        uses[tenant.secrets.mount].add("secrets")
        reference = tenant.credentials_plan if identity == "plan" else tenant.credentials_apply
        if reference.vault is not None:
            uses[reference.vault.mount].add("credentials")
    return {mount: ", ".join(sorted(what)) for mount, what in uses.items()}


def _how(method: VaultAuth) -> str:
    match method:
        case TokenAuth():
            return "the token in the environment"
        case AppRoleAuth():
            return f"AppRole at {foreign(method.mount)}/"
        case JwtAuth():
            return f"JWT at {foreign(method.mount)}/, role {foreign(method.role)}"


def _places(paths: Sequence[str]) -> str:
    first = min(paths)
    return first if len(paths) == 1 else f"{first} and {len(paths) - 1} more"
