"""The space that is searched: how a face is forged, as a few settings with a few values each.

===============  ================================================================================
``family``       ``self_blending`` (a changed copy of the face itself), ``landmark_swap`` (a
                 donor's face bent onto it), ``reconstruction`` (repainted by the package's
                 autoencoder), ``generated_swap`` (a bent donor, repainted)
``mask``         region that is pasted, of :data:`unmask.faces.masks.MASK_KINDS`
``grow``         how far it reaches beyond that, as a share of the face; negative: eroded
``edge``         width of its soft edge, as a share of the face
``colour``       ``none``, or ``lab``: colours brought to the target's (Reinhard)
``blend``        ``alpha`` or ``poisson``
``share``        share of paint kept at the middle of the region
``side_px``      side that the face is painted at before it is laid back
``sharpen``      how much is sharpened afterwards
``compression``  of the whole picture, of the real one alike
===============  ================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from unmask.errors import UsageError
from unmask.faces.alignment import align_region
from unmask.faces.masks import MASK_KINDS, face_mask
from unmask.faces.mesh import upright_region
from unmask.forgeries._autoencoder import CODE, paint_again, put_back, sharpened
from unmask.forgeries.base import ForgedFace, RealFace
from unmask.forgeries.blend import alpha_blend, poisson_blend, transfer_colour
from unmask.forgeries.landmark_swap import bent_face
from unmask.forgeries.self_blending import ColourDraw

if TYPE_CHECKING:
    from unmask.types import Floats, Image

Value = str | float
SPACE: Mapping[str, tuple[Value, ...]] = {
    "family": ("self_blending", "landmark_swap", "reconstruction", "generated_swap"),
    "mask": MASK_KINDS,
    "grow": (-0.08, -0.03, 0.02, 0.06),
    "edge": (0.01, 0.03, 0.07, 0.14),
    "colour": ("none", "lab"),
    "blend": ("alpha", "poisson"),
    "share": (0.5, 0.75, 1.0),
    "side_px": (96, 160, 224, 288),
    "sharpen": (0.0, 0.5, 1.0),
    "compression": ("none", "jpeg 85", "jpeg 60", "webp 60"),
}
NEEDS_DONOR = frozenset({"landmark_swap", "generated_swap"})
VISIBLE_LEVELS = 4.0
"""Mean change inside the region, in grey levels, from which a forgery counts as one at all.

Without it the search would end at forgeries that change nothing, which nobody can or need find.
"""
_MARGIN = 1.3
_LEAST_FAITHFUL = 22


@dataclass(frozen=True, slots=True)
class Setting:
    """One point of the space; the values of :data:`SPACE` by name, as attributes."""

    family: str
    mask: str
    grow: float
    edge: float
    colour: str
    blend: str
    share: float
    side_px: int
    sharpen: float
    compression: str

    @classmethod
    def at(cls, places: Mapping[str, int], space: Mapping[str, Sequence[Value]]) -> Setting:
        """The setting at the given place of each list of values."""
        return cls(**{name: space[name][place] for name, place in places.items()})  # type: ignore[arg-type]


def narrowed(families: Sequence[str]) -> dict[str, tuple[Value, ...]]:
    """The space with some of its families only; the others are held out.

    Raises:
        UsageError: A family is unknown, or none is named.
    """
    unknown = [name for name in families if name not in SPACE["family"]]
    if unknown or not families:
        known = ", ".join(map(str, SPACE["family"]))
        raise UsageError(
            f"The rounds' families hold {unknown[0]!r}." if unknown else "No family is named.",
            hint=f"The space has: {known}.",
        )
    return {**SPACE, "family": tuple(families)}


def forge_with(
    setting: Setting, target: RealFace, donor: RealFace | None, rng: np.random.Generator
) -> ForgedFace:
    """Forge one face as a setting says; what it leaves open is drawn.

    Args:
        setting: What to do.
        target: The face.
        donor: Another person's, where the family needs one.
        rng: Draws the copy's colours and place, and the autoencoder's fidelity.

    Raises:
        ValueError: A donor is needed and none was given.
    """
    image, landmarks = target.image, target.landmarks
    height, width = image.shape[:2]
    face_px = float(np.ptp(landmarks, axis=0).max())
    mask = face_mask(landmarks, height, width, kind=setting.mask, grow=setting.grow)
    face = _painted(setting, _source(setting, target, donor, rng), landmarks, rng)
    if setting.colour == "lab":
        face = transfer_colour(face, image, mask)
    side = 2 * max(1, round(face_px * setting.edge)) + 1
    soft = np.asarray(cv2.GaussianBlur(mask, (side, side), 0), np.float32)
    soft *= np.float32(setting.share) / max(float(soft.max()), 1e-6)
    blend = poisson_blend if setting.blend == "poisson" else alpha_blend
    forged = blend(face, image, soft)
    return ForgedFace(
        compressed(forged, setting.compression), compressed(image, setting.compression), soft,
        setting.family,
    )  # fmt: skip


def visible_change(forged: ForgedFace) -> float:
    """Mean absolute change inside the forged region, in grey levels; 0 where there is none."""
    inside = forged.mask > 0.25
    if not inside.any():
        return 0.0
    gap = cv2.absdiff(forged.image, forged.original).mean(2)
    return float(gap[inside].mean())


def compressed(image: Image, how: str) -> Image:
    """Send a picture through a codec: ``none``, or ``jpeg`` or ``webp`` with a quality."""
    if how == "none":
        return image
    codec, quality = how.split()
    flag = cv2.IMWRITE_JPEG_QUALITY if codec == "jpeg" else cv2.IMWRITE_WEBP_QUALITY
    ending = ".jpg" if codec == "jpeg" else ".webp"
    _, data = cv2.imencode(ending, np.ascontiguousarray(image[..., ::-1]), [flag, int(quality)])
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return np.ascontiguousarray(np.asarray(decoded, np.uint8)[..., ::-1])


def _source(
    setting: Setting, target: RealFace, donor: RealFace | None, rng: np.random.Generator
) -> Image:
    """What is to be painted, in the frame of the target."""
    if setting.family in NEEDS_DONOR:
        if donor is None:
            raise ValueError(f"{setting.family} needs a donor face; none was given")
        return np.asarray(bent_face(target, donor), np.uint8)
    image = target.image
    if setting.family == "self_blending":
        image = ColourDraw.drawn(rng).apply(image)
    face_px = float(np.ptp(target.landmarks, axis=0).max())
    x, y = (float(value) for value in target.landmarks.mean(0))
    turn = np.asarray(
        cv2.getRotationMatrix2D((x, y), float(rng.uniform(-1.5, 1.5)),
                                float(rng.uniform(0.97, 1.03)))
    )  # fmt: skip
    turn[:, 2] += rng.uniform(-0.015, 0.015, 2) * face_px
    moved = cv2.warpAffine(
        image, turn, image.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(moved, np.uint8)


def _painted(setting: Setting, image: Image, landmarks: Floats, rng: np.random.Generator) -> Image:
    """Bring the face to the side it is painted at, paint it where a generator does, and back."""
    region = upright_region(landmarks, _MARGIN)
    painted = align_region(image, region, int(setting.side_px)).image
    if setting.family in {"reconstruction", "generated_swap"}:
        painted = paint_again(painted, int(rng.integers(_LEAST_FAITHFUL, CODE + 1)))
    if setting.sharpen:
        painted = sharpened(painted, setting.sharpen)
    return put_back(painted, image, region, cubic=True)
