"""A part of the kind Estate: which Vault it is, how to log in there, and where the state documents are."""

from __future__ import annotations

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from reconciler.manifest.models.base import Section, exactly_one, plan_and_apply
from reconciler.manifest.paths import Path
from reconciler.manifest.scalars import Line, Variable, refuse
from reconciler.model.hosts import is_loopback


class TokenLogin(Section):
    """Use the token in `VAULT_TOKEN` as it is."""


class AppRoleLogin(Section):
    """Log in by AppRole."""

    mount: Path = Field("approle", description="Mount of the auth method.")
    role_id: Line = Field("", description="The role id. It is no secret by itself; else it comes from `roleIdEnv`.")
    role_id_env: Variable = Field("VAULT_ROLE_ID", description="Environment variable that holds the role id.")
    secret_id_env: Variable = Field("VAULT_SECRET_ID", description="Environment variable that holds the secret id.")


class JwtLogin(Section):
    """Log in with a JSON Web Token, such as a CI system's OIDC token."""

    role: Annotated[Line, Field(min_length=1)] = Field(
        description="Role of the auth method.", examples=["reconciler-apply"]
    )
    mount: Path = Field("jwt", description="Mount of the auth method.")
    env: Variable = Field("VAULT_JWT", description="Environment variable that holds the token.")


_TOKEN = Field(None, description="Use the token in `VAULT_TOKEN` (or `BAO_TOKEN`): `{}`.")
_APP_ROLE = Field(None, description="Log in by AppRole.")
_JWT = Field(None, description="Log in with a JSON Web Token of a CI system.")


class Login(Section):
    """One way to log in to Vault. Give exactly one."""

    token: TokenLogin | None = _TOKEN
    app_role: AppRoleLogin | None = _APP_ROLE
    jwt: JwtLogin | None = _JWT

    @model_validator(mode="after")
    def _one(self) -> Self:
        exactly_one(self, "token", "app_role", "jwt")
        return self


class VaultLogin(Section):
    """How to log in to Vault. Give one way, or `plan` and `apply` for two identities."""

    token: TokenLogin | None = _TOKEN
    app_role: AppRoleLogin | None = _APP_ROLE
    jwt: JwtLogin | None = _JWT
    plan: Login | None = Field(None, description="How to log in for planning.")
    apply: Login | None = Field(None, description="How to log in for applying.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        plan_and_apply(self, "token", "app_role", "jwt")
        return self


class StateLocation(Section):
    """Where the state documents are kept."""

    mount: Path = Field("secret", description="Mount of the KV v2 engine.")
    path: Path = Field("reconciler", description="Folder of the state documents: one below it per estate and tenant.")


def _protected(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        refuse(f"is {address!r}, which is plain http: token and secrets would travel unprotected", "use https")
    return address


class VaultSection(Section):
    """Which Vault (or OpenBao) it is, and who we are there."""

    address: Annotated[str, AfterValidator(_protected)] = Field(
        "",
        pattern=r"^(https?://[^\s/?#@]+(/[^\s?#]*)?)?$",
        description="Address of the server. `VAULT_ADDR` is used when the file has none.",
        examples=["https://vault.example.com:8200"],
    )
    namespace: Line = Field("", description="Namespace, where the server has them.")
    ca_cert: Line = Field("", description="File with the CA certificates (PEM), relative to reconciler.yaml.")
    auth: VaultLogin = Field(
        VaultLogin.model_construct(token=TokenLogin.model_construct()),
        description="How to log in. The token in `VAULT_TOKEN`, when left out.",
        examples=[{"jwt": {"role": "reconciler-apply"}}],
    )
    state: StateLocation = Field(StateLocation.model_construct(), description="Where the state documents are kept.")
