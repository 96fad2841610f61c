"""Makes an estate of any size: the same bytes for the same numbers, and manifests as people write them."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

ESTATE_ID: Final = uuid.UUID("7d1b0a52-3c0e-4f5e-9a57-2f6c9f1f4b10")
PROVIDER: Final = "trend-workload-security"
ENDPOINT: Final = "https://workload.us-1.cloudone.trendmicro.com/api"
VAULT: Final = "https://vault.example.com:8200"
"""VAULT_ADDR wins over it in connected runs."""
KEYS_PER_FILE: Final = 50

_CONSUMERS: Final = (
    "splunk",
    "sentinel",
    "qradar",
    "servicenow",
    "jira",
    "tenable",
    "cortex-xsoar",
    "tines",
    "grafana",
)
_TEAMS: Final = ("secops", "platform", "soc-emea", "soc-apac", "vulnerability-mgmt", "it-operations")
_PURPOSES: Final = (
    "Read events for the SIEM",
    "Open tickets for alerts of severity high and above",
    "Inventory of agents, nightly",
    "Vulnerability findings for the weekly report",
    "Enrichment in playbooks: who owns this computer, which policy is on it",
)
_ZONES: Final = ("Etc/UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo")
_ROTATIONS: Final = (30, 90, 180)

_LEVELS: Final = """\
apiVersion: reconciler/v1
kind: AccessLevel
metadata: {{name: siem-read, tenant: {tenant}}}
spec:
  description: Read events for the SIEM
  permissions:
    platformRights:
      computerRights: {{canViewOtherComputers: true, canViewNotRelatedToComputers: true}}
      policyRights: {{canViewOtherPolicies: true}}
---
apiVersion: reconciler/v1
kind: AccessLevel
metadata: {{name: alert-desk, tenant: {tenant}}}
spec:
  description: Look at alerts and dismiss them
  permissions:
    platformRights:
      alertRights: {{canDismissGlobalAlerts: true}}
      computerRights: {{canViewOtherComputers: true, canDismissAlerts: true}}
---
apiVersion: reconciler/v1
kind: AccessLevel
metadata: {{name: inventory, tenant: {tenant}}}
spec:
  description: List computers and groups
  permissions:
    platformRights:
      computerRights: {{canViewOtherComputers: true, canTagComputers: true}}
      systemInformationRights: {{canViewSystemInformation: true}}
"""
LEVELS: Final = ("siem-read", "alert-desk", "inventory")


@dataclass(frozen=True, slots=True)
class Size:
    """How large an estate is, and how large it came out."""

    keys: int
    tenants: int
    files: int = 0
    bytes: int = 0


def tenant_names(tenants: int) -> list[str]:
    return [f"tenant-{number:03}" for number in range(1, tenants + 1)]


def key_document(name: str, tenant: str, chance: random.Random) -> str:
    """One key's manifest, about 350 bytes."""
    expires = date(2060, 1, 1) + timedelta(days=chance.randrange(3650))
    return (
        f"apiVersion: reconciler/v1\n"
        f"kind: ApiKey\n"
        f"metadata:\n"
        f"  name: {name}\n"
        f"  tenant: {tenant}\n"
        f"  owner: {chance.choice(_TEAMS)}@example.com\n"
        f"spec:\n"
        f"  description: {chance.choice(_PURPOSES)!r}\n"
        f"  accessLevel: {chance.choice(LEVELS)}\n"
        f"  expires: {expires}\n"
        f"  rotation:\n"
        f"    every: {chance.choice(_ROTATIONS)}d\n"
        f"    overlap: 24h\n"
        f"  options:\n"
        f"    locale: en-US\n"
        f"    timeZone: {chance.choice(_ZONES)}\n"
    )


def _key_files(tenant: str, count: int) -> Iterator[tuple[str, str]]:
    chance = random.Random(tenant)
    names = [f"{chance.choice(_CONSUMERS)}-{number:05}" for number in range(1, count + 1)]
    for start in range(0, count, KEYS_PER_FILE):
        documents = [key_document(name, tenant, chance) for name in names[start : start + KEYS_PER_FILE]]
        yield f"keys-{start // KEYS_PER_FILE + 1:03}.yaml", "---\n".join(documents)


def generate(folder: Path, keys: int, tenants: int, endpoints: Sequence[str] = ()) -> Size:
    """Write an estate whose tenants have these endpoints, in the order of their names (none: the product's own address)."""
    names = tenant_names(tenants)
    texts: dict[Path, str] = {
        folder / "reconciler.yaml": (
            f"apiVersion: reconciler/v1\nkind: Estate\nmetadata: {{name: bench}}\n"
            f"spec:\n  id: {ESTATE_ID}\n  vault: {{address: {VAULT!r}}}\n"
        )
    }
    for index, name in enumerate(names):
        home = folder / "tenants" / name
        texts[home / "tenant.yaml"] = (
            f"apiVersion: reconciler/v1\nkind: Tenant\nmetadata: {{name: {name}, labels: {{env: bench}}}}\n"
            f"spec:\n  provider: {PROVIDER}\n  endpoint: {endpoints[index] if endpoints else ENDPOINT}\n"
            f"  credentials: {{vault: {{path: reconciler-credentials/{name}}}}}\n"
            "  rate: {calls: 1000000, share: 1.0}  # of the emulator: what is measured is us, not the waiting\n"
        )
        texts[home / "access-levels.yaml"] = _LEVELS.format(tenant=name)
        count = keys // tenants + (index < keys % tenants)
        texts.update({home / file: text for file, text in _key_files(name, count)})
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return Size(keys, tenants, len(texts), sum(len(text.encode()) for text in texts.values()))
