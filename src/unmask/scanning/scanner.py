"""The scanner: models loaded once, any number of inputs scanned."""

from __future__ import annotations

import hashlib
import os
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from unmask import settings
from unmask.calibration import Calibration, load_calibration, read_calibration
from unmask.detectors import Detector
from unmask.detectors.choice import DEFAULT_DETECTOR, open_detector
from unmask.errors import InputError, InternalFault, LimitExceeded, ModelUnavailable, UnmaskError
from unmask.faces import assets
from unmask.faces.finder import FaceFinder
from unmask.inference import runtime_name
from unmask.media import Sampling, hash_file, open_media
from unmask.scanning import assemble
from unmask.scanning.ahead import ahead
from unmask.scanning.analysis import SCORES_PER_S, Analyzer, Evidence
from unmask.scanning.gate import (
    input_changed,
    main_face_not_judged,
    most_not_judged,
    too_many_faces,
)
from unmask.scanning.judge import judge_face, judge_input
from unmask.scanning.origin import decide, origin_of
from unmask.scanning.watermark_watch import WatermarkWatch
from unmask.types import SCHEMA_VERSION, DetectorResult, Limits, Method, Problem, Reason, Report

if TYPE_CHECKING:
    from unmask.media import Media
    from unmask.scanning.evidence import TrackEvidence
    from unmask.types import MediaInfo, Verdict
    from unmask.types_of_origin import Provenance

MAX_FACES = 50
_FRAMES_AHEAD = 3
_PROMINENT = 0.5
_LARGEST_AHEAD_PX = 9_000_000  # larger frames are decoded one at a time, to spare memory


class Scanner:
    """Scans pictures and films; keeps its models loaded. Not to be shared between threads.

    Args:
        detector: Id of the detector; None: what ``weights`` say, or the one in the package.
        weights: ONNX file to use instead of the detector's own; one made by ``unmask export``
            says itself which network it is.
        calibration: JSON file that ``unmask calibrate`` made for these weights. Without one that
            belongs to the weights by its digest, results are scores without a verdict.
        frames: How many frames of a film to look at, spread evenly; None: all of them.
        limits: What is refused before decoding.
        offline: Never fetch the face models; None takes the setting ``UNMASK_OFFLINE``.
        crops: Put face crops and map overlays into the report.
        trust_anchors: Root certificates in PEM whose content credentials are called trusted.
        progress: Called with (name, bytes done, bytes in all) while face models are fetched.

    Raises:
        UnknownEntry: There is no such detector.
        ModelUnavailable: Face models or weights are absent or altered, or the calibration belongs
            to other weights.
        UsageError: ``frames`` is not positive, the weights are those of another detector, or the
            trust anchors are malformed.
        MissingExtra: Trust anchors were given, and the extra ``provenance`` is not installed.

    Example:
        >>> scanner = Scanner()  # doctest: +SKIP
        >>> scanner.scan("clip.mp4").verdict.label  # doctest: +SKIP
        <Label.INCONCLUSIVE: 'inconclusive'>
    """

    def __init__(  # noqa: PLR0913 - keywords only, one for each thing that can be chosen
        self,
        *,
        detector: str | None = None,
        weights: str | os.PathLike[str] | None = None,
        calibration: str | os.PathLike[str] | None = None,
        frames: int | None = 32,
        limits: Limits | None = None,
        offline: bool | None = None,
        crops: bool = True,
        trust_anchors: bytes | None = None,
        progress: assets.Progress | None = None,
    ) -> None:
        self._sampling = Sampling(frames=frames)
        self._limits = limits or Limits()
        self._crops = crops
        self._trust_anchors = _checked(trust_anchors)
        fitted = read_calibration(Path(calibration)) if calibration is not None else None
        path = Path(weights) if weights is not None else None
        # What was named is looked at before anything is fetched; the package's own can wait.
        own = path is None and detector in {None, DEFAULT_DETECTOR}
        opened = None if own else open_detector(detector, path)
        assets.ensure(offline=offline, progress=progress)
        self._finder = FaceFinder(max_faces=MAX_FACES)  # compiles while the detector is read
        _prepare_watermark_reader()
        self.detector: Detector = opened or open_detector()
        self._calibration = _calibration_for(self.detector, fitted, packaged=path is None)

    @property
    def calibration(self) -> Calibration:
        """The calibration of the weights.

        Raises:
            ModelUnavailable: They have none.
        """
        if self._calibration is None:
            raise ModelUnavailable(
                f"No calibration belongs to the weights {self.detector.weights_sha256[:12]}....",
                hint="Fit one with 'unmask calibrate', and give it with --calibration.",
            )
        return self._calibration

    def scan(self, path: str | os.PathLike[str], *, name: str | None = None) -> Report:
        """Scan one picture or film.

        Args:
            path: The file; it is only read.
            name: Called so in the report; default: its file name, without folders.

        Raises:
            InputError: It cannot be read as one; the subclass says why.
        """
        started_at = _now()
        with open_media(path, limits=self._limits, sampling=self._sampling) as media:
            dense = self._sampling.frames is None and media.info.kind != "image"
            analyzer = Analyzer(self._finder, self.detector, dense=dense)
            watch = WatermarkWatch(media.info)
            with ahead(media.frames(), _depth(media.info)) as frames:
                evidence = analyzer.run(watch.watching(frames))
            origin = origin_of(Path(path), media.info, watch.finding(), self._trust_anchors)
            return self._report(media, evidence, origin, started_at, name or media.info.name)

    def scan_or_explain(self, path: str | os.PathLike[str], *, name: str | None = None) -> Report:
        """Scan one input; whatever goes wrong with it is told in the report, not raised.

        Raises:
            UsageError, EnvironmentProblem: What would go wrong with every input.
        """
        try:
            return self.scan(path, name=name)
        except (InputError, InternalFault) as error:
            return self.explain(path, error, name=name)
        except UnmaskError:
            raise
        except MemoryError:
            refused = LimitExceeded(
                "Looking at this file needs more memory than the machine can give.",
                hint="Give fewer --frames or a lower --max-pixels.",
            )
            return self.explain(path, refused, name=name)
        except Exception as error:  # one file must not cost the others of a queue their turn
            if settings.debug():
                traceback.print_exc()
            return self.explain(path, _fault(error), name=name)

    def explain(
        self, path: str | os.PathLike[str] | None, error: UnmaskError, *, name: str | None = None
    ) -> Report:
        """The report on an input that was not analysed because of ``error``.

        Args:
            path: The file, or None where there is none; its digest is given if it can be read.
            error: Why.
            name: Called so in the report; default: its file name.
        """
        started_at = _now()
        sha256, size_bytes = (None, 0) if path is None else _identity(path, self._limits)
        called = name or (Path(path).name if path is not None else "")
        return assemble.failed_report(
            assemble.unread_input(called, sha256=sha256, size_bytes=size_bytes),
            error,
            self.method(film=False),
            self.detector.spec,
            started_at=started_at,
            ended_at=_now(),
        )

    def scan_all(self, paths: Iterable[str | os.PathLike[str]]) -> Iterator[tuple[Path, Report]]:
        """Scan many inputs, one after the other; see :meth:`scan_or_explain`."""
        for path in paths:
            yield Path(path), self.scan_or_explain(path)

    def method(self, *, film: bool) -> Method:
        """How this scanner works: enough to repeat a scan."""
        calibration = self._calibration
        curve = calibration.curve(film=film) if calibration is not None else None
        threshold = curve.score_at(curve.threshold_supported) if curve is not None else None
        limits = self._limits
        return Method(
            frames=_frames_words(self._sampling) if film else "the whole picture",
            detector=self.detector.spec.id,
            face_models={asset.id: asset.sha256 for asset in assets.ASSETS},
            runtime=runtime_name(),
            threshold_log10_lr=round(curve.threshold_supported, 3) if curve is not None else None,
            threshold_logit=round(threshold, 4) if threshold is not None else None,
            false_alarm_rate=curve.false_alarm_rate if curve is not None else None,
            calibration=calibration.id if calibration is not None else "",
            map_kind=self.detector.spec.map_kind,
            settings={
                "frames": "all" if self._sampling.frames is None else str(self._sampling.frames),
                "max_bytes": str(limits.max_bytes),
                "max_pixels": str(limits.max_pixels),
                "max_duration_s": str(limits.max_duration_s),
                "max_frames": str(limits.max_frames),
                "max_faces": str(MAX_FACES),
                "trust_anchors": _digest(self._trust_anchors),
            },
        )

    def _report(
        self, media: Media, evidence: Evidence, origin: Provenance, started_at: str, name: str
    ) -> Report:
        info = media.info
        # A moving format that holds one picture only is judged as the picture it is.
        film = info.kind != "image" and evidence.frames_seen > 1
        tracks = sorted(evidence.tracks.values(), key=lambda track: track.track_id)
        verdicts = [judge_face(track, self._calibration, film=film) for track in tracks]
        unchanged = media.verify_unchanged()
        notes = _notes(media.stopped_early, evidence, unchanged=unchanged)
        notes += _not_judged(tracks, verdicts)
        verdict = judge_input(verdicts, self._calibration, film=film, notes=notes)
        scores = [t.score for t, v in zip(tracks, verdicts, strict=True) if v.in_scope]
        score = max((s for s in scores if s is not None), default=None)
        return Report(
            schema_version=SCHEMA_VERSION,
            tool=assemble.tool(),
            input=assemble.input_of(info, name=name, unchanged=unchanged),
            started_at=started_at,
            ended_at=_now(),
            coverage=assemble.coverage_of(evidence, info, media.stopped_early),
            verdict=decide(verdict, origin),
            faces=[
                assemble.face_report(track, judged, crops=self._crops)
                for track, judged in zip(tracks, verdicts, strict=True)
            ],
            detectors=[
                DetectorResult(
                    id=self.detector.spec.id,
                    status="ok" if score is not None else "not_applicable",
                    weights_sha256=self.detector.weights_sha256,
                    score=round(score, 4) if score is not None else None,
                    log10_lr=verdict.log10_lr,
                    reason=None if score is not None else verdict.reasons[0].message,
                )
            ],
            method=self.method(film=film),
            limitations=assemble.limitations(self.detector.spec),
            provenance=origin,
            timeline=assemble.intervals(evidence.timeline, evidence.last_s) if film else [],
            errors=_problems(media.stopped_early, unchanged=unchanged),
        )


def _calibration_for(
    detector: Detector, fitted: Calibration | None, *, packaged: bool
) -> Calibration | None:
    """The calibration that speaks for the weights that were loaded, and for no others.

    Args:
        detector: With its weights.
        fitted: What the user gave; None: what the package has.
        packaged: The weights come with the package, so a calibration must belong to them.

    Raises:
        ModelUnavailable: It was fitted on other weights.
    """
    calibration_id = detector.spec.calibration_id
    found = fitted or (load_calibration(calibration_id) if calibration_id else None)
    if found is None or found.weights_sha256 == detector.weights_sha256:
        return found
    if fitted is None and not packaged:
        return None
    raise ModelUnavailable(
        f"The calibration {found.id} was fitted on weights {found.weights_sha256[:12]}..., not on "
        f"{detector.weights_sha256[:12]}...: it says nothing about their scores.",
        hint="Fit one for these weights with 'unmask calibrate', or leave --calibration out to "
        "get scores without a verdict.",
    )


def _checked(trust_anchors: bytes | None) -> bytes | None:
    """Refuse malformed anchors once, not with every file that carries credentials."""
    if trust_anchors is not None:
        from unmask.provenance import authority

        authority.check_anchors(trust_anchors)
    return trust_anchors


def _prepare_watermark_reader() -> None:
    from unmask.provenance import watermark

    with suppress(ModelUnavailable):  # each report says so; the rest of a scan does without
        watermark.prepare_to_read()


def _digest(trust_anchors: bytes | None) -> str:
    return "none" if trust_anchors is None else hashlib.sha256(trust_anchors).hexdigest()


def _identity(path: str | os.PathLike[str], limits: Limits) -> tuple[str | None, int]:
    """Digest and size of a file that was refused, where it can be read in reasonable time."""
    try:
        size_bytes = Path(path).stat().st_size
        return (hash_file(path) if size_bytes <= limits.max_bytes else None), size_bytes
    except (InputError, OSError, ValueError):
        return None, 0


def _frames_words(sampling: Sampling) -> str:
    """How frames of a film are chosen, for the report."""
    if sampling.frames is not None:
        return sampling.describe()
    return f"all; each face is scored at most {SCORES_PER_S} times a second"


def _depth(info: MediaInfo) -> int:
    """How many frames to decode ahead: none of a still, or where one thread was asked for."""
    large = info.width_px * info.height_px > _LARGEST_AHEAD_PX
    return 0 if info.kind == "image" or large or settings.threads() == 1 else _FRAMES_AHEAD


def _notes(stopped_early: str | None, evidence: Evidence, *, unchanged: bool) -> list[Reason]:
    """What keeps "nothing found" from being said: something was not seen."""
    notes = []
    if evidence.crowded:
        notes.append(too_many_faces(MAX_FACES))
    if stopped_early is not None:
        notes.append(Reason(code="stopped_early", message=stopped_early))
    if not unchanged:
        notes.append(input_changed())
    return notes


def _not_judged(tracks: Sequence[TrackEvidence], verdicts: Sequence[Verdict]) -> list[Reason]:
    """Notes where those judged are not the faces that the input shows most of.

    How prominent a face is: its size, added up over the frames it was seen in. A passer-by in the
    background spoils no verdict; a face half as prominent as the most prominent one judged does.
    """
    pairs = list(zip(tracks, verdicts, strict=True))
    judged = [track for track, verdict in pairs if verdict.in_scope]
    left = [(track, verdict) for track, verdict in pairs if not verdict.in_scope]
    if not judged or not left:
        return []
    notes = []
    main, verdict = max(left, key=lambda pair: pair[0].face_px_sum)
    if main.face_px_sum >= _PROMINENT * max(track.face_px_sum for track in judged):
        notes.append(main_face_not_judged(verdict.reasons[0]))
    if sum(track.frames for track, _ in left) > sum(track.frames for track in judged):
        notes.append(most_not_judged())
    return notes


def _fault(error: Exception) -> InternalFault:
    return InternalFault(
        f"A fault in Unmask ended the analysis of this file ({type(error).__name__}: {error}).",
        hint="Run it again with UNMASK_DEBUG=1 to see where, and report it as CONTRIBUTING.md "
        "describes.",
    )


def _problems(stopped_early: str | None, *, unchanged: bool) -> list[Problem]:
    problems = []
    if stopped_early is not None:
        problems.append(
            Problem(
                code="stopped_early",
                message=stopped_early,
                hint="Find an undamaged copy: the rest of the file was not seen.",
            )
        )
    if not unchanged:
        problems.append(
            Problem(
                code="input_changed",
                message="The file's bytes changed while it was being analysed.",
                hint="Scan a copy that nothing else writes to.",
            )
        )
    return problems


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
