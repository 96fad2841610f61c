"""A vendor credential on its way from where it is kept to a provider's authenticator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.model.secret import Secret


@dataclass(frozen=True, slots=True)
class Credential:
    """Its fields, and the endpoint that it may be sent to (None: from the environment, where nothing says)."""

    fields: Mapping[str, Secret]
    endpoint: str | None
