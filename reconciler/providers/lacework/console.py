"""What a person clicks and enters in the console, where no API does it (menus as in KEYDOC)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reconciler.model.desired import DesiredTenant, KeyState
from reconciler.providers.base import Step, Write
from reconciler.providers.lacework import accounts
from reconciler.providers.naming import vendor_name

_MENU: Final = "Settings > API keys"


def steps(tenant: DesiredTenant, write: Write, step: Step) -> tuple[str, ...]:
    """The steps of one write, a line each; nothing for a write that is made by API."""
    match write:
        case Write.CREATE_KEY | Write.REGENERATE_KEY:
            return tuple(_create(tenant, step))
        case Write.UPDATE_KEY:
            return tuple(_update(tenant, step))
        case Write.DELETE_KEY:
            return tuple(_delete(tenant, step))
        case _:
            return ()


def _create(tenant: DesiredTenant, step: Step) -> Iterator[str]:
    person = "@" in step.level
    if person:
        yield _sign_in(tenant, f"as {step.level}: the console makes a person's keys for that person only")
        yield f"Open {_MENU}, the tab 'User API keys', and click '+ Add New'"
    else:
        yield _sign_in(tenant, "with the right to write API keys, for example as an account admin")
        yield f"Open {_MENU}, the tab 'Service user API keys', and click '+ Add New'"
    yield f"Name: {vendor_name(step.name, step.mark)}"
    yield f"Description: {step.mark.attach(str(step.fields.get('description', '')))}"
    if not person:
        yield (
            f"Switch on 'Assign this to a service user' and select {step.level!r}: "
            "a user that the reconciler made is listed under that name with a mark in square brackets behind it"
        )
    yield "Click 'Save', then download the key's file; do not open it, and do not send it to anybody"
    yield f"Run: reconciler handoff complete {tenant.name}/{step.name} --key-file FILE"
    if step.fields.get("state") == KeyState.LOCKED:
        yield "When that has said that the key works: disable the key in the same list"


def _update(tenant: DesiredTenant, step: Step) -> Iterator[str]:
    yield from _find(tenant, step)
    if "name" in step.changed:
        yield f"Name: {vendor_name(step.name, step.mark)}"
    if "description" in step.changed:
        yield f"Description: {step.mark.attach(str(step.fields.get('description', '')))}"
    if step.changed & {"name", "description"}:
        yield "If your console offers no way to edit them, leave them: nothing but people reads them"
    if "state" in step.changed:
        locked = step.fields.get("state") == KeyState.LOCKED
        yield "Disable the key: its status becomes Inactive" if locked else "Enable the key: its status becomes Active"
        if locked:
            yield "Tokens that it has been exchanged for go on working for at most 24 hours"
    yield f"Run: reconciler handoff complete {tenant.name}/{step.name}"


def _delete(tenant: DesiredTenant, step: Step) -> Iterator[str]:
    yield from _find(tenant, step)
    yield "Delete the key; if it is not there any more, there is nothing to do"
    yield f"Run: reconciler handoff complete {tenant.name}/{step.name}"


def _find(tenant: DesiredTenant, step: Step) -> Iterator[str]:
    yield _sign_in(tenant, "with the right to write API keys, for example as an account admin")
    tab = "User API keys" if "@" in step.level else "Service user API keys"
    yield f"Open {_MENU}, the tab {tab!r}, and find the key with the ID {step.vendor_id}"


def _sign_in(tenant: DesiredTenant, who: str) -> str:
    sub_account = accounts.sub_account(tenant.options.get("subAccount"))
    where = f" and switch to the account {sub_account}" if sub_account else ""
    return f"Sign in to {tenant.endpoint.rstrip('/')}{where}, {who}"
