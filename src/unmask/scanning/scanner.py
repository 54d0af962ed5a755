"""The scanner: models loaded once, any number of inputs scanned."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from unmask.calibration import Calibration, load_calibration
from unmask.detectors import DETECTORS, Detector
from unmask.errors import InputError, ModelUnavailable
from unmask.faces import assets
from unmask.faces.finder import FaceFinder
from unmask.inference import runtime_name
from unmask.media import Sampling, open_media
from unmask.scanning import assemble
from unmask.scanning.analysis import Analyzer, Evidence
from unmask.scanning.gate import too_many_faces
from unmask.scanning.judge import judge_face, judge_input
from unmask.types import DetectorResult, Limits, Method, Problem, Reason, Report, SCHEMA_VERSION

if TYPE_CHECKING:
    from unmask.media import Media

MAX_FACES = 50


class Scanner:
    """Scans pictures and films; keeps its models loaded. Not to be shared between threads.

    Args:
        detector: Id of the detector.
        weights: ONNX file to use instead of the detector's own. The calibration does not belong
            to it, so results are scores without a verdict unless the digest matches.
        frames: How many frames of a film to look at, spread evenly; None: all of them.
        limits: What is refused before decoding.
        offline: Never fetch the face models; None takes the setting ``UNMASK_OFFLINE``.
        crops: Put face crops and map overlays into the report.
        progress: Called with (name, bytes done, bytes in all) while face models are fetched.

    Raises:
        UnknownEntry: There is no such detector.
        ModelUnavailable: Face models or weights are absent or altered.
        UsageError: ``frames`` is not positive.

    Example:
        >>> scanner = Scanner()  # doctest: +SKIP
        >>> scanner.scan("clip.mp4").verdict.label  # doctest: +SKIP
        <Label.INCONCLUSIVE: 'inconclusive'>
    """

    def __init__(
        self,
        *,
        detector: str = "unmask-base",
        weights: str | os.PathLike[str] | None = None,
        frames: int | None = 32,
        limits: Limits | None = None,
        offline: bool | None = None,
        crops: bool = True,
        progress: assets.Progress | None = None,
    ) -> None:
        self._sampling = Sampling(frames=frames)
        self._limits = limits or Limits()
        self._crops = crops
        detector_class = DETECTORS.get(detector)
        self.detector: Detector = detector_class(Path(weights) if weights is not None else None)
        self.calibration: Calibration = load_calibration(self.detector.spec.calibration_id)
        self._check_calibration()
        assets.ensure(offline=offline, progress=progress)
        self._finder = FaceFinder(max_faces=MAX_FACES)

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
            evidence = Analyzer(self._finder, self.detector, dense=dense).run(media.frames())
            return self._report(media, evidence, started_at, name or media.info.name)

    def scan_or_explain(
        self, path: str | os.PathLike[str], *, name: str | None = None
    ) -> Report:
        """Scan one input; if it cannot be read, the report says so instead of an exception."""
        started_at = _now()
        try:
            return self.scan(path, name=name)
        except InputError as error:
            return assemble.failed_report(
                name or Path(path).name,
                error,
                self.method(film=False),
                started_at=started_at,
                ended_at=_now(),
            )

    def scan_all(
        self, paths: Iterable[str | os.PathLike[str]]
    ) -> Iterator[tuple[Path, Report]]:
        """Scan many inputs, one after the other; see :meth:`scan_or_explain`."""
        for path in paths:
            yield Path(path), self.scan_or_explain(path)

    def method(self, *, film: bool) -> Method:
        """How this scanner works: enough to repeat a scan."""
        curve = self.calibration.curve(film=film)
        limits = self._limits
        return Method(
            frames=self._sampling.describe() if film else "the whole picture",
            detector=self.detector.spec.id,
            face_models={asset.id: asset.sha256 for asset in assets.ASSETS},
            runtime=runtime_name(),
            threshold_log10_lr=round(curve.threshold_supported, 3),
            false_alarm_rate=curve.false_alarm_rate,
            calibration=self.calibration.id,
            settings={
                "frames": "all" if self._sampling.frames is None else str(self._sampling.frames),
                "max_bytes": str(limits.max_bytes),
                "max_pixels": str(limits.max_pixels),
                "max_duration_s": str(limits.max_duration_s),
                "max_frames": str(limits.max_frames),
                "max_faces": str(MAX_FACES),
            },
        )

    def _report(
        self, media: Media, evidence: Evidence, started_at: str, name: str
    ) -> Report:
        info = media.info
        # A moving format that holds one picture only is judged as the picture it is.
        film = info.kind != "image" and evidence.frames_seen > 1
        tracks = sorted(evidence.tracks.values(), key=lambda track: track.track_id)
        verdicts = [judge_face(track, self.calibration, film=film) for track in tracks]
        notes = _notes(media, evidence)
        verdict = judge_input(verdicts, self.calibration, film=film, notes=notes)
        unchanged = media.verify_unchanged()
        scores = [t.score for t, v in zip(tracks, verdicts, strict=True) if v.in_scope]
        score = max((s for s in scores if s is not None), default=None)
        return Report(
            schema_version=SCHEMA_VERSION,
            tool=assemble.tool(),
            input=assemble.input_of(info, name=name, unchanged=unchanged),
            started_at=started_at,
            ended_at=_now(),
            coverage=assemble.coverage_of(evidence, info, media.stopped_early),
            verdict=verdict,
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
            limitations=list(assemble.LIMITATIONS),
            timeline=assemble.intervals(evidence.timeline, evidence.last_s) if film else [],
            errors=_problems(media.stopped_early, unchanged=unchanged),
        )

    def _check_calibration(self) -> None:
        """A calibration speaks for the weights it was fitted on, and for no others."""
        if self.calibration.weights_sha256 != self.detector.weights_sha256:
            raise ModelUnavailable(
                f"The calibration {self.calibration.id} was fitted on weights "
                f"{self.calibration.weights_sha256[:12]}..., not on "
                f"{self.detector.weights_sha256[:12]}...: their scores have no meaning yet.",
                hint="Fit one with 'unmask calibrate', or use the bundled weights.",
            )


def _notes(media: Media, evidence: Evidence) -> list[Reason]:
    notes = []
    if evidence.crowded:
        notes.append(too_many_faces(MAX_FACES))
    if media.stopped_early is not None:
        notes.append(Reason(code="stopped_early", message=media.stopped_early))
    return notes


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


