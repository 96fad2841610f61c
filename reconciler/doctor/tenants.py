"""One tenant: its vendor credential, what the vendor says, and its state."""

from __future__ import annotations

from reconciler.doctor import credentials, states, vendors
from reconciler.doctor.results import Result, Verdict, skipped
from reconciler.doctor.tools import Tools
from reconciler.model.desired import DesiredTenant


def examine(tools: Tools, tenant: DesiredTenant) -> list[Result]:
    """Every check of one tenant."""
    results: list[Result] = []
    credential = credentials.usable(tools, tenant, results)
    if credential is None:
        first = results[0]
        why = first.found if first.verdict is Verdict.SKIPPED else "there is no credential that may be used"
        results += [skipped(check, why, tenant=tenant.name) for check in vendors.ASKED]
    else:
        results += vendors.examine(tools, tenant, credential)
    results += states.examine(tools, tenant)
    return results
