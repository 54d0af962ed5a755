"""Forged data sets: what is stored, that it is the same every time, and that it says what it is."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'forge' is not installed")
pytest.importorskip("pyarrow", reason="the extra 'train' is not installed")

from tests.forge.stores import held_store

from unmask.cli import main
from unmask.datasets.shards import ShardStore
from unmask.datasets.shards_write import read_meta
from unmask.errors import ConsentMissing, UnknownEntry, UsageError
from unmask.forge.face_forgers import forger_of, forgers_of
from unmask.forge.forged_data_set import ForgingPlan, forge_data_set

if TYPE_CHECKING:
    from unmask.forge.target_faces import HeldStore
    from unmask.types import Image

METHODS = ["self_blending", "landmark_swap", "face_warping"]
ONE_SPLIT = {"train": 1.0}


@pytest.fixture(scope="module")
def faces(face_models: Path, portraits: dict[str, Image]) -> HeldStore:
    assert face_models.is_dir()
    return held_store(portraits, copies=2)


@pytest.fixture(scope="module")
def made(faces: HeldStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("forged") / "set"
    forge_data_set(faces, forgers_of(METHODS), folder, ForgingPlan(splits=ONE_SPLIT, per_face=2))
    return folder


def test_every_face_is_there_once_and_forged_by_every_method(made: Path) -> None:
    columns = ShardStore(made).columns
    for source in np.unique(columns.source_id):
        mine = columns.method[columns.source_id == source]
        assert [int((mine == name).sum()) for name in METHODS] == [2, 2, 2]
        # Self-blending may change the surroundings: what it calls real is stored, too.
        assert 1 <= int((mine == "real").sum()) <= 3
    assert set(columns.data_set) == {"forged"}
    assert (columns.y_true == (columns.method != "real")).all()


def test_masks_cover_what_changed_and_pixels_carry_no_mark(made: Path) -> None:
    """Away from the mask a forgery is its original, to the last bit: there is no mark."""
    store = ShardStore(made)
    columns = store.columns
    checked = 0
    for row in np.flatnonzero(columns.method == "face_warping"):
        source = columns.source_id == columns.source_id[row]
        real = np.flatnonzero(source & (columns.method == "real"))[0]
        fake, original = store.face(int(row)), store.face(int(real))
        assert fake.mask is not None
        changed = (fake.image != original.image).any(2)
        assert changed.sum() > 200
        assert not changed[fake.mask == 0].any()
        checked += 1
    assert checked == 8


def test_shards_and_manifest_say_that_they_are_synthetic(made: Path) -> None:
    for path in [made / "manifest.parquet", *sorted((made / "shards").glob("*.parquet"))]:
        meta = read_meta(path)
        assert meta["synthetic"] is True
        assert [one["id"] for one in meta["methods"]] == METHODS
        assert meta["seed"] == 0
    with tarfile.open(next((made / "shards").glob("*.tar"))) as tar:
        facts = [json.load(tar.extractfile(one)) for one in tar if one.name.endswith(".json")]
    assert all(one.get("synthetic", False) == bool(one["y_true"]) for one in facts)
    assert "Not for publication" in (made / "README.md").read_text()


def test_the_same_seed_gives_the_same_bytes_and_a_kill_loses_one_shard(
    faces: HeldStore, tmp_path: Path
) -> None:
    plan = ForgingPlan(splits=ONE_SPLIT, faces_per_shard=8)
    forgers = forgers_of(METHODS)
    forge_data_set(faces, forgers, tmp_path / "whole", plan)

    class Killed(Exception):
        pass

    def kill(now: object) -> None:
        if now.sources >= 2:  # type: ignore[attr-defined]
            raise Killed

    with pytest.raises(Killed):
        forge_data_set(faces, forgers, tmp_path / "killed", plan, on_progress=kill)
    assert not (tmp_path / "killed" / "manifest.parquet").exists()
    again = forge_data_set(faces, forgers, tmp_path / "killed", plan)
    assert 0 < again.shards_made < len(list((tmp_path / "whole" / "shards").glob("*.tar")))
    for tar in sorted((tmp_path / "whole" / "shards").glob("*.tar")):
        assert (tmp_path / "killed" / "shards" / tar.name).read_bytes() == tar.read_bytes()
    other = ForgingPlan(splits=ONE_SPLIT, faces_per_shard=8, seed=1)
    with pytest.raises(UsageError, match="seed"):
        forge_data_set(faces, forgers, tmp_path / "killed", other)


def test_splits_keep_sources_together(faces: HeldStore, tmp_path: Path) -> None:
    plan = ForgingPlan(splits={"train": 0.5, "val": 0.5})
    forge_data_set(faces, forgers_of(["face_warping"]), tmp_path / "set", plan)
    columns = ShardStore(tmp_path / "set").columns
    for source in np.unique(columns.source_id):
        assert len(np.unique(columns.split[columns.source_id == source])) == 1


def test_clips_bring_their_own_originals(
    face_models: Path, portraits: dict[str, Image], tmp_path: Path
) -> None:
    faces = held_store(portraits, frames=8)
    forge_data_set(
        faces, [forger_of("self_blended_video")], tmp_path / "set", ForgingPlan(splits=ONE_SPLIT)
    )
    columns = ShardStore(tmp_path / "set").columns
    fakes = columns.y_true == 1
    for video in np.unique(columns.video_id[fakes]):
        assert columns.frame_index[columns.video_id == video].tolist() == list(range(8))
    originals = np.char.find(columns.video_id, "-original") > 0
    assert originals.sum() == fakes.sum() == 16


def test_clips_are_as_long_as_was_asked(
    face_models: Path, portraits: dict[str, Image], tmp_path: Path
) -> None:
    faces = held_store(portraits, frames=5)
    plan = ForgingPlan(splits=ONE_SPLIT)
    made = forge_data_set(faces, forgers_of(["face_flicker"], 5), tmp_path / "set", plan)
    assert made.by_method["face_flicker"] == 2 * 5
    with pytest.raises(UsageError, match="frames of face_flicker"):
        forge_data_set(faces, forgers_of(["face_flicker"], 4), tmp_path / "set", plan)
    with pytest.raises(UsageError, match="at least 2"):
        forgers_of(["face_flicker"], 1)


def test_a_person_alone_cannot_be_swapped(
    face_models: Path, portraits: dict[str, Image], tmp_path: Path
) -> None:
    alone = held_store({"hopper": portraits["hopper"]})
    with pytest.raises(UsageError, match="two people"):
        forge_data_set(alone, forgers_of(["landmark_swap"]), tmp_path / "set")


def test_statements_of_consent_are_agreed_and_stay(faces: HeldStore, tmp_path: Path) -> None:
    folder, forgers = tmp_path / "set", forgers_of(["face_warping"])
    first = ForgingPlan(splits=ONE_SPLIT, consent="Both agreed on 1 May")
    forge_data_set(faces, forgers, folder, first)
    scope = json.loads((folder / "preparation.json").read_text())
    assert scope["options"]["consent"] == "data set: Both agreed on 1 May"
    other = ForgingPlan(splits=ONE_SPLIT, consent="Somebody else agreed")
    with pytest.raises(UsageError, match="consent=data set: So"):
        forge_data_set(faces, forgers, folder, other)
    assert read_meta(folder / "manifest.parquet")["consent"] == {"data set": "Both agreed on 1 May"}
    for unfit in ("agreed", "agreed " * 100):
        with pytest.raises(ConsentMissing):
            ForgingPlan(consent=unfit)


def test_a_set_begun_before_statements_were_options_goes_on(
    faces: HeldStore, tmp_path: Path
) -> None:
    folder, forgers = tmp_path / "set", forgers_of(["face_warping"])
    plan = ForgingPlan(splits=ONE_SPLIT, consent="Both agreed on 1 May")
    forge_data_set(faces, forgers, folder, plan)
    scope = json.loads((folder / "preparation.json").read_text())
    del scope["options"]["consent"]
    (folder / "preparation.json").write_text(json.dumps(scope))
    assert forge_data_set(faces, forgers, folder, plan).shards_made == 0


def test_what_gives_no_face_is_counted_with_its_reason(
    face_models: Path, portraits: dict[str, Image], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from unmask.media import write_picture

    (tmp_path / "faces").mkdir()
    for name, image in (*portraits.items(), ("wall", np.full((96, 96, 3), 90, np.uint8))):
        write_picture(tmp_path / "faces" / f"{name}.png", image)
    (tmp_path / "faces" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    call = ["forge", "dataset", "face_warping", "--from", str(tmp_path / "faces"),
            "-o", str(tmp_path / "set"), "--splits", "test=1", "-q"]  # fmt: skip
    assert main(call) == 3
    told = " ".join(capsys.readouterr().err.split())
    assert "2 losses" in told
    assert "1 no_frames: No face was found" in told
    rows = (tmp_path / "set" / "left_out.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == ["broken.png", "wall.png"]


def test_unknown_methods_are_refused_by_name() -> None:
    with pytest.raises(UnknownEntry) as caught:
        forgers_of(["self_blendin"])
    assert "self_blending" in caught.value.hint
    with pytest.raises(UsageError, match="twice"):
        forgers_of(["face_warping", "face_warping"])
    with pytest.raises(UsageError, match="add up to 1"):
        ForgingPlan(splits={"train": 0.5})


def test_the_command_makes_it_from_pictures_and_data_show_reads_it(
    face_models: Path, portraits: dict[str, Image], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from unmask.media import write_picture

    for name, image in portraits.items():
        (tmp_path / "faces").mkdir(exist_ok=True)
        write_picture(tmp_path / "faces" / f"{name}.png", image)
    call = ["forge", "dataset", "self_blending", "--from", str(tmp_path / "faces"),
            "-o", str(tmp_path / "set"), "--splits", "test=1", "-q"]  # fmt: skip
    assert main(call) == 0
    assert main(["data", "show", str(tmp_path / "set")]) == 0
    told = capsys.readouterr().out
    assert "synthetic true" in told
    assert "self_blending" in told
    assert main([*call[:2], "nonsense", *call[3:]]) == 2
