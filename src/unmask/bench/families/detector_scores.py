"""Scores of a packaged detector on stored faces, as a scan of single pictures gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unmask.calibration.model import load_calibration
from unmask.detectors.views import face_views, to_pixels
from unmask.errors import UsageError
from unmask.faces.mesh import upright_region

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from unmask.datasets.store import FaceStore
    from unmask.detectors.base import Detector
    from unmask.types import Image

_BATCH = 16


def face_logits(
    detector: Detector,
    store: FaceStore,
    rows: NDArray[np.int64],
    *,
    on_progress: Callable[[int], None] | None = None,
) -> NDArray[np.float64]:
    """(N,) mean logit over the detector's views of each face; nothing is degraded.

    Args:
        detector: The detector.
        store: Where the faces lie.
        rows: Which are scored.
        on_progress: Called with the faces done.
    """
    spec = detector.spec
    means: list[float] = []
    views = len(spec.views)
    for start in range(0, len(rows), _BATCH):
        crops: list[Image] = []
        for row in rows[start : start + _BATCH].tolist():
            face = store.face(int(row))
            crops += face_views(face.image, upright_region(face.landmarks, 1.0), spec)
        logits = detector.predict(to_pixels(crops, spec)).logits.astype(np.float64)
        means += logits.reshape(-1, views).mean(1).tolist()
        if on_progress is not None:
            on_progress(len(means))
    return np.array(means)


def shipped_threshold(detector: Detector) -> float:
    """The logit from which a single picture is said to be manipulated.

    Raises:
        UsageError: The detector has no calibration, or no score reaches the label.
    """
    calibration_id = detector.spec.calibration_id
    if not calibration_id:
        raise UsageError(
            f"{detector.spec.id} has no calibration, so it calls nothing.",
            hint="Take a detector that comes with the package.",
        )
    curve = load_calibration(calibration_id).image
    score = curve.score_at(curve.threshold_supported)
    if score is None:
        raise UsageError(
            f"The calibration {calibration_id} never supports manipulation in a picture.",
            hint="Calibrate again.",
        )
    return score
