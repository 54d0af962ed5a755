"""Frame times are read from the container, exactly, and before anything is decoded."""

from __future__ import annotations

import io
import struct

import pytest
from tests.media.conftest import animation_bytes, picture_bytes

from unmask.errors import LimitExceeded
from unmask.media.timing import read_timing, webp_size
from unmask.types import Limits


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_exact_times(kind, limits):
    data = animation_bytes(kind, [50, 120, 200, 330])
    timing = read_timing(io.BytesIO(data), kind, limits)
    assert timing is not None
    assert timing.starts_s == pytest.approx([0.0, 0.05, 0.17, 0.37], abs=1e-12)
    assert timing.end_s == pytest.approx(0.7)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "JPEG"])
def test_a_still_has_none(kind, limits):
    assert read_timing(io.BytesIO(picture_bytes(kind)), kind, limits) is None


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_delays_that_no_viewer_obeys_become_100_ms(kind, limits):
    timing = read_timing(io.BytesIO(animation_bytes(kind, [0, 10, 20])), kind, limits)
    assert timing is not None
    assert timing.starts_s == pytest.approx([0.0, 0.1, 0.2])
    assert timing.end_s == pytest.approx(0.22)


def test_too_many_frames(limits):
    data = animation_bytes("GIF", [50] * 6)
    with pytest.raises(LimitExceeded, match="--max-frames 4"):
        read_timing(io.BytesIO(data), "GIF", Limits(max_frames=3))


def test_an_endless_gif_ends(limits):
    # A block of length 255 repeated to the end, no trailer.
    data = animation_bytes("GIF", [50, 50])[:-1] + b"!\xfe" + b"\xff" * 5000
    timing = read_timing(io.BytesIO(data), "GIF", limits)
    assert timing is not None
    assert len(timing.starts_s) == 2


@pytest.mark.parametrize("options", [{"lossless": True}, {"quality": 50}])
def test_webp_size(options):
    assert webp_size(picture_bytes("WEBP", **options)[:64]) == (96, 64)
    animated = animation_bytes("WEBP", [50, 50])[:64]
    assert webp_size(animated) == (96, 64)
    assert webp_size(b"RIFF" + struct.pack("<I", 4) + b"WEBP") is None
