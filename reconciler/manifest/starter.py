"""The estate that `reconciler init` starts with: small, valid, and with comments that teach."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from string import Template
from typing import Final
from uuid import UUID

from reconciler.model.names import NAME

_LIFE: Final = timedelta(days=365)

_ESTATE: Final = """\
# The settings of this estate: the folder tree that begins here. Any .yaml file below is a manifest, in whatever folder.
#
#   reconciler validate      checks everything, and calls nobody
#   reconciler explain       says what fields there are and what they mean
#   reconciler plan          shows what would change at the vendors
#   reconciler apply         changes it, and puts each new secret into Vault
apiVersion: reconciler/v1
kind: Estate
metadata:
  name: $name
spec:
  # Made for this estate. Everything that the reconciler creates carries it, so never change or copy it.
  id: $id
  vault:
    # Where Vault or OpenBao is. Without this line the variable VAULT_ADDR counts.
    address: https://vault.example.com:8200
    # Who we are there: the token in VAULT_TOKEN. A pipeline would rather log in by `jwt` or `appRole`.
    auth: {token: {}}
    # What the reconciler knows about objects of ours is kept here. No secret is in it.
    state: {mount: secret, path: reconciler}
  # A run that would delete more than this stops before it changes anything: more than `ratio` of all objects or more
  # than `max`, but `floor` are always allowed. These are the defaults.
  limits:
    deletes: {ratio: 0.3, max: 10, floor: 3}
  # Keys are held against the built-in rules: `reconciler explain policy/` lists them. `deny` makes them stop a run.
  policy: {builtin: warn}
"""

_TENANT: Final = """\
# A tenant is one account at one vendor. `reconciler providers` lists the products.
apiVersion: reconciler/v1
kind: Tenant
metadata:
  name: dsm-prod
  # Labels let a key say "in every tenant of this sort" (tenantSelector) instead of naming one.
  labels: {env: prod}
spec:
  provider: trend-workload-security
  # The base address of the vendor's API for this account.
  endpoint: https://workload.us-1.cloudone.trendmicro.com/api
  # The credential that the reconciler itself uses is read from Vault. Beside it, in the same entry, stands the endpoint
  # that it may be sent to, so that nobody can redirect it by changing the line above.
  credentials: {vault: {path: reconciler-credentials/dsm-prod}}
  # Where the secrets of this tenant's keys go. {tenant} and {key} stand for the names.
  secrets: {mount: secret, path: "security-keys/{tenant}/{key}"}
  # Keys and roles that no manifest declares are reported, and never touched.
  unmanaged: report
"""

_LEVEL: Final = """\
# An access level is a named set of permissions; this vendor calls it a role. What is not listed is not granted.
# All rights there are: reconciler explain AccessLevel.spec.permissions --provider trend-workload-security
apiVersion: reconciler/v1
kind: AccessLevel
metadata:
  name: siem-read
  tenant: dsm-prod
spec:
  description: Read computers and policies for the SIEM
  permissions:
    allComputers: true
    allPolicies: true
    platformRights:
      computerRights: {canViewOtherComputers: true}
      policyRights: {canViewOtherPolicies: true}
"""

_KEY: Final = """\
# A key. Its secret goes from the vendor's answer to Vault, to secret/security-keys/dsm-prod/splunk; nobody sees it.
apiVersion: reconciler/v1
kind: ApiKey
metadata:
  name: splunk
  tenant: dsm-prod
  # Who answers for it.
  owner: secops@example.com
spec:
  description: Splunk ingestion
  # The access level from above, or one that the vendor ships: {existing: Auditor}.
  accessLevel: siem-read
  # The key ends with this day, in UTC.
  expires: $expires
  # Every 90 days a new secret is put into Vault; the old one goes on working for a day.
  rotation: {every: 90d, overlap: 24h}
  # active, locked (cannot authenticate, nothing is lost) or absent (key and secret are removed).
  state: active
  # With protect: true neither a deleted manifest nor `state: absent` removes the key.
  protect: false
  # What only this vendor has.
  options: {locale: en-US, timeZone: Etc/UTC}
"""

_IGNORE: Final = """\
# Saved plans belong to one run and hold no secret, but they are no source.
*.plan
*.plan.json
"""

GITIGNORE: Final = ".gitignore"


def estate_name(folder: str) -> str:
    """A folder's name as the name of an estate: what does not fit becomes `-`, and nothing at all becomes `estate`."""
    name = re.sub(r"[^a-z0-9.-]+", "-", folder.lower()).strip("-.")[:63].strip("-.")
    return name if NAME.fullmatch(name) else "estate"


def files(name: str, identity: UUID, today: date) -> Mapping[str, str]:
    """The estate's files, by their paths relative to its root."""
    values = {"name": name, "id": str(identity), "expires": (today + _LIFE).isoformat()}
    texts = {
        "reconciler.yaml": _ESTATE,
        "tenants/dsm-prod.yaml": _TENANT,
        "access-levels/siem-read.yaml": _LEVEL,
        "keys/splunk.yaml": _KEY,
        GITIGNORE: _IGNORE,
    }
    return {path: Template(text).substitute(values) for path, text in texts.items()}
