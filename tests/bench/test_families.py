"""The study of families, whole and small: forged, scored, left out; and which faces it takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'train' is not installed")

from tests.forge.stores import held_store

from unmask.bench.face_choice import ChosenFaces, FaceChoice
from unmask.bench.families.detector_scores import shipped_threshold
from unmask.bench.families.outputs import PAGE, TABLE, write_families
from unmask.bench.families.recipe import Families, FamiliesPlan, LeftOut, read_families
from unmask.bench.families.study import run_families
from unmask.bench.workplace import Workplace
from unmask.calibration.model import load_calibration
from unmask.errors import UsageError
from unmask.train.prepare import held_out

if TYPE_CHECKING:
    from unmask.forge.target_faces import HeldStore
    from unmask.types import Image

RECIPE = Path(__file__).parents[2] / "recipes" / "studies" / "families.toml"
LEFT_OUT_RECIPE = RECIPE.with_name("families-left-out.toml")


@pytest.fixture(scope="module")
def faces(face_models: Path, portraits: dict[str, Image]) -> HeldStore:
    assert face_models.is_dir()
    return held_store(portraits, copies=2, frames=6)


def test_choices_keep_originals_apart(faces: HeldStore) -> None:
    share = 0.5
    choices = [FaceChoice("a", "p", take=take, held_out_share=share)
               for take in ("held_out", "rest")]  # fmt: skip
    out, rest = (one.rows(faces.columns) for one in choices)
    assert not set(out) & set(rest)
    assert len(out) + len(rest) == len(faces)
    assert all(held_out(name, share) for name in faces.columns.source_id[out].tolist())


def test_choices_count_originals_and_faces_of_each(faces: HeldStore) -> None:
    first = FaceChoice("a", "p", sources=2, per_source=3)
    second = FaceChoice("b", "p", skip_sources=2)
    columns = faces.columns
    rows = first.rows(columns)
    assert len(np.unique(columns.source_id[rows])) == 2
    assert len(rows) == 6
    assert columns.frame_index[rows].max() == 5  # spread over time
    assert not np.intersect1d(columns.source_id[rows], columns.source_id[second.rows(columns)]).size
    chosen = ChosenFaces(faces, rows)
    assert (chosen.face(1).image == faces.face(int(rows[1])).image).all()
    with pytest.raises(UsageError, match="No real face"):
        FaceChoice("c", "p", split="val").rows(columns)
    with pytest.raises(UsageError, match="held_out_share"):
        FaceChoice("c", "p", take="held_out")


def test_the_shipped_threshold_is_where_the_label_changes() -> None:
    from unmask.detectors.choice import open_detector
    from unmask.types import Label

    detector = open_detector("unmask-base")
    logit = shipped_threshold(detector)
    curve = load_calibration(detector.spec.calibration_id).image
    assert curve.label(curve.log10_lr(logit + 1e-6)) == Label.MANIPULATION_SUPPORTED
    assert curve.label(curve.log10_lr(logit - 1e-3)) == Label.INCONCLUSIVE


def test_the_recipe_that_ships_can_be_read() -> None:
    plan = read_families(RECIPE)
    assert not plan.study.left_out
    assert read_families(LEFT_OUT_RECIPE).training["steps"] > 0
    assert set(plan.study.trained_with) < set(plan.study.methods)


@pytest.mark.slow
def test_a_small_network_is_trained_without_each_family(faces: HeldStore, tmp_path: Path) -> None:
    class OneStore:
        def get(self, _: str) -> HeldStore:
            return faces

    trained_on = FaceChoice("to train on", "p", sources=2)
    study = Families(
        "Trial", ("self_blending", "face_warping"), (FaceChoice("portraits", "p"),), resamples=20,
        left_out=(LeftOut("mesonet-4", trained_on),),
    )  # fmt: skip
    training = {"steps": 2, "batch": 4, "input_px": 64, "evaluation": {"every": 0},
                "data": {"validation_share": 0.0}}  # fmt: skip
    place = Workplace(tmp_path, OneStore(), None, 1, lambda _: None)  # type: ignore[arg-type]
    found = run_families(FamiliesPlan(study, training), place)
    assert {one.name for one in found.without} == set(study.methods)
    assert {one.name for one in found.with_all} == set(study.methods)
    runs = sorted(path.name for path in (tmp_path / "left-out" / "runs").iterdir())
    assert sum("without" in name for name in runs) == 2
    assert len(runs) == 3


@pytest.mark.slow
def test_a_small_study_scores_each_family_and_goes_on_where_it_was(
    faces: HeldStore, tmp_path: Path
) -> None:
    class OneStore:
        def get(self, _: str) -> HeldStore:
            return faces

    test = FaceChoice("portraits", "p")
    study = Families("Trial", ("self_blending", "face_warping"), (test,), resamples=50,
                     trained_with=("self_blending",))  # fmt: skip
    plan = FamiliesPlan(study)
    said: list[str] = []
    place = Workplace(tmp_path, OneStore(), None, 1, said.append)  # type: ignore[arg-type]
    found = run_families(plan, place)
    write_families(found, plan, tmp_path)
    assert [row.method for row in found.rows] == ["self_blending", "face_warping"]
    assert found.rows[0].cell.counts.fakes == 24
    # Self-blending changes some originals, too; only those as they came are compared with.
    assert found.rows[0].cell.counts.reals == 24
    page = (tmp_path / PAGE).read_text()
    assert "face_warping" in page
    assert "self_blending" in (tmp_path / TABLE).read_text()
    said.clear()
    run_families(plan, place)
    assert not any("scores" in line for line in said)
    run_families(FamiliesPlan(replace(study, seed=12)), place)
    assert any("scores" in line for line in said)
