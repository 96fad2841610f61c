"""What to click and to enter in the console, line by line, for each write that is made by hand (S6, S7, S9)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from reconciler.model.desired import DesiredTenant
from reconciler.providers import naming
from reconciler.providers.base import Step, Write
from reconciler.providers.carbon_black_cloud.catalogue import PERMISSIONS

_ACCESS: Final = "Settings > API Access"


def steps(tenant: DesiredTenant, write: Write, step: Step) -> tuple[str, ...]:
    """Every line that a person needs for one write."""
    first = f"Sign in at {tenant.endpoint.rstrip('/')} to the organisation {tenant.options.get('orgKey', '')}."
    return (first, *_WRITES[write](tenant, step))


def _create_key(tenant: DesiredTenant, step: Step) -> Iterator[str]:
    yield f"Open {_ACCESS}, tab API Keys, and click Add API Key."
    yield f"Name: {naming.vendor_name(step.name, step.mark)}"
    yield _description(step)
    yield "Access Level type: Custom"
    yield f"Custom Access Level: {step.level}"
    yield _addresses(step.fields.get("allowedIPs", ()))
    yield "Click Save. The window shows API ID and API Secret Key once: keep it open until the last step is done."
    yield _complete(tenant, step)


def _update_key(tenant: DesiredTenant, step: Step) -> Iterator[str]:
    yield f"Open {_ACCESS}, tab API Keys, find API ID {step.vendor_id}, and click Edit (the pencil)."
    if "name" in step.changed:
        yield f"Name: {naming.vendor_name(step.name, step.mark)}"
    if "description" in step.changed:
        yield _description(step)
    if "allowedIPs" in step.changed:
        yield _addresses(step.fields.get("allowedIPs", ()))
    yield "Leave everything else as it is, and click Save."
    yield f"Then run: reconciler handoff complete {tenant.name}/{step.name}"


def _regenerate_key(tenant: DesiredTenant, step: Step) -> Iterator[str]:
    yield f"Open {_ACCESS}, tab API Keys, find API ID {step.vendor_id}, and choose Actions > API Credentials."
    yield "Click Generate new API Secret Key and confirm: the former secret is dead at once."
    yield "The window shows the API Secret Key once: keep it open until the last step is done."
    yield _complete(tenant, step)


def _delete_key(tenant: DesiredTenant, step: Step) -> Iterator[str]:
    name = naming.vendor_name(step.name, step.mark)
    yield f"Open {_ACCESS}, tab API Keys, and find API ID {step.vendor_id} (name {name})."
    yield "Choose Actions > Delete and confirm."
    yield (
        "If it fails, a notification rule holds the key: remove the key from its subscribers under "
        "Settings > Notifications, and delete again."
    )
    yield f"Then run: reconciler handoff complete {tenant.name}/{step.name}"


def _create_level(_: DesiredTenant, step: Step) -> Iterator[str]:
    yield f"Open {_ACCESS}, tab Access Levels, and click Add Access Level."
    yield from _level(step)
    yield "Then run: reconciler apply (it finds the access level by the end of its description)"


def _update_level(tenant: DesiredTenant, step: Step) -> Iterator[str]:
    yield f"Open {_ACCESS}, tab Access Levels, find {step.name}, and click Edit: every key with this level changes."
    yield from _level(step)
    yield f"Then run: reconciler handoff complete {tenant.name}/AccessLevel/{step.name}"


def _level(step: Step) -> Iterator[str]:
    yield f"Name: {step.name}"
    yield _description(step)
    yield "Tick exactly these permissions, and no other:"
    yield from _ticks(step.fields.get("permissions", {}))
    yield "Click Save."


def _delete_level(tenant: DesiredTenant, step: Step) -> Iterator[str]:
    yield f"Open {_ACCESS}, tab Access Levels, and find {step.name} (its URN is {step.vendor_id})."
    yield "Make sure that no key has it any more, choose Delete and confirm."
    yield f"Then run: reconciler handoff complete {tenant.name}/AccessLevel/{step.name}"


_WRITES: Final[Mapping[Write, Callable[[DesiredTenant, Step], Iterator[str]]]] = {
    Write.CREATE_KEY: _create_key,
    Write.UPDATE_KEY: _update_key,
    Write.REGENERATE_KEY: _regenerate_key,
    Write.DELETE_KEY: _delete_key,
    Write.CREATE_LEVEL: _create_level,
    Write.UPDATE_LEVEL: _update_level,
    Write.DELETE_LEVEL: _delete_level,
}


def _description(step: Step) -> str:
    return f"Description: {step.mark.attach(step.fields.get('description', ''))}"


def _addresses(networks: Any) -> str:
    wanted = ", ".join(networks)
    return f"Authorized IP addresses: {wanted}" if wanted else "Authorized IP addresses: leave empty"


def _ticks(permissions: Mapping[str, Any]) -> Iterator[str]:
    for name, operations in permissions.items():
        known = PERMISSIONS.get(name)
        area = f" ({known.area})" if known else ""
        yield f"  {name}{area}: {', '.join(operations)}"


def _complete(tenant: DesiredTenant, step: Step) -> str:
    return f"Then run: reconciler handoff complete {tenant.name}/{step.name} (it asks for API ID and API Secret Key)"
