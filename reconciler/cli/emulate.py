"""`reconciler emulate`: serve vendor emulators on loopback until told to stop."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import click

from reconciler.cli.options import exit_codes
from reconciler.errors import InvalidInput
from reconciler.model.outcome import ExitCode
from reconciler.providers.registry import GROUP, names
from reconciler.suggest import did_you_mean

if TYPE_CHECKING:
    from reconciler.emulator.faults import Fault

_EXTRA: Final = "pip install 'access-reconciler[emulator]'"


@click.command(
    "emulate", epilog=exit_codes({ExitCode.DONE: "stopped by a signal", ExitCode.ERROR: ExitCode.ERROR.meaning})
)
@click.argument("providers", metavar="PROVIDER...", nargs=-1, required=True)
@click.option(
    "--port",
    metavar="N",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port of the first provider; the next ones follow. Default: any free ones.",
)
@click.option(
    "--tenants",
    metavar="N",
    type=click.IntRange(1, 1000),
    default=1,
    help="Serve this many tenants of each provider, each at an endpoint of its own.",
)
@click.option("--tls", is_flag=True, help="Serve https, under a certificate authority made for this run.")
@click.option(
    "--latency-ms", metavar="N", type=click.IntRange(0), default=0, help="Make every answer take this much longer."
)
@click.option("--rate-limit", is_flag=True, help="Refuse calls above the vendor's documented rate.")
@click.option(
    "--calls-per-key", metavar="N", type=click.IntRange(1), help="That rate per key, instead of the vendor's figure."
)
@click.option("--calls-per-tenant", metavar="N", type=click.IntRange(1), help="The same per tenant.")
@click.option(
    "--fault",
    "faults",
    metavar="NAME",
    multiple=True,
    help="Let something go wrong. NAME alone hits every request, NAME,method=POST,path=/apikeys,nth=2,times=1,rate=0.1 "
    "some of them.",
)
@click.option("--seed", metavar="N", type=int, help="Make ids, secrets and the chance of faults repeatable.")
def command(
    *,
    providers: Sequence[str],
    port: int,
    tenants: int,
    latency_ms: int,
    calls_per_key: int | None,
    calls_per_tenant: int | None,
    faults: Sequence[str],
    seed: int | None,
    tls: bool,
    rate_limit: bool,
) -> ExitCode:
    """Serve vendor emulators on this machine's loopback address, until SIGINT or SIGTERM.

    Once ready, one line of JSON on standard output says for each PROVIDER where it is and how to sign in:

    \b
    {"PROVIDER": {"endpoint": "http://127.0.0.1:PORT/…", "credentials": {…}}}

    Where a product's tenants need options, they stand in "options".
    With --tls there is also "caCert", the file with the certificate to trust; with --tenants also "tenants", a list of
    endpoints and credentials. The credentials are good for these emulators only, which is why this is the one command
    that prints any: do not let it run where others can reach this machine's loopback address and should not.

    Faults: unavailable, html, html-error, unauthorized, forbidden, rate-limited, error-before, error-after,
    reset-before, reset-after, hang-after, truncated, cut-off, late-create, hidden-in-list.
    """
    modules = {provider: _module(provider) for provider in providers}
    try:
        from reconciler.emulator.base import RateLimit, Settings
        from reconciler.emulator.server import Server

        makers = {provider: import_module(module).emulator for provider, module in modules.items()}
    except ModuleNotFoundError as missing:
        package = str(missing.name).partition(".")[0]
        raise InvalidInput(f"the emulators need the package {package!r}", hint=_EXTRA) from None
    _parsed(faults)
    limited = rate_limit or calls_per_key is not None or calls_per_tenant is not None
    limit = RateLimit(calls_per_key, calls_per_tenant) if limited else None
    ready: dict[str, Any] = {}
    with ExitStack() as stack:
        stopped = _stop_signals(stack)
        for offset, (provider, make) in enumerate(makers.items()):
            bound = port + offset if port else 0
            try:
                server = stack.enter_context(Server(port=bound, tls=tls, latency=latency_ms / 1000))
            except (OSError, OverflowError) as taken:
                raise InvalidInput(f"port {bound} cannot be used: {taken}", hint="leave --port out") from None
            served = []
            for tenant in range(1, tenants + 1):
                emulator = make(Settings(seed=seed, tenant=tenant, rate_limit=limit))
                for fault in _parsed(faults):
                    emulator.faults.add(fault)
                endpoint = server.mount(emulator, f"tenant-{tenant}" if tenants > 1 else "")
                one = {"endpoint": endpoint, "credentials": dict(emulator.credentials)}
                served.append(
                    {**one, **({"options": dict(emulator.tenant_options)} if emulator.tenant_options else {})}
                )
            ready[provider] = dict(served[0])
            if server.ca_cert:
                ready[provider]["caCert"] = server.ca_cert
            if tenants > 1:
                ready[provider]["tenants"] = served
        click.echo(json.dumps(ready))
        stopped.wait()
    return ExitCode.DONE


def _module(provider: str) -> str:
    """Where a provider's emulator is: the module `emulator` in its package, which nothing else imports."""
    having = {
        point.name: f"{point.module}.emulator"
        for point in entry_points(group=GROUP)
        if find_spec(f"{point.module}.emulator")
    }
    if provider not in having:
        what = "has no emulator" if provider in names() else "is no provider"
        hint = did_you_mean(provider, having) or f"there are: {', '.join(sorted(having))}"
        raise InvalidInput(f"{provider!r} {what}", hint=hint)
    return having[provider]


def _parsed(faults: Sequence[str]) -> list[Fault]:
    from reconciler.emulator.faults import parse

    try:
        return [parse(fault) for fault in faults]
    except ValueError as wrong:
        raise InvalidInput(str(wrong)) from None


def _stop_signals(stack: ExitStack) -> threading.Event:
    """An event that SIGINT and SIGTERM set; how they were handled before comes back with the stack's end."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        stack.callback(signal.signal, number, signal.signal(number, lambda *_: stopped.set()))
    return stopped
