"""Film in, labelled film out: sound kept, resumable, masks kept, bad input named."""

from __future__ import annotations

import errno
import shutil
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from unmask.errors import ConsentMissing, InputError, OutputRefused, UsageError
from unmask.forge.alignments import read_alignments
from unmask.forge.converting import ConvertSettings, convert
from unmask.forge.paint_plan import PaintRequest
from unmask.forge.preview_sheet import write_preview
from unmask.media import Sampling, open_media, write_film, write_picture
from unmask.provenance import read_credentials
from unmask.types import Limits

CONSENT = "Both portraits are in the public domain; for a test"
SETTINGS = ConvertSettings(consent=CONSENT)

pytest.importorskip("c2pa", reason="the extra 'forge' is not installed")


def frames_of(path):
    with open_media(path, limits=Limits(), sampling=Sampling(None)) as media:
        return media.info, [frame.image for frame in media.frames()]


@pytest.fixture(scope="module")
def hopper(portraits, face_models, tmp_path_factory) -> PaintRequest:
    """Paints Grace Hopper, by the landmark swap."""
    path = tmp_path_factory.mktemp("identity") / "hopper.png"
    write_picture(path, portraits["hopper"])
    return PaintRequest(None, identity=path)


@pytest.fixture
def film(portrait, tmp_path) -> Path:
    """Ten frames: a portrait that moves, but for the fourth and fifth, which show a wall."""
    wall = np.full((384, 384, 3), (90, 120, 60), np.uint8)
    frames = [portrait[:384, 2 * n : 2 * n + 384] if n not in {3, 4} else wall for n in range(10)]
    write_film(tmp_path / "in.mp4", frames, 10, crf=5)
    return tmp_path / "in.mp4"


def test_a_film_is_forged_labelled_and_its_masks_kept(film, hopper, tmp_path):
    settings = ConvertSettings(consent=CONSENT, keep_masks=tmp_path / "kept")
    made = convert(film, tmp_path / "out.mp4", hopper, settings)
    assert (made.frames, made.forged) == (10, 8)
    assert any("2 of 10 frames show no such face" in note for note in made.notes)
    info, after = frames_of(tmp_path / "out.mp4")
    _, before = frames_of(film)
    assert (info.frame_count, info.frame_rate) == (10, 10)
    records = read_alignments(tmp_path / "kept").faces
    assert [record.frame for record in records] == [0, 1, 2, 5, 6, 7, 8, 9]
    upper = slice(0, 340)  # the visible mark covers the lowest rows
    for record in records:
        _, (mask,) = frames_of(tmp_path / "kept" / record.file)
        changed = np.abs(after[record.frame].astype(int) - before[record.frame]).mean(2)[upper]
        inside, outside = mask[upper, :, 0] > 200, mask[upper, :, 0] == 0
        assert changed[inside].mean() > 2.5 * changed[outside].mean()
    assert np.abs(after[3].astype(int) - before[3])[upper].mean() < 4  # went through
    assert read_credentials(tmp_path / "out.mp4").status.value in {"valid", "trusted"}
    assert not list(tmp_path.glob(".*"))  # neither work nor half a film is left
    shutil.rmtree(tmp_path / "kept" / "masks")  # what is left could be an extraction
    with pytest.raises(OutputRefused, match="of an extraction"):
        convert(film, tmp_path / "again.mp4", hopper, settings)


def test_what_is_refused_before_any_work(film, hopper, portraits, tmp_path):
    with pytest.raises(ConsentMissing):
        convert(film, tmp_path / "out.mp4", hopper, ConvertSettings())
    with pytest.raises(UsageError, match="is a film"):
        convert(film, tmp_path / "out.png", hopper, SETTINGS)
    with pytest.raises(UsageError, match="input itself"):
        convert(film, film, hopper, SETTINGS)
    with pytest.raises(UsageError, match="none came"):
        convert(film, tmp_path / "out.mp4", PaintRequest(None), SETTINGS)
    wall = tmp_path / "wall.png"
    write_picture(wall, np.full((200, 200, 3), 90, np.uint8))
    with pytest.raises(InputError, match=r"No face was found in wall\.png"):
        convert(film, tmp_path / "out.mp4", PaintRequest(None, identity=wall), SETTINGS)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        "in.mp4", "wall.png",
    ]  # fmt: skip


def test_a_film_without_faces(hopper, tmp_path):
    write_film(tmp_path / "wall.mp4", [np.full((160, 160, 3), 90, np.uint8)] * 4, 25)
    with pytest.raises(InputError, match=r"No face was found in wall\.mp4 \(4 frames"):
        convert(tmp_path / "wall.mp4", tmp_path / "out.mp4", hopper, SETTINGS)
    assert not (tmp_path / "out.mp4").exists()


def test_an_interrupted_conversion_goes_on(film, hopper, tmp_path, monkeypatch):
    monkeypatch.setattr("unmask.forge.converting._CHUNK_FRAMES", 2)
    told: list[tuple[str, int]] = []

    def stop(what, done, total):
        told.append((what, done))
        if (what, done) == ("painting faces", 4):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(film, tmp_path / "out.mp4", hopper, SETTINGS, on_progress=stop)
    assert not (tmp_path / "out.mp4").exists()
    work = tmp_path / ".out.mp4.unmask-work"
    first = {path.name: path.stat().st_mtime_ns for path in work.glob("*.patch")}
    assert len(first) == 4
    again: list[tuple[str, int]] = []

    def watch(what, done, total):
        again.append((what, done))
        if what == "writing the film" and done == 1:
            here = {path.name: path.stat().st_mtime_ns for path in work.glob("*.patch")}
            assert first.items() <= here.items()  # nothing was painted twice
            assert len(here) == 8

    convert(film, tmp_path / "out.mp4", hopper, SETTINGS, on_progress=watch)
    assert [done for what, done in again if what == "painting faces"] == [6, 8]
    assert not work.exists()


def test_a_full_disk_loses_nothing(film, hopper, tmp_path, monkeypatch):
    write_bytes = Path.write_bytes

    def full(self, data):
        if self.suffix == ".partial" and self.stem.startswith("0000006"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_bytes(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputRefused, match="No space left") as caught:
        convert(film, tmp_path / "out.mp4", hopper, SETTINGS)
    assert "goes on" in caught.value.hint
    assert not (tmp_path / "out.mp4").exists()
    assert len(list((tmp_path / ".out.mp4.unmask-work").glob("*.patch"))) == 4


def test_trim(film, hopper, tmp_path):
    settings = ConvertSettings(consent=CONSENT, start_s=0.5, end_s=0.9)
    made = convert(film, tmp_path / "out.mp4", hopper, settings)
    assert (made.frames, made.forged) == (4, 4)
    assert frames_of(tmp_path / "out.mp4")[0].duration_s == pytest.approx(0.4)
    with pytest.raises(InputError, match="no frame between 7 s"):
        convert(film, tmp_path / "late.mp4", hopper, ConvertSettings(consent=CONSENT, start_s=7))


def test_a_picture_and_an_input_that_is_signed_already(portrait_file, hopper, tmp_path):
    made = convert(portrait_file, tmp_path / "out.png", hopper, SETTINGS)
    assert made.forged == 1
    state = read_credentials(tmp_path / "out.png")
    again = convert(tmp_path / "out.png", tmp_path / "twice.jpg", hopper, SETTINGS)
    assert again.forged == 1
    twice = read_credentials(tmp_path / "twice.jpg")
    assert state.digital_source_types == twice.digital_source_types
    assert twice.status.value in {"valid", "trusted"}
    with pytest.raises(UsageError, match="is a picture"):
        convert(portrait_file, tmp_path / "out.mp4", hopper, SETTINGS)


def test_the_preview_shows_every_way(portrait_file, hopper, tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr("unmask.forge.preview_sheet.write_labelled_sheet",
                        lambda *given, **_: written.append(given))  # fmt: skip
    write_preview(portrait_file, tmp_path / "sheet.jpg", hopper, SETTINGS)
    ((path, sheet, label),) = written  # it has no other way out than with its label
    assert (path.name, label.method, label.consent) == ("sheet.jpg", "landmark_swap", CONSENT)
    assert sheet.shape == (6 * 196, 7 * 176, 3)
    cells = sheet.reshape(6, 196, 7, 176, 3)[:, 20:].swapaxes(1, 2)[:, 1:]
    distinct = {cell.tobytes() for row in cells for cell in row}
    assert len(distinct) == 36  # every mask, colour and blend gives another picture
    with pytest.raises(ConsentMissing):
        write_preview(portrait_file, tmp_path / "b.jpg", hopper)
    with pytest.raises(InputError, match="no frame 9"):
        write_preview(portrait_file, tmp_path / "b.jpg", hopper, SETTINGS, frame=9)


def test_a_frame_of_a_film_that_changes_its_rate_is_found(portrait, hopper, tmp_path, monkeypatch):
    """Ten frames a tenth of a second apart, then four that last seconds: 14 frames in 14 s."""
    times_s = [n / 10 for n in range(10)] + [4.0, 7.0, 10.0, 13.0]
    path = tmp_path / "changing.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=10, options={"crf": "5"})
        stream.width = stream.height = 384
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, at_s in enumerate(times_s):
            image = portrait[:384, 2 * number : 2 * number + 384].copy()
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = round(at_s * 1000), Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    painted = []
    monkeypatch.setattr("unmask.forge.preview_sheet._sheet",
                        lambda sample, *_: painted.append(sample.frame))  # fmt: skip
    monkeypatch.setattr("unmask.forge.preview_sheet.write_labelled_sheet", lambda *_, **__: None)
    _, frames = frames_of(path)
    assert len(frames) == 14
    for number in (4, 12):
        write_preview(path, tmp_path / "sheet.jpg", hopper, SETTINGS, frame=number)
        assert np.array_equal(painted.pop(), frames[number])


def test_damaged_sound_is_said(film, hopper, tmp_path, monkeypatch):
    monkeypatch.setattr("unmask.forge.converting.has_sound", lambda _: True)
    monkeypatch.setattr("unmask.forge.converting.sound_damage", lambda _: "at 1.2 s: broken")
    settings = ConvertSettings(consent=CONSENT, end_s=0.2)
    made = convert(film, tmp_path / "out.mp4", hopper, settings)
    assert "The sound of in.mp4 is damaged (at 1.2 s: broken); the rest was kept." in made.notes


def test_a_trained_run_paints_with_its_own_mask(film, two_people, tmp_path, monkeypatch):
    from unmask.forge.run_record import record_of
    from unmask.forge.training import GeneratorRun, Schedule
    from unmask.generators.autoencoder_swap import AutoencoderSwap

    config = AutoencoderSwap.config_class.from_mapping(AutoencoderSwap.small)
    record = record_of(AutoencoderSwap.spec, config, two_people, consent=CONSENT)
    monkeypatch.setattr(GeneratorRun, "write_preview", lambda _run: None)
    GeneratorRun(record, config, two_people, tmp_path / "run").train(Schedule(1))
    request = PaintRequest(tmp_path / "run", to_other=False)
    settings = ConvertSettings(consent=CONSENT, end_s=0.2, keep_masks=tmp_path / "kept")
    with pytest.raises(ConsentMissing):  # what was agreed to for training is not enough
        convert(film, tmp_path / "out.mp4", request, ConvertSettings())
    convert(film, tmp_path / "out.mp4", request, settings)
    assert read_alignments(tmp_path / "kept").size_px == config.size_px
