"""Samples as manifests. Everything is written as JSON, which is YAML too."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from reconciler.conformance.subject import Spec, Subject
from reconciler.emulator.base import Emulator
from reconciler.model.names import Kind

ESTATE: Final = UUID("0f4c1b7e-6d0a-4a54-9a55-3f6f2f9a1c77")
TENANT: Final = "sample"
LEVEL: Final = "read"
OTHER_LEVEL: Final = "write"
KEY: Final = "splunk"
KEEPER: Final = "keeper"
"""A second key, so that an estate from which the first one is taken is not empty."""
OWNER: Final = "secops@example.com"


def put(spec: Spec, dotted: str, value: Any) -> dict[str, Any]:
    """A copy of a spec with another value for one field."""
    made = copy.deepcopy(dict(spec))
    holder: dict[str, Any] = made
    *outer, last = dotted.split(".")
    for name in outer:
        holder = holder.setdefault(name, {})
    holder[last] = value
    return made


@dataclass
class Samples:
    """The sample objects of one emulated account, as they are wanted now; tests change them."""

    subject: Subject
    emulator: Emulator
    endpoint: str
    now: datetime
    mount: str = "secret"
    levels: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: dict[str, dict[str, Any]] = field(default_factory=dict)
    former_names: dict[str, list[str]] = field(default_factory=dict)
    tenant: dict[str, Any] = field(default_factory=dict)
    """More of the tenant's spec."""

    def __post_init__(self) -> None:
        """Start with one level (and another one that differs in one field) and one key."""
        level = self.subject.level(self.emulator)
        if level is not None:
            self.levels = {LEVEL: dict(level), OTHER_LEVEL: self.other_level()}
        self.keys = {KEY: self.key()}

    @property
    def level_field(self) -> str:
        """What keys call what gives them their permissions."""
        return "serviceUser" if self.subject.level_kind is Kind.SERVICE_USER else "accessLevel"

    def level_ref(self, *, other: bool = False) -> Any:
        """What a key says to have the first level, or the other one."""
        if self.subject.level(self.emulator) is not None:
            return OTHER_LEVEL if other else LEVEL
        return {"existing": self.subject.existing_levels(self.emulator)[other]}

    def other_level(self) -> dict[str, Any]:
        """A level that is allowed something else."""
        level, changes = self.subject.level(self.emulator) or {}, self.subject.level_changes(self.emulator)
        for name in ("permissions", "groups"):
            if name in changes:
                level = put(level, name, changes[name])
        return dict(level)

    def key(self) -> dict[str, Any]:
        """The sample key's spec, its level included."""
        return {**copy.deepcopy(dict(self.subject.key(self.emulator, self.now))), self.level_field: self.level_ref()}

    def change_key(self, dotted: str, value: Any, name: str = KEY) -> None:
        """Want another value for one field of a key."""
        self.keys[name] = put(self.keys[name], dotted, value)

    def change_level(self, dotted: str, value: Any, name: str = LEVEL) -> None:
        """Want another value for one field of a level."""
        self.levels[name] = put(self.levels[name], dotted, value)

    def rename_key(self, old: str, new: str) -> None:
        """Call a key otherwise, keeping what it is."""
        self.keys[new] = self.keys.pop(old)
        self.former_names[new] = [old]

    def write(self, folder: Path) -> None:
        """Write the estate."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "reconciler.yaml").write_text(json.dumps(self._estate()), encoding="utf-8")
        documents = "\n---\n".join(json.dumps(one, ensure_ascii=False, indent=1) for one in self._documents())
        (folder / "sample.yaml").write_text(documents, encoding="utf-8")

    def _estate(self) -> dict[str, Any]:
        vault = {"address": "https://vault.example.com:8200", "state": {"mount": self.mount, "path": "reconciler"}}
        return _document("Estate", {"name": "conformance"}, {"id": str(ESTATE), "vault": vault})

    def _documents(self) -> Iterator[dict[str, Any]]:
        options, found = dict(self.subject.options(self.emulator)), self.subject.endpoint_map(self.emulator)
        spec = {
            "provider": self.subject.provider.name,
            "endpoint": self.endpoint,
            "credentials": {"vault": {"mount": self.mount, "path": f"credentials/{TENANT}"}},
            "secrets": {"mount": self.mount, "path": "keys/{tenant}/{key}"},
            "rate": {"calls": 1_000_000, "share": 1},
            "onRemoval": "delete",
            **({"options": options} if options else {}),
            **self.tenant,
        }
        yield _document("Tenant", {"name": TENANT}, spec)
        if found is not None:
            yield _document("EndpointMap", {"name": options["endpointMap"]}, dict(found))
        for name, level in self.levels.items():
            yield _document(str(self.subject.level_kind), {"name": name, "tenant": TENANT}, level)
        for name, key in self.keys.items():
            former = {"previousNames": self.former_names[name]} if name in self.former_names else {}
            yield _document("ApiKey", {"name": name, "tenant": TENANT, "owner": OWNER, **former}, key)


def _document(kind: str, metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "reconciler/v1", "kind": kind, "metadata": dict(metadata), "spec": dict(spec)}
