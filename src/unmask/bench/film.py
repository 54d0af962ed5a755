"""Films and pictures to measure speed on: a moving face of no particular person's data.

The picture is scikit-image's astronaut (NASA, public domain), seen by a camera that pans, zooms
and tilts, with grain that differs in every frame so that the coder has work to do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from unmask.types import Image

WIDTH_PX, HEIGHT_PX = 1280, 720
FRAME_RATE = 30
SAMPLE_RATE = 44_100
SEGMENT_S = 10
_FACE_XY = (224.0, 150.0)  # centre of the camera's path in the source picture
_GRAIN = 5.0


def moving_picture(count: int, *, seed: int = 0) -> Iterator[Image]:
    """Yield ``count`` frames, (720, 1280, 3) uint8 RGB; the motion comes round in 10 s."""
    from skimage.data import astronaut

    source: Image = astronaut()  # type: ignore[no-untyped-call]
    rng = np.random.default_rng(seed)
    grain = np.abs(rng.normal(0.0, _GRAIN, (HEIGHT_PX * 2, WIDTH_PX * 2, 1))).astype(np.uint8)
    grain = np.repeat(grain, 3, axis=2)
    for index in range(count):
        view = cv2.warpAffine(
            source,
            _camera(index / FRAME_RATE),
            (WIDTH_PX, HEIGHT_PX),
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REFLECT,
        )
        lighter, darker = _window(grain, rng), _window(grain, rng)
        yield np.asarray(cv2.subtract(cv2.add(view, lighter), darker))


def write_segment(path: Path, *, duration_s: int = SEGMENT_S) -> None:
    """Write an MP4 of 720p30 H.264 (x264) with a silent AAC track."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FRAME_RATE)
        video.width, video.height, video.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        video.options = {"preset": "veryfast", "crf": "23"}
        audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        for image in moving_picture(duration_s * FRAME_RATE):
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(video.encode(None))
        for frame in _silence(duration_s):
            container.mux(audio.encode(frame))
        container.mux(audio.encode(None))


def repeat_segment(segment: Path, path: Path, *, times: int, duration_s: int = SEGMENT_S) -> None:
    """Write a longer film by placing the coded packets of a segment one after the other.

    Every packet has to be read and decoded as in any film of that length; only the encoder is
    spared.
    """
    with av.open(str(path), "w") as output:
        streams = {}
        with av.open(str(segment)) as source:
            for stream in source.streams:
                streams[stream.index] = output.add_stream_from_template(stream)
        for turn in range(times):
            with av.open(str(segment)) as source:
                for packet in source.demux():
                    if packet.dts is None or packet.pts is None:
                        continue  # the flush at the end carries no data
                    if turn and packet.stream.type == "audio" and packet.pts < 0:
                        continue  # the coder's run-in would overlap the end of the turn before
                    shift = int(turn * duration_s / Fraction(packet.time_base))
                    packet.pts += shift
                    packet.dts += shift
                    packet.stream = streams[packet.stream.index]
                    output.mux(packet)


def write_pictures(folder: Path, count: int) -> list[Path]:
    """Write ``count`` different JPEGs of 1280x720 and return their paths."""
    paths = []
    for index, image in enumerate(moving_picture(count, seed=1)):
        path = folder / f"picture{index:03}.jpg"
        _, coded = cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]))
        path.write_bytes(coded.tobytes())
        paths.append(path)
    return paths


def _camera(time_s: float) -> np.ndarray:
    """Affine map from the source picture to the frame at one moment."""
    turn = 2 * math.pi * time_s / SEGMENT_S
    zoom = 2.8 + 0.3 * math.sin(turn)
    tilt = math.radians(4.0) * math.sin(2 * turn)
    centre_x = _FACE_XY[0] + 25.0 * math.sin(3 * turn)
    centre_y = _FACE_XY[1] + 12.0 * math.cos(2 * turn)
    cos, sin = zoom * math.cos(tilt), zoom * math.sin(tilt)
    return np.array(
        [
            [cos, -sin, WIDTH_PX / 2 - cos * centre_x + sin * centre_y],
            [sin, cos, HEIGHT_PX / 2 - sin * centre_x - cos * centre_y],
        ]
    )


def _window(grain: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    top, left = rng.integers(HEIGHT_PX), rng.integers(WIDTH_PX)
    return grain[top : top + HEIGHT_PX, left : left + WIDTH_PX]


def _silence(duration_s: int) -> Iterator[av.AudioFrame]:
    block = 1024
    for start in range(0, duration_s * SAMPLE_RATE, block):
        count = min(block, duration_s * SAMPLE_RATE - start)
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, count), np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate, frame.pts = SAMPLE_RATE, start
        yield frame
