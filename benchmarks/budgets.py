"""The budgets of the design, the ratios that they are about, and what is said of other tools that are not measured here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

Unit = Literal["×", "s", "MB"]


@dataclass(frozen=True, slots=True)
class Budget:
    """One figure that must stay at or below `limit`. A ratio holds on any machine; seconds only on one like the design's."""

    figure: str
    what: str
    limit: float
    unit: Unit
    from_keys: int = 0
    """Smaller estates say little about it: constant costs prevail."""
    fails: bool | None = None
    """Whether going over it fails the run; None: a ratio or a size does, for seconds depend on the machine."""
    small: float | None = None
    """What a smaller estate is held to all the same, on a machine that does other things besides; None: to nothing."""

    @property
    def enforced(self) -> bool:
        """Whether going over it fails the run."""
        return self.unit != "s" if self.fails is None else self.fails


@dataclass(frozen=True, slots=True)
class Verdict:
    """A budget, the limit for this size, and what was measured."""

    budget: Budget
    limit: float
    value: float

    @property
    def kept(self) -> bool:
        return self.value <= self.limit

    def as_json(self) -> dict[str, object]:
        budget = self.budget
        return {"figure": budget.figure, "what": budget.what, "value": round(self.value, 3), "limit": self.limit,
                "unit": budget.unit, "kept": self.kept, "enforced": budget.enforced}  # fmt: skip


BUDGETS: Final = (
    Budget("load_ratio", "load and validate, cold, to CSafeLoader alone", 0.6, "×", 10_000, small=0.9),
    Budget("load_warm_ratio", "the same with a warm cache", 0.25, "×", 10_000, small=0.35),
    Budget("plan_ratio", "no-op plan, to CSafeLoader alone", 1.5, "×", 10_000),
    Budget("diff_ratio", "load to diff, cold, to octodns-sync, both without start", 0.333, "×", 10_000, small=0.4),
    Budget(
        "diff_warm_ratio", "load to diff, warm, to octodns-sync, both without start", 0.125, "×", 10_000, small=0.25
    ),
    Budget("apply_ratio", "creates with secrets stored, to a bare loop", 1.5, "×", 1_000),
    Budget("plan_latency_ratio", "plan with slow vendors, to the slowest tenant alone", 3.0, "×"),
    Budget("apply_latency_ratio", "creates with slow vendors, to a bare loop", 1.5, "×", 1_000),
    Budget("interrupted", "Ctrl-C during an apply, to its end", 30.0, "s", fails=True),
    Budget("revoke_one", "revoke one key of a slow vendor", 10.0, "s", fails=True),
    Budget("revoke_hundred", "revoke 100 keys of a slow vendor", 60.0, "s", fails=True),
    Budget("growth_ratio", "processor time per key, to that of a tenth of the estate", 1.5, "×"),
    Budget("scale_peak_mb", "peak memory of a plan and its helper", 500, "MB"),
    Budget("load_peak_mb", "peak memory of loading", 500, "MB"),
    Budget("plan_peak_mb", "peak memory of a no-op plan", 500, "MB"),
    Budget("help_ratio", "reconciler --help, to importing click alone", 3.0, "×"),
    Budget("validate_one_ratio", "validate one file, to importing its libraries", 5.0, "×"),
    Budget("help", "reconciler --help, from start to exit", 0.2, "s"),
    Budget("version", "reconciler --version, from start to exit", 0.2, "s"),
    Budget("validate_one", "reconciler validate of one file", 0.4, "s"),
)

QUOTIENTS: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "load_ratio": (("load",), "csafeloader"),
    "load_first_ratio": (("load_first",), "csafeloader"),
    "load_warm_ratio": (("load_warm",), "csafeloader"),
    "plan_ratio": (("plan",), "csafeloader"),
    "diff_ratio": (("load_to_diff",), "octodns_sync_work"),
    "diff_warm_ratio": (("load_to_diff_warm",), "octodns_sync_work"),
    "diff_ratio_with_start": (("python", "load_to_diff_import", "load_to_diff"), "octodns_sync"),
    "diff_warm_ratio_with_start": (("python", "load_to_diff_warm_import", "load_to_diff_warm"), "octodns_sync"),
    "load_ratio_to_octodns": (("load",), "octodns_validate_work"),
    "apply_ratio": (("apply",), "bare_loop"),
    "plan_latency_ratio": (("plan_latency",), "slowest_alone"),
    "apply_latency_ratio": (("apply_latency",), "bare_loop_latency"),
    "growth_ratio": (("large_cpu_per_key",), "small_cpu_per_key"),
    "help_ratio": (("help",), "import_click"),
    "validate_one_ratio": (("validate_one",), "import_libraries"),
}
"""Ratios of the time of some steps together to that of another, of one round each."""

QUOTED: Final = ("Terraform 1.0, plan of 1,000 trivial local resources: 1.8 s; of 5,000: 19 s; creating 1,000: 17 s",)
"""What others need by their own or others' accounts, on other machines."""


SMALL_FROM: Final = 1_000
"""Keys of the smallest estate that says anything about a ratio of what grows."""


def ratios(figures: Mapping[str, Sequence[float]]) -> dict[str, list[float]]:
    """The figures that are quotients of others, round by round, as far as those were measured."""
    return {
        name: [
            sum(round_) / divisor for *round_, divisor in zip(*(figures[part] for part in (*parts, whole)), strict=True)
        ]
        for name, (parts, whole) in QUOTIENTS.items()
        if all(part in figures for part in (*parts, whole))
    }


def judge(figures: Mapping[str, float], keys: int) -> list[Verdict]:
    """Every budget that these figures of an estate of so many keys say something about."""
    verdicts = []
    for budget in BUDGETS:
        limit = budget.limit if keys >= budget.from_keys else budget.small if keys >= SMALL_FROM else None
        if budget.figure in figures and limit is not None:
            verdicts.append(Verdict(budget, limit, figures[budget.figure]))
    return verdicts
