"""The budgets of the design, and what other tools need for comparable work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Budget:
    """One figure that must stay at or below `limit`. A ratio holds on any machine; seconds only on one like the design's."""

    figure: str
    what: str
    limit: float
    unit: Literal["×", "s", "MB"]
    from_keys: int = 0
    """Estates smaller than this say nothing about it: constant costs prevail."""

    @property
    def enforced(self) -> bool:
        """Whether going over it fails the run."""
        return self.unit != "s"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A budget and what was measured."""

    budget: Budget
    value: float

    @property
    def kept(self) -> bool:
        return self.value <= self.budget.limit

    def as_json(self) -> dict[str, object]:
        budget = self.budget
        return {"figure": budget.figure, "value": round(self.value, 3), "limit": budget.limit, "unit": budget.unit,
                "kept": self.kept, "enforced": budget.enforced}  # fmt: skip


BUDGETS: Final = (
    Budget("load_ratio", "load and validate, to CSafeLoader alone", 0.6, "×", 10_000),
    Budget("plan_ratio", "no-op plan, to CSafeLoader alone", 1.5, "×", 10_000),
    Budget("apply_ratio", "creates with secrets stored, to a bare loop", 1.5, "×"),
    Budget("load_peak_mb", "peak memory of loading", 500, "MB"),
    Budget("plan_peak_mb", "peak memory of a no-op plan", 500, "MB"),
    Budget("help", "reconciler --help, from start to exit", 0.2, "s"),
)

PEERS: Final = (
    "octoDNS, no-op sync of 10,000 records in local files: 4.8 s; of 100,000: 57 s and 747 MB",
    "Terraform 1.0, plan of 1,000 trivial local resources: 1.8 s; of 5,000: 19 s; creating 1,000: 17 s",
)


def ratios(figures: Mapping[str, float]) -> dict[str, float]:
    """The figures that are quotients of others, as far as those were measured."""
    quotients = {
        "load_ratio": ("load", "csafeloader"),
        "plan_ratio": ("plan", "csafeloader"),
        "apply_ratio": ("apply", "bare_loop"),
    }
    return {
        name: figures[part] / figures[whole]
        for name, (part, whole) in quotients.items()
        if part in figures and whole in figures
    }


def judge(figures: Mapping[str, float], keys: int) -> list[Verdict]:
    """Every budget that these figures of an estate of so many keys say something about."""
    return [
        Verdict(budget, figures[budget.figure])
        for budget in BUDGETS
        if budget.figure in figures and keys >= budget.from_keys
    ]
