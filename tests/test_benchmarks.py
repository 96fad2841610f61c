"""The bench harness measures what it says: a realistic estate, the same one every time, and verdicts that can fail."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import budgets, generate, policy
from reconciler.manifest import load_estate, validate

ROOT = Path(__file__).parents[1]


def test_generated_estates_are_valid_and_as_large_as_asked(tmp_path: Path) -> None:
    """The keys are spread over the tenants, about 350 bytes each, and nothing in them is wrong."""
    size = generate.generate(tmp_path, keys=301, tenants=2)
    assert validate(tmp_path).problems == ()
    assert [len(tenant.keys) for tenant in load_estate(tmp_path).tenants] == [151, 150]
    keys = [path.read_bytes() for path in tmp_path.rglob("keys-*.yaml")]
    assert 330 < sum(map(len, keys)) / size.keys < 370
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.yaml")) == size.bytes


def test_generated_estates_are_the_same_every_time(tmp_path: Path) -> None:
    """The same numbers give the same bytes, so that figures can be compared."""
    for run in ("first", "second"):
        generate.generate(tmp_path / run, keys=60, tenants=3)
    first, second = (
        {path.relative_to(tmp_path / run): path.read_bytes() for path in (tmp_path / run).rglob("*.yaml")}
        for run in ("first", "second")
    )
    assert first == second


@pytest.mark.parametrize(("load", "kept"), [(0.59, True), (0.61, False)])
def test_a_broken_ratio_is_broken(load: float, kept: bool) -> None:
    """A ratio is judged by its budget, on estates that are large enough to say something."""
    figures = {"load": load, "csafeloader": 1.0}
    figures |= budgets.ratios(figures)
    assert [(verdict.kept, verdict.budget.enforced) for verdict in budgets.judge(figures, keys=10_000)] == [
        (kept, True)
    ]
    assert budgets.judge(figures, keys=100) == []


def test_the_harness_runs_and_reports(tmp_path: Path) -> None:
    """An offline run prints a table with the peers' figures, and writes every round and its verdicts as JSON."""
    out = tmp_path / "bench.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--offline", "--keys=40", "--tenants=2", "--rounds=1", f"--out={out}"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "octoDNS" in done.stderr
    report = json.loads(out.read_text())
    assert report["estate"]["keys"] == 40
    assert report["medians"].keys() >= {"csafeloader", "read", "validate", "load", "load_peak_mb", "load_ratio", "help"}
    assert "load_peak_mb" in [verdict["figure"] for verdict in report["budgets"]]


def test_the_policy_bench_measures_the_library_that_we_chose() -> None:
    """All of the conformance list is right, mistakes are noticed before anything runs, and the rules find nothing wrong."""
    found = policy.child("cel_expr_python", 3, "speed")
    assert (found["conformance"], found["violated"]) == (f"{len(policy.CONFORMANCE)} of {len(policy.CONFORMANCE)}", 0)
    assert found["noticed"] == [what for what, _ in policy.MISTAKES]
    assert policy.pack(3)["findings"] == 0
