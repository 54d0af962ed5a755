"""Hardening rounds from end to end, in small: searched, trained, measured, gone on with."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("torch", reason="the extra 'train' is not installed")

from tests.forge.stores import held_store

from unmask.bench.face_choice import FaceChoice
from unmask.bench.rounds.outputs import DRAWING, PAGE, TABLE, write_rounds
from unmask.bench.rounds.recipe import Rounds, RoundsPlan, SearchSettings
from unmask.bench.rounds.study import ALIKE, SEARCHED, WEAK, run_rounds
from unmask.bench.workplace import Workplace
from unmask.errors import UsageError

if TYPE_CHECKING:
    from unmask.forge.target_faces import HeldStore
    from unmask.types import Image

HELD_OUT = "face_warping"


@pytest.fixture(scope="module")
def faces(face_models: Path, portraits: dict[str, Image]) -> HeldStore:
    assert face_models.is_dir()
    return held_store(portraits, copies=8, frames=1)


def small_plan(faces: HeldStore) -> RoundsPlan:
    count = len(set(faces.columns.source_id.tolist())) // 3
    rounds = Rounds(
        title="Trial",
        network="mesonet-4",
        families=("self_blending", "landmark_swap"),
        training_faces=FaceChoice("to train on", "p", sources=count),
        threshold_faces=FaceChoice("for the threshold", "p", skip_sources=count, sources=count),
        tests=(FaceChoice("portraits", "p", skip_sources=2 * count),),
        held_out=(HELD_OUT,),
        rounds=1, steps=2, start_steps=2, false_alarm_rate=0.2, resamples=20,
        search=SearchSettings(generations=2, settings=6, faces=2),
    )  # fmt: skip
    training = {"batch": 4, "input_px": 64, "evaluation": {"every": 0}}
    return RoundsPlan(rounds, training)


@pytest.mark.slow
def test_rounds_from_end_to_end(faces: HeldStore, tmp_path: Path) -> None:
    class OneStore:
        def get(self, _: str) -> HeldStore:
            return faces

    said: list[str] = []
    place = Workplace(tmp_path, OneStore(), None, 1, said.append)  # type: ignore[arg-type]
    plan = small_plan(faces)
    found = run_rounds(plan, place)
    assert found.finished
    assert [(one.arm, one.number) for one in found.results] == [
        (SEARCHED, 0), (SEARCHED, 1), (ALIKE, 1),
    ]  # fmt: skip
    start, searched, alike = found.results
    assert len(searched.generations) == plan.rounds.search.generations
    assert not alike.shares
    tests = {(one.test, one.method) for one in start.figures}
    assert {("portraits", HELD_OUT), ("portraits", "real"), (WEAK, WEAK)} <= tests
    # Both arms start from the same weights and part from there.
    assert searched.threshold != alike.threshold
    write_rounds(found, plan, tmp_path)
    rows = list(csv.DictReader((tmp_path / TABLE).read_text().splitlines()))
    assert {row["arm"] for row in rows} == {SEARCHED, ALIKE}
    assert HELD_OUT in (tmp_path / PAGE).read_text()
    assert (tmp_path / DRAWING).read_text().startswith("<svg")
    said.clear()
    again = run_rounds(plan, place)
    assert again == found
    assert not any("steps" in line for line in said)


def test_shared_originals_are_refused(faces: HeldStore, tmp_path: Path) -> None:
    class OneStore:
        def get(self, _: str) -> HeldStore:
            return faces

    plan = small_plan(faces)
    both = dataclasses.replace(plan.rounds, threshold_faces=plan.rounds.training_faces)
    place = Workplace(tmp_path, OneStore(), None, 1, lambda _: None)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"threshold_faces share \d+ originals"):
        run_rounds(dataclasses.replace(plan, rounds=both), place)
    assert not list(tmp_path.iterdir())


def test_words_on_the_page_do_not_start_the_work_anew(faces: HeldStore) -> None:
    plan = small_plan(faces)
    said = dataclasses.replace(plan, rounds=dataclasses.replace(plan.rounds, about="New words."))
    more = dataclasses.replace(plan, rounds=dataclasses.replace(plan.rounds, steps=3))
    assert said.digest() == plan.digest() != more.digest()
