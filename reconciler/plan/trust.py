"""What differs between two revisions in where credentials go and in what judges a change, as findings. Pure.

Every rule here begins with `trust/`: such a change may be right, but nobody should merge it without having seen it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from reconciler.errors import printable
from reconciler.manifest.snapshot import Document, Snapshot
from reconciler.model.action import Change
from reconciler.model.desired import Source
from reconciler.model.estate import Estate, Limit, Limits
from reconciler.model.finding import Finding, Severity
from reconciler.model.impact import Impact
from reconciler.plan.meaning import counted, some

_RULES: Final = {
    "EndpointMap": ("trust/endpoint-map", "endpoint map", Impact.NEUTRAL),
    "Policy": ("trust/policy", "policy", Impact.NEUTRAL),
    "Waiver": ("trust/waiver", "waiver", Impact.NEUTRAL),
    "Approval": ("trust/approval", "approval", Impact.DESTROYS),
}
_HINT: Final = {
    "EndpointMap": "it says which requests are made with the tenant's credential",
    "Policy": "a pull request is judged by the policies of the revision that it goes into",
    "Waiver": "it lets something pass that a policy denies",
    "Approval": "it is leave to remove something that is not ours",
}


def compare_trust(before: Snapshot, after: Snapshot) -> Iterator[Finding]:
    """Everything of the whole estate that decides where credentials go, or what a change is judged by."""
    if after.estate is None:  # pragma: no cover  only the older side may lack it
        return
    if before.estate is None:
        yield _new(after.estate)
    else:
        yield from _settings(before.estate, after.estate)
        yield from _ca_cert(before, after)
        yield from _limits(before.estate.limits, after.estate.limits)
    yield from _documents(before.documents, after.documents)
    yield from _submodules(before, after)
    if before.estate is not None:
        yield from _pipeline(before.pipeline, after.pipeline)


def _finding(
    rule: str, severity: Severity, text: str, *changes: Change, impact: Impact = Impact.NEUTRAL, hint: str = "",
    tenant: str = "", source: Source | None = None,
) -> Finding:  # fmt: skip
    return Finding(
        rule, severity, printable(text), tenant=tenant, source=source, hint=hint, impact=impact, changes=changes
    )


def _new(estate: Estate) -> Finding:
    text = f"new estate {estate.name}: Vault at {estate.vault.address or 'VAULT_ADDR'}, state at {estate.vault.state}"
    return _finding("trust/estate", Severity.HIGH, text, hint="nothing is there to compare it with: all of it is new")


def _settings(old: Estate, new: Estate) -> Iterator[Finding]:
    shown: tuple[tuple[str, Severity, str, object, object], ...] = (
        ("trust/estate", Severity.CRITICAL, "id", old.id, new.id),
        ("trust/vault", Severity.CRITICAL, "vault.address", old.vault.address, new.vault.address),
        ("trust/vault", Severity.HIGH, "vault.namespace", old.vault.namespace, new.vault.namespace),
        ("trust/vault", Severity.HIGH, "vault.auth for planning", old.vault.auth_plan, new.vault.auth_plan),
        ("trust/vault", Severity.HIGH, "vault.auth for applying", old.vault.auth_apply, new.vault.auth_apply),
        ("trust/state", Severity.CRITICAL, "vault.state", old.vault.state, new.vault.state),
    )
    for rule, severity, name, was, now in shown:
        if was != now:
            change = Change(name.split(" ")[0], str(was) or None, str(now) or None)
            text = f"{name} in reconciler.yaml is {str(now) or 'none'}, it was {str(was) or 'none'}"
            yield _finding(rule, severity, text, change, hint=_MEANS.get(name, ""))


_MEANS: Final = {
    "id": "every object that carries the mark of the former estate becomes somebody else's",
    "vault.address": "what logs in to Vault, and every new secret, goes there",
    "vault.state": "what is recorded at the former place is not found any more",
}


def _ca_cert(before: Snapshot, after: Snapshot) -> Iterator[Finding]:
    old = before.estate.vault.ca_cert if before.estate is not None else ""
    new = after.estate.vault.ca_cert if after.estate is not None else ""
    if old != new or before.ca_cert != after.ca_cert:
        text = "the CA certificate that Vault is trusted by " + ("is another one" if old and new else "came or went")
        yield _finding("trust/vault", Severity.HIGH, text)


def _limits(old: Limits, new: Limits) -> Iterator[Finding]:
    pairs: tuple[tuple[str, Limit | None, Limit | None], ...] = (
        ("deletes", old.deletes, new.deletes),
        ("replacements", old.replacements, new.replacements),
        ("locks", old.locks, new.locks),
        ("widenings", old.widenings, new.widenings),
    )
    for name, was, now in pairs:
        if was != now:
            yield _limit(name, _spelled(was), _spelled(now), loosens=_loosens(was, now))
    if old.rotations != new.rotations:
        told = (f"{count} in one run" for count in (old.rotations, new.rotations))
        yield _limit("rotations", *told, loosens=new.rotations > old.rotations)


def _limit(name: str, was: str, now: str, *, loosens: bool) -> Finding:
    severity, impact = (Severity.HIGH, Impact.WIDENS) if loosens else (Severity.LOW, Impact.NARROWS)
    text = f"the guardrail {name} is {'looser' if loosens else 'tighter'}: {now}, it was {was}"
    hint = "runs with --trusted-ref go by the limits of the revision that the change goes into" if loosens else ""
    return _finding("trust/limits", severity, text, Change(f"limits.{name}", was, now), impact=impact, hint=hint)


def _loosens(was: Limit | None, now: Limit | None) -> bool:
    if was is None or now is None:
        return now is None
    return now.ratio > was.ratio or now.max > was.max or now.floor > was.floor


def _spelled(limit: Limit | None) -> str:
    return f"ratio {limit.ratio:g}, max {limit.max}, floor {limit.floor}" if limit is not None else "off"


def _documents(
    old: Mapping[tuple[str, str, str], Document], new: Mapping[tuple[str, str, str], Document]
) -> Iterator[Finding]:
    for name in sorted({*old, *new}):
        was, now = old.get(name), new.get(name)
        one = now or was
        assert one is not None  # noqa: S101  it is in one of the two
        if was is not None and now is not None and was.spec == now.spec:
            continue
        if one.kind == "Estate":
            yield from _other_settings(was, now)
            continue
        what = "added" if was is None else "removed" if now is None else "changed"
        rule, word, impact = _RULES[one.kind]
        if what == "removed" and one.kind == "Approval":
            impact = Impact.NEUTRAL
        severity = Severity.INFO if what == "removed" and one.kind in {"Approval", "Waiver"} else Severity.HIGH
        yield _finding(
            rule, severity, f"the {word} {one.name} is {what}{_about(one) if now is not None else ''}",
            impact=impact, hint=_HINT[one.kind], tenant=one.tenant, source=one.source,
        )  # fmt: skip


def _other_settings(was: Document | None, now: Document | None) -> Iterator[Finding]:
    """Sections of `reconciler.yaml` that nothing here knows: what they hold is compared as it stands."""
    if was is None or now is None:
        return  # the whole estate is new, or has another name
    names = sorted({*was.spec, *now.spec} - _TOLD)
    for name in names:
        if was.spec.get(name) != now.spec.get(name):
            what = "added" if name not in was.spec else "removed" if name not in now.spec else "changed"
            text = f"the section {name} of reconciler.yaml is {what}"
            yield _finding("trust/settings", Severity.HIGH, text, source=now.source)


_TOLD: Final = frozenset({"id", "vault", "limits", "timeouts", "tenantSelector"})
"""Sections that are compared by what they mean, or that nothing can be done with."""


def _about(one: Document) -> str:
    """What a waiver or an approval is for, as far as it says so in the usual fields."""
    if one.kind not in {"Approval", "Waiver"} or not isinstance(one.spec, Mapping):
        return ""
    parts = [f"{name} {one.spec[name]}" for name in ("rule", "object", "until", "reason") if one.spec.get(name)]
    return f" ({', '.join(parts)})" if parts else ""


def _submodules(before: Snapshot, after: Snapshot) -> Iterator[Finding]:
    """A submodule's manifests are read where it is checked out, and cannot be read from here."""
    for path in sorted({*before.submodules, *after.submodules}):
        was, now = before.submodules.get(path), after.submodules.get(path)
        if was != now:
            what = (
                "differs, and what it holds is not compared"
                if after.ref
                else "is not read: what it holds counts as new"
            )
            yield _finding("trust/unread", Severity.HIGH, f"the submodule {path} {what}", Change(path, was, now))


def _pipeline(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> Iterator[Finding]:
    names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    if names:
        text = f"{counted(len(names), 'file')} of what the pipeline installs or runs differ: {some(names, 8)}"
        hint = "a plugin, another version of the reconciler or another command may come with them"
        yield _finding("trust/pipeline", Severity.HIGH, text, hint=hint)
