"""YAML into typed manifests with their positions; references; tenant selection; the formatter."""

from __future__ import annotations

from reconciler.manifest.cache import Cache, open_cache
from reconciler.manifest.load import Report, load_estate, validate
from reconciler.manifest.problems import InvalidManifests, Problem, Severity

__all__ = ["Cache", "InvalidManifests", "Problem", "Report", "Severity", "load_estate", "open_cache", "validate"]
