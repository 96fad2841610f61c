"""What products have in common whose keys are made by API: the parts of the protocol that are about the console.

A provider and a session of such a product inherit these, and say nothing of handoffs themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from reconciler.errors import InvalidInput
from reconciler.model.desired import DesiredTenant
from reconciler.model.mark import Mark
from reconciler.model.observed import Fields
from reconciler.model.secret import Secret
from reconciler.providers.base import Issued, Step, Write


class ProviderByApi:
    """The offline half."""

    def console_steps(self, tenant: DesiredTenant, write: Write, step: Step) -> tuple[str, ...]:  # noqa: ARG002
        """Nothing is made by hand here."""
        return ()

    def key_file(self, content: bytes) -> Mapping[str, Secret | str]:  # noqa: ARG002
        """The console gives out no file."""
        raise InvalidInput("this product's console gives out no key file")


class SessionByApi:
    """The connected half. A product that needs several steps to make a key has a `finish_key` of its own."""

    def finish_key(self, vendor_id: str, fields: Fields, level_id: str, mark: Mark) -> None:
        """A key is complete when it has been created."""

    def accept_key(self, fields: Mapping[str, Secret | str]) -> Issued:  # noqa: ARG002
        """Nothing is made by hand here."""
        raise InvalidInput("keys of this product are made by API: there is no handoff to complete")

    def clicked(self, name: str, since: datetime) -> None:
        """Nothing is made by hand here."""
