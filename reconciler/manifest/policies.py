"""Policies, the built-in pack and what `reconciler.yaml` says of both: which rules are on, with every expression checked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cache
from importlib.resources import files
from typing import Final

from reconciler.cel import Language, Mistake
from reconciler.errors import printable
from reconciler.manifest import models, reader
from reconciler.manifest.check import Finding, Path, check
from reconciler.manifest.drafts import PolicyDraft, WaiverDraft
from reconciler.manifest.references import duplicate
from reconciler.manifest.settings import SettingsDraft
from reconciler.manifest.wanted import Report
from reconciler.model.desired import Source
from reconciler.model.policy import VARIABLES, Effect, Policies, Rule, Type, Waiver
from reconciler.suggest import did_you_mean

PACK: Final = "builtin.yaml"
"""The built-in rules: a manifest like any other, to be read and copied."""
INSERT: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
"""An expression in a message."""
_KINDS: Final = {bool: "true or false", int: "a whole number", str: "a text", timedelta: "a duration", tuple: "a list"}


def pack_text() -> str:
    """The built-in rules as the package ships them."""
    return (files("reconciler.manifest") / PACK).read_text(encoding="utf-8")


@cache
def pack() -> tuple[Rule, ...]:
    """The built-in rules, sorted by id, as they are when nothing says otherwise."""
    found = []
    for document in reader.values(pack_text().encode()):
        manifest = check(document)
        if isinstance(manifest, models.Policy):  # pragma: no branch  a test reads it
            source = Source(PACK, document.line, document.column)
            found += [replace(_rule(spec, source), builtin=True) for spec in manifest.spec.rules]
    return tuple(sorted(found, key=lambda rule: rule.id))


def gather(
    drafts: Iterable[PolicyDraft], waivers: Iterable[WaiverDraft], settings: SettingsDraft | None, report: Report
) -> Policies:
    """The rules that are on and the waivers. What is wrong goes to `report`; a rule with a problem is left out."""
    drafts = list(drafts)
    chosen = settings.manifest.spec.policy if settings is not None else models.PolicySection()
    waived = tuple(_waivers(waivers, report))
    if not drafts and not chosen.rules and chosen.builtin == "off":
        return Policies((), waived)
    known: dict[str, Rule] = {rule.id: rule for rule in pack()}
    _declare(drafts, known, report)
    on: list[Rule] = []
    for rule in known.values():
        chosen_here = chosen.rules.get(rule.id, models.RuleSection())
        mode = chosen_here.severity or (chosen.builtin if rule.builtin else rule.effect)
        if mode != "off":
            on.append(replace(rule, effect=Effect(mode), params={**rule.params, **chosen_here.params}))
    if settings is not None:
        for id_, section in chosen.rules.items():
            for finding in _settings(id_, section, known):
                report(settings.place, f"Estate/{settings.manifest.metadata.name}", finding)
    return Policies(tuple(sorted(on, key=lambda rule: rule.id)), waived)


def language(rules: Iterable[Rule]) -> Language:
    """The language in which these rules are written: what all can ask for, and each one's own parameters."""
    constants = {rule.id: {f"params.{name}": value for name, value in rule.params.items()} for rule in rules}
    return Language(VARIABLES, {id_: params for id_, params in constants.items() if params})


def _declare(drafts: Iterable[PolicyDraft], known: dict[str, Rule], report: Report) -> None:
    """Add the estate's own rules to those that are known."""
    first: dict[str, Source] = {}
    for draft in drafts:
        name = f"Policy/{draft.name}"
        if draft.name in first:
            report(draft.place, name, duplicate("Policy", draft.name, [("", first[draft.name])]))
        first.setdefault(draft.name, draft.place.source)
        for index, spec in enumerate(draft.rules):
            path: Path = ("spec", "rules", index)
            rule = _rule(spec, draft.place.source)
            if (other := known.get(rule.id)) is not None:
                where = "it is a built-in rule" if other.builtin else f"the first is at {other.source}"
                what = f"there is a rule {rule.id!r} already"
                report(
                    draft.place,
                    name,
                    Finding((*path, "id"), what, f"{where}; give this one another id", "duplicate-object"),
                )
                continue
            problems = list(_mistakes(rule, path))
            for finding in problems:
                report(draft.place, name, finding)
            if not problems:
                known[rule.id] = rule


def _rule(spec: models.RuleSpec, source: Source) -> Rule:
    return Rule(
        id=spec.id,
        assertion=spec.assertion.strip(),
        effect=spec.severity,
        message=spec.message.strip(),
        source=source,
        description=spec.description.strip(),
        match=spec.match.strip(),
        hint=spec.hint.strip(),
        reference=spec.reference,
        params=spec.params,
    )


def _mistakes(rule: Rule, path: Path) -> Iterator[Finding]:
    """What is wrong with a rule's expressions."""
    spoken = language([rule])
    for field, text in (("match", rule.match), ("assert", rule.assertion)):
        if text and (mistake := spoken.check(text, rule.id)) is not None:
            yield _finding((*path, field), "the expression", mistake)
    for found in INSERT.finditer(rule.message):
        mistake = spoken.check(found[1].strip(), rule.id, wanted=None)
        if mistake is not None:
            yield _finding((*path, "message"), f"{{{{{printable(found[1])}}}}}", mistake)


def _finding(path: Path, which: str, mistake: Mistake) -> Finding:
    within = f"line {mistake.line}, column {mistake.column} of " if mistake.line else ""
    return Finding(path, f"{within}{which}: {mistake.what}", mistake.hint, "expression")


def _settings(id_: str, section: models.RuleSection, known: Mapping[str, Rule]) -> Iterator[Finding]:
    """What is wrong with what `reconciler.yaml` says of one rule."""
    path: Path = ("spec", "policy", "rules", id_)
    rule = known.get(id_)
    if rule is None:
        hint = did_you_mean(id_, known) or "'reconciler explain policy/' lists the built-in ones"
        yield Finding(path, f"there is no rule {id_!r}", hint, "unknown-rule", key=True)
        return
    for name, value in section.params.items():
        place = (*path, "params", name)
        if name not in rule.params:
            hint = did_you_mean(name, rule.params) or f"it has {', '.join(rule.params) or 'none'}"
            yield Finding(place, f"the rule {id_!r} has no parameter {name!r}", hint, "unknown-field", key=True)
        elif Type.of(value) is not Type.of(rule.params[name]):
            right = _KINDS[type(rule.params[name])]
            yield Finding(
                place, f"the parameter {name!r} of the rule {id_!r} is {right}, not {_KINDS[type(value)]}", code="type"
            )


def _waivers(drafts: Iterable[WaiverDraft], report: Report) -> Iterator[Waiver]:
    first: dict[tuple[str, str], Waiver] = {}
    for draft in drafts:
        waiver = draft.waiver
        known = first.setdefault((waiver.tenant, waiver.name), waiver)
        if known is waiver:
            yield waiver
        else:
            finding = duplicate("Waiver", waiver.name, [(waiver.tenant, known.source)])
            report(draft.place, f"{waiver.tenant}/Waiver/{waiver.name}", finding)
