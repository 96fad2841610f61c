"""Carbon Black Cloud (VMware, now Broadcom), in organisations that sign in with Carbon Black Cloud itself."""

from __future__ import annotations

from reconciler.providers.carbon_black_cloud.provider import CarbonBlackCloud

__all__ = ["PROVIDER"]

PROVIDER = CarbonBlackCloud()
