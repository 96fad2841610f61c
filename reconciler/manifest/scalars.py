"""The texts with a meaning that manifests hold: names, durations, expiry times, addresses, descriptions, variables.

Each is a pydantic type: it turns the manifest's text into a value, or refuses it in a sentence that says what is right.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from ipaddress import ip_interface, ip_network
from typing import Annotated, Any, Final, NoReturn

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from reconciler.model.mark import contains_mark
from reconciler.model.names import NAME_PATTERN

_DURATION_PATTERN: Final = r"^(0|[1-9][0-9]{0,6})[wdhms]$"
_DURATION: Final = re.compile(_DURATION_PATTERN[1:-1])
_UNITS: Final = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?P<time>[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?P<fraction>\.[0-9]+)?(?P<offset>[Zz]|[+-][0-9]{2}:[0-9]{2})?)?"
)
_DURATION_HINT: Final = "a whole number and w, d, h, m or s, such as 90d, 24h or 30m"
_EXPIRES_HINT: Final = "a date such as 2027-06-30 (ends with that day in UTC) or a time such as 2027-06-30T12:00:00Z"
_MOMENT_HINT: Final = "such as 2027-06-30T12:00:00Z"
_SHOWN: Final = 60
_EXPIRES_PATTERN: Final = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.0+)?([Zz]|[+-][0-9]{2}:[0-9]{2}))?$"
)
_MOMENT_PATTERN: Final = _EXPIRES_PATTERN.removesuffix("?$") + "$"
_ONE_LINE: Final = r"^[^\x00-\x1f\x7f]*$"


def refuse(what: str, hint: str = "") -> NoReturn:
    """Refuse a value while pydantic validates it. `what` follows the field's name: "must be …", "is …"."""
    raise PydanticCustomError("refused", "{what}", {"what": what, "hint": hint})


def kind_of(value: object) -> str:
    """What a value is, in the words of YAML."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case dict():
            return "a mapping"
        case _:
            return "a list"


def shown(value: object) -> str:
    """A value as messages show it: itself where it is short, else what it is."""
    if value is None or isinstance(value, dict | list):
        return kind_of(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


@lru_cache(maxsize=4096)
def duration(text: str) -> timedelta:
    """Read a duration such as `90d`: a whole number and one of `w d h m s`."""
    if found := _DURATION.fullmatch(text):
        return timedelta(seconds=int(found[1]) * _UNITS[text[-1]])
    refuse(f"must be a duration, not {shown(text)}", _DURATION_HINT)


def _duration(value: Any) -> timedelta:
    if isinstance(value, str):
        return duration(value)
    refuse(f"must be a duration, not {shown(value)}", _DURATION_HINT)


@lru_cache(maxsize=4096)
def expiry(text: str) -> datetime:
    """The first moment at which a key no longer works, in UTC. A bare date ends with that day in UTC."""
    found = _TIME.fullmatch(text)
    if found is None:
        refuse(f"must be a date or a time, not {shown(text)}", _EXPIRES_HINT)
    if found["time"] is not None:
        if found["offset"] is None:
            refuse(f"is {text!r}, which does not say its time zone", "add Z for UTC, or an offset such as +02:00")
        if (found["fraction"] or "").strip(".0"):
            refuse(f"is {text!r}, which has fractions of a second", "whole seconds only")
    try:
        if found["time"] is None:
            day = date.fromisoformat(text) + timedelta(days=1)
            return datetime(day.year, day.month, day.day, tzinfo=UTC)
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        refuse(f"is {text!r}, a time that does not exist", _EXPIRES_HINT)


def _expiry(value: Any) -> datetime:
    if isinstance(value, str):
        return expiry(value)
    refuse(f"must be a date or a time, not {shown(value)}", _EXPIRES_HINT)


def _moment(value: Any) -> datetime:
    if isinstance(value, str) and (found := _TIME.fullmatch(value)) is not None and found["time"] is not None:
        return expiry(value)
    refuse(f"must be a time, not {shown(value)}", _MOMENT_HINT)


@lru_cache(maxsize=4096)
def network(value: str) -> str:
    """An address or a network in CIDR notation, in canonical form (`203.0.113.7/32`)."""
    if "%" in value:
        refuse(f"is {shown(value)}, which names an interface of one machine", "such as 203.0.113.7 or 203.0.113.0/28")
    try:
        return str(ip_network(value))
    except ValueError:
        try:
            right = ip_interface(value).network
        except ValueError:
            refuse(
                f"is {shown(value)}, which is neither an address nor a network", "such as 203.0.113.7 or 203.0.113.0/28"
            )
        refuse(f"is {value!r}, which has bits set beyond its prefix", f"did you mean {str(right)!r}?")


def _unmarked(value: str) -> str:
    if "[rcl:" in value and contains_mark(value):
        refuse("looks like a mark that the reconciler writes", "leave [rcl:…] out: it is added and removed for you")
    return value


Name = Annotated[str, Field(pattern=NAME_PATTERN)]
"""The name of an object of ours."""

Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    WithJsonSchema({"type": "string", "pattern": _DURATION_PATTERN, "examples": ["90d", "24h", "30m", "1w"]}),
]

Expires = Annotated[
    datetime,
    BeforeValidator(_expiry),
    WithJsonSchema(
        {"type": "string", "pattern": _EXPIRES_PATTERN, "examples": ["2027-06-30", "2027-06-30T12:00:00+02:00"]}
    ),
]

Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "pattern": _MOMENT_PATTERN, "examples": ["2027-06-30T12:00:00Z"]}),
]
"""A point in time, in UTC."""

Network = Annotated[str, AfterValidator(network)]

Line = Annotated[str, Field(pattern=_ONE_LINE, max_length=256)]
"""One line of text without control characters."""

Description = Annotated[str, Field(max_length=1000), AfterValidator(_unmarked)]

Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""The name of an environment variable."""

Count = Annotated[int, Field(ge=0)]
