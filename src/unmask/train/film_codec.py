"""What a film codec does to a picture: real x264, in memory, through PyAV."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np

if TYPE_CHECKING:
    from unmask.types import Image

_PRESETS = ("ultrafast", "veryfast", "faster")


def through_h264(frames: list[Image], *, crf: int, preset: str = "veryfast") -> list[Image]:
    """Encode frames as one H.264 film and decode them again.

    Args:
        frames: (H, W, 3) uint8 RGB each, all of one size; odd sides are mirrored to even ones.
        crf: Constant rate factor of x264: 18 is hardly visible, 23 the default, 40 is ruin.
        preset: Preset of x264.

    Returns:
        As many frames of the same size.
    """
    height, width = frames[0].shape[:2]
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)  # noqa: S101 - for the type checker
    encoder.width, encoder.height = width + width % 2, height + height % 2
    encoder.pix_fmt, encoder.time_base = "yuv420p", Fraction(1, 25)
    encoder.thread_count = 1
    encoder.options = {"crf": str(crf), "preset": preset, "bf": "0", "rc-lookahead": "0"}
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(decoder, av.VideoCodecContext)  # noqa: S101
    decoder.thread_count = 1
    decoded: list[Image] = []
    packets = []
    for number, frame in enumerate(frames):
        even = cv2.copyMakeBorder(frame, 0, height % 2, 0, width % 2, cv2.BORDER_REFLECT_101)
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
        picture.pts = number
        packets += encoder.encode(picture)
    packets += encoder.encode(None)
    for packet in packets:
        decoded += [_rgb(picture, height, width) for picture in decoder.decode(packet)]
    decoded += [_rgb(picture, height, width) for picture in decoder.decode(None)]
    return decoded


def film_still(
    picture: Image, *, crf: int, preset: str, drift_px: tuple[float, float], frames: int
) -> Image:
    """A picture as the last frame of a short film in which it drifts into place.

    So it is mostly predicted from frames before it, as almost every frame of a film is.

    Args:
        picture: (H, W, 3) uint8 RGB.
        crf: See :func:`through_h264`.
        preset: See :func:`through_h264`.
        drift_px: Movement (x, y) from frame to frame.
        frames: Length of the film; 1 gives an intra-coded picture.
    """
    height, width = picture.shape[:2]
    film = []
    for back in range(frames - 1, -1, -1):
        move = np.array([[1, 0, -back * drift_px[0]], [0, 1, -back * drift_px[1]]], np.float32)
        film.append(
            picture
            if back == 0
            else np.asarray(
                cv2.warpAffine(
                    picture,
                    move,
                    (width, height),
                    flags=cv2.INTER_LINEAR,
                    borderMode=cv2.BORDER_REFLECT_101,
                ),
                np.uint8,
            )
        )
    return through_h264(film, crf=crf, preset=preset)[-1]


def random_film_stills(pictures: list[Image], rng: np.random.Generator) -> list[Image]:
    """Each picture as the last frame of its own film, under the same random settings."""
    crf = int(rng.integers(18, 37))
    preset = str(rng.choice(_PRESETS))
    frames = int(rng.choice([1, 2, 3], p=[0.3, 0.4, 0.3]))
    drift = (float(rng.normal(0, 1.0)), float(rng.normal(0, 1.0)))
    return [
        film_still(picture, crf=crf, preset=preset, drift_px=drift, frames=frames)
        for picture in pictures
    ]


def _rgb(picture: av.VideoFrame, height: int, width: int) -> Image:
    return np.ascontiguousarray(picture.to_ndarray(format="rgb24")[:height, :width])
