"""The right to write to one tenant, held by one run at a time.

The lease is part of the tenant's state document, so the check-and-set that writes the state also proves the lease: a run
that lost it cannot commit. All times are the Vault server's.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Self

from reconciler.errors import Conflict, LeaseHeld, LeaseLost, OutcomeUnknown, ReconcilerError, RetryLater
from reconciler.model.state import Lease, StateDocument
from reconciler.vault.state import StateStore

Mutation = Callable[[StateDocument], StateDocument]

_LOG: Final = logging.getLogger(__name__)
_POLL: Final = 2.0
_TRIES: Final = 20
_CLOCK_GRAIN: Final = timedelta(seconds=2)
"""How far two readings of the server's clock may be apart: `Date` has whole seconds, and an answer takes time."""


class TenantLease:
    """A held lease. Made by `acquire`; every commit renews it, and so does a thread while nothing else happens.

    All methods may be called by many threads. As a context manager it is released at the end.
    """

    def __init__(
        self,
        store: StateStore,
        document: StateDocument,
        version: int,
        *,
        lease: Lease,
        ttl: float,
        acquired_from: int,
        taken_over: bool,
    ) -> None:
        self.acquired_from = acquired_from
        """The version that the state had before this run took the lease (0: there was none)."""
        self.taken_over = taken_over
        """Whether it was another run's, and expired. What that run had on its way may have arrived since."""
        self._store = store
        self._document = document
        self._version = version
        self._lease = lease
        self._ttl = ttl
        self._lock = threading.RLock()
        self._lost = threading.Event()
        self._done = threading.Event()
        self._heart = threading.Thread(target=self._beat, name=f"lease-{document.tenant}", daemon=True)

    @classmethod
    def acquire(
        cls,
        store: StateStore,
        template: StateDocument,
        *,
        run: str,
        holder: str,
        ttl: float,
        call_timeout: float,
        wait: float = 0.0,
        expected_version: int | None = None,
        sleep: Callable[[float], None] = time.sleep,
        heartbeat: bool = True,
    ) -> Self:
        """Take the tenant's lease. `template` is the document of a tenant that has none yet. All times in seconds.

        A lease that expired is taken over, and then `call_timeout` is waited: a vendor call of the dead run may still be
        on its way. LeaseHeld after `wait` seconds while another run holds it; Conflict if the state is not at
        `expected_version`, which a saved plan was made on; else the errors of `StateStore`.
        """
        if ttl <= call_timeout:
            raise ValueError("a lease must outlive a vendor call")
        waited = 0.0
        lost_races = 0
        taken_over = False
        while True:
            document, version = store.load(template.tenant)
            now = store.vault.now()
            held = document.lease if document is not None else None
            if held is not None and held.run != run and now < held.expires:
                if waited >= wait:
                    raise _held_by(held, template.tenant)
                pause = min(_POLL, wait - waited)
                sleep(pause)
                waited += pause
                continue
            ours = held is not None and held.run == run
            taken_over = taken_over or (held is not None and not ours)  # a lost reply makes it ours at the next look
            if not ours and expected_version is not None and version != expected_version:
                raise Conflict(
                    f"the state was at version {expected_version} when this was planned, and is at {version} now",
                    where=template.tenant,
                    hint="plan again",
                )
            lease = Lease(run=run, holder=holder, since=now, expires=now + timedelta(seconds=ttl))
            wanted = (document or template).model_copy(update={"lease": lease})
            try:
                committed = store.commit(wanted, version)
            except (Conflict, OutcomeUnknown):
                # Somebody was first, or it was us and the reply was lost: loading again tells which.
                lost_races += 1
                if lost_races >= _TRIES:
                    raise
                continue
            break
        taken = cls(store, wanted, committed, lease=lease, ttl=ttl, acquired_from=version, taken_over=taken_over)
        if heartbeat:
            taken._heart.start()
        if taken_over:
            _LOG.info("took over an expired lease on %s", template.tenant)
            sleep(call_timeout)
        return taken

    @property
    def document(self) -> StateDocument:
        """The state as this run last wrote or read it."""
        return self._document

    @property
    def version(self) -> int:
        """The version of `document`."""
        return self._version

    @property
    def lost(self) -> bool:
        """Whether the lease is known to be gone. Then nothing may be written any more."""
        return self._lost.is_set()

    @property
    def remaining(self) -> float:
        """Seconds of the lease that are certainly left."""
        return (self._lease.expires - _CLOCK_GRAIN - self._store.vault.now()).total_seconds()

    def commit(self, mutate: Mutation) -> StateDocument:
        """Change the state and renew the lease in one write; returns what was written.

        `mutate` gets the current document and may be called again on a fresher one (a revocation writes without the
        lease, and a reply may be lost), so it must not mind being applied twice. LeaseLost if another run has the lease.
        RetryLater: Vault is away and nothing was written.
        """
        with self._lock:
            for _ in range(_TRIES):
                self._require()
                lease = self._renewed()
                wanted = mutate(self._document).model_copy(update={"lease": lease})
                try:
                    self._version = self._store.commit(wanted, self._version)
                except (Conflict, OutcomeUnknown):
                    self._look_again()
                else:
                    self._document, self._lease = wanted, lease
                    return wanted
            raise Conflict("the state keeps changing under us", where=self._document.tenant, hint="run it again")

    def ensure(self, seconds: float) -> None:
        """Make sure that the lease lives that long, renewing it if needed: call it before every vendor write.

        LeaseLost if it is gone; ValueError for longer than a lease lives.
        """
        if seconds >= self._ttl:
            raise ValueError("a vendor call may not take as long as a lease lives")
        self._require()
        if self.remaining < seconds:
            self.renew()

    def renew(self) -> None:
        """Write the lease anew, with its full life."""
        self.commit(lambda document: document)

    def release(self) -> None:
        """Give the lease back. Never raises: what cannot be given back now expires by itself."""
        self._done.set()
        with self._lock:
            for _ in range(_TRIES):
                if self.lost:
                    break
                wanted = self._document.model_copy(update={"lease": None})
                try:
                    self._version = self._store.commit(wanted, self._version)
                except (Conflict, OutcomeUnknown):
                    try:
                        self._look_again()
                    except ReconcilerError:
                        break
                except ReconcilerError as problem:
                    _LOG.warning("the lease on %s was not given back: %s", wanted.tenant, problem)
                    break
                else:
                    self._document = wanted
                    break
            self._lost.set()
            self._store.release(self._document.tenant)
        if self._heart.ident is not None and self._heart is not threading.current_thread():
            self._heart.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _require(self) -> None:
        if self.lost:
            raise LeaseLost(
                "this run does not hold the lease any more", where=self._document.tenant, hint="run it again"
            )

    def _renewed(self) -> Lease:
        now: datetime = self._store.vault.now()
        return self._lease.model_copy(update={"expires": now + timedelta(seconds=self._ttl)})

    def _look_again(self) -> None:
        """Load the document as it is now; LeaseLost unless our lease is still in it."""
        document, version = self._store.load(self._document.tenant)
        if document is None or document.lease is None or document.lease.run != self._lease.run:
            self._lost.set()
            self._require()
        else:
            self._document, self._version, self._lease = document, version, document.lease

    def _beat(self) -> None:
        """Renew at a third of the lease's life, unless a commit just did. A lease that cannot be renewed in time is lost."""
        while not self._done.wait(self._ttl / 3):
            try:
                if self.remaining < self._ttl * 2 / 3:
                    self.renew()
            except (RetryLater, OutcomeUnknown) as problem:
                _LOG.warning("the lease on %s could not be renewed: %s", self._document.tenant, problem)
                if self.remaining > 0:
                    continue
                self._lost.set()
            except ReconcilerError as problem:
                _LOG.warning("the lease on %s is lost: %s", self._document.tenant, problem)
                self._lost.set()
            if self.lost:
                return


def _held_by(lease: Lease, tenant: str) -> LeaseHeld:
    since, until = f"{lease.since:%Y-%m-%d %H:%M:%S}", f"{lease.expires:%H:%M:%S}"
    return LeaseHeld(
        f"{lease.holder} holds the lease since {since} UTC, at least until {until}",
        where=tenant,
        hint="wait for it with --lease-timeout SECONDS; if that run is dead, its lease ends by itself then, "
        f"or now by: reconciler unlock {tenant} --holder {lease.run}",
        holder=lease.holder,
        run=lease.run,
    )
