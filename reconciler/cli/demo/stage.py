"""What the demo runs on: a copy of the example estate, one emulated vendor per tenant, and a real OpenBao.

The estate is taken as it is, but for two places. Its endpoints are those of imaginary installations, so the copy names the
emulators instead; and OpenBao's address comes from `VAULT_ADDR`, as it would in a pipeline.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from reconciler.emulator.base import Settings
from reconciler.emulator.openbao import OpenBaoServer, openbao
from reconciler.emulator.server import serve
from reconciler.errors import InvalidInput
from reconciler.manifest import load_estate
from reconciler.model.desired import CredentialRef, DesiredTenant
from reconciler.model.estate import Estate
from reconciler.providers.trend_workload_security.emulator import AUDITOR, WorkloadSecurity

Identity = Literal["plan", "apply"]

MANAGER_RIGHTS: Final = frozenset(
    f"platformRights.{group}.{right}"
    for group, rights in {
        "apikeyRights": ("canViewApiKeys", "canCreateNewApiKeys", "canEditApiKeyProperties", "canDeleteApiKeys"),
        "administratorRoleRights": (
            "canViewAdministratorRoles", "canCreateNewAdministratorRoles", "canEditAdministratorRoleProperties",
            "canDeleteAdministratorRoles",
        ),
    }.items()
    for right in rights
)  # fmt: skip
"""All that the applying credential may do at the vendor."""

_HERE: Final = Path(__file__).parent
_OWN_VARIABLES: Final = ("VAULT_", "BAO_")


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything the story needs. The folder holds all that the commands write, whichever way they write it."""

    folder: Path
    bao: OpenBaoServer
    vendors: Mapping[str, WorkloadSecurity]
    """The emulated installation of each tenant."""
    estate: Estate
    """The copy, with the emulators' endpoints."""
    tokens: Mapping[Identity, str] = field(repr=False)
    """OpenBao tokens, each under its documented policy and nothing else."""

    @property
    def manifests(self) -> Path:
        """The copied estate."""
        return self.folder / "estate"

    def environment(self, identity: Identity | None) -> dict[str, str]:
        """A command's environment: without what this process's own says of Vault, and with a home inside the folder."""
        inherited = {name: text for name, text in os.environ.items() if not name.startswith(_OWN_VARIABLES)}
        return {
            **inherited,
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "VAULT_ADDR": self.bao.address,
            **({"VAULT_TOKEN": self.tokens[identity]} if identity else {}),
        }


def example() -> Path:
    """The example estate: beside the package in a checkout, inside of it in a wheel."""
    for folder in (_HERE.parents[2] / "examples" / "trend", _HERE / "estate"):
        if (folder / "reconciler.yaml").is_file():
            return folder
    raise InvalidInput("the demo's example estate is not there", hint="install access-reconciler again")


@contextmanager
def stage(*, keep: bool = False) -> Iterator[Stage]:
    """Set everything up, and take it down again. The folder stays if it is to be kept."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="reconciler-demo-"))
        if not keep:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        for name in ("home", "tmp", "output", "state"):
            (folder / name).mkdir()
        vendors, endpoints = _vendors(stack, load_estate(example()))
        copy = folder / "estate"
        _copy(example(), copy, endpoints)
        bao = stack.enter_context(openbao())
        estate = load_estate(copy)
        _credentials(bao, estate, vendors)
        tokens: dict[Identity, str] = {"plan": _token(bao, "plan"), "apply": _token(bao, "apply")}
        yield Stage(folder, bao, vendors, estate, tokens)


def _vendors(stack: ExitStack, original: Estate) -> tuple[dict[str, WorkloadSecurity], dict[str, str]]:
    vendors: dict[str, WorkloadSecurity] = {}
    endpoints: dict[str, str] = {}
    for number, tenant in enumerate(original.tenants, 1):
        vendors[tenant.name] = WorkloadSecurity(Settings(tenant=number))
        endpoints[tenant.endpoint] = stack.enter_context(serve(vendors[tenant.name])).endpoint
    return vendors, endpoints


def _copy(original: Path, copy: Path, endpoints: Mapping[str, str]) -> None:
    shutil.copytree(original, copy)
    for file in copy.rglob("*.yaml"):
        text = file.read_text(encoding="utf-8")
        for old, new in endpoints.items():
            text = text.replace(f"endpoint: {old}\n", f"endpoint: {new}\n")
        file.write_text(text, encoding="utf-8")


def _credentials(bao: OpenBaoServer, estate: Estate, vendors: Mapping[str, WorkloadSecurity]) -> None:
    """What an administrator does once per tenant: make the reconciler's own keys and store them, with their endpoint."""
    for tenant in estate.tenants:
        vendor = vendors[tenant.name]
        vendor.add_role("API key manager", MANAGER_RIGHTS, description="For the reconciler")
        _store(bao, tenant, tenant.credentials_apply, vendor.add_key("reconciler-apply", "API key manager"))
        if tenant.credentials_plan != tenant.credentials_apply:
            _store(bao, tenant, tenant.credentials_plan, vendor.add_key("reconciler-plan", AUDITOR))


def _store(bao: OpenBaoServer, tenant: DesiredTenant, ref: CredentialRef, secret: str) -> None:
    if ref.vault is None:
        raise InvalidInput(f"{tenant.name} keeps its credential outside of Vault", hint="the demo's estate must not")
    bao.request(
        "POST",
        f"{ref.vault.mount}/data/{ref.vault.path}",
        {"data": {"secretKey": secret, "endpoint": tenant.endpoint}},
    )


def _token(bao: OpenBaoServer, identity: Identity) -> str:
    """A token that can do what the documented policy grants to the identity."""
    policy = (_HERE / f"{identity}.hcl").read_text(encoding="utf-8")
    bao.request("PUT", f"sys/policies/acl/reconciler-{identity}", {"policy": policy})
    answer = bao.request(
        "POST", "auth/token/create", {"policies": [f"reconciler-{identity}"], "ttl": "15m", "no_parent": True}
    )
    return str(answer["auth"]["client_token"])
