"""What the crash harness must know about a product: one small class for each provider.

To add a provider: write `tests/support/crash_<provider>.py` with a subclass of `Site`, and name it in `SITES` of
`tests.support.crash_sites`. Everything else (which scenarios fit, where a run can die) is found out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from reconciler.emulator.base import Emulator
from reconciler.model.names import Kind
from reconciler.providers import registry
from reconciler.providers.base import Traits, Write

FOREIGN = "somebody-elses"
"""The name of the key that every world has and that nobody of ours may touch."""


class Site(ABC):
    """One vendor account, emulated. What its methods do at the vendor is done behind the reconciler's back."""

    provider: ClassVar[str]
    variant: ClassVar[str] = ""
    """Tells sites of one product apart."""
    level_kind: ClassVar[str] = "AccessLevel"
    """The kind of manifest that gives a key its permissions, and the field of a key that names it."""
    level_field: ClassVar[str] = "accessLevel"
    kinds: ClassVar[Mapping[str, str]] = {}
    """Scenarios, by name, that make another kind of action here."""

    two_steps: ClassVar[bool] = False
    """Whether a new key gets its access only after its secret is in Vault: a consumer may read it before it works."""

    endpoint = ""
    """Where the emulator is served; known once the world has mounted it."""

    emulator: Emulator

    def __init__(self, seed: int) -> None:
        self.emulator = self.emulate(seed)

    @classmethod
    @abstractmethod
    def emulate(cls, seed: int) -> Emulator:
        """A fresh account."""

    @classmethod
    def label(cls) -> str:
        """What tests are called."""
        return f"{cls.provider}-{cls.variant}" if cls.variant else cls.provider

    @classmethod
    def traits(cls) -> Traits:
        """How the product's objects behave."""
        return registry.get(cls.provider).capabilities.traits

    @classmethod
    def has_levels(cls) -> bool:
        """Whether manifests can declare levels here."""
        return Kind(cls.level_kind) in cls.traits().kinds

    def tenant(self) -> dict[str, Any]:
        """What a Tenant's spec needs beyond provider, endpoint, credentials and secrets."""
        options = self.emulator.tenant_options
        return {"options": dict(options)} if options else {}

    def documents(self) -> Sequence[Mapping[str, Any]]:
        """Manifests that an estate needs beside all that: kind, metadata and spec."""
        return ()

    @classmethod
    def level_ref(cls, name: str) -> Any:
        """How a key names a level."""
        return name

    @classmethod
    def level(cls, variant: int) -> dict[str, Any]:
        """The spec of a level. Another variant grants other permissions."""
        raise NotImplementedError

    @classmethod
    @abstractmethod
    def key(cls, variant: int) -> dict[str, Any]:
        """What belongs in the spec of a key beside level, rotation and state. Another variant can be had by an update."""

    @abstractmethod
    def add_foreign(self) -> None:
        """Make a key named `FOREIGN` as a person would."""

    @abstractmethod
    def keys(self) -> dict[str, Mapping[str, Any]]:
        """Every key that there is but the reconciler's own, by vendor id: `{"name": …}` and what else shows a change."""

    def levels(self) -> dict[str, str]:
        """The names of all levels that the vendor did not bring along, by vendor id."""
        return {}

    @abstractmethod
    def delete_key(self, vendor_id: str) -> None:
        """Delete a key."""

    def delete_level(self, vendor_id: str) -> None:
        """Delete a level that no key has."""
        raise NotImplementedError

    def rest(self) -> None:  # noqa: B027  most products need none
        """Let as much time pass as a person takes until the next try."""

    def by_hand(self, write: Write, steps: Sequence[str]) -> dict[str, str]:
        """Do in the console what these steps say, and give the handoff fields if a secret came of it."""
        raise NotImplementedError

    @abstractmethod
    def authenticates(self, secret: Mapping[str, str]) -> str | None:
        """The id of the key as which a secret from Vault works at the vendor now; None if it does not work."""
