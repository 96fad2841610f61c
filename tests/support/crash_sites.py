"""The products that the crash harness can run, one class each; by label, which is the provider's name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.support.crash_carbon_black_cloud import CarbonBlackConsole, CarbonBlackHandoff
from tests.support.crash_cortex_cloud import CortexCloud
from tests.support.crash_lacework import LaceworkAccount
from tests.support.crash_site import Site
from tests.support.crash_trend_cloud_one import TrendCloudOne
from tests.support.crash_trend_vision_one import TrendVisionOne
from tests.support.crash_trend_workload_security import TrendWorkloadSecurity

SITES: Final[Mapping[str, type[Site]]] = {
    site.label(): site
    for site in (
        TrendWorkloadSecurity, TrendCloudOne, TrendVisionOne, CortexCloud, CarbonBlackConsole, CarbonBlackHandoff,
        LaceworkAccount,
    )
}  # fmt: skip
