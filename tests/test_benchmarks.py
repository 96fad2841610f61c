"""The bench harness measures what it says: a realistic estate, the same one every time, and verdicts that can fail."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from benchmarks import budgets, generate, measure, octodns, policy, show
from benchmarks.__main__ import SUBJECTS
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
    """A ratio is judged by its budget, on estates that are large enough to say something; smaller ones by a wider one."""
    figures = measure.medians(budgets.ratios({"load": [load, 9, load], "csafeloader": [1.0, 9, 1.0]}))
    assert figures == {"load_ratio": load}
    [verdict] = budgets.judge(figures, keys=10_000)
    assert (verdict.kept, verdict.limit, verdict.budget.enforced) == (kept, 0.6, True)
    [verdict] = budgets.judge(figures, keys=9_999)
    assert (verdict.kept, verdict.limit) == (True, verdict.budget.small)
    assert budgets.judge(figures, keys=999) == []


def test_ratios_are_made_round_by_round() -> None:
    """What is compared was measured in the same minute; parts are added up; a round that lacks a part is an error."""
    figures = {"python": [1, 1], "load_to_diff_import": [0, 0], "load_to_diff": [1, 3], "octodns_sync": [4, 2]}
    assert budgets.ratios(figures) == {"diff_ratio_with_start": [0.5, 2.0]}
    with pytest.raises(ValueError, match="zip"):
        budgets.ratios({**figures, "python": [1]})


def test_budgets_are_about_what_is_measured() -> None:
    """Every ratio with a budget is a quotient, no small limit is narrower than the design's, and every subject measures."""
    assert {one.figure for one in budgets.BUDGETS if one.unit == "×"} <= set(budgets.QUOTIENTS)
    assert all(one.small is None or one.small >= one.limit for one in budgets.BUDGETS)
    for subject in SUBJECTS:
        assert callable(import_module(f"benchmarks.{subject}").figures), subject


def test_a_broken_budget_fails_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One enforced budget over its limit: status 1, and the table says which. Seconds alone never fail."""
    assert show.write(tmp_path / "kept.json", {"load_ratio": [0.5], "help": [9.0]}, 10_000, 50, "wall") == 0
    assert "over (this machine)" in capsys.readouterr().err
    assert show.write(tmp_path / "broken.json", {"load_ratio": [0.7]}, 10_000, 50, "cpu") == 1
    said = capsys.readouterr().err
    assert "BROKEN" in said
    assert "cpu clock" in said
    assert json.loads((tmp_path / "broken.json").read_text())["clock"] == "cpu"


def test_the_cpu_clock_counts_work_and_not_waiting(tmp_path: Path) -> None:
    """A process that sleeps takes wall time and no CPU; so does a phase."""
    nap = [sys.executable, "-c", "import time; time.sleep(0.5)"]
    assert measure.seconds(nap, {}) >= 0.5
    assert measure.seconds(nap, {measure.CLOCK: "cpu"}) < 0.4
    code = "import time; from benchmarks.phases import clock; start = clock(); time.sleep(0.5); print(clock() - start)"
    waited = [float(measure.run([sys.executable, "-c", code], {measure.CLOCK: clock})) for clock in ("wall", "cpu")]
    assert waited[0] >= 0.5
    assert waited[1] < 0.4


def test_octodns_gets_as_many_records_in_as_many_zones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record for each key and a zone for each tenant, the same on both sides, in a configuration that names them all."""
    monkeypatch.setattr(octodns, "_environment", lambda: tmp_path)
    peer = octodns.Peer(tmp_path / "peer")
    peer.generate(records=301, zones=2)
    config = yaml.safe_load((tmp_path / "peer" / "config.yaml").read_text())
    assert list(config["zones"]) == ["tenant-001.example.com.", "tenant-002.example.com."]
    sides = [
        {path.name: yaml.safe_load(path.read_text()) for path in (tmp_path / "peer" / side).iterdir()}
        for side in ("source", "target")
    ]
    assert sides[0] == sides[1]
    assert [len(zone) for _, zone in sorted(sides[0].items())] == [151, 150]
    assert config["providers"]["target"]["directory"] == str(tmp_path / "peer" / "target")


def test_the_harness_runs_and_reports(tmp_path: Path) -> None:
    """A run prints a table, and writes every round, the peers' figures and its verdicts as JSON."""
    out = tmp_path / "bench.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "load", "--keys=1000", "--tenants=2", "--rounds=1", f"--out={out}"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "", done.stderr
    report = json.loads(out.read_text())
    broken = [one for one in report["budgets"] if not one["kept"] and one["enforced"]]
    assert done.returncode == int(bool(broken)), done.stderr
    assert report["estate"] == {"keys": 1000, "tenants": 2}
    assert report["medians"].keys() >= {
        "events",
        "values",
        "load",
        "load_first",
        "load_warm",
        "load_peak_mb",
        "load_ratio",
    }
    assert report["peers"].keys() == {"csafeloader"}
    assert report["medians"]["keys"] == 1000
    assert len(report["rounds"]["load_warm"]) == 1
    assert {"load_peak_mb", "load_ratio", "load_warm_ratio"} == {verdict["figure"] for verdict in report["budgets"]}
    assert "Terraform" in done.stderr


def test_unknown_subjects_are_refused() -> None:
    """A subject that there is not is wrong usage, with those that there are."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "lod"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "no such subject: lod; there are startup, load" in done.stderr


def test_the_policy_bench_measures_the_library_that_we_chose() -> None:
    """All of the conformance list is right, mistakes are noticed before anything runs, and the rules find nothing wrong."""
    found = policy.child("cel_expr_python", 3, "speed")
    assert (found["conformance"], found["violated"]) == (f"{len(policy.CONFORMANCE)} of {len(policy.CONFORMANCE)}", 0)
    assert found["noticed"] == [what for what, _ in policy.MISTAKES]
    assert policy.pack(3)["findings"] == 0
