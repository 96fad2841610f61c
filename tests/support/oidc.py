"""An OpenID Connect issuer on loopback that signs what GitHub Actions and GitLab sign: RS256, keys by discovery.

The claims are those of docs.github.com, "OpenID Connect reference", and docs.gitlab.com, "OpenID Connect (OIDC)
Authentication Using ID Tokens": what they list, for the job that is asked for.
"""

from __future__ import annotations

import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

AUDIENCE: Final = "https://vault.example.com:8200"
REUSABLE: Final = "acme/access-reconciler/.github/workflows/reconcile-{}.yml@" + "0" * 40
REQUEST_TOKEN: Final = "the-token-that-asks-for-tokens"


def _b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _number(value: int) -> str:
    return _b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


@dataclass
class Issuer:
    """Signs tokens. As a server it answers for discovery and keys, and gives out tokens as GitHub's runner does."""

    url: str
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    job: dict[str, Any] = field(default_factory=dict)
    """Claims of the job that asks the server for a token."""
    asked: list[str] = field(default_factory=list)
    """Paths that were asked for, with their queries."""

    def sign(self, claims: dict[str, Any], *, age: float = 0.0, key: rsa.RSAPrivateKey | None = None) -> str:
        """A token made `age` seconds ago for five minutes; with another key it claims to be of ours all the same."""
        now = int(time.time() - age)
        payload = {
            "iss": self.url,
            "aud": AUDIENCE,
            "iat": now,
            "nbf": now - 5,
            "exp": now + 300,
            "jti": str(now),
            **claims,
        }
        parts = [{"alg": "RS256", "typ": "JWT", "kid": "one"}, payload]
        signed = ".".join(_b64(json.dumps(part).encode()) for part in parts)
        return f"{signed}.{_b64((key or self.key).sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def answer(self, path: str, bearer: str) -> tuple[int, dict[str, Any]]:
        """What the server says to a GET."""
        self.asked.append(path)
        asked = urlsplit(path)
        if asked.path == "/.well-known/openid-configuration":
            algorithms = ["RS256"]
            return 200, {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/jwks",
                "id_token_signing_alg_values_supported": algorithms,
            }
        if asked.path == "/jwks":
            public = self.key.public_key().public_numbers()
            one = {
                "kty": "RSA",
                "alg": "RS256",
                "use": "sig",
                "kid": "one",
                "n": _number(public.n),
                "e": _number(public.e),
            }
            return 200, {"keys": [one]}
        if asked.path == "/token" and bearer == f"bearer {REQUEST_TOKEN}":
            return 200, {"value": self.sign({**self.job, "aud": parse_qs(asked.query)["audience"][0]})}
        return 403, {"message": "no"}


@contextmanager
def issuer() -> Iterator[Issuer]:
    """Serve an issuer for the length of a `with` block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, document = made.answer(self.path, self.headers.get("Authorization", ""))
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made = Issuer(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield made
        server.shutdown()
        thread.join()


def github(
    event: str = "pull_request", workflow: str = "plan", environment: str = "", **changes: Any
) -> dict[str, Any]:
    """The claims of a job of `acme/access` that runs one of our reusable workflows."""
    proposal = event == "pull_request"
    ref = "refs/pull/7/merge" if proposal else "refs/heads/main"
    about = f"environment:{environment}" if environment else "pull_request" if proposal else f"ref:{ref}"
    claims = {
        "sub": f"repo:acme@123456/access@456789:{about}",
        "actor": "ada", "actor_id": "12", "base_ref": "main" if proposal else "", "head_ref": "wider" if proposal else "",
        "check_run_id": "51725241954", "event_name": event,
        "job_workflow_ref": REUSABLE.format(workflow), "job_workflow_sha": "0" * 40,
        "ref": ref, "ref_type": "branch", "repository": "acme/access", "repository_id": "456789",
        "repository_owner": "acme", "repository_owner_id": "123456", "repository_visibility": "private",
        "run_attempt": "1", "run_id": "101", "run_number": "10", "runner_environment": "github-hosted",
        "sha": "a" * 40, "workflow": "Review", "workflow_ref": f"acme/access/.github/workflows/review.yml@{ref}",
        "workflow_sha": "a" * 40,
    }  # fmt: skip
    return {**claims, **({"environment": environment} if environment else {}), **changes}


def gitlab(
    source: str = "merge_request_event", ref: str = "wider", environment: str = "", **changes: Any
) -> dict[str, Any]:
    """The claims of a job of `acme/access`."""
    protected = "true" if ref == "main" else "false"
    claims = {
        "sub": f"project_path:acme/access:ref_type:branch:ref:{ref}",
        "namespace_id": "72", "namespace_path": "acme", "project_id": "4711", "project_path": "acme/access",
        "job_project_id": "4711", "job_project_path": "acme/access", "job_namespace_id": "72", "job_namespace_path": "acme",
        "user_id": "12", "user_login": "ada", "user_email": "ada@example.com", "user_access_level": "developer",
        "pipeline_id": "574", "pipeline_source": source, "job_id": "302", "job_source": source,
        "ref": ref, "ref_type": "branch", "ref_path": f"refs/heads/{ref}", "ref_protected": protected,
        "runner_id": 1, "runner_environment": "self-hosted", "sha": "a" * 40,
        "ci_config_ref_uri": f"gitlab.com/acme/access//.gitlab-ci.yml@refs/heads/{ref}", "ci_config_sha": "a" * 40,
        "project_visibility": "private",
    }  # fmt: skip
    about = {
        "environment": environment,
        "environment_protected": "true",
        "deployment_tier": "production",
        "environment_action": "start",
    }
    return {**claims, **(about if environment else {}), **changes}
