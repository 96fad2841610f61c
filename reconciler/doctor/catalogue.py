"""Every check of a set-up: its name, which does not change, and what it asks. The table in the docs comes from here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

ROOM: Final = "doctor/"


class Subject(StrEnum):
    """What a check is about."""

    MACHINE = "machine"
    ESTATE = "estate"
    VAULT = "Vault"
    TENANT = "tenant"


@dataclass(frozen=True, slots=True)
class Check:
    """One question. `name` is its part after `doctor/`."""

    name: str
    subject: Subject
    question: str

    @property
    def id(self) -> str:
        """`doctor/vault-reachable`: as reports name it."""
        return f"{ROOM}{self.name}"


def _check(name: str, subject: Subject, question: str) -> Check:
    CHECKS[name] = Check(name, subject, question)
    return CHECKS[name]


CHECKS: Final[dict[str, Check]] = {}
"""By name, in the order in which they are shown."""

_M, _E, _V, _T = Subject
VERSION: Final = _check("version", _M, "Which reconciler and which Python is this?")
EXTRAS: Final = _check("extras", _M, "Which optional parts are installed?")
GIT: Final = _check("git", _M, "Is there a git that is new enough for `--trusted-ref`?")
ENVIRONMENT: Final = _check("environment", _M, "Are variables set that do not count?")
MANIFESTS: Final = _check("manifests", _E, "Do the manifests load, and without a warning?")
TRUSTED: Final = _check("trusted-revision", _E, "With `--trusted-ref`: can the revision be read, and what differs?")
REACHABLE: Final = _check("vault-reachable", _V, "Does Vault answer at its address, with TLS that can be verified?")
READY: Final = _check("vault-ready", _V, "Is it initialised and unsealed?")
SERVER: Final = _check("vault-version", _V, "Which product and version is it, and what does that lack?")
LOGIN: Final = _check("vault-login", _V, "Can this identity log in, and does Vault know its token?")
TOKEN: Final = _check("vault-token", _V, "Will the token outlive a run, and is it no root token?")
VAULT_CLOCK: Final = _check("vault-clock", _V, "Does this machine's clock agree with Vault's?")
MOUNTS: Final = _check("vault-mounts", _V, "Is every mount that is used a KV version 2 one?")
CAPABILITIES: Final = _check("vault-capabilities", _V, "May this identity do what it has to, on every path in use?")
EXCESS: Final = _check("vault-excess", _V, "May it do no more: above all, read no issued secret?")
UNDECLARED: Final = _check("state-undeclared", _V, "Is there no state of a tenant that no manifest declares?")
CREDENTIAL: Final = _check(
    "tenant-credential", _T, "Is the vendor credential there, with the fields that it must have?"
)
ENDPOINT: Final = _check("tenant-endpoint", _T, "May it be sent to the tenant's endpoint?")
AUTHENTICATES: Final = _check("tenant-authenticates", _T, "Does the vendor answer, and take the credential?")
EXPIRY: Final = _check("tenant-expiry", _T, "Does the credential live on for a while, as far as the vendor tells?")
RIGHTS: Final = _check("tenant-rights", _T, "May it do what is needed, and not more, as far as the vendor tells?")
LISTS: Final = _check("tenant-lists", _T, "Can everything be read that planning reads?")
TENANT_CLOCK: Final = _check("tenant-clock", _T, "Does this machine's clock agree with the vendor's?")
RATE: Final = _check("tenant-rate", _T, "How much of the vendor's rate limit do we use, and what is left of it?")
STATE: Final = _check("tenant-state", _T, "Is the state document readable, this estate's and this account's?")
LEASE: Final = _check("tenant-lease", _T, "Is the tenant's lease free?")
