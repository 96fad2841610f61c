"""What one schedule runs on: a fresh vendor account, a folder of its own in a real OpenBao, and the product in this process.

No YAML, no command line, no waiting: the planner and the apply get `DesiredTenant` objects, and every pause is skipped.
Time passes by moving what the state remembers into the past.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import requests

from reconciler.apply.revoke import Revocation, TenantEnd
from reconciler.emulator.openbao import OpenBaoServer
from reconciler.emulator.server import Server
from reconciler.model.desired import (
    CredentialRef,
    DesiredKey,
    DesiredLevel,
    DesiredTenant,
    KeyState,
    OnRemoval,
    RateLimit,
    Removal,
    Rotation,
    Source,
    Strategy,
    Unmanaged,
    VaultPath,
)  # fmt: skip
from reconciler.model.estate import Estate, Limits, TokenAuth, VaultConfig
from reconciler.model.names import ObjectId
from reconciler.plan.observe import Access
from reconciler.providers.base import ConnectionSettings
from reconciler.vault.connection import Vault
from reconciler.vault.secrets import SecretStore
from reconciler.vault.state import StateStore
from tests.faults.soak.drawn import NAMES, Key, Step
from tests.faults.soak.sites import Site
from tests.support import builders
from tests.support.troubled import Proxy

TENANT: Final = "acme"
TIGHT: Final = 0.2  # seconds: how long a client waits where a server is told to hang
MODEST: Final = 20.0
_RATE: Final = RateLimit(calls=1_000_000, seconds=1.0, share=1.0)


def no_nap(_seconds: float) -> None:
    """Nobody waits."""


class Overheard(logging.Handler):
    """Everything that was logged, to look for secrets in."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@dataclass
class Ground:
    """What all schedules of a shard share: servers, and connections to Vault. `counts` is for the report."""

    bao: OpenBaoServer
    server: Server
    proxy: Proxy
    kv: str
    heard: Overheard
    counts: Counter[str] = field(default_factory=Counter)
    numbers: int = 0
    _vaults: dict[tuple[str, float], Vault] = field(default_factory=dict)
    _root: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self._root.trust_env = False

    def vault(self, address: str, timeout: float) -> Vault:
        """A connection, remembered."""
        if (address, timeout) not in self._vaults:
            config = VaultConfig(address, auth_plan=TokenAuth(), auth_apply=TokenAuth())
            self._vaults[address, timeout] = Vault.connect(
                config, identity="apply", environ={"VAULT_TOKEN": self.bao.root_token}, timeout=timeout, sleep=no_nap
            )
        return self._vaults[address, timeout]

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One request as root, around the proxy; None for what is not there."""
        answer = self._root.request(
            method, f"{self.bao.address}/v1/{path}", headers={"X-Vault-Token": self.bao.root_token},
            data=None if body is None else json.dumps(body), timeout=30,
        )  # fmt: skip
        if answer.status_code == 404:
            return None
        assert answer.status_code < 400, (method, path, answer.status_code)
        return answer.json() if answer.content else {}

    def close(self) -> None:
        for vault in self._vaults.values():
            vault.close()
        self._root.close()


@dataclass
class Stage:
    """One tenant in one world. `reissued` and `over` are fixed when the world begins."""

    ground: Ground
    site: Site
    folder: str
    start: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    said: list[str] = field(default_factory=list)
    """What the product gave out, to look for secrets in."""
    renamed: set[str] = field(default_factory=set)

    # -- what is wanted --------------------------------------------------------------------------------------------

    def alias(self, name: str) -> str:
        """What a key is called in the manifests now."""
        return f"{name}2" if name in self.renamed else name

    def desired(self, step: Step) -> DesiredTenant:
        """The manifests of a step."""
        self.renamed = {name for name in NAMES if (key := step.keys.get(name)) and key.renamed} | {
            name for name in self.renamed if name not in step.keys
        }
        levels: tuple[DesiredLevel, ...] = ()
        if self.site.manages_levels:
            levels = tuple(
                builders.desired_level(
                    name, tenant=TENANT, permissions=self.site.permissions(variant), protect=step.protected_levels
                )
                for name, variant in step.levels.items()
            )
        credential = CredentialRef(VaultPath(self.ground.kv, f"{self.folder}/credentials"))
        grace = timedelta(days=7) if step.on_removal == "quarantine" else timedelta(0)
        return DesiredTenant(
            name=TENANT, provider=self.site.provider.name, endpoint=self.site.endpoint,
            credentials_plan=credential, credentials_apply=credential,
            secrets=VaultPath(self.ground.kv, f"{self.folder}/keys/{{key}}"), unmanaged=Unmanaged.REPORT,
            levels=levels, keys=tuple(self._key(name, key) for name, key in sorted(step.keys.items())),
            source=Source("tenant.yaml", 1), rate=_RATE, on_removal=OnRemoval(Removal(step.on_removal), grace),
        )  # fmt: skip

    def _key(self, name: str, key: Key) -> DesiredKey:
        rotation = {
            "": None,
            "overlap": Rotation(timedelta(days=90), timedelta(days=1)),
            "none": Rotation(timedelta(days=90), timedelta(0)),
            "inPlace": Rotation(timedelta(days=90), timedelta(0), Strategy.IN_PLACE),
        }[key.rotation]
        later = self.start + timedelta(days=150)
        must = self.site.provider.name == "cortex-cloud"
        expires = {"": later if must else None, "later": later, "over": self.start - timedelta(days=1)}[key.expires]
        alias = self.alias(name)
        return builders.desired_key(
            alias, tenant=TENANT, description=key.text, level=self.site.level(key.level),
            options=self.site.options(key.variant), rotation=rotation, state=KeyState(key.state),
            protect=key.protect, expires=expires, secret_path=VaultPath(self.ground.kv, f"{self.folder}/keys/{alias}"),
            previous_names=(name if alias != name else f"{name}2",),
            reissue_after=datetime.now(UTC) - timedelta(seconds=3) if key.reissue else None,
        )  # fmt: skip

    # -- the product -----------------------------------------------------------------------------------------------

    def access(self, *, direct: bool = False, tight: bool = False, write: bool = True, **more: Any) -> Access:
        """What a run may use. `tight`: it does not wait long, for a server was told to hang."""
        timeout = TIGHT if tight else MODEST
        vault = self.ground.vault(self.ground.bao.address if direct else self.ground.proxy.address, timeout)
        root = VaultPath(self.ground.kv, f"{self.folder}/reconciler")
        estate = Estate(
            builders.ESTATE_ID, "acme", VaultConfig(vault.address, state=root), tenants=(), digest_of=lambda: "d" * 64,
            limits=Limits(rotations=1000),
        )  # fmt: skip
        return Access(
            estate=estate, vault=vault, states=StateStore(vault, root, estate.id), secrets=SecretStore(vault),
            settings=ConnectionSettings(write=write, timeout=timeout, rate=_RATE, sleep=no_nap), environ={}, **more,
        )  # fmt: skip

    def revoke(self, name: str) -> TenantEnd | None:
        """Revoke a key by whatever name the state knows it; None if it knows none."""
        state = self.state()
        known = {ObjectId.parse(text).name for text in (*state["objects"], *state["intents"]) if "ApiKey" in text}
        alias = next((one for one in (name, f"{name}2") if one in known), None)
        if alias is None:
            return None
        run = Revocation(self.access(direct=True), by="soak", reason="leaked")
        return run.revoke_all({TENANT: [alias]})[0]

    # -- Vault, behind the product's back --------------------------------------------------------------------------

    @property
    def _document(self) -> str:
        return f"{self.ground.kv}/data/{self.folder}/reconciler/{builders.ESTATE_ID}/{TENANT}"

    def state(self) -> dict[str, Any]:
        """The state document, `exists` False if there is none."""
        found = self.ground.ask("GET", self._document)
        if found is None:
            return {"objects": {}, "intents": {}, "exists": False}
        text = found["data"]["data"]["document"]
        self.said.append(text)
        return {"objects": {}, "intents": {}, "exists": True, **json.loads(text)}

    def edit_state(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the state document, if there is one."""
        found = self.ground.ask("GET", self._document)
        if found is not None:
            state = json.loads(found["data"]["data"]["document"])
            change(state)
            self.ground.ask("POST", self._document, {"data": {"document": json.dumps(state)}})

    def record(self, name: str, state: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """What the state says of a key, whichever of its names it has."""
        objects = (state or self.state())["objects"]
        return next((objects[f"ApiKey/{one}"] for one in (name, f"{name}2") if f"ApiKey/{one}" in objects), None)

    def secret(self, mount_path: str) -> dict[str, str] | None:
        """What a consumer reads at a path of the mount; None if there is nothing to read."""
        found = self.ground.ask("GET", f"{self.ground.kv}/data/{mount_path}")
        return None if found is None else found["data"]["data"]

    def lose_secret(self, mount_path: str) -> None:
        """Delete the current version of a secret, as a person would."""
        self.ground.ask("DELETE", f"{self.ground.kv}/data/{mount_path}")

    def say_revoked(self, mount_path: str, at: str) -> None:
        """Let the tombstone beside a secret, if there is one, be of that time."""
        where = f"{self.ground.kv}/metadata/{mount_path}"
        found = self.ground.ask("GET", where) if mount_path else None
        custom = (found["data"]["custom_metadata"] or {}) if found is not None else {}
        if custom.get("revoked-at"):
            self.ground.ask("POST", where, {"custom_metadata": {**custom, "revoked-at": at}})

    def end_lease(self) -> None:
        """Let a lease that nobody gave back be over."""

        def back(state: dict[str, Any]) -> None:
            if state.get("lease"):
                state["lease"]["expires"] = earlier(state["lease"]["expires"], 1)

        if self.state().get("lease"):
            self.edit_state(back)

    def steal_lease(self) -> None:
        """Another run takes the lease, as after `unlock`."""
        now = datetime.now(UTC)
        lease = {
            "run": "thief", "holder": "thief", "since": now.isoformat(),
            "expires": (now + timedelta(minutes=2)).isoformat(),
        }  # fmt: skip
        self.edit_state(lambda state: state.update(lease=lease))

    def end_late(self) -> None:
        """Let every creation that is still on its way arrive."""
        deadline = time.monotonic() + 5
        while any(self.late()) and time.monotonic() < deadline:
            requests.get(self.site.endpoint + "/nothing", timeout=20)

    def late(self) -> list[Any]:
        """Creations that are still on their way."""
        return self.ground.server.application._late[self.site.emulator]


def earlier(moment: str, days: float) -> str:
    """An ISO time, so many days before."""
    return (datetime.fromisoformat(moment) - timedelta(days=days)).isoformat()
