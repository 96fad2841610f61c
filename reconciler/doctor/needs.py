"""What each identity must be able to do in Vault, and what it should not: on the paths that an estate really uses.

The rules are those of docs/vault.md, for the estate's own paths. A test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from reconciler.model.desired import DesiredTenant, VaultPath
from reconciler.model.estate import Estate
from reconciler.vault.buckets import RECORDS
from reconciler.vault.failures import Identity
from reconciler.vault.secrets import api_path

_READ: Final = frozenset({"read"})
_LIST: Final = frozenset({"list"})
_ANY_KEY: Final = "a-key"
"""Stands for keys where a tenant has none yet."""
MOST: Final = 25
"""Of so many keys of a tenant the paths are asked for, spread over all: Vault answers a few hundred paths a second, and
policies name folders, not keys."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a policy: its path, all that the documentation gives it, and what it is for."""

    path: str
    capabilities: tuple[str, ...]
    purpose: str

    @property
    def lines(self) -> tuple[str, ...]:
        """As a policy writes it."""
        told = ", ".join(f'"{one}"' for one in self.capabilities)
        return (f"# {self.purpose}", f'path "{self.path}" {{', f"  capabilities = [{told}]", "}")


@dataclass(frozen=True, slots=True)
class Need:
    """What must be possible on one request path. `wish`: without it things work, but slower or with less help."""

    request: str
    capabilities: frozenset[str]
    rule: Rule
    wish: str = ""


@dataclass(frozen=True, slots=True)
class Ban:
    """What should not be possible on one request path, and why."""

    request: str
    capabilities: frozenset[str]
    why: str


_WRITES: Final = frozenset({"create", "update", "patch", "delete", "sudo"})


def needs(estate: Estate, tenants: Iterable[DesiredTenant], identity: Identity) -> Iterator[Need]:
    """Everything that planning, or applying, asks of Vault for these tenants."""
    for tenant in tenants:
        yield from _secrets(tenant, identity)
        yield from _state(estate.vault.state, estate.id, tenant, identity)
        reference = tenant.credentials_plan if identity == "plan" else tenant.credentials_apply
        if reference.vault is not None:
            rule = Rule(_credential_rule(reference.vault, tenant.name), ("read",), "Its own vendor credentials.")
            yield Need(api_path(reference.vault, "data"), _READ, rule)
    if identity == "apply":
        root = estate.vault.state
        folder = f"{root.mount}/metadata/{root.path.strip('/')}/{estate.id}/"
        rule = _state_rule(root, "metadata", ("create", "update", "read", "list"))
        yield Need(folder, _LIST, rule, "names that are mistyped are not corrected, and left-over states not found")


def bans(tenants: Iterable[DesiredTenant], state: VaultPath, estate: UUID, identity: Identity) -> Iterator[Ban]:
    """Everything that the documented identities cannot do, for these tenants."""
    for tenant in tenants:
        for path in _keys(tenant):
            why = "it can read issued secrets, which neither planning nor applying needs"
            yield Ban(api_path(path, "data"), frozenset({"read", "sudo"}), why)
            yield Ban(api_path(path, "destroy"), _WRITES, "it can destroy secrets for good")
            yield Ban(api_path(path, "metadata"), frozenset({"delete", "sudo"}), "it can destroy secrets for good")
            if identity == "plan":
                for area in ("data", "metadata", "delete", "undelete"):
                    yield Ban(api_path(path, area), _WRITES, "planning could change or delete secrets")
        mine, others = tenant.credentials_plan.vault, tenant.credentials_apply.vault
        if identity == "plan":
            why = "planning could change the state"
            yield Ban(api_path(_document(state, estate, tenant), "data"), _WRITES, why)
        else:
            mine, others = others, mine
        if others is not None and others != mine:
            other = "apply" if identity == "plan" else "plan"
            why = f"it can read the vendor credential of the {other} identity"
            yield Ban(api_path(others, "data"), _READ | {"sudo"}, why)


def _secrets(tenant: DesiredTenant, identity: Identity) -> Iterator[Need]:
    where, mount = _secret_rule(tenant), tenant.secrets.mount

    def rule(area: str, capabilities: tuple[str, ...], purpose: str) -> Rule:
        return Rule(f"{mount}/{area}/{where}", capabilities, purpose)

    if identity == "plan":
        entries = [("metadata", _READ, rule("metadata", ("read", "list"), "What exists, without any secret."))]
    else:
        written = rule("data", ("create", "update", "patch"), "New secrets are written, and cannot be read.")
        known = rule("metadata", ("create", "update", "patch", "read", "list"), "What exists, and whose it is.")
        removed = rule("delete", ("update",), "Secrets of keys that are gone.")
        entries = [
            ("data", frozenset({"create", "update"}), written),
            ("metadata", frozenset({"create", "update", "patch", "read"}), known),
            ("delete", frozenset({"update"}), removed),
        ]
    folders = set()
    for path in _keys(tenant):
        for area, capabilities, one in entries:
            yield Need(api_path(path, area), capabilities, one)
        folders.add((path.mount, path.path.rpartition("/")[0]))
    listing = rule("detailed-metadata", ("list",), "OpenBao: a whole folder's metadata in one call.")
    for mount_of, folder in sorted(folders):
        request = "/".join(part for part in (mount_of, "detailed-metadata", folder) if part) + "/"
        yield Need(request, _LIST, listing, "without it every secret's metadata is read by itself, which takes longer")


def _state(root: VaultPath, estate: UUID, tenant: DesiredTenant, identity: Identity) -> Iterator[Need]:
    document = _document(root, estate, tenant)
    entries = [document]
    if len(tenant.keys) + len(tenant.levels) > RECORDS:  # then its records lie in entries of their own
        entries.append(VaultPath(document.mount, f"{document.path}/0001a"))
    for entry in entries:
        if identity == "plan":
            yield Need(api_path(entry, "data"), _READ, _state_rule(root, "data", ("read",)))
            continue
        data = _state_rule(root, "data", ("create", "update", "read"))
        metadata = _state_rule(root, "metadata", ("create", "update", "read", "list"))
        wanted = frozenset({"create", "update", "read"})
        yield Need(api_path(entry, "data"), wanted, data)
        yield Need(api_path(entry, "metadata"), wanted, metadata)


def _document(root: VaultPath, estate: UUID, tenant: DesiredTenant) -> VaultPath:
    return VaultPath(root.mount, f"{root.path.strip('/')}/{estate}/{tenant.name}")


def _state_rule(root: VaultPath, area: str, capabilities: tuple[str, ...]) -> Rule:
    return Rule(f"{root.mount}/{area}/{root.path.strip('/')}/*", capabilities, "The state, which holds no secret.")


def _keys(tenant: DesiredTenant) -> Iterator[VaultPath]:
    if not tenant.keys:
        path = tenant.secrets.path.replace("{tenant}", tenant.name).replace("{key}", _ANY_KEY)
        yield VaultPath(tenant.secrets.mount, path)
    step = max(1.0, len(tenant.keys) / MOST)
    for number in range(min(MOST, len(tenant.keys))):
        yield tenant.keys[int(number * step)].secret_path


def _secret_rule(tenant: DesiredTenant) -> str:
    """The tenant's template up to its first placeholder; one that begins with a placeholder names the tenant."""
    template = tenant.secrets.path
    if template.startswith("{tenant}"):
        template = template.replace("{tenant}", tenant.name)
    return f"{template.partition('{')[0]}*"


def _credential_rule(path: VaultPath, tenant: str) -> str:
    """One rule for all tenants where their credentials lie in the same place but for the tenant's name."""
    return f"{path.mount}/data/" + "/".join("+" if part == tenant else part for part in path.path.split("/"))
