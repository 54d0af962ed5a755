"""What a detector is: a class with a spec, built from a weights file, that scores face crops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from unmask.registry import Registry

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from unmask.types import Floats


@dataclass(frozen=True, slots=True)
class DetectorSpec:
    """Facts about a detector that everything else is derived from.

    Attributes:
        id: Short name (``unmask-base``).
        title: Name for people.
        paper: What it is built from.
        modality: ``image`` (one crop, one score) or ``clip``.
        input_px: Side of the square crop it wants.
        views: How each face is cut out, once for each view: side of the crop over the longer
            side of the face hull, and whether it is mirrored. The score is the mean over views;
            the map and the report show the first, which is never mirrored.
        mean: Per-channel mean, RGB, on the 0..255 scale.
        std: Per-channel deviation, RGB, on the 0..255 scale.
        weights: File name of the ONNX weights inside the package.
        weights_sha256: Digest of that file.
        code_licence: SPDX id.
        weights_licence: Terms of the weights, in a few words.
        training_sets: What it has seen.
        calibration_id: Calibration in the package that belongs to these weights; empty: none.
        map_kind: What the maps show: ``manipulated_pixels`` (a share that it was trained to
            tell), ``class_activation`` (which cells raise its score), or ``none``.
        sees: A sentence on the traces it looks for and the forgeries that may pass; empty: one
            is made from ``training_sets``.
    """

    id: str
    title: str
    paper: str
    modality: str
    input_px: int
    views: tuple[tuple[float, bool], ...]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    weights: str
    weights_sha256: str
    code_licence: str
    weights_licence: str
    training_sets: tuple[str, ...]
    calibration_id: str
    map_kind: str = "manipulated_pixels"
    sees: str = ""

    @property
    def crop_margin(self) -> float:
        """Margin of the first view."""
        return self.views[0][0]


@dataclass(frozen=True, slots=True, eq=False)
class DetectorOutput:
    """Scores of one batch.

    Attributes:
        logits: (B,) float32; higher = more manipulated, 0 = the training prior's middle.
        maps: (B, h, w) float32 in 0..1, share of manipulated pixels, or None.
    """

    logits: NDArray[np.float32]
    maps: NDArray[np.float32] | None


class Detector(Protocol):
    """An image detector with its weights; batch-invariant and deterministic.

    Attributes:
        weights_sha256: Digest of the weights that were loaded.
    """

    weights_sha256: str

    @property
    def spec(self) -> DetectorSpec:
        """Facts about it."""
        ...

    def predict(self, pixels: Floats) -> DetectorOutput:
        """Score (B, 3, input_px, input_px) float32 pixels, normalised by mean and std."""
        ...


class PackagedDetector(Protocol):
    """A class of detectors that comes with weights of its own, as the registry lists them.

    Attributes:
        spec: Facts about it.
        weights_sha256: Digest of the weights that were loaded.
    """

    spec: ClassVar[DetectorSpec]
    weights_sha256: str

    def __init__(self, weights: Path | None = None) -> None:
        """Load the bundled weights, or those at ``weights``."""
        ...

    def predict(self, pixels: Floats) -> DetectorOutput:
        """As :meth:`Detector.predict`."""
        ...


DETECTORS: Registry[type[PackagedDetector]] = Registry("detector", "unmask.detectors")
