"""The permissions that an access level can hold: those that public documents name (section 10 of the vendor page).

The vendor publishes no complete list, so a name that is not here may exist all the same. The operations are a closed list.
"""

from __future__ import annotations

from typing import Final, NamedTuple

OPERATIONS: Final = ("CREATE", "READ", "UPDATE", "DELETE", "EXECUTE")
"""All of them, in the console's order (S13)."""


class Permission(NamedTuple):
    """One row of the console's table: what it is about, and the operations that public documents name for it."""

    area: str
    operations: tuple[str, ...]


def _row(area: str, *operations: str) -> Permission:
    return Permission(area, operations)


_C, _R, _U, _D, _E = OPERATIONS
_ALL_BUT_EXECUTE: Final = (_C, _R, _U, _D)

PERMISSIONS: Final[dict[str, Permission]] = {
    "appliances.nsx.remediation": _row("NSX tags", _E),
    "appliances.registration": _row("Appliances", *_ALL_BUT_EXECUTE),
    "complianceAssessment.data": _row("Compliance Assessment", _R, _U, _E),
    "device": _row("Device: information", _R),
    "device.bg-scan": _row("Device: background scan", _E),
    "device.bypass": _row("Device: bypass", _E),
    "device.deregistered": _row("Device: deregistered devices", _D),
    "device.policy": _row("Device: policy assignment", _U),
    "device.quarantine": _row("Device: quarantine", _E),
    "device.uninstall": _row("Device: uninstall", _E),
    "external-device.enforce": _row("Device Control: enforcement", _U),
    "external-device.manage": _row("Device Control: approvals", *_ALL_BUT_EXECUTE),
    "group-management": _row("Asset groups", *_ALL_BUT_EXECUTE),
    "jobs.status": _row("Background Tasks", _R),
    "livequery.manage": _row("Live Query", *_ALL_BUT_EXECUTE),
    "org.alerts": _row("Alerts", _R),
    "org.alerts.close": _row("Alerts: close", _E),
    "org.alerts.dismiss": _row("Alerts: dismiss", _E),
    "org.alerts.notes": _row("Alerts: notes", *_ALL_BUT_EXECUTE),
    "org.alerts.tags": _row("Alerts: tags", _C, _R, _D),
    "org.audits": _row("Audit Logs", _R),
    "org.feeds": _row("Custom Detections: feeds", *_ALL_BUT_EXECUTE),
    "org.firewall.rules": _row("Policies: host firewall", _R, _U),
    "org.info": _row("Organisation data", _R),
    "org.kits": _row("Sensor kits", _E),
    "org.liveresponse": _row("Live Response: switch it off on a device for good"),
    "org.liveresponse.file": _row("Live Response: file", _C, _R, _D),
    "org.liveresponse.memdump": _row("Live Response: memdump", _R),
    "org.liveresponse.process": _row("Live Response: process", _R, _D, _E),
    "org.liveresponse.registry": _row("Live Response: registry", *_ALL_BUT_EXECUTE),
    "org.liveresponse.session": _row("Live Response: session", _C, _R, _D),
    "org.policies": _row("Policies", *_ALL_BUT_EXECUTE),
    "org.reputations": _row("Applications: allow and deny lists", _C, _R, _D),
    "org.search.events": _row("Search", *_ALL_BUT_EXECUTE),
    "org.watchlists": _row("Custom Detections: watchlists", *_ALL_BUT_EXECUTE),
    "org.xdr.metadata": _row("Network threat metadata", _R),
    "public.cloud.inventory": _row("Workload Management", _R),
    "script.deobfuscation": _row("Deobfuscation", _E),
    "ubs.org.file": _row("Unified Binary Store: files", _R),
    "ubs.org.sha256": _row("Unified Binary Store: hashes", _R),
    "vulnerabilityAssessment.data": _row("Vulnerability", _R, _E),
    "workloads.container.image": _row("Container Security Management", _C, _R),
}

SLIPS: Final = {"devices": "device", "org.policy": "org.policies", "org.liveresponse.files": "org.liveresponse.file"}
"""Spellings that the vendor's own pages have in places, and what they mean (inferred)."""

HIGH_RISK: Final = (
    "org.liveresponse.*",
    "org.liveresponse.*.EXECUTE",
    "org.liveresponse.file.CREATE",
    "org.liveresponse.registry.CREATE",
    "org.liveresponse.registry.UPDATE",
    "org.liveresponse.registry.DELETE",
    "device.uninstall.EXECUTE",
    "device.bypass.EXECUTE",
    "device.deregistered.DELETE",
    "org.policies.CREATE",
    "org.policies.UPDATE",
    "org.policies.DELETE",
    "org.reputations.CREATE",
    "org.reputations.DELETE",
    "org.kits.*",
)
"""What a least-privilege check should question, written PERMISSION.OPERATION (inferred)."""

HIGH_RISK_LEVELS: Final = (
    "Super Admin",
    "System Admin",
    "Level 3 Analyst",
    "Level 2 Analyst",
    "Level 1 Analyst",
    "View All",
)
"""User roles by their names (6). A key may have one for tests only (S6), for roles take in APIs without a version."""
