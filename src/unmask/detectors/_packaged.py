"""Running a network whose ONNX file comes with the package, checked by its digest."""

from __future__ import annotations

import hashlib
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from unmask.detectors.base import DetectorOutput, DetectorSpec
from unmask.errors import ModelUnavailable
from unmask.inference import Session

if TYPE_CHECKING:
    from unmask.types import Floats


class PackagedOnnx:
    """Runs an exported network on face crops; a subclass brings the spec.

    Args:
        weights: ONNX file to use instead of the bundled one.

    Raises:
        ModelUnavailable: The file is absent, or the bundled one was altered.
    """

    spec: ClassVar[DetectorSpec]

    def __init__(self, weights: Path | None = None) -> None:
        if weights is not None:
            self._open(weights, expected=None)
            return
        packaged = files("unmask.detectors").joinpath("weights", self.spec.weights)
        with as_file(packaged) as path:
            # A file that was only unpacked for as long as this block lasts cannot wait.
            self._open(path, expected=self.spec.weights_sha256, wait=path != packaged)

    def _open(self, path: Path, *, expected: str | None, wait: bool = True) -> None:
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
            self._session = Session(path, wait=wait)
        except RuntimeError as error:
            raise ModelUnavailable(
                f"{path.name} is not a network that OpenVINO can run.",
                hint="Give an ONNX file made by 'unmask export'.",
            ) from error

    def predict(self, pixels: Floats) -> DetectorOutput:
        """Score a batch; see :class:`unmask.detectors.Detector`."""
        logits, maps = self._session.run(pixels)
        return DetectorOutput(logits.reshape(-1), maps.reshape(len(pixels), *maps.shape[-2:]))
