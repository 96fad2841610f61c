"""Trend Vision One: API keys (public API, `/v3.0/iam`)."""

from __future__ import annotations

from reconciler.providers.trend_vision_one.provider import TrendVisionOne

__all__ = ["PROVIDER"]

PROVIDER = TrendVisionOne()
