"""A whole estate for the last part of the suite: manifests, the emulated product, a real OpenBao, the command line."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from reconciler.cli.run import run as run_command
from reconciler.conformance.manifests import ESTATE, KEY, TENANT, Samples
from reconciler.conformance.subject import Subject
from reconciler.emulator.base import Emulator, Settings
from reconciler.emulator.clock import ManualClock
from reconciler.emulator.openbao import OpenBaoServer
from reconciler.emulator.server import Server
from reconciler.errors import Rejected
from reconciler.manifest import load_estate
from reconciler.model.credential import Credential
from reconciler.model.outcome import ExitCode
from reconciler.model.secret import Secret
from reconciler.providers.base import ConnectionSettings, Issued, Session, Verification, Write

_numbers = itertools.count(1)
_ROUNDS: Final = 6
_KEY_WRITES: Final = {
    "create": Write.CREATE_KEY, "generate": Write.REGENERATE_KEY, "change": Write.UPDATE_KEY, "delete": Write.DELETE_KEY,
}  # fmt: skip
_LEVEL_WRITES: Final = {
    "create": Write.CREATE_LEVEL, "change": Write.UPDATE_LEVEL, "delete": Write.DELETE_LEVEL,
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """What a command line did."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)

    def __str__(self) -> str:
        """For failures of tests."""
        return f"exit {self.status}\n{self.out}{self.err}"


@dataclass
class World:
    """See the module's text."""

    subject: Subject
    emulator: Emulator
    endpoint: str
    vault: OpenBaoServer
    mount: str
    folder: Path
    samples: Samples
    monkeypatch: pytest.MonkeyPatch
    printed: list[str] = field(default_factory=list)

    def run(self, *args: str, stdin: str = "") -> Run:
        """Run one command line in this process, in the estate's folder."""
        self.samples.write(self.folder)
        out, err = io.StringIO(), io.StringIO()
        self.monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), contextlib.chdir(self.folder):
            status = run_command(list(args))
        self.printed.append(out.getvalue() + err.getvalue())
        return Run(int(status), out.getvalue(), err.getvalue())

    def plan(self) -> dict[str, Any]:
        """The tenant's plan as JSON."""
        found: dict[str, Any] = self.run("plan", "--format", "json").json["tenants"][0]
        return found

    def settle(self) -> None:
        """Apply, and do by hand whatever is asked for, until nothing is left to do."""
        for _ in range(_ROUNDS):
            done = self.run("apply", "--auto-approve")
            assert done.status in {ExitCode.DONE, ExitCode.HANDOFF}, done
            if not self.work_through_handoffs():
                assert done.status == ExitCode.DONE, done
                break
        self.assert_in_sync()

    def work_through_handoffs(self) -> bool:
        """Do in the console whatever is open, and bring back what came of it. Says whether something was open."""
        listed = self.run("handoff", "--format", "json").json["tenants"][0]["waiting"]
        levels = [item for item in listed if not item["object"].startswith("ApiKey/")]
        for item in levels or listed:  # keys need their levels, which the next apply finds
            self._do(item)
        return bool(listed)

    def _do(self, item: dict[str, Any]) -> None:
        kind, _, name = item["object"].partition("/")
        writes = _KEY_WRITES if kind == "ApiKey" else _LEVEL_WRITES
        write = writes[item["asks"].split()[0]]
        brought = self.subject.by_hand(self.emulator, write, item["steps"])
        names = self.subject.provider.capabilities.handoff_fields
        stdin = "".join(f"{brought[field]}\n" for field in names) if brought else ""
        target = f"{TENANT}/{name}" if kind == "ApiKey" else f"{TENANT}/{item['object']}"
        if not any(f"reconciler handoff complete {target}" in step for step in item["steps"]):
            assert not brought, f"the steps of {target} do not say how to hand in what they lead to"
            return
        done = self.run("handoff", "complete", target, stdin=stdin)
        seen_already = "no handoff is open" in done.err  # a change that can be observed is known to be done
        assert done.status == ExitCode.DONE or (not brought and seen_already), done

    def assert_in_sync(self) -> None:
        """A plan finds nothing to do, and an apply does nothing."""
        planned = self.run("plan", "--detailed-exitcode")
        assert planned.status == ExitCode.DONE, planned
        writes = self.writes()
        again = self.run("apply", "--auto-approve")
        assert again.status == ExitCode.DONE, again
        assert self.writes() == writes, "an apply with nothing to do has written"

    def writes(self) -> dict[str, int]:
        """How often each creation was asked for."""
        creations = {self.subject.key_creation, self.subject.level_creation} - {None}
        return {f"{one[0]} {one[1]}": self.emulator.requests[f"{one[0]} {one[1]}"] for one in creations if one}

    def secret(self, key: str = KEY) -> dict[str, str] | None:
        """What a consumer reads; None if there is nothing to read."""
        try:
            answer = self.vault.request("GET", f"{self.mount}/data/keys/{TENANT}/{key}")
        except Rejected:
            return None
        found: dict[str, str] | None = (answer.get("data") or {}).get("data")
        return found

    def state(self) -> dict[str, Any]:
        """The state document."""
        path = f"{self.mount}/data/reconciler/{ESTATE}/{TENANT}"
        found: dict[str, Any] = json.loads(self.vault.request("GET", path)["data"]["data"]["document"])
        return found

    def age(self, days: int, key: str = KEY) -> None:
        """Let a key's issue lie so many days further back."""
        state = self.state()
        record = state["objects"][f"ApiKey/{key}"]
        record["issuedAt"] = (datetime.fromisoformat(record["issuedAt"]) - timedelta(days=days)).isoformat()
        path = f"{self.mount}/data/reconciler/{ESTATE}/{TENANT}"
        self.vault.request("POST", path, {"data": {"document": json.dumps(state)}})

    def issued(self, key: str = KEY) -> Issued:
        """The key's id and secret, as a consumer has them from Vault."""
        secret = self.secret(key)
        assert secret is not None, f"there is no secret for {key}"
        fields: dict[str, Secret | str] = {
            name: Secret(value) if any(one in value for one in self.emulator.issued) else value
            for name, value in secret.items()
        }
        return Issued(self.state()["objects"][f"ApiKey/{key}"]["vendorId"], fields)

    def verify(self, issued: Issued) -> Verification:
        """Whether such a secret works."""
        self.subject.let_it_rest(self.emulator)
        with self.session() as session:
            return session.verify(issued)

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """A session as the reconciler has it."""
        self.samples.write(self.folder)
        [tenant] = load_estate(self.folder).tenants
        credential = Credential(
            {name: Secret(value) for name, value in self.emulator.credentials.items()}, self.endpoint
        )
        settings = ConnectionSettings(
            write=True, options=tenant.options, endpoint_map=tenant.endpoint_map, rate=tenant.rate, sleep=_no_time
        )
        session = self.subject.provider.connect(self.endpoint, credential, settings)
        try:
            yield session
        finally:
            session.close()


@contextlib.contextmanager
def world(subject: Subject, server: Server, vault: OpenBaoServer, folder: Path, variant: str = "") -> Iterator[World]:
    """A fresh estate with the samples in it. At the end, nothing that was printed may hold a secret."""
    number = next(_numbers)
    clock = ManualClock(datetime.now(UTC).replace(microsecond=0))
    emulator = subject.emulator(Settings(seed=10_000 + number, clock=clock), variant)
    prefix, mount = f"estate{number}", f"conformance{number}"
    endpoint = server.mount(emulator, prefix)
    vault.mount_kv(mount)
    credential = {"data": {**emulator.credentials, "endpoint": endpoint}}
    vault.request("POST", f"{mount}/data/credentials/{TENANT}", credential)
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in ("VAULT_NAMESPACE", "VAULT_CACERT", "BAO_ADDR", "BAO_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("VAULT_ADDR", vault.address)
        monkeypatch.setenv("VAULT_TOKEN", vault.root_token)
        monkeypatch.setattr("reconciler.cli.estate.sleep", _no_time)
        # A server tells whole seconds, and commands follow each other faster here: what was due must stay due.
        monkeypatch.setattr("reconciler.vault.connection.Vault.now", lambda _: datetime.now(UTC))
        samples = Samples(subject, emulator, endpoint, clock.now(), mount)
        made = World(subject, emulator, endpoint, vault, mount, folder, samples, monkeypatch)
        yield made
        text = "".join(made.printed)
        assert not [True for secret in emulator.issued if secret in text], "a secret was printed"
    server.unmount(prefix)
    vault.request("DELETE", f"sys/mounts/{mount}")


def _no_time(_: float) -> None:
    """Nobody waits."""
