"""The audit log: searching it, and the queue that forgets what it has told (S10): documented."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from reconciler.emulator.base import Call
from reconciler.providers.carbon_black_cloud.emulator.access import Caller, mapping
from reconciler.providers.carbon_black_cloud.emulator.errors import Refused
from reconciler.providers.carbon_black_cloud.emulator.organisation import Organisation, iso

Result = tuple[int, Any]

_LISTS: Final = ("actor", "actor_ip", "request_url", "description")
_FLAGS: Final = ("flagged", "verbose")
_TERM: Final = re.compile(r'(-?)(?:"([^"]*)"|(\S+))')
_RANGE: Final = re.compile(r"-([0-9]+)([ywdhms])")
_UNITS: Final = {"y": 365 * 86400, "w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1}
_THREE_DAYS_MS: Final = 3 * 86400 * 1000


class AuditOperations:
    """What `/audit_log` offers."""

    def __init__(self, org: Organisation) -> None:
        self._org = org
        self._told: dict[str, int] = {}
        """How many records the queue of each caller has told or passed over."""

    def search(self, caller: Caller, call: Call) -> Result:
        """The records that a search asks for, page by page."""
        caller.require("org.audits:READ")
        body = mapping(call.json())
        found = [
            record
            for record in self._org.log
            if self._meets(record, body.get("criteria", {}), every=True)
            and not self._meets(record, body.get("exclusions", {}), every=False)
            and _asked_for(record, body.get("query", ""))
        ]
        for by in reversed(body.get("sort", [{"field": "create_time", "order": "DESC"}])):
            field = by.get("field")
            if field not in (*_LISTS, *_FLAGS, "create_time"):
                raise Refused(400, f"Unknown field {field}.", "INVALID_ENUM_VALUE")
            found.sort(key=lambda record: str(record[field]))
            if by.get("order") == "DESC":
                found.reverse()
        start, rows = body.get("start", 0), body.get("rows", 20)
        page = found[start : start + rows]
        return 200, {"num_found": len(found), "num_available": len(found), "results": page}

    def queue(self, caller: Caller, call: Call) -> Result:  # noqa: ARG002  it takes no parameters
        """What this caller's queue has not told yet: it starts three days back and never repeats itself."""
        caller.require("org.audits:READ")
        since = iso(self._org.now_ms() - _THREE_DAYS_MS)
        fresh = [one for one in self._org.log[self._told.get(caller.key.id, 0) :] if one["create_time"] >= since]
        self._told[caller.key.id] = len(self._org.log)
        return 200, {"num_found": len(fresh), "num_available": 0, "results": fresh}

    def _meets(self, record: Mapping[str, Any], criteria: Mapping[str, Any], *, every: bool) -> bool:
        """Whether a record meets all criteria, or (for exclusions) any of them."""
        met = [self._one(record, name, wanted) for name, wanted in criteria.items()]
        return all(met) if every else any(met)

    def _one(self, record: Mapping[str, Any], name: str, wanted: Any) -> bool:
        if name in _LISTS:
            return record[name] in wanted
        if name in _FLAGS:
            return bool(record[name] == wanted)
        if name == "create_time":
            start, end = self._window(wanted)
            return bool(start <= record[name] <= end)
        raise Refused(400, f"Unknown criterion {name}.", "INVALID_ENUM_VALUE")

    def _window(self, wanted: Mapping[str, str]) -> tuple[str, str]:
        if "range" in wanted:
            found = _RANGE.fullmatch(wanted["range"])
            if found is None:
                raise Refused(400, "The range is something like -3d.", "INVALID_VALUE")
            seconds = int(found[1]) * _UNITS[found[2]]
            return iso(self._org.now_ms() - seconds * 1000), "9999"
        try:
            start, end = (datetime.fromisoformat(wanted[name]) for name in ("start", "end"))
        except (KeyError, ValueError):
            raise Refused(400, "A time criterion has start and end, or range.", "INVALID_VALUE") from None
        return _cut(start), _cut(end + timedelta(milliseconds=1))


def _cut(moment: datetime) -> str:
    return iso(int(moment.timestamp() * 1000))


def _asked_for(record: Mapping[str, Any], query: str) -> bool:
    """The console's search bar: words and quoted phrases, all of them, and none of those with a minus before them."""
    text = " ".join(str(value) for value in record.values()).lower()
    return all(((phrase or word).lower() in text) != bool(minus) for minus, phrase, word in _TERM.findall(query))
