"""Features of the bundled detector, for comparing two crowds of faces.

Distances of these are "Frechet distance (unmask-base features)". They are not FID: that name
belongs to one Inception network, whose features these are not, and the numbers cannot be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any

import numpy as np

from unmask.detectors.unmask_base import UnmaskBase
from unmask.detectors.views import face_views, to_pixels
from unmask.faces.mesh import upright_region
from unmask.inference import openvino_core
from unmask.metrics.distributions import frechet_distance, principal_axes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.types import Floats, Image

    Doubles = NDArray[np.float64]

NAME = "Frechet distance (unmask-base features)"
AXES = 64
_BATCH = 16


@dataclass(frozen=True, slots=True)
class CrowdDistance:
    """How far made faces lie from real ones.

    Attributes:
        value: Between made and real faces.
        floor: Mean between random halves of the real faces, as many as that leaves: what two
            samples of one crowd give.
        axes: Principal axes of the real faces that it was measured on.
        made: Made faces.
        real: Real faces.
    """

    value: float
    floor: float
    axes: int
    made: int
    real: int


class BaseFeatures:
    """What the last classifier of ``unmask-base`` sees of a face."""

    def __init__(self) -> None:
        packaged = files("unmask.detectors").joinpath("weights", UnmaskBase.spec.weights)
        with as_file(packaged) as path:
            model = openvino_core().read_model(str(path))
        node = model.output("logits").get_node()
        while node.get_type_name() != "MatMul":
            node = node.input_value(0).get_node()
        model.add_outputs([node.input_value(0)])
        self._run: Any = openvino_core().compile_model(
            model, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        )

    def of(self, faces: Sequence[tuple[Image, Floats]]) -> Doubles:
        """(N, D) features of faces: pictures with their landmarks; the first view of each."""
        spec = UnmaskBase.spec
        rows = []
        for start in range(0, len(faces), _BATCH):
            crops = [face_views(image, upright_region(landmarks, 1.0), spec)[0]
                     for image, landmarks in faces[start : start + _BATCH]]  # fmt: skip
            found = self._run(to_pixels(crops, spec))
            rows.append(np.array(found[len(self._run.outputs) - 1], np.float64))
        return np.concatenate(rows)


def crowd_distance(made: Doubles, real: Doubles, *, seed: int = 0) -> CrowdDistance:
    """Frechet distance on the first principal axes of the real faces' features.

    Few faces cannot span all features; on 64 axes a few hundred can.

    Args:
        made: (N, D).
        real: (M, D), at least four rows.
        seed: Of the halves.
    """
    mean, axes = principal_axes(real, AXES)
    there, here = (real - mean) @ axes, (made - mean) @ axes
    rng = np.random.default_rng(seed)
    floors = []
    for _ in range(5):
        order = rng.permutation(len(there))
        half = len(there) // 2
        floors.append(frechet_distance(there[order[:half]], there[order[half : 2 * half]]))
    return CrowdDistance(
        frechet_distance(here, there), float(np.mean(floors)), axes.shape[1], len(made), len(real)
    )
