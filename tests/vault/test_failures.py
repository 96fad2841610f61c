"""Every way in which Vault says no, and what it becomes."""

from __future__ import annotations

import pytest
import requests

from reconciler import errors
from reconciler.vault.failures import Call, garbled, refused, unreachable

READ = Call("GET", "secret/data/x", "plan", "read")
WRITE = Call("POST", "secret/data/x", "apply", "update")
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
    found = refused(status, [said] if said else [], call)
    assert type(found) is kind
    assert call.path in str(found)


def test_vaults_words_are_cut_and_can_be_left_out() -> None:
    """Foreign text is short and printable, and absent where the request carried a secret."""
    long = "x" * 5000 + "\x1b[31m"
    assert len(str(refused(400, [long], WRITE))) < 400
    assert "\x1b" not in str(refused(400, ["\x1b[31mred"], WRITE))
    assert "echo" not in str(refused(400, ["echo"], Call("POST", "p", "apply", "update", quotable=False)))


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
        (requests.exceptions.InvalidHeader("s.token"), errors.InvalidInput, errors.InvalidInput),
    ],
)
def test_no_answer_becomes_what_the_caller_can_do(
    problem: requests.RequestException, read: type[errors.ReconcilerError], write: type[errors.ReconcilerError]
) -> None:
    """A read that got no answer can be repeated; a write may have acted unless it was never sent."""
    assert type(unreachable(problem, READ, "https://v")) is read
    found = unreachable(problem, WRITE, "https://v")
    assert type(found) is write
    assert "s.token" not in str(found)


def test_a_garbled_login_is_no_open_outcome() -> None:
    """A login that answers nonsense broke the contract; a write that does may have acted."""
    assert type(garbled(LOGIN)) is errors.ContractBroken
    assert type(garbled(WRITE)) is errors.OutcomeUnknown
