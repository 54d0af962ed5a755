"""From a detector's score to a statement with a known error rate. Needs numpy at most."""

from unmask.calibration.model import Calibration, Curve, load_calibration, read_calibration

__all__ = ["Calibration", "Curve", "load_calibration", "read_calibration"]
