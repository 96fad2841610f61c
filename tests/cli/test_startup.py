"""What commands import before they do anything: start-up is importing, and a module too many is felt in every run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.manifest.estates import SETTINGS, key, tenant

TREND = "trend-workload-security"
SCRIPT = """
import contextlib, io, sys
from reconciler.cli import main
with contextlib.redirect_stdout(io.StringIO()) as said:
    status = main(sys.argv[1:])
assert status == 0, said.getvalue()
print(*sys.modules)
"""
SHELL = {"cli", "cli.group", "cli.options", "cli.run", "errors", "model", "model.outcome", "suggest"}
"""Of ours, what every command is wrapped in."""
ROOMS_OF_VALIDATE = {"cli", "errors", "manifest", "model", "providers", "suggest"}
FOREIGN_OF_VALIDATE = {
    "annotated_types", "click", "pydantic", "pydantic_core", "typing_extensions", "typing_inspection", "tzdata", "yaml",
}  # fmt: skip
SLOW = {"asyncio", "concurrent", "ctypes", "http", "multiprocessing", "sqlite3", "ssl", "subprocess", "unittest", "xml"}
"""Parts of the standard library that take their time, and that no short command needs."""
OF_THE_INTERPRETER = {"sitecustomize", "usercustomize", "cython_runtime"}


def environment() -> dict[str, str]:
    """Ours, without what measures the tests (it imports much), and without what an earlier run in this process has set."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYDANTIC_"))}


def modules(*args: str) -> set[str]:
    """Every module that a command has loaded when it is done."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *args], env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def ours(loaded: set[str]) -> set[str]:
    return {name.removeprefix("reconciler.") for name in loaded if name.startswith("reconciler.")}


def foreign(loaded: set[str]) -> set[str]:
    """Packages that are neither ours nor the interpreter's."""
    packages = {name.partition(".")[0] for name in loaded}
    known = sys.stdlib_module_names | OF_THE_INTERPRETER | {"reconciler"}
    return {name for name in packages - known if not name.startswith("_")}


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_the_shell_imports_click_alone(option: str) -> None:
    """`--help` and `--version` load the shell around the commands, click, and nothing else that is not Python's own."""
    loaded = modules(option)
    assert ours(loaded) == SHELL
    assert foreign(loaded) == {"click"}
    assert loaded & SLOW == set()


def test_validate_imports_what_reads_manifests(tmp_path: Path) -> None:
    """`validate` of one file loads the manifest room, and the one provider that the file names; nothing that calls."""
    (tmp_path / "reconciler.yaml").write_text(SETTINGS)
    file = tmp_path / "keys.yaml"
    file.write_text("---\n".join([tenant("t", TREND), key("splunk", "t", "options: {timeZone: Europe/Berlin}")]))
    loaded = modules("validate", str(file))
    assert {name.partition(".")[0] for name in ours(loaded)} == ROOMS_OF_VALIDATE
    assert foreign(loaded) == FOREIGN_OF_VALIDATE
    assert loaded & SLOW == set()
    providers = {name.split(".")[1] for name in ours(loaded) if name.startswith("providers.") and name.count(".") > 1}
    assert providers == {TREND.replace("-", "_")}


def test_validators_are_built_when_they_are_needed() -> None:
    """Importing the models builds no validator: a run pays for the kinds that it meets, and for no other."""
    code = """if True:
        from reconciler.manifest.models import MODELS
        from reconciler.manifest.models.base import Section
        def all_below(model):
            return [below for one in model.__subclasses__() for below in (one, *all_below(one))]
        built = [model.__name__ for model in all_below(Section) if model.__pydantic_complete__]
        assert len(all_below(Section)) > len(MODELS)
        print(built)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.promise(1)
def test_promise_1_no_plugin_of_pydantic_is_loaded(tmp_path: Path) -> None:
    """A plugin of pydantic's would see whatever is validated, vendors' answers too: an installed one is left alone."""
    package = tmp_path / "onlooker-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: onlooker\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[pydantic]\nonlooker = onlooker:plugin\n")
    (tmp_path / "onlooker.py").write_text("raise SystemExit('loaded')\n")
    (tmp_path / "reconciler.yaml").write_text(SETTINGS)
    (tmp_path / "keys.yaml").write_text("---\n".join([tenant("t", TREND), key("splunk", "t")]))
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
    for end, said in (("", ""), ("import pydantic\nclass M(pydantic.BaseModel): pass\n", "loaded\n")):
        call = end or f"from reconciler.cli import main\nsys.exit(main(['validate', {str(tmp_path)!r}]))\n"
        done = subprocess.run(
            [sys.executable, "-c", code + call], env=environment(), capture_output=True, text=True, check=False
        )
        assert (done.stderr, done.returncode) == (said, int(bool(said)))
