"""Compressed copies of raw films: the same frames at the same times, smaller."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from unmask.datasets.compress import RECORD, Made, compress, jobs_of, transcode
from unmask.errors import CorruptMedia, InputError, NotFound, UnsupportedMedia, UsageError
from unmask.media import Sampling, open_media, write_film, write_picture
from unmask.types import Frame, Limits

FRAMES = 9


def pictures(side: int = 128) -> Iterator[np.ndarray]:
    """Blobs that move over noise: what x264 has something to leave out of."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 9, (side, side, 3))
    for number in range(FRAMES):
        image = np.full((side, side, 3), 90.0) + noise
        cv2.circle(image, (30 + 4 * number, 60), 24, (220, 160, 140), -1)
        yield image.clip(0, 255).astype(np.uint8)


def frames_of(path: Path) -> list[Frame]:
    with open_media(path, limits=Limits(), sampling=Sampling(None)) as media:
        return list(media.frames())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree as FaceForensics++ has it, in small."""
    folder = tmp_path / "set"
    for part in ("original_sequences/youtube", "manipulated_sequences/Deepfakes"):
        videos = folder / part / "raw" / "videos"
        videos.mkdir(parents=True)
        write_film(videos / "000.mp4", pictures(), 12.5, crf=1)
    masks = folder / "manipulated_sequences/Deepfakes/masks/videos"
    masks.mkdir(parents=True)
    write_film(masks / "000.mp4", pictures(), 12.5)
    return folder


def test_raw_folders_become_c23_and_c40_as_the_set_s_reader_expects(
    root: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    jobs = jobs_of(root, out, [23, 40])
    made = compress(jobs, out)
    assert [one.error for one in made] == [None] * 4
    written = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.mp4"))
    assert written == [
        f"{part}/{level}/videos/000.mp4"
        for part in ("manipulated_sequences/Deepfakes", "original_sequences/youtube")
        for level in ("c23", "c40")
    ]


def test_frames_and_times_stay_and_the_error_grows_with_the_factor(
    root: Path, tmp_path: Path
) -> None:
    source = root / "original_sequences/youtube/raw/videos/000.mp4"
    raw = frames_of(source)
    sizes, errors = [], []
    for crf in (23, 40):
        target = tmp_path / f"c{crf}.mp4"
        assert transcode(source, target, crf) == FRAMES
        again = frames_of(target)
        assert [frame.pts_s for frame in again] == pytest.approx([f.pts_s for f in raw], abs=1e-3)
        gaps = [
            np.abs(one.image.astype(int) - other.image).mean()
            for one, other in zip(raw, again, strict=True)
        ]
        sizes.append(target.stat().st_size)
        errors.append(float(np.mean(gaps)))
    assert source.stat().st_size > sizes[0] > sizes[1]
    assert 1 < errors[0] < errors[1] < 20  # a shift of colour or of frames would be far more


def test_the_same_film_gives_the_same_bytes(root: Path, tmp_path: Path) -> None:
    source = root / "original_sequences/youtube/raw/videos/000.mp4"
    for name in ("a.mp4", "b.mp4"):
        transcode(source, tmp_path / name, 30)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_what_is_there_is_not_made_again_unless_its_source_is_newer(
    root: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    jobs = jobs_of(root, out, [23])
    compress(jobs, out)
    told: list[tuple[int, int, Made | None]] = []
    assert compress(jobs, out, on_progress=lambda *now: told.append(now)) == []
    assert told == [(2, 2, None)]
    ahead = jobs[0].target.stat().st_mtime + 10
    os.utime(jobs[0].source, (ahead, ahead))
    assert [one.job for one in compress(jobs, out)] == [jobs[0]]


def test_a_broken_film_is_named_and_leaves_nothing(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    broken = root / "original_sequences/youtube/raw/videos/000.mp4"
    broken.write_bytes(broken.read_bytes()[: broken.stat().st_size // 2])
    text = broken.with_name("001.mp4")
    text.write_text("no film at all")
    jobs = jobs_of(root, out, [23])
    made = compress(jobs, out)
    failed = {one.job.name.rpartition("/")[2]: one.error for one in made if one.error}
    assert set(failed) == {"000.mp4", "001.mp4"}
    assert isinstance(failed["001.mp4"], UnsupportedMedia)
    assert all(isinstance(error, InputError) for error in failed.values())
    assert len(list(out.rglob("*.mp4"))) == 1
    assert not list(out.rglob(".*"))


def test_an_odd_size_loses_its_last_row(tmp_path: Path) -> None:
    import av

    source = tmp_path / "odd.avi"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 65, 49, "bgr0"
        for image in pictures(65):
            frame = av.VideoFrame.from_ndarray(image[:49].copy(), format="rgb24")
            container.mux(stream.encode(frame.reformat(format="bgr0")))
        container.mux(stream.encode(None))
    assert transcode(source, tmp_path / "even.mp4", 10) == FRAMES
    frames = frames_of(tmp_path / "even.mp4")
    assert frames[0].image.shape == (48, 64, 3)
    first = next(pictures(65))[:48, :64]
    assert np.abs(frames[0].image.astype(int) - first).mean() < 12


def test_a_plain_folder_goes_below_c23_and_is_not_compressed_twice(tmp_path: Path) -> None:
    (tmp_path / "films" / "a").mkdir(parents=True)
    write_film(tmp_path / "films" / "a" / "x.mp4", pictures(), 10)
    jobs = jobs_of(tmp_path / "films", tmp_path / "films", [23])
    compress(jobs, tmp_path / "films")
    assert jobs_of(tmp_path / "films", tmp_path / "films", [23]) == jobs
    assert (tmp_path / "films" / "c23" / "a" / "x.mp4").is_file()


def test_clashes_other_ways_and_empty_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no film"):
        jobs_of(tmp_path, tmp_path / "out", [23])
    write_film(tmp_path / "x.mp4", pictures(), 10)
    (tmp_path / "x.avi").write_bytes(b"RIFF")
    with pytest.raises(UsageError, match=r"x.avi and x.mp4"):
        compress(jobs_of(tmp_path, tmp_path / "out", [23]), tmp_path / "out")
    (tmp_path / "x.avi").unlink()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / RECORD).write_text('{"codec": "mpeg4"}')
    with pytest.raises(UsageError, match="mpeg4"):
        compress(jobs_of(tmp_path, tmp_path / "out", [23]), tmp_path / "out")


def test_a_picture_is_no_film(tmp_path: Path) -> None:
    write_picture(tmp_path / "x.png", next(pictures()))
    (tmp_path / "x.png").rename(tmp_path / "x.mp4")
    with pytest.raises(UnsupportedMedia, match="no film"):
        transcode(tmp_path / "x.mp4", tmp_path / "y.mp4", 23)
    assert not (tmp_path / "y.mp4").exists()


def test_a_film_cut_short_at_its_end_is_refused(tmp_path: Path) -> None:
    write_film(tmp_path / "x.mp4", pictures(), 10, crf=1)
    data = (tmp_path / "x.mp4").read_bytes()
    (tmp_path / "x.mp4").write_bytes(data[: int(len(data) * 0.8)])
    with pytest.raises(CorruptMedia, match=r"cut short|could be decoded|ended early"):
        transcode(tmp_path / "x.mp4", tmp_path / "y.mp4", 23)
