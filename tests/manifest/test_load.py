"""From files to the estate, and everything that can be wrong on the way."""

from __future__ import annotations

import gc
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.errors import InvalidInput
from reconciler.manifest import InvalidManifests, Severity, load_estate, validate
from reconciler.model.desired import (
    CredentialRef,
    KeyState,
    LevelRef,
    Rotation,
    Strategy,
    Unmanaged,
    VaultPath,
)
from reconciler.model.estate import AppRoleAuth, JwtAuth, Limit, Limits, Timeouts, TokenAuth, VaultConfig

NOW = datetime(2026, 11, 22, tzinfo=UTC)

SETTINGS = """\
apiVersion: reconciler/v1
kind: Estate
metadata: {name: acme}
spec:
  id: 5b0c1f0e-7c55-4e0e-9d53-0a6f6f3f2c11
  vault: {address: "https://vault.example.com:8200"}
"""
TENANT = """\
apiVersion: reconciler/v1
kind: Tenant
metadata: {name: dsm-prod, labels: {env: prod}}
spec:
  provider: trend-workload-security
  endpoint: https://workload.us-1.cloudone.trendmicro.com/api
  credentials: {vault: {path: reconciler-credentials/dsm-prod}}
"""
OTHER = TENANT.replace("dsm-prod", "dsm-dev").replace("{env: prod}", "{env: dev}")
LEVEL = """\
apiVersion: reconciler/v1
kind: AccessLevel
metadata: {name: siem-read, tenant: dsm-prod}
spec:
  description: Read events for the SIEM
  permissions: {platformRights: {computerRights: {canViewOtherComputers: true}}}
"""
KEY = """\
apiVersion: reconciler/v1
kind: ApiKey
metadata: {name: splunk, tenant: dsm-prod, owner: secops@example.com}
spec:
  description: Splunk ingestion
  accessLevel: siem-read
  expires: 2027-06-30
  rotation: {every: 90d}
  options: {locale: en-US, timeZone: Etc/UTC}
"""


class Folder:
    """An estate in the making: writes files, and tells what validation finds."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, *documents: str | bytes) -> Path:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        parts = [document if isinstance(document, bytes) else dedent(document).encode() for document in documents]
        file.write_bytes(b"---\n".join(parts))
        return file

    def found(self, path: str = ".") -> list[str]:
        report = validate(self.path / path, now=NOW)
        return [str(problem).replace(f"{self.path}/", "") for problem in report.problems]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An empty folder."""
    return Folder(tmp_path.resolve())


@pytest.fixture
def estate(folder: Folder) -> Folder:
    """A small estate that is right."""
    folder.write("reconciler.yaml", SETTINGS)
    folder.write("tenants/prod.yaml", TENANT, LEVEL, KEY)
    return folder


# --- what a right estate is ---------------------------------------------------------------------------------------------


def test_a_small_estate(estate: Folder) -> None:
    """Manifests become tenants with their levels and keys; defaults are applied and times are in UTC."""
    loaded = load_estate(estate.path, now=NOW)

    assert loaded.id == UUID("5b0c1f0e-7c55-4e0e-9d53-0a6f6f3f2c11")
    assert loaded.name == "acme"
    assert loaded.vault == VaultConfig("https://vault.example.com:8200")
    assert loaded.limits == Limits()
    assert loaded.timeouts == Timeouts()
    assert loaded.warnings == ()
    [tenant] = loaded.tenants
    assert (tenant.name, tenant.provider, tenant.labels) == ("dsm-prod", "trend-workload-security", {"env": "prod"})
    assert tenant.endpoint == "https://workload.us-1.cloudone.trendmicro.com/api"
    assert tenant.credentials_plan == tenant.credentials_apply
    assert tenant.credentials_plan == CredentialRef(VaultPath("secret", "reconciler-credentials/dsm-prod"))
    assert tenant.secrets == VaultPath("secret", "security-keys/{tenant}/{key}")
    assert tenant.unmanaged is Unmanaged.REPORT
    [level] = tenant.levels
    assert (level.tenant, level.name, level.description) == ("dsm-prod", "siem-read", "Read events for the SIEM")
    assert level.permissions == {"platformRights": {"computerRights": {"canViewOtherComputers": True}}}
    [key] = tenant.keys
    assert (key.tenant, key.name, key.owner) == ("dsm-prod", "splunk", "secops@example.com")
    assert key.level == LevelRef("siem-read")
    assert key.expires == datetime(2027, 7, 1, tzinfo=UTC)
    assert key.rotation == Rotation(timedelta(days=90), timedelta(hours=24), Strategy.OVERLAP)
    assert (key.state, key.protect, key.allowed_ips, key.scope) == (KeyState.ACTIVE, False, (), None)
    assert key.options == {"locale": "en-US", "timeZone": "Etc/UTC"}
    assert str(key.secret_path) == "secret/security-keys/dsm-prod/splunk"
    assert str(key.source) == f"{estate.path}/tenants/prod.yaml:16:1"


def test_found_from_below(estate: Folder) -> None:
    """The estate is found from any of its folders and files, and always loaded as a whole."""
    whole = load_estate(estate.path, now=NOW)
    for path in ("tenants", "tenants/prod.yaml", "reconciler.yaml"):
        assert load_estate(estate.path / path, now=NOW).digest == whole.digest


def test_current_folder(estate: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Places are relative to the current folder."""
    monkeypatch.chdir(estate.path)
    [tenant] = load_estate(Path(), now=NOW).tenants
    assert str(tenant.source) == "tenants/prod.yaml:1:1"


def test_all_settings(estate: Folder) -> None:
    """Everything that reconciler.yaml can say arrives."""
    estate.write(
        "reconciler.yaml",
        """\
        apiVersion: reconciler/v1
        kind: Estate
        metadata: {name: acme, labels: {a: b}, annotations: {c: d}, owner: me}
        spec:
          id: 5b0c1f0e-7c55-4e0e-9d53-0a6f6f3f2c11
          vault:
            address: http://127.0.0.1:8200
            namespace: team
            caCert: certs/ca.pem
            auth:
              plan: {appRole: {mount: plan, roleId: abc, secretIdEnv: SECRET_ID}}
              apply: {jwt: {role: reconciler-apply, mount: github, env: TOKEN}}
            state: {mount: kv, path: state/acme}
          limits:
            deletes: {ratio: 1, max: 5, floor: 0}
            replacements: {max: 20}
            locks: {max: 4}
            rotations: {maxPerRun: 7}
          timeouts: {call: 10s, lease: 1m}
        """,
    )
    loaded = load_estate(estate.path, now=NOW)

    assert loaded.vault == VaultConfig(
        address="http://127.0.0.1:8200",
        namespace="team",
        ca_cert=str(estate.path / "certs/ca.pem"),
        auth_plan=AppRoleAuth("plan", "abc", "VAULT_ROLE_ID", "SECRET_ID"),
        auth_apply=JwtAuth("reconciler-apply", "github", "TOKEN"),
        state=VaultPath("kv", "state/acme"),
    )
    assert loaded.limits == Limits(Limit(1.0, 5, 0), Limit(0.3, 20, 3), 7, Limit(0.3, 4, 3))
    assert loaded.timeouts == Timeouts(10.0, 60.0)


@pytest.mark.parametrize("auth", ["{token: {}}", "{plan: {token: {}}, apply: {token: {}}}"])
def test_token(estate: Folder, auth: str) -> None:
    """The token may be asked for by name."""
    text = SETTINGS.replace('8200"}', f'8200", auth: {auth}}}')
    estate.write("reconciler.yaml", text)
    assert load_estate(estate.path, now=NOW).vault.auth_apply == TokenAuth()


def test_two_credentials(estate: Folder) -> None:
    """Planning and applying may use different credentials."""
    credentials = "{plan: {env: {secretKey: PLAN_KEY}}, apply: {vault: {mount: kv, path: x}}}"
    estate.write("tenants/prod.yaml", TENANT.replace("{vault: {path: reconciler-credentials/dsm-prod}}", credentials))
    estate.write("x.yaml", LEVEL)
    [tenant] = load_estate(estate.path, now=NOW).tenants

    assert tenant.credentials_plan == CredentialRef(env={"secretKey": "PLAN_KEY"})
    assert tenant.credentials_apply == CredentialRef(VaultPath("kv", "x"))


def test_selectors(estate: Folder) -> None:
    """An object with a selector is wanted in every tenant that carries the labels, each with a path of its own."""
    everywhere = "tenantSelector: {matchLabels: {product: dsm}}"
    for name, env in (("a", "prod"), ("b", "dev"), ("c", "prod")):
        estate.write(
            f"{name}.yaml", TENANT.replace("dsm-prod", name).replace("{env: prod}", f"{{env: {env}, product: dsm}}")
        )
    estate.write(
        "tenants/prod.yaml",
        LEVEL.replace("tenant: dsm-prod", everywhere),
        KEY.replace("tenant: dsm-prod", everywhere),
        KEY.replace("tenant: dsm-prod", "tenantSelector: {matchLabels: {product: dsm, env: prod}}").replace(
            "splunk", "soar"
        ),
    )
    loaded = load_estate(estate.path, now=NOW)

    assert {tenant.name: [str(key.secret_path) for key in tenant.keys] for tenant in loaded.tenants} == {
        "a": ["secret/security-keys/a/soar", "secret/security-keys/a/splunk"],
        "b": ["secret/security-keys/b/splunk"],
        "c": ["secret/security-keys/c/soar", "secret/security-keys/c/splunk"],
    }
    assert [level.tenant for tenant in loaded.tenants for level in tenant.levels] == ["a", "b", "c"]


def test_key_details(estate: Folder) -> None:
    """Existing levels, rotation in place, other states and texts with space around them."""
    estate.write(
        "tenants/prod.yaml",
        TENANT,
        """\
        apiVersion: reconciler/v1
        kind: ApiKey
        metadata: {name: a, tenant: dsm-prod}
        spec:
          description: |
            two

            lines
          accessLevel: {existing: Full Access}
          rotation: {every: 1w, strategy: inPlace}
          state: locked
          protect: true
        """,
    )
    [tenant] = load_estate(estate.path, now=NOW).tenants
    [key] = tenant.keys

    assert key.description == "two\n\nlines"
    assert key.level == LevelRef("Full Access", existing=True)
    assert key.rotation == Rotation(timedelta(weeks=1), timedelta(0), Strategy.IN_PLACE, timedelta(hours=84))
    assert (key.state, key.protect, key.owner) == (KeyState.LOCKED, True, "")


def test_digest_is_of_the_meaning(estate: Folder) -> None:
    """Layout, comments, file names, order and spelling do not change the digest."""
    before = load_estate(estate.path, now=NOW).digest
    (estate.path / "tenants/prod.yaml").unlink()
    estate.write(
        "deep/er/z.yml",
        KEY.replace("2027-06-30", "'2027-07-01T02:00:00+02:00' # the same moment").replace(
            "{every: 90d}", "{overlap: 1d, every: 90d}"
        ),
        "# nothing\n",
    )
    estate.write("a.yaml", LEVEL.replace("Read events", '"Read events').replace("SIEM", 'SIEM "'))
    estate.write("b.yaml", "# a comment\n" + TENANT + "  unmanaged: report\n")

    assert load_estate(estate.path, now=NOW).digest == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2027-06-30", "2027-06-29"),
        ("every: 90d", "every: 91d"),
        ("secops@", "soc@"),
        ("canViewOtherComputers: true", "canViewOtherComputers: false"),
        ("Splunk ingestion", "Splunk"),
        ("accessLevel: siem-read", "accessLevel: {existing: siem-read}"),
        ("  rotation: {every: 90d}\n", ""),
        ("us-1", "de-1"),
        ("spec:\n  description: Splunk", "spec:\n  protect: true\n  description: Splunk"),
    ],
)
def test_digest_changes_with_the_meaning(estate: Folder, old: str, new: str) -> None:
    """What means something else has another digest."""
    before = load_estate(estate.path, now=NOW).digest
    file = estate.path / "tenants/prod.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))

    assert load_estate(estate.path, now=NOW).digest != before


def test_collection_goes_on(estate: Folder) -> None:
    """Garbage collection is as it was before, also after an error."""
    for running in (True, False):
        (gc.enable if running else gc.disable)()
        try:
            load_estate(estate.path, now=NOW)
            assert gc.isenabled() is running
            estate.write("bad.yaml", "kind: X\n")
            with pytest.raises(InvalidManifests):
                load_estate(estate.path, now=NOW)
            assert gc.isenabled() is running
            (estate.path / "bad.yaml").unlink()
        finally:
            gc.enable()


def test_expired_is_a_warning(estate: Folder) -> None:
    """A key that has expired stays in Git while it goes: a warning, and the estate loads. An absent one needs none."""
    estate.write(
        "tenants/prod.yaml",
        TENANT,
        LEVEL,
        KEY.replace("2027", "2024"),
        KEY.replace("2027", "2024").replace("splunk", "b") + "  state: absent\n",
    )
    [problem] = validate(estate.path, now=NOW).problems

    assert problem.severity is Severity.WARNING
    assert str(problem).endswith(
        "tenants/prod.yaml:22:12: warning: spec.expires has passed: it was 2024-06-30 "
        "(the key is not created, and removed if it lives; set a later time, or state: absent)"
    )
    assert load_estate(estate.path, now=NOW).warnings == (str(problem),)
    assert validate(estate.path, now=datetime(2024, 6, 30, tzinfo=UTC)).problems == ()


def test_the_clock_is_now_by_default(estate: Folder) -> None:
    """Without a clock, expiry is judged by the machine's."""
    estate.write("tenants/prod.yaml", TENANT, LEVEL, KEY.replace("2027", "2020"))
    assert [problem.code for problem in validate(estate.path).problems] == ["expired"]


# --- promise 9: bad input -----------------------------------------------------------------------------------------------

KINDS = "Estate, Tenant, AccessLevel, ApiKey, ServiceUser, Scope, NetworkList, EndpointMap, Approval, Policy, Waiver"
BAD = {
    "unknown field": (
        KEY + "  stat: locked\n",
        ["t.yaml:10:3: error: unknown field spec.stat (did you mean 'state'?)"],
    ),
    "field in the wrong section": (
        KEY + "  owner: me\n",
        ["t.yaml:10:3: error: unknown field spec.owner (it belongs at metadata.owner)"],
    ),
    "unknown top-level field": (
        KEY + "status: {}\n",
        ["t.yaml:10:1: error: unknown field status (known here: apiVersion, kind, metadata, spec)"],
    ),
    "wrong type": (
        KEY.replace("Splunk ingestion", "42"),
        ["t.yaml:5:16: error: spec.description must be a text, not 42 (quote it)"],
    ),
    "text for a mapping": (
        KEY.replace("{locale: en-US, timeZone: Etc/UTC}", "en-US"),
        ["t.yaml:9:12: error: spec.options must be a mapping, not 'en-US'"],
    ),
    "text for true": (
        KEY + "  protect: yes\n",
        ["t.yaml:10:12: error: spec.protect must be true or false, not 'yes'"],
    ),
    "missing field": (
        KEY.replace("  accessLevel: siem-read\n", ""),
        [
            (
                "t.yaml:4:1: error: spec.accessLevel is missing "
                "(such as accessLevel: siem-read, or serviceUser where keys belong to users)"
            )
        ],
    ),
    "missing section": (
        "apiVersion: reconciler/v1\nkind: ApiKey\nmetadata: {name: a, tenant: dsm-prod}\n",
        ["t.yaml:1:1: error: spec is missing"],
    ),
    "bad name": (
        KEY.replace("name: splunk", "name: Splunk_1"),
        [
            (
                "t.yaml:3:18: error: metadata.name is 'Splunk_1', which is no name "
                "(at most 63 lower-case letters, digits, '-' and '.'; a letter or digit at both ends)"
            )
        ],
    ),
    "misspelled state": (
        KEY + "  state: lockd\n",
        ["t.yaml:10:10: error: spec.state must be active, locked or absent, not 'lockd' (did you mean 'locked'?)"],
    ),
    "unknown version": (
        KEY.replace("reconciler/v1", "reconciler/v2"),
        ["t.yaml:1:13: error: apiVersion must be reconciler/v1, not 'reconciler/v2' (did you mean 'reconciler/v1'?)"],
    ),
    "unknown kind": (
        KEY.replace("ApiKey", "APIKey"),
        ["t.yaml:2:7: error: unknown kind 'APIKey' (did you mean 'ApiKey'?)"],
    ),
    "kind that is none": (
        KEY.replace("ApiKey", "[x]"),
        [f"t.yaml:2:7: error: kind must be a text, not a list (kind is one of {KINDS})"],
    ),
    "no kind": (
        "a: 1\n",
        [f"t.yaml:1:1: error: the kind is missing (kind is one of {KINDS})"],
    ),
    "no mapping": (
        "- a\n",
        ["t.yaml:1:1: error: a manifest is a mapping, not a list (it begins with apiVersion and kind)"],
    ),
    "duplicate YAML key": (
        KEY + "  description: again\n",
        ["t.yaml:10:3: error: the key 'description' is given twice (the first is at 5:3)"],
    ),
    "missing access level": (
        KEY.replace("siem-read", "siem-raed"),
        ["t.yaml:6:16: error: there is no access level 'siem-raed' in tenant dsm-prod (did you mean 'siem-read'?)"],
    ),
    "missing tenant": (
        KEY.replace("dsm-prod", "dsm-prd"),
        ["t.yaml:3:34: error: there is no tenant 'dsm-prd' (did you mean 'dsm-prod'?)"],
    ),
    "missing tenant, nothing near": (
        KEY.replace("dsm-prod", "xyz"),
        ["t.yaml:3:34: error: there is no tenant 'xyz' (add a manifest of kind Tenant with that name)"],
    ),
    "selector that matches nothing": (
        KEY.replace("tenant: dsm-prod", "tenantSelector: {matchLabels: {env: prd}}"),
        ["t.yaml:3:43: error: no tenant has the labels env=prd (did you mean 'prod'?)"],
    ),
    "selector with an unknown label": (
        KEY.replace("tenant: dsm-prod", "tenantSelector: {matchLabels: {enf: prod}}"),
        ["t.yaml:3:43: error: no tenant has the labels enf=prod (did you mean 'env'?)"],
    ),
    "selector with a foreign value": (
        KEY.replace("tenant: dsm-prod", "tenantSelector: {matchLabels: {env: qqqq}}"),
        ["t.yaml:3:43: error: no tenant has the labels env=qqqq (env is one of dev, prod)"],
    ),
    "selector that is empty": (
        KEY.replace("tenant: dsm-prod", "tenantSelector: {matchLabels: {}}"),
        ["t.yaml:3:56: error: metadata.tenantSelector.matchLabels is empty"],
    ),
    "tenant and selector": (
        KEY.replace("tenant: dsm-prod", "tenant: dsm-prod, tenantSelector: {matchLabels: {env: prod}}"),
        ["t.yaml:3:44: error: metadata has both tenant and tenantSelector (give exactly one of them)"],
    ),
    "no tenant": (
        KEY.replace(", tenant: dsm-prod", ""),
        [
            (
                "t.yaml:3:1: error: the object is in no tenant "
                "(give metadata.tenant, or metadata.tenantSelector for several tenants)"
            )
        ],
    ),
    "no date": (
        KEY.replace("2027-06-30", "2027-06-31"),
        [
            (
                "t.yaml:7:12: error: spec.expires is '2027-06-31', a time that does not exist "
                "(a date such as 2027-06-30 (ends with that day in UTC) or a time such as 2027-06-30T12:00:00Z)"
            )
        ],
    ),
    "no duration": (
        KEY.replace("90d", "90"),
        [
            (
                "t.yaml:8:21: error: spec.rotation.every must be a duration, not 90 "
                "(a whole number and w, d, h, m or s, such as 90d, 24h or 30m)"
            )
        ],
    ),
    "rotation longer than its period": (
        KEY.replace("{every: 90d}", "{every: 1d, overlap: 24h}"),
        [
            (
                "t.yaml:8:3: error: spec.rotation is due again before the overlap has ended "
                "(make overlap shorter than every)"
            )
        ],
    ),
    "rotation of no length": (
        KEY.replace("{every: 90d}", "{every: 0d}"),
        ["t.yaml:8:3: error: spec.rotation has an every of no length (such as 90d)"],
    ),
    "rotation that is no mapping": (
        KEY.replace("{every: 90d}", "90d"),
        ["t.yaml:8:13: error: spec.rotation must be a mapping, not '90d'"],
    ),
    "rotation every list": (
        KEY.replace("90d", "[90d]"),
        [
            (
                "t.yaml:8:21: error: spec.rotation.every must be a duration, not a list "
                "(a whole number and w, d, h, m or s, such as 90d, 24h or 30m)"
            )
        ],
    ),
    "level in a missing tenant": (
        LEVEL.replace("dsm-prod", "dsm-prd"),
        ["t.yaml:3:37: error: there is no tenant 'dsm-prd' (did you mean 'dsm-prod'?)"],
    ),
    "overlap in place": (
        KEY.replace("{every: 90d}", "{every: 90d, overlap: 1h, strategy: inPlace}"),
        [
            (
                "t.yaml:8:3: error: spec.rotation has an overlap, but inPlace has none: the old secret is dead at once "
                "(leave overlap out)"
            )
        ],
    ),
    "level of a wrong type": (
        KEY.replace("accessLevel: siem-read", "accessLevel: 7"),
        ["t.yaml:6:16: error: spec.accessLevel must be a name or a mapping, not 7 (such as accessLevel: siem-read)"],
    ),
    "level with a misspelled field": (
        KEY.replace("accessLevel: siem-read", "accessLevel: {exisiting: x}"),
        [
            "t.yaml:6:3: error: spec.accessLevel.existing is missing (such as existing: Auditor)",
            "t.yaml:6:17: error: unknown field spec.accessLevel.exisiting (did you mean 'existing'?)",
        ],
    ),
    "level of no name": (
        KEY.replace("accessLevel: siem-read", "accessLevel: ''"),
        ["t.yaml:6:16: error: spec.accessLevel is empty (such as accessLevel: siem-read)"],
    ),
    "no network": (
        KEY + "  allowedIPs: [203.0.113.1/28, office, 7]\n",
        [
            (
                "t.yaml:10:16: error: spec.allowedIPs[0] is '203.0.113.1/28', which has bits set beyond its prefix "
                "(did you mean '203.0.113.0/28'?)"
            ),
            (
                "t.yaml:10:32: error: spec.allowedIPs[1] is 'office', which is neither an address nor a network "
                "(such as 203.0.113.7 or 203.0.113.0/28)"
            ),
            "t.yaml:10:40: error: spec.allowedIPs[2] must be a text or a mapping, not 7",
        ],
    ),
    "too long": (
        KEY.replace("Splunk ingestion", "x" * 1001),
        ["t.yaml:5:16: error: spec.description is longer than 1000 characters"],
    ),
    "one of our marks": (
        KEY.replace("Splunk ingestion", '"x [rcl:0000000000000000:1:aaaaaaaaaaaaaaaa]"'),
        [
            (
                "t.yaml:5:16: error: spec.description looks like a mark that the reconciler writes "
                "(leave [rcl:…] out: it is added and removed for you)"
            )
        ],
    ),
    "owner of two lines": (
        KEY.replace("secops@example.com", '"a\\nb"'),
        [
            "t.yaml:3:51: error: metadata.owner is not one line of text (take out line breaks and control characters)",
        ],
    ),
    "label that is no text": (
        KEY.replace("owner: secops@example.com", "labels: {a: 1, b: true}"),
        [
            "t.yaml:3:56: error: metadata.labels.a must be a text, not 1 (quote it)",
            "t.yaml:3:62: error: metadata.labels.b must be a text, not true (quote it)",
        ],
    ),
    "unknown right": (
        LEVEL.replace("name: siem-read", "name: x").replace("canViewOtherComputers", "canViewOtherComputer"),
        [
            (
                "t.yaml:6:51: error: computerRights has no right 'canViewOtherComputer' "
                "(did you mean 'canViewOtherComputers'?)"
            )
        ],
    ),
    "unknown time zone": (
        KEY.replace("Etc/UTC", "Europe/Berlim"),
        ["t.yaml:9:38: error: unknown time zone 'Europe/Berlim' (did you mean 'Europe/Berlin'?)"],
    ),
    "what the vendor lacks": (
        KEY + "  allowedIPs: [203.0.113.0/28, {networkList: x}]\n  scope: x\n",
        [
            "t.yaml:10:15: error: allowedIPs cannot be honoured here",
            "t.yaml:10:46: error: there is no network list 'x' (add a manifest of kind NetworkList with that name)",
            "t.yaml:11:10: error: scope cannot be honoured here",
        ],
    ),
    "misspelled field in a list": (
        KEY + "  allowedIPs: [{networkLst: x}]\n",
        [
            "t.yaml:10:16: error: spec.allowedIPs[0].networkList is missing (such as networkList: splunk-egress)",
            "t.yaml:10:17: error: unknown field spec.allowedIPs[0].networkLst (did you mean 'networkList'?)",
        ],
    ),
    "unknown provider": (
        OTHER.replace("trend-workload-security", "trend-workload-securty").replace("dsm-dev", "dsm-x"),
        ["t.yaml:5:13: error: unknown provider 'trend-workload-securty' (did you mean 'trend-workload-security'?)"],
    ),
    "pruned": (
        OTHER.replace("dsm-dev", "dsm-x") + "  unmanaged: pruned\n",
        ["t.yaml:8:14: error: spec.unmanaged must be report, ignore or prune, not 'pruned' (did you mean 'prune'?)"],
    ),
    "no endpoint": (
        OTHER.replace("https://", "https://user:password@").replace("dsm-dev", "dsm-x"),
        [
            (
                "t.yaml:6:13: error: spec.endpoint is no address of the right shape "
                "(such as https://host.example.com/api, without user, query and fragment)"
            )
        ],
    ),
    "two credentials": (
        OTHER.replace("{vault:", "{env: {secretKey: A}, vault:").replace("dsm-dev", "dsm-x"),
        ["t.yaml:7:3: error: spec.credentials has vault and env (give one of vault, env, or both plan and apply)"],
    ),
    "half a credential": (
        OTHER.replace("{vault: {path: reconciler-credentials/dsm-dev}}", "{plan: {}, aply: {}}").replace(
            "dsm-dev", "dsm-x"
        ),
        [
            "t.yaml:7:17: error: spec.credentials.plan is empty (give exactly one of vault or env)",
            "t.yaml:7:27: error: unknown field spec.credentials.aply (did you mean 'apply'?)",
        ],
    ),
    "no variable": (
        OTHER.replace("{vault: {path: reconciler-credentials/dsm-dev}}", "{env: {secretKey: my-key}}").replace(
            "dsm-dev", "dsm-x"
        ),
        [
            (
                "t.yaml:7:34: error: spec.credentials.env.secretKey is 'my-key', which is no environment variable's name "
                "(such as DSM_SECRET_KEY)"
            )
        ],
    ),
    "wrong credential field": (
        OTHER.replace("{vault: {path: reconciler-credentials/dsm-dev}}", "{env: {secretkey: A}}").replace(
            "dsm-dev", "dsm-x"
        ),
        ["t.yaml:7:23: error: unknown credential field 'secretkey' (did you mean 'secretKey'?)"],
    ),
    "template that climbs out": (
        OTHER.replace("dsm-dev", "dsm-x") + '  secrets: {path: "../{key}"}\n',
        [
            (
                "t.yaml:8:19: error: spec.secrets.path is '../{key}', which climbs out of its folder "
                "(no segment may be '.' or '..')"
            )
        ],
    ),
    "credential among the state": (
        OTHER.replace("reconciler-credentials", "reconciler").replace("dsm-dev", "dsm-x"),
        [
            (
                "t.yaml:7:31: error: the credential 'secret/reconciler/dsm-x' lies under the state documents "
                "at 'secret/reconciler' "
                "(keep it elsewhere)"
            )
        ],
    ),
    "credential among the state, twice": (
        OTHER.replace(
            "{vault: {path: reconciler-credentials/dsm-dev}}",
            "{plan: {vault: {path: reconciler}}, apply: {vault: {path: reconciler/x}}}",
        ).replace("dsm-dev", "dsm-x"),
        [
            (
                "t.yaml:7:38: error: the credential 'secret/reconciler' lies under the state documents "
                "at 'secret/reconciler' "
                "(keep it elsewhere)"
            ),
            (
                "t.yaml:7:74: error: the credential 'secret/reconciler/x' lies under the state documents "
                "at 'secret/reconciler' "
                "(keep it elsewhere)"
            ),
        ],
    ),
    "an Estate elsewhere": (
        SETTINGS,
        [
            (
                "t.yaml:2:7: error: an Estate stands in reconciler.yaml at the estate's root, and nowhere else "
                "(move it to reconciler.yaml)"
            )
        ],
    ),
}


@pytest.mark.promise(9)
@pytest.mark.parametrize(("text", "wanted"), BAD.values(), ids=BAD.keys())
def test_promise_9_bad_manifests(estate: Folder, text: str, wanted: list[str]) -> None:
    """Each kind of wrong manifest gets its place, what is wrong, and what would be right; the estate does not load."""
    estate.write("tenants/prod.yaml", TENANT, OTHER, LEVEL)
    estate.write("t.yaml", text)

    found = estate.found()
    assert [
        line.partition(" (")[0] if " (" not in right else line for line, right in zip(found, wanted, strict=True)
    ] == wanted
    with pytest.raises(InvalidManifests) as caught:
        load_estate(estate.path, now=NOW)
    assert len(caught.value.problems) == len(wanted)


BAD_FILES: dict[str, tuple[bytes, str]] = {
    "not UTF-8": (b"# caf\xe9\n", "t.yaml:1:6: error: the file is not UTF-8 (byte 0xe9) (save it as UTF-8)"),
    "too large": (
        b"#" * (50 * 1024 * 1024),
        "t.yaml:1:1: error: the file has 50 MiB, which is more than 32 MiB (split it into several)",
    ),
    "alias bomb": (
        b"a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
        + b"\n".join(b"a%d: &a%d [%s]" % (n, n, b",".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 12)),
        (
            "t.yaml:5:38: error: the aliases of this file expand to more than 100000 values "
            "(write the values out, or use fewer aliases)"
        ),
    ),
    "syntax": (
        b"a: [\n",
        "t.yaml:2:1: error: this is not YAML: did not find expected node content, while parsing a flow node",
    ),
}


@pytest.mark.promise(9)
@pytest.mark.parametrize(("data", "wanted"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_promise_9_bad_files(estate: Folder, data: bytes, wanted: str) -> None:
    """A file that cannot be read says why."""
    estate.write("t.yaml", data)
    assert estate.found() == [wanted]


@pytest.mark.promise(9)
def test_promise_9_all_problems_of_all_files(estate: Folder) -> None:
    """A syntax error in one file hides nothing in the others, and problems come sorted."""
    estate.write("z.yaml", "a: [\n")
    estate.write("b.yaml", KEY.replace("siem-read", "nothing-near").replace("splunk", "c") + "  x: 1\n")
    estate.write("a.yaml", KEY.replace("name: splunk", "name: b") + "  protect: 1\n  foo: 2\n")

    assert [line.partition(" error")[0] for line in estate.found()] == [
        "a.yaml:10:12:",
        "a.yaml:11:3:",
        "b.yaml:6:16:",
        "b.yaml:10:3:",
        "z.yaml:2:1:",
    ]


@pytest.mark.promise(9)
def test_promise_9_one_document_all_problems(estate: Folder) -> None:
    """A document with wrong fields is still asked about its references, its path and its vendor's rules."""
    estate.write(
        "t.yaml",
        """\
        apiVersion: reconciler/v2
        kind: ApiKey
        extra: 1
        metadata: {name: b, tenant: dsm-prod}
        spec:
          accessLevel: sime-read
          expires: never
          rotation: {evry: 1d}
          scope: 1
          options: {timeZone: Nowhere, lcale: x}
        """,
    )
    assert [problem.code for problem in validate(estate.path, now=NOW).problems] == [
        "value", "unknown-field", "unknown-access-level", "value", "missing-field", "unknown-field", "type",
        "provider", "provider",
    ]  # fmt: skip


@pytest.mark.promise(9)
def test_promise_9_no_false_problems(estate: Folder) -> None:
    """What is declared by a broken manifest, or in a file that cannot be read, is not said to be missing."""
    estate.write("tenants/prod.yaml", TENANT + "  foo: 1\n", LEVEL.replace("spec:", "spec:\n  protect: maybe"), KEY)
    estate.write("tenants/dev.yaml", OTHER.replace("https://", ""))
    estate.write("dev-key.yaml", KEY.replace("dsm-prod", "dsm-dev"))
    estate.write(
        "dev-keys.yaml",
        KEY.replace("tenant: dsm-prod", "tenantSelector: {matchLabels: {env: dev}}").replace("splunk", "b"),
    )
    estate.write("broken.yaml", TENANT.replace("dsm-prod", "dsm-x").replace("{env: prod}", "{env: x}") + "  y: [\n")
    estate.write("x-key.yaml", KEY.replace("dsm-prod", "dsm-x"))
    estate.write(
        "x-keys.yaml", KEY.replace("tenant: dsm-prod", "tenantSelector: {matchLabels: {env: x}}").replace("splunk", "c")
    )
    estate.write(
        "more.yaml",
        LEVEL.replace("name: siem-read", "name: UPPER"),
        KEY.replace("name: splunk", "name: d") + "  q: 1\n",
    )
    estate.write("odd.yaml", "kind: ApiKey\nmetadata: 3\n", "kind: AccessLevel\nmetadata: {name: 3}\n", "kind: 3\n")

    assert {problem.code for problem in validate(estate.path, now=NOW).problems} == {
        "unknown-field", "type", "value", "syntax", "missing-field", "tenant",
    }  # fmt: skip


@pytest.mark.promise(9)
def test_promise_9_duplicate_objects(estate: Folder) -> None:
    """An object that is declared twice names the first place, also when a selector makes it."""
    estate.write(
        "tenants/z.yaml", TENANT, LEVEL, KEY.replace("tenant: dsm-prod", "tenantSelector: {matchLabels: {env: prod}}")
    )

    assert estate.found() == [
        "tenants/z.yaml:3:18: error: Tenant 'dsm-prod' is declared twice (the first is at tenants/prod.yaml:1:1)",
        (
            "tenants/z.yaml:11:18: error: AccessLevel 'siem-read' is declared twice in tenant dsm-prod "
            "(the first is at tenants/prod.yaml:9:1)"
        ),
        (
            "tenants/z.yaml:18:18: error: ApiKey 'splunk' is declared twice in tenant dsm-prod "
            "(the first is at tenants/prod.yaml:16:1)"
        ),
    ]


@pytest.mark.promise(9)
def test_promise_9_same_vault_path(estate: Folder) -> None:
    """Two keys whose secrets would have one path are refused: of two tenants, of one selector, or by likeness of names."""
    flat = '  secrets: {path: "keys/{key}"}\n'
    estate.write(
        "tenants/prod.yaml",
        TENANT + flat,
        OTHER + flat,
        LEVEL.replace("tenant: dsm-prod", "tenantSelector: {matchLabels: {all: 'yes'}}"),
    )
    path = estate.path / "tenants/prod.yaml"
    path.write_text(path.read_text().replace("labels: {", "labels: {all: 'yes', "))
    estate.write("key.yaml", KEY.replace("tenant: dsm-prod", "tenantSelector: {matchLabels: {all: 'yes'}}"))

    assert estate.found() == [
        (
            "key.yaml:3:18: error: the secret's path 'secret/keys/splunk' is another key's "
            "(that is at key.yaml:1:1; let each tenant's spec.secrets.path hold {tenant} and {key} apart)"
        )
    ]


@pytest.mark.promise(9)
@pytest.mark.parametrize(
    ("template", "owner"),
    [
        ("reconciler-credentials/dsm-prod/{key}", "the credential of tenant 'dsm-prod'"),
        ("reconciler-credentials/{key}", "the credential of tenant 'dsm-prod'"),
        ("reconciler/{tenant}/{key}", "the state documents"),
    ],
)
def test_promise_9_reserved_paths(estate: Folder, template: str, owner: str) -> None:
    """No secret of a key lies at or under a credential or the state."""
    name = "dsm-prod" if template == "reconciler-credentials/{key}" else "splunk"
    estate.write(
        "tenants/prod.yaml",
        TENANT + f'  secrets: {{path: "{template}"}}\n',
        LEVEL,
        KEY.replace("name: splunk", f"name: {name}"),
    )

    [line] = estate.found()
    assert f"lies under {owner} (change spec.secrets of tenant dsm-prod)" in line


@pytest.mark.promise(9)
def test_promise_9_missing_level_in_many_tenants(estate: Folder) -> None:
    """One key that misses its level in many tenants is one problem."""
    for number in range(6):
        estate.write(f"t{number}.yaml", TENANT.replace("dsm-prod", f"t{number}"))
    estate.write(
        "tenants/prod.yaml",
        TENANT,
        LEVEL,
        KEY.replace("tenant: dsm-prod", "tenantSelector: {matchLabels: {env: prod}}"),
    )

    assert estate.found() == [
        (
            "tenants/prod.yaml:21:16: error: there is no access level 'siem-read' in tenants t0, t1, t2 and 3 more "
            "(declare it, or write {existing: NAME} for one that the vendor ships)"
        )
    ]


@pytest.mark.promise(9)
def test_promise_9_labels_apart(estate: Folder) -> None:
    """A selector whose labels exist, but on no tenant together."""
    estate.write("other.yaml", OTHER.replace("{env: dev}", "{tier: gold}"))
    estate.write("t.yaml", KEY.replace("tenant: dsm-prod", "tenantSelector: {matchLabels: {env: prod, tier: gold}}"))

    assert estate.found() == [
        "t.yaml:3:43: error: no tenant has the labels env=prod, tier=gold (each is there, but no tenant has all of them)"
    ]


@pytest.mark.promise(9)
def test_promise_9_settings(estate: Folder) -> None:
    """What is wrong in reconciler.yaml is said like everything else."""
    estate.write(
        "reconciler.yaml",
        """\
        apiVersion: reconciler/v1
        kind: Estate
        metadata: {name: acme}
        spec:
          id: one
          vault: {adress: "https://x", auth: {plan: {token: {}}}, caCert: 3, state: {path: a/../b}}
          limits: {deletes: {ratio: 1.5}, replacements: {max: 1}, rotations: {maxPerRun: -1}}
          timeouts: {call: 60s}
        """,
    )
    assert estate.found() == [
        (
            "reconciler.yaml:5:7: error: spec.id must be a UUID, not 'one' "
            "(such as id: 5b0c1f0e-7c55-4e0e-9d53-0a6f6f3f2c11)"
        ),
        "reconciler.yaml:6:11: error: unknown field spec.vault.adress (did you mean 'address'?)",
        (
            "reconciler.yaml:6:32: error: spec.vault.auth has plan "
            "(give one of token, appRole, jwt, or both plan and apply)"
        ),
        "reconciler.yaml:6:67: error: spec.vault.caCert must be a text, not 3 (quote it)",
        (
            "reconciler.yaml:6:84: error: spec.vault.state.path is 'a/../b', which climbs out of its folder "
            "(no segment may be '.' or '..')"
        ),
        "reconciler.yaml:7:29: error: spec.limits.deletes.ratio must be at most 1, not 1.5",
        (
            "reconciler.yaml:7:35: error: spec.limits.replacements has a floor (3) above its max (1) "
            "(then max would never count)"
        ),
        "reconciler.yaml:7:82: error: spec.limits.rotations.maxPerRun must be at least 0, not -1",
        (
            "reconciler.yaml:8:3: error: spec.timeouts has a lease shorter than three calls "
            "(make lease at least three times call)"
        ),
    ]


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        (
            "  timeouts: {call: 0s}\n",
            "reconciler.yaml:7:3: error: spec.timeouts allows a call no time (such as call: 30s)",
        ),
        (
            "  limits: {deletes: {ratio: .nan}}\n",
            "reconciler.yaml:7:29: error: spec.limits.deletes.ratio must be a finite number, not nan",
        ),
        (
            "  limits: {deletes: {max: 1.5}}\n",
            "reconciler.yaml:7:27: error: spec.limits.deletes.max must be a whole number, not 1.5",
        ),
        (
            "  limits: {deletes: {max: x}}\n",
            "reconciler.yaml:7:27: error: spec.limits.deletes.max must be a whole number, not 'x'",
        ),
        ("  limits: []\n", "reconciler.yaml:7:11: error: spec.limits must be a mapping, not a list"),
    ],
)
def test_settings_one_by_one(estate: Folder, settings: str, wanted: str) -> None:
    """Single settings that make no sense."""
    estate.write("reconciler.yaml", SETTINGS + settings)
    assert estate.found() == [wanted]


def test_settings_of_a_login(estate: Folder) -> None:
    """A login is exactly one."""
    estate.write(
        "reconciler.yaml", SETTINGS.replace('8200"}', '8200", auth: {plan: {token: {}, jwt: {role: a}}, apply: {}}}')
    )
    assert estate.found() == [
        (
            "reconciler.yaml:6:61: error: spec.vault.auth.plan has token and jwt "
            "(give exactly one of token, appRole or jwt)"
        ),
        "reconciler.yaml:6:96: error: spec.vault.auth.apply is empty (give exactly one of token, appRole or jwt)",
    ]


def test_second_estate(estate: Folder) -> None:
    """There is one Estate."""
    estate.write("reconciler.yaml", SETTINGS, SETTINGS)
    assert estate.found() == [
        "reconciler.yaml:9:7: error: there is a second Estate (the first is at reconciler.yaml:1:1)"
    ]


def test_no_estate(estate: Folder) -> None:
    """A reconciler.yaml without an Estate is said to be so, but not on top of another problem with it."""
    line = "reconciler.yaml:1:1: error: the file holds no manifest of kind Estate ('reconciler init' writes one)"
    estate.write("reconciler.yaml", "# nothing yet\n")
    assert estate.found() == [line]
    estate.write("reconciler.yaml", KEY.replace("splunk", "b") + "  foo: 1\n")
    assert len(estate.found()) == 2
    for text in (SETTINGS.replace("Estate", "Estat"), "a: [", SETTINGS + "  x: 1\n"):
        estate.write("reconciler.yaml", text)
        assert len(estate.found()) == 1


@pytest.mark.promise(9)
def test_promise_9_empty_estate(folder: Folder) -> None:
    """An estate that declares no access level and no key is an error: it would delete everything."""
    folder.write("reconciler.yaml", SETTINGS, TENANT)
    assert folder.found() == [
        (
            "reconciler.yaml: error: the estate is empty: no manifest declares an access level or a key "
            "(to remove the last keys, declare them with state: absent)"
        )
    ]
    with pytest.raises(InvalidManifests):
        load_estate(folder.path)


@pytest.mark.promise(9)
def test_promise_9_empty_folder(folder: Folder, estate: Folder) -> None:
    """A folder without manifests is an error, within an estate and elsewhere."""
    empty = folder.path / "empty"
    empty.mkdir()
    assert folder.found("empty") == [
        "empty: error: there are no manifests here (`reconciler init` writes the first ones)"
    ]
    (folder.path / "reconciler.yaml").unlink()
    assert folder.found("empty") == [
        "empty: error: there are no manifests here (`reconciler init` writes the first ones)"
    ]


@pytest.mark.promise(9)
def test_promise_9_no_such_path(folder: Folder) -> None:
    """A path that is not there, and a folder that belongs to no estate, are said to be so."""
    with pytest.raises(InvalidInput, match="no such file"):
        validate(folder.path / "x")
    with pytest.raises(InvalidInput, match=r"no reconciler\.yaml"):
        load_estate(folder.path)


@pytest.mark.promise(9)
def test_promise_9_no_call_is_made(estate: Folder) -> None:
    """Validation and loading import nothing that could make a call, and open no socket."""
    code = """if True:
        import socket, sys
        from pathlib import Path
        def refuse(*_, **__): raise AssertionError("a socket was opened")
        socket.socket = socket.create_connection = socket.getaddrinfo = refuse
        from reconciler.cli import main
        from reconciler.manifest import load_estate
        assert main(["validate", sys.argv[1]]) == 0
        load_estate(Path(sys.argv[1]))
        assert not {"requests", "hvac", "urllib3", "http.client", "ssl", "rich"} & set(sys.modules)
    """
    run = subprocess.run([sys.executable, "-c", code, str(estate.path)], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")


# --- parts of an estate, and none ---------------------------------------------------------------------------------------


def test_part_of_an_estate(estate: Folder) -> None:
    """Of a part, only its own problems are reported, but references may point to the whole estate."""
    estate.write("team/key.yaml", KEY.replace("splunk", "b"))
    estate.write("team/bad.yaml", KEY.replace("splunk", "c") + "  x: 1\n")
    estate.write("worse.yaml", "a: [\n")

    assert estate.found("team/key.yaml") == []
    assert estate.found("team") == [
        (
            "team/bad.yaml:10:3: error: unknown field spec.x "
            "(known here: description, accessLevel, serviceUser, expires, rotation, state, protect, options, "
            "allowedIPs, scope, reissueAfter, ignoreDrift)"
        )
    ]
    assert len(estate.found()) == 2
    report = validate(estate.path / "team", now=NOW)
    assert (report.documents, report.files, report.errors) == (2, 2, 1)


def test_without_an_estate(folder: Folder) -> None:
    """Without a reconciler.yaml, references point to what is under the path."""
    file = folder.write("all.yaml", TENANT, LEVEL, KEY)
    report = validate(file, now=NOW)
    assert (report.problems, report.documents, report.files) == ((), 3, 1)
    folder.write("key.yaml", KEY.replace("splunk", "b"))
    assert folder.found() == []
    assert folder.found("key.yaml") == [
        "key.yaml:3:29: error: there is no tenant 'dsm-prod' (add a manifest of kind Tenant with that name)"
    ]


def test_settings_without_an_estate(folder: Folder) -> None:
    """An Estate in a file of another name is said to be in the wrong place, wherever it is."""
    folder.write("estate.yaml", SETTINGS)
    assert folder.found() == [
        (
            "estate.yaml:2:7: error: an Estate stands in reconciler.yaml at the estate's root, and nowhere else "
            "(move it to reconciler.yaml)"
        )
    ]


def test_hidden_paths_by_name(estate: Folder) -> None:
    """Hidden folders are left out, unless they are asked for by name."""
    estate.write(".hidden/key.yaml", KEY.replace("splunk", "b") + "  x: 1\n")
    assert estate.found() == []
    assert len(estate.found(".hidden")) == 1
    assert len(estate.found(".hidden/key.yaml")) == 1


def test_changed_between_the_passes(estate: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a file vanishes after it was read, what the rest of the estate shows to be wrong is at the document's place."""
    from reconciler.manifest import load

    estate.write("t.yaml", "# x\n" + KEY.replace("splunk", "b").replace("siem-read", "nothing"))
    original = load.read

    def gone(path: Path) -> object:
        path.unlink()
        return original(path)

    monkeypatch.setattr(load, "read", gone)
    [line] = estate.found("t.yaml")
    assert line.startswith("t.yaml:2:1: error: there is no access level 'nothing'")


def test_many_problems_are_linear(estate: Folder) -> None:
    """Ten thousand problems in one file are found by reading it a few times, not ten thousand times."""
    from reconciler.manifest import positions

    estate.write("t.yaml", *(KEY.replace("splunk", f"k{n}") + "  x: 1\n" for n in range(1_000)))
    calls = []
    original = positions.read
    positions.read = lambda data: calls.append(1) or original(data)  # type: ignore[assignment,func-returns-value,return-value]
    try:
        assert len(estate.found()) == 1_000
    finally:
        positions.read = original
    assert len(calls) == 1


# --- properties ---------------------------------------------------------------------------------------------------------

WORDS = [
    "kind",
    "ApiKey",
    "metadata",
    "name",
    "tenant",
    "spec",
    "accessLevel",
    "ExistingLevel",
    "constrained-str",
    "existing",
    "dsm-prod",
    "every",
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(data=st.data())
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_change_gets_a_verdict(estate: Folder, data: st.DataObject) -> None:
    """Whatever values stand in a manifest, validation ends with problems that have places, or with none."""
    import json

    import yaml

    documents = [
        dict(document)
        for document in yaml.load_all(f"{SETTINGS}---\n{TENANT}---\n{LEVEL}---\n{KEY}", Loader=yaml.CBaseLoader)
    ]
    document = random.Random(data.draw(st.integers(0, 99))).choice(documents)
    at = document
    for _ in range(data.draw(st.integers(0, 3))):
        inner = [value for value in at.values() if isinstance(value, dict)]
        at = data.draw(st.sampled_from(inner)) if inner else at
    field = data.draw(st.sampled_from(sorted(at)) | st.sampled_from(WORDS)) if at else "x"
    at[field] = data.draw(VALUES)
    estate.write(
        "reconciler.yaml", json.dumps(documents[0], allow_nan=False, default=str) if finite(documents[0]) else "x: 1"
    )
    estate.write("tenants/prod.yaml", *(json.dumps(each) + "\n" for each in documents[1:]))

    for problem in validate(estate.path, now=NOW).problems:
        assert problem.source.line >= 1
        assert problem.what
        assert "\n" not in str(problem)


def finite(value: object) -> bool:
    return "nan" not in repr(value) and "inf" not in repr(value)


@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_get_a_verdict(folder: Folder, data: bytes) -> None:
    """Whatever bytes a file holds, validation ends with problems or with none."""
    file = folder.write("t.yaml", data)
    for problem in validate(file, now=NOW).problems:
        assert problem.source.file.endswith("t.yaml")
