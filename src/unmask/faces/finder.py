"""From a frame to its faces: detection, mesh, iris, quality, in one object."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from unmask.faces.detection import Detection, FaceDetector, iou
from unmask.faces.mesh import Mesh, MeshEstimator
from unmask.faces.quality import assess
from unmask.types import Face

if TYPE_CHECKING:
    from unmask.types import Floats, Image

_MIN_MESH_SCORE = 0.5
_STILL_THERE = 0.9
_MIN_FACE_PX = 16.0
_SAME_FACE = 0.45
_SURE = 0.65
_CLEARLY_BETTER = 0.1


class FaceFinder:
    """Loads the face models once and finds the faces of any number of frames.

    The models must be there (:func:`unmask.faces.assets.ensure`).

    Args:
        max_faces: At most so many faces a frame, the largest first.
        iris: Also compute iris points (1.5 ms a face).
    """

    def __init__(self, *, max_faces: int = 50, iris: bool = False) -> None:
        self.max_faces = max_faces
        self._iris = iris
        self._detector = FaceDetector()
        self._mesh = MeshEstimator()

    def find(self, image: Image, *, thorough: bool = True) -> list[Face]:
        """Find the faces of one frame, largest first.

        Args:
            image: (H, W, 3) uint8 RGB.
            thorough: Search tiles, borders and, when that finds nothing or only something
                doubtful, the picture turned by 90, 180 and 270 degrees. For film frames after
                the first, False.
        """
        faces = self._find_upright(image, thorough=thorough)
        if not thorough or _certainty(faces) >= _SURE:
            return faces
        # Nothing, or so doubtful that the picture may lie on its side or head: the mesh fits an
        # upright face onto an inverted one without complaint, the detector's score tells.
        best = faces
        for turns in (1, 3, 2):
            turned = self._find_turned(image, turns)
            if _certainty(turned) > _certainty(best) + (_CLEARLY_BETTER if best else 0.0):
                best = turned
        return best

    def _find_turned(self, image: Image, turns: int) -> list[Face]:
        turned = np.ascontiguousarray(np.rot90(image, turns))
        detections = self._detector.detect(turned, thorough=False)[: self.max_faces + 10]
        meshes = [self._mesh.from_detection(turned, d) for d in detections]
        meshes = [_turn_back(mesh, turns, image.shape) for mesh in meshes]
        return self._faces(image, list(zip(detections, meshes, strict=True)))

    def follow(self, image: Image, previous: list[Face]) -> list[Face] | None:
        """Find the same faces in the next frame of a film, without searching it.

        Returns:
            The faces, or None when one of them was lost and the frame must be searched.
        """
        found = []
        for face in previous:
            mesh = self._refit(image, face)
            if mesh is None:
                return None
            box = np.asarray(face.bbox_xyxy, np.float32)
            found.append((Detection(box, face.score, np.zeros((6, 2), np.float32)), mesh))
        faces = self._faces(image, found)
        return faces if len(faces) == len(previous) else None

    def move(self, image: Image, previous: list[Face]) -> list[Face] | None:
        """Like :meth:`follow`, but no quality is measured: half the time for frames between.

        Returns:
            The faces in the order of ``previous``, moved to where they are now, with the quality
            and iris they had; or None when one was lost or two have become one.
        """
        moved: list[Face] = []
        boxes: list[Floats] = []
        for face in previous:
            mesh = self._refit(image, face)
            if mesh is None:
                return None
            hull = np.ascontiguousarray(mesh.points[:, :2])
            box = np.concatenate([hull.min(0), hull.max(0)])
            if boxes and iou(box, np.stack(boxes)).max() > _SAME_FACE:
                return None
            boxes.append(box)
            corners = (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
            moved.append(replace(face, bbox_xyxy=corners, landmarks=hull))
        return moved

    def _refit(self, image: Image, face: Face) -> Mesh | None:
        """The mesh of a face that was near by a moment ago, or None where it is lost."""
        flat = np.concatenate([face.landmarks, np.zeros((468, 1), np.float32)], 1)
        mesh = self._mesh.refine(image, Mesh(flat, 1.0))
        return mesh if mesh.score >= _STILL_THERE else None

    def _find_upright(self, image: Image, *, thorough: bool) -> list[Face]:
        detections = self._detector.detect(image, thorough=thorough)
        detections.sort(key=lambda d: -float(np.prod(d.bbox_xyxy[2:] - d.bbox_xyxy[:2])))
        # A few more than wanted: some detections have no mesh and drop out below.
        detections = detections[: self.max_faces + 10]
        return self._faces(image, [(d, self._mesh.from_detection(image, d)) for d in detections])

    def _faces(self, image: Image, found: list[tuple[Detection, Mesh]]) -> list[Face]:
        faces: list[Face] = []
        boxes: list[Floats] = []
        for detection, mesh in sorted(found, key=lambda pair: -pair[1].score):
            if mesh.score < _MIN_MESH_SCORE:
                continue
            hull = mesh.points[:, :2]
            box = np.concatenate([hull.min(0), hull.max(0)])
            if (box[2:] - box[:2]).max() < _MIN_FACE_PX:
                continue
            if boxes and iou(box, np.stack(boxes)).max() > _SAME_FACE:
                continue
            boxes.append(box)
            faces.append(
                Face(
                    bbox_xyxy=(float(box[0]), float(box[1]), float(box[2]), float(box[3])),
                    score=detection.score,
                    landmarks=np.ascontiguousarray(hull),
                    iris=self._mesh.iris(image, mesh) if self._iris else None,
                    quality=assess(image, mesh),
                )
            )
        faces.sort(key=lambda face: -face.quality.face_px)
        return faces[: self.max_faces]


def _certainty(faces: list[Face]) -> float:
    return max((face.score for face in faces), default=0.0)


def _turn_back(mesh: Mesh, turns: int, shape: tuple[int, ...]) -> Mesh:
    """Map mesh points of ``np.rot90(image, turns)`` back into ``image``."""
    height, width = shape[:2]
    x, y, z = mesh.points.T
    if turns == 1:
        x, y = width - 1 - y, x
    elif turns == 2:
        x, y = width - 1 - x, height - 1 - y
    else:
        x, y = y, height - 1 - x
    return Mesh(np.stack([x, y, z], 1).astype(np.float32), mesh.score)
