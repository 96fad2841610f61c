"""The kind Policy: rules that keys must keep."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from reconciler.manifest.models.base import ApiVersion, Metadata, Section
from reconciler.manifest.scalars import Description, Line, Name, duration, refuse, shown
from reconciler.model.policy import MAX_LENGTH, Effect, Param

_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DURATION: Final = re.compile(r"(0|[1-9][0-9]{0,6})[wdhms]")


def _param(value: Any) -> Param:
    match value:
        case bool() | int():
            return value
        case str():
            return duration(value) if _DURATION.fullmatch(value) else value
        case list() if all(isinstance(item, str) for item in value):
            return tuple(value)
        case _:
            right = "a text, a duration such as 90d, a whole number, true or false, or a list of texts"
            return refuse(f"is {shown(value)}", right)


def _named(params: dict[str, Param]) -> dict[str, Param]:
    for name in params:
        if not _IDENTIFIER.fullmatch(name):
            refuse(f"has the name {shown(name)}", "letters, digits and '_', no digit first: expressions use it")
    return params


Params = Annotated[
    dict[
        str,
        Annotated[
            Any,
            AfterValidator(_param),
            WithJsonSchema({"type": ["boolean", "integer", "string", "array"], "items": {"type": "string"}}),
        ],
    ],
    AfterValidator(_named),
]

Expression = Annotated[str, Field(min_length=1, max_length=MAX_LENGTH)]
"""CEL. What is in it is checked where its place can be told."""


class RuleSpec(Section):
    """One rule."""

    id: Name = Field(
        description="Name of the rule, unique in the estate: findings are called `policy/ID`.",
        examples=["siem-in-prod-only"],
    )
    description: Description = Field("", description="What the rule is for.")
    severity: Annotated[Effect, Field(strict=False)] = Field(
        description="`deny`: a violation stops `plan` and `apply`, with exit code 3. `warn`: it is told."
    )
    match: str = Field(
        "",
        max_length=MAX_LENGTH,
        description="Which keys the rule is for: a CEL expression that is true of them. All keys, when left out.",
        examples=['tenant.labels.env == "prod"'],
    )
    assertion: Expression = Field(
        alias="assert",
        description="What must be true of each of these keys: a CEL expression. A key of which it is false violates the "
        "rule; one of which it cannot be told is denied.",
        examples=['key.owner.endsWith("@example.com")'],
    )
    message: Annotated[str, Field(min_length=1, max_length=MAX_LENGTH)] = Field(
        description="What a violation says. `{{ … }}` in it is a CEL expression, such as `{{ key.name }}`.",
        examples=["owned by {{ key.owner }}, who is nobody of ours"],
    )
    hint: Annotated[str, Field(max_length=MAX_LENGTH)] = Field("", description="How to mend a violation.")
    reference: Line = Field("", description="Where the fact stands that the rule is built on: a page, an address.")
    params: Params = Field(
        default_factory=dict,
        description="Values that expressions have as `params.NAME`, and that `reconciler.yaml` can set: texts, durations, "
        "whole numbers, true or false, lists of texts.",
        examples=[{"within": "365d"}],
    )


class PolicySpec(Section):
    """What must be true of keys."""

    rules: Annotated[list[RuleSpec], Field(min_length=1)] = Field(description="The rules.")


class Policy(Section):
    """Rules that keys must keep, in the Common Expression Language. They hold for the whole estate."""

    api_version: ApiVersion
    kind: Literal["Policy"] = Field(description="Kind of manifest.")
    metadata: Metadata = Field(description="Who the policy is. It is in no tenant: `match` says which keys it is for.")
    spec: PolicySpec = Field(description="What must be true of keys.")
