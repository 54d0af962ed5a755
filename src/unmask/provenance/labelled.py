"""The one way in which a forged picture or film is written for people's eyes.

Order: visible mark, invisible watermark, encode, IPTC digital source type; the pixels' and the
file's labels are read back; content credentials sign the whole last and are read back too; its
digest goes into the provenance log. Only then does the file take its name. There is no switch.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmask.errors import LabelFailed, OutputRefused, UnmaskError, UsageError
from unmask.media import hash_file, write_film, write_picture
from unmask.provenance import iptc
from unmask.provenance.credential_state import FORGERY
from unmask.provenance.credentials import check_ingredient, sign
from unmask.provenance.declaration import (
    ForgeryLabel,
    check_consent,
    payload_of,
    statement,
)
from unmask.provenance.marked_file import watermark_in
from unmask.provenance.visible_mark import with_room_for_labels, with_visible_mark

if TYPE_CHECKING:
    from unmask.provenance.authority import Identity
    from unmask.types import Image

PICTURES = (".jpg", ".jpeg", ".png")
FILMS = (".mp4",)
# A payload that this picture garbles is tried in other bits before the picture is given up.
_ATTEMPTS = 4
_FRAMES_READ_BACK = 8


def write_labelled_picture(path: str | os.PathLike[str], image: Image, label: ForgeryLabel) -> None:
    """Write a forged picture with all its labels, or not at all.

    Args:
        path: Ends in ``.jpg``, ``.jpeg`` or ``.png``.
        image: (H, W, 3) uint8 RGB without marks. One with a side below 128 px is enlarged by a
            whole factor, since the labels need room.
        label: What is declared.

    Raises:
        ConsentMissing: It is a person's face, and nobody is said to have agreed.
        UsageError: Another extension.
        InputError: An ingredient cannot be read, or cannot carry credentials.
        LabelFailed: A label could not be made; no file was written.
        OutputRefused: The file cannot be written; nothing is left behind.
        MissingExtra: The packages for signing are not installed.
    """
    path = Path(path)
    identity = _checked(path, label, PICTURES)

    def make(unsigned: Path) -> dict[str, Any]:
        said = statement(label)
        marked = with_visible_mark(with_room_for_labels(image), label.method)
        for attempt in range(_ATTEMPTS):
            payload = payload_of(said, attempt)
            write_picture(unsigned, _watermarked(marked, payload))
            if _payload_in(unsigned) == payload:
                return _with_watermark(said, payload, attempt)
        raise _garbled(path)

    _write(path, make, label, identity)


def write_labelled_film(
    path: str | os.PathLike[str],
    frames: Iterable[Image],
    frame_rate: float | Fraction,
    label: ForgeryLabel,
    *,
    audio_from: str | os.PathLike[str] | None = None,
    crf: int = 18,
) -> None:
    """Write a forged film with all its labels, or not at all.

    Args:
        path: Ends in ``.mp4``.
        frames: (H, W, 3) uint8 RGB each, all of one size, without marks; taken one at a time.
            Frames with a side below 128 px are enlarged by a whole factor.
        frame_rate: Frames a second.
        label: What is declared.
        audio_from: A film whose sound is copied; None: silent.
        crf: x264's constant rate factor.

    Raises:
        ConsentMissing, UsageError, InputError, LabelFailed, OutputRefused, MissingExtra: As for
            :func:`write_labelled_picture`. What ``frames`` raises passes through as it is.
    """
    path = Path(path)
    identity = _checked(path, label, FILMS)
    source = _Source(frames)

    def make(unsigned: Path) -> dict[str, Any]:
        said = statement(label)
        payload = payload_of(said)
        marked = (
            _watermarked(with_visible_mark(with_room_for_labels(frame), label.method), payload)
            for frame in source
        )
        write_film(unsigned, marked, frame_rate, crf=crf, audio_from=audio_from)
        if _payload_in(unsigned) != payload:
            raise _garbled(path)
        return _with_watermark(said, payload, 0)

    try:
        _write(path, make, label, identity)
    except Exception:
        if source.error is not None:  # the labels did not fail: there was nothing to label
            raise source.error from None
        raise


def check_label(
    path: str | os.PathLike[str], label: ForgeryLabel, suffixes: tuple[str, ...] = PICTURES + FILMS
) -> None:
    """Find out before hours of work whether its result could be written with all its labels.

    Args:
        path: Where the result is to be written.
        label: What will be declared.
        suffixes: What the file's name may end in.

    Raises:
        ConsentMissing, UsageError, InputError, LabelFailed, OutputRefused, MissingExtra: As for
            :func:`write_labelled_picture`.
    """
    _checked(Path(path), label, suffixes)


def _checked(path: Path, label: ForgeryLabel, suffixes: tuple[str, ...]) -> Identity:
    """Check what can be checked before any work, and return who will sign."""
    if path.suffix.lower() not in suffixes:
        raise UsageError(
            f"{path.name} cannot be written: {path.suffix or 'a name without an end'} is no format "
            "in which a forgery of this kind can carry all its labels.",
            hint=f"These can: {', '.join(suffixes)}.",
        )
    check_consent(label)
    if sum(one.relationship == "parentOf" for one in label.ingredients) > 1:
        raise UsageError(
            "A forgery has one original (parentOf), and more were named.",
            hint="Name the others as componentOf.",
        )
    for ingredient in label.ingredients:
        check_ingredient(ingredient.path)
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise OutputRefused(
            f"{path} cannot be written: the folder is absent or may not be written to.",
            hint="Make the folder, or choose another one.",
        )
    from unmask.provenance import authority

    return authority.identity()


class _Source:
    """The caller's frames; remembers the error with which they ended."""

    def __init__(self, frames: Iterable[Image]) -> None:
        self._frames = frames
        self.error: Exception | None = None

    def __iter__(self) -> Iterator[Image]:
        try:
            yield from self._frames
        except Exception as error:
            self.error = error
            raise


def _write(
    path: Path, make: Callable[[Path], dict[str, Any]], label: ForgeryLabel, identity: Identity
) -> None:
    """Let ``make`` write the marked file and return its statement; declare, sign, give the name."""
    try:
        with tempfile.TemporaryDirectory(prefix=".unmask-", dir=path.parent) as folder:
            unsigned = Path(folder) / f"unsigned{path.suffix.lower()}"
            said = make(unsigned)
            _declare(unsigned, path, label.digital_source_type)
            sign(
                unsigned,
                path,
                title=label.title,
                action=label.action,
                digital_source_type=label.digital_source_type,
                ingredients=label.ingredients,
                assertions={FORGERY: said},
                identity=identity,
                record=lambda signed: _log(signed, said),
            )
    except UnmaskError as error:
        error.add_note(f"while labelling {path.name}")
        raise
    except OSError as error:
        raise OutputRefused(
            f"{path} could not be written ({error.strerror or error}).",
            hint="Check that the folder exists, may be written to, and has room.",
        ) from error
    except Exception as error:
        raise LabelFailed(
            f"{path.name} could not be labelled ({type(error).__name__}: {error}), "
            "so it was not written."
        ) from error


def _log(signed: Path, said: dict[str, Any]) -> None:
    """Record the digest. The file has no name yet: a record too many does no harm."""
    from unmask.provenance.log import Log, note_of_forgery

    payload = bytes.fromhex(said["watermark"]["payload"])
    Log().append("forged", hash_file(signed), note_of_forgery(said["method"], payload))


def _declare(unsigned: Path, path: Path, source_type: str) -> None:
    iptc.declare(unsigned, source_type)
    if iptc.read(unsigned) != (source_type,):
        raise LabelFailed(
            f"The IPTC source type of {path.name} did not read back, so it was not written."
        )


def _watermarked(image: Image, payload: bytes) -> Image:
    from unmask.provenance import watermark

    return watermark.embed(image, payload)


def _payload_in(path: Path) -> bytes | None:
    return watermark_in(path, _FRAMES_READ_BACK).payload


def _with_watermark(said: dict[str, Any], payload: bytes, attempt: int) -> dict[str, Any]:
    return {**said, "watermark": {"payload": payload.hex(), "attempt": attempt}}


def _garbled(path: Path) -> LabelFailed:
    return LabelFailed(
        f"The invisible watermark of {path.name} did not read back, so it was not written.",
        hint="A picture that is all black, white or noise has no room for one; a larger one has.",
    )
