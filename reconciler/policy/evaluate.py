"""Policies over keys: every rule that is on against every key that is wanted. A pure function, which never raises.

What cannot be told is not let pass: a rule that fails to evaluate denies, and says why.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from reconciler.cel import Evaluation, Failure
from reconciler.errors import printable
from reconciler.manifest.policies import INSERT, language
from reconciler.model.action import TenantPlan
from reconciler.model.dates import duration_text, written
from reconciler.model.desired import DesiredKey, DesiredTenant, KeyState
from reconciler.model.finding import Finding, Severity
from reconciler.model.policy import ONLINE, Effect, Policies, Rule, Waiver
from reconciler.policy.facts import Facts

MOST: Final = 100
"""Of one rule in one tenant, so many findings are told one by one; one more counts the rest."""
_LONGEST: Final = 300
_ONLINE: Final = re.compile("|".join(rf"\b{re.escape(one)}" for one in ONLINE))


def judge(
    tenants: Sequence[DesiredTenant],
    policies: Policies,
    now: datetime,
    plans: Mapping[str, TenantPlan] | None = None,
) -> tuple[Finding, ...]:
    """Every violation that no waiver covers, and what is wrong with the waivers.

    `plans`: those of the tenants that could be read, by name. Without any, rules that ask for what only a plan tells are
    left out.
    """
    rules = [rule for rule in policies.rules if plans is not None or not asks_plan(rule)]
    judging = _Judging(rules, policies.waivers, now)
    found = [one for tenant in tenants for one in judging.tenant(tenant, (plans or {}).get(tenant.name))]
    return (*found, *_of_waivers(tenants, policies, now))


def asks_plan(rule: Rule) -> bool:
    """Whether a rule asks for what only a plan tells: what would change, and what the vendor says."""
    return _ONLINE.search(f"{rule.match} {rule.assertion}") is not None


class _Judging:
    """Rules and waivers, made ready once for all tenants."""

    def __init__(self, rules: Sequence[Rule], waivers: Sequence[Waiver], now: datetime) -> None:
        self._rules = rules
        self._language = language(rules)
        self._now = now
        self._waived = {(one.rule, one.tenant, one.object) for one in waivers if one.until > now}

    def tenant(self, tenant: DesiredTenant, plan: TenantPlan | None) -> Iterator[Finding]:
        if not self._rules:
            return
        facts = Facts(tenant, plan, self._now)
        counts: dict[tuple[str, bool], int] = {}
        first: dict[tuple[str, bool], Finding] = {}
        for key in tenant.keys:
            if key.state is KeyState.ABSENT:
                continue
            evaluation = self._language.evaluation(facts.of(key))
            for rule in self._rules:
                finding = self._violation(rule, key, evaluation)
                if finding is None or self._is_waived(rule, key):
                    continue
                sort = (rule.id, finding.denies)
                first.setdefault(sort, finding)
                counts[sort] = counts.get(sort, 0) + 1
                if counts[sort] <= MOST:
                    yield finding
        for sort, count in counts.items():
            if count > MOST:
                yield _rest(first[sort], count - MOST)

    def _is_waived(self, rule: Rule, key: DesiredKey) -> bool:
        objects = (key.id, key.level.id)
        return any((rule.id, key.tenant, one) in self._waived for one in objects if one is not None)

    @staticmethod
    def _violation(rule: Rule, key: DesiredKey, evaluation: Evaluation) -> Finding | None:
        concerned = evaluation.value(rule.match, rule.id) if rule.match else True
        if concerned is False:
            return None
        kept = evaluation.value(rule.assertion, rule.id) if concerned is True else concerned
        if kept is True:
            return None
        denies = rule.effect is Effect.DENY or kept is not False
        message = _message(rule, evaluation) if kept is False else f"the rule cannot be evaluated: {_why(kept)}"
        hint = rule.hint if kept is False else "mend the rule: ask for null, or for the entry, before its value"
        waiver = f"only a Waiver of rule {rule.id} for {key.id} lets it pass"
        return Finding(
            f"policy/{rule.id}",
            Severity.HIGH if denies else Severity.MEDIUM,
            message,
            tenant=key.tenant,
            object=key.id,
            source=key.source,
            hint="; ".join(part for part in (hint, waiver if denies else "") if part),
            denies=denies,
            figures={"evaluated": kept is False, "builtin": rule.builtin},
        )


def _why(value: Any) -> str:
    return value.what if isinstance(value, Failure) else f"it gives {said(value)}, not true or false"


def _message(rule: Rule, evaluation: Evaluation) -> str:
    text = INSERT.sub(lambda found: said(evaluation.value(found[1].strip(), rule.id)), rule.message)
    line = printable(" ".join(text.split()))
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def said(value: Any) -> str:
    """A value as a message shows it; what cannot be told is `(unknown)`."""
    match value:
        case Failure():
            text = "(unknown)"
        case None:
            text = "none"
        case bool():
            text = "true" if value else "false"
        case datetime():
            text = written(value)
        case timedelta():
            text = duration_text(value)
        case list() | tuple():
            text = ", ".join(map(said, value))
        case _:
            text = str(value)
    return text


def _rest(first: Finding, count: int) -> Finding:
    keys = "1 more key of the tenant violates" if count == 1 else f"{count} more keys of the tenant violate"
    return Finding(
        first.rule, first.severity, f"{keys} this rule as well", tenant=first.tenant, denies=first.denies,
        hint="validate and plan tell of the first ones only: mend those, then look again", figures={"more": count},
    )  # fmt: skip


def _of_waivers(tenants: Sequence[DesiredTenant], policies: Policies, now: datetime) -> Iterator[Finding]:
    """Waivers that have ended, and those that name nothing."""
    rules = {rule.id for rule in policies.rules}
    objects = {tenant.name: {key.id for key in tenant.keys} | {one.id for one in tenant.levels} for tenant in tenants}
    for waiver in policies.waivers:
        name = printable(waiver.name)
        if waiver.until <= now:
            message = f"the waiver {name} of rule {waiver.rule} ended: it was until {written(waiver.until)}"
            yield _of_waiver("policy/expired-waiver", waiver, message, "delete it, or have a later end approved")
        elif waiver.rule not in rules:
            message = f"the waiver {name} names nothing: no rule {waiver.rule} is on"
            yield _of_waiver("policy/unused-waiver", waiver, message, "delete it, or correct its spec.rule")
        elif waiver.object not in objects.get(waiver.tenant, ()):
            message = f"the waiver {name} names nothing: there is no {waiver.where}"
            yield _of_waiver("policy/unused-waiver", waiver, message, "delete it, or correct its spec.object")


def _of_waiver(rule: str, waiver: Waiver, message: str, hint: str) -> Finding:
    return Finding(
        rule, Severity.LOW, message, tenant=waiver.tenant, object=waiver.object, source=waiver.source, hint=hint
    )
