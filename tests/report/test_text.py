"""What people read: the tree, the table, and that no foreign text steers their terminal."""

from __future__ import annotations

import io
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from reconciler.apply.result import Result, Status, TenantResult
from reconciler.errors import LeaseHeld, RetryLater
from reconciler.model.action import ActionKind, Blocked, Change, Note, Operation, TenantPlan
from reconciler.model.desired import KeyState, Source, VaultPath
from reconciler.model.estate import Limits
from reconciler.plan.run import Planned, PlannedTenant, Unreadable
from reconciler.policy.guardrails import check
from reconciler.report import text, words
from tests.support import builders as b
from tests.support.builders import action, desired_key, desired_tenant, tenant_plan

EVIL = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202e\r\n[bold red]\\[/x]\x00"


def console(width: int = 80, *, terminal: bool = False) -> Console:
    return Console(
        file=io.StringIO(), width=width, force_terminal=terminal, color_system="truecolor" if terminal else None,
        highlight=False, markup=False, emoji=False,
    )  # fmt: skip


def shown(printer: Any, *args: Any, width: int = 80) -> str:
    to = console(width)
    printer(to, *args)
    found: str = to.file.getvalue()  # type: ignore[attr-defined]
    return found


def planned(*plans: TenantPlan, unreadable: tuple[Unreadable, ...] = ()) -> Planned:
    return Planned(tuple(PlannedTenant(None, plan) for plan in plans), unreadable)  # type: ignore[arg-type]


def render(*plans: TenantPlan, width: int = 80) -> str:
    return shown(text.plan, planned(*plans), (), width=width)


# -- the plan ------------------------------------------------------------------------------------------------------------


def test_plan_is_a_tree_with_old_and_new() -> None:
    """One block for each object, a line for each field, then the summary and nothing else."""
    key = desired_key(state=KeyState.LOCKED)
    plan = b.plan(
        desired_tenant([key, desired_key("jira")]), b.settled(key, fields={"state": "active", "locale": "ja-JP"})
    )
    assert render(plan) == (
        "dsm · trend-workload-security · https://dsm.example.com:4119/api\n"
        "├── × ApiKey/splunk lock\n"
        "│   ├── locale  ja-JP → en-US\n"
        "│   └── state   active → locked\n"
        "└── + ApiKey/jira create\n"
        "    ├── accessLevel  read\n"
        "    ├── description  Key jira\n"
        "    ├── locale       en-US\n"
        "    ├── state        active\n"
        "    ├── timeZone     Etc/UTC\n"
        "    └── secret       secret/keys/dsm/jira\n"
        "\n"
        "Plan: 1 to create, 1 to lock (1 tenant)\n"
    )


def test_tenant_in_sync_is_one_line_for_all() -> None:
    """What needs nothing is not listed."""
    plan = b.plan(desired_tenant([desired_key()]), b.settled(desired_key()))
    assert render(plan, replace(plan, tenant="other")) == "Plan: in sync, nothing to do (2 tenants)\n"


def test_blocked_notes_and_unmanaged_are_told() -> None:
    """What stands in the way with its hint and place, what is worth knowing, what is not ours."""
    plan = tenant_plan(
        blocked=(Blocked(b.key_id(), "no level", "make one", Source("a.yaml", 3, 5)), Blocked(b.key_id("bare"), "why")),
        notes=(Note(None, "a lease"), Note(b.key_id(), "a note")),
        unmanaged=tuple(b.found_key(desired_key(f"k{at}"), str(at), marked=None) for at in range(10)),
    )
    lines = render(plan, width=400).splitlines()
    assert lines[1:6] == [
        "├── ! ApiKey/splunk blocked: no level",
        "│   ├── make one",
        "│   └── a.yaml:3:5",
        "├── ! ApiKey/bare blocked: why",
        "├── i a lease",
    ]
    assert lines[6] == "├── i ApiKey/splunk: a note"
    assert lines[7].startswith("└── ? 10 unmanaged: ApiKey/k0 (id 0), ApiKey/k1 (id 1)")
    assert lines[7].endswith("ApiKey/k7 (id 7) and 2 more")
    assert lines[-1] == "Plan: 2 blocked (1 tenant)"


def test_unreadable_tenants_and_findings_are_named() -> None:
    """A tenant that was left out is never silently in sync."""
    error = RetryLater("does not answer", where="https://x", hint="try later")
    deletes = tenant_plan(*(action(ActionKind.DELETE, Operation.DELETE, f"k{at}") for at in range(9)))
    out = shown(
        text.plan, planned(deletes, unreadable=(Unreadable(desired_tenant(), error),)), check([deletes], Limits())
    )
    assert "error dsm: https://x: does not answer (try later)\n" in out
    assert "\nstopped guardrail/deletes: dsm: 9 would be deleted of 10 objects; the limit is 30 % and at most 10" in out
    assert out.endswith("Plan: 9 to delete (2 tenants, 1 of them could not be read)\n")


def long_plan() -> TenantPlan:
    change = Change("permissions." + "x" * 100, "o" * 200, "n" * 200)
    return tenant_plan(
        action(ActionKind.UPDATE, Operation.UPDATE, changes=(change,), reason="r" * 300),
        blocked=(Blocked(b.key_id(), "b" * 300, "h" * 300),), notes=(Note(None, "t" * 300),),
    )  # fmt: skip


@pytest.mark.promise(6)
def test_promise_6_nothing_is_cut_where_there_is_no_terminal() -> None:
    """A log of 80 columns holds every character of every value, each on one line, ready for grep."""
    out = render(long_plan())
    for whole in ("x" * 100, "o" * 200 + " → " + "n" * 200, "r" * 300, "b" * 300, "h" * 300, "t" * 300):
        assert any(whole in line for line in out.splitlines())


@pytest.mark.promise(6)
def test_promise_6_nothing_is_cut_at_a_terminal() -> None:
    """There long values are wrapped, and every character is still there."""
    to = console(terminal=True)
    text.plan(to, planned(long_plan()), ())
    out: str = to.file.getvalue()  # type: ignore[attr-defined]
    assert {letter: count for letter in "onh" if (count := out.count(letter)) < 200} == {}
    assert "…" not in out


def test_wide_characters_stay_whole() -> None:
    """Measured by cells, printed in full."""
    assert "漢字" * 100 in render(tenant_plan(notes=(Note(None, "漢字" * 100),)))


# -- the results ---------------------------------------------------------------------------------------------------------


def done(name: str = "splunk", **more: Any) -> Result:
    return Result(action(name=name), Status.DONE, "", VaultPath("secret", f"keys/dsm/{name}"), 3, **more)


def test_results_say_where_each_secret_is() -> None:
    """Path and version in a table, failures with their reason below, then the count."""
    outcome = TenantResult(
        tenant_plan(blocked=(Blocked(b.key_id("stuck"), "no level"),)),
        (
            done(),
            replace(done("jira"), detail="not verified"),
            Result(action(name="bad"), Status.FAILED, "the vendor said no"),
            Result(action(name="late"), Status.SKIPPED, "not begun"),
        ),
    )
    assert shown(text.results, [outcome]) == (
        "object           action         version  secret\n"
        "dsm\n"
        "  ApiKey/splunk  create         3        secret/keys/dsm/splunk\n"
        "  ApiKey/jira    create         3        secret/keys/dsm/jira\n"
        "  ApiKey/bad     create failed\n"
        "\n"
        "done dsm: ApiKey/jira: not verified\n"
        "failed dsm: ApiKey/bad: the vendor said no\n"
        "skipped dsm: ApiKey/late: not begun\n"
        "blocked dsm: ApiKey/stuck: no level\n"
        "Apply: 2 done, 1 failed, 1 skipped; 2 secrets written to Vault\n"
    )


def skipped(why: str, *names: str) -> tuple[Result, ...]:
    return tuple(Result(action(name=name), Status.SKIPPED, f"not begun: {why}") for name in names)


def test_what_stopped_a_tenant_is_told_once() -> None:
    """One line with the reason and the number of actions, whether the error came before the first action or later."""
    held = TenantResult(tenant_plan(), skipped("dsm: held by ci", *"abc"), LeaseHeld("held by ci", where="dsm"))
    assert shown(text.results, [held]) == "error dsm: 3 actions not begun: held by ci\nApply: 3 skipped\n"
    sealed = RetryLater("Vault is sealed", where="Vault x")
    late = TenantResult(tenant_plan(), (done(), *skipped(str(sealed), "a")), sealed)
    assert "\nerror dsm: 1 action not begun: Vault x: Vault is sealed\nApply: 1 done" in shown(text.results, [late])
    lost = (Result(action(name="a"), Status.FAILED, "lease lost"), *skipped("lease lost", *"bcd"))
    lines = shown(text.results, [TenantResult(tenant_plan(), lost)]).splitlines()
    assert lines[-3:-1] == ["failed dsm: ApiKey/a: lease lost", "skipped dsm: 3 actions not begun"]


def test_what_was_skipped_for_one_reason_is_one_line() -> None:
    """Counted, with the first names; and so are objects that failed alike, with all of them."""
    failed = tuple(Result(action(name=name), Status.FAILED, "no") for name in "yz")
    results = (*failed, *skipped("level failed", *"aabcdefg"))
    lines = shown(text.results, [TenantResult(tenant_plan(), results)]).splitlines()
    assert lines[-3:-1] == [
        "failed dsm: ApiKey/y, ApiKey/z: no",
        "skipped dsm: 8 actions (ApiKey/a, ApiKey/b, ApiKey/c, ApiKey/d, ApiKey/e and 2 more): not begun: level failed",
    ]


def test_tenants_that_cannot_be_read_for_one_reason_are_one_line() -> None:
    """Each is named."""
    items = [Unreadable(desired_tenant(name=name), RetryLater("Vault is sealed")) for name in ("east", "west")]
    items.append(Unreadable(desired_tenant(name="north"), RetryLater("does not answer")))
    assert shown(text.unreadable, items) == "error east, west: Vault is sealed\nerror north: does not answer\n"


def test_deletions_name_the_secret_that_goes_with_them() -> None:
    """Before and after; what failed or only retires deletes no current secret."""
    delete = action(ActionKind.DELETE, Operation.DELETE, record=b.record())
    retire = action(ActionKind.RETIRE, Operation.REMOVE, "jira", record=b.record(previous=b.previous()))
    assert render(tenant_plan(delete, retire)).splitlines()[1:4] == [
        "├── - ApiKey/splunk delete",
        "│   └── secret  secret/keys/dsm/splunk (deleted, with all its versions)",
        "└── - ApiKey/jira retire",
    ]
    results = (Result(delete, Status.DONE), Result(delete, Status.FAILED, "no"), Result(retire, Status.DONE))
    lines = shown(text.results, [TenantResult(tenant_plan(), results)]).splitlines()
    assert [line.split() for line in lines[2:5]] == [
        ["ApiKey/splunk", "delete", "secret/keys/dsm/splunk", "(deleted)"],
        ["ApiKey/splunk", "delete", "failed"],
        ["ApiKey/jira", "retire"],
    ]


@pytest.mark.parametrize(
    ("kind", "operation", "record", "gone"),
    [
        (ActionKind.DELETE, Operation.DELETE, None, []),
        (ActionKind.DELETE, Operation.DELETE, b.level_record(), []),
        (ActionKind.DELETE, Operation.DELETE, b.record(previous=b.previous()), ["secret/keys/dsm/splunk"]),
        (ActionKind.RETIRE, Operation.REMOVE, b.record(previous=b.previous(mount="kv", path="p")), ["kv/p"]),
        (ActionKind.REPAIR, Operation.REMOVE, b.record(previous=b.previous(mount="kv", path="p")), []),
        (ActionKind.UPDATE, Operation.UPDATE, b.record(), []),
    ],
)
def test_secrets_that_are_deleted(kind: ActionKind, operation: Operation, record: Any, gone: list[str]) -> None:
    """Those of the record, and the one at a retiring generation's own path."""
    assert [str(path) for path in words.deleted_secrets(action(kind, operation, record=record))] == gone


# -- what a terminal can show --------------------------------------------------------------------------------------------


def on_screen(printer: Any, *args: Any, width: int = 60) -> list[str]:
    to = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None, markup=False, emoji=False)
    printer(to, *args)
    return to.file.getvalue().splitlines()  # type: ignore[attr-defined,no-any-return]


def test_paths_are_never_folded_at_a_terminal() -> None:
    """A path can be copied: it gets a line of its own, and the terminal breaks it, not we."""
    path = VaultPath("secret", "/".join(["folder"] * 40))
    result = replace(done(), secret=path, detail=f"see {path} for more")
    lines = on_screen(text.results, [TenantResult(tenant_plan(), (result,))])
    assert f"    {path}" in lines
    assert str(path) in lines, "in prose, too"
    delete = action(ActionKind.DELETE, Operation.DELETE, record=b.record(mount="secret", path=path.path))
    assert any(line.endswith(str(path)) for line in on_screen(text.plan, planned(tenant_plan(delete)), ()))


def test_words_are_whole_and_lines_end_with_them() -> None:
    """Prose is wrapped between words, in the tree and below it, and no line ends with a space."""
    said = "because " + " ".join(f"word{number}" for number in range(60))
    plan = tenant_plan(action(reason=said), blocked=(Blocked(b.key_id("x"), said, said),), notes=(Note(None, said),))
    lines = on_screen(text.plan, planned(plan), ())
    lines += on_screen(text.results, [TenantResult(plan, (done(),), RetryLater(said))])
    assert {word for line in lines for word in line.split() if word.startswith("word")} <= set(said.split())
    assert max(map(len, lines)) <= 60
    assert [line for line in lines if line != line.rstrip()] == []
    assert any(line.startswith("│   ") and "word" in line for line in lines), "the tree's guides go on"


def test_ascii_where_nothing_else_can_be_shown() -> None:
    """No question mark, no escape: every symbol of ours has a spelling in ASCII."""
    raw = io.BytesIO()
    to = Console(file=io.TextIOWrapper(raw, encoding="ascii", errors="strict"), width=60, markup=False)
    kinds = tuple(action(kind, Operation.UPDATE, f"k{kind}", changes=(Change("a", "x", "y"),)) for kind in ActionKind)
    text.plan(to, planned(tenant_plan(*kinds)), ())
    to.file.flush()
    out = raw.getvalue().decode("ascii")
    assert "+-- +- ApiKey/kreplace replace" in out
    assert "a  x -> y" in out
    assert "?" not in out


def test_results_of_nothing() -> None:
    """No table, one line; a tenant that was held is named."""
    assert shown(text.results, [TenantResult(tenant_plan())]) == "Apply: nothing to do\n"
    failed = TenantResult(tenant_plan(), (), RetryLater("Vault is sealed"))
    assert shown(text.results, [failed]).endswith("Apply: nothing was done\n")
    held = TenantResult(tenant_plan(), error=LeaseHeld("held by ci", where="dsm"))
    assert shown(text.results, [held]).startswith("error dsm: held by ci\n")


def test_long_paths_are_not_folded_where_there_is_no_terminal() -> None:
    """A path can be copied out of a log."""
    path = VaultPath("secret", "/".join(["folder"] * 40))
    assert str(path) in shown(text.results, [TenantResult(tenant_plan(), (replace(done(), secret=path),))])


# -- foreign text --------------------------------------------------------------------------------------------------------


def harmless(out: str) -> bool:
    """Whether a text has no control or formatting character but the ends of its lines."""
    return all(char == "\n" or unicodedata.category(char)[0] != "C" for char in out)


def test_no_vendor_text_reaches_the_terminal_as_it_is() -> None:
    """Names, values, field names, reasons, hints, files, ids, endpoints: every control character is replaced."""
    evil = b.key_id(EVIL)
    change = Change(f"permissions.{EVIL}", EVIL, (EVIL, None, True))
    item = b.found_key(desired_key(), EVIL, marked=None)
    plan = tenant_plan(
        action(ActionKind.UPDATE, Operation.UPDATE, object=evil, changes=(change,), reason=EVIL),
        blocked=(Blocked(evil, EVIL, EVIL, Source(EVIL, 1)),), notes=(Note(evil, EVIL), Note(None, EVIL)),
        unmanaged=(replace(item, name=EVIL),),
    )  # fmt: skip
    plan = replace(plan, endpoint=EVIL, provider=EVIL)
    error = RetryLater(EVIL, where=EVIL, hint=EVIL)
    out = shown(text.plan, planned(plan, unreadable=(Unreadable(desired_tenant(), error),)), ())
    assert harmless(out)
    assert out.count("[bold red]\\[/x]") >= 15, "markup is text"

    path = VaultPath("secret", EVIL)
    results = (
        Result(action(object=evil), Status.FAILED, EVIL),
        Result(action(object=evil), Status.DONE, EVIL, path, 1),
    )
    assert harmless(shown(text.results, [TenantResult(plan, results, error)]))


def test_foreign_text_through_the_planner_is_harmless() -> None:
    """A key that somebody renamed to an escape sequence, an orphan of such a name, a level likewise."""
    key = desired_key()
    keys = [
        b.found_key(key, fields={"name": EVIL, "description": EVIL}),
        b.found_key(desired_key(EVIL), "7", marked="late"),
    ]
    levels = [b.found_level(), b.found_level(b.desired_level(EVIL), "11", marked=None)]
    plan = b.plan(desired_tenant([key]), b.settled(key, keys=keys, levels=levels))
    out = render(plan)
    assert harmless(out)
    assert "owned" in out


# -- words ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (None, "(none)"), (True, "true"), (False, "false"), ("", '""'), ("x", "x"), (7, "7"), (("b", "a"), "[b, a]"),
        ((), "[]"),
        (datetime(2027, 7, 1, tzinfo=UTC), "2027-06-30 (end of day, UTC)"),
        (datetime(2027, 7, 1, 0, 0, 1, tzinfo=UTC), "2027-07-01 00:00:01 UTC"),
    ],
)  # fmt: skip
def test_values(item: Any, text: str) -> None:
    """As a reviewer reads them."""
    assert words.value(item) == text


def test_midnight_elsewhere_is_no_end_of_day() -> None:
    """Times are shown in UTC."""
    from datetime import timezone

    assert words.moment(datetime(2027, 7, 1, tzinfo=timezone(timedelta(hours=2)))) == "2027-06-30 22:00:00 UTC"


def test_headlines() -> None:
    """Kind, reason, and whether the vendor is not even called."""
    assert words.headline(action(reason="because")) == "create: because"
    assert words.headline(action(ActionKind.UPDATE, Operation.RECORD)) == "update (our record only)"
    assert set(words.SYMBOL) == set(ActionKind)


def test_counting() -> None:
    """By kind in a fixed order, what is blocked last."""
    plan = tenant_plan(
        action(ActionKind.DELETE, Operation.DELETE), action(), action(), blocked=(Blocked(b.key_id(), "x"),)
    )
    assert words.summary([plan]) == "2 to create, 1 to delete, 1 blocked"
    assert [words.plural(count, "secret") for count in (0, 1, 2)] == ["0 secrets", "1 secret", "2 secrets"]
