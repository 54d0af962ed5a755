"""The demonstration's pictures and films: two originals, and forgeries of them.

Both portraits are in the public domain and come inside packages: NASA's Eileen Collins
(scikit-image) and the US Navy's Grace Hopper (matplotlib). The forgeries carry a visible mark, an
invisible watermark, the IPTC digital source type and content credentials, as everything does that
this project forges for people's eyes; without them nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from unmask.errors import InputError, MissingExtra
from unmask.faces.finder import FaceFinder
from unmask.forgeries import RealFace
from unmask.forgeries.landmark_swap import swap_faces
from unmask.media import write_film, write_picture
from unmask.provenance import (
    ForgeryLabel,
    Ingredient,
    iptc,
    write_labelled_film,
    write_labelled_picture,
)

if TYPE_CHECKING:
    from unmask.types import Image

_RATE = 25.0
_SECONDS = 3.0
_FILM_SIDE_PX = 448
_CONSENT = (
    "Nobody was asked: two portraits published by the US government, in the public domain, of "
    "people known for their service; swapped to show what a forgery and its labels look like."
)
# Two photographs, warped and blended by fixed arithmetic: all elements are captures of real life.
# The wider IPTC term "composite" would leave open whether generative AI took part, and
# "compositeWithTrainedAlgorithmicMedia" would claim that it did. (Networks find the landmarks;
# none makes a pixel.)
_SOURCE_TYPE = iptc.COMPOSITE_CAPTURE


def make(folder: Path, on_file: Callable[[Path], None] | None = None) -> list[Path]:
    """Write the demonstration's pictures and films.

    Args:
        folder: Made if need be.
        on_file: Called with each file once it is written.

    Returns:
        The files: for each of two people the original picture and film, and the forged ones.

    Raises:
        MissingExtra: A package of the ``demo`` extra is not installed.
        LabelFailed: A forgery could not be labelled; it was not written.
        OutputRefused: The folder cannot be written.
        InputError: No face was found in a portrait that came with a package.
    """
    folder.mkdir(parents=True, exist_ok=True)
    people = {name: _with_face(image) for name, image in _portraits().items()}
    (first, one), (second, other) = people.items()
    pictures = (
        (f"{first}-original", one, one.image, None),
        (f"{second}-original", other, other.image, None),
        (f"{first}-with-face-of-{second}", one, swap_faces(one, other).image,
         _label(folder, first, second)),
        (f"{second}-with-face-of-{first}", other, swap_faces(other, one).image,
         _label(folder, second, first)),
    )  # fmt: skip
    made = []
    for name, face, image, label in pictures:
        made.append(folder / f"{name}.jpg")
        _write_picture(made[-1], image, label)
        _tell(on_file, made[-1])
        made.append(folder / f"{name}.mp4")
        _write_film(made[-1], moving_frames(image, face.landmarks.mean(0)), label)
        _tell(on_file, made[-1])
    return made


def moving_frames(image: Image, centre: np.ndarray) -> Iterator[Image]:
    """A slow camera move over a still picture: (S, S, 3) frames that keep ``centre`` in view."""
    count = round(_RATE * _SECONDS)
    height, width = image.shape[:2]
    for i in range(count):
        phase = i / (count - 1)
        side = min(height, width) * (0.95 - 0.25 * phase)
        x = np.clip(centre[0] + 12 * np.sin(phase * 6.0), side / 2, width - side / 2)
        y = np.clip(centre[1] + 8 * np.cos(phase * 5.0), side / 2, height - side / 2)
        scale = _FILM_SIDE_PX / side
        matrix = np.array(
            [[scale, 0, -(x - side / 2) * scale], [0, scale, -(y - side / 2) * scale]]
        )
        size = (_FILM_SIDE_PX, _FILM_SIDE_PX)
        yield np.asarray(cv2.warpAffine(image, matrix, size, flags=cv2.INTER_CUBIC), np.uint8)


def _portraits() -> dict[str, Image]:
    try:
        import matplotlib.cbook
        from skimage import data
    except ImportError as error:
        raise MissingExtra.named("demo", "The demonstration") from error
    sample: Any = matplotlib.cbook.get_sample_data  # neither package's types hold here
    astronaut: Any = data.astronaut
    with sample("grace_hopper.jpg") as file:
        packed = np.frombuffer(file.read(), np.uint8)
    hopper = cv2.cvtColor(cv2.imdecode(packed, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return {"collins": np.asarray(astronaut()), "hopper": np.asarray(hopper, np.uint8)}


def _with_face(image: Image) -> RealFace:
    faces = FaceFinder(max_faces=1).find(image)
    if not faces:
        raise InputError("No face was found in one of the demonstration's portraits.")
    return RealFace(image, faces[0].landmarks)


def _label(folder: Path, target: str, donor: str) -> ForgeryLabel:
    return ForgeryLabel(
        title=f"Forged: {target} with the face of {donor}",
        method="landmark_swap",
        digital_source_type=_SOURCE_TYPE,
        ingredients=(
            Ingredient(folder / f"{target}-original.jpg", "parentOf", f"Portrait of {target}"),
            Ingredient(folder / f"{donor}-original.jpg", "componentOf", f"Portrait of {donor}"),
        ),
        consent=_CONSENT,
        family="swap",
    )


def _write_picture(path: Path, image: Image, label: ForgeryLabel | None) -> None:
    if label is None:
        write_picture(path, image)
    else:
        write_labelled_picture(path, image, label)


def _write_film(path: Path, frames: Iterable[Image], label: ForgeryLabel | None) -> None:
    if label is None:
        write_film(path, frames, _RATE, crf=20)
    else:
        write_labelled_film(path, frames, _RATE, label, crf=20)


def _tell(on_file: Callable[[Path], None] | None, path: Path) -> None:
    if on_file is not None:
        on_file(path)
