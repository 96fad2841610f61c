"""One recorded key: what has become of it, of its secret and of its time, whoever is to blame."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from reconciler.model import dates
from reconciler.model.desired import DEFAULT_RENEWAL, DesiredKey, KeyState, VaultPath
from reconciler.model.finding import Finding
from reconciler.model.names import Kind, ObjectId
from reconciler.model.observed import Observed, SecretMetadata
from reconciler.model.state import Phase, Record
from reconciler.plan.draft import Draft
from reconciler.plan.drift_rules import Findings, Horizon, Rule
from reconciler.plan.rotation import spell

_NOTHING = SecretMetadata(current_version=0, live=False)
_APPLY = "`reconciler apply`"


@dataclass(frozen=True, slots=True)
class KeyDrift:
    """A key that our records know, its manifest if it has one, and what was found under its id."""

    draft: Draft
    make: Findings
    id: ObjectId
    record: Record
    desired: DesiredKey | None
    found: Observed | None
    horizon: Horizon
    ending: Collection[str]
    """The vendor's ids of everything that the plan removes or waits for somebody to remove."""

    @property
    def now(self) -> datetime:
        """The time, as Vault tells it."""
        return self.draft.view.now

    def findings(self) -> Iterator[Finding]:
        """Everything but changed fields."""
        if self.record.revoked is not None:
            yield from self._revoked()
            return
        yield from self._former()
        if self.desired is None or self.desired.state is KeyState.ABSENT:
            yield from self._quarantine()
        elif self.found is None:
            if not self._ended(self.desired):
                yield self._of(
                    Rule.MISSING, f"key {self.record.vendor_id} is gone at the vendor",
                    f"{_APPLY} issues a new one; or take the key out of Git", vendorId=self.record.vendor_id,
                )  # fmt: skip
        else:
            yield from self._time(self.desired, self.found)
            yield from self._secret()
            if "deprecated" in self.found.facts:
                yield self._of(
                    Rule.DEPRECATED, f"{self.found.facts['deprecated']}", "issue another key for its consumers"
                )

    def _of(self, rule: Rule, message: str, hint: str, about: str = "", **figures: Any) -> Finding:
        source = self.desired.source if self.desired is not None else None
        return self.make.of(rule, self.id, message, hint, source=source, about=about, **figures)

    def _ended(self, desired: DesiredKey) -> bool:
        return desired.expires is not None and desired.expires <= self.now

    def _secret_at(self) -> SecretMetadata:
        return self.draft.view.secrets.get(VaultPath(self.record.mount, self.record.path), _NOTHING)

    def _revoked(self) -> Iterator[Finding]:
        previous = self.record.previous
        left = [f"key {self.record.vendor_id}"] if self.found is not None else []
        if previous is not None and self.draft.owners.by_id(Kind.API_KEY, previous.vendor_id) is not None:
            left.append(f"key {previous.vendor_id}")
        if self.record.path and self._secret_at().live:
            left.append("its secret in Vault")
        if left:
            hint = f"{_APPLY} removes it; where the vendor has no API for that, `reconciler handoff` says who is waited for"
            yield self._of(Rule.REVOKED_ALIVE, f"it was revoked, and there is still {', '.join(left)}", hint, left=left)

    def _former(self) -> Iterator[Finding]:
        """A generation whose overlap is over, and that no `holdWhileUsed` keeps."""
        previous = self.record.previous
        if previous is None or previous.until > self.now or previous.vendor_id not in self.ending:
            return
        if self.draft.owners.by_id(Kind.API_KEY, previous.vendor_id) is not None:
            yield self._of(
                Rule.EXPIRED_ALIVE,
                f"generation {previous.generation} (id {previous.vendor_id}) should have ended on "
                f"{previous.until:%Y-%m-%d %H:%M}Z, and is still there",
                f"{_APPLY} removes it",
                f"generation {previous.generation}",
                vendorId=previous.vendor_id,
                until=previous.until.isoformat(),
            )

    def _quarantine(self) -> Iterator[Finding]:
        until = self.record.quarantine_until
        if (
            self.record.phase is Phase.QUARANTINED
            and until is not None
            and until <= self.now
            and self.found is not None
        ):
            message = f"its quarantine ended on {until:%Y-%m-%d %H:%M}Z, and it is still there"
            yield self._of(Rule.EXPIRED_ALIVE, message, f"{_APPLY} removes it", until=until.isoformat())

    def _time(self, desired: DesiredKey, found: Observed) -> Iterator[Finding]:
        if desired.expires is not None and self._ended(desired):
            message = f"it expired {dates.written(desired.expires)}, and is still there"
            yield self._of(Rule.EXPIRED_ALIVE, message, f"{_APPLY} removes it", until=desired.expires.isoformat())
            return
        yield from self._expiring(desired, found)
        rotation, issued = desired.rotation, self.record.issued_at
        active = desired.state is KeyState.ACTIVE
        if active and rotation is not None and issued is not None and issued + rotation.every <= self.now:
            message = f"its secret is of {issued:%Y-%m-%d}, and it gets a new one every {spell(rotation.every)}"
            due = (issued + rotation.every).isoformat()
            yield self._of(Rule.ROTATION_OVERDUE, message, f"{_APPLY} rotates it", due=due)
        if active and found.fields.get("state") != KeyState.LOCKED:
            yield from self._unused(found)

    def _expiring(self, desired: DesiredKey, found: Observed) -> Iterator[Finding]:
        """The end that the manifest wants, if it is near; one that the vendor has set, once it should have been renewed."""
        soon, ends = self.horizon.expiring, found.fields.get("expires")
        if isinstance(ends, datetime) and (desired.expires is None or ends < desired.expires):
            before = desired.rotation.renew_before if desired.rotation is not None else DEFAULT_RENEWAL
            if ends - before <= self.now:
                message = (
                    f"the vendor ends it on {ends:%Y-%m-%d %H:%M}Z; it should have been renewed {spell(before)} before"
                )
                yield self._of(Rule.EXPIRING, message, f"{_APPLY} renews it", until=ends.isoformat())
        elif soon is not None and desired.expires is not None and desired.expires - soon <= self.now:
            message = f"it expires {dates.written(desired.expires)}"
            hint = "set a later time in Git, or tell its consumers"
            yield self._of(Rule.EXPIRING, message, hint, until=desired.expires.isoformat())

    def _unused(self, found: Observed) -> Iterator[Finding]:
        """Only where the vendor tells last use. A key that nobody has used counts from the day it was issued."""
        if self.horizon.unused is None or "lastUsed" not in found.facts:
            return
        last, issued = found.facts["lastUsed"], self.record.issued_at
        since = max((moment for moment in (last, issued) if isinstance(moment, datetime)), default=None)
        if since is None or since > self.now - self.horizon.unused:
            return
        told = f"no use of it is known since it was issued on {since:%Y-%m-%d}"
        if last:
            told = f"it was last used on {last:%Y-%m-%d}"
        hint = "ask its owner, and take it out of Git if nobody needs it"
        yield self._of(Rule.UNUSED, told, hint, lastUsed=last.isoformat() if last else None)

    def _secret(self) -> Iterator[Finding]:
        record = self.record
        if not record.version or not record.path:
            return  # adopted: nobody knows it
        path, secret = VaultPath(record.mount, record.path), self._secret_at()
        if not secret.live:
            hint = f"{_APPLY} gives the key a new secret, and its consumers have to take that"
            yield self._of(Rule.SECRET_MISSING, f"its secret is missing from {path}", hint, path=str(path))
        elif secret.current_version != record.version:
            yield self._of(
                Rule.SECRET_CHANGED,
                f"{path} is at version {secret.current_version}, and we wrote {record.version}: somebody else wrote there",
                "find out who; `reconciler rotate` puts a secret there that is known to work",
                path=str(path),
                version=secret.current_version,
                ours=record.version,
            )
