"""Faces: finding, following, landmarks, alignment, masks and quality."""
