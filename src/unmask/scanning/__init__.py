"""Composing media, faces, detectors and calibration into a report."""
