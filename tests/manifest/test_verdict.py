from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import InvalidInput
from reconciler.manifest import load_estate
from reconciler.manifest.trusted import Trusted, read_trusted
from reconciler.manifest.verdict import ca_content, judge
from reconciler.model.estate import Estate
from reconciler.model.trusted import Difference, TrustedEstate
from tests.manifest.estates import NOW, SETTINGS, key, manifest, tenant
from tests.support.repository import Repository

PROVIDER = "trend-workload-security"
CLOUD = "carbon-black-cloud"
OPERATION = (
    "{{method: POST, path: {path}, body: {{n: '{{name}}', d: '{{description}}', i: '{{allowedIPs}}'}}, "
    "reply: {{id: a, secret: {secret}}}}}"
)


def endpoint_map(name: str = "console", path: str = "/keys", secret: str = "b") -> str:
    return manifest("EndpointMap", name, f"operations: {{createKey: {OPERATION.format(path=path, secret=secret)}}}")


def cloud(name: str = "cbc", named: str = "console") -> str:
    return tenant(name, CLOUD, f"options: {{orgKey: ABC, driver: console, endpointMap: {named}}}").replace("/api", "")


GOOD = {
    "reconciler.yaml": SETTINGS,
    "map.yaml": endpoint_map(),
    "dsm.yaml": tenant("dsm", PROVIDER),
    "cbc.yaml": cloud(),
    "keys.yaml": key("splunk", "dsm", "description: It reads"),
}


class Case:
    """A repository whose `main` holds `GOOD`, and a working tree that proposes changes."""

    def __init__(self, path: Path, **first: str) -> None:
        self.path = path
        self.repository = Repository.make(path / "repo")
        self.repository.commit(**{**GOOD, **first})
        (path / "scratch").mkdir()
        self.proposed = self.estate

    def propose(self, **files: str) -> TrustedEstate:
        for name, text in files.items():
            (self.repository.folder / name).write_text(text)
        estate = self.proposed = self.estate
        trusted = read_trusted(self.repository.folder, "main", self.path / "scratch")
        return judge(estate, trusted, ca_cert=ca_content(estate))

    @property
    def estate(self) -> Estate:
        return load_estate(self.repository.folder, now=NOW)

    def settings(self, old: str, new: str) -> TrustedEstate:
        assert old in SETTINGS
        return self.propose(**{"reconciler.yaml": SETTINGS.replace(old, new)})


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def told(estate: TrustedEstate) -> list[str]:
    return [str(one) for one in estate.differences]


def one_tenant(estate: Estate, name: str) -> Any:
    return next(tenant for tenant in estate.tenants if tenant.name == name)


def test_no_difference_changes_nothing(case: Case) -> None:
    """The estate is what it was, the digest of saved plans included."""
    found = case.propose(**{"keys.yaml": key("other", "dsm", "description: Another")})
    before = case.proposed
    assert told(found) == []
    assert (found.id, found.vault, found.limits, found.tenants) == (
        before.id,
        before.vault,
        before.limits,
        before.tenants,
    )
    assert found.digest == before.digest
    assert (found.ref, found.unvouched) == ("main", ())


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            'vault.example.com:8200"', 'evil.example.net"',
            ("finding: Vault address differs from main (https://evil.example.net here, "
            "https://vault.example.com:8200 at main): the one of main is used, unless VAULT_ADDR is set"),
        ),
        (
            '8200"}', '8200", namespace: evil}',
            ("finding: Vault namespace differs from main (evil here, none at main): the one of main is used, "
            "unless VAULT_NAMESPACE is set"),
        ),
        (
            '8200"}', '8200", state: {mount: secret, path: evil}}',
            ("finding: place of the state in Vault differs from main (secret/evil here, secret/reconciler at main): "
            "the one of main is used"),
        ),
        (
            "5b0c1f0e-7c55-4e0e-9d53-0a6f6f3f2c11", "aaaaaaaa-7c55-4e0e-9d53-0a6f6f3f2c11",
            ("finding: estate's id differs from main (aaaaaaaa-7c55-4e0e-9d53-0a6f6f3f2c11 here, "
            "5b0c1f0e-7c55-4e0e-9d53-0a6f6f3f2c11 at main): the one of main is used"),
        ),
        ('8200"}', '8200", caCert: ca.pem}', "finding: CA certificate of Vault differs from main: the one of main is used"),
        (
            '8200"}', '8200", auth: {plan: {jwt: {role: evil}}, apply: {token: {}}}}',
            "finding: Vault login for planning differs from main: the one of main is used",
        ),
        (
            '8200"}', '8200", auth: {plan: {token: {}}, apply: {jwt: {role: evil}}}}',
            "finding: Vault login for applying differs from main: the one of main is used",
        ),
        (
            '8200"}', '8200"}\n  limits: {deletes: {ratio: 1.0, max: 10000, floor: 3}}',
            "finding: limits of the guardrails differ from main: those of main are used",
        ),
    ],
)  # fmt: skip
def test_settings_are_the_revisions(case: Case, old: str, new: str, line: str) -> None:
    """Each is told, each is overruled, and a plan saved without the revision does not stand."""
    before = case.estate
    (case.repository.folder / "ca.pem").write_text("evil")
    found = case.settings(old, new)
    assert told(found) == [line]
    assert (found.id, found.vault, found.limits) == (before.id, before.vault, before.limits)
    assert found.digest not in {before.digest, case.estate.digest}
    assert len(found.digest) == 64


def test_the_ca_certificate_is_compared_by_what_it_says(tmp_path: Path) -> None:
    """Another name is none, another content is one, and so is no file at all."""
    settings = SETTINGS.replace('8200"}', '8200", caCert: ca.pem}')
    case = Case(tmp_path, **{"reconciler.yaml": settings, "ca.pem": "reviewed"})
    line = "finding: CA certificate of Vault differs from main: the one of main is used"
    assert told(case.propose(**{"ca.pem": "evil"})) == [line]
    (case.repository.folder / "ca.pem").unlink()
    assert told(case.propose()) == [line]
    moved = settings.replace("ca.pem", "moved.pem")
    found = case.propose(**{"moved.pem": "reviewed", "reconciler.yaml": moved})
    assert told(found) == []
    assert Path(found.vault.ca_cert).read_bytes() == b"reviewed"
    trusted = read_trusted(case.repository.folder, "main", tmp_path / "scratch", ca_cert=False)
    assert told(judge(load_estate(case.repository.folder), trusted)) == []


def test_an_operators_ca_file_is_compared_by_its_place(tmp_path: Path) -> None:
    """Its content is not the repository's."""
    (tmp_path / "ca.pem").write_text("operator's")
    settings = SETTINGS.replace('8200"}', f'8200", caCert: {tmp_path}/ca.pem}}')
    case = Case(tmp_path, **{"reconciler.yaml": settings})
    assert told(case.propose()) == []
    assert (
        len(told(case.propose(**{"evil.pem": "", "reconciler.yaml": settings.replace(f"{tmp_path}/", "evil/../")})))
        == 1
    )


@pytest.mark.parametrize(
    "changed", [endpoint_map(path="/elsewhere"), endpoint_map(secret="a"), endpoint_map().replace("POST", "PUT")]
)
def test_an_endpoint_map_is_the_revisions(case: Case, changed: str) -> None:
    """Where a request goes, what it is, and what is taken for the secret: nothing of it comes from a proposal."""
    before = case.estate
    found = case.propose(**{"map.yaml": changed, "cbc2.yaml": cloud("cbc2")})
    assert told(found)[0] == 'finding: endpoint map "console" differs from main: the one of main is used'
    assert len([line for line in told(found) if "endpoint map" in line]) == 1
    for name in ("cbc", "cbc2"):
        assert one_tenant(found, name).endpoint_map == one_tenant(before, "cbc").endpoint_map
    assert found.digest != case.estate.digest


def test_a_map_that_the_revision_does_not_have_is_not_used(case: Case) -> None:
    """Nor is one that a tenant is led to instead of its own."""
    found = case.propose(**{"new.yaml": endpoint_map("evil", path="/evil"), "cbc.yaml": cloud(named="evil")})
    assert told(found) == [
        'finding: endpoint map "evil" is not in main: it is not used',
        'finding: options of tenant "cbc" differ from main (see the manifest): used as it is here',
    ]
    assert one_tenant(found, "cbc").endpoint_map is None


def test_a_map_that_nobody_used_yet_is_trusted(tmp_path: Path) -> None:
    """So a map is reviewed first, and a tenant may name it next."""
    case = Case(tmp_path, **{"more.yaml": endpoint_map("more", path="/more")})
    found = case.propose(**{"cbc.yaml": cloud(named="more")})
    assert one_tenant(found, "cbc").endpoint_map == one_tenant(case.estate, "cbc").endpoint_map
    assert [one.subject for one in found.differences] == ["Tenant/cbc"]
    assert found.digest == case.estate.digest


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            "vendor.example.com", "evil.example.net",
            ('endpoint of tenant "dsm" differs from main (https://evil.example.net/api here, '
            "https://vendor.example.com/api at main)"),
        ),
        (
            "{vault: {path: reconciler-credentials/dsm}}", "{env: {secretKey: EVIL}}",
            'credential of tenant "dsm" differs from main (in EVIL here, secret/reconciler-credentials/dsm at main)',
        ),
        (
            "{vault: {path: reconciler-credentials/dsm}}", "{plan: {vault: {path: a}}, apply: {vault: {path: b}}}",
            ('credential of tenant "dsm" differs from main (secret/a and secret/b here, '
            "secret/reconciler-credentials/dsm at main)"),
        ),
        (
            "  provider:", '  secrets: {path: "x/{tenant}/{key}"}\n  provider:',
            ('place of secrets of tenant "dsm" differs from main (secret/x/{tenant}/{key} here, '
            "secret/security-keys/{tenant}/{key} at main)"),
        ),
    ],
)  # fmt: skip
def test_a_tenant_elsewhere_is_told(case: Case, old: str, new: str, line: str) -> None:
    """And used: the endpoint stored beside the credential binds it."""
    found = case.propose(**{"dsm.yaml": GOOD["dsm.yaml"].replace(old, new)})
    assert told(found) == [f"finding: {line}: used as it is here"]
    assert found.tenants == case.proposed.tenants
    assert found.digest == case.estate.digest


def test_a_new_tenant_is_told(case: Case) -> None:
    """With where its credential would go."""
    found = case.propose(**{"new.yaml": tenant("new", PROVIDER)})
    assert told(found) == [
        (
            'finding: tenant "new" is not in main: it is at https://vendor.example.com/api, with the credential '
            "secret/reconciler-credentials/new"
        )
    ]


def test_credentials_from_the_environment_are_vouched_for_by_the_revision(tmp_path: Path) -> None:
    """Only with the endpoint and the variable that it names."""
    own = tenant("env", PROVIDER).replace("{vault: {path: reconciler-credentials/env}}", "{env: {secretKey: DSM}}")
    case = Case(tmp_path, **{"env.yaml": own})
    assert case.propose().unvouched == ()
    assert case.propose(**{"env.yaml": own.replace("vendor.", "evil.")}).unvouched == ("env",)
    assert case.propose(**{"env.yaml": own.replace("DSM", "CI_TOKEN")}).unvouched == ("env",)
    more = own.replace("name: env", "name: more")
    assert case.propose(**{"env.yaml": own, "more.yaml": more}).unvouched == ("more",)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("dsm.yaml", "  provider:", '  secrets: {path: "reconciler/{tenant}/{key}"}\n  provider:'),
        ("dsm.yaml", "reconciler-credentials/dsm", "reconciler/5b0c1f0e/dsm"),
    ],
)
def test_no_secret_lies_among_the_state_documents_of_the_revision(case: Case, name: str, old: str, new: str) -> None:
    """A proposal that moves the state would make room for it there."""
    moved = SETTINGS.replace('8200"}', '8200", state: {mount: secret, path: moved}}')
    with pytest.raises(InvalidInput, match="lies under the state documents of the trusted revision"):
        case.propose(**{"reconciler.yaml": moved, name: GOOD[name].replace(old, new)})


def test_moving_the_state_is_told_and_no_more(case: Case) -> None:
    """Where nothing lies under the revision's, the plan goes on; also with credentials in the environment."""
    moved = SETTINGS.replace('8200"}', '8200", state: {mount: secret, path: moved}}')
    own = GOOD["dsm.yaml"].replace("{vault: {path: reconciler-credentials/dsm}}", "{env: {secretKey: DSM}}")
    found = case.propose(**{"reconciler.yaml": moved, "dsm.yaml": own})
    assert [one.subject for one in found.differences] == ["vault.state", "Tenant/dsm"]


def test_settings_alone_leave_tenants_as_they_are(case: Case) -> None:
    """In an emergency the state says where the tenant is."""
    estate = case.estate
    trusted = read_trusted(case.repository.folder, "main", case.path / "scratch", manifests=False)
    found = judge(estate, trusted, ca_cert=b"")
    assert (found.tenants, told(found), found.unvouched) == (estate.tenants, [], ())


@given(text=st.text(max_size=30))
def test_a_line_cannot_steer_a_terminal(text: str) -> None:
    """Whatever a proposal says."""
    assert str(Difference("id", text)).isprintable() or any(c.isspace() for c in text)


def test_what_a_revision_says_holds_no_file_of_the_working_tree(case: Case) -> None:
    """`judge` never asks the working tree what the revision should say: an untracked map is no trusted one."""
    (case.repository.folder / "new.yaml").write_text(endpoint_map("evil"))
    trusted: Trusted = read_trusted(case.repository.folder, "main", case.path / "scratch")
    assert set(trusted.maps or {}) == {"console"}


@pytest.mark.parametrize(
    ("subject", "rule"),
    [
        ("vault.address", "trust/settings"), ("limits", "trust/settings"), ("Tenant/dsm", "trust/tenant"),
        ("EndpointMap/console", "trust/endpoint-map"), ("Policy/owner", "trust/policy"), ("Waiver/dsm/w", "trust/waiver"),
    ],
)  # fmt: skip
def test_differences_have_names_that_do_not_change(subject: str, rule: str) -> None:
    """What a script can go by, whatever the words are."""
    assert Difference(subject, "words").rule == rule
