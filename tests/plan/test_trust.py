"""What decides where credentials go, and what judges a change: every difference is a finding, in words and by severity."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from reconciler.manifest.snapshot import Document, Snapshot
from reconciler.model.desired import Source, VaultPath
from reconciler.model.estate import JwtAuth, Limit, Limits
from reconciler.model.finding import Finding, Severity
from reconciler.plan.access_rules import RULES, TRUST
from reconciler.plan.comparison import compare_sides
from reconciler.plan.trust import compare_trust
from reconciler.providers import registry
from tests.support import builders as b

VAULT = b.estate().vault


def side(ref: str = "main", **more: Any) -> Snapshot:
    return replace(Snapshot(ref, "c" * 40, b.estate()), **more)


def found(before: Snapshot, after: Snapshot) -> list[Finding]:
    seen = list(compare_trust(before, after))
    for one in seen:  # the documented table says just this
        assert one.impact in RULES[one.rule].impact
        assert one.severity in RULES[one.rule].severity
        assert one.message.isprintable()
    return seen


def with_limits(**limits: Any) -> Snapshot:
    return side(estate=b.estate(limits=Limits(**limits)))


def vault(**more: Any) -> Snapshot:
    return side(estate=b.estate(vault=replace(VAULT, **more)))


LOOSE, TIGHT = Limit(0.5, 20, 3), Limit(0.1, 5, 1)


@pytest.mark.parametrize(
    ("after", "rule", "impact", "severity", "words"),
    [
        (vault(address="https://evil.example"), "trust/vault", "neutral", "critical",
         "vault.address in reconciler.yaml is https://evil.example, it was https://vault.example.com:8200"),
        (vault(namespace="n"), "trust/vault", "neutral", "high", "is n, it was none"),
        (vault(auth_plan=JwtAuth("r")), "trust/vault", "neutral", "high", "for planning"),
        (vault(auth_apply=JwtAuth("r")), "trust/vault", "neutral", "high", "applying"),
        (vault(state=VaultPath("kv", "x")), "trust/state", "neutral", "critical", "kv/x"),
        (vault(ca_cert="/e/ca.pem"), "trust/vault", "neutral", "high", "came or went"),
        (side(estate=b.estate(id=UUID(int=1))), "trust/estate", "neutral", "critical", "id in reconciler.yaml is 00000000"),
        (with_limits(deletes=LOOSE), "trust/limits", "widens", "high", "the guardrail deletes is looser: ratio 0.5, max 20"),
        (with_limits(locks=TIGHT), "trust/limits", "narrows", "low", "the guardrail locks is tighter"),
        (with_limits(rotations=51), "trust/limits", "widens", "high", "rotations is looser: 51 in one run, it was 50"),
        (with_limits(rotations=1), "trust/limits", "narrows", "low", "rotations is tighter"),
        (with_limits(widenings=TIGHT), "trust/limits", "narrows", "low", "tighter: ratio 0.1, max 5, floor 1, it was off"),
        (side(submodules={"shared": "a" * 40}), "trust/unread", "neutral", "high", "the submodule shared differs"),
        (side("", submodules={"shared": "a" * 40}), "trust/unread", "neutral", "high", "counts as new"),
        (side(pipeline={"requirements.txt": b"x"}), "trust/pipeline", "neutral", "high", "1 file of what the pipeline"),
    ],
)  # fmt: skip
def test_settings_of_the_estate(after: Snapshot, rule: str, impact: str, severity: str, words: str) -> None:
    """Each by itself; the same side differs in nothing."""
    [one] = found(side(), after)
    assert (one.rule, one.impact, one.severity) == (rule, impact, severity)
    assert words in one.message
    assert found(after, after) == []


def test_a_limit_that_is_taken_away() -> None:
    """Is a looser one."""
    [one] = found(with_limits(widenings=TIGHT), side())
    assert (one.severity, one.message.endswith("off, it was ratio 0.1, max 5, floor 1")) == (Severity.HIGH, True)


def test_another_content_of_the_ca_file() -> None:
    """Under the same name."""
    estate = b.estate(vault=replace(VAULT, ca_cert="/e/ca.pem"))
    [one] = found(side(estate=estate, ca_cert=b"a"), side(estate=estate, ca_cert=b"b"))
    assert one.message.endswith("is another one")


def document(kind: str, spec: Any, tenant: str = "") -> dict[tuple[str, str, str], Document]:
    return {(kind, tenant, "x"): Document(kind, "x", tenant, spec, Source("x.yaml", 1))}


@pytest.mark.parametrize(
    ("kind", "rule", "removed"),
    [
        ("Policy", "trust/policy", "high"),
        ("Waiver", "trust/waiver", "info"),
        ("EndpointMap", "trust/endpoint-map", "high"),
        ("Approval", "trust/approval", "info"),
    ],
)
def test_what_judges_is_compared_as_it_stands(kind: str, rule: str, removed: str) -> None:
    """Added, changed, removed; whatever the kind's fields are or will be."""
    none, one, other = side(), side(documents=document(kind, {"a": 1})), side(documents=document(kind, {"a": 2}))
    assert [(f.rule, f.severity, f.message.split(" is ")[1]) for f in found(none, one)] == [(rule, "high", "added")]
    assert [(f.rule, f.severity, f.message.split(" is ")[1]) for f in found(one, other)] == [(rule, "high", "changed")]
    assert [(f.rule, f.severity, f.message.split(" is ")[1]) for f in found(one, none)] == [(rule, removed, "removed")]
    assert found(one, side(documents=document(kind, {"a": 1}))) == []


def test_sections_of_the_settings_that_nothing_here_knows() -> None:
    """They are compared as they stand, so that what is added later is told, too; the known ones are told by themselves."""

    def settings(**spec: Any) -> Snapshot:
        return side(documents=document("Estate", spec))

    strict, off = settings(id="x", policy={"builtin": "deny"}), settings(id="x", policy={"builtin": "off"})
    [one] = found(strict, off)
    assert (one.rule, one.message) == ("trust/settings", "the section policy of reconciler.yaml is changed")
    assert found(strict, settings(id="x"))[0].message.endswith("is removed")
    assert found(settings(id="x"), strict)[0].message.endswith("is added")
    assert found(settings(timeouts=1, limits=1), settings(timeouts=2)) == []
    assert found(settings(policy=1), side()) == []


def test_a_waiver_says_what_it_is_for() -> None:
    """Rule, object, end and reason, of whoever wrote it; nothing of it steers a terminal."""
    spec = {"rule": "policy/x", "object": "ApiKey/a", "until": "2027-01-01", "reason": "\x1b[2Jx"}
    [one] = found(side(), side(documents=document("Waiver", spec, "dsm")))
    assert one.message == (
        "the waiver x is added (rule policy/x, object ApiKey/a, until 2027-01-01, reason \N{REPLACEMENT CHARACTER}[2Jx)"
    )
    assert (one.tenant, str(one.source)) == ("dsm", "x.yaml:1:1")
    [one] = found(side(), side(documents=document("Approval", "no mapping")))
    assert one.message == "the approval x is added"


def test_an_estate_that_is_new() -> None:
    """One finding for its settings, and no differences with nothing."""
    [one] = found(Snapshot("main", "c" * 40, None), side(pipeline={"Makefile": b"x"}))
    assert (one.rule, one.severity) == ("trust/estate", Severity.HIGH)
    assert "Vault at https://vault.example.com:8200, state at secret/reconciler" in one.message
    [one] = found(Snapshot("", "", None), side(estate=b.estate(vault=replace(VAULT, address=""))))
    assert "Vault at VAULT_ADDR" in one.message


def test_what_fails_a_pipeline() -> None:
    """What widens, and what concerns trust, from a severity on; what narrows or destroys never."""

    def compared(before: Snapshot, after: Snapshot) -> Any:
        return compare_sides(before, after, registry.get, b.NOW)

    def estate(*keys: Any) -> Snapshot:
        return side(estate=b.estate(tenants=(b.desired_tenant(keys),)))

    made = compared(estate(), estate(b.desired_key()))
    assert made.fails(Severity.MEDIUM)
    assert not made.fails(Severity.HIGH)
    gone = compared(estate(b.desired_key(protect=True)), estate())
    assert gone.findings[0].severity is Severity.CRITICAL
    assert not gone.fails(Severity.INFO)
    assert compared(side(), side(pipeline={"Makefile": b""})).fails(Severity.HIGH)
    assert not compared(side(), side(pipeline={"Makefile": b""})).fails(Severity.CRITICAL)


def test_every_rule_of_trust_is_reached() -> None:
    """Here, or where tenants are compared."""
    sources = [path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py")]
    assert [rule for rule in TRUST if not any(f'"{rule}"' in text for text in sources)] == []
