"""What people read of a set-up: signs, wide and narrow terminals, ASCII, many tenants, and no foreign control characters."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from rich.console import Console

from reconciler.doctor.catalogue import CHECKS, CREDENTIAL, LEASE, MOUNTS, REACHABLE, SERVER
from reconciler.doctor.results import Examination, Result, ok, problem, skipped, warning
from reconciler.model.outcome import ExitCode
from reconciler.report import doctor, shapes

EVIL = "\x1b[2J\x1b]0;owned\x07\u202e\r\n[bold red]"


def examination(*results: Result, tenants: int = 1) -> Examination:
    providers = {f"t{number}": "lacework" for number in range(tenants)}
    return Examination(None, "acme", "plan", results, providers)


def shown(found: Examination, width: int = 80, *, terminal: bool = False, encoding: str = "utf-8") -> str:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="backslashreplace", newline="")
    to = Console(
        file=file, width=width, force_terminal=terminal, color_system=None, highlight=False, markup=False, emoji=False
    )
    doctor.show(to, found)
    file.seek(0)
    return file.read()


MISSING = problem(MOUNTS, "there is no such mount", "make it", ["vault secrets enable -path=x kv-v2"])


def test_each_result_is_a_line_with_what_to_do_below() -> None:
    """Groups, signs, aligned names, and commands as they are."""
    found = examination(ok(REACHABLE, "it answers"), MISSING, skipped(CREDENTIAL, "no mount", tenant="t0"))
    assert shown(found) == (
        "Vault\n"
        "  ✔ vault-reachable    it answers\n"
        "  ✘ vault-mounts       there is no such mount\n"
        "    → make it\n"
        "      vault secrets enable -path=x kv-v2\n"
        "t0 (lacework)\n"
        "  - tenant-credential  no mount\n"
        "Doctor: 1 problem (plan identity; 1 ok, 1 skipped)\n"
    )


def test_ascii_where_nothing_else_can_be_shown() -> None:
    """Signs and arrows have their twins."""
    found = shown(examination(ok(REACHABLE, "it answers"), MISSING, warning(SERVER, "old")), encoding="ascii")
    assert [line[:4] for line in found.splitlines()[1:4]] == ["  + ", "  x ", "    "]
    assert "    -> make it" in found
    assert "  ! vault-version" in found
    assert found.isascii()


@pytest.mark.parametrize("width", [30, 40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    """Sentences are wrapped between words, below each other; in a narrow terminal below the name of the check."""
    sentence = "a sentence of many short words that goes on for much longer than the terminal is wide by far"
    found = shown(examination(warning(REACHABLE, sentence, sentence)), width, terminal=True)
    lines = found.splitlines()
    assert max(map(len, lines)) <= width
    told = lines[1 : next(number for number, line in enumerate(lines) if line.startswith("Doctor"))]
    words = " ".join(" ".join(told).replace("→", "").replace("!", "").split()).removeprefix("vault-reachable ")
    assert words == f"{sentence} {sentence}"
    assert (lines[1].strip() == "! vault-reachable") is (width < 72)


def test_many_tenants_of_which_all_is_well_are_one_line_each() -> None:
    """Those with something to say are shown whole."""
    results = [ok(one, "fine", tenant=f"t{number}") for number in range(5) for one in (CREDENTIAL, LEASE)]
    results[3] = skipped(LEASE, "nobody tells", tenant="t1")
    results[5] = warning(LEASE, "held", tenant="t2")
    results[6:8] = [skipped(one, "nobody asked", tenant="t3") for one in (CREDENTIAL, LEASE)]
    found = shown(examination(*results, tenants=5))
    assert found.count("2 checks are well") == 2
    assert "  - 2 skipped\n" in found
    assert "1 checks are well, 1 skipped" in found
    assert "! tenant-lease       held" in found
    whole = shown(examination(*results[:6], tenants=3))
    assert "checks are well" not in whole


def test_foreign_text_cannot_steer_a_terminal() -> None:
    """Control characters are gone from text and JSON alike, wherever they stood."""
    found = examination(problem(REACHABLE, EVIL, EVIL, [EVIL], tenant="", told=EVIL, several=[EVIL]))
    assert not set(EVIL[:10]) & {"\x1b", "\x07", "\u202e"} & set(shown(found))
    text = repr(doctor.data(found))
    assert "\\x1b" not in text
    assert "\\u202e" not in text


@pytest.mark.parametrize(
    ("results", "code", "summary"),
    [
        ([ok(REACHABLE, "")], ExitCode.DONE, "Doctor: all is well (plan identity; 1 ok, 0 skipped)"),
        ([warning(REACHABLE, "")] * 2, ExitCode.DONE, "Doctor: 2 warnings (plan identity; 0 ok, 0 skipped)"),
        (
            [problem(REACHABLE, ""), warning(REACHABLE, "")],
            ExitCode.ERROR,
            "Doctor: 1 problem, 1 warning (plan identity; 0 ok, 0 skipped)",
        ),
    ],
)
def test_only_problems_fail(results: list[Result], code: ExitCode, summary: str) -> None:
    """Warnings are no failure, and nor is what was skipped."""
    found = examination(*results)
    assert (doctor.code(found), doctor.summary(found)) == (code, summary)


def broken() -> Iterator[dict[str, Any]]:
    good = doctor.data(examination(ok(REACHABLE, "it answers")))
    yield {**good, "format": 2}
    yield {**good, "more": 1}
    yield {**good, "results": [{**good["results"][0], "check": "drift/keys"}]}
    yield {**good, "results": [{**good["results"][0], "result": "fine"}]}


@pytest.mark.parametrize("document", list(broken()))
def test_the_schema_refuses_what_is_not_this_format(document: dict[str, Any]) -> None:
    """Another version, another field, another room's name, an unknown result."""
    validator = Draft202012Validator(shapes.schema("doctor", closed=True))
    assert validator.is_valid(doctor.data(examination(ok(REACHABLE, "it answers"))))
    assert not validator.is_valid(document)


def test_every_check_has_a_name_that_the_schema_takes() -> None:
    """Names are those that it describes."""
    schema = shapes.schema("doctor")["$defs"]["CheckData"]["properties"]["check"]
    assert [check.id for check in CHECKS.values() if not Draft202012Validator(schema).is_valid(check.id)] == []
