"""Putting one face onto another: colour transfer, mask softening, alpha and Poisson blending."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from unmask.types import Floats, Image


def transfer_colour(source: Image, target: Image, mask: Floats) -> Image:
    """Give ``source`` the colours of ``target`` inside ``mask``.

    Mean and deviation of each Lab channel are matched.

    Source: Reinhard et al., "Color Transfer between Images", IEEE CG&A 2001; with CIE Lab
    instead of l-alpha-beta, and statistics from the masked pixels only.
    """
    inside = mask > 0.5
    if inside.sum() < 16:
        return source
    lab_source = cv2.cvtColor(source, cv2.COLOR_RGB2LAB).astype(np.float32)
    lab_target = cv2.cvtColor(target, cv2.COLOR_RGB2LAB).astype(np.float32)
    here, there = lab_source[inside], lab_target[inside]
    # A flat source would be stretched without bound: noise, not colour.
    gain = np.clip(there.std(0) / np.maximum(here.std(0), 1e-3), 0.5, 2.0)
    moved = (lab_source - here.mean(0)) * gain + there.mean(0)
    lab = np.clip(moved, 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)


def soften(
    mask: Floats, face_px: float, rng: np.random.Generator, *, widest: float = 0.12
) -> Floats:
    """Turn a hard mask into a soft one with a random edge inside it.

    Blur, threshold (which moves the edge), blur again, renormalise.

    Args:
        mask: (H, W) 0 or 1.
        face_px: Size of the face; edge widths are shares of it.
        rng: Source of all randomness.
        widest: Largest blur as a share of the face.

    Source: Shiohara & Yamasaki, CVPR 2022, section 3.3.
    """
    first = face_px * rng.uniform(0.02, 0.08)
    threshold = float(rng.choice([0.2, 0.5, 0.9, 0.98]))
    return soft_edge(mask, first, threshold, face_px * rng.uniform(0.015, widest))


def soft_edge(mask: Floats, first_px: float, threshold: float, second_px: float) -> Floats:
    """:func:`soften` with its values given: blur, move the edge, blur again, renormalise."""
    first, second = _odd(first_px), _odd(second_px)
    edge = cv2.GaussianBlur(mask, (first, first), 0)
    edge = (edge > threshold).astype(np.float32)
    soft = np.asarray(cv2.GaussianBlur(edge, (second, second), 0), np.float32)
    peak = float(soft.max())
    return soft / peak if peak > 0 else soft


def alpha_blend(source: Image, target: Image, mask: Floats) -> Image:
    """``mask * source + (1 - mask) * target``, rounded."""
    weight = mask[..., None]
    mixed = source.astype(np.float32) * weight + target.astype(np.float32) * (1 - weight)
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def poisson_blend(source: Image, target: Image, mask: Floats) -> Image:
    """Blend gradients instead of values; falls back to alpha where the region is too small.

    Source: Perez et al., "Poisson Image Editing", SIGGRAPH 2003, by OpenCV's ``seamlessClone``.
    What differs: OpenCV solves over the whole box around the mask and lets colour leak out of it,
    so what lies outside the mask is taken from the target again.
    """
    height, width = mask.shape
    # The clone fails when the region touches the border, so keep a frame of three pixels.
    hard = np.zeros((height, width), np.uint8)
    hard[3:-3, 3:-3] = (mask[3:-3, 3:-3] > 0.5) * 255
    ys, xs = np.nonzero(hard)
    if len(xs) < 64 or np.ptp(xs) < 8 or np.ptp(ys) < 8:
        return alpha_blend(source, target, mask)
    box = cv2.boundingRect(hard)
    centre = (box[0] + box[2] // 2, box[1] + box[3] // 2)
    cloned = cv2.seamlessClone(source, target, hard, centre, cv2.NORMAL_CLONE)
    return alpha_blend(np.asarray(cloned, np.uint8), target, np.clip(mask * 2, 0, 1))


def _odd(length: float) -> int:
    return 2 * max(1, round(length / 2)) + 1
