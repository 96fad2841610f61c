"""The offline half: a table without gaps, honest refusals, steps for people, and no network."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest

from reconciler.conformance.base import Conformance
from reconciler.conformance.bench import Bench
from reconciler.conformance.manifests import KEY, LEVEL
from reconciler.errors import InvalidInput
from reconciler.model.desired import DesiredKey, DesiredLevel, Rotation, Source, Strategy
from reconciler.model.names import Kind
from reconciler.providers.base import Capability, How, Step, Write

_ALWAYS: Final = {
    "ApiKey.metadata.name", "ApiKey.metadata.owner", "ApiKey.spec.description", "ApiKey.spec.expires",
    "ApiKey.spec.state", "ApiKey.spec.rotation", "ApiKey.spec.rotation.strategy", "ApiKey.spec.protect",
    "ApiKey.spec.allowedIPs", "ApiKey.spec.scope",
}  # fmt: skip
_OF_LEVELS: Final = {
    Kind.ACCESS_LEVEL: ("metadata.name", "spec.description", "spec.permissions", "spec.protect"),
    Kind.SERVICE_USER: ("metadata.name", "spec.description", "spec.groups", "spec.state", "spec.protect"),
}
_ADDED_BY_THE_SUITE: Final = {"accessLevel", "serviceUser", "state", "rotation", "rotation.strategy"}
_NETWORK: Final = ("requests", "urllib3", "http.client", "ssl", "hvac")
_CHILD: Final = """
import json, pickle, sys
location, asked = pickle.load(sys.stdin.buffer)
from importlib import import_module
module, _, name = location.partition(":")
provider = getattr(import_module(module), name)
found = {label: [[list(one.path), one.what, one.hint] for one in getattr(provider, check)(what)]
         for label, (check, what) in asked.items()}
provider.permissions_schema(), provider.options_schema(), provider.scope_schema(), provider.tenant_options_schema()
print(json.dumps({"found": found, "modules": sorted(sys.modules)}))
"""


class OfflineConformance(Conformance):
    """Every provider's offline half passes these."""

    def test_the_table_of_capabilities_has_no_empty_cell(self) -> None:
        """Each row says what it is about, who makes it true and how sure we are; each refusal has its reason."""
        table = self.subject.provider.capabilities.fields
        names = [row.field for row in table]
        assert len(set(names)) == len(names)
        for row in table:
            assert row.field.strip(), row
            assert row.reason.strip() or row.how is not How.UNSUPPORTED, f"{row.field} is refused without a reason"

    def test_every_field_that_manifests_have_is_in_the_table(self, bench: Bench) -> None:
        """Whatever a manifest can ask for has a row, so that nothing is dropped in silence."""
        provider, kind = bench.provider, self.subject.level_kind
        rows = {row.field for row in provider.capabilities.fields}
        wanted = set(_ALWAYS)
        wanted |= {f"ApiKey.spec.options.{name}" for name in provider.options_schema().get("properties", {})}
        wanted |= {f"{kind}.{field}" for field in _OF_LEVELS[kind]} if bench.declares_levels else set()
        assert wanted - rows == set()
        assert {"ApiKey.spec.accessLevel", "ApiKey.spec.serviceUser"} & rows

    def test_every_operation_has_its_request_and_its_source(self) -> None:
        """Each operation says what is sent, how sure we are and which source says so."""
        found = self.subject.provider.capabilities
        for one in found.operations:
            assert all(text.strip() for text in (one.name, one.request, one.source)), one
        assert any(one.read for one in found.operations)
        assert found.rate.calls > 0
        assert found.rate.seconds > 0
        assert found.rate.source.strip()
        assert found.credential_fields

    def test_the_samples_use_every_field_that_is_made_true(self, bench: Bench) -> None:
        """Samples and changes leave out nothing that is made true by API or by hand, so that this suite proves it all."""
        emulator, now = bench.emulator, bench.clock.now()
        key, level = self.subject.key(emulator, now), self.subject.level(emulator) or {}
        used = {f"ApiKey.spec.{name}" for name in _names(key)}
        used |= {f"{self.subject.level_kind}.spec.{name}" for name in _names(level)}
        changed = {f"ApiKey.spec.{name}" for name in self.subject.key_changes(emulator, now)}
        changed |= {f"{self.subject.level_kind}.spec.{name}" for name in self.subject.level_changes(emulator)}
        for row in bench.provider.capabilities.fields:
            kind, _, field = row.field.partition(".spec.")
            if row.how not in {How.API, How.HANDOFF} or not field or field in _ADDED_BY_THE_SUITE or kind == "Tenant":
                continue
            assert row.field in used, f"the sample leaves {row.field} out"
            assert row.field in changed or _only_one_value(bench, field), f"no change is given for {row.field}"

    def test_the_samples_are_accepted(self, bench: Bench) -> None:
        """What the product can do is not refused."""
        assert list(bench.provider.check_tenant(bench.tenant)) == []
        assert [list(bench.provider.check_key(key)) for key in bench.tenant.keys] == [[]] * len(bench.tenant.keys)
        assert [list(bench.provider.check_level(one)) for one in bench.tenant.levels] == [[]] * len(bench.tenant.levels)

    def test_what_cannot_be_had_is_refused_with_its_reason_before_any_call(self, bench: Bench) -> None:
        """Every field that is marked as unsupported is refused with the table's reason, by code that knows no network."""
        rows = [row for row in bench.provider.capabilities.fields if row.how is How.UNSUPPORTED]
        key = bench.wanted_key()
        asked: dict[str, tuple[str, Any]] = {row.field: _asking(row, key) for row in rows}
        asked["an option that does not exist"] = ("check_key", replace(key, options={**key.options, "nonsense": 1}))
        nonsense = replace(bench.tenant, options={**bench.tenant.options, "nonsense": 1})
        asked["a tenant's option that does not exist"] = ("check_tenant", nonsense)
        asked["an endpoint without TLS"] = ("check_tenant", replace(bench.tenant, endpoint="http://vendor.example.com"))
        answer = self._in_a_child(asked)
        for row in rows:
            said = [f"{what} {hint}" for _, what, hint in answer["found"][row.field]]
            assert any(row.reason in one for one in said), f"{row.field}: {said}"
        assert all(answer["found"].values()), answer["found"]
        assert set(_NETWORK) & set(answer["modules"]) == set()

    def test_every_step_by_hand_says_what_to_enter(self, bench: Bench) -> None:
        """Each write that a person makes has steps, with name and mark wherever something gets one."""
        mark = bench.mark()
        key = bench.provider.key_fields(bench.wanted_key())
        level = bench.provider.level_fields(bench.wanted_level()) if bench.declares_levels else {}
        for write in Write:
            of_level = write in {Write.CREATE_LEVEL, Write.UPDATE_LEVEL, Write.DELETE_LEVEL}
            name, fields = (LEVEL, level) if of_level else (KEY, key)
            changed = frozenset(bench.traits.by_hand_fields or {"name", "description"})
            step = Step(name, fields, mark, level=LEVEL, vendor_id="id-1", changed=changed)
            steps = "\n".join(bench.provider.console_steps(bench.tenant, write, step))
            by_hand = write in bench.traits.by_hand or (write is Write.UPDATE_KEY and bench.traits.by_hand_fields)
            assert bool(steps) == bool(by_hand), write
            if write in {Write.CREATE_LEVEL, Write.CREATE_KEY} and steps:
                assert name in steps
                assert str(mark) in steps
            if steps and write in {Write.DELETE_KEY, Write.UPDATE_KEY, Write.DELETE_LEVEL}:
                assert "id-1" in steps

    def test_a_file_that_is_no_key_file_is_refused_without_quoting_it(self) -> None:
        """Whatever a person hands in by mistake may be a secret: it is not shown."""
        for content in (b"hunter2-canary", b'{"hunter2-canary": "hunter2-canary"}', b"\xff\xfe", b"[" * 1000):
            with pytest.raises(InvalidInput) as refused:
                self.subject.provider.key_file(content)
            assert "hunter2" not in f"{refused.value} {refused.value!r}"

    def test_a_credential_goes_nowhere_else(self, bench: Bench) -> None:
        """A credential that is stored for another endpoint is refused before any call, and so are wrong fields."""
        before = bench.sent()
        with pytest.raises(InvalidInput):
            bench.connect(credential={"nonsense": "value"}).observe()
        assert bench.sent() == before

    def _in_a_child(self, asked: Mapping[str, tuple[str, Any]]) -> dict[str, Any]:
        done = subprocess.run(  # noqa: S603  this very interpreter
            [sys.executable, "-c", _CHILD],
            input=pickle.dumps((self.subject.location, dict(asked))),
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        found: dict[str, Any] = json.loads(done.stdout)
        return found


def _asking(row: Capability, key: DesiredKey) -> tuple[str, Any]:
    """A check of something that asks for an unsupported field."""
    month, nothing = timedelta(days=30), timedelta(0)
    wishes: dict[str, DesiredKey] = {
        "ApiKey.spec.allowedIPs": replace(key, allowed_ips=("203.0.113.0/28",)),
        "ApiKey.spec.scope": replace(key, scope={"anything": "at all"}),
        "ApiKey.spec.rotation.strategy": replace(key, rotation=Rotation(month, nothing, Strategy.IN_PLACE)),
    }
    if row.field in wishes:
        return "check_key", wishes[row.field]
    assert row.field.split(".")[0] == Kind.ACCESS_LEVEL, f"this suite knows no way to ask for {row.field}"
    level = DesiredLevel(key.tenant, LEVEL, "Wished for", {"anything": True}, protect=False, source=Source("x", 1))
    return "check_level", level


def _names(spec: Mapping[str, Any]) -> Iterator[str]:
    for name, value in spec.items():
        yield name
        if isinstance(value, Mapping):
            yield from (f"{name}.{inner}" for inner in value)


def _only_one_value(bench: Bench, field: str) -> bool:
    """Whether an option has one value only, so that it cannot be changed."""
    schema = bench.provider.options_schema().get("properties", {}).get(field.removeprefix("options."), {})
    return "const" in schema
