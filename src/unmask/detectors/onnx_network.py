"""Any exported network as a detector: the file says what it is and how its crops are cut.

Made by ``unmask export`` from any image network of :mod:`unmask.networks`. It runs in OpenVINO and
needs no PyTorch. It is not in the registry, which lists what comes with a package: this one comes
with a file.

Example:
    >>> detector = OnnxNetwork(Path("mine.onnx"))  # doctest: +SKIP
    >>> detector.spec.id  # doctest: +SKIP
    'mesonet-4'
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unmask.detectors.base import DetectorOutput, DetectorSpec
from unmask.detectors.weights_file import NetworkFacts, read_facts
from unmask.errors import ModelUnavailable
from unmask.inference import Session

if TYPE_CHECKING:
    from unmask.types import Floats

_PROBES = 2


class OnnxNetwork:
    """Runs an ONNX file that carries its facts.

    Args:
        weights: File made by ``unmask export``.

    Raises:
        ModelUnavailable: The file is absent, no network, carries no facts, or does not do what
            its facts say.
    """

    def __init__(self, weights: Path) -> None:
        facts = read_facts(weights)
        if facts is None:
            raise ModelUnavailable(
                f"{weights.name} does not say which network it is.",
                hint="Give a file made by 'unmask export', or name its detector with --detector.",
            )
        self.facts = facts
        try:
            self.weights_sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
            self._session = Session(weights)
        except OSError as error:
            raise ModelUnavailable(
                f"The weights {weights.name} cannot be read: {error.strerror}.",
                hint="Check the path.",
            ) from error
        except RuntimeError as error:
            raise ModelUnavailable(
                f"{weights.name} is not a network that OpenVINO can run.",
                hint="Export it again with 'unmask export', and mind what it says.",
            ) from error
        self.spec = spec_of(facts, weights.name, self.weights_sha256)
        self._check(weights.name)

    def predict(self, pixels: Floats) -> DetectorOutput:
        """Score a batch; see :class:`unmask.detectors.Detector`."""
        outputs = self._session.run(pixels)
        logits = outputs[0].reshape(-1)
        if self.facts.map_kind == "none":
            return DetectorOutput(logits, None)
        return DetectorOutput(logits, outputs[1])

    def _check(self, name: str) -> None:
        """Run it once: what it takes and gives must be what its facts say."""
        side = self.facts.input_px
        blank = np.zeros((_PROBES, 3, side, side), np.float32)
        try:
            outputs = self._session.run(blank)
        except RuntimeError as error:
            raise _contradicts(name, f"it does not take crops of {side} px") from error
        wanted = 1 if self.facts.map_kind == "none" else 2
        if len(outputs) != wanted:
            raise _contradicts(name, f"it gives {len(outputs)} outputs, not {wanted}")
        if outputs[0].shape not in {(_PROBES,), (_PROBES, 1)}:
            raise _contradicts(name, f"its scores have the shape {outputs[0].shape}")
        if wanted == 1:
            return
        maps = outputs[1]
        if maps.ndim != 3 or len(maps) != _PROBES:
            raise _contradicts(name, f"its maps have the shape {maps.shape}")
        if not (maps.min() >= 0 and maps.max() <= 1):
            raise _contradicts(name, f"its maps reach from {maps.min():.3g} to {maps.max():.3g}")


def spec_of(facts: NetworkFacts, name: str, weights_sha256: str) -> DetectorSpec:
    """The facts of a file as those of a detector.

    Args:
        facts: What the file says.
        name: Its name.
        weights_sha256: Its digest.
    """
    return DetectorSpec(
        id=facts.id,
        title=facts.title,
        paper=facts.paper,
        modality="image",
        input_px=facts.input_px,
        views=facts.views,
        mean=facts.mean,
        std=facts.std,
        weights=name,
        weights_sha256=weights_sha256,
        code_licence=facts.code_licence,
        weights_licence=facts.weights_licence,
        training_sets=facts.training_sets,
        calibration_id="",
        map_kind=facts.map_kind,
    )


def _contradicts(name: str, what: str) -> ModelUnavailable:
    return ModelUnavailable(
        f"The network in {name} contradicts what the file says of it: {what}.",
        hint="Export it again with 'unmask export'.",
    )
