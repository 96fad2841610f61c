"""Cortex Cloud passes the conformance suite."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from reconciler.conformance import OfflineConformance, SessionConformance, Subject
from reconciler.emulator.base import Emulator, Settings
from reconciler.providers.cortex_cloud.emulator import CortexTenant, Options
from tests.support.conformance import EstateConformance

VARIANTS = {
    "": Options(dataset_scoping=True),
    "capitals": Options(capitals=True, lower_case_envelope=True, dataset_scoping=True),
    "deeper scopes": Options(scope_level=True, update_count_as_text=True, counts=False, dataset_scoping=True),
    "nothing is reached at first": Options(fresh_scope="no_scope", omitted_comment="kept", dataset_scoping=True),
}


class CortexSubject(Subject):
    """A tenant whose keys can be edited."""

    location = "reconciler.providers.cortex_cloud:PROVIDER"
    variants = tuple(VARIANTS)
    key_creation = ("POST", "/public_api/v1/api_keys/generate")
    level_creation = ("POST", "/platform/iam/v1/role")

    def emulator(self, settings: Settings, variant: str = "") -> CortexTenant:
        return CortexTenant(settings, VARIANTS[variant])

    def level(self, emulator: Emulator) -> dict[str, Any]:
        permissions = {
            "components": ["investigation_query_view", "dashboards_view"],
            "datasets": [
                {"category": "xdr", "accessAll": True},
                {"category": "Endpoints", "permissions": ["host_inventory", "endpoints"]},
            ],
        }
        return {"description": "Queries and dashboards", "permissions": permissions}

    def level_changes(self, emulator: Emulator) -> dict[str, Any]:
        return {"description": "Queries", "permissions": {"components": ["investigation_query_view"]}}

    def key(self, emulator: Emulator, now: datetime) -> dict[str, Any]:
        return {
            "description": "Splunk: ingestion, ünïcode included",
            "expires": (now + timedelta(days=90)).isoformat(),
            "options": {"securityLevel": "standard"},
            "scope": {
                "assets": {"mode": "scope", "groupIds": [12, 3]},
                "endpoints": {
                    "groups": {"mode": "scope", "names": ["servers", "laptops"]},
                    "tags": {"mode": "scope", "names": ["prod"]},
                },
                "casesIssues": {"mode": "scope", "names": ["soc"], "includeWithoutEntities": True},
                "datasets": {
                    "defaultMode": "see_all",
                    "filters": [{"dataset": "xdr_data", "filter": "agent_hostname = x"}],
                },
            },
        }

    def key_changes(self, emulator: Emulator, now: datetime) -> dict[str, Any]:
        return {
            "description": "Something else",
            "expires": (now + timedelta(days=150)).isoformat(),
            "options.securityLevel": "advanced",
            "scope": {"assets": {"mode": "scope", "groupIds": [5]}},
        }

    def foreign_key(self, emulator: Emulator, name: str) -> None:
        assert isinstance(emulator, CortexTenant)
        emulator.add_key(name)

    def foreign_level(self, emulator: Emulator, name: str) -> None:
        assert isinstance(emulator, CortexTenant)
        emulator.add_role(name, description="Made by somebody")


class TestOffline(OfflineConformance):
    """Without a network."""

    subject = CortexSubject()


class TestSession(SessionConformance):
    """Against the emulator."""

    subject = CortexSubject()


class TestEstate(EstateConformance):
    """With Vault and the command line."""

    subject = CortexSubject()
