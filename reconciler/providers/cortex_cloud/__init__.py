"""Palo Alto Networks Cortex Cloud (the API that it shares with Cortex XSIAM, XDR 5 and XSOAR 8)."""

from __future__ import annotations

from reconciler.providers.cortex_cloud.provider import CortexCloud

__all__ = ["PROVIDER"]

PROVIDER = CortexCloud()
