from __future__ import annotations

import inspect
import pickle
import re

import pytest

from unmask import errors
from unmask.errors import EnvironmentProblem, InputError, MissingExtra, UnmaskError, UsageError


def tree(cls: type[UnmaskError] = UnmaskError) -> list[type[UnmaskError]]:
    mine = [cls] if cls.__module__ == errors.__name__ else []
    return mine + [below for child in cls.__subclasses__() for below in tree(child)]


CLASSES = tree()
each_class = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)


def test_codes_are_unique() -> None:
    codes = [cls.code for cls in CLASSES]
    assert sorted(codes) == sorted(set(codes))


@each_class
def test_a_code_is_snake_case_and_set_by_its_own_class(cls: type[UnmaskError]) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", cls.code)
    assert "code" in vars(cls)


@each_class
def test_every_class_says_what_it_is(cls: type[UnmaskError]) -> None:
    assert inspect.cleandoc(vars(cls)["__doc__"])


@each_class
def test_the_drawing_at_the_top_of_the_file_is_complete(cls: type[UnmaskError]) -> None:
    assert re.search(rf"\b{cls.__name__}\b", errors.__doc__ or "")


@each_class
def test_an_error_survives_the_way_through_another_process(cls: type[UnmaskError]) -> None:
    error = cls("What came.", hint="What to do.")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(copy) is cls
    assert (copy.message, copy.hint, str(copy)) == (error.message, error.hint, str(error))


@pytest.mark.parametrize(
    ("branch", "exit_code"), [(UsageError, 2), (InputError, 3), (EnvironmentProblem, 4)]
)
def test_a_branch_shares_its_exit_code(branch: type[UnmaskError], exit_code: int) -> None:
    assert {cls.exit_code for cls in tree(branch)} == {exit_code}


def test_no_exit_code_reads_as_done_or_as_a_finding() -> None:
    assert not {cls.exit_code for cls in CLASSES} & {0, 1}


def test_an_error_without_a_hint_ends_without_a_space() -> None:
    assert str(UnmaskError("What came.")) == "What came."


def test_a_missing_extra_names_the_pip_line() -> None:
    error = MissingExtra.named("pdf", "The PDF report")
    assert error.message.startswith("The PDF report")
    assert "pip install 'unmask[pdf]'" in error.hint
