"""The frame around the commands: help, suggestions, every way of failing."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from unmask import __version__, cli
from unmask.cli import _errors
from unmask.errors import LimitExceeded, NotFound, OutputRefused, UnmaskError, UsageError

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line in this process: (exit code, stdout, stderr)."""

    def call(*words: str) -> tuple[int, str, str]:
        code = cli.main(words)
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def act(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Add a command ``act`` that does what the test wants."""

    def install(what: Callable[[], object]) -> None:
        module = types.ModuleType("unmask.cli.act")
        module.command = click.Command("act", callback=what)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(cli.app.table, "act", "Do what a test wants.")

    return install


def raising(error: BaseException) -> Callable[[], object]:
    def what() -> object:
        raise error

    return what


# ---------------------------------------------------------------------- the group


def test_help_lists_every_command_with_its_line(run: Run) -> None:
    code, out, err = run("--help")
    assert (code, err) == (0, "")
    for name, line in cli.COMMANDS.items():
        assert any(row.split() == [name, *line.split()] for row in out.splitlines())


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_in_the_table_exists_and_explains_itself(name: str, run: Run) -> None:
    code, out, _ = run(name, "--help")
    assert code == 0
    assert out.startswith(f"Usage: unmask {name} ")


def test_version(run: Run) -> None:
    assert run("--version") == (0, f"unmask {__version__}\n", "")


@pytest.mark.parametrize(
    ("typed", "meant"), [("scna", "scan"), ("model", "models"), ("trian", "train")]
)
def test_an_unknown_command_is_met_with_the_nearest(typed: str, meant: str, run: Run) -> None:
    code, out, err = run(typed)
    assert (code, out) == (2, "")
    assert f"No such command '{typed}'. Did you mean '{meant}'" in err


def test_an_unknown_command_near_to_none_lists_them_all(run: Run) -> None:
    code, _, err = run("zzzzzz")
    assert code == 2
    assert "There is: scan, demo" in " ".join(err.split())


def test_an_unknown_option_is_met_with_the_nearest(run: Run) -> None:
    code, _, err = run("--versoin")
    assert code == 2
    assert "--version" in err.splitlines()[-1]


def test_a_call_without_words_is_usage(run: Run) -> None:
    code, out, err = run()
    assert code == 2
    assert "Commands:" in out + err


def test_a_module_without_a_command_is_a_fault_of_ours(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("unmask.cli.act")
    module.command = "not a command"
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(cli.app.table, "act", "")
    code, _, err = run("act")
    assert code == _errors.EXIT_INTERNAL
    assert "is not a click command" in err


# ------------------------------------------------------------------- exit codes


@pytest.mark.parametrize(("outcome", "code"), [(None, 0), (0, 0), (1, 1), (3, 3)])
def test_what_a_command_returns_is_the_exit_code(outcome: object, code: int, act, run: Run) -> None:
    act(lambda: outcome)
    assert run("act") == (code, "", "")


def test_a_command_may_leave_through_its_context(act, run: Run) -> None:
    act(lambda: click.get_current_context().exit(3))
    assert run("act") == (3, "", "")


@pytest.mark.parametrize(("status", "code"), [(0, 0), (5, 5), (None, 0), ("words", 1)])
def test_sys_exit_keeps_its_code(status: object, code: int, act, run: Run) -> None:
    act(raising(SystemExit(status)))
    assert run("act")[0] == code


@pytest.mark.parametrize("cls", [UsageError, NotFound, OutputRefused, UnmaskError])
def test_our_errors_are_one_line_a_hint_and_their_exit_code(
    cls: type[UnmaskError], act, run: Run
) -> None:
    act(raising(cls("What came.", hint="What to do.")))
    code, out, err = run("act")
    assert (code, out) == (cls.exit_code, "")
    assert err == f"error[{cls.code}]: What came.\n  hint: What to do.\n"


def test_an_error_without_a_hint_is_one_line(act, run: Run) -> None:
    act(raising(LimitExceeded("Too large.")))
    assert run("act")[2] == "error[limit_exceeded]: Too large.\n"


def test_a_hostile_file_name_cannot_steer_the_terminal(act, run: Run) -> None:
    act(raising(NotFound("No file \x1b]0;owned\x07\r\n\u202egpj.exe\udcff.", hint="\x9b2J")))
    code, _, err = run("act")
    assert code == 3
    assert err == (
        "error[not_found]: No file \\x1b]0;owned\\x07\\x0d\\x0a\\u202egpj.exe\\udcff.\n"
        "  hint: \\x9b2J\n"
    )


def test_letters_of_any_script_stay_readable() -> None:
    assert _errors.printable("Žluťoučký 顔 وجه 🙂 (1).png") == "Žluťoučký 顔 وجه 🙂 (1).png"


def test_a_fault_of_ours_says_so_and_how_to_see_more(
    act, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UNMASK_DEBUG", raising=False)
    act(raising(ZeroDivisionError("division by zero")))
    code, out, err = run("act")
    assert (code, out) == (70, "")
    assert err.startswith("internal error: ZeroDivisionError: division by zero\n")
    assert "UNMASK_DEBUG=1" in err
    assert "CONTRIBUTING.md" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), NotFound("No such file.")])
def test_debugging_shows_the_traceback_of_every_error(
    error: Exception, act, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNMASK_DEBUG", "1")
    act(raising(error))
    code, _, err = run("act")
    assert code == getattr(error, "exit_code", 70)
    assert err.startswith("Traceback")
    assert "test_frame.py" in err


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_a_full_disk_is_no_fault_of_ours(number: int, act, run: Run, monkeypatch) -> None:
    monkeypatch.setattr(_errors, "silence_stdout", lambda: None)
    act(raising(OSError(number, os.strerror(number))))
    code, _, err = run("act")
    assert code == 4
    assert err.startswith("error[output_refused]: ")
    assert os.strerror(number) in err


def test_a_missing_package_of_an_extra_is_named_with_its_pip_line(act, run: Run) -> None:
    act(raising(ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn")))
    code, _, err = run("act")
    assert code == 4
    assert "error[missing_extra]" in err
    assert "pip install 'unmask[train]'" in err


def test_a_missing_package_of_the_core_is_a_fault(act, run: Run) -> None:
    act(raising(ModuleNotFoundError("No module named 'numpyy'", name="numpyy")))
    assert run("act")[0] == 70


def test_every_extra_that_is_named_exists(repository: Path) -> None:
    import tomllib

    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    assert set(_errors.EXTRA_OF.values()) <= set(project["optional-dependencies"])


def test_running_out_of_memory_is_told_plainly(act, run: Run) -> None:
    act(raising(MemoryError()))
    code, _, err = run("act")
    assert code == 4
    assert "out of memory" in err


def test_an_unwritable_file_is_never_read_as_a_finding(act, run: Run) -> None:
    act(raising(click.FileError("out.json", "not writable")))
    assert run("act")[0] == 4


def test_an_abort_at_a_prompt_is_an_interruption(act, run: Run) -> None:
    act(raising(click.Abort()))
    assert run("act") == (130, "", "Interrupted. What was finished before is kept.\n")


# ------------------------------------------------------------- real processes


def process(code: str, **how: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=how.pop("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        text=True,
        **how,
    )


WAIT = """
import sys, time, types, click
from unmask import cli

@click.command()
def command():
    print("finished: first", flush=True)
    time.sleep(60)

module = types.ModuleType("unmask.cli.wait")
module.command = command
sys.modules[module.__name__] = module
cli.app.table["wait"] = ""
sys.exit(cli.main(["wait"]))
"""


def test_ctrl_c_ends_with_130_a_plain_line_and_what_was_done() -> None:
    running = process(WAIT)
    assert running.stdout is not None
    first = running.stdout.readline()
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=30)
    assert running.returncode == 130
    assert first + out == "finished: first\n"
    assert err == "Interrupted. What was finished before is kept.\n"


MUCH = """
import sys, types, click
from unmask import cli

@click.command()
def command():
    for number in range(200_000):
        print(number)

module = types.ModuleType("unmask.cli.much")
module.command = command
sys.modules[module.__name__] = module
cli.app.table["much"] = ""
sys.exit(cli.main(["much"]))
"""


def test_a_reader_that_leaves_is_no_error_and_no_finding() -> None:
    running = process(MUCH)
    assert running.stdout is not None
    running.stdout.readline()
    running.stdout.close()
    assert running.wait(timeout=30) == 141
    assert running.stderr is not None
    assert running.stderr.read() == ""
    running.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is a Linux device")
def test_a_full_disk_under_stdout_is_told() -> None:
    with Path("/dev/full").open("w") as full:
        running = process("import sys; from unmask.cli import main; sys.exit(main(['--version']))",
                          stdout=full)  # fmt: skip
        _, err = running.communicate(timeout=30)
    assert running.returncode == 4
    assert err.startswith("error[output_refused]: ")
    assert "Traceback" not in err


def test_shell_completion_offers_the_commands() -> None:
    environment = {
        **os.environ,
        "_UNMASK_COMPLETE": "bash_complete",
        "COMP_WORDS": "unmask mo",
        "COMP_CWORD": "1",
    }
    running = process("import sys; from unmask.cli import main; sys.exit(main())", env=environment)
    out, err = running.communicate(timeout=30)
    assert (running.returncode, out, err) == (0, "plain,models\n", "")
