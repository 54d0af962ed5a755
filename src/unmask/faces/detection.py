"""Finding faces with the two BlazeFace networks.

Source: Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs",
CVPR Workshop 2019; anchor layout from MediaPipe's published graph configurations. What differs:
both ranges are run and merged, large pictures are also searched in overlapping tiles, and a
picture that is all face is searched again with a border around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.faces import assets
from unmask.inference import Session

if TYPE_CHECKING:
    from unmask.types import Floats, Image

_NEAR_PX, _FAR_PX = 128, 192
_SCORE = 0.55
_OVERLAP = 0.3
_TILE_PX = 512
_TILE_STEP = 0.75
_SEARCH_SIDE_PX = 2048
_BORDER = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """A box that may be a face.

    Attributes:
        bbox_xyxy: Left, top, right, bottom in pixels of the picture; may reach outside it.
        score: 0..1.
        keypoints: (6, 2): right eye, left eye, nose tip, mouth, right ear, left ear.
    """

    bbox_xyxy: Floats
    score: float
    keypoints: Floats


class FaceDetector:
    """BlazeFace near and far, loaded once."""

    def __init__(self) -> None:
        self._near = Session(assets.path_of("face_detection_near"), wait=False)
        self._far = Session(assets.path_of("face_detection_far"), wait=False)
        self._near_anchors = np.concatenate([_grid(16, 2), _grid(8, 6)])
        self._far_anchors = _grid(48, 1)

    def detect(self, image: Image, *, thorough: bool = True) -> list[Detection]:
        """Find faces, best first.

        Args:
            image: (H, W, 3) uint8 RGB.
            thorough: Also search tiles of a large picture and, when nothing was found, the
                picture with a border. Without it only the whole picture is searched.
        """
        scale = min(1.0, _SEARCH_SIDE_PX / max(image.shape[:2]))
        small = _shrink(image, scale)
        found = self._both(small)
        if thorough:
            for left, top, tile in _tiles(small):
                found += [_moved(d, left, top) for d in self._one(tile, far=True)]
            if not found:
                found = self._with_border(small)
        return [_scaled(d, 1.0 / scale) for d in _merge(found)]

    def _both(self, image: Image) -> list[Detection]:
        return self._one(image, far=False) + self._one(image, far=True)

    def _with_border(self, image: Image) -> list[Detection]:
        pad = round(_BORDER * max(image.shape[:2]))
        padded = cv2.copyMakeBorder(image, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
        return [_moved(d, -pad, -pad) for d in self._both(np.asarray(padded, np.uint8))]

    def _one(self, image: Image, *, far: bool) -> list[Detection]:
        side = _FAR_PX if far else _NEAR_PX
        session, anchors = (
            (self._far, self._far_anchors) if far else (self._near, self._near_anchors)
        )
        pixels, scale, offset = _letterbox(image, side)
        boxes, logits = session.run(pixels)
        scores = 1.0 / (1.0 + np.exp(-np.clip(logits.reshape(-1), -80, 80)))
        keep = scores >= _SCORE
        if not keep.any():
            return []
        raw = boxes.reshape(-1, 16)[keep]
        centres = anchors[keep]
        points = raw.reshape(-1, 8, 2) / side
        points[:, 0] += centres
        points[:, 2:] += centres[:, None]
        half = points[:, 1] / 2
        # Undo the letterbox: unit square of the network -> pixels of the picture.
        corners = np.stack([points[:, 0] - half, points[:, 0] + half], 1)
        corners = (corners * side - offset) / scale
        keypoints = (points[:, 2:] * side - offset) / scale
        return [
            Detection(box.reshape(4).astype(np.float32), float(score), kps.astype(np.float32))
            for box, score, kps in zip(corners, scores[keep], keypoints, strict=True)
        ]


def _grid(cells: int, repeats: int) -> Floats:
    centres = (np.arange(cells, dtype=np.float32) + 0.5) / cells
    x, y = np.meshgrid(centres, centres)
    return np.repeat(np.stack([x.ravel(), y.ravel()], 1), repeats, 0)


def _shrink(image: Image, scale: float) -> Image:
    if scale >= 1.0:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _letterbox(image: Image, side: int) -> tuple[Floats, float, Floats]:
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    resized = cv2.resize(image, size, interpolation=method)
    offset = np.array([(side - size[0]) // 2, (side - size[1]) // 2], np.float32)
    pixels = np.full((1, side, side, 3), -1.0, np.float32)
    top, left = int(offset[1]), int(offset[0])
    pixels[0, top : top + size[1], left : left + size[0]] = resized / np.float32(127.5) - 1
    return pixels, scale, offset


def _tiles(image: Image) -> list[tuple[int, int, Image]]:
    height, width = image.shape[:2]
    if max(height, width) <= _TILE_PX * 1.25:
        return []
    return [
        (left, top, image[top : top + _TILE_PX, left : left + _TILE_PX])
        for top in _starts(height)
        for left in _starts(width)
    ]


def _starts(length: int) -> list[int]:
    if length <= _TILE_PX:
        return [0]
    count = int(np.ceil((length - _TILE_PX) / (_TILE_PX * _TILE_STEP))) + 1
    return [round(start) for start in np.linspace(0, length - _TILE_PX, count)]


def _moved(found: Detection, left: float, top: float) -> Detection:
    shift = np.array([left, top], np.float32)
    box = found.bbox_xyxy + np.tile(shift, 2)
    return Detection(box, found.score, found.keypoints + shift)


def _scaled(found: Detection, factor: float) -> Detection:
    return Detection(found.bbox_xyxy * factor, found.score, found.keypoints * factor)


def _merge(found: list[Detection]) -> list[Detection]:
    """Weighted non-maximum suppression: overlapping boxes are averaged by score."""
    left = sorted(found, key=lambda d: -d.score)
    merged = []
    while left:
        boxes = np.stack([d.bbox_xyxy for d in left])
        group = iou(boxes[0], boxes) > _OVERLAP
        group[0] = True
        near = [d for d, inside in zip(left, group, strict=True) if inside]
        weights = np.array([d.score for d in near], np.float32)
        weights /= weights.sum()
        box = np.tensordot(weights, np.stack([d.bbox_xyxy for d in near]), 1)
        points = np.tensordot(weights, np.stack([d.keypoints for d in near]), 1)
        merged.append(Detection(box, near[0].score, points))
        left = [d for d, inside in zip(left, group, strict=True) if not inside]
    return merged


def iou(box: Floats, boxes: Floats) -> Floats:
    """Intersection over union of one ``(4,)`` xyxy box with ``(N, 4)`` boxes, in 0..1."""
    low = np.maximum(box[:2], boxes[:, :2])
    high = np.minimum(box[2:], boxes[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    area = np.prod(box[2:] - box[:2])
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return np.asarray(shared / np.maximum(area + areas - shared, 1e-9), np.float32)
