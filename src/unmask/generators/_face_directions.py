"""Directions of a style GAN's w along which its faces change, found on its own samples.

Two kinds: principal components of w (``component_1`` ...: what varies most, whatever that is), and
straight lines fitted to what the face mesh measures on samples (``smile``, ``yaw`` ...).

Source: Harkonen et al., "GANSpace", NeurIPS 2020, section 2.1 (principal components of w); Shen et
al., "Interpreting the Latent Space of GANs for Semantic Face Editing", CVPR 2020 (a line for an
attribute; there by a classifier, here by ridge regression on a measurement).
"""

from __future__ import annotations

from collections import UserDict
from typing import TYPE_CHECKING

import numpy as np

from unmask.errors import UnknownEntry
from unmask.faces import topology
from unmask.generators._face_tensors import resized

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.generators.style_gan import StyleGan
    from unmask.types import Floats

    Pixels = NDArray[np.uint8]

_COMPONENTS = 8
_SAMPLES_OF_W = 4096
_MEASURED = 600
_RIDGE = 0.05
_LEAST_FACES = 100
_MEASURED_AT_PX = 192
_MESH_SCORE = 0.5
_UPPER_LIP, _LOWER_LIP, _MOUTH_CORNERS = 13, 14, (61, 291)
MEASURES = ("yaw", "mouth_open", "smile", "brightness", "warmth")


class Directions(UserDict[str, "Floats"]):
    """Directions by name, each (W,) float32: amount 1 is one standard deviation of the change.

    Attributes:
        explained: Share of each measure's variance that its line explains on samples that it was
            not fitted to; below about 0.2, do not expect much of it.
    """

    explained: dict[str, float]

    def __missing__(self, name: str) -> Floats:
        raise UnknownEntry(
            f"There is no direction called {name!r}.", hint=f"There is: {', '.join(self.data)}."
        )


def find_directions(gan: StyleGan) -> Directions:
    """Find all directions of a trained GAN; the same weights give the same directions."""
    found = Directions()
    found.explained = {}
    drawn = gan.styles(_SAMPLES_OF_W, seed=11)
    styles = drawn[:, 0].numpy()
    for number, direction in enumerate(_components(styles), 1):
        found[f"component_{number}"] = direction
    measured = measure(gan.paint(drawn[:_MEASURED], seed=11))
    for column, name in enumerate(MEASURES):
        line = fit_line(styles[:_MEASURED], measured[:, column])
        if line is not None:
            found[name], found.explained[name] = line
    return found


def measure(images: Pixels) -> Floats:
    """(N, 5) measures of faces, in the order of :data:`MEASURES`; NaN where the mesh finds none.

    ``yaw`` in degrees; ``mouth_open`` and ``smile`` are the height and width of the mouth over the
    distance of the outer corners of the eyes; ``brightness`` the mean grey level; ``warmth`` red
    less blue.
    """
    from unmask.faces.detection import Detection
    from unmask.faces.mesh import MeshEstimator
    from unmask.faces.quality import head_pose

    # The crops are aligned already, so nobody need look for the face.
    side = float(_MEASURED_AT_PX)
    points = np.array([[0.38, 0.45], [0.62, 0.45], [0.5, 0.55], [0.5, 0.65], [0.3, 0.5],
                       [0.7, 0.5]], np.float32)  # fmt: skip
    box = np.array([0.17, 0.17, 0.83, 0.83], np.float32)
    where = Detection(box * side, 1.0, points * side)
    estimator = MeshEstimator()
    rows = []
    for image in images:
        mesh = estimator.from_detection(resized(image, _MEASURED_AT_PX), where)
        colour = image.reshape(-1, 3).mean(0)
        light = [float(colour.mean()), float(colour[0] - colour[2])]
        if mesh.score < _MESH_SCORE:
            rows.append([np.nan] * 3 + light)
            continue
        rows.append([head_pose(mesh.points)[0], *_mouth(mesh.points[:, :2]), *light])
    return np.array(rows, np.float32)


def fit_line(styles: Floats, values: Floats) -> tuple[Floats, float] | None:
    """Ridge regression of a measure on w.

    Args:
        styles: (N, W).
        values: (N,); NaN rows are left out.

    Returns:
        The direction, so long that its measure changes by one standard deviation, and the share of
        variance explained on the last fifth, which is not fitted to. None: fewer than 100 values.
    """
    known = np.isfinite(values)
    if known.sum() < _LEAST_FACES:
        return None
    x, y = styles[known].astype(np.float64), values[known].astype(np.float64)
    mean, deviation = y.mean(), max(float(y.std()), 1e-9)
    y = (y - mean) / deviation
    centre = x.mean(0)
    x = x - centre
    cut = len(x) * 4 // 5
    kept = x[:cut]
    strength = _RIDGE * np.trace(kept.T @ kept) / kept.shape[1]
    slope = np.linalg.solve(kept.T @ kept + strength * np.eye(kept.shape[1]), kept.T @ y[:cut])
    rest = y[cut:] - x[cut:] @ slope
    explained = 1 - float(rest.var() / max(y[cut:].var(), 1e-9))
    return (slope / max(float(slope @ slope), 1e-9)).astype(np.float32), explained


def _components(styles: Floats) -> list[Floats]:
    centred = styles - styles.mean(0)
    _, sizes, ways = np.linalg.svd(centred, full_matrices=False)
    spread = sizes / np.sqrt(len(styles))
    return [(way * size).astype(np.float32)
            for way, size in zip(ways[:_COMPONENTS], spread, strict=False)]  # fmt: skip


def _mouth(points: Floats) -> tuple[float, float]:
    eyes = points[topology.LEFT_EYE_CORNERS[1]] - points[topology.RIGHT_EYE_CORNERS[0]]
    apart = max(float(np.linalg.norm(eyes)), 1e-6)
    gap = float(np.linalg.norm(points[_UPPER_LIP] - points[_LOWER_LIP]))
    left, right = _MOUTH_CORNERS
    return gap / apart, float(np.linalg.norm(points[left] - points[right])) / apart
