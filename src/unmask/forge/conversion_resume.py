"""What a conversion keeps while it runs, so that a kill costs the frame it was in.

A hidden folder beside the output holds the faces found and, of each painted frame, the changed
part without loss. It is gone when the film is there.
"""

from __future__ import annotations

import shutil
import struct
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.errors import CorruptMedia, OutputRefused
from unmask.forge.merging import Patch

if TYPE_CHECKING:
    from unmask.types import Image

JOURNAL = "faces.ndjson"
_SETTINGS = "settings.sha256"
_PLACE = struct.Struct("<ii")
_QUICK = [cv2.IMWRITE_PNG_COMPRESSION, 1]


class WorkFolder:
    """The unfinished work on one output.

    Args:
        out: The film that is to be written.
        digest: Of what decides how faces are painted; work of another digest is thrown away.
        fresh: Throw away whatever is there.

    Attributes:
        path: The folder.

    Raises:
        OutputRefused: It cannot be made.
    """

    def __init__(self, out: Path, digest: str, *, fresh: bool = False) -> None:
        self.path = out.with_name(f".{out.name}.unmask-work")
        self._out = out
        try:
            if fresh:
                shutil.rmtree(self.path, ignore_errors=True)
            # What is in here carries no labels yet: it is for this user's eyes alone.
            self.path.mkdir(mode=0o700, exist_ok=True)
            if self._painted_by() != digest:
                for left in self.path.glob("*.patch"):
                    left.unlink()
                (self.path / _SETTINGS).write_text(digest)
        except OSError as error:
            raise self._refused(error) from error

    @property
    def film(self) -> Path:
        """Where the film is written before it takes its name: what a kill leaves is here."""
        return self.path / self._out.name

    def has(self, frame: int, face: int) -> bool:
        """Whether a face was painted before."""
        return self._place(frame, face).is_file()

    def keep(self, frame: int, face: int, patch: Patch | None) -> None:
        """Keep what one painted face changed; None: nothing.

        Raises:
            OutputRefused: There is no room; what was kept before stays.
        """
        packed = b"" if patch is None else _packed(patch)
        place = self._place(frame, face)
        partial = place.with_suffix(".partial")
        try:
            partial.write_bytes(packed)
            partial.replace(place)
        except OSError as error:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise self._refused(error) from error

    def patch(self, frame: int, face: int) -> Patch | None:
        """What was kept of one face."""
        packed = self._place(frame, face).read_bytes()
        return _unpacked(packed) if packed else None

    def deliver(self) -> None:
        """Give the film that lies in the folder its name.

        Raises:
            OutputRefused: It cannot take it; the work stays.
        """
        try:
            self.film.replace(self._out)
        except OSError as error:
            raise OutputRefused(
                f"{self._out} could not be written ({error.strerror or error}).",
                hint="Run the same call again: nothing has to be painted anew.",
            ) from error

    def remove(self) -> None:
        """Take the folder away."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _place(self, frame: int, face: int) -> Path:
        return self.path / f"{frame:07d}_{face}.patch"

    def _painted_by(self) -> str:
        place = self.path / _SETTINGS
        return place.read_text() if place.is_file() else ""

    def _refused(self, error: OSError) -> OutputRefused:
        return OutputRefused(
            f"The work on {self._out.name} could not be kept ({error.strerror or error}).",
            hint=f"Give {self._out.parent.resolve()} some room (or write elsewhere); the same call "
            "goes on from where it was.",
        )


def painted(frame: Image, patches: list[Patch | None]) -> Image:
    """A frame with what was painted into it, in the order in which it was painted."""
    for patch in patches:
        if patch is not None:
            frame = patch.laid_on(frame)
    return frame


def _packed(patch: Patch) -> bytes:
    blue_first = np.dstack([patch.image[..., ::-1], patch.mask])
    done, png = cv2.imencode(".png", np.ascontiguousarray(blue_first), _QUICK)
    if not done:
        raise OSError(0, "the patch could not be packed")
    return _PLACE.pack(patch.left, patch.top) + png.tobytes()


def _unpacked(packed: bytes) -> Patch:
    left, top = _PLACE.unpack_from(packed)
    pixels = np.frombuffer(packed, np.uint8, offset=_PLACE.size)
    blue_first = cv2.imdecode(pixels, cv2.IMREAD_UNCHANGED)
    if blue_first is None:
        raise CorruptMedia(
            "A frame that was painted before cannot be read again.", hint="Start anew with --fresh."
        )
    image = np.ascontiguousarray(blue_first[..., 2::-1])
    return Patch(left, top, image, np.ascontiguousarray(blue_first[..., 3]))
