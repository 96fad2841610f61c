from __future__ import annotations

import io
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

import reconciler
from reconciler.cli import main
from reconciler.cli.group import COMMANDS, group
from reconciler.cli.options import Terminal, common_options, exit_codes, format_option
from reconciler.errors import InvalidInput, LeaseHeld, OutcomeUnknown, Stopped
from reconciler.manifest.problems import InvalidManifests, Problem
from reconciler.model.desired import Source
from reconciler.model.outcome import ExitCode

HEAVY = {"pydantic", "yaml", "ruamel", "hvac", "requests", "urllib3", "rich", "deepdiff", "tenacity", "asyncio", "ssl"}


def run(*args: str, **kwargs: object) -> subprocess.CompletedProcess[str]:
    done: subprocess.CompletedProcess[str] = subprocess.run(
        [sys.executable, "-m", "reconciler", *args], capture_output=True, text=True, check=False, **kwargs
    )  # type: ignore[call-overload]
    return done


@pytest.fixture
def plan_that(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Let `reconciler plan` do what the test says, for the shell around it is what is tested."""

    def put(does: Callable[[], object]) -> None:
        monkeypatch.setitem(group.commands, "plan", click.Command("plan", callback=does))

    return put


def raising(problem: BaseException) -> Callable[[], object]:
    def does() -> object:
        raise problem

    return does


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


# --- help ---------------------------------------------------------------------------------------------------------------


def test_help_imports_nothing_heavy() -> None:
    """`--help` lists every command, and loads neither a command nor a library that commands need."""
    code = "import sys; from reconciler.cli import main; main(['--help']); print('loaded:', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    help_text, _, modules = done.stdout.partition("loaded: ")
    loaded = set(modules.split())
    assert set() == HEAVY & {module.partition(".")[0] for module in loaded}
    assert set() == loaded & {entry.module for entry in COMMANDS.values()}
    for name, entry in COMMANDS.items():
        assert re.search(rf"^  {name} +{entry.summary[:30]}", help_text, re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_lists_its_exit_codes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command's help names its exit codes, 0 and 1 among them, and the options that all commands take."""
    assert main([name, "--help"]) == 0
    text = capsys.readouterr().out
    codes = text.partition("Exit codes:\n")[2]
    assert re.search(r"^ +0  \S", codes, re.MULTILINE)
    assert re.search(r"^ +1  \S", codes, re.MULTILINE)
    assert "--no-color" in text
    assert "-v, --verbose" in text
    assert text.startswith(f"Usage: reconciler {name} ")


def test_alone_it_prints_its_help_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command nothing was done: help on standard error, exit 1."""
    assert main([]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("Usage: reconciler [OPTIONS] COMMAND")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` names the program and its version."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"reconciler {reconciler.__version__}\n"


def test_exit_codes_are_one_line_each() -> None:
    """A command may say what a code means for it; else it is the general meaning."""
    assert exit_codes([ExitCode.ERROR, ExitCode.DONE]).splitlines()[2:] == [
        f"  0  {ExitCode.DONE.meaning}",
        f"  1  {ExitCode.ERROR.meaning}",
    ]
    assert exit_codes({ExitCode.DONE: "fine"}).endswith("\n  0  fine")


def test_format_option_refuses_other_formats(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--format` takes what the command offers, its first choice unless said otherwise."""
    command = click.command("plan")(format_option("text", "json")(lambda *, output_format: click.echo(output_format)))
    monkeypatch.setitem(group.commands, "plan", command)
    assert main(["plan"]) == 0
    assert capsys.readouterr().out == "text\n"
    assert main(["plan", "--format", "xml"]) == 1
    assert "'xml' is not one of 'text', 'json'" in capsys.readouterr().err


# --- exit status --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("result", "status"), [(None, 0), (ExitCode.PENDING, 2), (4, 4), ("text", 0)])
def test_what_a_command_returns_is_the_exit_status(
    result: object, status: int, plan_that: Callable[[Callable[[], object]], None]
) -> None:
    """A command returns its exit code; one that returns nothing is done."""
    plan_that(lambda: result)
    assert main(["plan"]) == status


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["plam"], "error: No such command 'plam'. Did you mean 'plan'?"),
        (["zzzz"], "error: No such command 'zzzz'.\n"),
        (["--verboze"], "'--verbose'"),
        (["schema", "--chek"], "'--check'"),
        (["schema", "extra"], "error: Got unexpected extra argument (extra)"),
        (["fmt", "/does/not/exist"], "'/does/not/exist' does not exist"),
    ],
)
def test_promise_9_wrong_usage_is_exit_1_with_the_nearest_right_word(
    args: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A misspelt command or option is answered with the one that was meant. Never exit 2: "changes are pending"."""
    assert main(args) == 1
    said = capsys.readouterr()
    assert message in said.err
    assert "--help'." in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    ("problem", "status", "text"),
    [
        (
            InvalidInput("is wrong", where="a.yaml:1:2", hint="do right"),
            1,
            "error: a.yaml:1:2: is wrong\nhint: do right\n",
        ),
        (OutcomeUnknown("may have acted"), 1, "error: may have acted\n"),
        (LeaseHeld("busy", where="dsm-prod"), 5, "error: dsm-prod: busy\n"),
        (Stopped("too many deletions"), 3, "error: too many deletions\n"),
        (InvalidInput("a \x1b[31mred\x07 one"), 1, "error: a \ufffd[31mred\ufffd one\n"),
        (
            InvalidManifests([Problem(Source("b.yaml", 2, 1), "two", "hint"), Problem(Source("a.yaml", 1, 1), "one")]),
            1,
            "a.yaml:1:1: error: one\nb.yaml:2:1: error: two (hint)\nerror: 2 problems in 2 files\n",
        ),
        (click.Abort(), 130, "interrupted\n"),
        (FileNotFoundError(2, "No such file or directory", "x.plan"), 1, "error: x.plan: No such file or directory\n"),
        (click.FileError("x", "gone"), 1, "error: Could not open file 'x': gone\n"),
    ],
)
def test_promise_9_errors_are_told_in_sentences(
    problem: BaseException,
    status: int,
    text: str,
    plan_that: Callable[[Callable[[], object]], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What went wrong, where, and what to do next; on standard error, with nothing that could steer a terminal."""
    plan_that(raising(problem))
    assert main(["plan"]) == status
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", text)


def test_ctrl_c_is_130_and_one_line(
    plan_that: Callable[[Callable[[], object]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """An interrupted run ends with the status that shells know, and no traceback."""
    plan_that(raising(KeyboardInterrupt()))
    assert main(["plan"]) == 130
    assert capsys.readouterr().err.strip() == "interrupted"


def _bug() -> object:
    local = "hunter2"
    raise RuntimeError(f"the server said {local}")


@pytest.mark.parametrize("problem", [_bug, raising(ConnectionError("hunter2"))])
def test_promise_1_a_bug_shows_neither_locals_nor_the_errors_own_text(
    problem: Callable[[], object],
    plan_that: Callable[[Callable[[], object]], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Type and place are enough to report a bug; the exception's text may quote a server. With --verbose: frames too."""
    plan_that(problem)
    assert main(["plan"]) == 1
    said = capsys.readouterr().err
    assert re.fullmatch(r"internal error: \w+Error at [\w.]+:\d+; run with --verbose for the traceback\n", said), said
    assert main(["-v", "plan"]) == 1
    loud = capsys.readouterr().err
    assert f'File "{__file__}"' in loud
    assert "hunter2" not in said + loud


def test_a_bug_is_placed_where_our_code_failed(
    plan_that: Callable[[Callable[[], object]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """The line that is named is the innermost one of ours, not the library's below it."""
    plan_that(lambda: exit_codes([99]))  # type: ignore[list-item]
    assert main(["plan"]) == 1
    assert "internal error: AttributeError at reconciler.cli.options:" in capsys.readouterr().err


# --- the process --------------------------------------------------------------------------------------------------------


def test_promise_1_core_dumps_are_off() -> None:
    """A crash leaves no file with the memory of the process in it."""
    code = (
        "import resource; from reconciler.cli import main; main(['--version']); "
        "print(resource.getrlimit(resource.RLIMIT_CORE))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "(0, 0)"


def test_a_reader_that_goes_away_is_no_error_of_ours() -> None:
    """`reconciler … | head` says nothing about the pipe."""
    process = subprocess.Popen(
        [sys.executable, "-m", "reconciler", "explain", "ApiKey"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), said) == (141, b"")


@pytest.mark.parametrize("args", [["--help"], ["plan", "--help"], ["explain", "ApiKey"]])
def test_whatever_prints_a_reader_that_went_away_is_141(args: list[str]) -> None:
    """By click or by us, in the group or in a command."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "reconciler", *args], stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_console_leaves_a_broken_pipe_to_the_shell(
    plan_that: Callable[[Callable[[], object]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rich would exit with 1."""
    plan_that(lambda: Terminal(color=False).console().print("x"))
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main(["plan"]) == 141
        monkeypatch.undo()


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("args", [["--help"], ["explain", "ApiKey"]])
def test_a_full_disk_is_told(args: list[str], unbuffered: str) -> None:
    """What could not be written, and why; no traceback, not even from the interpreter's last flush."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "reconciler", *args],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (
        1,
        "error: standard output cannot be written: No space left on device\n",
    )


@pytest.mark.parametrize("redirected", [">&-", ">&- <&-", ">/dev/full 2>/dev/full", ">&- 2>&-"])
def test_closed_streams_are_no_internal_error(redirected: str) -> None:
    """Without standard output nothing is begun: the next connection would get its number, and our words."""
    command = f'"{sys.executable}" -m reconciler explain ApiKey {redirected}'
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    told = "error: standard output is closed\nhint: send it to /dev/null if nobody is to read it\n"
    assert done.stderr == ("" if "2>" in redirected else told)


def test_without_standard_error_the_results_are_there() -> None:
    """Nobody wants to read what is said on the side."""
    done = subprocess.run(
        ["sh", "-c", f'"{sys.executable}" -m reconciler explain ApiKey 2>&-'],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "ApiKey" in done.stdout


def test_a_write_that_failed_elsewhere_is_not_called_our_output(
    plan_that: Callable[[Callable[[], object]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """A disk may be full for a file, too."""
    plan_that(raising(OSError(28, "No space left on device")))
    assert main(["plan"]) == 1
    assert "internal error: OSError at " in capsys.readouterr().err


def test_a_broken_connection_is_not_a_reader_that_went_away(
    plan_that: Callable[[Callable[[], object]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """A pipe that breaks elsewhere is reported: silence would pass for success."""
    plan_that(raising(BrokenPipeError(32, "Broken pipe")))
    assert main(["plan"]) == 1
    assert "internal error: BrokenPipeError at " in capsys.readouterr().err


def test_the_pipe_that_broke_is_looked_for(
    plan_that: Callable[[Callable[[], object]], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whether it was standard output is asked of the system."""
    plan_that(raising(BrokenPipeError(32, "Broken pipe")))
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main(["plan"]) == 1
        os.close(reader)
        assert main(["plan"]) == 141
        monkeypatch.undo()
    assert capsys.readouterr().err.count("\n") == 1


def test_shell_completion(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Shells can complete commands."""
    monkeypatch.setenv("_RECONCILER_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "reconciler sche")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert main([]) == 0
    assert capsys.readouterr().out == "plain,schema\n"
    monkeypatch.setenv("COMP_WORDS", "reconciler nothing ")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert main([]) == 0


def test_output_that_the_terminal_cannot_encode_is_no_error(tmp_path: Path) -> None:
    """In a terminal with few characters, others are written as escapes."""
    done = run("init", "ж", cwd=tmp_path, env={**os.environ, "PYTHONIOENCODING": "latin-1:strict"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "wrote \\u0436/reconciler.yaml" in done.stdout


@pytest.mark.parametrize("args", [["-v", "plan"], ["plan", "--verbose"], ["-v", "plan", "-v"], ["plan"]])
def test_promise_1_verbose_logs_lines_that_cannot_steer_a_terminal(
    args: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`-v` works before and behind the command; of exceptions only the type is logged, for their text may quote a server."""

    def does() -> None:
        try:
            int("hunter2")
        except ValueError:
            logging.getLogger("x").debug("a\x1b[31m\nb", exc_info=True)

    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging.root, "level", logging.WARNING)
    monkeypatch.setitem(group.commands, "plan", click.Command("plan", callback=does, params=common_options()))
    logging.root.manager._clear_cache()  # type: ignore[attr-defined]
    assert main(args) == 0
    logging.root.manager._clear_cache()  # type: ignore[attr-defined]
    said = capsys.readouterr()
    assert said.out == ""
    wanted = r"\S+ \S+ DEBUG x: a\ufffd\[31m b \(ValueError\)\n" if len(args) > 1 else ""
    assert re.fullmatch(wanted, said.err), said.err


def test_python_dash_m() -> None:
    """`python -m reconciler` is the command."""
    assert run("--version").stdout == f"reconciler {reconciler.__version__}\n"


def test_messages_are_wrapped_between_words_at_a_terminal(
    plan_that: Callable[[Callable[[], object]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path that is longer than a line stays whole. Elsewhere each message is one line."""
    path = "/".join(["folder"] * 20)
    plan_that(raising(InvalidInput("one two three four five six seven", where=path, hint="do right " * 6)))
    monkeypatch.setenv("COLUMNS", "30")
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    assert main(["plan"]) == 1
    lines = screen.getvalue().splitlines()
    assert f"{path}:" in lines
    assert max(len(line) for line in lines if path not in line) <= 30
    assert [word for line in lines for word in line.split() if word in {"five", "six", "seven"}] == [
        "five",
        "six",
        "seven",
    ]
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stderr", pipe)
    assert main(["plan"]) == 1
    assert len(pipe.getvalue().splitlines()) == 2


@pytest.mark.parametrize("name", COMMANDS)
def test_exit_codes_fit_into_80_columns(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Click leaves them as they are, so a terminal would break the words of a longer line."""
    assert main([name, "--help"]) == 0
    lines = capsys.readouterr().out.partition("Exit codes:\n")[2].splitlines()
    assert [line for line in lines if len(line) > 80] == []


def test_exit_code_of_an_interruption_is_told_where_it_matters(capsys: pytest.CaptureFixture[str]) -> None:
    """`apply --help` says what Ctrl-C gives, before the work and while it is done, and what "no" gives."""
    assert main(["apply", "--help"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"^ +130  interrupted", text, re.MULTILINE)
    assert re.search(r"^ +4  .*Ctrl-C interrupted", text, re.MULTILINE)
    assert re.search(r"^ +1  .*the answer was no", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("locale", "ascii_only"),
    [
        ({"LC_ALL": "C"}, True),
        ({"LC_ALL": "POSIX", "LANG": "en_US.UTF-8"}, True),
        ({"LANG": "C"}, True),
        ({"LC_ALL": "C.UTF-8"}, False),
        ({"LC_ALL": "", "LANG": "en_US.UTF-8"}, False),
        ({}, False),
    ],
)
def test_a_c_locale_gets_ascii(locale: dict[str, str], ascii_only: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python writes UTF-8 there, which such a terminal may not show. Where no locale is set, as in containers, it may."""
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in locale.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    assert Terminal(color=False).console().options.ascii_only is ascii_only


# --- colour -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "env", "terminal", "colored"),
    [
        ([], {}, True, True),
        ([], {}, False, False),
        (["--no-color"], {}, True, False),
        ([], {"NO_COLOR": "1"}, True, False),
        ([], {"NO_COLOR": ""}, True, True),
        ([], {"TERM": "dumb"}, True, False),
    ],
)
def test_color_is_for_terminals_that_want_it(
    args: list[str], env: dict[str, str], terminal: bool, colored: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No escape sequence reaches a file, a pipe, or a terminal whose owner said no. By rich and by click alike."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    screen = Screen() if terminal else io.StringIO()

    @click.command("plan")
    @click.pass_obj
    def paint(settings: Terminal) -> None:
        settings.console().print("one", style="bold red")
        click.secho("two", fg="red")

    monkeypatch.setitem(group.commands, "plan", paint)
    monkeypatch.setattr(sys, "stdout", screen)
    assert main([*args, "plan"]) == 0
    assert ("\x1b[" in screen.getvalue()) is colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue()) == "one\ntwo\n"


def test_progress_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """There is a console for each of the two streams."""
    Terminal(color=True).console(stderr=True).print("[working]")
    assert capsys.readouterr() == ("", "[working]\n")


LEAVING = """
import atexit, sys, threading
from reconciler.cli.run import leave
atexit.register(lambda: print("told at the end"))
{first}
print("printed", end=" ")
leave(3)
"""


@pytest.mark.parametrize(
    "first",
    ["", "wait = threading.Event(); threading.Thread(target=lambda: (wait.wait(0.1), print('done'))).start()"],
    ids=["alone", "with-a-thread"],
)
def test_process_ends_without_being_taken_apart_and_loses_nothing(first: str):
    """What was printed gets out, who asked to be told at the end is told, and somebody's thread is waited for."""
    done = subprocess.run(
        [sys.executable, "-c", LEAVING.format(first=first)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (3, "")
    assert "printed" in done.stdout
    assert "told at the end" in done.stdout
    assert ("done" in done.stdout) is bool(first)
