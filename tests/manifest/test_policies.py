"""Policies and waivers: every mistake has its place, and `reconciler.yaml` says which rules are on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconciler.manifest import load_estate, validate
from reconciler.manifest.format import format_text
from reconciler.manifest.jsonschema import field_order
from reconciler.manifest.policies import PACK, pack, pack_text
from reconciler.model.names import Kind, ObjectId
from reconciler.model.policy import Effect, Rule
from tests.manifest.estates import NOW, SETTINGS, Folder, key, manifest, tenant

DSM = "trend-workload-security"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    made = Folder(tmp_path)
    made.write("t.yaml", tenant("dsm", DSM))
    made.write("k.yaml", key("splunk", "dsm"))
    return made


def policy(*rules: str, name: str = "acme") -> str:
    """A policy whose first rule begins in line 6."""
    return manifest("Policy", name, "rules:", *(f"  - {rule}" for rule in rules))


def rule(id_: str = "named", assertion: str = 'key.owner != ""', **more: str) -> str:
    """A rule in one line: `assert` is a single-quoted text."""
    given = {"severity": "deny", "message": "nobody", **more}
    fields = "".join(f", {name}: {value}" for name, value in given.items())
    return f"{{id: {id_}, assert: '{assertion}'{fields}}}"


def rules(folder: Folder) -> dict[str, Rule]:
    return {one.id: one for one in load_estate(folder.path, now=NOW).policies.rules}


def problems(folder: Folder, file: str = "p.yaml") -> list[str]:
    return [one for one in folder.found() if one.startswith(file)]


@pytest.mark.promise(9)
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            rule(assertion='key.ownr != ""'),
            ("p.yaml:6:27: error: line 1, column 4 of the expression: there is no variable or function key.ownr "
            "(did you mean 'key.owner'?)"),
        ),
        (
            rule(assertion="key.owner =="),
            "p.yaml:6:27: error: line 1, column 13 of the expression: Syntax error",
        ),
        (
            rule(assertion="key.owner"),
            "p.yaml:6:27: error: the expression: the expression gives a string, not a bool (compare it with something)",
        ),
        (
            rule(match="key.protect == 1"),
            "p.yaml:6:86: error: line 1, column 13 of the expression: found no matching overload for '_==_'",
        ),
        (
            rule(message='"{{ key.nme }}"'),
            ("p.yaml:6:71: error: line 1, column 4 of {{ key.nme }}: there is no variable or function key.nme "
            "(did you mean 'key.name'?)"),
        ),
        (
            rule(assertion="params.within < key.rotation.every", params="{with: 90d}"),
            ("p.yaml:6:27: error: line 1, column 7 of the expression: there is no variable or function params.within "
            "(did you mean 'params.with'?)"),
        ),
        (rule(severity="block"), "p.yaml:6:56: error: spec.rules[0].severity must be deny or warn, not 'block'"),
        (rule("Not-a-name"), "p.yaml:6:12: error: spec.rules[0].id is 'Not-a-name', which is no name"),
        (rule(params="{a b: 1}"), "p.yaml:6:79: error: spec.rules[0].params has the name 'a b'"),
        (rule(params="{a: 1.5}"), "p.yaml:6:91: error: spec.rules[0].params.a is 1.5"),
        (rule(params="{a: [1]}"), "p.yaml:6:91: error: spec.rules[0].params.a is a list"),
        (rule("owner"), "p.yaml:6:12: error: there is a rule 'owner' already (it is a built-in rule; give this one"),
        ("{id: a, severity: deny, message: b}", "p.yaml:6:7: error: spec.rules[0].assert is missing"),
    ],
)  # fmt: skip
def test_promise_9_mistakes_in_rules_have_a_place(folder: Folder, given: str, expected: str) -> None:
    """The manifest's line and column of the expression, and line and column in it."""
    folder.write("p.yaml", policy(given))
    [found] = problems(folder)
    assert found.startswith(expected)


def test_every_rule_is_told_of(folder: Folder) -> None:
    """Two rules with a problem are two problems, and one rule may have several."""
    folder.write("p.yaml", policy(rule("a", "x", match="y"), rule("b", "z")))
    assert [one.partition(": error: ")[0] for one in problems(folder)] == ["p.yaml:6:23", "p.yaml:6:68", "p.yaml:7:23"]


def test_ids_and_names_are_unique(folder: Folder) -> None:
    """A rule of the same id, and a policy of the same name, point to the first."""
    folder.write("p.yaml", policy(rule("a")), policy(rule("a"), rule("b")))
    assert problems(folder) == [
        "p.yaml:10:18: error: Policy 'acme' is declared twice (the first is at p.yaml:1:1)",
        "p.yaml:13:12: error: there is a rule 'a' already (the first is at p.yaml:1:1; give this one another id)",
    ]


def test_rules_as_they_are_read(folder: Folder) -> None:
    """Texts are stripped, parameters have types, and a rule is what its manifest says."""
    given = rule(
        "within", "key.expires < now", severity="warn", params='{a: 90d, b: [x, y], c: 3, d: true, e: text, f: ""}'
    )
    folder.write("p.yaml", policy(given))
    [found] = load_estate(folder.path, now=NOW).policies.rules
    assert (found.id, found.assertion, found.effect, found.builtin) == (
        "within",
        "key.expires < now",
        Effect.WARN,
        False,
    )
    assert found.params == {"a": timedelta(days=90), "b": ("x", "y"), "c": 3, "d": True, "e": "text", "f": ""}
    assert str(found.source).endswith("p.yaml:1:1")


def settings(folder: Folder, policy_section: str) -> None:
    folder.write("reconciler.yaml", f"{SETTINGS}  policy: {policy_section}\n")


def test_nothing_is_on_unless_somebody_says_so(folder: Folder) -> None:
    """An estate from before there were policies is not judged."""
    assert not load_estate(folder.path, now=NOW).policies


@pytest.mark.parametrize("mode", ["warn", "deny"])
def test_the_pack_is_switched_on_as_a_whole(folder: Folder, mode: str) -> None:
    """Every built-in rule, with the effect that is asked for."""
    settings(folder, f"{{builtin: {mode}}}")
    found = rules(folder)
    assert sorted(found) == [one.id for one in pack()]
    assert {str(one.effect) for one in found.values()} == {mode}


def test_single_rules_are_changed(folder: Folder) -> None:
    """Off, another effect, other values: of built-in rules and of one's own."""
    section = (
        "{builtin: warn, rules: {owner: {severity: off}, expiry-within: {severity: deny, params: {within: 30d}}, "
        "mine: {severity: warn, params: {n: 7}}}}"
    )
    settings(folder, section)
    folder.write("p.yaml", policy(rule("mine", "level.keys < params.n", params="{n: 3, m: 1}")))
    found = rules(folder)
    assert "owner" not in found
    assert found["expiry-within"].effect is Effect.DENY
    assert found["expiry-within"].params == {"within": timedelta(days=30)}
    assert (found["mine"].effect, found["mine"].params) == (Effect.WARN, {"n": 7, "m": 1})
    assert found["rotation-within"].effect is Effect.WARN


def test_one_built_in_rule_alone(folder: Folder) -> None:
    """With the pack off, a rule that is named with a severity is on."""
    settings(folder, "{rules: {owner: {severity: deny}}}")
    assert {id_: one.effect for id_, one in rules(folder).items()} == {"owner": Effect.DENY}


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("{rules: {ownr: {severity: deny}}}", "7:20: error: there is no rule 'ownr' (did you mean 'owner'?)"),
        ("{rules: {zzz: {severity: deny}}}", "7:20: error: there is no rule 'zzz' ('reconciler explain policy/' lists"),
        (
            "{rules: {unused: {params: {withn: 3d}}}}",
            "7:38: error: the rule 'unused' has no parameter 'withn' (did you mean 'within'?)",
        ),
        ("{rules: {owner: {params: {x: 3}}}}", "7:37: error: the rule 'owner' has no parameter 'x' (it has none)"),
        (
            "{rules: {unused: {params: {within: 3}}}}",
            "7:46: error: the parameter 'within' of the rule 'unused' is a duration, not a whole number",
        ),
        ("{builtin: block}", "7:21: error: spec.policy.builtin must be off, warn or deny, not 'block'"),
    ],
)
def test_mistakes_in_the_settings(folder: Folder, section: str, expected: str) -> None:
    """A rule or a parameter that there is not is said at its place in reconciler.yaml."""
    settings(folder, section)
    [found] = problems(folder, "reconciler.yaml")
    assert found.startswith(f"reconciler.yaml:{expected}")


def test_a_waiver_as_it_is_read(folder: Folder) -> None:
    """Its end is exclusive: a bare date ends with that day in UTC."""
    waiver = manifest(
        "Waiver", "w", "rule: owner", "object: ApiKey/splunk", "reason: ' why '", "approver: ciso@example.com",
        "until: 2031-06-30", tenant="dsm",
    )  # fmt: skip
    folder.write("w.yaml", waiver)
    [found] = load_estate(folder.path, now=NOW).policies.waivers
    assert (found.name, found.rule, found.where) == ("w", "owner", "dsm/ApiKey/splunk")
    assert (found.object, found.reason, found.approver) == (
        ObjectId(Kind.API_KEY, "splunk"), "why", "ciso@example.com",
    )  # fmt: skip
    assert found.until == datetime(2031, 7, 1, tzinfo=UTC)
    folder.write("w.yaml", waiver, waiver)
    assert problems(folder, "w.yaml") == [
        "w.yaml:13:18: error: Waiver 'w' is declared twice in tenant dsm (the first is at w.yaml:1:1)"
    ]


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("object: splunk", "6:11: error: spec.object is 'splunk', which is not KIND/NAME (such as ApiKey/splunk"),
        ("object: Scope/x", "6:11: error: spec.object is 'Scope/x', which is not KIND/NAME"),
        ("until: soon", "6:10: error: spec.until must be a date or a time, not 'soon'"),
        ('reason: ""', "6:11: error: spec.reason is empty"),
        ("approver:", "6:12: error: spec.approver must be a text, not nothing"),
    ],
)
def test_mistakes_in_waivers(folder: Folder, field: str, expected: str) -> None:
    """Each field is checked, and each is required."""
    usual = ["object: ApiKey/splunk", "reason: why", "approver: me", "until: 2031-06-30"]
    others = [one for one in usual if one.partition(":")[0] != field.partition(":")[0]]
    folder.write("w.yaml", manifest("Waiver", "w", "rule: owner", field, *others, tenant="dsm"))
    [found] = problems(folder, "w.yaml")
    assert found.startswith(f"w.yaml:{expected}")


def test_labels_and_annotations_reach_the_keys(folder: Folder) -> None:
    """Equal ones are one mapping, however many keys have them; what no vendor is told of does not change a digest."""
    metadata = "labels: {integration: splunk}, annotations: {ticket: SEC-1}"
    before = folder.digest()
    folder.write("k.yaml", key("splunk", "dsm", metadata=metadata), key("second", "dsm", metadata=metadata))
    first, second = folder.tenant().keys
    assert (first.labels, first.annotations) == ({"integration": "splunk"}, {"ticket": "SEC-1"})
    assert first.labels is second.labels
    folder.write("k.yaml", key("splunk", "dsm"))
    assert folder.digest() == before


def test_the_pack_is_a_manifest_like_any_other(tmp_path: Path) -> None:
    """It is laid out as `fmt` does, and can be copied into an estate under other ids."""
    assert format_text(pack_text(), PACK, field_order) == pack_text()
    made = Folder(tmp_path)
    copied = pack_text().replace("- id: ", "- id: our-")
    (made.path / "p.yaml").write_text(copied, encoding="utf-8")
    assert problems(made) == []
    assert all(one.builtin for one in pack())


def test_a_fork_without_a_root_is_checked_too(tmp_path: Path) -> None:
    """`validate` of a file that belongs to no estate says what is wrong with its expressions."""
    (tmp_path / "p.yaml").write_text(policy(rule(assertion="nope")), encoding="utf-8")
    assert ["there is no variable" in one.what for one in validate(tmp_path / "p.yaml", now=NOW).problems] == [True]
