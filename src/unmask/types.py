"""The shared words: frames, faces and the report. No heavy import lives here.

Pixels travel in two forms only: ``image`` is HWC uint8 RGB, ``pixels`` is BCHW float32.
Structures that hold arrays are dataclasses; those that are written to disk are
``msgspec`` structs, from which the published JSON Schema is generated.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct
from msgspec import field as struct_field

from unmask.types_of_origin import Provenance
from unmask.types_of_origin import Reason as Reason  # noqa: PLC0414 - a word of this module

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    Floats = NDArray[np.float32]

SCHEMA_VERSION = "1.0"


class Label(StrEnum):
    """What a verdict says. There is no "authentic": absence of evidence is not proof."""

    MANIPULATION_SUPPORTED = "manipulation_supported"
    INCONCLUSIVE = "inconclusive"
    NO_MANIPULATION_FOUND = "no_manipulation_found"
    NOT_ANALYZED = "not_analyzed"


# --------------------------------------------------------------------- media


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused before it is decoded. Every field has a command-line flag.

    Attributes:
        max_bytes: Size of the input file.
        max_pixels: Width times height of one picture or frame.
        max_duration_s: Length of a film by its own header.
        max_frames: Frames that may be decoded from one input.
    """

    max_bytes: int = 8 * 1024**3
    max_pixels: int = 100_000_000
    max_duration_s: float = 6 * 3600.0
    max_frames: int = 1_000_000


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What is known of an input before its pixels are looked at.

    Attributes:
        name: File name without folders, as given by the user.
        kind: ``image`` (one picture), ``animation`` (GIF, WebP, APNG) or ``video``.
        mime: Sniffed from the bytes, never from the extension.
        size_bytes: Size of the file.
        sha256: Lower-case hex digest of the bytes as they were before decoding.
        width_px: Display width, after rotation.
        height_px: Display height, after rotation.
        duration_s: Length, or None where the file does not say.
        frame_count: Frames the file states or that were counted, or None.
        frame_rate: Average frames a second, or None.
        codec: Short codec or format name (``h264``, ``jpeg``).
        rotation_deg: Clockwise rotation already applied to the frames: 0, 90, 180 or 270.
        has_audio: Whether an audio stream is present.
        metadata: Text tags found in the file (encoder, software); hostile, never trusted.
    """

    name: str
    kind: Literal["image", "animation", "video"]
    mime: str
    size_bytes: int
    sha256: str
    width_px: int
    height_px: int
    duration_s: float | None = None
    frame_count: int | None = None
    frame_rate: float | None = None
    codec: str = ""
    rotation_deg: int = 0
    has_audio: bool = False
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded picture.

    Attributes:
        image: (H, W, 3) uint8 RGB, upright, alpha laid on mid-grey.
        index: Position among the frames delivered, from 0.
        pts_s: Exact presentation time in seconds; 0.0 for a still picture.
    """

    image: Image
    index: int
    pts_s: float


# --------------------------------------------------------------------- faces


@dataclass(frozen=True, slots=True)
class Quality:
    """How well a face can be judged.

    Attributes:
        face_px: Longer side of the face (landmark hull) in pixels of the input.
        sharpness: Variance of the Laplacian of the grey crop at 128 px; below 8 it is not judged.
        yaw_deg: Head turned left (-) or right (+), seen from the camera.
        pitch_deg: Head down (-) or up (+).
        roll_deg: Head tilted, clockwise positive.
        landmark_score: The mesh's own confidence that there is a face, 0..1.
        visible_fraction: Part of the face hull that lies inside the picture, 0..1.
    """

    face_px: float
    sharpness: float
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    landmark_score: float
    visible_fraction: float


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face in one frame.

    Attributes:
        bbox_xyxy: Left, top, right, bottom in pixels of the frame (landmark hull).
        score: Detector confidence, 0..1.
        landmarks: (468, 2) float32 mesh points in pixels of the frame.
        iris: (10, 2) float32: centre and four edge points of the left, then the right
            iris (the person's own left first), or None when they were not computed.
        quality: See :class:`Quality`.
    """

    bbox_xyxy: tuple[float, float, float, float]
    score: float
    landmarks: Floats
    iris: Floats | None
    quality: Quality


# -------------------------------------------------------------------- report

Seconds = Annotated[float, Meta(description="seconds from the start of the media")]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="SHA-256, lower-case hex")]
Log10LR = Annotated[
    float,
    Meta(
        description="log10 of the likelihood ratio: how much more probable this finding is if "
        "the face was manipulated than if it was not; 0 speaks for neither"
    ),
]


class _Doc(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """Base of everything that is written into a report."""


class Tool(_Doc, frozen=True):
    """Which software spoke."""

    name: str
    version: str
    commit: str | None = None


class Input(_Doc, frozen=True):
    """Which bytes were looked at."""

    name: str
    sha256: Annotated[Sha256 | None, Meta(description="null where the file could not be read")]
    bytes: int
    mime: str
    kind: str
    width_px: int
    height_px: int
    duration_s: float | None = None
    frame_rate: float | None = None
    codec: str = ""
    unchanged: Annotated[
        bool, Meta(description="the digest after reading was the same as before")
    ] = True
    metadata: dict[str, str] = {}


class Coverage(_Doc, frozen=True):
    """How much of the input the verdict rests on."""

    frames_in_file: Annotated[int | None, Meta(description="null where the file does not say")]
    frames_seen: int
    frames_with_faces: int
    faces_found: int
    faces_scored: int
    tracks: int
    first_seen_s: float | None = None
    last_seen_s: float | None = None
    stopped_early: Annotated[
        str | None, Meta(description="why decoding ended before the end, else null")
    ] = None


class Verdict(_Doc, frozen=True):
    """A calibrated statement, for the whole input or for one face."""

    label: Label
    statement: Annotated[str, Meta(description="the verdict as one English sentence")]
    log10_lr: Log10LR | None = None
    in_scope: bool = False
    reasons: list[Reason] = []
    calibration_id: str | None = None
    basis: Annotated[
        Literal["findings", "declaration"],
        Meta(
            description="declaration: the file itself declares that it is synthetic, which decides "
            "the label whatever was found"
        ),
    ] = "findings"
    findings_label: Annotated[
        Label | None,
        Meta(description="where a declaration decided: what the findings alone would say"),
    ] = None


class TimelinePoint(_Doc, frozen=True):
    """One face in one frame."""

    frame_index: int
    pts_s: Seconds
    bbox_xyxy: tuple[float, float, float, float]
    logit: float
    face_px: float
    in_scope: bool = True


class BestCrop(_Doc, frozen=True):
    """The frame in which the detector found most, or saw best."""

    frame_index: int
    pts_s: Seconds
    bbox_xyxy: tuple[float, float, float, float]
    image_png: Annotated[bytes, Meta(description="base64 PNG of the aligned face")] | None = None
    map_png: (
        Annotated[bytes, Meta(description="base64 PNG: the manipulation map laid over the face")]
        | None
    ) = None
    map_peak: Annotated[float, Meta(description="highest value of the manipulation map, 0..1")] = (
        0.0
    )


class FaceReport(_Doc, frozen=True):
    """One person followed through the input."""

    track_id: int
    verdict: Verdict
    best_crop: BestCrop
    frames: int
    mean_face_px: float
    mean_sharpness: float
    mean_abs_yaw_deg: float
    fake_frame_share: Annotated[
        float, Meta(description="share of this face's frames with a logit above 0 (frame vote)")
    ]
    timeline: list[TimelinePoint] = []


class DetectorResult(_Doc, frozen=True):
    """What one detector said, or why it said nothing."""

    id: str
    status: Literal["ok", "not_applicable", "failed"]
    weights_sha256: str | None = None
    score: Annotated[float | None, Meta(description="raw logit for the whole input")] = None
    log10_lr: Log10LR | None = None
    reason: str | None = None


class CueResult(_Doc, frozen=True):
    """A hand-made or physiological sign."""

    id: str
    status: Literal["ok", "not_applicable", "failed"]
    value: float | None = None
    reason: str | None = None


class Interval(_Doc, frozen=True):
    """A stretch of time and what was found in it."""

    start_s: Seconds
    end_s: Seconds
    score: Annotated[float, Meta(description="mean logit of the faces in it")]


class Problem(_Doc, frozen=True):
    """Something that went wrong without ending the analysis."""

    code: str
    message: str
    hint: str = ""


class Method(_Doc, frozen=True):
    """How the analysis was done: enough to repeat it."""

    frames: Annotated[str, Meta(description="how frames were chosen, e.g. '32 spread evenly'")]
    detector: str
    face_models: dict[str, str] = {}
    runtime: str = ""
    threshold_log10_lr: Log10LR | None = None
    threshold_logit: Annotated[
        float | None, Meta(description="the same threshold as a face's mean logit, for charts")
    ] = None
    false_alarm_rate: Annotated[
        float | None, Meta(description="share of unmanipulated faces above the threshold")
    ] = None
    calibration: str = ""
    map_kind: Annotated[
        str,
        Meta(
            description="what the maps show: manipulated_pixels, class_activation (which places "
            "raise the score) or none"
        ),
    ] = "manipulated_pixels"
    settings: dict[str, str] = {}


class Report(_Doc, frozen=True):
    """Everything said about one input. The same bytes, version and settings give the same one."""

    schema_version: str
    tool: Tool
    input: Input
    started_at: Annotated[str, Meta(description="ISO 8601, UTC")]
    ended_at: Annotated[str, Meta(description="ISO 8601, UTC")]
    coverage: Coverage
    verdict: Verdict
    faces: list[FaceReport]
    detectors: list[DetectorResult]
    method: Method
    limitations: list[str]
    cues: list[CueResult] = []
    provenance: Provenance = struct_field(default_factory=Provenance)
    timeline: list[Interval] = []
    errors: list[Problem] = []
