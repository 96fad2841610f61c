"""Findings and results as JUnit XML, which most CI systems show as tests: a suite for each tenant, a case for each thing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from xml.etree import ElementTree as ET

from reconciler.apply.result import Status, TenantResult
from reconciler.errors import printable
from reconciler.model.finding import Finding
from reconciler.plan.run import Unreadable
from reconciler.report.words import level

_NOT_IN_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class End(StrEnum):
    """How a case ended, as JUnit's elements are called."""

    PASSED = "passed"
    FAILURE = "failure"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that was looked at or done. `suite` is its tenant, `text` what there is to say about it."""

    suite: str
    name: str
    end: End = End.PASSED
    text: str = ""
    file: str = ""
    line: int = 0


def is_error(one: Finding) -> bool:
    """What fails unless a command says otherwise: what stops a run, and what is high or worse."""
    return level(one) == "error"


def junit(
    name: str, findings: Sequence[Finding], checked: Sequence[str], fails: Callable[[Finding], bool] = is_error
) -> str:
    """A case for each finding, and a passed one for each of `checked` (tenants, mostly) about which there is none."""
    told = {one.tenant for one in findings}
    cases = [_case(one, name, fails) for one in findings]
    return suites(name, [*cases, *(Case(one, name) for one in checked if one not in told)])


def _case(one: Finding, name: str, fails: Callable[[Finding], bool]) -> Case:
    about = str(one.object) if one.object else one.tenant or name
    hint = f"\n{one.hint}" if one.hint else ""
    source = one.source
    return Case(
        one.tenant or name,
        f"{about}: {one.rule}",
        End.FAILURE if fails(one) else End.PASSED,
        one.message + hint,
        source.file if source else "",
        source.line if source else 0,
    )


def of_results(outcome: Iterable[TenantResult], left_out: Iterable[Unreadable]) -> Iterator[Case]:
    """A case for each action of an apply, and one for each tenant that was stopped, left out, or had nothing to do."""
    for item in left_out:
        yield Case(item.tenant.name, item.tenant.name, End.ERROR, str(item.error))
    for tenant in outcome:
        name = tenant.plan.tenant
        for result in tenant.results:
            end = {Status.FAILED: End.FAILURE, Status.DONE: End.PASSED}.get(result.status, End.SKIPPED)
            yield Case(name, f"{result.action.object}: {result.action.kind}", end, result.detail)
        for blocked in tenant.plan.blocked:
            yield Case(name, f"{blocked.object}: blocked", End.FAILURE, f"{blocked.reason}\n{blocked.hint}".rstrip())
        if tenant.error is not None:
            yield Case(name, name, End.ERROR, str(tenant.error))
        elif not tenant.results:
            yield Case(name, name)


def suites(name: str, cases: Iterable[Case]) -> str:
    """The XML of some cases, by their suites."""
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.suite, []).append(case)
    root = ET.Element("testsuites", {"name": name, **_counted([one for group in groups.values() for one in group])})
    for suite, group in sorted(groups.items()):
        element = ET.SubElement(root, "testsuite", {"name": _text(suite), **_counted(group)})
        for case in group:
            _add(element, case)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True)


def _counted(cases: Sequence[Case]) -> dict[str, str]:
    ends = [case.end for case in cases]
    return {
        "tests": str(len(cases)),
        "failures": str(ends.count(End.FAILURE)),
        "errors": str(ends.count(End.ERROR)),
        "skipped": str(ends.count(End.SKIPPED)),
    }


def _add(suite: ET.Element, case: Case) -> None:
    place = {"file": _text(case.file), "line": str(case.line)} if case.file else {}
    element = ET.SubElement(suite, "testcase", {"classname": _text(case.suite), "name": _text(case.name), **place})
    text = _text(case.text)
    if case.end is End.PASSED:
        if text:
            ET.SubElement(element, "system-out").text = text
        return
    first = text.partition("\n")[0]
    child = ET.SubElement(element, str(case.end), {"message": first})
    child.text = text


def _text(text: str) -> str:
    lines = (printable(line) for line in text.split("\n"))
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", "\n".join(lines))
