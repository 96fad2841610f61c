"""A tenant's vendor credential: whether it is there, whole, and bound to where it would be sent."""

from __future__ import annotations

from reconciler.doctor.catalogue import CREDENTIAL, ENDPOINT
from reconciler.doctor.results import Result, failed, ok, problem, skipped
from reconciler.doctor.tools import Tools
from reconciler.errors import AuthenticationFailed, Denied, NotFound, NotPermitted, ReconcilerError, foreign
from reconciler.model.credential import Credential
from reconciler.model.desired import CredentialRef, DesiredTenant
from reconciler.providers import registry
from reconciler.providers.base import Provider
from reconciler.vault.credentials import read_credential


def usable(tools: Tools, tenant: DesiredTenant, results: list[Result]) -> Credential | None:
    """Read it, and say what is wrong with it or that it may be used."""
    name = tenant.name
    reference = tenant.credentials_plan if tools.identity == "plan" else tenant.credentials_apply
    provider = registry.get(tenant.provider)
    why = tools.closed_to(reference.vault) if reference.vault is not None else ""
    if why:
        results += [skipped(check, why, tenant=name) for check in (CREDENTIAL, ENDPOINT)]
        return None
    try:
        credential = read_credential(
            tools.vault,
            reference,
            endpoint=tenant.endpoint,
            environ=tools.environ,
            trust_endpoints=tools.trust_endpoints,
        )
    except (NotPermitted, AuthenticationFailed) as error:
        results += [failed(CREDENTIAL, error, tenant=name), skipped(ENDPOINT, "it cannot be read", tenant=name)]
        return None
    except Denied as error:  # it is there, and may not be sent to where the manifest says
        results += [_present(reference, name), problem(ENDPOINT, error.what, error.hint, tenant=name)]
        return None
    except ReconcilerError as error:
        results.append(_absent(error, reference, tenant, provider))
        results.append(skipped(ENDPOINT, "there is no credential", tenant=name))
        return None
    odd = _fields(credential, reference, tenant, provider)
    if odd is not None:
        results.append(odd)
        return None
    bound = f"it may be sent to {tenant.endpoint} only"
    if credential.endpoint is None:
        bound = "it is from the environment: this machine decides where it is sent"
    results += [_present(reference, name), ok(ENDPOINT, bound, tenant=name, endpoint=tenant.endpoint)]
    return credential


def _present(reference: CredentialRef, tenant: str) -> Result:
    where = f"in Vault at {reference.vault}"
    if reference.vault is None:
        where = f"in the environment: {', '.join(sorted(reference.env.values()))}"
    return ok(CREDENTIAL, where, tenant=tenant)


def _absent(error: ReconcilerError, reference: CredentialRef, tenant: DesiredTenant, provider: Provider) -> Result:
    if reference.vault is None or not isinstance(error, NotFound):
        return failed(CREDENTIAL, error, tenant=tenant.name)
    mend = "store it; `-` reads the value from standard input, so that it stays out of the shell's history"
    found = f"no credential is stored at {reference.vault}"
    return problem(CREDENTIAL, found, mend, [_put(reference, tenant, provider)], tenant=tenant.name)


def _fields(
    credential: Credential, reference: CredentialRef, tenant: DesiredTenant, provider: Provider
) -> Result | None:
    """A problem if it does not hold just the fields that the provider takes."""
    wanted = provider.capabilities.credential_fields
    given = frozenset(credential.fields)
    if given in wanted:
        return None
    choices = " or ".join(", ".join(sorted(fields)) for fields in wanted)
    held = ", ".join(foreign(field) for field in sorted(given))
    what = f"the credential holds {held}; {tenant.provider} takes {choices}, beside `endpoint`"
    commands = [_put(reference, tenant, provider)] if reference.vault is not None else []
    facts = {"holds": [foreign(field) for field in sorted(given)]}
    return problem(CREDENTIAL, what, "store it anew, without any other field", commands, tenant=tenant.name, **facts)


def _put(reference: CredentialRef, tenant: DesiredTenant, provider: Provider) -> str:
    """The command that stores a credential of the smallest kind that will do."""
    fields = min(map(sorted, provider.capabilities.credential_fields), key=lambda one: (len(one), one))
    values = " ".join([f"{field}=…" for field in fields[:-1]] + [f"{fields[-1]}=-"])
    at = f"-mount={reference.vault.mount} {reference.vault.path}" if reference.vault is not None else ""
    return f"vault kv put {at} endpoint={tenant.endpoint} {values}"
