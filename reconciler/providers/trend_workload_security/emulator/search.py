"""The vendor's search: criteria that are ANDed, a limit, and order by ID only if asked."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from reconciler.providers.trend_workload_security.emulator.errors import Invalid

Item = Mapping[str, Any]
Test = Callable[[Item], bool]

DEFAULT_MAX_ITEMS: Final = 5000

_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "less-than": operator.lt,
    "less-than-or-equal": operator.le,
    "equal": operator.eq,
    "greater-than-or-equal": operator.ge,
    "greater-than": operator.gt,
    "not-equal": operator.ne,
}
_SETTINGS: Final[Mapping[str, frozenset[str]]] = {
    "id": frozenset({"idTest", "idValue"}),
    "string": frozenset({"stringTest", "stringValue", "stringWildcards"}),
    "numeric": frozenset({"numericTest", "numericValue"}),
    "boolean": frozenset({"booleanTest"}),
    "choice": frozenset({"choiceTest", "choiceValue"}),
    "date": frozenset({"firstDateValue", "firstDateInclusive", "lastDateValue", "lastDateInclusive"}),
    "null": frozenset({"nullTest"}),
    "version": frozenset({"versionTest", "versionValue"}),
}
_FILTER: Final = frozenset({"maxItems", "searchCriteria", "sortByObjectID"})


def shuffled(identifier: int) -> int:
    """A sort key that gives an order which is stable, and not that of the IDs."""
    return (identifier * 2_654_435_761) & 0xFFFF_FFFF


def search(items: Mapping[int, Item], kinds: Mapping[str, str], request: Any) -> list[Item]:
    """The items that a SearchFilter asks for; `kinds` says which test each field takes. Invalid: a bad filter."""
    if request is None:
        request = {}
    if not isinstance(request, dict) or not request.keys() <= _FILTER:
        raise Invalid("a search filter has maxItems, searchCriteria and sortByObjectID")
    limit = _typed(request, "maxItems", int, DEFAULT_MAX_ITEMS)
    if limit < 1:
        raise Invalid("maxItems must be positive")
    tests = [_compile(criterion, kinds) for criterion in _typed(request, "searchCriteria", list, [])]
    order: Iterable[int] = sorted(items, key=None if _typed(request, "sortByObjectID", bool, False) else shuffled)
    found = (items[identifier] for identifier in order)
    return list(islice((item for item in found if all(test(item) for test in tests)), limit))


def _typed(holder: Mapping[str, Any], name: str, kind: type, default: Any = None) -> Any:
    value = holder.get(name)
    if value is None:
        return default
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise Invalid(f"{name} has the wrong type")
    return value


def _required(criterion: Mapping[str, Any], name: str, kind: type) -> Any:
    value = _typed(criterion, name, kind)
    if value is None:
        raise Invalid(f"{name} is missing")
    return value


def _test(criterion: Mapping[str, Any], name: str, tests: Iterable[str]) -> Callable[[Any, Any], bool]:
    value = _typed(criterion, name, str, "equal")
    if value not in tests:
        raise Invalid(f"{name} must be one of {', '.join(tests)}")
    return _COMPARE[value]


def _compile(criterion: Any, kinds: Mapping[str, str]) -> Test:
    """One criterion as a predicate. A test without its own word means what is documented: equal, or true."""
    if not isinstance(criterion, dict):
        raise Invalid("a search criterion is an object")
    field = _typed(criterion, "fieldName", str, "")
    given = {name for name, value in criterion.items() if value is not None} - {"fieldName"}
    if "idTest" in given or "idValue" in given:
        kind, field = "id", "ID"
    elif "nullTest" in given:
        kind = "null"
    else:
        kind = kinds.get(field, "")
    if field != "ID" and field not in kinds:
        raise Invalid(f"fieldName {field!r} cannot be searched")
    if kind not in _SETTINGS or not given <= _SETTINGS[kind]:
        raise Invalid(f"wrong test for {field}")
    return _PREDICATES[kind](criterion, field)


def _id(criterion: Mapping[str, Any], field: str) -> Test:
    compare, value = _test(criterion, "idTest", _COMPARE), _required(criterion, "idValue", int)
    return lambda item: compare(item[field], value)


def _string(criterion: Mapping[str, Any], field: str) -> Test:
    wanted = _test(criterion, "stringTest", ("equal", "not-equal")) is operator.eq
    value = _required(criterion, "stringValue", str)
    if not _typed(criterion, "stringWildcards", bool, True):
        return lambda item: (item.get(field, "") == value) is wanted
    matches = _wildcards(value).fullmatch
    return lambda item: (matches(item.get(field, "")) is not None) is wanted


def _numeric(criterion: Mapping[str, Any], field: str) -> Test:
    compare, value = _test(criterion, "numericTest", _COMPARE), _required(criterion, "numericValue", float)
    return lambda item: compare(item.get(field, 0), value)


def _boolean(criterion: Mapping[str, Any], field: str) -> Test:
    wanted = _typed(criterion, "booleanTest", bool, True)
    return lambda item: item.get(field, False) is wanted


def _choice(criterion: Mapping[str, Any], field: str) -> Test:
    compare, value = _test(criterion, "choiceTest", ("equal", "not-equal")), _required(criterion, "choiceValue", str)
    return lambda item: compare(item.get(field), value)


def _date(criterion: Mapping[str, Any], field: str) -> Test:
    """Between two times, both inclusive unless said otherwise; no time at all is never between."""
    first, last = _typed(criterion, "firstDateValue", int), _typed(criterion, "lastDateValue", int)
    if first is None and last is None:
        raise Invalid("firstDateValue or lastDateValue is missing")
    above = operator.ge if _typed(criterion, "firstDateInclusive", bool, True) else operator.gt
    below = operator.le if _typed(criterion, "lastDateInclusive", bool, True) else operator.lt

    def test(item: Item) -> bool:
        value = item.get(field)
        return value is not None and (first is None or above(value, first)) and (last is None or below(value, last))

    return test


def _null(criterion: Mapping[str, Any], field: str) -> Test:
    wanted = _typed(criterion, "nullTest", bool, True)
    return lambda item: (item.get(field) is None) is wanted


_PREDICATES: Final[Mapping[str, Callable[[Mapping[str, Any], str], Test]]] = {
    "id": _id,
    "string": _string,
    "numeric": _numeric,
    "boolean": _boolean,
    "choice": _choice,
    "date": _date,
    "null": _null,
}


@lru_cache(maxsize=256)
def _wildcards(pattern: str) -> re.Pattern[str]:
    """`%` stands for any text, `_` for any one character."""
    return re.compile("".join({"%": ".*", "_": "."}.get(c, re.escape(c)) for c in pattern), re.DOTALL)
