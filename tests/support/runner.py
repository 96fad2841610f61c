"""A GitHub runner in small: runs the steps of our composite action as its `action.yml` has them, with bash, on this machine.

It knows what that file needs and refuses the rest: the expressions' operators, `always()` and `cancelled()`, step
outputs, job summaries, and workflow commands with their fence. Actions of others are not run; what they were given is kept.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
ACTION: Final = ROOT / ".github/actions/reconcile"
_TOKEN: Final = re.compile(r"\s*('(?:[^']|'')*'|&&|\|\||==|!=|[!()]|[A-Za-z_][\w.-]*)")
_PYTHON: Final = {"&&": " and ", "||": " or ", "!": " not "}
_FUNCTIONS: Final = {"always": "True", "cancelled": "False"}


def evaluate(expression: str, context: Mapping[str, Any]) -> Any:
    """The value of what stands in `${{ … }}`. Names that there are not have the value of an empty text."""
    parts, rest = [], expression.strip()
    while rest:
        found = _TOKEN.match(rest)
        assert found, f"an expression that this runner does not know: {expression}"
        token, rest = found[1], rest[found.end() :].lstrip()
        if token in _FUNCTIONS:
            assert rest.startswith("()"), expression
            parts.append(_FUNCTIONS[token])
            rest = rest[2:]
        elif re.match(r"[A-Za-z_]", token):
            parts.append(repr(_lookup(token, context)))
        else:
            parts.append(_PYTHON.get(token, token))
    return eval("".join(parts), {"__builtins__": {}})


def _lookup(name: str, context: Mapping[str, Any]) -> Any:
    value: Any = context
    for part in name.split("."):
        value = value.get(part, "") if isinstance(value, Mapping) else ""
    return value


def filled(text: Any, context: Mapping[str, Any]) -> str:
    """A text with its expressions replaced by their values."""
    return re.sub(r"\$\{\{(.*?)\}\}", lambda found: str(evaluate(found[1], context)), str(text), flags=re.DOTALL)


def obeyed(output: str) -> list[str]:
    """The workflow commands in an output that a runner obeys: none while they are stopped."""
    found, fence = [], ""
    for line in output.splitlines():
        if fence:
            fence = "" if line == f"::{fence}::" else fence
        elif line.startswith("::stop-commands::"):
            fence = line.removeprefix("::stop-commands::")
        elif line.startswith("::"):
            found.append(line)
    return found


@dataclass
class Used:
    """What became of one use of the action."""

    failed: bool = False
    outputs: dict[str, str] = field(default_factory=dict)
    printed: dict[str, str] = field(default_factory=dict)
    """What each step printed, by its name. A step that did not run is not in it."""
    given: dict[str, dict[str, str]] = field(default_factory=dict)
    """What others' actions were given, by their name."""

    @property
    def output(self) -> str:
        """Everything that was printed."""
        return "\n".join(self.printed.values())


@dataclass
class Job:
    """A job on the runner: a workspace, a folder for what is temporary, an event, and what its steps share."""

    workspace: Path
    temp: Path
    event: dict[str, Any] = field(default_factory=dict)
    event_name: str = "push"
    environ: dict[str, str] = field(default_factory=dict)
    """What the runner and the workflow put into every step's environment."""
    token: str = "the-token-of-the-workflow"

    def __post_init__(self) -> None:
        self.temp.mkdir(parents=True, exist_ok=True)
        self.summary.touch()

    @property
    def summary(self) -> Path:
        """The job summary."""
        return self.temp / "summary.md"

    @property
    def home(self) -> Path:
        """Where the action keeps its own."""
        return self.temp / "reconciler"

    def installed(self, reconciler: Path | None = None) -> None:
        """Have the action find itself installed: this environment's reconciler, or another program in its place."""
        programs = self.home / "venv/bin"
        programs.mkdir(parents=True)
        (programs / "python").symlink_to(sys.executable)
        (programs / "reconciler").symlink_to(reconciler or Path(sys.executable).parent / "reconciler")
        (self.home / "installed").touch()

    def use(self, **inputs: str) -> Used:
        """Run the action's steps in turn, as the runner does: after a failed one only those that say so."""
        document = yaml.safe_load((ACTION / "action.yml").read_text("utf-8"))
        github = {
            "workspace": str(self.workspace),
            "repository": "acme/access",
            "event": self.event,
            "event_name": self.event_name,
            "token": self.token,
        }
        context: dict[str, Any] = {"github": github, "steps": {}}
        names = {name.replace("-", "_"): name for name in document["inputs"]}
        given = {names[name]: value for name, value in inputs.items()}
        context["inputs"] = {
            name: given.get(name, filled(one.get("default", ""), context)) for name, one in document["inputs"].items()
        }
        assert all(name in given for name, one in document["inputs"].items() if one.get("required"))
        used = Used()
        for number, step in enumerate(document["runs"]["steps"]):
            condition = re.sub(r"\$\{\{|\}\}", "", step.get("if", "")).strip()
            wanted = evaluate(condition, context) if condition else True
            if not wanted or (used.failed and not re.search(r"always\(\)|cancelled\(\)", condition)):
                continue
            outputs = self._uses(step, context, used) if "uses" in step else self._runs(step, number, context, used)
            if "id" in step:
                context["steps"][step["id"]] = {"outputs": outputs}
        used.outputs = {name: filled(one["value"], context) for name, one in document["outputs"].items()}
        return used

    def _uses(self, step: dict[str, Any], context: dict[str, Any], used: Used) -> dict[str, str]:
        name = step["uses"].partition("@")[0]
        used.given[name] = {key: filled(value, context) for key, value in step.get("with", {}).items()}
        return {"python-path": sys.executable} if name == "actions/setup-python" else {}

    def _runs(self, step: dict[str, Any], number: int, context: dict[str, Any], used: Used) -> dict[str, str]:
        assert step["shell"] == "bash"
        assert "${{" not in step["run"]
        told = self.temp / f"output-{number}"
        told.write_text("")
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.temp),
            "GITHUB_ACTION_PATH": str(ACTION),
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_OUTPUT": str(told),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "RUNNER_TEMP": str(self.temp),
            **self.environ,
            **{key: filled(value, context) for key, value in step.get("env", {}).items()},
        }
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.workspace, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        used.printed[step["name"]] = done.stdout
        used.failed = used.failed or done.returncode != 0
        return dict(line.split("=", 1) for line in told.read_text().splitlines())
