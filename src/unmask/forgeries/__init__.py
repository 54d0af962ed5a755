"""Forgeries: one file (or folder) a method, each returning picture, mask and label.

Everything here works on pixels in memory, for training detectors and for tests. What is written
for people goes through the labelled writers only.
"""

from unmask.forgeries.base import FORGERIES, ForgedFace, Forgery, ForgerySpec, RealFace

__all__ = ["FORGERIES", "ForgedFace", "Forgery", "ForgerySpec", "RealFace"]
