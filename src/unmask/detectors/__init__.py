"""Detectors: one file a paper. Higher score = more manipulated."""

from unmask.detectors.base import (
    DETECTORS,
    Detector,
    DetectorOutput,
    DetectorSpec,
    PackagedDetector,
)

__all__ = ["DETECTORS", "Detector", "DetectorOutput", "DetectorSpec", "PackagedDetector"]
