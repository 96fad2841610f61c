"""What the models of all kinds are made of: the section, and what an object's manifest says whatever its kind is."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from reconciler.manifest.scalars import Line, Name, refuse

API_VERSION: Final = "reconciler/v1"
ApiVersion = Annotated[Literal["reconciler/v1"], Field(description="Version of the manifest format.")]


class ManifestKind(StrEnum):
    """The kinds that this version knows."""

    ESTATE = "Estate"
    TENANT = "Tenant"
    ACCESS_LEVEL = "AccessLevel"
    API_KEY = "ApiKey"
    SERVICE_USER = "ServiceUser"
    SCOPE = "Scope"
    NETWORK_LIST = "NetworkList"
    ENDPOINT_MAP = "EndpointMap"
    APPROVAL = "Approval"
    POLICY = "Policy"
    WAIVER = "Waiver"


class Section(BaseModel):
    """A mapping in a manifest: no unknown fields, no conversions between types, never changed.

    A validator is built when the first manifest of its kind is met: start-up builds none. So that it stays like that, a
    section that is a field's default is made by `model_construct`, which needs no validator.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        alias_generator=to_camel,
        validate_by_name=False,
        validate_by_alias=True,
        allow_inf_nan=False,
        use_attribute_docstrings=False,
        defer_build=True,
    )


def exactly_one(section: Section, *fields: str) -> None:
    """Refuse a section that gives none or several of these fields."""
    given = [to_camel(field) for field in fields if getattr(section, field) is not None]
    if len(given) != 1:
        wanted = ", ".join(to_camel(field) for field in fields[:-1]) + f" or {to_camel(fields[-1])}"
        refuse(f"has {' and '.join(given)}" if given else "is empty", f"give exactly one of {wanted}")


def plan_and_apply(section: Section, *single: str) -> None:
    """Refuse a section that is neither one of `single` nor both `plan` and `apply`."""
    given = [to_camel(field) for field in (*single, "plan", "apply") if getattr(section, field) is not None]
    if given == ["plan", "apply"] or (len(given) == 1 and given[0] not in {"plan", "apply"}):
        return
    wanted = ", ".join(to_camel(field) for field in single)
    refuse(f"has {' and '.join(given)}" if given else "is empty", f"give one of {wanted}, or both plan and apply")


# --- metadata -----------------------------------------------------------------------------------------------------------


class Metadata(Section):
    """Who an object is."""

    name: Name = Field(description="Name of the object, unique per kind and tenant.", examples=["splunk"])
    owner: Line = Field(
        "",
        description="Who answers for the object: a team's address or handle.",
        examples=["secops@example.com"],
    )
    labels: dict[str, str] = Field(
        default_factory=dict,
        description="Texts to select objects by. Both names and values are text; quote values such as `1` or `true`.",
        examples=[{"env": "prod"}],
    )
    annotations: dict[str, str] = Field(
        default_factory=dict,
        description="Texts for people, other tools and policies; nothing else of the reconciler looks at them.",
    )


class TenantSelector(Section):
    """Which tenants an object is meant for."""

    match_labels: dict[str, str] = Field(
        min_length=1,
        description="Labels that a tenant must carry, all of them with these values.",
        examples=[{"env": "prod"}],
    )


class ObjectMetadata(Metadata):
    """Who an object is, and in which tenant or tenants. Give exactly one of `tenant` and `tenantSelector`."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["tenant"]}, {"required": ["tenantSelector"]}]},
    )

    tenant: Name | None = Field(None, description="Name of the tenant that the object lives in.", examples=["dsm-prod"])
    tenant_selector: TenantSelector | None = Field(
        None,
        description="Selects several tenants by their labels: the object is wanted in each of them.",
        examples=[{"matchLabels": {"env": "prod"}}],
    )


class RenamableMetadata(ObjectMetadata):
    """Who an object is, who it was, and in which tenant or tenants. Give exactly one of `tenant` and `tenantSelector`."""

    name: Name = Field(
        description="Name of the object, unique per kind and tenant. It is also the object's name at the vendor.",
        examples=["splunk"],
    )
    previous_names: list[Name] | None = Field(
        None,
        description="Names that the object had before. Renaming it then keeps what it is at the vendor, "
        "and a key keeps its secret, at the old path until its next rotation.",
        examples=[["splunk-old"]],
    )


class TenantMetadata(Metadata):
    """Who an object is, and in which tenant."""

    tenant: Name = Field(description="Name of the tenant that the object is for.", examples=["dsm-prod"])


# --- fields of several kinds --------------------------------------------------------------------------------------------

PROTECT = Field(
    False,
    description="Never delete or replace the object, even when its manifest is gone. "
    "It is remembered; lift it in a commit of its own.",
)
"""The field `protect` of access levels and keys."""

DESCRIPTION = Field("", description="What the object is for, as the vendor's console shows it.")
"""The field `description` of access levels and keys."""
