"""The state document of a tenant that has none yet."""

from __future__ import annotations

from reconciler.model.desired import CredentialRef, DesiredTenant
from reconciler.model.estate import Estate
from reconciler.model.state import StateDocument


def introduced(estate: Estate, desired: DesiredTenant) -> StateDocument:
    """A document that names the vendor account and where its credential is (never what it is), and nothing else."""
    return StateDocument(
        estate=estate.id,
        tenant=desired.name,
        provider=desired.provider,
        endpoint=desired.endpoint,
        credentials=_reference(desired.credentials_apply),
        options=desired.options,
        endpoint_map=desired.endpoint_map,
    )


def _reference(ref: CredentialRef) -> dict[str, object]:
    if ref.vault is not None:
        return {"vault": {"mount": ref.vault.mount, "path": ref.vault.path}}
    return {"env": dict(ref.env)}
