"""One emulated account with a session to it, and the sample objects as the provider understands them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from starlette.responses import Response

from reconciler.conformance.fake_time import FakeTime
from reconciler.conformance.manifests import ESTATE, KEY, LEVEL, OTHER_LEVEL, TENANT, Samples
from reconciler.conformance.subject import Subject
from reconciler.emulator.base import Call, Emulator, Endpoint, RateLimit, Settings
from reconciler.emulator.clock import ManualClock
from reconciler.emulator.server import Server
from reconciler.manifest import load_estate
from reconciler.model.credential import Credential
from reconciler.model.desired import DesiredKey, DesiredLevel, DesiredTenant
from reconciler.model.desired import RateLimit as Allowance
from reconciler.model.mark import Mark, new_nonce, owner_tag
from reconciler.model.observed import Fields, KnownKey, Observed, ObservedTenant
from reconciler.model.secret import Secret
from reconciler.providers.base import (
    ConnectionSettings,
    Expiry,
    Heard,
    Issued,
    Provider,
    Session,
    Step,
    Traits,
    Verification,
    Write,
)

UNLIMITED: Final = Allowance(1_000_000, 1.0, 1.0)
_numbers = itertools.count(1)


@dataclass
class Made:
    """A key that was made through the session: what came back, and what it was asked to be."""

    issued: Issued
    mark: Mark
    name: str
    level_id: str
    fields: Fields

    @property
    def known(self) -> KnownKey:
        """As our records would name it."""
        return KnownKey(self.issued.vendor_id, self.name, self.mark, self.level_id)


class Bench:
    """See the module's text. Its sessions wait in fake time only."""

    def __init__(
        self, subject: Subject, server: Server, folder: Path, *, variant: str = "", limit: RateLimit | None = None
    ) -> None:
        self.subject = subject
        self.provider: Provider = subject.provider
        self.clock = ManualClock(datetime.now(UTC).replace(microsecond=0))
        self.time = FakeTime(self.clock)
        number = next(_numbers)
        self.emulator: Emulator = subject.emulator(Settings(seed=number, rate_limit=limit, clock=self.clock), variant)
        self.prefix = f"bench{number}"
        self.endpoint = server.mount(self.emulator, self.prefix)
        self.statuses: list[int] = []
        """The status of every answer that the emulator gave, faults left out."""
        self._count_answers()
        self._folder = folder
        self.samples = Samples(subject, self.emulator, self.endpoint, self.clock.now())
        self.tenant: DesiredTenant = self.load()
        self.traits: Traits = self.provider.traits(self.tenant)
        self.tag = owner_tag(ESTATE, TENANT)
        self._opened: list[Session] = []
        self.session = self.connect()

    def load(self) -> DesiredTenant:
        """The samples as they are wanted now, through the manifest loader: whatever is invalid is refused there."""
        self.samples.write(self._folder)
        [tenant] = load_estate(self._folder).tenants
        return tenant

    def connect(
        self,
        *,
        write: bool = True,
        rate: Allowance = UNLIMITED,
        before_write: Callable[[], None] | None = None,
        credential: Mapping[str, str] | None = None,
        on_answer: Callable[[Heard], None] | None = None,
    ) -> Session:
        """A session of its own."""
        fields = {name: Secret(value) for name, value in (credential or self.emulator.credentials).items()}
        settings = ConnectionSettings(
            write=write,
            timeout=20.0,
            rate=rate,
            sleep=self.time.sleep,
            options=self.tenant.options,
            endpoint_map=self.tenant.endpoint_map,
            before_write=before_write,
            on_answer=on_answer,
        )
        session = self.subject.connect(self.endpoint, Credential(fields, self.endpoint), settings, self.time.clock)
        self._opened.append(session)
        return session

    def close(self) -> None:
        """Close every session."""
        for session in self._opened:
            session.close()

    # What is wanted.

    def wanted_key(self, name: str = KEY) -> DesiredKey:
        """The key as the manifests want it now."""
        return next(key for key in self.load().keys if key.name == name)

    def wanted_level(self, name: str = LEVEL) -> DesiredLevel:
        """The level as the manifests want it now."""
        return next(level for level in self.load().levels if level.name == name)

    def mark(self, generation: int = 1) -> Mark:
        """A fresh mark of ours."""
        return Mark(self.tag, generation, new_nonce())

    # Making things, by API or by hand.

    @property
    def declares_levels(self) -> bool:
        """Whether manifests may declare what gives keys their permissions."""
        return self.subject.level_kind in self.traits.kinds

    def make_level(self, name: str = LEVEL, mark: Mark | None = None) -> str:
        """Make a sample level (or find the one that exists) and give its id."""
        if not self.declares_levels:
            wanted = self.subject.existing_levels(self.emulator)[name == OTHER_LEVEL]
            return next(level.vendor_id for level in self.session.observe().levels if level.name == wanted)
        mark, fields = mark or self.mark(), self.provider.level_fields(self.wanted_level(name))
        if Write.CREATE_LEVEL not in self.traits.by_hand:
            return self.session.create_level(name, fields, mark)
        self.ask(Write.CREATE_LEVEL, Step(name, fields, mark))
        found = self.session.find_level(name, mark)
        assert found is not None, f"the level {name} that a person made is not found by its mark"
        return found.vendor_id

    def make_key(
        self, level_id: str, name: str = KEY, *, mark: Mark | None = None, session: Session | None = None
    ) -> Made:
        """Make the sample key, and finish it."""
        mark, session = mark or self.mark(), session or self.session
        fields = {**self.provider.key_fields(self.wanted_key()), "name": name}
        if Write.CREATE_KEY in self.traits.by_hand:
            step = Step(name, fields, mark, level=self.level_name(level_id))
            issued = session.accept_key(self.ask(Write.CREATE_KEY, step))
        else:
            issued = session.create_key(name, fields, level_id, mark)
        session.finish_key(issued.vendor_id, fields, level_id, mark)
        return Made(issued, mark, name, level_id, fields)

    def level_name(self, level_id: str) -> str:
        """A level's name, without our mark."""
        return next(level.name for level in self.session.observe().levels if level.vendor_id == level_id)

    def ask(self, write: Write, step: Step) -> Mapping[str, Secret | str]:
        """Let the person in the console do what our steps say."""
        steps = self.provider.console_steps(self.tenant, write, step)
        assert steps, f"a person is to {write}, and there are no steps for it"
        brought = self.subject.by_hand(self.emulator, write, steps)
        return {name: Secret(value) for name, value in brought.items()}

    def whole(self, changed: Fields, fields: Fields) -> Fields:
        """A change as the core asks for it: what cannot be read back goes along, lest it be lost."""
        if not set(changed) - {"state"}:
            return changed
        along = (self.traits.unreadable - self.traits.by_hand_fields) & fields.keys()
        return {**{name: fields[name] for name in along}, **changed}

    # Looking.

    def observe(self, *made: Made) -> ObservedTenant:
        """Everything; `made` are the keys that our records would name."""
        return self.session.observe(() if self.traits.lists_keys else tuple(one.known for one in made))

    def find(self, made: Made) -> Observed:
        """The key as it is observed now."""
        return next(key for key in self.observe(made).keys if key.vendor_id == made.issued.vendor_id)

    def find_level(self, level_id: str) -> Observed:
        """The level as it is observed now."""
        return next(level for level in self.session.observe().levels if level.vendor_id == level_id)

    def difference(self, wanted: Fields, found: Fields) -> dict[str, tuple[Any, Any]]:
        """What a plan would find to do: nothing, if all is well."""
        different = {
            name: (wanted.get(name, "(nothing)"), found.get(name, "(nothing)"))
            for name in sorted({*wanted, *found})
            if not (name in wanted and name in found and self._same(name, wanted[name], found[name]))
        }
        for name in self.traits.unreadable:
            if name in wanted and name not in found:
                different.pop(name, None)
        return different

    def _same(self, name: str, wanted: Any, found: Any) -> bool:
        if name == "expires" and self.traits.expiry is Expiry.ROUNDED:
            return found is None or (wanted is not None and wanted <= found < wanted + timedelta(days=400))
        return bool(wanted == found)

    @property
    def secrets(self) -> set[str]:
        """Every secret that the account ever gave out, and the credential in use."""
        return {*self.emulator.issued, *self.emulator.credentials.values()} - {self.subject_own_id}

    @property
    def subject_own_id(self) -> str:
        """The id of the key in use: it may stand beside its secret, and is none."""
        found = self.session.observe().own_key_id
        return found or ""

    def verify(self, issued: Issued) -> Verification:
        """Whether a secret works, however lately it was used."""
        self.subject.let_it_rest(self.emulator)
        return self.session.verify(issued)

    def spoiled(self, issued: Issued) -> Issued:
        """The same with a wrong secret of the same shape."""
        texts = [*self.emulator.issued, *(f"{issued.vendor_id}:{one}" for one in self.emulator.issued)]

        def spoil(value: Secret | str) -> Secret | str:
            if not isinstance(value, Secret):
                return value
            text = next((one for one in texts if value == Secret(one)), "")
            if not text:
                return value
            where = max(i for i, letter in enumerate(text) if letter.isalnum())
            return Secret(text[:where] + ("a" if text[where] != "a" else "b") + text[where + 1 :])

        return replace(issued, secret={name: spoil(value) for name, value in issued.secret.items()})

    def sent(self) -> int:
        """How many requests have reached the account."""
        return sum(self.emulator.requests.values())

    def operations(self) -> Sequence[str]:
        """Which operations were asked for."""
        return sorted(self.emulator.requests)

    def _count_answers(self) -> None:
        handle = self.emulator.handle

        def counted(endpoint: Endpoint | None, call: Call) -> Response:
            response = handle(endpoint, call)
            self.statuses.append(response.status_code)
            return response

        self.emulator.handle = counted  # type: ignore[method-assign]
