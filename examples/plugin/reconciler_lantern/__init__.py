"""Lantern, an invented product, as a provider for the reconciler."""

from __future__ import annotations

from reconciler_lantern.provider import Lantern

__all__ = ["PROVIDER"]

PROVIDER = Lantern()
