"""Every way in which Vault says no, and what it becomes."""

from __future__ import annotations

import pytest
import requests

from reconciler import errors
from reconciler.vault.failures import Call, Server, like_vault, refused, stranger, unreachable

READ = Call("GET", "secret/data/x", "plan", "read")
WRITE = Call("POST", "secret/data/x", "apply", "update")
SERVER = Server("https://v", "VAULT_ADDR in the environment")
LOGIN = Call("POST", "auth/jwt/login", "plan", "update", login=True)
CAS = "check-and-set parameter did not match the current version"


@pytest.mark.parametrize(
    ("status", "said", "call", "kind"),
    [
        (400, CAS, WRITE, errors.Conflict),
        (400, "bad", WRITE, errors.Rejected),
        (400, "Upgrading from non-versioned to versioned data. This backend will be", WRITE, errors.RetryLater),
        (400, "claim", LOGIN, errors.AuthenticationFailed),
        (403, "permission denied", LOGIN, errors.AuthenticationFailed),
        (404, "no handler", LOGIN, errors.AuthenticationFailed),
        (401, "", READ, errors.AuthenticationFailed),
        (403, "permission denied", READ, errors.NotPermitted),
        (404, "no handler for route", READ, errors.NotFound),
        (405, "unsupported operation", WRITE, errors.Rejected),
        (412, "required index state not present", READ, errors.RetryLater),
        (413, "too large", WRITE, errors.Rejected),
        (429, "quota", WRITE, errors.RateLimited),
        (500, "boom", READ, errors.RetryLater),
        (500, "boom", WRITE, errors.OutcomeUnknown),
        (501, "", WRITE, errors.RetryLater),
        (502, "", WRITE, errors.OutcomeUnknown),
        (503, "Vault is sealed", WRITE, errors.RetryLater),
        (503, "local node not active but active cluster node not found", WRITE, errors.RetryLater),
        (503, "upstream connect error", WRITE, errors.OutcomeUnknown),
        (503, "", READ, errors.RetryLater),
        (307, "", READ, errors.ContractBroken),
    ],
)
def test_a_status_becomes_what_the_caller_can_do(
    status: int, said: str, call: Call, kind: type[errors.ReconcilerError]
) -> None:
    """Exactly this class of error, and it names the path."""
    found = refused(status, [said] if said else [], call, SERVER)
    assert type(found) is kind
    assert call.path in str(found)


def test_vaults_words_are_cut_and_can_be_left_out() -> None:
    """Foreign text is short and printable, and absent where the request carried a secret."""
    long = "x" * 5000 + "\x1b[31m"
    assert len(str(refused(400, [long], WRITE, SERVER))) < 400
    assert "\x1b" not in str(refused(400, ["\x1b[31mred"], WRITE, SERVER))
    assert "echo" not in str(refused(400, ["echo"], Call("POST", "p", "apply", "update", quotable=False), SERVER))


@pytest.mark.parametrize(
    ("problem", "read", "write"),
    [
        (requests.exceptions.ConnectTimeout(), errors.RetryLater, errors.RetryLater),
        (requests.exceptions.ProxyError(), errors.RetryLater, errors.RetryLater),
        (requests.exceptions.ReadTimeout(), errors.RetryLater, errors.OutcomeUnknown),
        (requests.exceptions.ConnectionError("reset"), errors.RetryLater, errors.OutcomeUnknown),
        (requests.exceptions.ChunkedEncodingError(), errors.RetryLater, errors.OutcomeUnknown),
        (requests.exceptions.SSLError("EOF"), errors.RetryLater, errors.OutcomeUnknown),
        (requests.exceptions.SSLError("CERTIFICATE_VERIFY_FAILED"), errors.InvalidInput, errors.InvalidInput),
        (requests.exceptions.SSLError("[SSL: WRONG_VERSION_NUMBER]"), errors.InvalidInput, errors.InvalidInput),
        (requests.exceptions.InvalidHeader("s.token"), errors.InvalidInput, errors.InvalidInput),
    ],
)
def test_no_answer_becomes_what_the_caller_can_do(
    problem: requests.RequestException, read: type[errors.ReconcilerError], write: type[errors.ReconcilerError]
) -> None:
    """A read that got no answer can be repeated; a write may have acted unless it was never sent."""
    assert type(unreachable(problem, READ, SERVER)) is read
    found = unreachable(problem, WRITE, SERVER)
    assert type(found) is write
    assert "s.token" not in str(found)


@pytest.mark.parametrize(
    ("status", "call", "kind"),
    [
        (200, READ, errors.ContractBroken),
        (200, LOGIN, errors.ContractBroken),
        (200, WRITE, errors.OutcomeUnknown),
        (404, READ, errors.ContractBroken),
        (403, WRITE, errors.Rejected),
    ],
)
def test_a_strangers_answer_names_who_gave_the_address(
    status: int, call: Call, kind: type[errors.ReconcilerError]
) -> None:
    """A write that a stranger took may have acted somewhere; one that was refused, and a login, have not."""
    found = stranger(status, call, SERVER)
    assert type(found) is kind
    assert found.what == f"this does not answer like Vault or OpenBao (HTTP {status})"
    assert "https://v: it is from VAULT_ADDR in the environment" in found.hint


def test_plain_http_to_a_server_with_tls_is_thought_of() -> None:
    """Go's servers answer such a request with 400 and a text."""
    assert stranger(400, READ, Server("http://127.0.0.1:8200")).hint.endswith("; does it want https?")
    assert "https?" not in stranger(400, READ, SERVER).hint


@pytest.mark.parametrize(
    ("status", "content", "call", "like"),
    [
        (200, {"data": {}, "request_id": "x"}, READ, True),
        (200, {"message": "hello"}, READ, False),
        (200, {"message": "hello"}, Call("GET", "sys/health", "plan", "read"), True),
        (200, {}, LOGIN, True),
        (200, None, LOGIN, False),
        (404, {"errors": []}, READ, True),
        (404, {"error": "not found"}, READ, False),
        (403, None, READ, False),
        (204, None, WRITE, True),
        (307, None, READ, True),
        (429, None, READ, True),
        (502, None, READ, True),
    ],
)
def test_vaults_answers_are_told_from_others(
    status: int, content: dict[str, object] | None, call: Call, like: bool
) -> None:
    """By the envelope that each of them has; of what is away, or in between, nothing is expected."""
    assert like_vault(status, content, call) is like


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("secret/data/x", "Vault secret/data/x"),
        ("sys/internal/ui/mounts/secret", "Vault mount secret/"),
        ("auth/jwt/login", "Vault auth/jwt/login"),
        ("auth/token/lookup-self", "Vault"),
        ("sys/health", "Vault"),
    ],
)
def test_places_read_for_people(path: str, where: str) -> None:
    """A path stands as policies write it; our own way of asking stays out."""
    assert Call("GET", path, "plan", "read").where == where
