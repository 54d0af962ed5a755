from __future__ import annotations

from pathlib import Path

import pytest

from unmask.cli import main
from unmask.cli.bench import _call, command

DEFAULTS = {param.name: param.default for param in command.params}


def test_contradicting_options_are_a_usage_error(capsys):
    assert main(["bench", "--only", "speed", "--unseen"]) == 2
    shown = capsys.readouterr().err
    assert "--unseen" in shown
    assert "Traceback" not in shown


def test_help_warns_of_tuning(capsys):
    assert main(["bench", "--help"]) == 0
    assert "never tune by it" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, "unmask bench"),
        ({"only": "accuracy", "unseen": True}, "unmask bench --only accuracy --unseen"),
        (
            {"data": Path("/private/place"), "portraits": Path("/private/list.txt")},
            "unmask bench --data DIR --portraits list.txt",
        ),
        (
            {"only": "accuracy", "detector": "unmask-open"},
            "unmask bench --only accuracy --detector unmask-open",
        ),
    ],
)
def test_the_call_on_the_page_names_no_folder(asked, expected):
    plain = {"data": Path("../shared/data"), "only": None, "unseen": False, "portraits": None,
             "detector": None}  # fmt: skip
    assert _call({**DEFAULTS, **plain, **asked}) == expected


@pytest.mark.parametrize(
    "asked", [["--detector", "unmask-base"], ["--detector", "unmask-base", "--only", "accuracy"]]
)
def test_another_detector_never_overwrites_the_page_of_the_shipped_one(asked, capsys):
    assert main(["bench", *asked]) == 2
    assert "page of its own" in capsys.readouterr().err
