"""``unmask-base``: the detector that comes with the package.

MobileNetV2 with a feature pyramid and a residual stem, trained on self-blended faces, landmark
swaps and DFDC pairs; a class logit and a manipulation map. How it was trained, what it reaches and
what it cannot see: docs/models/unmask-base.md. The network itself is in ``_unmask_base_network``;
this file runs its ONNX export and needs no PyTorch.
"""

from __future__ import annotations

import hashlib
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from unmask.detectors.base import DETECTORS, DetectorOutput, DetectorSpec
from unmask.errors import ModelUnavailable
from unmask.inference import Session

if TYPE_CHECKING:
    from unmask.types import Floats


@DETECTORS.register
class UnmaskBase:
    """Runs the exported network on face crops.

    Args:
        weights: ONNX file to use instead of the bundled one.

    Raises:
        ModelUnavailable: The file is absent, or the bundled one was altered.
    """

    spec: ClassVar = DetectorSpec(
        id="unmask-base",
        title="Unmask base",
        paper="own; after self-blended images (CVPR 2022) and LAA-Net (CVPR 2024)",
        modality="image",
        input_px=224,
        views=((1.2, False), (1.5, True)),
        mean=(127.5, 127.5, 127.5),
        std=(127.5, 127.5, 127.5),
        weights="unmask-base.onnx",
        weights_sha256="f4c32b8a4b6fe2be63580be5fa68b01cab596bad31dd35479c5dbeb95048e0c3",
        code_licence="Apache-2.0",
        weights_licence="research use: trained in part on DFDC (Kaggle terms) and CelebA",
        training_sets=("dfdc_faces/train", "congress", "london", "man_unsplash", "celeba"),
        calibration_id="unmask-base-1",
        sees="The method looks for traces of blending, warping and resampling that face swaps "
        "leave. Pictures that a generator made as a whole, lip-sync and reenactment leave other "
        "traces and may pass unnoticed.",
    )

    def __init__(self, weights: Path | None = None) -> None:
        if weights is not None:
            self._open(weights, expected=None)
            return
        packaged = files("unmask.detectors").joinpath("weights", self.spec.weights)
        with as_file(packaged) as path:
            self._open(path, expected=self.spec.weights_sha256)

    def _open(self, path: Path, *, expected: str | None) -> None:
        try:
            self.weights_sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise ModelUnavailable(
                f"The weights {path.name} cannot be read: {error.strerror}.",
                hint="Check the path, or install Unmask again if they are the bundled ones.",
            ) from error
        if expected is not None and self.weights_sha256 != expected:
            raise ModelUnavailable(
                f"The bundled weights have SHA-256 {self.weights_sha256}, expected {expected}.",
                hint="They were altered or only partly installed. Install Unmask again.",
            )
        try:
            self._session = Session(path)
        except RuntimeError as error:
            raise ModelUnavailable(
                f"{path.name} is not a network that OpenVINO can run.",
                hint="Give an ONNX file made by 'unmask export'.",
            ) from error

    def predict(self, pixels: Floats) -> DetectorOutput:
        """Score a batch; see :class:`unmask.detectors.Detector`."""
        logits, maps = self._session.run(pixels)
        return DetectorOutput(logits.reshape(-1), maps.reshape(len(pixels), *maps.shape[-2:]))
