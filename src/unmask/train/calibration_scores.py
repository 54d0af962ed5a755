"""Scores of held-out faces as scanning would see them: the raw material of a calibration.

Pictures: each held-out face, real or forged, is degraded mildly (half of them not at all), cut
out and scored by the exported network. Films are SIMULATED: no held-out films exist, so eight
versions of one picture stand in for eight frames of one face, under one shared reduction and
compression, with small changes of place, scale, tilt and grain from frame to frame. What a
simulated film lacks is what changes in a real one: expression, pose, motion blur, light, and the
flicker of forgeries. Its eight scores are therefore more alike than those of a real film.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.detectors.views import face_views, to_pixels
from unmask.errors import UsageError
from unmask.faces.mesh import Region, upright_region
from unmask.forgeries import FORGERIES, RealFace
from unmask.train.augment import PairAugmenter
from unmask.train.pairs import face_turn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.detectors import Detector
    from unmask.train.facecache import FaceCache
    from unmask.types import Floats, Image

FILM_FRAMES = 8
FORGERIES_USED = ("self_blending", "landmark_swap")
_DEGRADED_SHARE = 0.5
_STRENGTH = 0.5
_SMALLEST_PX = 64.0
_BATCH = 32


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One held-out face, as it is or forged.

    Attributes:
        face: Pixels and landmarks.
        y_true: 0 untouched, 1 manipulated.
        source: Set the face comes from.
        method: ``untouched``, ``found`` (came with the set) or the id of a forgery.
        group: Original that it was made from.
    """

    face: RealFace
    y_true: int
    source: str
    method: str
    group: str


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Scores of many samples, as columns.

    Attributes:
        y_true: (N,) 0 or 1.
        score: (N,) logit, or mean logit of a film.
        source: (N,) set names.
        method: (N,) see :class:`Sample`.
        group: (N,) originals.
    """

    y_true: NDArray[np.int64]
    score: NDArray[np.float64]
    source: NDArray[np.str_]
    method: NDArray[np.str_]
    group: NDArray[np.str_]

    def where(self, keep: NDArray[np.bool_]) -> Scored:
        """The samples for which ``keep`` holds."""
        return Scored(
            self.y_true[keep],
            self.score[keep],
            self.source[keep],
            self.method[keep],
            self.group[keep],
        )


def samples_of(cache: FaceCache, rows: NDArray[np.int64], seed: int) -> Iterator[Sample]:
    """Held-out faces, and forgeries of those whose set brings none, in a fixed order."""
    with_found = set(cache.source[rows[cache.label[rows] == 1]].tolist())
    real = rows[cache.label[rows] == 0]
    donors = {s: real[cache.source[real] == s] for s in np.unique(cache.source[real]).tolist()}
    for row in rows:
        source, group = str(cache.source[row]), str(cache.group[row])
        face, fake = cache.face(int(row)), int(cache.label[row])
        yield Sample(face, fake, source, "found" if fake else "untouched", group)
        if source in with_found:
            continue
        for number, method in enumerate(FORGERIES_USED):
            rng = np.random.default_rng((seed, int(row), number))
            forge = FORGERIES.get(method)()
            donor = None
            if forge.spec.needs_donor:
                donor = _donor(cache, donors[source], int(row), rng)
                if donor is None:
                    continue
            forged = forge.forge(face, donor, rng)
            yield Sample(RealFace(forged.image, face.landmarks), 1, source, method, group)


def score_pictures(
    samples: list[Sample],
    detector: Detector,
    *,
    seed: int,
    on_progress: Callable[[int], None] | None = None,
) -> Scored:
    """Score every sample as one picture.

    Args:
        samples: From :func:`samples_of`.
        detector: With the weights to be calibrated.
        seed: Seed of the degradations.
        on_progress: Called with the samples done.
    """
    spec = detector.spec
    augment = PairAugmenter(_STRENGTH)

    def crop(number: int, sample: Sample) -> list[Image]:
        rng = np.random.default_rng((seed, 1, number))
        image = sample.face.image
        if rng.random() < _DEGRADED_SHARE:
            image, _ = augment(image, image, rng)
        return face_views(image, upright_region(sample.face.landmarks, 1.0), spec)

    return _score(samples, detector, crop, on_progress)


def score_films(
    samples: list[Sample],
    detector: Detector,
    *,
    seed: int,
    frames: int = FILM_FRAMES,
    on_progress: Callable[[int], None] | None = None,
) -> Scored:
    """Score every sample as a simulated film; the score is the mean logit of its frames."""

    def crops(number: int, sample: Sample) -> list[Image]:
        return film_crops(sample.face, detector, np.random.default_rng((seed, 2, number)), frames)

    return _score(samples, detector, crops, on_progress)


def film_crops(
    face: RealFace, detector: Detector, rng: np.random.Generator, frames: int
) -> list[Image]:
    """Crops of one face in the frames of a simulated film; see the module's docstring."""
    spec = detector.spec
    image, landmarks = _reduced(face, rng)
    webp = rng.random() < 0.5
    flag = cv2.IMWRITE_WEBP_QUALITY if webp else cv2.IMWRITE_JPEG_QUALITY
    options = [flag, int(rng.integers(25, 90) if webp else rng.integers(45, 97))]
    grain = float(rng.uniform(0, 3))
    face_px = float((landmarks.max(0) - landmarks.min(0)).max())
    crops = []
    for _ in range(frames):
        # Cutting off a few pixels moves the face against the grid of the codec's blocks.
        left, top = (int(value) for value in rng.integers(0, 8, 2))
        moved = landmarks - np.array([left, top], np.float32)
        shown = image[top:, left:].astype(np.float32) + rng.normal(0, 1.0)  # light
        shown = shown + rng.normal(0, max(grain, 1e-6), shown.shape)
        frame = _through_codec(np.clip(np.rint(shown), 0, 255).astype(np.uint8), options, webp=webp)
        crops += face_views(frame, _jittered(moved, face_px, rng), spec)
    return crops


def _reduced(face: RealFace, rng: np.random.Generator) -> tuple[Image, Floats]:
    """Half of the films are smaller than the picture they are made from."""
    face_px = float((face.landmarks.max(0) - face.landmarks.min(0)).max())
    factor = float(rng.uniform(0.5, 1.0)) if rng.random() < 0.5 else 1.0
    factor = max(factor, min(1.0, _SMALLEST_PX / face_px))  # smaller ones are out of scope
    if factor == 1.0:
        return face.image, face.landmarks
    height, width = face.image.shape[:2]
    size = (max(32, round(width * factor)), max(32, round(height * factor)))
    small = np.asarray(cv2.resize(face.image, size, interpolation=cv2.INTER_AREA), np.uint8)
    scale = np.array([size[0] / width, size[1] / height], np.float32)
    return small, np.asarray((face.landmarks + 0.5) * scale - 0.5, np.float32)


def _through_codec(image: Image, options: list[int], *, webp: bool) -> Image:
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".webp" if webp else ".jpg", bgr, options)
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)


def _jittered(landmarks: Floats, face_px: float, rng: np.random.Generator) -> Region:
    region = upright_region(landmarks, float(rng.normal(1, 0.015)))
    x, y = rng.normal(0, 0.008, 2) * face_px
    centre = (region.centre[0] + float(x), region.centre[1] + float(y))
    return Region(centre, region.side_px, region.roll_rad + float(np.radians(rng.normal(0, 1))))


def _score(
    samples: list[Sample],
    detector: Detector,
    crops_of: Callable[[int, Sample], list[Image]],
    on_progress: Callable[[int], None] | None,
) -> Scored:
    if not samples:
        raise UsageError(
            "There are no held-out faces to calibrate on.",
            hint="Give the face cache of the recipe, and a recipe with held_out_share above 0.",
        )
    means: list[float] = []
    waiting: list[list[Image]] = []

    def flush() -> None:
        flat = [crop for crops in waiting for crop in crops]
        logits = np.concatenate(
            [
                detector.predict(to_pixels(flat[start : start + _BATCH], detector.spec)).logits
                for start in range(0, len(flat), _BATCH)
            ]
        )
        ends = np.cumsum([len(crops) for crops in waiting])
        means.extend(float(part.mean()) for part in np.split(logits.astype(np.float64), ends[:-1]))
        waiting.clear()

    for number, sample in enumerate(samples):
        waiting.append(crops_of(number, sample))
        if sum(map(len, waiting)) >= _BATCH or number == len(samples) - 1:
            flush()
            if on_progress is not None:
                on_progress(number + 1)
    return Scored(
        np.array([sample.y_true for sample in samples], np.int64),
        np.array(means),
        np.array([sample.source for sample in samples]),
        np.array([sample.method for sample in samples]),
        np.array([sample.group for sample in samples]),
    )


def _donor(
    cache: FaceCache, pool: NDArray[np.int64], row: int, rng: np.random.Generator
) -> RealFace | None:
    """The face of another original, among 24 drawn, that is turned most alike."""
    drawn = [int(r) for r in rng.choice(pool, 24) if cache.group[r] != cache.group[row]]
    if not drawn:
        return None
    turn = face_turn(cache.landmarks[row])
    return cache.face(min(drawn, key=lambda r: abs(face_turn(cache.landmarks[r]) - turn)))
