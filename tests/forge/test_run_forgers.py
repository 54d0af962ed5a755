"""Runs of generators as makers of training faces, one untrained generator of each use."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'forge' is not installed")

from tests.forge.stores import held_store, untrained_run

from unmask.datasets.shards import ShardStore
from unmask.datasets.shards_write import read_meta
from unmask.errors import UsageError
from unmask.forge.extraction import extract
from unmask.forge.face_forgers import (
    CLIP_FRAMES,
    FACE_DONOR,
    FILM_DONOR,
    NO_DONOR,
    SPEECH_DONOR,
    forger_of,
)
from unmask.forge.forged_data_set import ForgingPlan, forge_data_set
from unmask.forge.forged_samples import SampleMaker
from unmask.forge.run_forgers import LipSyncForger
from unmask.forge.target_faces import open_faces
from unmask.generators.base import GENERATORS
from unmask.media import write_film

if TYPE_CHECKING:
    from unmask.forge.target_faces import HeldStore
    from unmask.train.footage import Footage
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


@pytest.fixture(scope="module")
def spoken(
    face_models: Path, portraits: dict[str, Image], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Films of two people, ten frames each; the first hums low, the second high."""
    folder = tmp_path_factory.mktemp("spoken")
    for name, pitch in zip(portraits, (110, 440), strict=True):
        with wave.open(str(folder / "hum.wav"), "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(16_000)
            tone = np.sin(np.arange(32_000) / 16_000 * 2 * np.pi * pitch) * 9000
            sound.writeframes(tone.astype("<i2").tobytes())
        image = portraits[name]
        side = min(image.shape[:2]) - 20
        frames = [image[:side, 2 * n : 2 * n + side] for n in range(10)]
        write_film(folder / f"{name}.mp4", frames, 25, audio_from=folder / "hum.wav")
    (folder / "hum.wav").unlink()
    return folder


@pytest.mark.parametrize("extracted", [False, True])
def test_lips_move_to_what_the_other_person_says(
    spoken: Path, tmp_path: Path, extracted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    forger = forger_of(str(untrained_run(tmp_path / "run", "wav2lip")))
    assert (forger.donor, forger.frames) == (SPEECH_DONOR, CLIP_FRAMES)
    if extracted:
        extract(sorted(spoken.glob("*.mp4")), tmp_path / "faces")
    store = open_faces(tmp_path / "faces" if extracted else spoken)
    heard: dict[str, float] = {}
    dub = type(forger).dub

    def listen(self: LipSyncForger, target: Footage, pts_s: Any, speech: Any, rng: Any) -> Any:
        assert pts_s == pytest.approx(np.arange(CLIP_FRAMES) / 25, abs=1e-3)
        tone = np.abs(np.fft.rfft(speech))
        made = dub(self, target, pts_s, speech, rng)
        heard[str(len(heard))] = float(tone.argmax()) * 16_000 / len(speech)
        for image, before, mask in zip(made.images, made.originals, made.masks, strict=True):
            assert (image != before).any()
            assert not (image != before)[mask == 0].any()
        return made

    monkeypatch.setattr(LipSyncForger, "dub", listen)
    made = forge_data_set(store, [forger], tmp_path / "set", ForgingPlan(splits={"train": 1.0}))
    assert not [loss for loss in made.losses if loss.lost == "all"]
    columns = ShardStore(tmp_path / "set").columns
    assert made.by_method[forger.id] == 2 * CLIP_FRAMES
    order = [str(one).rpartition("~")[0] for one in columns.video_id[columns.y_true == 1]]
    films = list(dict.fromkeys(order))
    pitch = {"astronaut": 110, "hopper": 440}
    for film, tone in zip(films, heard.values(), strict=True):
        own = pitch["astronaut" if "astronaut" in film else "hopper"]
        assert tone == pytest.approx(550 - own, rel=0.05)  # the other one's


def test_lips_need_films_with_sound(faces: HeldStore, tmp_path: Path) -> None:
    forger = forger_of(str(untrained_run(tmp_path / "run", "wav2lip")))
    with pytest.raises(UsageError, match="two people with sound"):
        forge_data_set(faces, [forger], tmp_path / "set", ForgingPlan(splits={"train": 1.0}))


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
