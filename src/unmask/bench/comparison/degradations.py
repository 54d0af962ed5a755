"""What happens to pictures on their way: functions picture -> picture with a strength.

A degradation keeps the size of the picture, so that landmarks stay where they are. It is applied
to the stored face with the room around it, before cropping, as the world does. All are
deterministic: noise depends on the picture alone.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.datasets import StoredFace
from unmask.errors import UnknownEntry

if TYPE_CHECKING:
    from unmask.datasets import FaceColumns, FaceStore
    from unmask.types import Image


@dataclass(frozen=True, slots=True)
class Degradation:
    """One row of the table of degradations.

    Attributes:
        id: Short name.
        title: Name for people.
        unit: What a strength is (``quality``), for axes.
        strengths: What is measured unless a study says otherwise, from mild to harsh.
        about: What is done, in a sentence.
        apply: (picture, strength) -> picture of the same size.
    """

    id: str
    title: str
    unit: str
    strengths: tuple[float, ...]
    about: str
    apply: Callable[[Image, float], Image]


def jpeg(image: Image, quality: float) -> Image:
    """Baseline JPEG with colour at half resolution (4:2:0), as cameras and sites write it."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    options = [cv2.IMWRITE_JPEG_QUALITY, int(quality),
               cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]  # fmt: skip
    _, encoded = cv2.imencode(".jpg", bgr, options)
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)


def h264(image: Image, crf: float) -> Image:
    """Last of four frames of an x264 film over which the picture drifts by a pixel a frame."""
    from unmask.train.film_codec import film_still

    return film_still(image, crf=int(crf), preset="veryfast", drift_px=(1.0, 0.0), frames=4)


def resize(image: Image, scale: float) -> Image:
    """Reduced by averaging areas, enlarged again bicubically."""
    height, width = image.shape[:2]
    small = _scaled(image, scale)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def blur(image: Image, sigma_px: float) -> Image:
    """Gaussian blur."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_px), np.uint8)


def noise(image: Image, deviation: float) -> Image:
    """Gaussian noise of this standard deviation on the 0..255 scale, independent by channel."""
    rng = np.random.default_rng(zlib.crc32(image.tobytes()))
    noisy = image + rng.normal(0.0, deviation, image.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def shared(image: Image, times: float) -> Image:
    """So many re-uploads to a site: each reduces to 0.8, resharpens, and writes JPEG 71.

    What it imitates: sites bound the size, sharpen what they reduced, and recompress with colour
    at half resolution; 71 is what Facebook was found to use. In the end the picture is enlarged
    to its first size again.

    Source:
        Caldelli, Becarelli and Amerini, Image origin classification based on social network
        provenance, IEEE TIFS 12 (2017), on size, filtering and quality factors of sites.
    """
    height, width = image.shape[:2]
    for _ in range(int(times)):
        image = jpeg(_sharpened(_scaled(image, 0.8)), 71)
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def _scaled(image: Image, scale: float) -> Image:
    height, width = image.shape[:2]
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _sharpened(image: Image) -> Image:
    """Unsharp mask: half of what a blur of one pixel takes away is added."""
    soft = cv2.GaussianBlur(image, (0, 0), 1.0)
    return np.asarray(cv2.addWeighted(image, 1.5, soft, -0.5, 0.0), np.uint8)


DEGRADATIONS: dict[str, Degradation] = {
    one.id: one
    for one in (
        Degradation("jpeg", "JPEG", "quality", (100, 90, 80, 70, 60, 50, 40, 30, 20, 10),
                    "JPEG with colour at half resolution", jpeg),
        Degradation("h264", "H.264", "CRF", (18, 23, 28, 33, 38, 43),
                    "last of four frames of an x264 film (veryfast) that drifts a pixel a frame",
                    h264),
        Degradation("resize", "Reduced", "scale", (0.75, 0.5, 0.35, 0.25),
                    "reduced to this share of its side and enlarged again", resize),
        Degradation("blur", "Blur", "sigma, px", (0.5, 1.0, 1.5, 2.0, 3.0),
                    "Gaussian blur", blur),
        Degradation("noise", "Noise", "deviation of 255", (2, 5, 10, 15, 25),
                    "Gaussian noise", noise),
        Degradation("shared", "Shared on social networks", "times", (1, 2, 3, 4),
                    "each time reduced to 0.8, resharpened, JPEG 71", shared),
    )
}  # fmt: skip


def get_degradation(name: str) -> Degradation:
    """The degradation called ``name``.

    Raises:
        UnknownEntry: There is none.
    """
    if name not in DEGRADATIONS:
        raise UnknownEntry(
            f"There is no degradation called {name!r}.", hint=f"Known: {', '.join(DEGRADATIONS)}."
        )
    return DEGRADATIONS[name]


class DegradedStore:
    """A store whose faces went through a degradation; rows and columns are the same.

    Args:
        store: Where the faces lie.
        degradation: What happens to them.
        strength: How much of it.
    """

    def __init__(self, store: FaceStore, degradation: Degradation, strength: float) -> None:
        self._store, self._degradation, self._strength = store, degradation, strength
        self.columns: FaceColumns = store.columns

    def __len__(self) -> int:
        return len(self._store)

    def face(self, row: int) -> StoredFace:
        """Face number ``row``, degraded."""
        face = self._store.face(row)
        image = self._degradation.apply(np.ascontiguousarray(face.image), self._strength)
        return StoredFace(image, face.landmarks, face.mask)
