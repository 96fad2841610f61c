"""All checks of a set-up, side by side where one does not depend on another. None stops the others; nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

from reconciler.doctor import estate as manifests
from reconciler.doctor import machine, needs, vault
from reconciler.doctor.catalogue import (
    CAPABILITIES,
    CHECKS,
    CREDENTIAL,
    EXCESS,
    LOGIN,
    MANIFESTS,
    REACHABLE,
    SERVER,
    TRUSTED,
    UNDECLARED,
    VAULT_CLOCK,
    Check,
    Subject,
)
from reconciler.doctor.results import Examination, Result, Verdict, failed, skipped
from reconciler.doctor.tenants import examine as examine_tenant
from reconciler.doctor.tools import Tools
from reconciler.errors import NotPermitted, ReconcilerError, Unexpected
from reconciler.model.desired import DesiredTenant
from reconciler.model.estate import Estate, VaultAuth
from reconciler.plan.run import PARALLEL_TENANTS
from reconciler.plan.target import Target
from reconciler.plan.target import tenants as chosen
from reconciler.providers.base import ConnectionSettings
from reconciler.vault.connection import Vault
from reconciler.vault.failures import Identity
from reconciler.vault.health import Health, TokenFacts, health, token_facts
from reconciler.vault.secrets import SecretStore, api_path
from reconciler.vault.state import StateStore

_ORDER: Final = {check: number for number, check in enumerate(CHECKS.values())}
_OF_VAULT: Final = tuple(check for check in CHECKS.values() if check.subject is Subject.VAULT)
_OF_TENANTS: Final = tuple(check for check in CHECKS.values() if check.subject is Subject.TENANT)
_CAN_READ: Final = frozenset({"read", "root"})


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be looked at, and as whom."""

    folder: Path
    identity: Identity
    environ: Mapping[str, str]
    trust: Callable[[Estate, bool], AbstractContextManager[Estate]]
    """The estate as the trusted revision lets it be, if one was asked for; the flag: whether its manifests were read."""
    connection: Callable[[Estate], ConnectionSettings]
    """How vendors are called: reads alone."""
    vault_timeout: Callable[[Estate], float]
    targets: Sequence[str] = ()
    offline: bool = False
    trusted_ref: str | None = None
    trust_endpoints: bool = False


def examine(order: Order) -> Examination:
    """Make every check. InvalidInput only for targets that there are not: what is wrong otherwise is in the results."""
    loaded = manifests.load(order.folder)
    estate = loaded.estate
    parsed = [Target.parse(text) for text in order.targets]
    tenants = chosen(estate.tenants, parsed) if estate is not None and loaded.whole else ()
    results = [*_of_machine(order, estate), *loaded.results]
    with ExitStack() as stack:
        why = "--offline" if order.offline else ""
        if estate is None:
            why = "reconciler.yaml cannot be read"
        elif order.trusted_ref is not None:
            try:
                estate = stack.enter_context(order.trust(estate, loaded.whole))
                results += manifests.trusted(estate)
            except ReconcilerError as error:
                results.append(failed(TRUSTED, error))
                why = "the trusted revision could not be asked where credentials go"
            named = {tenant.name for tenant in tenants}
            tenants = tuple(tenant for tenant in estate.tenants if tenant.name in named)
        if estate is None or why:
            results += [skipped(check, why) for check in _OF_VAULT]
            results += [skipped(check, why, tenant=one.name) for one in tenants for check in _OF_TENANTS]
        else:
            tools = _in_vault(stack, order, estate, tenants, results)
            with ThreadPoolExecutor(PARALLEL_TENANTS, thread_name_prefix="doctor") as pool:
                results += [one for found in pool.map(lambda tenant: _tenant(tools, tenant), tenants) for one in found]
    if not loaded.whole:
        results.append(skipped(CREDENTIAL, "no tenant was looked at: the manifests do not load"))
    return Examination(
        estate=estate.id if estate is not None else None,
        name=estate.name if estate is not None else "",
        identity=order.identity,
        results=tuple(sorted(results, key=lambda one: (_stage(one), one.tenant, _ORDER[one.check]))),
        providers={tenant.name: tenant.provider for tenant in tenants},
    )


def _of_machine(order: Order, estate: Estate | None) -> Iterable[Result]:
    yield from machine.version()
    yield from machine.extras()
    yield from machine.git(needed=order.trusted_ref is not None)
    yield from machine.environment(order.environ, _method(order, estate) if estate is not None else None)
    if order.trusted_ref is not None and estate is None:
        yield skipped(TRUSTED, f"{MANIFESTS.id}: there is nothing to compare")


def _tenant(tools: Tools, tenant: DesiredTenant) -> list[Result]:
    try:
        return examine_tenant(tools, tenant)
    except Exception as problem:  # noqa: BLE001  what ends one tenant must not end the others
        return [failed(CREDENTIAL, Unexpected.of(problem), tenant=tenant.name)]


def _in_vault(
    stack: ExitStack, order: Order, estate: Estate, tenants: Sequence[DesiredTenant], results: list[Result]
) -> Tools:
    """Everything about Vault, and what the tenants' checks may use of it."""
    tools = Tools(order.identity, order.environ, order.trust_endpoints, order.connection(estate))
    inside = _logged_in(stack, order, estate, results)
    if isinstance(inside, str):
        done = {result.check for result in results}
        results += [skipped(check, inside) for check in _OF_VAULT if check not in done]
        return replace(tools, no_vault=inside)
    states = StateStore(inside.vault, estate.vault.state, estate.id)
    found, closed = vault.mounts(inside.vault, vault.used_mounts(estate, tenants, order.identity))
    results += found
    root = estate.vault.state.mount
    if root in closed:
        results += [skipped(check, f"{closed[root]}: see vault-mounts") for check in (SERVER, UNDECLARED)]
    else:
        results.append(_safely(SERVER, lambda: vault.server(inside.vault, inside.health, root)))
        results.append(_safely(UNDECLARED, lambda: vault.undeclared(states, estate.tenants, order.identity)))
    results.append(_safely(VAULT_CLOCK, lambda: vault.clock(inside.vault, _method(order, estate))))
    lists_folders = any(result.facts.get("product") == "openbao" for result in results)
    unreadable = _permissions(inside, order, estate, tenants, results, lists_folders=lists_folders)
    return replace(tools, vault=inside.vault, states=states, closed=closed, unreadable=unreadable)


class _Inside(NamedTuple):
    """A connection that is logged in, and what Vault told of itself and of us."""

    vault: Vault
    health: Health
    token: TokenFacts


def _logged_in(stack: ExitStack, order: Order, estate: Estate, results: list[Result]) -> _Inside | str:
    """Reach Vault and log in; or why that is not possible."""

    def opened(make: Callable[..., Vault]) -> Vault:
        sleep, timeout = order.connection(estate).sleep, order.vault_timeout(estate)
        how = {"identity": order.identity, "environ": order.environ, "timeout": timeout, "sleep": sleep}
        return stack.enter_context(make(estate.vault, **how))

    try:
        nobody = opened(Vault.anonymous)
        state = health(nobody)
    except ReconcilerError as error:
        results.append(failed(REACHABLE, error))
        return "Vault is not reachable"
    ready = vault.ready(state)
    results += [vault.reachable(nobody), ready]
    if ready.verdict is Verdict.PROBLEM:
        return ready.found
    method = _method(order, estate)
    try:
        connection = opened(Vault.connect)
        facts = token_facts(connection)
    except ReconcilerError as error:
        results.append(failed(LOGIN, error))
        return f"the {order.identity} identity is not logged in to Vault"
    results += [vault.logged_in(method, facts), *vault.token(method, facts)]
    return _Inside(connection, state, facts)


def _permissions(
    inside: _Inside,
    order: Order,
    estate: Estate,
    tenants: Sequence[DesiredTenant],
    results: list[Result],
    *,
    lists_folders: bool,
) -> frozenset[str]:
    """What we may do, and may do without need; gives the entries that may not be read, so that nobody tries."""
    wanted = list(needs.needs(estate, tenants, order.identity))
    banned = list(needs.bans(tenants, estate.vault.state, estate.id, order.identity))
    asked = {need.request for need in wanted} | {ban.request for ban in banned}
    try:
        granted = SecretStore(inside.vault).capabilities(asked)
    except ReconcilerError as error:
        result = failed(CAPABILITIES, error)
        if isinstance(error, NotPermitted):
            mend = "give the identity Vault's `default` policy too: it lets a token ask what it may do"
            result = replace(result, mend=mend)
        results += [result, skipped(EXCESS, "Vault does not say what this token may do")]
        return frozenset()
    results += vault.capabilities(granted, wanted, order.identity, lists_folders=lists_folders)
    results += vault.excess(granted, banned, order.identity, inside.token.policies)
    closed = {need.request for need in wanted if "read" in need.capabilities and not granted[need.request] & _CAN_READ}
    entries = [StateStore(inside.vault, estate.vault.state, estate.id).path(one.name) for one in tenants]
    entries += [ref.vault for one in tenants for ref in (one.credentials_plan, one.credentials_apply) if ref.vault]
    return frozenset(str(path) for path in entries if api_path(path, "data") in closed)


def _method(order: Order, estate: Estate) -> VaultAuth:
    return estate.vault.auth_plan if order.identity == "plan" else estate.vault.auth_apply


def _safely(check: Check, job: Callable[[], Result]) -> Result:
    try:
        return job()
    except ReconcilerError as error:
        return failed(check, error)


def _stage(result: Result) -> int:
    return list(Subject).index(result.check.subject)
