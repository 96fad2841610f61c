"""docs/ci.md: its roles, taken from the page and set up on a real server, with the tokens that GitHub and GitLab sign."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from reconciler.emulator.openbao import OpenBaoServer
from reconciler.errors import AuthenticationFailed, Rejected
from reconciler.model.desired import CredentialRef, VaultPath
from reconciler.model.estate import JwtAuth, VaultConfig
from reconciler.vault import SecretStore, StateStore, TenantLease, Vault, read_credential
from tests.support.ci import Documented
from tests.support.oidc import Issuer, github, gitlab
from tests.support.openbao import ESTATE, empty_state

ENDPOINT = "https://workload.us-1.cloudone.trendmicro.com/api"
KEY = VaultPath("secret", "security-keys/dsm-prod/splunk")


class Ready:
    """A server that was set up by the pages' own commands, and an issuer in the place of each CI system."""

    def __init__(self, server: OpenBaoServer, issuers: dict[str, Issuer]) -> None:
        self.server = server
        self.issuers = issuers

    def log_in(self, mount: str, identity: str, claims: dict[str, Any], **signed: Any) -> Vault:
        """Log in as the reconciler does it."""
        auth = {f"auth_{identity}": JwtAuth(f"reconciler-{identity}", mount=mount)}
        config = VaultConfig(address=self.server.address, **auth)  # type: ignore[arg-type]
        token = self.issuers[mount].sign(claims, **signed)
        return Vault.connect(config, identity=identity, environ={"VAULT_JWT": token})  # type: ignore[arg-type]

    def policies(self, mount: str, identity: str, claims: dict[str, Any]) -> set[str]:
        """The policies of the token that a login gives."""
        body = {"role": f"reconciler-{identity}", "jwt": self.issuers[mount].sign(claims)}
        return set(self.server.request("POST", f"auth/{mount}/login", body)["auth"]["token_policies"])


@pytest.fixture(scope="module")
def ready(documented_ci: Documented) -> Ready:
    documented_ci.server.request("POST", f"secret/data/{KEY.path}", {"data": {"secretKey": "issued"}})
    return Ready(documented_ci.server, documented_ci.issuers)


APPLY = github("push", "apply", "production")
GITLAB_APPLY = gitlab("push", "main", "production")


@pytest.mark.parametrize(
    ("mount", "claims"),
    [
        pytest.param("jwt", github(), id="github-pull-request"),
        pytest.param("jwt", github("push", "apply"), id="github-merged"),
        pytest.param("jwt", github("schedule", "drift"), id="github-schedule"),
        pytest.param("jwt", github(sub="repo:acme/access:pull_request"), id="github-older-repository"),
        pytest.param("gitlab", gitlab(), id="gitlab-merge-request"),
        pytest.param("gitlab", gitlab("push", "main"), id="gitlab-merged"),
        pytest.param("gitlab", gitlab("schedule", "main"), id="gitlab-schedule"),
    ],
)
def test_a_job_of_the_repository_may_plan(ready: Ready, mount: str, claims: dict[str, Any]) -> None:
    """Pull requests, merges and schedules of the repository get the planning identity, and no other policy."""
    assert ready.policies(mount, "plan", claims) == {"default", "reconciler-plan"}
    with ready.log_in(mount, "plan", claims) as vault:
        assert SecretStore(vault).metadata(KEY).live


@pytest.mark.parametrize(("mount", "claims"), [("jwt", APPLY), ("gitlab", GITLAB_APPLY)], ids=["github", "gitlab"])
def test_the_environment_of_the_default_branch_may_apply(ready: Ready, mount: str, claims: dict[str, Any]) -> None:
    """What was merged gets the applying identity in its environment, and can do with it what an apply has to."""
    assert ready.policies(mount, "apply", claims) == {"default", "reconciler-apply"}
    with ready.log_in(mount, "apply", claims) as vault:
        SecretStore(vault).preflight([KEY])
        states = StateStore(vault, VaultPath("secret", "reconciler"), ESTATE)
        state = empty_state(f"by-{mount}")
        with TenantLease.acquire(states, state, run="r", holder="h", ttl=60, call_timeout=5) as lease:
            lease.commit(lambda document: document)


OURS = "acme/access/.github/workflows/"
FORK = {
    "repository": "mallory/access",
    "repository_id": "666",
    "repository_owner": "mallory",
    "repository_owner_id": "66",
}
NEVER = [
    ("repository", {"repository": "acme/other", "repository_id": "456790"}),
    ("name-taken-over", {"repository_id": "456790"}),
    ("fork-at-home", FORK),
    ("pull-request-target", {"event_name": "pull_request_target"}),
    ("issue-comment", {"event_name": "issue_comment"}),
    ("own-workflow", {"job_workflow_ref": f"{OURS}review.yml@refs/pull/7/merge"}),
    ("other-commit", {"job_workflow_ref": "acme/access-reconciler/.github/workflows/reconcile-plan.yml@" + "1" * 40}),
    (
        "branch-of-ours",
        {"job_workflow_ref": "acme/access-reconciler/.github/workflows/reconcile-apply.yml@refs/heads/main"},
    ),
    ("audience", {"aud": "https://elsewhere.example.com"}),
    ("default-audience", {"aud": "https://github.com/acme"}),
    ("issuer", {"iss": "https://ci.evil.example"}),
]
GITLAB_NEVER = [
    ("project", {"project_path": "acme/other", "project_id": "4712"}),
    ("name-taken-over", {"project_id": "4712"}),
    # Since 18.2.2 the project's claims of a fork's merge request are the fork's, wherever its pipeline runs.
    ("fork", {"project_path": "mallory/access", "project_id": "666"}),
    ("trigger", {"pipeline_source": "trigger"}),
    ("audience", {"aud": "https://gitlab.com"}),
    ("issuer", {"iss": "https://gitlab.evil.example"}),
]
REFUSED = [
    *[("jwt", "plan", case, {**github(), **wrong}) for case, wrong in NEVER],
    *[("jwt", "apply", case, {**APPLY, **wrong}) for case, wrong in NEVER],
    ("jwt", "apply", "pull-request", github()),
    ("jwt", "apply", "pull-request-in-the-environment", github("pull_request", "apply", "production")),
    ("jwt", "apply", "branch", {**APPLY, "ref": "refs/heads/topic"}),
    ("jwt", "apply", "tag", {**APPLY, "ref": "refs/tags/main", "ref_type": "tag"}),
    ("jwt", "apply", "environment", github("push", "apply", "staging")),
    ("jwt", "apply", "no-environment", github("push", "apply")),
    ("jwt", "apply", "schedule", {**APPLY, "event_name": "schedule"}),
    ("jwt", "apply", "plan-workflow", {**APPLY, "job_workflow_ref": github()["job_workflow_ref"]}),
    *[("gitlab", "plan", case, {**gitlab(), **wrong}) for case, wrong in GITLAB_NEVER],
    *[("gitlab", "apply", case, {**GITLAB_APPLY, **wrong}) for case, wrong in GITLAB_NEVER],
    ("gitlab", "apply", "merge-request", gitlab()),
    ("gitlab", "apply", "merge-request-of-main", gitlab("merge_request_event", "main", "production")),
    ("gitlab", "apply", "branch", gitlab("push", "topic", "production")),
    ("gitlab", "apply", "tag", {**GITLAB_APPLY, "ref_type": "tag"}),
    ("gitlab", "apply", "unprotected", {**GITLAB_APPLY, "ref_protected": "false"}),
    ("gitlab", "apply", "environment", gitlab("push", "main", "staging")),
    ("gitlab", "apply", "no-environment", gitlab("push", "main")),
    ("gitlab", "apply", "schedule", gitlab("schedule", "main", "production")),
]


@pytest.mark.parametrize(
    ("mount", "identity", "claims"),
    [
        pytest.param(mount, identity, claims, id=f"{mount}-{identity}-{case}")
        for mount, identity, case, claims in REFUSED
    ],
)
def test_every_other_job_is_refused(ready: Ready, mount: str, identity: str, claims: dict[str, Any]) -> None:
    """Another repository, fork, branch, environment, event, workflow, audience or issuer is refused, and told."""
    with pytest.raises(AuthenticationFailed, match=f"Vault refused the login of the {identity} identity: ") as caught:
        ready.log_in(mount, identity, claims)
    assert "eyJ" not in str(caught.value)  # how every token begins


@pytest.mark.parametrize(("mount", "claims"), [("jwt", APPLY), ("gitlab", GITLAB_APPLY)], ids=["github", "gitlab"])
def test_an_old_or_forged_token_is_refused(ready: Ready, mount: str, claims: dict[str, Any]) -> None:
    """The right claims do not help a token that is over, or that somebody else has signed under the same key id."""
    with pytest.raises(AuthenticationFailed, match="expired"):
        ready.log_in(mount, "apply", claims, age=3600)
    with pytest.raises(AuthenticationFailed, match="signature"):
        ready.log_in(mount, "apply", claims, key=rsa.generate_private_key(65537, 2048))


@pytest.mark.promise(6)
@pytest.mark.parametrize(("mount", "claims"), [("jwt", github()), ("gitlab", gitlab())], ids=["github", "gitlab"])
def test_promise_6_the_planning_job_can_write_nothing(ready: Ready, mount: str, claims: dict[str, Any]) -> None:
    """With the token of a pull request's job nothing in Vault can be written, and no secret but its own credential read."""
    body = {"role": "reconciler-plan", "jwt": ready.issuers[mount].sign(claims)}
    token = ready.server.request("POST", f"auth/{mount}/login", body)["auth"]["client_token"]
    document = {"data": {"secretKey": "mine"}}
    state = f"secret/data/reconciler/{ESTATE}/dsm-prod"
    attempts = [
        ("POST", f"secret/data/{KEY.path}", document),
        ("POST", f"secret/metadata/{KEY.path}", {"custom_metadata": {"owner": "mallory"}}),
        ("PATCH", f"secret/data/{KEY.path}", document),
        ("POST", f"secret/delete/{KEY.path}", {"versions": [1]}),
        ("POST", f"secret/undelete/{KEY.path}", {"versions": [1]}),
        ("POST", f"secret/destroy/{KEY.path}", {"versions": [1]}),
        ("DELETE", f"secret/metadata/{KEY.path}", None),
        ("POST", state, document),
        ("POST", "secret/data/reconciler-credentials/dsm-prod/plan", document),
        ("GET", f"secret/data/{KEY.path}", None),
        ("GET", f"secret/subkeys/{KEY.path}", None),
        ("GET", "secret/data/reconciler-credentials/dsm-prod/apply", None),
        ("PUT", "sys/policies/acl/reconciler-plan", {"policy": 'path "*" { capabilities = ["sudo"] }'}),
        ("POST", "auth/token/create", {"policies": ["reconciler-apply"]}),
        ("POST", f"auth/{mount}/role/reconciler-plan", {"token_policies": ["root"]}),
    ]
    for method, path, content in attempts:
        with pytest.raises(Rejected, match="HTTP 403"):
            ready.server.request(method, path, content, token=token)
    with ready.log_in(mount, "plan", claims) as vault:
        own = CredentialRef(vault=VaultPath("secret", "reconciler-credentials/dsm-prod/plan"))
        assert read_credential(vault, own, endpoint=ENDPOINT, environ={}).fields.keys() == {"secretKey"}
