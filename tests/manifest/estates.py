"""Estates in the making for tests, and providers that behave as a test needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from reconciler.errors import InvalidInput
from reconciler.manifest import load_estate, validate
from reconciler.model.desired import DesiredKey, DesiredLevel, DesiredTenant
from reconciler.providers import registry
from reconciler.providers.base import Capabilities, Problem, Traits
from reconciler.providers.trend_workload_security.provider import TrendWorkloadSecurity

NOW = datetime(2026, 11, 22, tzinfo=UTC)
SETTINGS = """\
apiVersion: reconciler/v1
kind: Estate
metadata: {name: acme}
spec:
  id: 5b0c1f0e-7c55-4e0e-9d53-0a6f6f3f2c11
  vault: {address: "https://vault.example.com:8200"}
"""


def manifest(kind: str, name: str, *fields: str, tenant: str = "", metadata: str = "") -> str:
    """A manifest: the fields of its spec begin in line 5, column 3, and take a line each."""
    place = f", tenant: {tenant}" if tenant else ""
    more = f", {metadata}" if metadata else ""
    spec = "".join(f"  {field}\n" for field in fields)
    return f"apiVersion: reconciler/v1\nkind: {kind}\nmetadata: {{name: {name}{place}{more}}}\nspec:\n{spec}"


def tenant(name: str, provider: str, *fields: str) -> str:
    """A tenant with the label `env: prod`; more fields from line 8 on."""
    usual = (
        f"provider: {provider}",
        "endpoint: https://vendor.example.com/api",
        f"credentials: {{vault: {{path: reconciler-credentials/{name}}}}}",
    )
    return manifest("Tenant", name, *usual, *fields, metadata="labels: {env: prod}")


def key(
    name: str, tenant: str, *fields: str, level: str = "accessLevel: {existing: Auditor}", metadata: str = ""
) -> str:
    """A key with an access level in line 5; more fields from line 6 on."""
    return manifest("ApiKey", name, level, *fields, tenant=tenant, metadata=metadata)


class Folder:
    """An estate in the making: writes files, and tells what validation finds."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write("reconciler.yaml", SETTINGS)

    def write(self, name: str, *documents: str) -> None:
        (self.path / name).write_text("---\n".join(map(dedent, documents)))

    def found(self) -> list[str]:
        """Every problem: `file:line:col: severity: …`."""
        problems = validate(self.path, now=NOW).problems
        return [str(problem).replace(f"{self.path}/", "") for problem in problems]

    def tenant(self) -> DesiredTenant:
        """The only tenant of an estate that is right."""
        [one] = load_estate(self.path, now=NOW).tenants
        return one

    def digest(self) -> str:
        return load_estate(self.path, now=NOW).digest


class Fake(TrendWorkloadSecurity):
    """A provider with a name, traits and answers of a test's choice."""

    def __init__(
        self,
        name: str,
        *,
        traits: Traits | Callable[[DesiredTenant], Traits] | None = None,
        tenant: Callable[[DesiredTenant], Iterable[Problem]] = lambda _: (),
        level: Callable[[DesiredLevel], Iterable[Problem]] = lambda _: (),
        key: Callable[[DesiredKey], Iterable[Problem]] = lambda _: (),
        scope: Mapping[str, Any] | None = None,
    ) -> None:
        self._name = name
        self._traits = traits or Traits()
        self._scope = scope
        self.check_tenant = tenant  # type: ignore[assignment,method-assign]
        self.check_level = level  # type: ignore[assignment,method-assign]
        self.check_key = key  # type: ignore[assignment,method-assign]

    @property
    def name(self) -> str:
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        known = super().capabilities
        return known if callable(self._traits) else replace(known, traits=self._traits)

    def traits(self, tenant: DesiredTenant) -> Traits:
        return self._traits(tenant) if callable(self._traits) else self._traits

    def scope_schema(self) -> Mapping[str, Any] | None:  # type: ignore[override]
        return self._scope


def install(patch: pytest.MonkeyPatch, *fakes: Fake) -> None:
    """Let the registry know these providers beside the installed ones."""
    known, original = {fake.name: fake for fake in fakes}, registry.get
    names = sorted({*registry.names(), *known})

    def get(name: str) -> Any:
        if name not in names:
            raise InvalidInput(f"unknown provider {name!r}")
        return known.get(name) or original(name)

    patch.setattr(registry, "get", get)
    patch.setattr(registry, "names", lambda: tuple(names))
