"""Trend Cloud One: the keys of an account (Accounts and Identity Management API)."""

from __future__ import annotations

from reconciler.providers.trend_cloud_one.provider import TrendCloudOne

__all__ = ["PROVIDER"]

PROVIDER = TrendCloudOne()
