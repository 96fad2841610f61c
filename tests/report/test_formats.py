"""The formats for other tools: what scripts, code scanning, CI systems and comments get, and the standards for it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator, Draft202012Validator, ValidationError
from markdown_it import MarkdownIt

from reconciler.errors import RetryLater, printable
from reconciler.manifest.problems import InvalidManifests, Problem
from reconciler.model.action import Change
from reconciler.model.desired import Source
from reconciler.model.finding import Finding, Impact, Severity
from reconciler.model.outcome import ExitCode
from reconciler.report import data, shapes
from reconciler.report.junit import Case, End, junit, suites
from reconciler.report.markdown import LIMIT, Section, code, prose, review
from reconciler.report.sarif import FALLBACK, sarif
from tests.report.examples import EXAMPLES, GOLDEN, files
from tests.support import builders as b

SARIF_SCHEMA = json.loads((Path(__file__).parent / "schemas/sarif-2.1.0-rtm.5.json").read_text(encoding="utf-8"))
HOSTILE = (
    "</details><script>x</script> **b** [l](https://evil.example) @everyone #1 | `a` ``b`` <!-- \x1b[2J \u202e &amp; "
    "www.evil.example"
)
TEXTS = st.text(st.characters(codec="utf-8") | st.sampled_from("`|<>@#*_[]()\\~\n\r\x00&!"), max_size=40)


def finding(rule: str = "drift/changed", severity: Severity = Severity.MEDIUM, **more: Any) -> Finding:
    return Finding(rule, severity, more.pop("message", "something differs"), **more)


# -- golden files --------------------------------------------------------------------------------------------------------


def test_golden_files() -> None:
    """What every command gives in every format; `python -m tests.report.examples` writes the files anew."""
    found = {path.name: path.read_text(encoding="utf-8") for path in GOLDEN.iterdir()}
    assert files() == found


@pytest.mark.parametrize("name", EXAMPLES)
def test_json_is_as_its_schema_says(name: str) -> None:
    """Every field is told, and no other one is there."""
    document = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator(shapes.schema(name, closed=True)).validate(document)
    Draft202012Validator(shapes.schema(name)).validate({**document, "later": 1})
    with pytest.raises(ValidationError):
        Draft202012Validator(shapes.schema(name)).validate({**document, "format": 2})


def test_an_error_is_as_its_schema_says() -> None:
    """Manifests that are wrong, and anything else."""
    problem = Problem(Source("a.yaml", 1), "wrong")
    for error in (InvalidManifests([problem]), RetryLater("later", where="x", hint="wait")):
        document = json.loads(json.dumps(data.failure(error, ExitCode.ERROR)))
        Draft202012Validator(shapes.schema("failure", closed=True)).validate(document)


# -- SARIF ---------------------------------------------------------------------------------------------------------------


def results_of(text: str) -> list[dict[str, Any]]:
    document = json.loads(text)
    assert [error.message for error in Draft4Validator(SARIF_SCHEMA).iter_errors(document)] == []
    found: list[dict[str, Any]] = document["runs"][0]["results"]
    return found


@pytest.mark.parametrize("name", EXAMPLES)
def test_sarif_is_valid(name: str) -> None:
    """Against the schema of SARIF 2.1.0."""
    assert results_of((GOLDEN / f"{name}.sarif").read_text(encoding="utf-8"))


def test_the_sarif_schema_would_notice() -> None:
    """A level that does not exist, and a line 0."""
    good = json.loads(sarif([finding()], {}))
    good["runs"][0]["results"][0]["level"] = "fatal"
    good["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = 0
    assert len(list(Draft4Validator(SARIF_SCHEMA).iter_errors(good))) == 2


def test_sarif_places_are_seen_from_the_repository() -> None:
    """A manifest's path is told from the current folder; what has no place is shown at the estate's root file."""
    here = finding(source=Source("a b/keys.yaml", 3, 5))
    above = finding(source=Source("../other.yaml", 1))
    places = [
        one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for one in results_of(sarif([here, above, finding()], {}, "teams/access"))
    ]
    assert places == ["teams/access/a%20b/keys.yaml", "teams/other.yaml", f"teams/access/{FALLBACK}"]


def test_sarif_begins_with_the_worst() -> None:
    """GitHub shows the first 5,000; what stops a run is an error whatever its severity."""
    found = [finding(severity=severity) for severity in Severity] + [finding(severity=Severity.LOW, denies=True)]
    assert [one["level"] for one in results_of(sarif(found, {}))] == [
        "error", "error", "warning", "warning", "error", "note",
    ]  # fmt: skip


def test_sarif_fingerprints_outlive_a_moved_line() -> None:
    """The same thing further down is the same alert; another field of the same object is another one."""

    def prints(one: Finding) -> str:
        text: str = results_of(sarif([one], {}))[0]["partialFingerprints"]["reconciler/v1"]
        return text

    one = finding(tenant="t", object=b.key_id(), source=Source("a.yaml", 1), changes=(Change("owner", 1, 2),))
    assert prints(one) == prints(replace(one, source=Source("b.yaml", 9), message="in other words"))
    assert prints(one) != prints(replace(one, changes=(Change("expires", 1, 2),)))
    assert prints(finding()) != prints(finding(message="another"))


# -- JUnit ---------------------------------------------------------------------------------------------------------------


def test_junit_counts_and_fails_what_a_command_says() -> None:
    """High ones fail unless the command has its own measure; a tenant without findings is a case that passed."""
    found = [finding(severity=Severity.HIGH, tenant="a", object=b.key_id()), finding(severity=Severity.LOW, tenant="a")]
    root = ET.fromstring(junit("drift", found, ["a", "b"]))
    assert root.attrib == {"name": "drift", "tests": "3", "failures": "1", "errors": "0", "skipped": "0"}
    assert [case.get("name") for case in root.iter("testcase")] == [
        "ApiKey/splunk: drift/changed", "a: drift/changed", "drift",
    ]  # fmt: skip
    strict = ET.fromstring(junit("drift", found, [], lambda _: True))
    assert strict.get("failures") == "2"


@settings(deadline=None)
@given(TEXTS)
def test_junit_is_xml_whatever_is_in_it(text: str) -> None:
    """Control characters are no XML; nothing else is lost."""
    root = ET.fromstring(suites("x", [Case(text, text, End.FAILURE, text, "f.yaml", 3), Case("t", "n", text=text)]))
    assert len(list(root.iter("testcase"))) == 2


# -- Markdown ------------------------------------------------------------------------------------------------------------


def html(markdown: str) -> str:
    return str(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown))


def shown_text(markdown: str) -> str:
    """What a reader sees: the rendered page without tags."""
    import html as entities

    return entities.unescape(re.sub(r"<[^>]*>", "", re.sub(r"<!--.*?-->", "", html(markdown))))


@settings(deadline=None)
@given(TEXTS)
def test_code_spans_hold_anything(text: str) -> None:
    """Rendered, a code span is one element with the printable text in it, alone and in a table."""
    for page in (code(text), f"| a | b |\n|---|---|\n| {code(text)} | x |"):
        rendered = html(page)
        assert rendered.count("<code>") == 1
        assert set(re.findall(r"</?(\w+)", rendered)) <= {"p", "code", "table", "thead", "tbody", "tr", "th", "td"}


@settings(deadline=None)
@given(TEXTS)
def test_sentences_hold_anything(text: str) -> None:
    """No element comes of it, and every word of it is still read."""
    rendered = html(f"begin {prose(text)} end")
    assert set(re.findall(r"</?(\w+)", rendered)) <= {"p"}
    assert not re.search(r"[@#](?!<!--)(?=\w)|://|www\.", re.sub(r"&#?\w+;", "", rendered))
    assert "".join(printable(text).split()) in "".join(shown_text(f"begin {prose(text)} end").split())


def test_promise_9_hostile_text_does_not_leave_its_place() -> None:
    """Names and messages end no fold, call nobody, link nowhere and draw no picture."""
    one = finding(message=HOSTILE, hint=HOSTILE, tenant=HOSTILE, source=Source(HOSTILE, 1))
    page = review(HOSTILE, HOSTILE, [one], [Section(HOSTILE, [prose(HOSTILE), code(HOSTILE)])])
    rendered = html(page)
    assert "<script>" not in rendered
    assert "<a " not in rendered
    assert rendered.count("<details>") == rendered.count("</details>") == 1
    assert "\x1b" not in page


def test_findings_are_shown_worst_first_and_many_are_folded() -> None:
    """What stops comes first; the twenty-first is folded."""
    found = [finding(message=f"number {at}") for at in range(30)]
    found.append(finding("guardrail/deletes", Severity.HIGH, message="too many", denies=True, impact=Impact.DESTROYS))
    page = review("t", "s", found)
    assert page.index("too many") < page.index("number 0") < page.index("11 more findings")
    assert page.count("number ") == 30
    assert "[!CAUTION]" in page


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 60), st.lists(st.tuples(TEXTS, st.lists(TEXTS, max_size=30)), max_size=6), st.integers(1500, 6000)
)
def test_a_review_is_never_longer_than_a_comment(count: int, parts: list[tuple[str, list[str]]], limit: int) -> None:
    """Whatever is left out is left out from the end, and said."""
    sections = [Section(heading, [code(line) for line in lines]) for heading, lines in parts]
    page = review("t", "s", [finding(message=f"number {at}") for at in range(count)], sections, limit)
    assert len(page) <= limit
    whole = review("t", "s", [finding(message=f"number {at}") for at in range(count)], sections)
    assert len(whole) <= LIMIT
    assert page == whole or "left out" in page or "more line" in page
    assert html(page).count("<details>") == html(page).count("</details>")
