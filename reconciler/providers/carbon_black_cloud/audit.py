"""What the audit log's sentences say (S17: their wording was observed, it is not documented). No I/O."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from reconciler.providers.base import Trace, Verification
from reconciler.providers.carbon_black_cloud.records import AuditRecord
from reconciler.providers.times import from_text

ADDED: Final = '"Added API ID"'
"""The search for new keys."""
_ADDED: Final = re.compile(r"Added API ID (\S+) with name (.+) in org \S+\s*")
_NO_CHANGE: Final = "Connector "
"""How records of sessions begin."""
_ADDRESS: Final = re.compile(r"\b(ip|address|addresses)\b", re.IGNORECASE)


def added(records: Iterable[AuditRecord], name: str) -> str | None:
    """The id of the newest key that was made under a name, as the vendor knows it. `records` come newest first."""
    for record in records:
        found = _ADDED.fullmatch(record.description)
        if found and found[2] == name:
            return found[1]
    return None


def logins(api_id: str) -> str:
    """The search for a key's sessions, failed ones included."""
    return f'"Connector {api_id}"'


def of_key(records: Iterable[AuditRecord], api_id: str) -> tuple[AuditRecord, ...]:
    """The records about a key's own sessions: a search may find more than it was asked for."""
    start = f"Connector {api_id} "
    return tuple(record for record in records if record.description.startswith(start))


def about(api_id: str) -> str:
    """The search for everything about a key."""
    return f'"{api_id}"'


def changed(records: Iterable[AuditRecord], api_id: str, own: str) -> Trace | None:
    """The newest change of a key by somebody else than `own`, our credential. `records` come newest first.

    Sessions, and secrets that were looked at, change nothing. What else there may be is told in the log's own words.
    """
    word = re.compile(rf"(?<!\w){re.escape(api_id)}(?!\w)")
    for record in records:
        text = record.description
        if record.actor == own or not word.search(text) or text.startswith(_NO_CHANGE) or " retrieved secret " in text:
            continue
        at = from_text(record.create_time)
        if at is not None:
            return Trace(record.actor or "", at, text)
    return None


def verdict(before: Sequence[AuditRecord], after: Sequence[AuditRecord], *, restricted: bool) -> Verification:
    """What the records that appeared since a new secret was tried say of it.

    A session that began is proof. A failure is proof of a wrong secret only if nobody failed before (a consumer may still
    use the former secret) and if it cannot be about our address (`restricted`: the key is known to be limited to some).
    """
    new = list((Counter(after) - Counter(before)).elements())
    if any("logged in successfully" in record.description and not record.flagged for record in new):
        return Verification.GOOD
    failed = [record for record in new if record.flagged]
    about_addresses = any(_ADDRESS.search(record.description) for record in failed)
    if failed and not restricted and not about_addresses and not any(record.flagged for record in before):
        return Verification.BAD
    return Verification.UNVERIFIABLE
