"""Runs of generators as makers of training faces, one untrained generator of each use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'forge' is not installed")

from tests.forge.stores import held_store, untrained_run

from unmask.datasets.shards_write import read_meta
from unmask.errors import UsageError
from unmask.forge.face_forgers import FACE_DONOR, FILM_DONOR, NO_DONOR, forger_of
from unmask.forge.forged_data_set import ForgingPlan, forge_data_set
from unmask.forge.forged_samples import SampleMaker
from unmask.generators.base import GENERATORS

if TYPE_CHECKING:
    from unmask.forge.target_faces import HeldStore
    from unmask.types import Image

PASTED = ("autoencoder_swap", "diffusion", "esrgan", "vae", "one_shot_swap")
DONORS = {"one_shot_swap": FACE_DONOR}


@pytest.fixture(scope="module")
def faces(face_models: Path, portraits: dict[str, Image]) -> HeldStore:
    return held_store(portraits)


@pytest.mark.parametrize("method", PASTED)
def test_paint_is_blended_into_the_face_alone(
    method: str, faces: HeldStore, tmp_path: Path
) -> None:
    if method not in GENERATORS.ids():
        pytest.skip(f"the generator {method} is not there")
    forger = forger_of(str(untrained_run(tmp_path / "run", method)))
    assert forger.donor == DONORS.get(method, NO_DONOR)
    assert forger.id.startswith(method)
    rows = np.arange(len(faces))
    splits = dict.fromkeys(faces.columns.source_id.tolist(), "train")
    made = [
        [s for source in splits for s in
         SampleMaker(faces, rows, splits, [forger], 1, 5).samples(source, [])]
        for _ in range(2)
    ]  # fmt: skip
    fakes = [one for one in made[0] if one.row["y_true"]]
    assert len(fakes) == 2
    assert all(0.01 < one.row["mask_mean"] < 0.7 for one in fakes)
    assert [one.image_png for one in made[0]] == [one.image_png for one in made[1]]


def test_an_animator_wants_a_film_to_drive_it(tmp_path: Path) -> None:
    forger = forger_of(str(untrained_run(tmp_path / "run", "first_order_motion")))
    assert forger.donor == FILM_DONOR


def test_consent_and_digests_of_runs_go_into_the_metadata(faces: HeldStore, tmp_path: Path) -> None:
    run = untrained_run(tmp_path / "run", "autoencoder_swap", consent="Both agreed on 1 May")
    forge_data_set(
        faces, [forger_of(str(run))], tmp_path / "set", ForgingPlan(splits={"train": 1.0})
    )
    meta = read_meta(tmp_path / "set" / "manifest.parquet")
    (facts,) = meta["methods"]
    assert list(meta["consent"].values()) == ["Both agreed on 1 May"]
    assert len(facts["weights_sha256"]) == len(facts["run_digest"]) == 64
    assert facts["trained_on"] == ["portraits"]


def test_parts_of_a_run(tmp_path: Path) -> None:
    run = untrained_run(tmp_path / "run", "diffusion")
    assert "-whole-" in forger_of(f"{run}#whole").id
    with pytest.raises(UsageError, match="no part"):
        forger_of(f"{run}#half")
