"""A world in which runs die: an estate on disk, one emulated vendor account, and a folder of its own in a real OpenBao.

It is neutral to providers: what a product's manifests and objects look like comes from its `Site`.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from reconciler.emulator.openbao import OpenBaoServer
from reconciler.emulator.server import Server
from reconciler.errors import Rejected
from reconciler.model.outcome import ExitCode
from reconciler.providers import registry
from reconciler.providers.base import Write
from tests.support.crash_process import Kill, Processes, Ran
from tests.support.crash_site import FOREIGN, Site

ESTATE_ID: Final = UUID("5b0c1f0e-7c55-4e0e-9d53-0a6f6f3f2c11")
TENANT: Final = "acme"
UNLIMITED: Final = {"calls": 1_000_000, "per": "1s", "share": 1}
"""Runs do not sleep here: keeping under a rate would mean to ask the time until it is over."""
ROUNDS: Final = 6
"""How often a person is asked, at most, until nothing is left to do."""
_KEY_WRITES: Final = {
    "create": Write.CREATE_KEY, "generate": Write.REGENERATE_KEY, "change": Write.UPDATE_KEY, "delete": Write.DELETE_KEY,
}  # fmt: skip
_LEVEL_WRITES: Final = {
    "create": Write.CREATE_LEVEL, "change": Write.UPDATE_LEVEL, "delete": Write.DELETE_LEVEL,
}  # fmt: skip
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Ground:
    """What worlds stand on: the servers, which are shared, and the program that forks processes."""

    bao: OpenBaoServer
    server: Server
    processes: Processes
    folder: Path
    kv: str
    """A KV v2 mount; each world has a folder in it."""


@dataclass
class CrashWorld:
    """One estate with one tenant. `declared_*` is what the manifests say now, by name: the spec."""

    ground: Ground
    site: Site
    case: str
    folder: Path
    levels: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: dict[str, dict[str, Any]] = field(default_factory=dict)
    printed: list[str] = field(default_factory=list)
    consumers: dict[str, tuple[str, Mapping[str, str]]] = field(default_factory=dict)
    """What the consumers of keys hold: where they read it, and the secret."""
    brought: dict[tuple[str, tuple[str, ...]], str] = field(default_factory=dict)
    """What a person has made in the console and keeps: by object and steps, what goes to `handoff complete`."""

    # -- manifests -------------------------------------------------------------------------------------------------

    def tenant(self, secrets: str = "keys", removal: str = "delete") -> None:
        """Declare the tenant, its secrets below this folder, and what becomes of keys that are taken out of Git."""
        spec = {
            "provider": self.site.provider,
            "endpoint": self.site.endpoint,
            "credentials": {"vault": {"mount": self.ground.kv, "path": f"{self.case}/credentials"}},
            "secrets": {"mount": self.ground.kv, "path": f"{self.case}/{secrets}/{{tenant}}/{{key}}"},
            "onRemoval": removal,
            "rate": UNLIMITED,
            **self.site.tenant(),
        }
        self._write("tenant", "Tenant", {"name": TENANT}, spec)

    def level(self, name: str = "read", variant: int = 0) -> None:
        """Declare a level, where levels are declared."""
        if not self.site.has_levels():
            return
        self.levels[name] = self.site.level(variant)
        self._write(f"level-{name}", self.site.level_kind, {"name": name, "tenant": TENANT}, self.levels[name])

    def key(
        self, name: str = "splunk", *, level: str = "read", variant: int = 0, owner: str = "a", **spec: Any
    ) -> None:
        """Declare a key."""
        self.keys[name] = {
            "description": f"Key {name}",
            self.site.level_field: self.site.level_ref(level),
            **self.site.key(variant),
            **spec,
        }
        self._write(
            f"key-{name}", "ApiKey", {"name": name, "tenant": TENANT, "owner": f"{owner}@example.com"}, self.keys[name]
        )

    def without_key(self, name: str) -> None:
        """Take a key out of Git."""
        del self.keys[name]
        (self.folder / f"key-{name}.yaml").unlink()

    def without_level(self, name: str) -> None:
        """Take a level out of Git."""
        if not self.site.has_levels():
            return
        del self.levels[name]
        (self.folder / f"level-{name}.yaml").unlink()

    def _write(self, file: str, kind: str, metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
        self.document(file, kind=kind, metadata=metadata, spec=spec)

    def document(self, file: str, **content: Any) -> None:
        """Write one manifest."""
        document = {"apiVersion": "reconciler/v1", **content}
        (self.folder / f"{file}.yaml").write_text(json.dumps(document), encoding="utf-8")  # JSON is YAML

    # -- runs ------------------------------------------------------------------------------------------------------

    def run(self, *arguments: str, kill: Kill | None = None, workers: int = 1, batch: int = 0) -> Ran:
        """Run one command line in a process of its own. `handoff complete` gets what the person has."""
        given = self.given(arguments[2]) if arguments[:2] == ("handoff", "complete") else ""
        environment = {"VAULT_ADDR": self.ground.bao.address, "VAULT_TOKEN": self.ground.bao.root_token}
        ran = self.ground.processes.run(
            arguments, self.folder, environment, given=given, kill=kill, workers=workers, batch=batch
        )
        self.printed.append(ran.output)
        return ran

    def must(self, *arguments: str) -> Ran:
        """Run one command line that has to end well, with what a person does for it."""
        ran = self.finish(self.run(*arguments), arguments)
        assert ran.status == 0, ran.output
        return ran

    # -- a person in the console -----------------------------------------------------------------------------------

    def finish(self, ran: Ran, again: tuple[str, ...]) -> Ran:
        """Do by hand what a run has left to a person, and run again, until nobody is asked any more. The last run."""
        for _ in range(ROUNDS):
            if ran.status != ExitCode.HANDOFF and not (self.site.traits().by_hand and self.open()):
                break
            self.act()
            self.site.rest()
            for target in self.completable():
                self.run("handoff", "complete", target)
            ran = self.run(*again)
        return ran

    def open(self) -> list[dict[str, Any]]:
        """What waits for a person: levels, if there are any, for keys need them."""
        listed = self.run("handoff", "--format", "json")
        if listed.status not in {ExitCode.DONE, ExitCode.HANDOFF}:
            return []
        waiting: list[dict[str, Any]] = json.loads(listed.output)["tenants"][0]["waiting"]
        return [item for item in waiting if not item["object"].startswith("ApiKey/")] or waiting

    def act(self) -> None:
        """Do in the console whatever is open, unless it was done already."""
        for item in self.open():
            name = item["object"], tuple(item["steps"])
            if name not in self.brought:
                writes = _KEY_WRITES if item["object"].startswith("ApiKey/") else _LEVEL_WRITES
                made = self.site.by_hand(writes[item["asks"].split()[0]], item["steps"])
                fields = registry.get(self.site.provider).capabilities.handoff_fields
                self.brought[name] = "".join(f"{made[field]}\n" for field in fields) if made else ""

    def completable(self) -> list[str]:
        """What `handoff complete` can be told of, for its steps say so."""
        found = [f"{TENANT}/{item['object'].removeprefix('ApiKey/')}" for item in self.open()]
        told = [step for item in self.open() for step in item["steps"]]
        return [target for target in found if any(f"handoff complete {target}" in step for step in told)]

    def given(self, target: str) -> str:
        """What the person has for a target: what was made last."""
        name = target.partition("/")[2]
        found = [text for (known, _), text in self.brought.items() if known.removeprefix("ApiKey/") == name]
        return found[-1] if found else ""

    # -- Vault -----------------------------------------------------------------------------------------------------

    def put(self, path: str, data: Mapping[str, Any]) -> None:
        """Write an entry of this world."""
        self.ground.bao.request("POST", f"{self.ground.kv}/data/{self.case}/{path}", {"data": dict(data)})

    def state(self) -> dict[str, Any]:
        """The state document; with no records while there is none."""
        path = f"{self.ground.kv}/data/{self.case}/reconciler/{ESTATE_ID}/{TENANT}"
        try:
            document = self.ground.bao.request("GET", path)["data"]["data"]["document"]
        except Rejected:
            return {"objects": {}, "intents": {}}
        found: dict[str, Any] = json.loads(document)
        return found

    def edit_state(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the state document as root: how tests move the time that it remembers."""
        state = self.state()
        change(state)
        self.put(f"reconciler/{ESTATE_ID}/{TENANT}", {"document": json.dumps(state)})

    def record(self, key: str = "splunk") -> dict[str, Any]:
        """What the state remembers of a key."""
        found: dict[str, Any] = self.state()["objects"][f"ApiKey/{key}"]
        return found

    def expire_lease(self) -> None:
        """Let the lease of a killed run be over."""
        self.site.rest()
        if self.state().get("lease"):
            self.edit_state(lambda state: state["lease"].update(expires=_earlier(state["lease"]["expires"], 1)))

    def lose_state(self) -> None:
        """Lose the state document, every version of it."""
        self.ground.bao.request("DELETE", f"{self.ground.kv}/metadata/{self.case}/reconciler/{ESTATE_ID}/{TENANT}")

    def age(self, days: float, key: str = "splunk", *, issue: bool = True, overlap: bool = True) -> None:
        """Let a key's issue, and the end of its former generation's overlap, lie so many days further back."""

        def back(state: dict[str, Any]) -> None:
            record = state["objects"][f"ApiKey/{key}"]
            if issue:
                record["issuedAt"] = _earlier(record["issuedAt"], days)
            if overlap and record.get("previous"):
                record["previous"]["until"] = _earlier(record["previous"]["until"], days)

        self.edit_state(back)

    def end_quarantine(self, key: str = "splunk") -> None:
        """Let a key's quarantine be over."""

        def back(state: dict[str, Any]) -> None:
            record = state["objects"][f"ApiKey/{key}"]
            record["quarantineUntil"] = _earlier(record["quarantineUntil"], 30)

        self.edit_state(back)

    def read(self, path: str) -> Mapping[str, str] | None:
        """The secret at a path of the mount, as a consumer reads it; None if there is none."""
        try:
            found: Mapping[str, str] = self.ground.bao.request("GET", f"{self.ground.kv}/data/{path}")["data"]["data"]
        except Rejected:
            return None
        return found

    def lose_secret(self, key: str = "splunk") -> None:
        """Delete a key's secret, as a person would."""
        self.ground.bao.request("DELETE", f"{self.ground.kv}/data/{self.record(key)['path']}")

    def secrets(self) -> set[str]:
        """Every path below this world's folders for keys that a secret can be read from."""
        found: set[str] = set()
        for folder in ("keys/", "moved/"):
            found |= {path for path in self._entries(f"{self.case}/{folder}") if self.read(path) is not None}
        return found

    def _entries(self, folder: str) -> Iterator[str]:
        try:
            names = self.ground.bao.request("LIST", f"{self.ground.kv}/metadata/{folder}")["data"]["keys"]
        except Rejected:
            return
        for name in names:
            if name.endswith("/"):
                yield from self._entries(folder + name)
            else:
                yield folder + name

    # -- consumers -------------------------------------------------------------------------------------------------

    def remember(self) -> None:
        """Let the consumers of all keys read their secrets."""
        for name in self.keys:
            if not self.record(name)["version"]:
                continue
            path = self.record(name)["path"]
            secret = self.read(path)
            assert secret is not None
            self.consumers[name] = path, secret


def _earlier(time: str, days: float) -> str:
    return (datetime.fromisoformat(time) - timedelta(days=days)).isoformat()


@contextmanager
def crash_world(ground: Ground, site_of: type[Site]) -> Iterator[CrashWorld]:
    """A fresh world: a tenant, a key of somebody else's at the vendor, and nothing of ours."""
    number = next(_numbers)
    folder = ground.folder / f"estate{number}"
    folder.mkdir(parents=True)
    site = site_of(number)
    site.endpoint = ground.server.mount(site.emulator, f"crash{number}")
    made = CrashWorld(ground, site, f"case{number}", folder)
    try:
        site.add_foreign()
        made.put("credentials", {**site.emulator.credentials, "endpoint": site.endpoint})
        (folder / "reconciler.yaml").write_text(
            json.dumps(
                {
                    "apiVersion": "reconciler/v1",
                    "kind": "Estate",
                    "metadata": {"name": "acme"},
                    "spec": {
                        "id": str(ESTATE_ID),
                        "vault": {
                            "address": "https://vault.example.com:8200",
                            "state": {"mount": ground.kv, "path": f"{made.case}/reconciler"},
                        },
                    },
                }
            ),
            encoding="utf-8",
        )
        for document in site.documents():
            made.document(f"more-{document['kind']}", **document)
        made.tenant()
        yield made
    finally:
        ground.server.unmount(f"crash{number}")


def foreign(site: Site) -> list[Mapping[str, Any]]:
    """Every key that is somebody else's, as it is."""
    return [key for key in site.keys().values() if key["name"] == FOREIGN]
