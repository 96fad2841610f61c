"""Trend Micro Deep Security, Workload Security, and Server & Workload Protection (API family A)."""

from __future__ import annotations

from reconciler.providers.trend_workload_security.provider import TrendWorkloadSecurity

__all__ = ["PROVIDER"]

PROVIDER = TrendWorkloadSecurity()
