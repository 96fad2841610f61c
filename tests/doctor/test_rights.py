"""Whether a vendor credential may do what it must, and no more."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.doctor.results import Verdict
from reconciler.doctor.rights import of
from reconciler.providers import registry
from reconciler.providers.base import Evidence, OwnCredential, OwnKey
from reconciler.providers.trend_workload_security.capabilities import CAPABILITIES

KEY = CAPABILITIES.own_key
RISKY = "platformRights.multiTenantRights.canSignInAsTenant"
TAME = "platformRights.alertRights.canDismissGlobalAlerts"
VIEW = "platformRights.licenseRights.canViewLicense"


def own(**more: Any) -> OwnCredential:
    return OwnCredential(Evidence.DOCUMENTED, "T1", **more)


@pytest.mark.parametrize("identity", ["plan", "apply"])
def test_just_what_is_needed(identity: Any) -> None:
    """The documented least is well, with whatever only looks beside it."""
    need = KEY.plan if identity == "plan" else KEY.apply
    [found] = of(own(roles=("r",), permissions=need | {VIEW}), CAPABILITIES, identity, "dsm")
    assert found.verdict is Verdict.OK


def test_too_much_names_the_riskiest_first() -> None:
    """Applying's rights are too much to plan with; high risk comes first."""
    [found] = of(own(roles=("r",), permissions=KEY.plan | {TAME, RISKY}), CAPABILITIES, "plan", "dsm")
    assert (found.verdict, found.facts["excess"], found.facts["highRisk"]) == (Verdict.WARNING, [RISKY, TAME], [RISKY])
    assert "2 things" in found.found


def test_too_little_and_too_much_at_once() -> None:
    """Both are told, each by itself."""
    found = list(of(own(roles=("r",), permissions=KEY.plan | {TAME}), CAPABILITIES, "apply", "dsm"))
    assert [one.verdict for one in found] == [Verdict.PROBLEM, Verdict.WARNING]
    assert set(found[0].facts["missing"]) == KEY.apply - KEY.plan


@pytest.mark.parametrize(
    ("provider", "role", "plan", "apply"),
    [
        ("cortex-cloud", "Instance Administrator", Verdict.WARNING, Verdict.OK),
        ("cortex-cloud", "Viewer", Verdict.OK, Verdict.OK),
        ("trend-cloud-one", "full-access", Verdict.WARNING, Verdict.OK),
        ("trend-vision-one", "Master Administrator", Verdict.WARNING, Verdict.WARNING),
        ("lacework", "LACEWORK_USER_GROUP_ADMIN", Verdict.WARNING, Verdict.OK),
        ("carbon-black-cloud", "Super Admin", Verdict.OK, Verdict.OK),
    ],
)
def test_roles_that_may_do_everything(provider: str, role: str, plan: Verdict, apply: Verdict) -> None:
    """Where a product names a role alone, what is known of it counts; what the vendor asks for is not questioned."""
    can = registry.get(provider).capabilities
    for identity, verdict in (("plan", plan), ("apply", apply)):
        [found] = of(own(roles=(role,)), can, identity, "t")  # type: ignore[arg-type]
        assert found.verdict is verdict
        assert bool(found.mend) is (verdict is Verdict.WARNING)


def test_a_vendor_that_tells_nothing() -> None:
    """That is said, and is no fault."""
    [found] = of(own(), CAPABILITIES, "plan", "dsm")
    assert (found.verdict, "does not tell" in found.found) == (Verdict.SKIPPED, True)


def test_a_product_of_which_nothing_is_known_questions_nothing() -> None:
    """Without a known least, no right can be too much."""
    from dataclasses import replace

    can = replace(CAPABILITIES, own_key=OwnKey())
    [found] = of(own(roles=("r",), permissions=frozenset({RISKY})), can, "plan", "dsm")
    assert found.verdict is Verdict.OK
