"""The options of keys whose sessions speak a language and live in a time zone: both of Trend's older products have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from reconciler.providers import zones
from reconciler.providers.base import Problem
from reconciler.suggest import did_you_mean

_OPTIONS: Final = ("locale", "timeZone")


def odd_options(options: Mapping[str, Any], locales: Sequence[str]) -> Iterator[Problem]:
    """What is wrong with a key's `options`, given the vendor's list of locales."""
    for option, value in options.items():
        path = ("options", option)
        match option:
            case "locale" if value not in locales:
                hint = did_you_mean(str(value), locales) or f"one of {', '.join(locales)}"
                yield Problem(path, f"unknown locale {value!r}", hint)
            case "timeZone" if not isinstance(value, str) or value not in zones.known():
                near = zones.suggest(value) if isinstance(value, str) else ""
                hint = f"did you mean {near!r}?" if near else "a name of the tz database, such as Europe/Berlin"
                yield Problem(path, f"unknown time zone {value!r}", hint)
            case "locale" | "timeZone":
                pass
            case _:
                hint = did_you_mean(option, _OPTIONS) or f"this provider's options: {', '.join(_OPTIONS)}"
                yield Problem(path, f"unknown option {option!r}", hint)


def options_schema(locales: Sequence[str], *example_zones: str) -> dict[str, Any]:
    """JSON Schema of a key's `options`. The first locale is the default."""
    return {
        "type": "object",
        "additionalProperties": False,
        "description": "What only this product's keys have.",
        "properties": {
            "locale": {
                "type": "string",
                "enum": list(locales),
                "default": locales[0],
                "description": "Language of the key's sessions.",
            },
            "timeZone": {
                "type": "string",
                "default": zones.DEFAULT,
                "examples": [zones.DEFAULT, *example_zones],
                "description": "Time zone of the key's sessions: any name of the tz database.",
            },
        },
    }
