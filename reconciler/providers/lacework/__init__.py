"""Lacework FortiCNAPP (API v2): service users by API, their keys by handoff."""

from __future__ import annotations

from reconciler.providers.lacework.provider import Lacework

__all__ = ["PROVIDER"]

PROVIDER = Lacework()
