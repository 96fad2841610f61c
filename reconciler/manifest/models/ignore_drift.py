"""The field `ignoreDrift` of access levels, service users and keys: differences at the vendor that are left alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from reconciler.manifest.models.base import Section
from reconciler.manifest.scalars import Expires, Line, refuse
from reconciler.suggest import did_you_mean

OF_LEVEL: Final = ("name", "description", "permissions")
OF_USER: Final = ("name", "description", "groups", "state")
OF_KEY: Final = (
    "name",
    "description",
    "accessLevel",
    "serviceUser",
    "expires",
    "state",
    "options",
    "allowedIPs",
    "scope",
)


class IgnoreDriftSpec(Section):
    """Fields that may differ at the vendor until a day."""

    fields: Annotated[list[Annotated[Line, Field(min_length=1)]], Field(min_length=1)] = Field(
        description="The fields, as below `spec`; a field stands for all that is below it.",
        examples=[["description", "options.locale"]],
    )
    reason: Annotated[Line, Field(min_length=1)] = Field(
        description="Why.", examples=["the vendor's support is testing with it"]
    )
    until: Expires = Field(
        description="When it ends: from then on the difference is drift again, and `plan` repairs it. "
        "A bare date ends with that day in UTC; a time needs its offset.",
        examples=["2027-06-30"],
    )


def _known(fields: tuple[str, ...]) -> Callable[[list[IgnoreDriftSpec]], list[IgnoreDriftSpec]]:
    def check(given: list[IgnoreDriftSpec]) -> list[IgnoreDriftSpec]:
        for item in given:
            for field in item.fields:
                first, _, rest = field.partition(".")
                if first not in fields:
                    near = did_you_mean(first, fields)
                    refuse(
                        f"names {field!r}, which is no field that can drift", near or f"those are {', '.join(fields)}"
                    )
                if first == "options" and not rest:
                    refuse("names all options at once", "name each one, such as options.locale")
        return given

    return check


_FIELD: Final[Any] = Field(
    default_factory=list,
    description="Differences at the vendor that are neither drift nor repaired until a day. "
    "A change in Git is applied all the same, and so is whatever a new generation of a key starts with.",
)

LevelIgnoreDrift = Annotated[list[IgnoreDriftSpec], AfterValidator(_known(OF_LEVEL)), _FIELD]
UserIgnoreDrift = Annotated[list[IgnoreDriftSpec], AfterValidator(_known(OF_USER)), _FIELD]
KeyIgnoreDrift = Annotated[list[IgnoreDriftSpec], AfterValidator(_known(OF_KEY)), _FIELD]
