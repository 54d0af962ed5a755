"""Which detector runs: from what a user names, an id, a weights file, or both."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from unmask.detectors.base import DETECTORS, Detector, PackagedDetector
from unmask.detectors.network_cards import network_cards
from unmask.detectors.onnx_network import OnnxNetwork
from unmask.detectors.weights_file import read_facts
from unmask.errors import ModelUnavailable, UnknownEntry, UsageError

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_DETECTOR = "unmask-base"


def open_detector(detector: str | None = None, weights: Path | None = None) -> Detector:
    """Load the detector that is meant.

    A weights file that carries its facts decides for itself; ``detector`` must then agree. One
    without facts is run by the packaged detector that is named, or whose weights these are.

    Args:
        detector: Id; None: the weights say, or the one that comes with the package.
        weights: ONNX file; None: the detector's own.

    Raises:
        UnknownEntry: There is no such detector, or it is a network without weights.
        UsageError: The file holds weights of another network.
        ModelUnavailable: The weights are absent, altered, unusable or anonymous.
    """
    if weights is None:
        return _packaged(detector or DEFAULT_DETECTOR)()
    facts = read_facts(weights)
    if facts is None:
        return _without_facts(detector, weights)
    if detector is not None and detector != facts.id:
        raise UsageError(
            f"{weights.name} holds weights of {facts.id!r}, not of {detector!r}.",
            hint="Leave --detector out, or give the weights that belong to it.",
        )
    return OnnxNetwork(weights)


def _packaged(detector: str) -> type[PackagedDetector]:
    try:
        return DETECTORS.get(detector)
    except UnknownEntry:
        if detector not in {card.id for card in network_cards()}:
            raise
        raise UnknownEntry(
            f"{detector!r} is a network; the package brings no weights for it.",
            hint="Train it with 'unmask train', turn the run into a file with 'unmask export', "
            "and give that file with --weights.",
        ) from None


def _without_facts(detector: str | None, weights: Path) -> Detector:
    if detector is not None:
        return _packaged(detector)(weights)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    for packaged in DETECTORS:
        if packaged.spec.weights_sha256 == digest:
            return packaged(weights)
    raise ModelUnavailable(
        f"{weights.name} does not say which network it is.",
        hint="Give a file made by 'unmask export', or name its detector with --detector "
        f"({DEFAULT_DETECTOR} for weights of the bundled one).",
    )
