"""What a revocation will do and has done, for people and as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from reconciler.apply.emergency import Trail
from reconciler.apply.revoke import KeyEnd, TenantEnd
from reconciler.errors import printable
from reconciler.model.estate import Estate
from reconciler.model.state import StateDocument
from reconciler.report import words

FORMAT: Final = 1


def preview(console: Console, doomed: Mapping[str, tuple[StateDocument, Sequence[Trail]]]) -> None:
    """What would die: each key with its generations at the vendor and the places of its secrets, before anything is done."""
    for tenant, (document, trails) in doomed.items():
        where = printable(f" · {document.provider} · {document.endpoint}")
        console.print(Text.assemble((tenant, "bold"), where), soft_wrap=True)
        for trail in trails:
            console.print(Text.assemble(("  × ", "bold red"), (str(trail.name), "bold")), soft_wrap=True)
            for line in _known(trail):
                console.print(Text(printable(f"      {line}")), soft_wrap=True)


def _known(trail: Trail) -> list[str]:
    record = trail.record
    lines = [f"id {vendor_id}, generation {generation}" for vendor_id, generation, _ in trail.recorded()]
    if trail.intent is not None:
        lines.append("and what a run is issuing now, or was when it died")
    lines += [f"every version of the secret at {path}" for path in trail.paths]
    if record is not None and record.protect:
        lines.append("it is protected: that stops no emergency")
    if record is not None and record.revoked is not None:
        lines.append(f"revoked already, {record.revoked.at:%Y-%m-%d %H:%M}Z: {record.revoked.reason}")
    return lines


def ends(console: Console, outcome: Sequence[TenantEnd], spared: Sequence[str] = ()) -> None:
    """A line for each key and each thing that was done, what is left, and a summary line."""
    for tenant in outcome:
        if tenant.error is not None:
            console.print(Text.assemble(("error ", "bold red"), printable(str(tenant.error))), soft_wrap=True)
        for key in tenant.keys:
            console.print(
                Text.assemble(("revoked ", "red"), (printable(f"{tenant.tenant}/{key.name.name}"), "bold")),
                soft_wrap=True,
            )
            for line in _done(key):
                console.print(Text(printable(f"  {line}")), soft_wrap=True)
            for line in key.left:
                console.print(Text.assemble(("  left ", "bold red"), printable(line)), soft_wrap=True)
            for line in key.steps:
                console.print(Text.assemble(("  by hand ", "yellow"), printable(line)), soft_wrap=True)
    for name in spared:
        line = f"{name} is protected: name it to revoke it, a selector does not"
        console.print(Text.assemble(("left ", "bold red"), printable(line)), soft_wrap=True)
    console.print(Text(_closing(outcome, spared), style="bold"), soft_wrap=True)


def _done(key: KeyEnd) -> list[str]:
    lines = [f"id {one.vendor_id}: {one.how}" for one in key.ended if one.how]
    if not key.ended and not key.left:
        lines.append("no key with its mark is at the vendor")
    return lines + [f"{path}: every version deleted" for path in key.emptied]


def _closing(outcome: Sequence[TenantEnd], spared: Sequence[str]) -> str:
    keys = [key for tenant in outcome for key in tenant.keys]
    dead = sum(bool(one.how) and not one.left for key in keys for one in key.ended)
    line = f"Revoke: {words.plural(len(keys), 'tombstone')} written, {words.plural(dead, 'live key')} ended"
    left = sum(bool(key.left) for key in keys) + sum(tenant.error is not None for tenant in outcome) + len(spared)
    if left:
        line += f"; {words.plural(left, 'item')} left: run the same command again"
    by_hand = sum(bool(key.steps) for key in keys)
    return f"{line}; {words.plural(by_hand, 'key')} to be deleted by hand" if by_hand else line


def data(estate: Estate, outcome: Sequence[TenantEnd], spared: Sequence[str] = ()) -> dict[str, Any]:
    """`{format, estate, spared, tenants: [{tenant, exitCode, error, keys: [{object, revoked, ended, emptied, …}]}]}`."""
    return {
        "format": FORMAT,
        "estate": str(estate.id),
        "spared": list(spared),
        "tenants": [
            {
                "tenant": tenant.tenant,
                "exitCode": int(tenant.code),
                "error": str(tenant.error) if tenant.error else None,
                "keys": [_key(key) for key in tenant.keys],
            }
            for tenant in outcome
        ],
    }


def _key(key: KeyEnd) -> dict[str, Any]:
    return {
        "object": str(key.name),
        "exitCode": int(key.code),
        "revoked": key.tombstone.model_dump(mode="json", by_alias=True),
        "ended": [{"vendorId": one.vendor_id, "how": one.how or None, "left": one.left or None} for one in key.ended],
        "emptied": [str(path) for path in key.emptied],
        "byHand": list(key.steps),
        "left": list(key.left),
    }
