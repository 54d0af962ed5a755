"""Whatever the bytes: a typed error, or frames of the right kind. Never anything else."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ImageFile
from tests.media.conftest import FILMS, animation_bytes, picture_bytes

from unmask.errors import InputError
from unmask.media import Sampling, open_media
from unmask.types import Limits

SMALL = Limits(max_pixels=10_000_000, max_frames=2000)

PICTURES = {
    "jpeg": lambda: picture_bytes("JPEG"),
    "jpeg progressive": lambda: picture_bytes("JPEG", progressive=True),
    "png": lambda: picture_bytes("PNG"),
    "webp": lambda: picture_bytes("WEBP"),
    "webp lossless": lambda: picture_bytes("WEBP", lossless=True),
    "gif": lambda: picture_bytes("GIF"),
    "bmp": lambda: picture_bytes("BMP"),
    "tiff": lambda: picture_bytes("TIFF"),
    "tiff lzw": lambda: picture_bytes("TIFF", compression="tiff_lzw"),
    "heic": lambda: picture_bytes("HEIF"),
    "avif": lambda: picture_bytes("AVIF"),
    "moving gif": lambda: animation_bytes("GIF", [50] * 6),
    "apng": lambda: animation_bytes("PNG", [50] * 6),
    "moving webp": lambda: animation_bytes("WEBP", [50] * 6),
    "avif sequence": lambda: animation_bytes("AVIF", [50] * 6),
}
STILLS = ["jpeg", "jpeg progressive", "png", "webp", "bmp", "tiff", "tiff lzw", "heic", "avif"]
ALL = [*PICTURES, *FILMS]

# Function-scoped fixtures are only folders here; a fresh one per example is not needed.
_examples = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def original(film):
    @cache
    def read(name: str) -> bytes:
        return PICTURES[name]() if name in PICTURES else film(name).read_bytes()

    return read


def outcome(folder: Path, data: bytes, sampling: Sampling) -> int | str:
    """Number of frames that came, or the code of the error; checks both."""
    path = folder / "bad"
    path.write_bytes(data)
    try:
        with open_media(path, limits=SMALL, sampling=sampling) as media:
            count, last_s = 0, -1.0
            for frame in media.frames():
                assert frame.index == count
                assert frame.pts_s > last_s
                assert frame.image.dtype == np.uint8
                assert frame.image.ndim == 3
                assert frame.image.shape[2] == 3
                assert min(frame.image.shape[:2]) >= 1
                count, last_s = count + 1, frame.pts_s
            assert count >= 1
            assert media.stopped_early is None or media.stopped_early.strip()
            assert media.verify_unchanged()
            return count
    except InputError as error:
        assert error.message
        return error.code


@pytest.mark.parametrize("name", ALL)
@given(data=st.data())
@_examples
def test_cut_anywhere(name, original, tmp_path, data):
    whole = original(name)
    length = data.draw(st.integers(1, len(whole) - 1))
    outcome(tmp_path, whole[:length], Sampling(data.draw(st.sampled_from([1, 4, None]))))


@pytest.mark.parametrize("name", ALL)
@given(data=st.data())
@_examples
def test_flipped_anywhere(name, original, tmp_path, data):
    broken = bytearray(original(name))
    # Headers are short and hold the numbers that hurt: half of the flips go there.
    place = st.integers(0, len(broken) - 1) | st.integers(0, min(len(broken), 1500) - 1)
    for at, value in data.draw(st.lists(st.tuples(place, st.integers(0, 255)), max_size=12)):
        broken[at] = value
    outcome(tmp_path, bytes(broken), Sampling(data.draw(st.sampled_from([1, 4, None]))))


@given(data=st.binary(min_size=1, max_size=400))
@_examples
def test_noise(tmp_path, data):
    outcome(tmp_path, data, Sampling())


@pytest.mark.parametrize("name", ALL)
def test_the_whole_file_is_read_and_a_crumb_is_not(name, original, tmp_path):
    whole = original(name)
    expected = {"avif sequence": 6, "moving gif": 6, "apng": 6, "moving webp": 6}
    count = outcome(tmp_path, whole, Sampling(None))
    assert count == expected.get(name, 1 if name in PICTURES else 50)
    assert isinstance(outcome(tmp_path, whole[:20], Sampling()), str)


@pytest.mark.parametrize("name", STILLS)
def test_a_still_that_is_cut_is_never_shown(name, original, tmp_path, monkeypatch):
    """Half a face is not the face: a decoder's grey filling must not be scored."""
    # As WeasyPrint sets it for the whole process.
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    whole = original(name)
    path = tmp_path / "cut"
    path.write_bytes(whole)
    with open_media(path, limits=SMALL) as media:
        expected = next(media.frames()).image
    refused = 0
    for percent in range(2, 100, 2):
        path.write_bytes(whole[: len(whole) * percent // 100])
        try:
            with open_media(path, limits=SMALL) as media:
                # Only what carries no pixels may be missing (checksums, end marks).
                np.testing.assert_array_equal(next(media.frames()).image, expected)
        except InputError:
            refused += 1
    assert refused >= 40
