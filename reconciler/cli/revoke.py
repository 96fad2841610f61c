"""`reconciler revoke`: end leaked keys now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.options import (
    Terminal,
    auto_approve_option,
    estate_option,
    exit_codes,
    format_option,
    may_ask,
    trust_option,
    trusted_option,
)
from reconciler.errors import InvalidInput
from reconciler.model.outcome import ExitCode, combine

if TYPE_CHECKING:
    from reconciler.apply.emergency import Trail
    from reconciler.model.state import StateDocument
    from reconciler.plan.observe import Access

    Doomed = dict[str, tuple[StateDocument, tuple[Trail, ...]]]


@click.command(
    epilog=exit_codes(
        {
            ExitCode.DONE: "revoked: the keys are dead, no version of their secrets can be read",
            ExitCode.ERROR: "error, or the answer was no; nothing was revoked",
            ExitCode.PARTIAL: "revoked, but something is left, which is listed; run it again",
            ExitCode.HANDOFF: "revoked; a person has to delete keys in the vendor's console",
        }
    )
)
@click.argument("keys", nargs=-1, metavar="[TENANT/KEY]...")
@click.option(
    "--selector", multiple=True, metavar="LABEL=VALUE",
    help="Every key in the manifests with this label, its tenant's labels included; repeatable, then all must match. "
    "Protected keys must be named.",
)  # fmt: skip
@click.option("--reason", required=True, metavar="TEXT", help="Why. It is kept in the state and shown by every plan.")
@estate_option
@auto_approve_option
@trust_option
@trusted_option
@format_option("text", "json")
@click.pass_obj
def command(
    terminal: Terminal,
    keys: tuple[str, ...],
    selector: tuple[str, ...],
    reason: str,
    estate: Path,
    auto_approve: bool,
    trust_endpoints: bool,
    trusted_ref: str | None,
    output_format: str,
) -> ExitCode:
    """End leaked keys now: at the vendor and in Vault, even while an apply is at work.

    Needs no manifests, only reconciler.yaml: the tenant's state names the vendor account and the credential. First a
    tombstone is written, so that no plan issues the key again; then every key that carries its mark is deleted, or
    locked where deleting is done by hand; then every version of its secret. It may be repeated at any time.
    """
    from reconciler.apply.revoke import Revocation
    from reconciler.apply.tools import holder
    from reconciler.cli.estate import as_json, told_in, without_manifests
    from reconciler.report import emergency

    with told_in(output_format):
        named, selected = _parsed(keys), _selected(estate, selector)
        if not named and not selected:
            raise InvalidInput("nothing to revoke", hint="name keys as TENANT/KEY, or give --selector LABEL=VALUE")
        why = _reason(reason)
        asks = may_ask(auto_approve=auto_approve, hint="say --auto-approve")
        with without_manifests(estate, "apply", trust_endpoints=trust_endpoints, trusted_ref=trusted_ref) as run:
            choice = _choose(run, named, selected)
            if asks and choice.keys:
                emergency.preview(terminal.console(stderr=True), choice.known)
                if not click.confirm("Revoke these keys now? Their consumers lose access at once.", err=True):
                    click.echo("nothing was revoked", err=True)
                    return ExitCode.ERROR
            outcome = Revocation(run, by=holder(), reason=why).revoke_all(choice.keys)
            if output_format == "json":
                click.echo(as_json(emergency.data(run.estate, outcome, choice.spared), run.estate))
            else:
                emergency.ends(terminal.console(), outcome, choice.spared)
        return combine([*(tenant.code for tenant in outcome), *(ExitCode.PARTIAL for _ in choice.spared)])


def _parsed(keys: Sequence[str]) -> dict[str, list[str]]:
    """Names by tenant."""
    from reconciler.model.names import NAME

    found: dict[str, list[str]] = {}
    for text in keys:
        tenant, _, key = text.partition("/")
        key = key.removeprefix("ApiKey/")
        if not (NAME.fullmatch(tenant) and NAME.fullmatch(key)):
            raise InvalidInput(f"{text!r} is not TENANT/KEY", hint="for example dsm-prod/splunk")
        if key not in found.setdefault(tenant, []):
            found[tenant].append(key)
    return found


def _selected(estate: Path, selector: Sequence[str]) -> dict[str, dict[str, bool]]:
    """What the selector finds in the manifests: by tenant, the keys and whether they are protected."""
    if not selector:
        return {}
    from reconciler.manifest.alone import select_keys

    wanted = {}
    for text in selector:
        label, equals, value = text.partition("=")
        if not (label and equals):
            raise InvalidInput(f"{text!r} is not LABEL=VALUE", hint="for example --selector team=soc")
        wanted[label] = value
    found: dict[str, dict[str, bool]] = {}
    for key in select_keys(estate, wanted):
        found.setdefault(key.tenant, {})[key.name] = key.protect
    if not found:
        raise InvalidInput(f"no key has the labels {', '.join(selector)}", hint="name the keys instead: TENANT/KEY")
    return found


def _reason(text: str) -> str:
    from reconciler.errors import foreign

    reason = foreign(text)
    if not reason:
        raise InvalidInput("the reason is empty", hint="say in a few words why: --reason 'leaked in a log'")
    return reason


@dataclass(slots=True)
class _Choice:
    """Which keys are to be revoked, and which a selector found and left alone."""

    keys: dict[str, list[str]]
    known: Doomed = field(default_factory=dict)
    spared: list[str] = field(default_factory=list)
    """Protected, and not named."""


def _choose(run: Access, named: Mapping[str, Sequence[str]], selected: Mapping[str, Mapping[str, bool]]) -> _Choice:
    """Look the keys up in the states. What is mistyped is refused here, before anything is done.

    A tenant whose state cannot be read stops no other: its turn will say why.
    """
    from reconciler.apply.revoke import condemn
    from reconciler.errors import NotFound, ReconcilerError
    from reconciler.model.names import Kind, ObjectId

    tenants = sorted({*named, *selected})

    def read(tenant: str) -> StateDocument | ReconcilerError | None:
        try:
            return run.states.load(tenant)[0]
        except ReconcilerError as problem:
            return problem

    choice = _Choice({tenant: list(named.get(tenant, ())) for tenant in tenants})
    for tenant, document in zip(tenants, run.vault.each(read, tenants), strict=True):
        if document is None and tenant in named:
            raise NotFound("there is no state of this tenant", where=tenant, hint=run.states.nearest(tenant))
        names = choice.keys[tenant]
        for name, protected in selected.get(tenant, {}).items():
            if isinstance(document, ReconcilerError):
                names += [name] if not protected and name not in names else []
                continue
            key = str(ObjectId(Kind.API_KEY, name))
            record = document.objects.get(key) if document is not None else None
            if name in names or document is None or not (record or key in document.intents):
                continue  # named anyway, or never issued
            if protected or (record is not None and record.protect):
                choice.spared.append(f"{tenant}/{name}")
            else:
                names.append(name)
        if document is not None and not isinstance(document, ReconcilerError):
            choice.known[tenant] = (document, condemn(document, names))
    choice.keys = {tenant: names for tenant, names in choice.keys.items() if names}
    choice.known = {tenant: known for tenant, known in choice.known.items() if tenant in choice.keys}
    return choice
