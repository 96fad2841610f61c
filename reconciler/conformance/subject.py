"""What the suite must be told of a provider: how its product is emulated, and values for everything that can be declared."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from importlib import import_module
from typing import Any, ClassVar

from reconciler.emulator.base import Emulator, Settings
from reconciler.model.credential import Credential
from reconciler.model.names import Kind
from reconciler.providers.base import ConnectionSettings, Provider, Session, Write

Spec = Mapping[str, Any]
"""The `spec` of a manifest, as YAML would give it."""


class Subject(ABC):
    """One provider under test. Samples are manifest specs, so that what is tested is what users write.

    A sample uses every field that the capability table says is made true by API or by hand; a change gives another value
    for one field. Both may depend on the emulator, for some values are the account's own.
    """

    location: ClassVar[str]
    """Where the provider is, as an entry point says it: `package.module:PROVIDER`."""
    level_kind: ClassVar[Kind] = Kind.ACCESS_LEVEL
    """What gives keys their permissions here."""
    variants: ClassVar[tuple[str, ...]] = ("",)
    """Emulators that answer differently, where the vendor may: order, case, precision. The first is the plain one."""
    leaky: ClassVar[str] = ""
    """The variant whose lists hold secrets, if the product may do that."""
    key_creation: ClassVar[tuple[str, str] | None] = None
    """Method and path of the request that creates a key, as the emulator counts it; None: a person makes keys."""
    level_creation: ClassVar[tuple[str, str] | None] = None
    """The same for access levels (or users); None: a person makes them, or nobody."""
    many_keys: ClassVar[int] = 1100
    """How many keys to list; fewer only where the product allows no more."""
    wrong_secret_is_certain: ClassVar[bool] = True
    """Whether the product tells a wrong secret from one that cannot be tried from here."""

    @property
    def provider(self) -> Provider:
        """The provider itself."""
        module, _, name = self.location.partition(":")
        found: Provider = getattr(import_module(module), name)
        return found

    @abstractmethod
    def emulator(self, settings: Settings, variant: str = "") -> Emulator:
        """A fresh emulated account. `settings` has the clock, a seed, and perhaps a rate limit."""

    def connect(
        self,
        endpoint: str,
        credential: Credential,
        settings: ConnectionSettings,
        clock: Callable[[], float],  # noqa: ARG002  for those whose sessions measure time
    ) -> Session:
        """A session in the suite's time. Override it where a session measures time by itself, and give it the clock."""
        return self.provider.connect(endpoint, credential, settings)

    def options(self, emulator: Emulator) -> Spec:  # noqa: ARG002  for those who have some
        """`Tenant.spec.options`."""
        return {}

    def endpoint_map(self, emulator: Emulator) -> Spec | None:  # noqa: ARG002
        """`EndpointMap.spec`; the tenant's option `endpointMap` names it."""
        return None

    def level(self, emulator: Emulator) -> Spec | None:  # noqa: ARG002
        """An access level's (or service user's) spec with every field; None where they cannot be declared."""
        return None

    def level_changes(self, emulator: Emulator) -> Spec:  # noqa: ARG002
        """Another value for each field of the level."""
        return {}

    def existing_levels(self, emulator: Emulator) -> tuple[str, str]:
        """Where levels cannot be declared: two that exist, by the product's names."""
        raise NotImplementedError("declare a level, or name two that exist")

    @abstractmethod
    def key(self, emulator: Emulator, now: datetime) -> Spec:
        """A key's spec with every field but `accessLevel`, `serviceUser`, `state` and `rotation`, which the suite adds."""

    @abstractmethod
    def key_changes(self, emulator: Emulator, now: datetime) -> Spec:
        """Another value for each field of the key, by dotted name: `options.locale`."""

    @abstractmethod
    def foreign_key(self, emulator: Emulator, name: str) -> None:
        """Make a key of that name as somebody else would."""

    def foreign_level(self, emulator: Emulator, name: str) -> None:  # noqa: B027  not everybody has levels
        """Make an access level (or user) of that name as somebody else would."""

    def fill(self, emulator: Emulator, count: int) -> None:
        """Make so many keys as somebody else would."""
        for number in range(count):
            self.foreign_key(emulator, f"other-{number:04}")

    def let_it_rest(self, emulator: Emulator) -> None:  # noqa: B027  not everybody has sessions
        """Let time pass, where a secret that was just used cannot be told from a wrong one until it is used afresh."""

    def by_hand(self, emulator: Emulator, write: Write, steps: Sequence[str]) -> Mapping[str, str]:
        """Do in the console what the steps say, and bring back the handoff fields (of a new key or secret; else nothing)."""
        raise NotImplementedError(f"{write}: {steps}")
