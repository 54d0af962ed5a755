"""Write pictures and films: whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from unmask.errors import OutputRefused, UsageError

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext

    from unmask.types import Image

_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}


def write_picture(path: str | os.PathLike[str], image: Image) -> None:
    """Write one picture as PNG (lossless) or JPEG (quality 95), by the extension.

    Args:
        path: Ends in ``.png``, ``.jpg`` or ``.jpeg``.
        image: (H, W, 3) uint8 RGB.

    Raises:
        UsageError: Another extension.
        OutputRefused: It cannot be written; nothing is left behind.
    """
    import PIL.Image

    path = Path(path)
    kind = _FORMATS.get(path.suffix.lower())
    if kind is None:
        raise UsageError(
            f"Pictures are written as PNG or JPEG, not as {path.suffix or 'a file without end'}.",
            hint="Use a name that ends in .png or .jpg.",
        )
    with replacing(path) as beside:
        PIL.Image.fromarray(image).save(beside, kind, quality=95)


def write_film(
    path: str | os.PathLike[str],
    frames: Iterable[Image],
    frame_rate: float | Fraction,
    *,
    crf: int = 18,
    audio_from: str | os.PathLike[str] | None = None,
) -> None:
    """Write an H.264 film: MP4 with its index in front, yuv420p, BT.601 and saying so.

    Width and height that are odd lose their last column or row, since yuv420p has only even
    sizes.

    Args:
        path: Ends in ``.mp4``.
        frames: (H, W, 3) uint8 RGB each, all of one size; taken one at a time.
        frame_rate: Frames a second.
        crf: x264's constant rate factor, 0 (lossless) .. 51; lower is better and larger.
        audio_from: A film or sound file whose sound goes along, its streams copied packet by
            packet where MP4 can carry the codec and as AAC where not; its first picture lies at
            the first frame, and it ends with the frames. None, or a film without sound: silent.

    Raises:
        UsageError: There are no frames, or they differ in size.
        InputError: ``audio_from`` cannot be opened.
        OutputRefused: It cannot be written; nothing is left behind.
    """
    with replacing(Path(path)) as beside:
        rate = Fraction(frame_rate).limit_denominator(65535)
        _encode(beside, frames, rate, crf, audio_from)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a file to write beside ``path``, which takes its place if all went well.

    Raises:
        OutputRefused: The folder is absent or read-only, or the disk is full.
    """
    beside: Path | None = None
    try:
        handle, name = tempfile.mkstemp(
            prefix=f".{path.stem[:50]}-", suffix=path.suffix, dir=path.parent
        )
        os.close(handle)
        beside = Path(name)
        yield beside
        beside.chmod(0o666 & ~_umask())
        beside.replace(path)
    except OSError as error:
        raise OutputRefused(
            f"{path} could not be written ({error.strerror or error}).",
            hint="Check that the folder exists, may be written to, and has room.",
        ) from error
    finally:
        if beside is not None:
            with suppress(OSError):
                beside.unlink(missing_ok=True)


def _state_colours(context: VideoCodecContext) -> None:
    """Name what swscale makes of RGB, so that players need not guess by the film's size."""
    # Numbers of ITU-T H.273; PyAV names only some of them in some versions.
    context.color_range = 1  # limited
    context.colorspace = 6  # the matrix of BT.601, 525 lines
    context.color_primaries = 1  # those of BT.709 and sRGB
    context.color_trc = 13  # sRGB


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _encode(
    path: Path,
    frames: Iterable[Image],
    rate: Fraction,
    crf: int,
    audio_from: str | os.PathLike[str] | None,
) -> None:
    import av

    from unmask.media.sound_track import sound_into

    options = {"movflags": "+faststart"}
    with (
        av.open(str(path), mode="w", format="mp4", options=options) as container,
        sound_into(container, audio_from) as sound,
    ):
        stream = None
        for number, image in enumerate(frames, 1):
            even = image[: image.shape[0] & ~1, : image.shape[1] & ~1]
            if stream is None:
                stream = container.add_stream("libx264", rate=rate, options={"crf": str(crf)})
                stream.height, stream.width = even.shape[:2]
                stream.pix_fmt = "yuv420p"
                _state_colours(stream.codec_context)
            elif even.shape[:2] != (stream.height, stream.width):
                raise UsageError(
                    f"A frame of {even.shape[1]} x {even.shape[0]} pixels follows frames of "
                    f"{stream.width} x {stream.height}; all must be of one size.",
                    hint="Resize or crop the frames first.",
                )
            frame = av.VideoFrame.from_ndarray(even.copy(order="C"), format="rgb24")
            container.mux(stream.encode(frame))
            if sound is not None:
                sound.write_until(float(number / rate))
        if stream is None:
            raise UsageError("A film needs at least one frame.", hint="Pass frames.")
        container.mux(stream.encode(None))
        if sound is not None:
            sound.finish()
