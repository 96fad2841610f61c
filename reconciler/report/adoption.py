"""What an import has adopted and what it has left out, for people and as plain data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from reconciler.errors import foreign, printable
from reconciler.model.names import Kind, ObjectId
from reconciler.model.outcome import ExitCode
from reconciler.plan.adopt import Adoption

FORMAT: Final = 1


def code(adoption: Adoption) -> ExitCode:
    """PARTIAL if something was left out that somebody may have expected to be adopted."""
    return ExitCode.PARTIAL if any(not item.expected for item in adoption.left_out) else ExitCode.DONE


def text(console: Console, tenant: str, adoption: Adoption, shown: Callable[[ObjectId], str]) -> None:
    """A line for each manifest and each object that was left out, and what comes next. `shown` names an object's file."""
    for item in adoption.adopted:
        called = f" (at the vendor {foreign(item.found.name)!r})" if item.found.name != item.id.name else ""
        line = f"{item.id}{called}, id {item.found.vendor_id}: {shown(item.id)}"
        console.print(Text.assemble(("adopted ", "green"), printable(line)), soft_wrap=True)
    for left in adoption.left_out:
        line = f"{left.found.kind}/{foreign(left.found.name)}, id {left.found.vendor_id}: {left.reason}"
        console.print(
            Text.assemble(("left as it is ", "dim" if left.expected else "yellow"), printable(line)), soft_wrap=True
        )
    if adoption.unseen:
        console.print(Text.assemble(("not seen ", "yellow"), adoption.unseen), soft_wrap=True)
    console.print(Text(_summary(tenant, adoption)), soft_wrap=True)


def _summary(tenant: str, adoption: Adoption) -> str:
    if not adoption.adopted:
        return f"{tenant}: nothing to adopt"
    keys = sum(item.id.kind is Kind.API_KEY for item in adoption.adopted)
    secrets = (
        " The secrets of adopted keys are not known: `reconciler plan` says what can be done about each."
        if keys
        else ""
    )
    return (
        f"{tenant}: {len(adoption.adopted)} adopted. Commit the manifests; nothing at the vendor was changed, and the "
        f"next plan has nothing to do about them.{secrets}"
    )


def data(tenant: str, adoption: Adoption, file_of: Callable[[ObjectId], Path]) -> dict[str, Any]:
    """The same as plain data."""
    return {
        "format": FORMAT,
        "tenant": tenant,
        "exitCode": int(code(adoption)),
        "adopted": [
            {
                "object": str(item.id),
                "vendorId": item.found.vendor_id,
                "vendorName": item.found.name,
                "file": str(file_of(item.id)),
            }
            for item in adoption.adopted
        ],
        "leftOut": [
            {
                "kind": str(left.found.kind),
                "vendorId": left.found.vendor_id,
                "vendorName": left.found.name,
                "reason": left.reason,
                "expected": left.expected,
            }
            for left in adoption.left_out
        ],
        "unseen": adoption.unseen,
    }
