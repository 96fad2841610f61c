"""From canonical fields back to a manifest's `spec`: what every provider's reverse mapping shares. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from reconciler.model.desired import KeyState


def spec(**fields: Any) -> dict[str, Any]:
    """A `spec` of these fields in their order, as YAML gives it: what is empty or None is what leaving it out means.

    Tuples become lists, subclasses of text plain text, times RFC 3339 in UTC. A state is left out if it is `active`.
    """
    plain = {name: _plain(value) for name, value in fields.items()}
    return {
        name: value
        for name, value in plain.items()
        if value not in (None, "", [], {}) and not (name == "state" and value == KeyState.ACTIVE)
    }


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value
