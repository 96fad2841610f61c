"""`python -m benchmarks.policy`: ten rules over 10,000 keys with each CEL library, and the built-in pack as it runs.

Times are of the processor, so that what else a machine does counts little.

The libraries that we did not choose are no dependencies: put them somewhere, and say where.

    python -m pip install --target build/cel cel-python common-expression-language
    python -m benchmarks.policy --path build/cel
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RULES = (
    'key.owner != ""',
    'expires <= now + duration("8760h")',
    'every <= duration("2160h")',
    'size(key.allowedIPs) > 0 && key.allowedIPs.all(n, !n.endsWith("/0"))',
    '!level.permissions.exists(p, p.startsWith("org.liveresponse"))',
    '!level.existing || !(level.name in ["Super Admin", "Full Access"])',
    'level.provider != "cortex-cloud" || key.options.securityLevel == "advanced"',
    'key.name.matches("^[a-z0-9-]+$")',
    '!has(key.labels.env) || key.labels.env != "prod" || key.protect',
    'size(key.description) > 10 || "exempt" in key.annotations',
)
CONFORMANCE: tuple[tuple[str, Any], ...] = (
    ("has(key.owner) && !has(key.nothing)", True),
    ("key.allowedIPs.all(n, n != '') && key.allowedIPs.exists(n, n.startsWith('203.'))", True),
    ("key.allowedIPs.exists_one(n, n.endsWith('/28'))", True),
    ("key.allowedIPs.filter(n, n.endsWith('/28')) == ['203.0.113.0/28']", True),
    ("key.name.contains('ey-') && size(key.name) == 5", True),
    ("'env' in key.labels && key.labels['env'] == 'prod'", True),
    ("timestamp('2026-01-01T00:00:00Z') == now && now.getFullYear() == 2026", True),
    ("expires - now == duration('2400h')", True),
    ("every > duration('1h') && now + every > now", True),
    ("key.nothing == 1 || true", True),
    ("key.protect ? key.options.n == 3 : false", True),
    ("key.nothing == ''", None),  # None: an error
    ("key.options.n / 0 == 1", None),
    ("key.name < 1", None),
    ("now - timestamp('9999-12-31T00:00:00Z') < every", None),
)
HOSTILE = (
    ("20,000 parentheses", "(" * 20_000 + "true" + ")" * 20_000),
    ("20,000 selections", "key" + ".a" * 20_000),
    ("^(a+)+$ on 5,000 letters", "'" + "a" * 5000 + "!'.matches('^(a+)+$')"),
    ("200^4 iterations", "many.all(a, many.all(b, many.all(c, many.all(d, a + b + c + d >= 0))))"),
)
MISTAKES = (
    ("unknown variable", "kye == 1"), ("unknown function", "frob(now)"), ("types", "now == 'x'"), ("syntax", "now =="),
)  # fmt: skip
TIMEOUT = 20.0
LIBRARIES = {
    "cel-expr-python": "cel_expr_python", "common-expression-language": "cel", "cel-python": "celpy",
}  # fmt: skip
Run = Callable[[dict[str, Any]], list[Any]]


def key(number: int) -> dict[str, Any]:
    level = {
        "name": "siem", "existing": False, "provider": "carbon-black-cloud",
        "permissions": [f"org.alerts.p{i}" for i in range(20)],
    }  # fmt: skip
    return {
        "key": {
            "name": f"key-{number}", "owner": "secops@example.com", "description": "ingestion of alerts",
            "labels": {"env": "prod"}, "annotations": {}, "allowedIPs": ["203.0.113.0/28", "198.51.100.0/24"],
            "protect": True, "options": {"securityLevel": "advanced", "n": 3},
        },
        "level": level, "expires": NOW + timedelta(days=100), "every": timedelta(days=90), "now": NOW,
        "many": list(range(200)),
    }  # fmt: skip


# --- one adapter for each library: what it compiles, and how it evaluates (None: an error) --------------------------------


def cel_expr_python(expressions: tuple[str, ...]) -> Run:
    from cel_expr_python import cel

    tree = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
    env = cel.NewEnv(variables={
        "key": tree, "level": tree, "expires": cel.Type.TIMESTAMP, "every": cel.Type.DURATION, "now": cel.Type.TIMESTAMP,
        "many": cel.Type.List(cel.Type.INT),
    })  # fmt: skip
    compiled = [env.compile(one) for one in expressions]

    def run(values: dict[str, Any]) -> list[Any]:
        facts = env.Activation(values)
        found = [one.eval(facts) for one in compiled]
        return [None if one.type() == cel.Type.ERROR else one.plain_value() for one in found]

    return run


def cel(expressions: tuple[str, ...]) -> Run:
    import cel as library

    compiled = [library.compile(one) for one in expressions]

    def one(program: Any, facts: Any) -> Any:
        try:
            return program.execute(facts)
        except Exception:  # noqa: BLE001  whatever it raises
            return None

    def run(values: dict[str, Any]) -> list[Any]:
        facts = library.Context(values)
        return [one(program, facts) for program in compiled]

    return run


def celpy(expressions: tuple[str, ...]) -> Run:
    import celpy as library
    from celpy import celtypes

    env = library.Environment()
    compiled = [env.program(env.compile(one)) for one in expressions]

    def convert(value: Any) -> Any:
        match value:
            case dict():
                return celtypes.MapType({convert(name): convert(one) for name, one in value.items()})
            case list():
                return celtypes.ListType([convert(one) for one in value])
            case datetime():
                return celtypes.TimestampType(value)
            case timedelta():
                return celtypes.DurationType(value)
        return library.adapter.json_to_cel(value)

    def one(program: Any, facts: Any) -> Any:
        try:
            return bool(program.evaluate(facts))
        except library.CELEvalError:
            return None

    def run(values: dict[str, Any]) -> list[Any]:
        facts = {name: convert(value) for name, value in values.items()}
        return [one(program, facts) for program in compiled]

    return run


def resident() -> float:
    """Megabytes, at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def child(name: str, keys: int, task: str) -> dict[str, Any]:
    """One task with one library, in a process of its own."""
    before, start = resident(), time.process_time()
    __import__({"celpy": "celpy.adapter", "cel_expr_python": "cel_expr_python.cel"}.get(name, name))
    imported = time.process_time() - start
    ready: Callable[[tuple[str, ...]], Run] = globals()[name]
    if task.startswith("hostile "):
        return {"value": str(ready((HOSTILE[int(task.split()[1])][1],))(key(0)))[:60]}
    start = time.process_time()
    run = ready(RULES)
    compiled = time.process_time() - start
    found = {"import_ms": imported * 1000, "compile_ms": compiled * 1000}
    start, violated = time.process_time(), 0
    for number in range(keys):
        violated += run(key(number)).count(False)
    spent = time.process_time() - start
    start = time.process_time()
    for number in range(keys):
        key(number)
    spent -= time.process_time() - start
    right = 0
    for expression, expected in CONFORMANCE:
        try:
            right += ready((expression,))(key(0)) == [expected]
        except Exception:  # noqa: BLE001  a library may refuse to compile what has no value
            right += expected is None
    noticed = []
    for what, expression in MISTAKES:
        try:
            ready((expression,))
        except Exception:  # noqa: BLE001  each raises its own
            noticed.append(what)
    return {
        **found, "evaluate_s": spent, "evaluate_us": spent / keys / len(RULES) * 1e6, "violated": violated,
        "memory_mb": resident() - before, "conformance": f"{right} of {len(CONFORMANCE)}", "noticed": noticed,
    }  # fmt: skip


def measured(module: str, keys: int, path: Path | None, task: str) -> dict[str, Any]:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([*([str(path.resolve())] if path else []), str(Path.cwd())]),
    }
    command = [sys.executable, "-m", "benchmarks.policy", "--child", module, "--keys", str(keys), "--task", task]
    try:
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600 if task == "speed" else TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"value": f"no end within {TIMEOUT:.0f} s"}
    if done.returncode < 0:
        return {"value": f"the process died (signal {-done.returncode})"}
    if done.returncode:
        return {"value": "refused: " + done.stderr.strip().splitlines()[-1][:80]}
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def size_of(module: str, path: Path | None) -> float:
    """Megabytes on disk."""
    places = [folder / module for folder in (path, *map(Path, sys.path)) if folder is not None]
    place = next((one for one in places if one.is_dir()), None)
    return sum(one.stat().st_size for one in place.rglob("*") if one.is_file()) / 1e6 if place else 0.0


def pack(keys: int) -> dict[str, Any]:
    """The built-in pack over as many keys, as `plan` runs it."""
    from reconciler.manifest.policies import pack as rules
    from reconciler.model.policy import Policies
    from reconciler.policy.evaluate import judge
    from tests.support.builders import NOW as AT
    from tests.support.builders import desired_key, desired_tenant, rotation

    every = [
        desired_key(f"k{number}", expires=AT + timedelta(days=300), rotation=rotation(90)) for number in range(keys)
    ]
    start = time.process_time()
    found = judge([desired_tenant(every)], Policies(rules()), AT, {})
    return {"rules": len(rules()), "keys": keys, "seconds": time.process_time() - start, "findings": len(found)}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.policy", description=__doc__)
    parser.add_argument("--keys", type=int, default=10_000, help="keys (default: 10,000)")
    parser.add_argument("--path", type=Path, help="folder in which the other libraries are installed")
    parser.add_argument("--out", type=Path, help="file for the JSON (default: standard output)")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--task", default="speed", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(child(given.child, given.keys, given.task)))
        return 0
    figures: dict[str, Any] = {}
    for name, module in LIBRARIES.items():
        print(name, file=sys.stderr)
        slow = module == "celpy"  # a tenth of the keys, or it would take minutes
        figures[name] = measured(module, given.keys // 10 if slow else given.keys, given.path, "speed")
        if "value" in figures[name]:
            figures[name]["value"] = f"not measured: {figures[name]['value']}"
            continue
        figures[name]["size_mb"] = size_of(module, given.path)
        figures[name]["hostile"] = {
            what: measured(module, 1, given.path, f"hostile {number}")["value"]
            for number, (what, _) in enumerate(HOSTILE)
        }
    figures["built-in pack"] = pack(given.keys)
    text = json.dumps(figures, indent=2)
    if given.out is not None:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(text + "\n", encoding="utf-8")
    else:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
