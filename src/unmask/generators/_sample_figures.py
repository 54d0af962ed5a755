"""How made faces compare with real ones as two crowds, on features of our own.

None of these is the Frechet inception distance: no inception network is used here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.generators._face_tensors import resized

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.types import Floats

    Pixels = NDArray[np.uint8]

_PATCH_PX, _PATCHES, _DIRECTIONS = 7, 64, 128
_LEAST_PX = 16
_SMALL_PX = 16


def sliced_wasserstein(made: Pixels, real: Pixels, seed: int = 0) -> float:
    """Distance between crowds of patches at every scale; 0 is the same, lower is better.

    Patches of 7 px from each level of the Laplacian pyramid down to 16 px, each colour normalised
    by the real ones' mean and deviation, compared along 128 random directions; the mean over
    levels, times 1000.

    Source: Karras et al., "Progressive Growing of GANs", ICLR 2018, section 5. What differs: 64
    patches a picture, and far fewer pictures.

    Args:
        made: (N, S, S, 3) uint8.
        real: (M, S, S, 3) uint8; as many are used of both as the fewer are.
        seed: Seeds patches and directions.
    """
    count = min(len(made), len(real))
    rng = np.random.default_rng(seed)
    distances = []
    for level_made, level_real in zip(
        _pyramids(made[:count]), _pyramids(real[:count]), strict=True
    ):
        first, second = _patches(level_made, rng), _patches(level_real, rng)
        mean, deviation = second.mean((0, 1)), second.std((0, 1)) + 1e-6
        flat = ((first - mean) / deviation).reshape(len(first), -1)
        other = ((second - mean) / deviation).reshape(len(second), -1)
        ways = rng.normal(size=(flat.shape[1], _DIRECTIONS)).astype(np.float32)
        ways /= np.linalg.norm(ways, axis=0)
        gap = np.sort(flat @ ways, axis=0) - np.sort(other @ ways, axis=0)
        distances.append(float(np.abs(gap).mean()))
    return 1000 * float(np.mean(distances))


def nearest_ratio(made: Pixels, held_out: Pixels, trained_on: Pixels) -> float:
    """How near made faces lie to the training faces, over how near held-out faces do.

    Median distance to the nearest training face at 16 px. Near 1: made faces are as new as faces
    never seen; near 0: they are copies.
    """
    known = _small(trained_on)
    own = float(np.median(_nearest(_small(made), known)))
    return own / max(float(np.median(_nearest(_small(held_out), known))), 1e-6)


def diversity_ratio(made: Pixels, real: Pixels) -> float:
    """Mean distance between made faces over that between real ones, at 16 px; 0: all the same."""
    return float(_mean_apart(_small(made)) / max(_mean_apart(_small(real)), 1e-6))


def crowd_figures(made: Pixels, held_out: Pixels, trained_on: Pixels) -> dict[str, float]:
    """All of the above by name."""
    return {
        "sliced_wasserstein": sliced_wasserstein(made, held_out),
        "nearest_ratio": nearest_ratio(made, held_out, trained_on),
        "diversity_ratio": diversity_ratio(made, held_out),
    }


def _small(images: Pixels) -> Floats:
    return np.asarray([resized(one, _SMALL_PX).reshape(-1) for one in images], np.float32)


def _nearest(points: Floats, known: Floats) -> Floats:
    return np.array([np.linalg.norm(known - one, axis=1).min() for one in points], np.float32)


def _mean_apart(points: Floats) -> float:
    if len(points) < 2:
        return 0.0
    apart = [np.linalg.norm(points[number + 1 :] - one, axis=1) for number, one in
             enumerate(points[:-1])]  # fmt: skip
    return float(np.concatenate(apart).mean())


def _pyramids(images: Pixels) -> list[Floats]:
    """Laplacian levels of all pictures, finest first, then what is left."""
    rest = images.astype(np.float32)
    levels = []
    while rest.shape[1] > _LEAST_PX:
        lower = np.stack([cv2.pyrDown(one) for one in rest])
        levels.append(rest - np.stack([cv2.pyrUp(one) for one in lower]))
        rest = lower
    return [*levels, rest]


def _patches(images: Floats, rng: np.random.Generator) -> Floats:
    """(N x 64, 49, 3) patches at random places."""
    reach = images.shape[1] - _PATCH_PX + 1
    found = np.empty((len(images) * _PATCHES, _PATCH_PX * _PATCH_PX, 3), np.float32)
    tops, lefts = rng.integers(0, reach, (2, len(found)))
    for number, (top, left) in enumerate(zip(tops, lefts, strict=True)):
        picture = images[number // _PATCHES]
        patch = picture[top : top + _PATCH_PX, left : left + _PATCH_PX]
        found[number] = patch.reshape(-1, 3)
    return found
