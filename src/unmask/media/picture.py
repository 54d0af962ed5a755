"""Still pictures and animations, read by Pillow and pillow-heif."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from unmask.errors import CorruptMedia, LimitExceeded, UnmaskError
from unmask.media.limits import check_duration, check_pixels
from unmask.media.origin import Origin, clean_tags
from unmask.media.rgb import ORIENTATIONS, to_rgb
from unmask.media.sampling import Sampling, pick
from unmask.media.timing import Timing, read_timing, webp_size
from unmask.types import Frame, Limits, MediaInfo

if TYPE_CHECKING:
    from PIL.Image import Exif
    from PIL.Image import Image as Picture

# Pillow turns a TIFF and libheif a HEIC while loading; the tag is then spent.
_TURNED_BY_READER = {"TIFF", "HEIF"}
_ORIENTATION_TAG = 0x0112
_TEXT_TAGS = {0x010F: "make", 0x0110: "model", 0x0131: "software", 0x0132: "date_time"}
_BROKEN = "Get the original file again; a partly downloaded copy is not enough."


class PictureReader:
    """Reads one picture file.

    Args:
        file: Open for reading; stays the caller's to close.
        origin: What is known of the bytes.
        limits: What is refused.

    Raises:
        CorruptMedia: The header is broken.
        LimitExceeded: The header states more pixels, frames or seconds than allowed.
    """

    def __init__(self, file: BinaryIO, origin: Origin, limits: Limits) -> None:
        self.stopped_early: str | None = None
        self._file = file
        self._reader = origin.sniffed.reader
        self._limits = limits
        with _pillow_errors(self._reader):
            if self._reader == "WEBP":
                self._check_webp()
            # Pictures are never closed: that would close our file.
            self._timing = read_timing(file, self._reader, limits)
            picture = self._open()
            check_pixels(*picture.size, limits)
            self._orientation = _orientation(picture)
            self.info = self._describe(picture, origin, self._timing)

    def frames(self, sampling: Sampling) -> Iterator[Frame]:
        """Decode the picture, or the chosen frames of the animation.

        Raises:
            CorruptMedia: Not one frame could be decoded.
        """
        self.stopped_early = None
        return self._still() if self._timing is None else self._moving(self._timing, sampling)

    def close(self) -> None:
        """Nothing is held between calls."""

    def _still(self) -> Iterator[Frame]:
        with _pillow_errors(self._reader):
            picture = self._open()
            check_pixels(*picture.size, self._limits)
            orientation = 1 if self._reader in _TURNED_BY_READER else self._orientation
            picture.load()
            image = to_rgb(picture, orientation)
        yield Frame(image=image, index=0, pts_s=0.0)

    def _moving(self, timing: Timing, sampling: Sampling) -> Iterator[Frame]:
        wanted = pick(timing.starts_s, timing.end_s, sampling.frames)
        with _pillow_errors(self._reader):
            picture = self._open()
            # An APNG may open with a picture for viewers that show no animations.
            first = int(bool(picture.info.get("default_image")))
        for index, position in enumerate(wanted):
            try:
                with _pillow_errors(self._reader):
                    picture.seek(first + position)
                    picture.load()
                    check_pixels(*picture.size, self._limits)
                    image = to_rgb(picture, self._orientation)
            except CorruptMedia as error:
                if index == 0:
                    raise
                self.stopped_early = (
                    f"decoding ended at {timing.starts_s[position]:.2f} s "
                    f"of {timing.end_s:.2f} s: {error.message}"
                )
                return
            yield Frame(image=image, index=index, pts_s=timing.starts_s[position])

    def _open(self) -> Picture:
        """Open with exactly one plugin.

        ``Image.open`` would also hold the size against a limit of the whole process
        (``MAX_IMAGE_PIXELS``); ours is checked per call instead.
        """
        from PIL import Image

        self._file.seek(0)
        if self._reader == "HEIF":
            from pillow_heif import HeifImageFile

            heif_reader: Any = HeifImageFile
            heif: Picture = heif_reader(self._file)
            return heif
        Image.init()
        factory, _ = Image.OPEN[self._reader]
        return factory(self._file, "")

    def _check_webp(self) -> None:
        self._file.seek(0)
        size = webp_size(self._file.read(64))
        if size is None:
            raise CorruptMedia("The header of this WebP is broken.", hint=_BROKEN)
        check_pixels(*size, self._limits)

    def _describe(self, picture: Picture, origin: Origin, timing: Timing | None) -> MediaInfo:
        width_px, height_px = picture.size
        if self._orientation >= 5 and self._reader not in _TURNED_BY_READER:
            width_px, height_px = height_px, width_px
        if timing is not None:
            check_duration(timing.end_s, self._limits)
        return MediaInfo(
            name=origin.name,
            kind="image" if timing is None else "animation",
            mime=origin.sniffed.mime,
            size_bytes=origin.size_bytes,
            sha256=origin.sha256,
            width_px=width_px,
            height_px=height_px,
            duration_s=None if timing is None else timing.end_s,
            frame_count=1 if timing is None else len(timing.starts_s),
            frame_rate=None if timing is None else len(timing.starts_s) / timing.end_s,
            codec=self._reader.lower(),
            # Always 0 for a HEIC: libheif turns it and does not say how.
            rotation_deg=ORIENTATIONS.get(self._orientation, ("", 0))[1],
            metadata=clean_tags(_tags(picture)),
        )


def _orientation(picture: Picture) -> int:
    value = _exif(picture).get(_ORIENTATION_TAG, 1)
    return value if isinstance(value, int) and value in ORIENTATIONS else 1


def _exif(picture: Picture) -> Exif:
    """EXIF of the header. The PNG plugin's own ``getexif`` would decode the whole picture."""
    from PIL import Image

    return Image.Image.getexif(picture)


def _tags(picture: Picture) -> Iterator[tuple[object, object]]:
    exif = _exif(picture)
    yield from ((name, exif[tag]) for tag, name in _TEXT_TAGS.items() if tag in exif)
    yield from ((key, text) for key, text in picture.info.items() if isinstance(text, str))
    comment = picture.info.get("comment")
    if isinstance(comment, bytes):
        yield "comment", comment


@contextmanager
def _pillow_errors(reader: str) -> Iterator[None]:
    """Turn what Pillow and its plugins raise on hostile bytes into our errors.

    Plugins raise nearly anything on broken bytes (OSError, SyntaxError, ValueError, IndexError,
    TypeError, KeyError, struct.error, zlib.error ...): here, at the border, all of it means the
    same. Their warnings (odd EXIF and the like) say nothing that a user could act on.

    Libraries (WeasyPrint is one) tell Pillow, for the whole process, to fill what is missing of a
    cut picture with grey. That must not reach a detector, so it is switched off in here.
    """
    from PIL import Image, ImageFile

    filling, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except UnmaskError:
            raise
        except (Image.DecompressionBombError, MemoryError) as error:
            raise LimitExceeded(
                f"This {reader} picture needs more memory than can be given to it.",
                hint="Make it smaller, or use a machine with more memory.",
            ) from error
        except Exception as error:
            text = str(error).strip().rstrip(".") or type(error).__name__
            raise CorruptMedia(
                f"The {reader} picture is broken or cut short ({text}).", hint=_BROKEN
            ) from error
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = filling
