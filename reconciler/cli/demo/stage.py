"""What the demo runs on: a copy of the example estate, one emulated vendor per tenant, and a real OpenBao.

The estate is taken as it is, but for a few lines. Its endpoints are those of imaginary customers, so the copy names the
emulators instead, and their organisations; OpenBao's address comes from `VAULT_ADDR`, as it would in a pipeline.
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

from reconciler.cli.demo.vendors import Fields, Vendor, cast
from reconciler.emulator.openbao import OpenBaoServer, openbao
from reconciler.emulator.server import serve
from reconciler.errors import InvalidInput
from reconciler.manifest import load_estate
from reconciler.model.desired import CredentialRef, DesiredTenant
from reconciler.model.estate import Estate

Identity = Literal["plan", "apply"]

_HERE: Final = Path(__file__).parent
_OWN_VARIABLES: Final = ("VAULT_", "BAO_")


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything the story needs. The folder holds all that the commands write, whichever way they write it."""

    folder: Path
    bao: OpenBaoServer
    vendors: Mapping[str, Vendor]
    """The emulated vendor of each tenant."""
    estate: Estate
    """The copy, with the emulators' endpoints."""
    tokens: Mapping[Identity, str] = field(repr=False)
    """OpenBao tokens, each under its documented policy and nothing else."""

    @property
    def downloads(self) -> Path:
        """Where the person's browser puts what a console gives out. Outside of the estate, but searched like it."""
        return self.folder / "downloads"

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
    for folder in (_HERE.parents[2] / "examples" / "estate", _HERE / "estate"):
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
        for name in ("home", "tmp", "output", "state", "downloads"):
            (folder / name).mkdir()
        copy = folder / "estate"
        vendors = _vendors(stack, load_estate(example()), copy)
        bao = stack.enter_context(openbao())
        estate = load_estate(copy)
        _credentials(bao, estate, vendors)
        tokens: dict[Identity, str] = {"plan": _token(bao, "plan"), "apply": _token(bao, "apply")}
        yield Stage(folder, bao, vendors, estate, tokens)


def _vendors(stack: ExitStack, original: Estate, copy: Path) -> dict[str, Vendor]:
    """Serve each tenant's vendor, and write the copy in which the tenants are at home there."""
    vendors: dict[str, Vendor] = {}
    lines: dict[str, str] = {}
    for number, tenant in enumerate(original.tenants, 1):
        vendor = vendors[tenant.name] = cast(tenant, number)
        endpoint = stack.enter_context(serve(vendor.emulator)).endpoint
        vendor.serve_at(endpoint)
        lines |= {f"endpoint: {tenant.endpoint}": f"endpoint: {endpoint}", **vendor.lines(tenant)}
    shutil.copytree(example(), copy)
    for file in copy.rglob("*.yaml"):
        text = file.read_text(encoding="utf-8")
        for old, new in lines.items():
            text = text.replace(f"{old}\n", f"{new}\n")
        file.write_text(text, encoding="utf-8")
    return vendors


def _credentials(bao: OpenBaoServer, estate: Estate, vendors: Mapping[str, Vendor]) -> None:
    """What an administrator does once per tenant: make the reconciler's own keys and store them, with their endpoint."""
    for tenant in estate.tenants:
        vendor = vendors[tenant.name]
        _store(bao, tenant, tenant.credentials_apply, vendor.to_apply())
        if tenant.credentials_plan != tenant.credentials_apply:
            _store(bao, tenant, tenant.credentials_plan, vendor.to_plan())


def _store(bao: OpenBaoServer, tenant: DesiredTenant, ref: CredentialRef, fields: Fields) -> None:
    if ref.vault is None:
        raise InvalidInput(f"{tenant.name} keeps its credential outside of Vault", hint="the demo's estate must not")
    bao.request("POST", f"{ref.vault.mount}/data/{ref.vault.path}", {"data": {**fields, "endpoint": tenant.endpoint}})


def _token(bao: OpenBaoServer, identity: Identity) -> str:
    """A token that can do what the documented policy grants to the identity."""
    policy = (_HERE / f"{identity}.hcl").read_text(encoding="utf-8")
    bao.request("PUT", f"sys/policies/acl/reconciler-{identity}", {"policy": policy})
    answer = bao.request(
        "POST", "auth/token/create", {"policies": [f"reconciler-{identity}"], "ttl": "15m", "no_parent": True}
    )
    return str(answer["auth"]["client_token"])
