"""Films and pictures to faces: resumable, honest about what is missing, readable as material."""

from __future__ import annotations

import shutil
import wave
from pathlib import Path

import cv2
import numpy as np
import pytest

from unmask.errors import InputError, NotFound, UsageError
from unmask.forge import extraction
from unmask.forge.alignments import FILE, read_alignments
from unmask.forge.cutting import CutSettings
from unmask.forge.extraction import JOURNAL, extract
from unmask.forge.following import Choice
from unmask.forge.material_of import read_material
from unmask.forge.sources import face_sources
from unmask.media import write_film, write_picture

SMALL = CutSettings(size_px=96)


@pytest.fixture(scope="module")
def couple(portraits):
    """(384, 768, 3): two people side by side, the first larger."""
    astronaut = portraits["astronaut"][:384, 40:424]
    hopper = np.full((384, 384, 3), 120, np.uint8)
    small = portraits["hopper"][:420:3, :480:3]
    hopper[: small.shape[0], : small.shape[1]] = small
    return np.concatenate([astronaut, hopper], 1)


def test_a_film_becomes_sorted_faces_and_is_read_as_material(portrait_film, face_models, tmp_path):
    made = extract([portrait_film], tmp_path / "a", settings=SMALL)
    files = [face.file for face in made.alignments.faces]
    assert files == sorted(files) == [f"faces/portrait_mp4_{n:06d}.png" for n in range(20)]
    assert (tmp_path / "a" / "contact_sheet.jpg").is_file()
    assert not (tmp_path / "a" / JOURNAL).exists()
    assert any("20 faces are few" in note for note in made.notes())
    (kept,) = read_material([tmp_path / "a"], size_px=64, margin=1.2)
    (direct,) = read_material([portrait_film], size_px=64, margin=1.2)
    assert kept.images.shape == (20, 64, 64, 3)
    np.testing.assert_allclose(kept.landmarks, direct.landmarks, atol=0.1)
    np.testing.assert_allclose(kept.pts_s, direct.pts_s, atol=1e-6)
    for one, other in zip(kept.images, direct.images, strict=True):
        grey = [image.astype(np.float32).mean(2) for image in (one, other)]
        shift, _ = cv2.phaseCorrelate(*grey)
        assert np.abs(shift).max() < 0.15
    with pytest.raises(UsageError, match=r"margin 1\.5; 2 is needed"):
        read_material([tmp_path / "a"], size_px=64, margin=2.0)
    with pytest.raises(UsageError, match="follows the head"):
        read_material([tmp_path / "a"], size_px=64, margin=1.5, one_region=True)
    with pytest.raises(InputError, match="no sound"):
        read_material([tmp_path / "a"], size_px=64, margin=1.5, audio=True)


def test_an_interrupted_extraction_ends_as_one_that_was_not(portrait_film, face_models, tmp_path):
    def stop(name, done, total):
        assert (name, total) == ("portrait.mp4", 20)
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract([portrait_film], tmp_path / "a", settings=SMALL, on_progress=stop)
    assert not (tmp_path / "a" / FILE).exists()
    torn = tmp_path / "a" / JOURNAL
    torn.write_bytes(torn.read_bytes()[:-40])  # as a kill in the middle of a line leaves it
    extract([portrait_film], tmp_path / "a", settings=SMALL)
    extract([portrait_film], tmp_path / "b", settings=SMALL)
    assert (tmp_path / "a" / FILE).read_bytes() == (tmp_path / "b" / FILE).read_bytes()
    assert extract([portrait_film], tmp_path / "a", settings=SMALL).was_there
    with pytest.raises(UsageError, match="other settings"):
        extract([portrait_film], tmp_path / "a", settings=CutSettings(size_px=64))
    (tmp_path / "a" / "faces" / "mine.txt").write_text("kept")
    few = extract([portrait_film], tmp_path / "a", settings=SMALL, choice=Choice(every=5),
                  fresh=True)  # fmt: skip
    assert [face.frame for face in few.alignments.faces] == [0, 5, 10, 15]
    assert len(list((tmp_path / "a" / "faces").iterdir())) == 5


def test_fresh_takes_away_what_a_stop_left(portrait_film, face_models, tmp_path, monkeypatch):
    """Killed while cutting: nothing but the journal knows what was written."""
    folder, write = tmp_path / "a", extraction.write_picture

    def dies(path, image):
        if path.stem.endswith("000007"):
            raise KeyboardInterrupt
        write(path, image)

    monkeypatch.setattr(extraction, "write_picture", dies)
    for other in (False, True):
        with pytest.raises(KeyboardInterrupt):
            extract([portrait_film], folder, settings=SMALL)
        assert len(list((folder / "faces").iterdir())) == 7
        (folder / "faces" / "mine.png").write_bytes(b"kept")
        # By --fresh, and by another extraction, which cannot go on with this one.
        made = extract([portrait_film], folder, settings=CutSettings(size_px=64),
                       choice=Choice(every=6, start_s=0.05), fresh=not other)  # fmt: skip
        there = sorted(path.name for path in (folder / "faces").iterdir())
        assert there == sorted([*(Path(f.file).name for f in made.alignments.faces), "mine.png"])
        assert len(there) in {3, 4, 5}
        shutil.rmtree(folder)


def test_fresh_takes_the_sound_away(face_models, portrait, tmp_path):
    with wave.open(str(tmp_path / "a.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16000)
        tone = np.sin(np.arange(16000) / 8) * 9000
        sound.writeframes(tone.astype("<i2").tobytes())
    still = portrait[:256, 100:356]
    write_film(tmp_path / "loud.mp4", [still] * 5, 25, audio_from=tmp_path / "a.wav")
    write_film(tmp_path / "mute.mp4", [still] * 5, 25)
    extract([tmp_path / "loud.mp4"], tmp_path / "out", settings=SMALL)
    assert [path.name for path in (tmp_path / "out" / "audio").iterdir()] == ["loud_mp4.wav"]
    extract([tmp_path / "mute.mp4"], tmp_path / "out", settings=SMALL, fresh=True)
    assert not (tmp_path / "out" / "audio").exists()
    assert {path.name[:8] for path in (tmp_path / "out" / "faces").iterdir()} == {"mute_mp4"}


def test_names_that_look_alike_do_not_write_over_each_other(portraits, face_models, tmp_path):
    for name, image in (("a b.png", portraits["hopper"]), ("a_b.png", portraits["astronaut"])):
        write_picture(tmp_path / name, image)
    paths = [tmp_path / "a b.png", tmp_path / "a_b.png", tmp_path / "a_b.png"]
    sources = face_sources(paths)
    assert [one.name for one in sources] == ["a b.png", "a_b.png", "a_b.png~2"]
    assert len({one.stem for one in sources}) == 3
    made = extract(paths[:2], tmp_path / "out", settings=SMALL)
    first, second = (
        cv2.imread(str(tmp_path / "out" / face.file)) for face in made.alignments.faces
    )
    assert np.abs(first.astype(int) - second).mean() > 10


def test_two_people(couple, face_models, tmp_path):
    write_film(tmp_path / "two.mp4", [couple] * 6, 25)
    one = extract([tmp_path / "two.mp4"], tmp_path / "one", settings=SMALL)
    assert {face.face for face in one.alignments.faces} == {0}
    assert any("2 people" in note for note in one.notes())
    both = extract([tmp_path / "two.mp4"], tmp_path / "both",
                   settings=CutSettings(size_px=96, which="all"))  # fmt: skip
    assert len(both.alignments.faces) == 12
    assert len(list((tmp_path / "both" / "faces" / "person_2").iterdir())) == 6
    tracks = read_material([tmp_path / "both"], size_px=32, margin=1.5)
    assert [len(track) for track in tracks] == [6, 6]
    assert len({track.person for track in tracks}) == 2
    second = extract([tmp_path / "two.mp4"], tmp_path / "second",
                     settings=CutSettings(size_px=96, which=2))  # fmt: skip
    assert {face.face for face in second.alignments.faces} == {1}
    with pytest.raises(UsageError, match="shows 2 people"):
        extract([tmp_path / "two.mp4"], tmp_path / "third",
                settings=CutSettings(size_px=96, which=3))  # fmt: skip


def test_a_folder_of_pictures(portraits, face_models, tmp_path):
    pictures = tmp_path / "pictures"
    for name, image in portraits.items():
        (pictures / name).mkdir(parents=True)
        write_picture(pictures / name / "a.png", image)
    write_picture(pictures / "wall.png", np.full((64, 64, 3), 90, np.uint8))
    (pictures / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing more")
    left_out: dict[str, str] = {}
    direct = read_material(
        [pictures], size_px=32, margin=1.5, on_left_out=lambda *told: left_out.update([told])
    )
    assert len(direct) == 2
    assert sorted(left_out) == ["broken.jpg", "wall.png"]
    assert left_out["wall.png"] == "No face was found."
    made = extract([pictures], tmp_path / "a", settings=SMALL)
    assert [face.source for face in made.alignments.faces] == ["astronaut/a.png", "hopper/a.png"]
    notes = " ".join(made.notes())
    assert "broken.jpg was left out" in notes
    assert "1 of 3 frames and pictures show no face" in notes
    tracks = read_material([tmp_path / "a"], size_px=32, margin=1.5)
    assert [(track.person, len(track)) for track in tracks] == [("astronaut", 1), ("hopper", 1)]
    shutil.rmtree(tmp_path / "a" / "faces" / "person_2", ignore_errors=True)
    (tmp_path / "a" / made.alignments.faces[0].file).unlink()
    assert len(read_material([tmp_path / "a"], size_px=32, margin=1.5)) == 1


def test_nothing_to_extract(face_models, tmp_path):
    write_film(tmp_path / "wall.mp4", [np.full((64, 96, 3), 90, np.uint8)] * 5, 25)
    with pytest.raises(InputError, match="No face was found in 5 frames"):
        extract([tmp_path / "wall.mp4"], tmp_path / "a", settings=SMALL)
    with pytest.raises(InputError, match="No face was found in wall"):
        read_material([tmp_path / "wall.mp4"], size_px=32, margin=1.5)
    with pytest.raises(NotFound, match=r"nothing at .*absent"):
        extract([tmp_path / "absent.mp4"], tmp_path / "a", settings=SMALL)
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFound, match="no picture or film"):
        extract([tmp_path / "empty"], tmp_path / "a", settings=SMALL)
    assert read_no_alignments(tmp_path / "a")


def read_no_alignments(folder):
    with pytest.raises(NotFound):
        read_alignments(folder)
    return True
