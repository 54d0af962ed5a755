"""The invisible watermark, on pictures that nobody trained on."""

from __future__ import annotations

import shutil

import cv2
import numpy as np
import pytest

from unmask.errors import LabelFailed, ModelUnavailable, UsageError
from unmask.provenance import _watermark_search, watermark
from unmask.provenance.watermark import FilmWatermarkReader, embed, read

PAYLOAD = b"\x0b\xad\xca\xfe"


@pytest.fixture(scope="module")
def photograph(portraits):
    # The other portrait is among the pictures that the networks were trained on.
    hopper = portraits["hopper"]
    return np.ascontiguousarray(cv2.resize(hopper[:512], (384, 384), interpolation=cv2.INTER_AREA))


@pytest.fixture(scope="module")
def marked(photograph):
    return embed(photograph, PAYLOAD)


def psnr_db(first, second):
    error = np.square(first.astype(np.float64) - second).mean()
    return 10 * np.log10(255**2 / error)


def through(image, suffix, quality):
    flag = {".jpg": cv2.IMWRITE_JPEG_QUALITY, ".webp": cv2.IMWRITE_WEBP_QUALITY}[suffix]
    return cv2.imdecode(cv2.imencode(suffix, image, [flag, quality])[1], cv2.IMREAD_COLOR)


def resize(image, factor):
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(image, None, fx=factor, fy=factor, interpolation=method)


ATTACKS = {
    "nothing": lambda image: image,
    "JPEG 50": lambda image: through(image, ".jpg", 50),
    "WebP 50": lambda image: through(image, ".webp", 50),
    "half as large": lambda image: resize(image, 0.5),
    "half and back": lambda image: resize(resize(image, 0.5), 2),
    "twice as large": lambda image: resize(image, 2),
    "a corner cut off": lambda image: image[37:, 43:],
    "the middle only": lambda image: image[20:365, 11:358],
    "one side cut": lambda image: image[:, :308],
    "cut, shrunk and coded": lambda image: through(resize(image[9:350, 30:], 0.6), ".jpg", 60),
    "brighter": lambda image: np.clip(image * 1.15 + 8, 0, 255).astype(np.uint8),
    "grey": lambda image: cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_payload_outlives(attack, marked):
    reading = read(np.ascontiguousarray(ATTACKS[attack](marked)))
    assert reading.found
    assert reading.payload == PAYLOAD
    assert reading.bit_agreement > 0.75
    assert reading.log10_false_alarm <= -7


def test_the_change_is_small_and_leaves_the_rest_alone(photograph, marked):
    before = photograph.copy()
    assert psnr_db(photograph, marked) >= 38.95
    assert marked.dtype == np.uint8
    assert marked.shape == photograph.shape
    assert np.array_equal(photograph, before)


def test_an_unmarked_picture_holds_nothing(photograph):
    reading = read(photograph)
    assert not reading.found
    assert reading.payload is None
    assert reading.log10_false_alarm > -4


def test_the_same_call_gives_the_same_picture(photograph, marked):
    assert np.array_equal(embed(photograph, PAYLOAD), marked)


@pytest.mark.parametrize("payload", [bytes(4), b"\xff" * 4, b"\x00\x00\x00\x01"])
def test_payloads_without_variety(payload, photograph):
    assert read(embed(photograph, payload)).payload == payload


@pytest.mark.parametrize("size", [(128, 128), (129, 131), (128, 400), (333, 128), (720, 1280)])
def test_sizes(size, photograph):
    image = cv2.resize(photograph, size[::-1], interpolation=cv2.INTER_CUBIC)
    marked = embed(image, PAYLOAD)
    assert marked.shape == image.shape
    assert psnr_db(image, marked) >= 38.95
    assert read(marked).payload == PAYLOAD


@pytest.mark.slow
def test_a_picture_of_4k(photograph):
    image = cv2.resize(photograph, (3840, 2160), interpolation=cv2.INTER_CUBIC)
    assert read(embed(image, PAYLOAD)).payload == PAYLOAD


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_picture_of_one_colour(grey):
    image = np.full((256, 256, 3), grey, np.uint8)
    assert not read(image).found
    assert read(embed(image, PAYLOAD)).payload == PAYLOAD


@pytest.mark.parametrize("size", [(127, 400), (16, 16), (1, 1)])
def test_too_small_a_picture_is_refused_before_anything_is_made(size):
    with pytest.raises(LabelFailed, match=f"{size[1]}x{size[0]}") as failure:
        embed(np.zeros((*size, 3), np.uint8), PAYLOAD)
    assert failure.value.hint


@pytest.mark.parametrize("size", [(1, 1), (3, 9000), (40, 40), (33, 4000)])
def test_reading_the_smallest_pictures_finds_nothing(size):
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert not read(noise).found


def test_too_long_a_strip_is_refused():
    with pytest.raises(LabelFailed, match="long and narrow"):
        embed(np.zeros((128, 32 * 128 + 1, 3), np.uint8), PAYLOAD)


def test_the_middle_of_a_strip_is_read(photograph):
    strip = np.concatenate([photograph[:140, :350]] * 4, 1)
    assert read(embed(strip, PAYLOAD)).payload == PAYLOAD


@pytest.mark.parametrize("payload", [b"", b"123", b"12345"])
def test_a_payload_of_another_length_is_refused(payload, photograph):
    with pytest.raises(UsageError, match="4 bytes"):
        embed(photograph, payload)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((200, 200), np.uint8),
        np.zeros((200, 200, 4), np.uint8),
        np.zeros((200, 200, 3), np.float32),
        np.zeros((0, 200, 3), np.uint8),
    ],
)
def test_other_arrays_are_refused(image):
    with pytest.raises(UsageError, match="shape"):
        embed(image, PAYLOAD)
    with pytest.raises(UsageError, match="shape"):
        read(image)
    with pytest.raises(UsageError, match="shape"):
        FilmWatermarkReader().add(image)


def test_a_film_is_read_where_no_frame_is():
    """Noise that drowns the mark in any frame averages out over many."""
    rng = np.random.default_rng(4)
    base = cv2.resize(rng.integers(60, 190, (12, 16, 3), np.uint8), (256, 192))
    marked = embed(base, PAYLOAD).astype(np.float32)
    frames = [
        np.clip(np.rint(marked + rng.normal(0, 60, marked.shape)), 0, 255).astype(np.uint8)
        for _ in range(16)
    ]
    assert sum(read(frame).found for frame in frames[:2]) == 0
    reader = FilmWatermarkReader()
    for frame in frames:
        reader.add(frame)
    assert reader.reading().payload == PAYLOAD


def test_a_cut_film_is_read_and_an_unmarked_one_is_not(photograph):
    reader, plain = FilmWatermarkReader(), FilmWatermarkReader()
    for move in range(4):
        window = np.ascontiguousarray(photograph[move * 4 :][:300, move * 6 :][:, :340])
        reader.add(np.ascontiguousarray(embed(window, PAYLOAD)[21:290, 30:]))
        plain.add(window)
    assert reader.reading().payload == PAYLOAD
    assert not plain.reading().found


def test_a_film_of_no_frames_holds_nothing():
    reading = FilmWatermarkReader().reading()
    assert (reading.found, reading.payload, reading.log10_false_alarm) == (False, None, 0.0)


def test_what_is_tried_is_priced_in():
    """The bound may only be as low as the tail, times all places, scales and payloads."""
    tried = len(_watermark_search.scales()) * 128 * 128 * 2.0**32
    assert 10 ** _watermark_search.log10_tries() == pytest.approx(tried)
    assert _watermark_search.scales()[0] == 1
    assert _watermark_search.scales()[-1] <= 0.7


@pytest.mark.parametrize("damage", ["altered", "absent"])
def test_damaged_weights_are_noticed(damage, tmp_path, monkeypatch, photograph):
    from importlib.resources import files

    weights = tmp_path / "weights"
    shutil.copytree(str(files("unmask.provenance").joinpath("weights")), weights)
    for file in weights.glob("watermark-*.onnx"):
        if damage == "absent":
            file.unlink()
        else:
            file.write_bytes(file.read_bytes()[:-1] + b"\x00\x01")
    monkeypatch.setattr(watermark, "files", lambda _: tmp_path)
    watermark._session.cache_clear()
    try:
        for call in (lambda: embed(photograph, PAYLOAD), lambda: read(photograph)):
            with pytest.raises(
                ModelUnavailable, match=r"watermark-(embedder|reader)\.onnx"
            ) as failure:
                call()
            assert "Install Unmask again" in failure.value.hint
    finally:
        watermark._session.cache_clear()
