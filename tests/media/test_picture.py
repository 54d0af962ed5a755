"""Stills and animations: every mode comes out as upright 8-bit RGB."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps
from tests.media.conftest import HEIGHT, WIDTH, animation_bytes, card, huge_png, picture_bytes

from unmask.errors import CorruptMedia, LimitExceeded
from unmask.media import Sampling, open_media, probe
from unmask.types import Limits


def read(tmp_path, data, sampling=None, **limits):
    path = tmp_path / "picture.bin"  # the name says nothing
    path.write_bytes(data)
    with open_media(path, limits=Limits(**limits), sampling=sampling) as media:
        frames = list(media.frames())
        return media.info, frames, media.stopped_early


def saved(picture: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF", "WEBP", "JPEG", "AVIF", "HEIF"])
def test_every_format(tmp_path, kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    info, (frame,), stopped = read(tmp_path, picture_bytes(kind, **options))
    assert (info.kind, info.width_px, info.height_px) == ("image", WIDTH, HEIGHT)
    assert (info.frame_count, info.duration_s, stopped) == (1, None, None)
    assert frame.image.dtype == np.uint8
    assert frame.image.shape == (HEIGHT, WIDTH, 3)
    assert frame.image.flags.c_contiguous
    assert (frame.index, frame.pts_s) == (0, 0.0)
    error = np.abs(frame.image.astype(int) - card()).mean()
    assert error == 0 if kind in {"PNG", "BMP", "TIFF", "WEBP"} else error < 12


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_orientation(tmp_path, kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95}
    data = picture_bytes(kind, exif=exif, **options)
    # Reference: Pillow's own transposition of the picture without the tag.
    tagged = Image.fromarray(card())
    tagged.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(tagged))
    info, (frame,), _ = read(tmp_path, data)
    assert frame.image.shape == expected.shape
    assert (info.height_px, info.width_px) == expected.shape[:2]
    assert np.abs(frame.image.astype(int) - expected).mean() < 8
    assert info.rotation_deg == [0, 0, 180, 180, 270, 90, 90, 270][orientation - 1]


def test_heic_is_turned_once(tmp_path):
    """The writer turns EXIF orientation into the format's own box; both are in the file."""
    exif = Image.Exif()
    exif[0x0112] = 6
    info, (frame,), _ = read(tmp_path, picture_bytes("HEIF", exif=exif.tobytes()))
    assert (info.width_px, info.height_px) == (HEIGHT, WIDTH)
    assert np.abs(frame.image.astype(int) - np.rot90(card(), k=-1)).mean() < 8


GREY_16 = (np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) * 10).astype(np.uint16)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_its_upper_byte(tmp_path, kind):
    _, (frame,), _ = read(tmp_path, saved(Image.fromarray(GREY_16), kind))
    for channel in range(3):
        np.testing.assert_array_equal(frame.image[..., channel], GREY_16 >> 8)


def test_sixteen_bit_colour(tmp_path):
    import cv2  # Pillow cannot write 16-bit colour

    deep = card().astype(np.uint16) * 256 + 77
    for suffix in (".png", ".tiff"):
        _, data = cv2.imencode(suffix, deep[..., ::-1])
        _, (frame,), _ = read(tmp_path, data.tobytes())
        np.testing.assert_array_equal(frame.image, card())


def test_floats_and_long_integers(tmp_path):
    ramp = np.linspace(0, 1, HEIGHT * WIDTH, dtype=np.float32).reshape(HEIGHT, WIDTH)
    _, (frame,), _ = read(tmp_path, saved(Image.fromarray(ramp), "TIFF"))
    np.testing.assert_allclose(frame.image[..., 0], ramp * 255, atol=0.51)
    _, (frame,), _ = read(tmp_path, saved(Image.fromarray(GREY_16.astype(np.int32)), "TIFF"))
    np.testing.assert_allclose(frame.image[..., 0], GREY_16 / 257, atol=0.51)


def test_alpha_lies_on_mid_grey(tmp_path):
    rgba = np.dstack([card(), np.zeros((HEIGHT, WIDTH), np.uint8)])
    rgba[:, WIDTH // 2 :, 3] = 255
    for kind, options in [("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("TIFF", {})]:
        _, (frame,), _ = read(tmp_path, saved(Image.fromarray(rgba), kind, **options))
        assert (frame.image[:, : WIDTH // 2] == 128).all()
        np.testing.assert_array_equal(frame.image[:, WIDTH // 2 :], card()[:, WIDTH // 2 :])


def test_grey_alpha_palette_and_one_bit(tmp_path):
    grey = card()[..., 0]
    half = np.full_like(grey, 128)
    _, (frame,), _ = read(tmp_path, saved(Image.fromarray(np.dstack([grey, half])), "PNG"))
    np.testing.assert_allclose(frame.image[..., 0], (grey.astype(float) + 128) / 2, atol=1.5)
    indexed = Image.fromarray(grey).convert("P")
    _, (frame,), _ = read(tmp_path, saved(indexed, "PNG", transparency=255))
    np.testing.assert_array_equal(frame.image[..., 1], np.where(grey == 255, 128, grey))
    bits = Image.fromarray(grey).convert("1")
    _, (frame,), _ = read(tmp_path, saved(bits, "PNG"))
    np.testing.assert_array_equal(frame.image[..., 2], np.asarray(bits) * 255)


def test_cmyk_with_and_without_profile(tmp_path):
    red = Image.new("RGB", (32, 32), (220, 30, 20)).convert("CMYK")
    for kind in ("JPEG", "TIFF"):
        _, (frame,), _ = read(tmp_path, saved(red, kind))
        assert np.abs(frame.image[16, 16].astype(int) - [220, 30, 20]).max() < 12
    # A profile that does not fit the inks, or is rubbish, costs the profile and not the picture.
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (srgb, b"rubbish"):
        _, (frame,), _ = read(tmp_path, saved(red, "JPEG", icc_profile=profile))
        assert np.abs(frame.image[16, 16].astype(int) - [220, 30, 20]).max() < 12


def test_lab_is_converted(tmp_path):
    rgb = Image.new("RGB", (16, 16), (200, 60, 40))
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    _, (frame,), _ = read(tmp_path, saved(ImageCms.applyTransform(rgb, to_lab), "TIFF"))
    assert np.abs(frame.image[8, 8].astype(int) - [200, 60, 40]).max() < 6


def test_first_page_of_a_tiff(tmp_path):
    pages = [Image.fromarray(card(40 * n)) for n in range(3)]
    info, frames, _ = read(
        tmp_path, saved(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    )
    assert info.kind == "image"
    assert len(frames) == 1
    np.testing.assert_array_equal(frames[0].image, card(0))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_animation(tmp_path, kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    data = animation_bytes(kind, [50, 120, 200, 330], **options)
    info, frames, stopped = read(tmp_path, data, Sampling(None))
    assert (info.kind, info.frame_count, stopped) == ("animation", 4, None)
    assert info.duration_s == pytest.approx(0.7)
    assert info.frame_rate == pytest.approx(4 / 0.7)
    assert [frame.pts_s for frame in frames] == pytest.approx([0.0, 0.05, 0.17, 0.37])
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    for number, frame in enumerate(frames):
        error = np.abs(frame.image.astype(int) - card(40 * number)).mean()
        assert error < 12 if kind == "GIF" else error == 0


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_sampled_animation_equals_all_of_it(tmp_path, kind):
    data = animation_bytes(kind, [40] * 20)
    _, everything, _ = read(tmp_path, data, Sampling(None))
    _, some, _ = read(tmp_path, data, Sampling(5))
    assert [frame.pts_s for frame in some] == pytest.approx([0.08, 0.24, 0.4, 0.56, 0.72])
    by_time = {round(frame.pts_s, 6): frame.image for frame in everything}
    for frame in some:
        np.testing.assert_array_equal(frame.image, by_time[round(frame.pts_s, 6)])


def test_apng_leaves_out_the_picture_for_old_viewers(tmp_path):
    data = animation_bytes("PNG", [50, 50, 50, 50], default_image=True)
    info, frames, _ = read(tmp_path, data, Sampling(None))
    assert info.frame_count == 3
    np.testing.assert_array_equal(frames[0].image, card(40))


def test_cut_animation_keeps_what_was_decoded(tmp_path):
    data = animation_bytes("GIF", [50] * 10)
    info, frames, stopped = read(tmp_path, data[: len(data) * 2 // 3], Sampling(None))
    assert info.kind == "animation"
    assert 1 <= len(frames) < 10
    assert stopped is not None
    assert "decoding ended at" in stopped


@pytest.mark.parametrize("data", [huge_png(50_000, 50_000), huge_png(2**31 - 1, 2**31 - 1)])
def test_a_huge_picture_is_refused_by_its_header(tmp_path, data):
    with pytest.raises(LimitExceeded, match=r"--max-pixels"):
        read(tmp_path, data)


def test_a_huge_webp_is_refused_before_its_canvas_is_made(tmp_path):
    header = struct.pack("<I", 0) + (16383).to_bytes(3, "little") * 2
    chunk = b"VP8X" + struct.pack("<I", len(header)) + header
    data = b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk
    with pytest.raises(LimitExceeded, match="16384 x 16384"):
        read(tmp_path, data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF"])
def test_pixel_limit_names_value_limit_and_flag(tmp_path, kind):
    pixels = WIDTH * HEIGHT
    read(tmp_path, picture_bytes(kind), max_pixels=pixels)
    with pytest.raises(LimitExceeded) as caught:
        read(tmp_path, picture_bytes(kind), max_pixels=pixels - 1)
    message = str(caught.value)
    assert f"{WIDTH} x {HEIGHT} = {pixels}" in message
    assert str(pixels - 1) in message
    assert f"--max-pixels {pixels}" in message


def test_our_limit_may_be_above_pillows(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    read(tmp_path, picture_bytes("PNG"))


def test_animation_limits(tmp_path):
    data = animation_bytes("GIF", [500] * 4)
    with pytest.raises(LimitExceeded, match="--max-duration"):
        read(tmp_path, data, max_duration_s=1.9)
    with pytest.raises(LimitExceeded, match="--max-frames"):
        read(tmp_path, data, max_frames=3)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF"])
def test_half_a_picture_is_corrupt(tmp_path, kind):
    data = picture_bytes(kind)
    with pytest.raises(CorruptMedia) as caught:
        read(tmp_path, data[: len(data) // 2])
    assert caught.value.hint


def test_tags_are_read_and_cleaned(tmp_path):
    exif = Image.Exif()
    exif[0x0131] = "Editor\x1b[31m 9"
    info, _, _ = read(tmp_path, picture_bytes("JPEG", exif=exif, comment=b"x" * 9000))
    assert info.metadata["software"] == "Editor [31m 9"
    assert len(info.metadata["comment"]) == 500


def test_probe_decodes_nothing(tmp_path):
    data = picture_bytes("PNG")
    path = tmp_path / "cut.png"
    path.write_bytes(data[: len(data) // 2])
    info = probe(path, Limits())
    assert (info.width_px, info.height_px, info.codec) == (WIDTH, HEIGHT, "png")
