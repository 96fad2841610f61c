"""The Common Expression Language: checks and evaluates the expressions of policies. Nothing else imports the library.

It is the vendor-neutral language's own C++ implementation (ADR 0015): statically typed, linear regular expressions, a bound
on nesting and on iterations. What it does not bound is what an expression may build, so that we refuse what builds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from reconciler.errors import foreign
from reconciler.model.policy import MAX_LENGTH, Param, Type, Variable
from reconciler.suggest import did_you_mean

MAX_SUMS: Final = 4
"""How often an expression may say `+`: each one that joins texts makes a longer one, in every step of an iteration."""

_LITERAL: Final = re.compile(r"""[rRbB]{0,2}("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')""")
_MAP: Final = re.compile(r"\.\s*map\s*\(")
_HAS: Final = re.compile(r"\bhas\s*\(\s*([A-Za-z_][\w.]*)\s*\)")
_TOLD: Final = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")
_UNKNOWN: Final = re.compile(r"undeclared reference to '([^']*)'")
_WHERE: Final = re.compile(r" \(in container '\w*'\)")
_STATUS: Final = re.compile(r"^[A-Z_]+: | \[[A-Z_]+\]$")


class Mistake(NamedTuple):
    """Why an expression cannot be compiled: line and column in it, from 1 (0: it is about the whole)."""

    line: int
    column: int
    what: str
    hint: str = ""


class Failure(NamedTuple):
    """Why an expression has no value for these variables."""

    what: str


class Language:
    """Expressions over variables that all have, and over constants that some have of their own.

    `constants` has them by scope, which is any text: a rule's id, with its parameters. An expression names its scope.
    """

    def __init__(
        self, variables: Iterable[Variable], constants: Mapping[str, Mapping[str, Param]] | None = None
    ) -> None:
        self._variables = tuple(variables)
        self._scopes = {scope: f"scope{number}" for number, scope in enumerate(constants or {})}
        self._constants = {scope: dict(values) for scope, values in (constants or {}).items()}
        self._engines: dict[frozenset[str], _Engine] = {}

    def check(self, text: str, scope: str = "", wanted: Type | None = Type.BOOL) -> Mistake | None:
        """What is wrong with an expression that is to have a value of that type (None: of any)."""
        if (refused := self._refused(text)) is not None:
            return refused
        try:
            compiled = self._engine(frozenset()).compile(text, self._scopes.get(scope, ""))
        except RuntimeError as error:
            return self._mistake(str(error), scope)
        found = str(compiled.return_type().name()).lower()
        if wanted is not None and found not in {wanted.value, "dyn"}:
            return Mistake(0, 0, f"the expression gives a {found}, not a {wanted.value}", "compare it with something")
        return None

    def evaluation(self, values: Mapping[str, Any]) -> Evaluation:
        """Get ready to evaluate expressions with these values, one for each variable; None is null."""
        engine = self._engine(frozenset(name for name, value in values.items() if value is None))
        return Evaluation(engine, engine.facts(values), self._scopes)

    def _engine(self, missing: frozenset[str]) -> _Engine:
        found = self._engines.get(missing)
        if found is None:
            own = {f"{self._scopes[scope]}.{name}": value for scope, values in self._constants.items()
                   for name, value in values.items()}  # fmt: skip
            found = self._engines[missing] = _Engine(self._variables, own, missing)
        return found

    def _refused(self, text: str) -> Mistake | None:
        """What the library would take and we do not."""
        if len(text) > MAX_LENGTH:
            return Mistake(0, 0, f"the expression is longer than {MAX_LENGTH} characters", "make several rules of it")
        bare = _LITERAL.sub(lambda found: '"' + "." * (len(found[0]) - 2) + '"', text)
        if (built := _MAP.search(bare)) is not None:
            hint = "all(), exists(), exists_one() and filter() are what a rule needs"
            return Mistake(*_place(bare, built.start() + 1), "map() is not available", hint)
        if bare.count("+") > MAX_SUMS:
            return Mistake(0, 0, f"the expression has more than {MAX_SUMS} '+'", "a rule compares, and builds no texts")
        for found in _HAS.finditer(bare):
            if any(one.name == found[1] for one in self._variables) or found[1].startswith("params."):
                hint = f"write {found[1]} != null; has() asks for entries of mappings, such as has(key.labels.env)"
                return Mistake(*_place(bare, found.start()), f"{found[1]} is always there", hint)
        return None

    def _mistake(self, told: str, scope: str) -> Mistake:
        found = _TOLD.search(told)
        if found is None:
            return Mistake(0, 0, foreign(_STATUS.sub("", told).split("\n")[0]))
        line, column, what = max(int(found[1]), 0), max(int(found[2]), 0), _WHERE.sub("", foreign(found[3]))
        unknown = _UNKNOWN.search(found[3])
        if unknown is None:
            return Mistake(line, column, what)
        name = unknown[1]
        known = [one.name for one in self._variables] + list(self._constants.get(scope, ()))
        near = _below(name, known) or did_you_mean(name, known)
        return Mistake(line, column, f"there is no variable or function {foreign(name)}", near)


def _below(name: str, known: Iterable[str]) -> str:
    below = [one for one in known if one.startswith(f"{name}.")]
    return f"there are {', '.join(below)}" if below else ""


def _place(text: str, index: int) -> tuple[int, int]:
    return text.count("\n", 0, index) + 1, index - (text.rfind("\n", 0, index) + 1) + 1


class _Engine:
    """The library's environment in which some variables are null. Null is a type of its own there."""

    def __init__(self, variables: tuple[Variable, ...], own: Mapping[str, Param], missing: frozenset[str]) -> None:
        from cel_expr_python import cel  # type: ignore[import-untyped]  # noqa: PLC0415  takes 30 ms, and only policies need it

        kinds = {
            Type.TEXT: cel.Type.STRING,
            Type.BOOL: cel.Type.BOOL,
            Type.INT: cel.Type.INT,
            Type.TIME: cel.Type.TIMESTAMP,
            Type.DURATION: cel.Type.DURATION,
            Type.TEXTS: cel.Type.List(cel.Type.STRING),
            Type.LABELS: cel.Type.Map(cel.Type.STRING, cel.Type.STRING),
            Type.TREE: cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
        }
        types = {one.name: cel.Type.NULL if one.name in missing else kinds[one.type] for one in variables}
        types |= {name: kinds[Type.of(value)] for name, value in own.items()}
        self._own = {name: list(value) if isinstance(value, tuple) else value for name, value in own.items()}

        def new(scope: str) -> Any:
            return cel.NewEnv(variables=types, container=scope)

        self._new = new
        self._envs: dict[str, Any] = {}
        self._failed = cel.Type.ERROR
        self._compiled: dict[tuple[str, str], Any] = {}
        self.compile("true", "")  # what converts times is set up by the first compilation in an environment (0.1.3)

    def compile(self, text: str, scope: str) -> Any:
        """RuntimeError if it is not right. Names in it are looked for in the scope first."""
        if scope not in self._envs:
            self._envs[scope] = self._new(scope)
        return self._envs[scope].compile(text)

    def facts(self, values: Mapping[str, Any]) -> Any:
        """What expressions are evaluated with. Values are converted when they are asked for."""
        return self._envs[""].Activation({**values, **self._own})

    def evaluate(self, text: str, scope: str, facts: Any) -> Any:
        compiled = self._compiled.get((text, scope))
        if compiled is None:
            try:
                compiled = self.compile(text, scope)
            except RuntimeError as error:
                compiled = Failure(_reason(str(error)))
            self._compiled[text, scope] = compiled
        if isinstance(compiled, Failure):
            return compiled
        try:
            value = compiled.eval(facts)
            plain = value.plain_value()
            return Failure(_reason(str(plain))) if value.type() == self._failed else plain
        except (RuntimeError, MemoryError, OverflowError, ValueError, TypeError) as error:
            return Failure(_reason(str(error)))


def _reason(told: str) -> str:
    """The library's reason, in one line without its codes."""
    found = _TOLD.search(told)
    return foreign(found[3] if found is not None else _STATUS.sub("", told).split("\n")[0])


class Evaluation:
    """Values that any number of expressions are evaluated with."""

    __slots__ = ("_engine", "_facts", "_scopes")

    def __init__(self, engine: _Engine, facts: Any, scopes: Mapping[str, str]) -> None:
        self._engine = engine
        self._facts = facts
        self._scopes = scopes

    def value(self, text: str, scope: str = "") -> Any:
        """The expression's value (text, bool, number, datetime, timedelta, list, dict, None), or a Failure. Never raises."""
        return self._engine.evaluate(text, self._scopes.get(scope, ""), self._facts)
