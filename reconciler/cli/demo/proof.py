"""What the demo proves at the end, as one line per claim. Each says what was looked at and what was found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.cli.demo.search import Search
from reconciler.cli.demo.stage import Stage
from reconciler.emulator.openbao import OpenBaoServer
from reconciler.errors import Rejected
from reconciler.model.credential import Credential
from reconciler.model.desired import DesiredKey, DesiredTenant, KeyState, VaultPath
from reconciler.model.secret import Secret
from reconciler.providers import registry
from reconciler.providers.base import ConnectionSettings, Issued, Verification


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that the demo says, whether it holds, and if not, why not."""

    text: str
    failures: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.failures


def claims(stage: Stage) -> Iterator[Claim]:
    """Look, and say what is so."""
    keys = [(tenant, key) for tenant in stage.estate.tenants for key in tenant.keys]
    entries = {id(key): _entry(stage.bao, key.secret_path) for _, key in keys}
    active = [(tenant, key) for tenant, key in keys if key.state is KeyState.ACTIVE]
    locked = [(tenant, key) for tenant, key in keys if key.state is KeyState.LOCKED]
    products = len({tenant.provider for tenant, _ in active})
    works = {id(key): answer for tenant in stage.estate.tenants for key, answer in _asked(stage, tenant, entries)}
    yield Claim(
        f"{len(active)} active keys of {products} products authenticate with the secret that OpenBao holds",
        tuple(f"{_name(one)}: {works[id(one[1])]}" for one in active if works[id(one[1])] is not Verification.GOOD),
    )
    yield Claim(
        f"{_count(len(locked), 'locked key')} cannot, and its secret is in OpenBao all the same",
        tuple(
            f"{_name(one)}: {works[id(one[1])]}"
            for one in locked
            if works[id(one[1])] not in {Verification.BAD, Verification.UNVERIFIABLE}
        ),
    )
    yield Claim(
        "neither of the reconciler's two OpenBao identities can read any of these secrets", _readable(stage, keys)
    )
    yield _searched(stage, entries)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _entry(bao: OpenBaoServer, path: VaultPath) -> dict[str, Any]:
    """What a consumer of the key reads. Empty if there is nothing."""
    try:
        found = bao.request("GET", f"{path.mount}/data/{path.path}")
    except Rejected:
        return {}
    data: dict[str, Any] = found["data"]["data"] or {}
    return data


def _name(one: tuple[DesiredTenant, DesiredKey]) -> str:
    return f"{one[0].name}/{one[1].name}"


def _asked(
    stage: Stage, tenant: DesiredTenant, entries: dict[int, dict[str, Any]]
) -> Iterator[tuple[DesiredKey, Verification | str]]:
    """Try each of a tenant's keys at the vendor with nothing but what its consumer finds in OpenBao."""
    vendor = stage.vendors[tenant.name]
    vendor.wait()
    known = vendor.emulator.issued
    session = registry.get(tenant.provider).connect(
        tenant.endpoint,
        _own(stage, tenant),
        ConnectionSettings(write=False, options=tenant.options, endpoint_map=tenant.endpoint_map),
    )
    try:
        for key in tenant.keys:
            entry = entries[id(key)]
            yield key, session.verify(_issued(stage, key, entry, known)) if entry else "no secret in OpenBao"
    finally:
        session.close()


def _own(stage: Stage, tenant: DesiredTenant) -> Credential:
    """The credential for planning: some vendors are asked beside what became of a try."""
    assert tenant.credentials_plan.vault is not None  # noqa: S101  the stage has stored it there
    fields = _entry(stage.bao, tenant.credentials_plan.vault)
    endpoint = str(fields.pop("endpoint"))
    return Credential({name: Secret(str(value)) for name, value in fields.items()}, endpoint=endpoint)


def _issued(stage: Stage, key: DesiredKey, entry: dict[str, Any], known: tuple[str, ...]) -> Issued:
    """An entry as the provider issued it. A field that holds a secret which the vendor gave out is one."""
    path = key.secret_path
    custom = stage.bao.request("GET", f"{path.mount}/metadata/{path.path}")["data"]["custom_metadata"]
    fields = {
        name: Secret(value) if any(secret in value for secret in known) else value for name, value in entry.items()
    }
    return Issued(custom["vendor-id"], fields)


def _readable(stage: Stage, keys: list[tuple[DesiredTenant, DesiredKey]]) -> tuple[str, ...]:
    failures = []
    for identity, token in stage.tokens.items():
        for _, key in keys:
            try:
                stage.bao.request("GET", f"{key.secret_path.mount}/data/{key.secret_path.path}", token=token)
            except Rejected as refused:
                if refused.what.startswith("HTTP 403"):
                    continue
            failures.append(f"{identity}: {key.secret_path}")
    return tuple(failures)


def _searched(stage: Stage, entries: dict[int, dict[str, Any]]) -> Claim:
    """Search everything below the folder, and what OpenBao logged and keeps as state."""
    issued = [secret for vendor in stage.vendors.values() for secret in vendor.emulator.issued]
    vendors = Search(issued)
    everything = Search([*issued, *stage.tokens.values(), stage.bao.root_token])
    _save_state(stage)
    files = sorted(path for path in stage.folder.rglob("*") if path.is_file())
    found = everything.files(files)
    if vendors.hits(stage.bao.log.read_bytes()):
        found.append(stage.bao.log)
    failures = [f"a secret is in {path}" for path in found]
    # A search that could not find anything would prove nothing: it has to find what OpenBao holds.
    if not all(vendors.hits(json.dumps(entry).encode()) for entry in entries.values()):
        failures.append("the search does not find the secrets that OpenBao holds")
    size = sum(path.stat().st_size for path in files)
    text = (
        f"none of the {len(issued)} secrets ever issued is in anything that was printed, logged or written "
        f"({len(files)} files, {_kilobytes(size)})"
    )
    return Claim(text, tuple(failures))


def _kilobytes(size: int) -> str:
    return f"{max(1, size // 1000):,} kB".replace(",", " ")


def _save_state(stage: Stage) -> None:
    """Write every version of every state document, and every secret's metadata, to files beside the rest."""
    state = stage.estate.vault.state
    for path in _below(stage.bao, state):
        current = stage.bao.request("GET", f"{path.mount}/metadata/{path.path}")["data"]["current_version"]
        for version in range(1, current + 1):
            try:
                document = stage.bao.request("GET", f"{path.mount}/data/{path.path}?version={version}")
            except Rejected:  # older ones are dropped by the server
                continue
            _write(stage.folder / "state" / f"{path.path}.{version}.json", document)
    for tenant in stage.estate.tenants:
        for key in tenant.keys:
            entry = stage.bao.request("GET", f"{key.secret_path.mount}/metadata/{key.secret_path.path}")
            _write(stage.folder / "state" / "metadata" / f"{key.secret_path.path}.json", entry)


def _below(bao: OpenBaoServer, folder: VaultPath) -> Iterator[VaultPath]:
    try:
        names = bao.request("LIST", f"{folder.mount}/metadata/{folder.path}")["data"]["keys"]
    except Rejected:
        return
    for name in names:
        below = VaultPath(folder.mount, f"{folder.path}/{name.rstrip('/')}")
        if name.endswith("/"):
            yield from _below(bao, below)
        else:
            yield below


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")
